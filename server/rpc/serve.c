/*
 * Who runs the steps of a call (rpc_call.h), and where. serve_inline() runs all five at once, on the thread on which it
 * arrived. On a loop serve_begin() reads the call. A task then runs its handler, if the call is still wanted, and sends the reply
 * (serve_task()); a method that never waits needs no task. Places are released before the reply is sent.
 */
#include "server/rpc/serve.h"

#include "server/rpc/arrival.h"
#include "server/rpc/gates.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/rpc_failpoints.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/task.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Failpoints do not apply to herald.rpc.v1, which operators use to turn a failpoint off and to check health. */
static bool takes_faults(const struct rpc_call *call) {
    return call->method && !call->method->own;
}

static enum herald_code check_wanted(struct rpc_call *call) {
    return gate_wanted(call->method->schema, exchange_is_cancelled(call->arrival->exchange), &call->error);
}

/* ---- the end ---- */

static void note_end(const struct rpc_call *call) {
    interceptors_on_end(&call->parts->interceptors, call);
    if (call->method) {
        method_stats_end(&call->method->stats, call->code, rpc_call_latency_us(call));
    }
}

/* Replies and releases the call; the caller no longer owns @call. */
static void finish_rpc_call(struct rpc_call *call) {
    struct arrival *arrival = call->arrival;
    rpc_call_make_reply(call);
    note_end(call);
    if (takes_faults(call) && failpoint_drops(FAILPOINT_RPC_REPLY)) {
        exchange_drop_reply(arrival->exchange);
    }
    free(call->text);
    if (call->loop) {
        call->in_loop.block = arena_fini_keep(&call->context.arena);
        rpc_loop_keep_call(call->loop, &call->in_loop);
        arrival->call = NULL;
    } else {
        arena_fini(&call->context.arena);
    }
    arrival_reply(arrival);
}

/* ---- where it arrived ---- */

static void read_message(struct rpc_call *call) {
    call->code = rpc_call_read(call);
    /* Frees the message early, because the call may wait for a long time. */
    exchange_drop_request(call->arrival->exchange);
}

void serve_inline(struct arrival *arrival) {
    struct rpc_call call;
    rpc_call_init(&call, arrival);
    read_message(&call);
    if (call.code == HERALD_OK && !call.method->schema->answer_inline) {
        call.code = herald_error_set(&call.error, HERALD_REASON_MALFORMED_ENVELOPE, "the envelope names two methods");
    }
    if (call.code == HERALD_OK) {
        rpc_call_run_here(&call);
    }
    finish_rpc_call(&call);
}

void serve_refuse(struct arrival *arrival, const struct herald_error *error) {
    struct rpc_call call;
    rpc_call_init(&call, arrival);
    call.want_timings = arrival->view.want_timings;
    call.method = arrival->method;
    if (call.method) {
        call.context.method = call.method->schema->full_name;
        method_stats_begin(&call.method->stats);
    }
    call.code = error->code;
    herald_error_copy(&call.error, error);
    finish_rpc_call(&call);
}

/* ---- on a loop ---- */

/* How long a caller waits before it repeats a call that found no memory to begin. */
#define NO_MEMORY_RETRY_MS 100

static void refuse_without_memory(struct arrival *arrival) {
    struct rpc_call call;
    rpc_call_init(&call, arrival);
    call.code = herald_error_no_memory(&call.error, "another call");
    call.error.retry_after_ms = NO_MEMORY_RETRY_MS;
    rpc_call_make_reply(&call);
    atomic_fetch_sub(&arrival->loop->in_flight, 1);
    arrival_reply(arrival);
}

/* Whether a copy of the call's message, sent to another process, would change something once more. A process has
 * Introspection of its own, which must work without a store. */
