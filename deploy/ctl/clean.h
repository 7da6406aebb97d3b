#ifndef HERALD_CTL_CLEAN_H
#define HERALD_CTL_CLEAN_H

#include <jansson.h>
#include <stdio.h>

/**
 * Replaces the control characters of untrusted UTF-8 text by spaces, in place, because terminals obey them: U+0000 to
 * U+001F, DEL, and U+0080 to U+009F.
 *
 * Returns: @text
 */
char *clean_text(char *text);
/**
 * Makes text of JSON and escapes all control characters, also DEL and U+0080 to U+009F, which JSON allows unescaped.
 *
 * @flags  of json_dumps()
 * Returns: free it with free() | NULL: no memory
 */
char *clean_json(const json_t *json, size_t flags);
/** Prints the text of clean_json() and a newline. */
void clean_print_json(FILE *out, const json_t *json, size_t flags);

#endif
