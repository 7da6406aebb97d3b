#ifndef HERALD_CLIENT_REQUEST_H
#define HERALD_CLIENT_REQUEST_H

/*
 * Writes the envelope of a request by hand, because protobuf-c's struct would cost one more copy of the payload. The
 * part that all attempts at a call share is packed once and kept with the call. Each attempt's message is a copy of it,
 * followed by the attempt's own fields. A unit test unpacks the result with the generated code.
 */
#include "client/base/buffer.h"
#include "herald/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct herald_call;

struct herald_request {
    struct herald_buffer common;
    size_t payload_at, payload_bytes; /* in common */
    size_t key_at, key_bytes;         /* the idempotency key, in common */
    char user[65];                    /* the user for whom the call acts, signed; may be empty */
};

/**
 * Packs the part that attempts share.
 *
 * @credential  of the attempts; NULL: none
 * @call_id     36 characters
 * Returns:  HERALD_OK
 *           | HERALD_INVALID_ARGUMENT (INVALID_REQUEST: it cannot be packed; INVALID_ACTING_USER,
 *             INVALID_IDEMPOTENCY_KEY: they cannot be signed)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_request_pack(struct herald_request *packed, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     const struct herald_credential *credential, const char *call_id,
                                     struct herald_error *reterr);

/** The fields of a message that belong to one attempt. */
struct herald_attempt {
    uint32_t number;
    uint64_t ticket;
    bool want_timings;
    uint32_t timeout_ms;
    const struct herald_credential *credential; /* NULL: none */
    const struct herald_buffer *metadata;       /* pairs that interceptors added, packed as fields of the envelope */
};

/** Where a message is made: memory of an engine. */
struct herald_request_room {
    uint8_t *(*make)(struct herald_call *call, size_t bytes); /* NULL: no memory */
    struct herald_call *call;
    uint32_t max_bytes; /* longest message allowed */
};

/**
 * Makes an attempt's message.
 *
 * @room    where it is made
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (MESSAGE_TOO_BIG, NOT_SIGNED, OUT_OF_MEMORY)
 */
enum herald_code herald_request_make(const struct herald_request *packed, const struct herald_method_schema *method,
                                     const struct herald_attempt *attempt, const struct herald_request_room *room,
                                     struct herald_error *reterr);
/** Adds a pair to packed metadata. False: no memory. */
bool herald_request_add_metadata(struct herald_buffer *metadata, const char *key, const void *value,
                                 size_t value_bytes);

#endif
