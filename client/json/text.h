#ifndef HERALD_JSON_TEXT_H
#define HERALD_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * JSON text (RFC 8259). It is checked as a whole first; the functions under "walking" then move a cursor over text that
 * is known to be in order, so they cannot fail and need no end. Numbers stay text until their type is known, so that
 * none loses a digit.
 */

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
 * As json_text_check() of an object; but where its member @name is an object, that one is passed over, to where its
 * brackets and quotes say that it ends: what is wrong in it is for its own reader to find.
 *
 * @ret_member  where the first such object begins; NULL if none was met; set in any case
 */
bool json_text_check_around(const char *json, size_t bytes, const char *name, const char **ret_member,
                            struct json_problem *ret_problem);
/** Where the object or array at @at, of text that was not checked, ends by its brackets and quotes alone; @end if
 * nothing closes it. */
const char *json_brackets_end(const char *at, const char *end);

/** Where the number that starts at @at ends; NULL if none does before @end. */
const char *json_number_end(const char *at, const char *end);

/* --- walking --- */

/** Moves to the next value or mark and returns its first character: one of {[" -0123456789tfn ]}:, */
char json_peek(const char **at);
/** Takes the mark @mark if it is next. */
bool json_take(const char **at, char mark);
/** Bytes that the string at @at has at most. */
size_t json_string_room(const char *at);
/**
 * Takes a string, decoded and NUL-terminated.
 *
 * @room  bytes of @to; json_string_room() + 1 hold all of it
 * Returns: bytes without the NUL; or, if there was no room, @room, and @to holds its beginning
 */
size_t json_take_string(const char **at, char *to, size_t room);
/** Takes a value, whatever it is. */
void json_skip(const char **at);
/** Items of the array at @at. */
size_t json_count_items(const char *at);
/** What the value at @at is, for a sentence: "an array". */
const char *json_kind(const char *at);

/* --- what terminals obey --- */

/** Bytes of the character at @text, UTF-8 that ends in NUL, if JSON allows it raw and yet a terminal obeys it: DEL, and
 *  U+0080 to U+009F, whose number is that of its last byte. 0 for any other. */
static inline size_t json_control_bytes(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    return at[0] == 0x7F ? 1 : at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0 ? 2 : 0;
}
/** The same JSON with those characters escaped, which only its strings can hold. Free it with free(); NULL without
 *  memory. */
char *json_escape_controls(const char *json);

#endif
