#ifndef HERALD_CTL_WATCHING_H
#define HERALD_CTL_WATCHING_H

/* The parts that both kinds of watch share. They only read, so a call without an answer is simply repeated. */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/progress.h"
#include "herald/client.h"

#include <stdbool.h>

struct watch {
    struct ctl *ctl;
    struct progress progress;
    double failing_since_s; /* below 0: the last call was answered */
};

void watch_init(struct watch *watch, struct ctl *ctl);
/**
 * Handles a failed call: shows that the server is unreachable and pauses, or reports the error.
 *
 * Returns: whether to go on; if not, *ret_status is the exit status
 */
bool watch_failed(struct watch *watch, const char *what, const struct herald_reply *reply, int *ret_status);
/** Call it after each call that was answered. */
void watch_answered(struct watch *watch);
/** Whether --timeout is over; prints that it is. */
bool watch_over(struct watch *watch);
void watch_pause(unsigned milliseconds);

#endif
