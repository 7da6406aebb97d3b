#ifndef HERALD_REPLAY_REPLAY_LINE_H
#define HERALD_REPLAY_REPLAY_LINE_H

/* One line of the input, in words, and complaints about it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_WORDS_MAX 32
/** The greatest time and duration, ms: integers up to here are exact everywhere. */
#define REPLAY_MS_MAX 9007199254740991u

struct replay_line {
    unsigned long number; /* from 1 */
    unsigned count;       /* 0: blank, or a comment alone */
    char *words[REPLAY_WORDS_MAX];
};

/** Says on stderr what is wrong with a line. Returns: false */
bool replay_complain(const struct replay_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/**
 * Splits a line into words, at blanks; "#" begins a comment.
 *
 * @text   changed; @line refers to it
 * @bytes  of @text, so that a NUL byte is seen
 * Returns: false: it was complained about
 */
bool replay_split(char *text, size_t bytes, struct replay_line *line);
/** Reads a whole number of digits alone. Returns: false: it is none, or not in @min..@max */
bool replay_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number);

#endif
