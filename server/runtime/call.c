#include "server/runtime/call.h"

#include "client/base/minimum.h"
#include "herald/uuid.h"

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

const char *call_tenant(const struct call *call) {
    return call->tenant[0] ? call->tenant : call->user;
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
