#ifndef HERALD_CTL_CLEAN_H
#define HERALD_CTL_CLEAN_H

#include <jansson.h>
#include <stdio.h>

/** Puts spaces, in place, where UTF-8 text of somebody else has what a terminal would obey: control characters, also
 *  those from U+0080 to U+009F. Returns @text. */
char *clean_text(char *text);
/** JSON as text, with those characters escaped that a terminal would obey: also DEL and U+0080 to U+009F, which JSON
 * allows raw. @flags  of json_dumps(). Free it with free(); NULL without memory. */
char *clean_json(const json_t *json, size_t flags);
/** Prints it, and a newline. */
void clean_print_json(FILE *out, const json_t *json, size_t flags);

#endif
