#ifndef HERALD_JSON_TEXT_H
#define HERALD_JSON_TEXT_H

/*
 * JSON text (RFC 8259). It is checked as a whole first. The functions under "walking" then move a cursor over the valid
 * text, so they cannot fail and need no end. Numbers stay text until their type is known, so that none loses a digit.
 */
#include <stdbool.h>
#include <stddef.h>

struct json_problem {
    const char *what;
    size_t line, column; /* from 1; the column in bytes */
};

/**
 * Checks that the text is one JSON value: syntax, UTF-8, escapes, no NUL and no half of a surrogate pair in strings,
 * HERALD_UNPACK_MAX_DEPTH levels of brackets.
 *
 * Returns: false, with @ret_problem set, if it is not
 */
bool json_text_check(const char *json, size_t bytes, struct json_problem *ret_problem);
/**
 * As json_text_check() for an object, but skips its member @name if that is an object. The skipped object ends where
 * json_brackets_end() says; its own reader checks it.
 *
 * @ret_member  where the first skipped object begins; NULL: none; set in any case
 */
bool json_text_check_around(const char *json, size_t bytes, const char *name, const char **ret_member,
                            struct json_problem *ret_problem);
/**
 * Finds the end of the object or array at @at in unchecked text, by its brackets and quotes alone.
 *
 * Returns:  the position behind it; @end if nothing closes it
 */
const char *json_brackets_end(const char *at, const char *end);

/** Where the number that begins at @at ends; NULL if the text before @end is no number. */
const char *json_number_end(const char *at, const char *end);

/* --- walking --- */

/** Skips white space. Returns: the first character of the next value or mark: one of { [ " - 0-9 t f n ] } : , */
char json_peek(const char **at);
/** Skips the mark @mark if it is next. Returns: whether it was */
bool json_take(const char **at, char mark);
/** Most bytes that the string at @at can have when decoded. */
size_t json_string_room(const char *at);
/**
 * Reads a string, decoded and NUL-terminated.
 *
 * @room  size of @to; json_string_room() + 1 is always enough
 * Returns: its bytes without the NUL | @room: it did not fit, and @to holds its beginning
 */
size_t json_take_string(const char **at, char *to, size_t room);
/** Skips a value of any kind. */
void json_skip(const char **at);
/** Counts the items of the array at @at. */
size_t json_count_items(const char *at);
/** The kind of the value at @at, for a sentence: "an array". */
const char *json_kind(const char *at);

/* --- control characters --- */

/**
 * The size of a control character that JSON allows unescaped, though terminals obey it: DEL, and U+0080 to U+009F (0xC2
 * and a byte of the same number).
 *
 * @text  UTF-8, NUL-terminated
 * Returns:  bytes of the character at @text; 0 for any other character
 */
static inline size_t json_control_bytes(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    return at[0] == 0x7F ? 1 : at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0 ? 2 : 0;
}
/** Copies JSON with those characters escaped; only strings can hold them. Free it with free(); NULL: no memory. */
char *json_escape_controls(const char *json);

#endif
