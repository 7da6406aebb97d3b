#ifndef HERALD_JSON_READ_H
#define HERALD_JSON_READ_H

#include "client/message/path.h"
#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct reader {
    struct herald_error *reterr;
    const struct herald_message_schema *root;
    ProtobufCAllocator *allocator;
    size_t memory_bytes; /* that the message may still take */
    bool ignore_unknown;
    const char *at; /* in text that has been checked */
};

/** Fails with INVALID_JSON at a field. */
enum herald_code herald_reader_fail(const struct reader *reader, const struct herald_path *path, const char *format,
                                    ...) __attribute__((format(printf, 3, 4)));
/** Takes memory from the message's allocator; sets the error when there is none, or when it is more than fits. */
void *herald_reader_alloc(struct reader *reader, size_t bytes);

/** Reads a value of any type but a message into @to, the field's or item's place. */
enum herald_code herald_read_scalar(struct reader *reader, const struct herald_path *path,
                                    const ProtobufCFieldDescriptor *field, void *to);

#endif
