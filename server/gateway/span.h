#ifndef HERALD_GATEWAY_SPAN_H
#define HERALD_GATEWAY_SPAN_H

/* A piece of text inside a larger one; not terminated. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at; /* NULL: there is none; an empty one is not NULL */
    size_t bytes;
};

static inline struct span span_of(const char *text) {
    return (struct span){text, strlen(text)};
}
static inline bool span_is(struct span span, const char *text) {
    return strlen(text) == span.bytes && memcmp(span.at, text, span.bytes) == 0;
}
/** As span_is(), with ASCII letters of either case equal. */
static inline bool span_is_word(struct span span, const char *text) {
    return strlen(text) == span.bytes && strncasecmp(span.at, text, span.bytes) == 0;
}
/** How many bytes at the beginning are of @set. */
static inline size_t span_run_of(struct span span, const char *set) {
    size_t bytes = 0;
    while (bytes < span.bytes && span.at[bytes] != '\0' && strchr(set, span.at[bytes]) != NULL) {
        bytes++;
    }
    return bytes;
}
/** Takes the blanks and tabs at both ends away. */
static inline struct span span_trim(struct span span) {
    while (span.bytes > 0 && (*span.at == ' ' || *span.at == '\t')) {
        span.at++;
        span.bytes--;
    }
    while (span.bytes > 0 && (span.at[span.bytes - 1] == ' ' || span.at[span.bytes - 1] == '\t')) {
        span.bytes--;
    }
    return span;
}
/**
 * Takes the part before the next @mark off a text.
 *
 * @rest     becomes what follows the mark; its `at` becomes NULL after the last part
 * Returns:  false: nothing was left
 */
static inline bool span_next(struct span *rest, char mark, struct span *ret_part) {
    if (rest->at == NULL) {
        return false;
    }
    const char *end = memchr(rest->at, mark, rest->bytes);
    *ret_part = (struct span){rest->at, end != NULL ? (size_t)(end - rest->at) : rest->bytes};
    *rest = end != NULL ? (struct span){end + 1, rest->bytes - ret_part->bytes - 1} : (struct span){NULL, 0};
    return true;
}

#endif
