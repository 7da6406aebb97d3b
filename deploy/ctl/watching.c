#include "deploy/ctl/watching.h"

#include "deploy/ctl/clean.h"
#include "deploy/ctl/report.h"

#include <stdio.h>
#include <time.h>

#define RETRY_PAUSE_MS  500
#define GIVE_UP_AFTER_S 30

void watch_init(struct watch *watch, struct ctl *ctl) {
    *watch = (struct watch){.ctl = ctl, .failing_since_s = -1};
    progress_init(&watch->progress, stdout, ctl->arguments->format == CTL_JSON);
}

void watch_pause(unsigned milliseconds) {
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

static bool may_pass(const struct herald_reply *reply) {
    if (report_status(reply) == CTL_USAGE) {
        return false; /* the call cannot be sent, now or later */
    }
    return reply->outcome != HERALD_EXECUTED || herald_code_retry((int)reply->error.code) != HERALD_RETRY_NEVER ||
           reply->error.code == HERALD_DEADLINE_EXCEEDED;
}

bool watch_failed(struct watch *watch, const char *what, const struct herald_reply *reply, int *ret_status) {
    double now = progress_seconds(&watch->progress);
    if (watch->failing_since_s < 0) {
        watch->failing_since_s = now;
    }
    if (may_pass(reply) && now - watch->failing_since_s < GIVE_UP_AFTER_S) {
        char line[160];
        snprintf(line, sizeof(line), "waiting for the server: %s (%s)", herald_code_name((int)reply->error.code),
                 reply->error.reason);
        progress_show(&watch->progress, clean_text(line));
        watch_pause(RETRY_PAUSE_MS);
        return true;
    }
    progress_end(&watch->progress);
    report_reply(stderr, watch->ctl->arguments->format, what, reply);
    *ret_status = (int)report_status(reply);
    return false;
}

void watch_answered(struct watch *watch) {
    watch->failing_since_s = -1;
}

bool watch_over(struct watch *watch) {
    uint32_t timeout_ms = watch->ctl->arguments->timeout_ms;
    if (timeout_ms == 0 || progress_seconds(&watch->progress) * 1000 < timeout_ms) {
        return false;
    }
    progress_end(&watch->progress);
    fprintf(stderr, "heraldctl: watch: not finished after %u ms\n", (unsigned)timeout_ms);
    return true;
}
