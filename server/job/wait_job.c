/*
 * WaitJob: a long poll. The waiter is added before the job is read, so no change between the two is missed. A change on
 * any server wakes it through Redis. It also reads every second, in case Redis is unavailable.
 */
#include "client/base/minimum.h"
#include "server/job/job_service.h"
#include "server/job/job_view.h"

#define DEFAULT_WAIT_MS 30000
#define LOOK_EVERY_MS   1000
#define REPLY_MARGIN_MS 250 /* longest part of the call's time that is kept for the reply */

/* The end of the wait, on clock_now_us(). */
static uint64_t wait_end_us(const Herald__Job__V1__WaitJobRequest *request) {
    uint32_t wait_ms = request->wait_ms ? request->wait_ms : DEFAULT_WAIT_MS;
    uint32_t remaining_ms = call_remaining_ms();
    uint32_t margin_ms = herald_min_u32(remaining_ms / 4, REPLY_MARGIN_MS);
    uint32_t most_ms = remaining_ms - margin_ms;
    return clock_now_us() + (uint64_t)herald_min_u32(wait_ms, most_ms) * 1000;
}

/* Waits for a wake-up, at most until the next read is due. */
TASK_FN static enum herald_code wait_for_wake(struct job_waiter *waiter, uint64_t end_us) {
    uint64_t now_us = clock_now_us();
    uint64_t left_ms = end_us > now_us ? (end_us - now_us + 999) / 1000 : 0;
    (void)completion_wait_for(&waiter->woken, (uint32_t)herald_min_u64(left_ms, LOOK_EVERY_MS), NULL);
    completion_init(&waiter->woken);
    waiter->woken.what = "a change of the job";
    return call_check(NULL);
}

TASK_FN static enum herald_code wait_for_change(struct job_service *service,
                                                const Herald__Job__V1__WaitJobRequest *request,
                                                struct job_waiter *waiter, Herald__Job__V1__WaitJobResponse *response,
                                                struct herald_error *reterr) {
    uint64_t end_us = wait_end_us(request);
    for (;;) {
        enum herald_code code = job_view_read(service, request->job_id, &response->job, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        response->changed = response->job->version > request->version;
        if (response->changed || clock_now_us() >= end_us) {
            return HERALD_OK;
        }
        code = wait_for_wake(waiter, end_us);
        if (code != HERALD_OK) {
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
