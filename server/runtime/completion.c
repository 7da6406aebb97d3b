/*
 * Invariant: a wait returns an error only if the completion was not done at that moment. So the waiter knows whether it
 * must abandon the operation or may use its result.
 */
#include "client/base/minimum.h"
#include "server/runtime/loop_private.h"

#include <assert.h>

void completion_init(struct completion *completion) {
    *completion = (struct completion){0};
}

void completion_complete(struct completion *completion) {
    if (completion->done) {
        return;
    }
    completion->done = true;
    if (completion->waiter != NULL) {
        assert(completion->waiter->loop == loop_current());
        task_wake(completion->waiter);
    }
}

static const char *name_of_wait(const struct completion *completion) {
    return completion->what != NULL ? completion->what : "a completion";
}

static uint64_t earlier(uint64_t a_us, uint64_t b_us) {
    if (a_us == 0 || b_us == 0) {
        return a_us | b_us;
    }
    return herald_min_u64(a_us, b_us);
}

/* HERALD_OK while the wait may go on. @limit_us  the wait's own limit; 0: none */
static enum herald_code check_wait(const struct completion *completion, const struct call *call, uint64_t limit_us,
                                   struct herald_error *reterr) {
    enum herald_code code = call_check_of(call, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (limit_us != 0 && clock_now_us() >= limit_us) {
        return herald_error_set(reterr, HERALD_REASON_WAIT_TIMEOUT, "waited too long for %s", name_of_wait(completion));
    }
    return HERALD_OK;
}

TASK_FN static enum herald_code wait_until(struct completion *completion, uint64_t limit_us,
                                           struct herald_error *reterr) {
    struct task *task = task_current();
    assert(task != NULL && completion->waiter == NULL);
    enum herald_code code = HERALD_OK;
    completion->waiter = task;
    while (!completion->done && (code = check_wait(completion, task->call, limit_us, reterr)) == HERALD_OK) {
        task_suspend(name_of_wait(completion), earlier(limit_us, task_deadline_us(task)), true);
    }
    completion->waiter = NULL;
    return code;
}

enum herald_code completion_wait(struct completion *completion, struct herald_error *reterr) {
    if (completion->done) {
        return HERALD_OK;
    }
    return wait_until(completion, 0, reterr);
}

enum herald_code completion_wait_for(struct completion *completion, uint32_t timeout_ms, struct herald_error *reterr) {
    if (completion->done) {
        return HERALD_OK;
    }
    return wait_until(completion, clock_now_us() + (uint64_t)timeout_ms * 1000, reterr);
}

void completion_wait_always(struct completion *completion) {
    struct task *task = task_current();
    assert(task != NULL && completion->waiter == NULL);
    completion->waiter = task;
    while (!completion->done) {
        task_suspend(name_of_wait(completion), 0, false);
    }
    completion->waiter = NULL;
}
