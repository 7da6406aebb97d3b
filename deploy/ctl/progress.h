#ifndef HERALD_CTL_PROGRESS_H
#define HERALD_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** A state that changes: one line in place on a terminal, a line for each change elsewhere. */
struct progress {
    FILE *out;
    bool terminal;
    bool silent;       /* with JSON output nothing is shown here */
    uint64_t start_us; /* on the monotonic clock */
    char last[512];
};

void progress_init(struct progress *progress, FILE *out, bool silent);
/** Shows the time since the beginning, and a state. A state that has not changed is shown again on a terminal only. */
void progress_show(struct progress *progress, const char *state);
/** Shows the time and a text in a line that stays, above the state. */
void progress_tell(struct progress *progress, const char *text);
/** Ends the line on a terminal. */
void progress_end(struct progress *progress);
/** Seconds since the beginning. */
double progress_seconds(const struct progress *progress);

#endif
