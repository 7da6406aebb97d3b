/*
 * WaitJob: a long poll. The waiter is added before the job is read, so no change between the two is missed. A change on
 * any server wakes it through Redis. In case Redis is unavailable, one of the waiters of a job also reads it every
 * second, and wakes the others when it has changed: however many wait for one job, they cost one read.
 */
#include "client/base/minimum.h"
#include "server/job/job_service.h"
#include "server/job/job_view.h"

#define DEFAULT_WAIT_MS 30000
#define LOOK_EVERY_US   1000000u
#define REPLY_MARGIN_MS 250 /* longest part of the call's time that is kept for the reply */

/* The end of the wait, on clock_now_us(). */
static uint64_t wait_end_us(const Herald__Job__V1__WaitJobRequest *request) {
    uint32_t wait_ms = request->wait_ms ? request->wait_ms : DEFAULT_WAIT_MS;
    uint32_t remaining_ms = call_remaining_ms();
    uint32_t margin_ms = herald_min_u32(remaining_ms / 4, REPLY_MARGIN_MS);
    uint32_t most_ms = remaining_ms - margin_ms;
    return clock_now_us() + (uint64_t)herald_min_u32(wait_ms, most_ms) * 1000;
}

/* Waits until the job is to be read again: after a wake-up, for a look, or at the end. @ret_look: for a look. */
TASK_FN static enum herald_code wait_for_read(struct job_service *service, struct job_waiter *waiter, uint64_t end_us,
                                              bool *ret_look) {
    bool woken = false;
    for (*ret_look = false; !woken && !*ret_look && clock_now_us() < end_us;) {
        uint64_t now_us = clock_now_us();
        uint64_t until_us = herald_min_u64(end_us, waiter->looked_us + LOOK_EVERY_US);
        uint32_t left_ms = until_us > now_us ? (uint32_t)((until_us - now_us + 999) / 1000) : 0;
        woken = completion_wait_for(&waiter->woken, left_ms, NULL) == HERALD_OK;
        completion_init(&waiter->woken);
        waiter->woken.what = "a change of the job";
        enum herald_code code = call_check(NULL);
        if (code != HERALD_OK) {
            return code;
        }
        *ret_look = !woken && job_waiters_take_look(&service->waiters, waiter, LOOK_EVERY_US);
    }
    return HERALD_OK;
}

TASK_FN static enum herald_code wait_for_change(struct job_service *service,
                                                const Herald__Job__V1__WaitJobRequest *request,
                                                struct job_waiter *waiter, Herald__Job__V1__WaitJobResponse *response,
                                                struct herald_error *reterr) {
    uint64_t end_us = wait_end_us(request);
    for (bool look = false;;) {
        enum herald_code code = job_view_read(service, request->job_id, &response->job, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        waiter->seen_version = response->job->version;
        if (look) {
            job_waiters_tell(&service->waiters, waiter, response->job->version);
        }
        response->changed = response->job->version > request->version;
        if (response->changed || clock_now_us() >= end_us) {
            return HERALD_OK;
        }
        if (wait_for_read(service, waiter, end_us, &look) != HERALD_OK) {
            return call_check(reterr);
        }
    }
}

TASK_FN enum herald_code job_wait_job(void *self, const Herald__Job__V1__WaitJobRequest *request,
                                      Herald__Job__V1__WaitJobResponse *response, struct herald_error *reterr) {
    struct job_service *service = self;
    struct job_waiter waiter;
    call_current()->waits_on_purpose = true;
    job_waiters_add(&service->waiters, &waiter, request->job_id);
    enum herald_code code = wait_for_change(service, request, &waiter, response, reterr);
    job_waiters_remove(&waiter);
    return code;
}