static bool could_be_replayed(const struct rpc_call *call) {
    enum herald_effect effect = call->method->schema->effect;
    bool is_keyed = effect == HERALD_EFFECT_ONCE && *call->context.idempotency_key;
    return call->signature.time_ms != 0 && effect != HERALD_EFFECT_READ && !is_keyed && !call->method->own;
}

TASK_FN static enum herald_code take_call_signature(struct rpc_call *call) {
    const struct rpc_signature_taker *taker = &call->parts->signatures;
    if (!taker->take_signature || !could_be_replayed(call)) {
        return HERALD_OK;
    }
    call->signature_left = taker->own_method && strcmp(taker->own_method, call->context.method) == 0;
    return call->signature_left
               ? HERALD_OK
               : taker->take_signature(taker->self, loop_index(call->loop->loop), &call->signature, &call->error);
}

static void serve_task(void *arg) {
    struct rpc_call *call = arg;
    bool faults = takes_faults(call);
    call->code = check_wanted(call);
    if (call->code == HERALD_OK && faults) {
        call->code = failpoint_hit(FAILPOINT_RPC_BEFORE_HANDLER, &call->error);
    }
    if (call->code == HERALD_OK) {
        rpc_call_arrived(call);
        call->code = take_call_signature(call);
    }
    if (call->code == HERALD_OK) {
        rpc_call_run(call);
    }
    if (faults && call->code == HERALD_OK) {
        call->code = failpoint_hit(FAILPOINT_RPC_AFTER_HANDLER, &call->error);
    }
    finish_rpc_call(call);
}

static enum herald_code check_begin(struct rpc_call *call) {
    enum herald_code code = gate_drain_cut(&call->parts->limits, call->loop->cut, &call->error);
    return code == HERALD_OK ? check_wanted(call) : code;
}

/* True: a task serves the call and finishes it. */
static bool spawn_handler(struct rpc_call *call) {
    call->code =
        task_spawn(call->loop->loop, &call->context, call->method->schema->name, serve_task, call, &call->error);
    if (call->code != HERALD_OK) {
        call->error.retry_after_ms = NO_MEMORY_RETRY_MS;
    }
    return call->code == HERALD_OK;
}

static struct rpc_call *take_call(struct arrival *arrival) {
    struct rpc_call *call = (struct rpc_call *)rpc_loop_take_call(arrival->loop, sizeof(*call)); /* its first member */
    if (call) {
        rpc_call_init(call, arrival);
        arena_give(&call->context.arena, call->in_loop.block);
        arrival->call = call;
    }
    return call;
}

void serve_begin(struct loop_work *work) {
    struct arrival *arrival = (struct arrival *)work; /* its first member */
    struct rpc_call *call = take_call(arrival);
    if (!call) {
        refuse_without_memory(arrival);
        return;
    }
    read_message(call);
    if (call->code == HERALD_OK) {
        call->code = check_begin(call);
    }
    if (call->code == HERALD_OK && !call->text) {
        if (!call->method->schema->answer_inline && spawn_handler(call)) {
            return;
        }
        if (call->code == HERALD_OK) {
            rpc_call_run_here(call);
        }
    }
    finish_rpc_call(call);
}

void serve_on_cancel(struct loop_work *work) {
    struct arrival *arrival = (struct arrival *)(void *)((char *)work - offsetof(struct arrival, cancel_work));
    struct rpc_call *call = arrival->call;
    enum herald_code code = arrival->cancel_code;
    if (exchange_cancel_arrived(arrival->exchange) && call && call->method &&
        call->method->schema->effect != HERALD_EFFECT_ONCE) {
        task_cancel_call(call->loop->loop, &call->context, code);
    }
}

void serve_cut_all(struct rpc_loop *loop) {
    struct loop_call *running;
    loop->cut = true;
    DL_FOREACH (loop->running, running) {
        struct rpc_call *call = (struct rpc_call *)running; /* its first member */
        task_cancel_call(loop->loop, &call->context, HERALD_UNAVAILABLE);
    }
}
