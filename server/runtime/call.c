#include "server/runtime/call.h"

#include "client/base/minimum.h"
#include "herald/uuid.h"
#include "server/runtime/loop_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void call_init(struct call *call, const char *method, const char *id, uint32_t timeout_ms, size_t arena_cap_bytes) {
    memset(call, 0, sizeof(*call));
    arena_init(&call->arena, arena_cap_bytes);
    call->method = method;
    if (timeout_ms != 0) {
        call->deadline_us = clock_now_us() + (uint64_t)timeout_ms * 1000;
    }
    if (id == NULL) {
        herald_uuid7(call->id);
    } else {
        (void)snprintf(call->id, sizeof(call->id), "%s", id);
    }
}

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
    return (uint32_t)herald_min_u64(remaining_ms, UINT32_MAX);
}

static enum herald_code end_by_deadline(const struct call *call, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_DEADLINE_EXCEEDED, "the deadline of %s has passed",
                            call->method == NULL ? "the call" : call->method);
}

enum herald_code call_check_of(const struct call *call, struct herald_error *reterr) {
    if (call == NULL) {
        return HERALD_OK;
    }
    if (call->end_code == HERALD_DEADLINE_EXCEEDED) {
        return end_by_deadline(call, reterr);
    }
    if (call->end_code != HERALD_OK) {
        return herald_error_set_code(reterr, call->end_code, herald_reason_name(HERALD_REASON_CANCELLED),
                                     "%s was ended: %s", call->method == NULL ? "the call" : call->method,
                                     herald_code_text((int)call->end_code));
    }
    if (call->deadline_us != 0 && clock_now_us() >= call->deadline_us) {
        return end_by_deadline(call, reterr);
    }
    return HERALD_OK;
}

enum herald_code call_check(struct herald_error *reterr) {
    return call_check_of(call_current(), reterr);
}
