#ifndef HERALD_JSON_BASE64_H
#define HERALD_JSON_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Characters of base64 for @bytes bytes, padding included, without a terminator. */
size_t herald_base64_chars(size_t bytes);
/** Writes standard base64 with padding; not terminated. */
void herald_base64_write(const uint8_t *data, size_t bytes, char *ret_text);
/**
 * Reads standard or URL-safe base64, padded or not.
 *
 * @ret_data  at least 3 * (chars / 4) + 2 bytes; may be partly written on failure
 * Returns: true if @text is base64
 */
bool herald_base64_read(const char *text, size_t chars, uint8_t *ret_data, size_t *ret_bytes);

#endif
