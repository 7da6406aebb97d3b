#ifndef HERALD_CTL_INPUT_H
#define HERALD_CTL_INPUT_H

#include "herald/error.h"
#include "herald/schema.h"

#include <stddef.h>
#include <stdio.h>

/** Most bytes of a request's JSON. */
#define INPUT_MAX_BYTES (4u * 1024u * 1024u)

/**
 * Reads the value of --data: JSON, "@FILE" or "-" for standard input.
 *
 * @data      NULL: an empty object
 * @ret_text  set only on success; free it with free()
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (INPUT_NOT_FOUND) | HERALD_INVALID_ARGUMENT (UNREADABLE, TOO_LONG)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code input_read(const char *data, char **ret_text, size_t *ret_bytes, struct herald_error *reterr);

/**
 * Reads the value of --data as a message of a type.
 *
 * @ret_message  set only on success; free it with protobuf_c_message_free_unpacked()
 * Returns:  as input_read() and herald_json_read()
 */
enum herald_code input_read_message(const char *data, const struct herald_message_schema *schema,
                                    ProtobufCMessage **ret_message, struct herald_error *reterr);

/**
 * Reads a stream to its end.
 *
 * @name      of the stream, for the error
 * @ret_text  NUL-terminated; set only on success; free it with free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (UNREADABLE; TOO_LONG: longer than @max_bytes)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code input_read_stream(FILE *file, const char *name, size_t max_bytes, char **ret_text, size_t *ret_bytes,
                                   struct herald_error *reterr);

#endif
