#ifndef HERALD_JOB_JOB_WAITERS_H
#define HERALD_JOB_JOB_WAITERS_H

#include "server/runtime/task.h"

/*
 * The tasks of one loop that wait for a job to change. A wake-up says "look again", nothing more: it may come without a
 * change, and a waiter looks again by itself from time to time.
 */
struct job_waiter {
    struct job_waiter *next, **link;
    struct completion woken;
    char job_id[37];
};

struct job_waiters {
    struct job_waiter *first;
};

void job_waiters_init(struct job_waiters *waiters);
/** Enters a waiter, which the caller owns and removes. */
void job_waiters_add(struct job_waiters *waiters, struct job_waiter *waiter, const char *job_id);
void job_waiters_remove(struct job_waiter *waiter);
/** Wakes those that wait for @job_id; NULL wakes all. Loop's thread. */
void job_waiters_wake(struct job_waiters *waiters, const char *job_id);

#endif
