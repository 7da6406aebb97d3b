#ifndef HERALD_CONTENT_BACKOFF_H
#define HERALD_CONTENT_BACKOFF_H

#include "server/runtime/task.h"

#include <stdint.h>
#include <stdlib.h>

/* Pauses between attempts: doubling from 100 ms to 5 s, each shortened at random by up to a half. */
struct backoff {
    uint32_t next_ms;
};

/** Returns: HERALD_OK | why the call has to end. */
TASK_FN static inline enum herald_code backoff_wait(struct backoff *backoff, struct herald_error *reterr) {
    uint32_t pause_ms = backoff->next_ms != 0 ? backoff->next_ms : 100;
    backoff->next_ms = pause_ms < 2500 ? pause_ms * 2 : 5000;
    return task_sleep(pause_ms / 2 + (uint32_t)random() % (pause_ms / 2 + 1), reterr);
}

#endif
