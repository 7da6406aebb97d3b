#ifndef HERALD_TEXT_TEXT_COUNT_H
#define HERALD_TEXT_TEXT_COUNT_H

/*
 * Lengths of texts in the units in which channels count them, and what stands in a text. All texts are valid UTF-8.
 * Pure; any thread.
 */

#include <stddef.h>

enum text_unit {
    TEXT_CODE_POINTS, /* characters of Unicode */
    TEXT_UTF16,       /* units of UTF-16, as JavaScript and Java count: an emoji is 2 or more */
    TEXT_BYTES,       /* bytes of UTF-8 */
    TEXT_GRAPHEMES    /* what people see as one character (UAX 29, extended) */
};

/** Length of @text in @unit. */
size_t text_count(const char *text, enum text_unit unit);
/** Bytes of the longest beginning of @text that has at most @max of @unit and ends between two graphemes. */
size_t text_cut(const char *text, size_t max, enum text_unit unit);

/** '#' (or the wide one) with letters, digits, '_' or emoji behind it and no word before it. */
size_t text_count_hashtags(const char *text);
/** '@' with a name of ASCII letters, digits, '_' or '.' behind it; the '@' of an e-mail address is none. */
size_t text_count_mentions(const char *text);

/** Leaves of @word, in place, what a hashtag can hold behind its '#': letters, marks, digits, '_' and emoji. */
void text_keep_hashtag(char *word);

#endif
