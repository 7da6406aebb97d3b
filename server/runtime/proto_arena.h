#ifndef HERALD_RUNTIME_PROTO_ARENA_H
#define HERALD_RUNTIME_PROTO_ARENA_H

/* Makes protobuf-c messages in the running call's arena. */
#include "google/protobuf/timestamp.pb-c.h"
#include "server/runtime/call.h"

#include <stdbool.h>
#include <stdint.h>

/** A new, initialised message of a type, named by the prefix of its protobuf-c functions; NULL without memory. */
#define ARENA_MESSAGE(prefix) ((__typeof__(prefix##__unpack(NULL, 0, NULL)))arena_message(&prefix##__descriptor))

static inline ProtobufCMessage *arena_message(const ProtobufCMessageDescriptor *descriptor) {
    ProtobufCMessage *message = arena_alloc(call_arena(), descriptor->sizeof_message);
    if (message) {
        descriptor->message_init(message);
    }
    return message;
}

/** A string lent to a message: protobuf-c's fields are not const, but what packs a message does not write to them. */
static inline char *borrow_str(const char *text) {
    union {
        const char *in;
        char *out;
    } lent = {.in = text};
    return lent.out;
}

/** Sets a timestamp from microseconds since 1970; 0 leaves it unset. False without memory. */
static inline bool arena_timestamp(int64_t us, Google__Protobuf__Timestamp **ret_timestamp) {
    if (us == 0) {
        return true;
    }
    Google__Protobuf__Timestamp *timestamp = ARENA_MESSAGE(google__protobuf__timestamp);
    if (!timestamp) {
        return false;
    }
    timestamp->seconds = us / 1000000;
    timestamp->nanos = (int32_t)(us % 1000000) * 1000;
    *ret_timestamp = timestamp;
    return true;
}

/** Microseconds since 1970 of a timestamp; 0 for NULL. */
static inline int64_t timestamp_us(const Google__Protobuf__Timestamp *timestamp) {
    return timestamp ? timestamp->seconds * 1000000 + timestamp->nanos / 1000 : 0;
}

#endif
