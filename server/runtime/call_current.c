/* The call of the running task. call.c has the functions of a call that need no task. */
#include "server/runtime/call.h"
#include "server/runtime/loop_private.h"

#include <assert.h>

void call_fini(struct call *call) {
    struct task *task = task_current();
    if (task != NULL && task->call == call) {
        task_leave_call(task);
    }
    assert(call->tasks == NULL);
    arena_fini(&call->arena);
}

struct call *call_current(void) {
    struct task *task = task_current();
    return task == NULL ? NULL : task->call;
}

struct arena *call_arena(void) {
    struct call *call = call_current();
    assert(call != NULL);
    return &call->arena;
}

uint32_t call_remaining_ms(void) {
    const struct call *call = call_current();
    if (call == NULL || call->deadline_us == 0) {
        return UINT32_MAX;
    }
    uint64_t now_us = clock_now_us();
    if (now_us >= call->deadline_us) {
        return 0;
    }
    uint64_t remaining_ms = (call->deadline_us - now_us - 1) / 1000 + 1;
    return remaining_ms < UINT32_MAX ? (uint32_t)remaining_ms : UINT32_MAX;
}

void call_note_effect(void) {
    struct call *call = call_current();
    if (call != NULL) {
        call->has_effect = true;
    }
}

enum herald_code call_check(struct herald_error *reterr) {
    return call_check_of(call_current(), reterr);
}
