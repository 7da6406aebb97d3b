#ifndef HERALD_UTF8_H
#define HERALD_UTF8_H

#include "herald/decls.h"

#include <stdbool.h>
#include <stddef.h>

HERALD_BEGIN_DECLS

/**
 * Checks UTF-8 as RFC 3629 defines it: no over-long forms, no surrogates, nothing above U+10FFFF. NUL is valid.
 *
 * @ret_chars  number of code points when valid; may be NULL
 * Returns: true if all of it is valid
 */
bool herald_utf8_valid(const char *text, size_t text_bytes, size_t *ret_chars);
/** Longest prefix of at most @max_bytes of a valid text that ends at a character boundary. */
size_t herald_utf8_cut(const char *text, size_t text_bytes, size_t max_bytes);

HERALD_END_DECLS

#endif
