#ifndef HERALD_CTL_INPUT_H
#define HERALD_CTL_INPUT_H

#include "herald/error.h"

#include <stddef.h>

/** Most bytes of a request's JSON. */
#define INPUT_MAX_BYTES (4u * 1024u * 1024u)

/**
 * Reads what --data says: JSON, "@FILE" or "-" for standard input.
 *
 * @data      NULL: an empty object
 * @ret_text  set only on success; free it with free()
 * Returns:  HERALD_OK | HERALD_NOT_FOUND, HERALD_INVALID_ARGUMENT (the file cannot be read, too long)
 */
enum herald_code input_read(const char *data, char **ret_text, size_t *ret_bytes, struct herald_error *reterr);

#endif
