#ifndef HERALD_DISTRIBUTION_WATCH_H
#define HERALD_DISTRIBUTION_WATCH_H

/*
 * Those who wait for a distribution's next change, on one loop. Changes that this loop stores are told at once. Changes
 * of other loops and processes are read now and then, of all events that are waited for in one statement (look.h).
 */
#include "herald/error.h"
#include "server/runtime/task.h"

#include <stdatomic.h>
#include <stdint.h>

#define WATCH_BUCKETS 8192u /* a watcher lies on its task's stack: a long chain is slow to walk */

struct watcher {
    struct watcher *next, **link;
    const char *event_id;
    uint64_t version; /* the last one that it knows, then the one that woke it */
    struct completion changed;
};

struct watch {
    struct watcher *buckets[WATCH_BUCKETS];
    size_t count;
    size_t next_bucket;    /* where watch_list() goes on */
    atomic_uint *watching; /* of the process */
};

/** @watching  counts those who wait on all loops; outlives the watch */
void watch_init(struct watch *watch, atomic_uint *watching);
/**
 * Waits until the distribution's version is greater than @version.
 *
 * Returns: HERALD_OK: it has changed | HERALD_DEADLINE_EXCEEDED (WAIT_TIMEOUT): not within @ms | as call_check()
 * Context: suspends the task
 */
TASK_FN enum herald_code watch_wait(struct watch *watch, const char *event_id, uint64_t version, uint32_t ms,
                                    struct herald_error *reterr);
/** Tells that a distribution has a version. The loop's thread. */
void watch_tell(struct watch *watch, const char *event_id, uint64_t version);
/**
 * Lists events that are waited for, each at least once. When there are more than @most, the next call goes on where this
 * one ends, so that each has its turn.
 *
 * Returns: how many, at most @most
 */
size_t watch_list(struct watch *watch, const char **ret_event_ids, size_t most);

#endif
