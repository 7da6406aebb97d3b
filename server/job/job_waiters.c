#include "server/job/job_waiters.h"

#include "server/runtime/call.h"

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
    waiter->looked_us = clock_now_us();
    waiter->seen_version = 0;
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

bool job_waiters_take_look(struct job_waiters *waiters, struct job_waiter *looker, uint64_t every_us) {
    uint64_t now_us = clock_now_us();
    if (now_us < looker->looked_us + every_us) {
        return false;
    }
    for (struct job_waiter *waiter = waiters->first; waiter; waiter = waiter->next) {
        if (strcasecmp(waiter->job_id, looker->job_id) == 0) {
            waiter->looked_us = now_us;
        }
    }
    return true;
}

void job_waiters_tell(struct job_waiters *waiters, struct job_waiter *looker, uint64_t version) {
    for (struct job_waiter *waiter = waiters->first; waiter; waiter = waiter->next) {
        if (waiter != looker && waiter->seen_version != version && strcasecmp(waiter->job_id, looker->job_id) == 0) {
            completion_complete(&waiter->woken);
        }
    }
}
