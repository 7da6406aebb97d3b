#include "deploy/replay/replay_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool replay_complain(const struct replay_line *line, const char *format, ...) {
    va_list args;
    fprintf(stderr, "breaker_replay: line %lu: ", line->number);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

bool replay_split(char *text, size_t bytes, struct replay_line *line) {
    line->count = 0;
    if (strlen(text) != bytes) {
        return replay_complain(line, "has a NUL byte; expected text");
    }
    text[strcspn(text, "#")] = '\0';
    char *rest;
    for (char *word = strtok_r(text, " \t\r\n", &rest); word != NULL; word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (line->count == REPLAY_WORDS_MAX) {
            return replay_complain(line, "has more than %d words", REPLAY_WORDS_MAX);
        }
        line->words[line->count++] = word;
    }
    return true;
}

bool replay_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\0') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno != 0 || number < min || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}
