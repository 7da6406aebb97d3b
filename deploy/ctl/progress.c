#include "deploy/ctl/progress.h"

#include "client/base/clock.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80

void progress_init(struct progress *progress, FILE *out, bool silent) {
    *progress = (struct progress){
        .out = out, .terminal = isatty(fileno(out)) == 1, .silent = silent, .start_us = herald_monotonic_us()};
}

double progress_seconds(const struct progress *progress) {
    return (double)(herald_monotonic_us() - progress->start_us) / 1e6;
}

/* Columns for a line. It must not wrap, because only its last row could be overwritten. States are ASCII. */
static int terminal_columns(FILE *out) {
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 20) {
        return DEFAULT_COLUMNS;
    }
    return size.ws_col;
}

void progress_show(struct progress *progress, const char *state) {
    bool changed = strcmp(progress->last, state) != 0;
    if (progress->silent || (!progress->terminal && !changed)) {
        return;
    }
    snprintf(progress->last, sizeof(progress->last), "%s", state);
    double seconds = progress_seconds(progress);
    if (progress->terminal) {
        fprintf(progress->out, "\r%7.1f s  %.*s\033[K", seconds, terminal_columns(progress->out) - 12, state);
    } else {
        fprintf(progress->out, "%7.1f s  %s\n", seconds, state);
    }
    fflush(progress->out);
}

void progress_tell(struct progress *progress, const char *text) {
    if (!progress->silent) {
        fprintf(progress->out, "%s%7.1f s  %s\n", progress->terminal ? "\r\033[K" : "", progress_seconds(progress),
                text);
        fflush(progress->out);
    }
}

void progress_end(struct progress *progress) {
    if (progress->terminal && !progress->silent && progress->last[0] != '\0') {
        fputc('\n', progress->out);
    }
    fflush(progress->out);
}
