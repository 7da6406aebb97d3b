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

#endif
