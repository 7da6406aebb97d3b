#ifndef HERALD_JOB_JOB_WAITERS_H
#define HERALD_JOB_JOB_WAITERS_H

/*
 * The tasks of one loop that wait for a job to change. A wake-up only means "read again": it may come without a change,
 * and each waiter reads again by itself from time to time.
 */

#include "server/runtime/task.h"

struct job_waiter {
    struct job_waiter *next, **link;
    struct completion woken;
    char job_id[37];
};

struct job_waiters {
    struct job_waiter *first;
};

void job_waiters_init(struct job_waiters *waiters);
/** Adds a waiter. The caller owns it and removes it. */
void job_waiters_add(struct job_waiters *waiters, struct job_waiter *waiter, const char *job_id);
void job_waiters_remove(struct job_waiter *waiter);
/** Wakes the waiters of @job_id; NULL wakes all. Loop's thread. */
void job_waiters_wake(struct job_waiters *waiters, const char *job_id);

#endif
