#ifndef HERALD_CONTENT_BACKOFF_H
#define HERALD_CONTENT_BACKOFF_H

#include "client/base/backoff.h"
#include "server/runtime/task.h"

/** The pauses between attempts at a job, a report or a dead letter: initialises a struct herald_backoff. */
#define CONTENT_BACKOFF {.min_ms = 200, .max_ms = 5000}

/** Pauses after a failure. Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end. */
TASK_FN static inline enum herald_code backoff_wait(struct herald_backoff *backoff, struct herald_error *reterr) {
    return task_sleep(herald_backoff_failed(backoff), reterr);
}

#endif
