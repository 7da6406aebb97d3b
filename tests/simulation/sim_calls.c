/* One call at one process: its context, its task, and its end if the process dies. */
#include "tests/simulation/sim.h"

#include <stdio.h>

#define CALL_ARENA (1 << 20)

void sim_list_call(struct call *call, struct sim_life *life) {
    for (size_t i = 0; i < SIM_CALLS; i++) {
        if (!sim.calls[i]) {
            sim.calls[i] = call;
            sim.calls_of[i] = life;
            return;
        }
    }
    sim_give_up("the simulation has no room for another call");
}

void sim_unlist_call(const struct call *call) {
    for (size_t i = 0; i < SIM_CALLS; i++) {
        sim.calls[i] = sim.calls[i] == call ? NULL : sim.calls[i];
    }
}

void sim_end_calls(const struct sim_life *life) {
    for (size_t i = 0; i < SIM_CALLS; i++) {
        if (sim.calls[i] && sim.calls_of[i] == life) {
            task_cancel_call(sim.loop, sim.calls[i], HERALD_UNAVAILABLE);
        }
    }
}

TASK_FN static void call_task(void *arg) {
    struct sim_call *call = arg;
    call->body(call);
    completion_complete(&call->ended);
}

TASK_FN enum herald_code sim_call(struct sim_call *call, const char *method, uint32_t timeout_ms, const char *key) {
    call->code = HERALD_UNAVAILABLE;
    call->began_us = sim.now_us;
    call_init(&call->call, method, NULL, timeout_ms, CALL_ARENA);
    (void)snprintf(call->call.idempotency_key, sizeof(call->call.idempotency_key), "%s", key);
    completion_init(&call->ended);
    sim_list_call(&call->call, call->life);
    if (task_spawn(sim.loop, &call->call, method, call_task, call, NULL) == HERALD_OK) {
        completion_wait_always(&call->ended);
    }
    sim_wait_us(1); /* the call's task ends before the call does */
    sim_unlist_call(&call->call);
    call_fini(&call->call);
    return call->code;
}
