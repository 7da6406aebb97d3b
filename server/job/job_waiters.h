#ifndef HERALD_JOB_JOB_WAITERS_H
#define HERALD_JOB_JOB_WAITERS_H

/*
 * The tasks of one loop that wait for a job to change. A wake-up only means "read again": it may come without a change.
 * As wake-ups may be lost, jobs are also looked at from time to time: each job by one of its waiters, for all of them.
 */

#include "server/runtime/task.h"

struct job_waiter {
    struct job_waiter *next, **link;
    struct completion woken;
    uint64_t looked_us;    /* when a waiter of the job last read it, on clock_now_us() */
    uint64_t seen_version; /* of the job, when this waiter last read it */
    char job_id[37];
};

struct job_waiters {
    struct job_waiter *first;
};

void job_waiters_init(struct job_waiters *waiters);
/** Adds a waiter, which reads the job at once. The caller owns it and removes it. */
void job_waiters_add(struct job_waiters *waiters, struct job_waiter *waiter, const char *job_id);
void job_waiters_remove(struct job_waiter *waiter);
/** Wakes the waiters of @job_id; NULL wakes all. Loop's thread. */
void job_waiters_wake(struct job_waiters *waiters, const char *job_id);
/** True when the last look at the waiter's job is @every_us old: it is to read the job now, and the others wait on. */
bool job_waiters_take_look(struct job_waiters *waiters, struct job_waiter *looker, uint64_t every_us);
/** What a look has found: wakes the waiters of the looker's job that have seen another version of it. Loop's thread. */
void job_waiters_tell(struct job_waiters *waiters, struct job_waiter *looker, uint64_t version);

#endif
