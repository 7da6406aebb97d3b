#ifndef HERALD_JSON_READER_H
#define HERALD_JSON_READER_H

#include "client/message/path.h"
#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/** The reading of one message from JSON: the position in the text, and the memory that the message may still take. */
struct reader {
    struct herald_error *reterr;
    const struct herald_message_schema *root;
    ProtobufCAllocator *allocator;
    size_t memory_bytes; /* that the message may still take */
    bool ignore_unknown;
    const char *at; /* in text that has been checked */
};

/**
 * Sets a reader to the beginning of a text. Unknown fields are errors.
 *
 * @root       schema of the whole message; errors name it
 * @json       @json_bytes of text, not terminated; json_text_check() must accept it before a value is read
 * @allocator  of the message's memory; NULL: malloc()
 * @reterr     where errors go; may be NULL
 */
void herald_reader_init(struct reader *ret_reader, const struct herald_message_schema *root, const char *json,
                        size_t json_bytes, ProtobufCAllocator *allocator, struct herald_error *reterr);
/** Sets the error of invalid JSON at a field. Returns:  HERALD_INVALID_ARGUMENT (INVALID_JSON) */
enum herald_code herald_reader_fail(const struct reader *reader, const struct herald_path *path, const char *format,
                                    ...) __attribute__((format(printf, 3, 4)));
/**
 * Allocates memory of the message.
 *
 * Returns:  NULL: the message would take too much (PAYLOAD_TOO_COMPLEX in reader->reterr), or the allocator has none
 *           (OUT_OF_MEMORY)
 */
void *herald_reader_alloc(struct reader *reader, size_t bytes);

#endif
