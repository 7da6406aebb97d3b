#ifndef HERALD_TEXT_POST_TEXT_H
#define HERALD_TEXT_POST_TEXT_H

/* The one form of a text that people wrote: in NFC, and without what cannot be seen. */

#include "herald/error.h"

#include <stdbool.h>

enum text_kind {
    TEXT_LINE,      /* one line: a line break or a tab becomes a space */
    TEXT_PARAGRAPHS /* line breaks are LF; tabs stay */
};

/** Whether @text is printable ASCII without spaces at its ends: clean of either kind, so that no copy is needed. */
bool post_text_is_plain(const char *text);
/**
 * Cleans a text by rule; the meaning stays.
 *
 * The result is in NFC. Gone are: control characters, bidi controls, zero-width and all other default-ignorable
 * characters, soft hyphens, noncharacters, private use, object replacements, and spaces at both ends (also the empty
 * Braille pattern). Kept are those that a script or an emoji needs: ZWJ and variation selectors in emoji and keycaps,
 * the tags of a flag, ZWJ and ZWNJ in scripts that join letters, variation selectors after ideographs and Mongolian
 * letters. Cleaning a clean text changes nothing. A text of invisible characters alone becomes "".
 *
 * @text      valid UTF-8
 * @ret_text  set only on HERALD_OK; from malloc, free it with free()
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_UTF8) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:   any thread; time and memory grow with the length of the text
 */
enum herald_code post_text_clean(const char *text, enum text_kind kind, char **ret_text, struct herald_error *reterr);

#endif
