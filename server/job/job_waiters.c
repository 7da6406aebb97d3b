#include "server/job/job_waiters.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

void job_waiters_init(struct job_waiters *waiters) {
    waiters->first = NULL;
}

void job_waiters_add(struct job_waiters *waiters, struct job_waiter *waiter, const char *job_id) {
    completion_init(&waiter->woken);
    waiter->woken.what = "a change of the job";
    strncpy(waiter->job_id, job_id, sizeof(waiter->job_id) - 1);
    waiter->job_id[sizeof(waiter->job_id) - 1] = '\0';
    waiter->next = waiters->first;
    waiter->link = &waiters->first;
    if (waiter->next) {
        waiter->next->link = &waiter->next;
    }
    waiters->first = waiter;
}

void job_waiters_remove(struct job_waiter *waiter) {
    *waiter->link = waiter->next;
    if (waiter->next) {
        waiter->next->link = waiter->link;
    }
}

void job_waiters_wake(struct job_waiters *waiters, const char *job_id) {
    for (struct job_waiter *waiter = waiters->first; waiter; waiter = waiter->next) {
        if (!job_id || strcasecmp(waiter->job_id, job_id) == 0) {
            completion_complete(&waiter->woken);
        }
    }
}
