#include "server/rpc/rpc_call.h"

#include "server/rpc/envelope.h"
#include "server/rpc/near.h"
#include "server/rpc/probe.h"
#include "server/rpc/rpc_log.h"
#include "server/runtime/task.h"

#include "herald/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/*
 * A struct rpc_call goes to its loop's idle list while its task is still ending: the list is taken from on the loop's
 * thread only, by work that was posted, so never before the task has ended. For the same reason the list is cut when
 * something is taken from it, not when something is added.
 */
#define IDLE_CALLS_MAX 256u

static _Thread_local struct arena *inline_arena;

struct arena *rpc_call_arena(void) {
    return inline_arena ? inline_arena : call_arena();
}

static void init_call(struct rpc_call *call, struct rpc_exchange *exchange) {
    struct rpc_server *server = exchange->listener->server;
    call_init(&call->context, "", "", 0, server->limits.arena_bytes);
    call->server = server;
    call->loop = exchange->loop;
    call->exchange = exchange;
    call->method = NULL;
    call->request = call->response = NULL;
    call->text = NULL;
    call->probe = false;
    call->code = HERALD_OK;
    call->error.code = HERALD_OK;
    call->error.retry_after_ms = 0;
    call->error.detail_count = 0;
    call->error.reason[0] = call->error.message[0] = call->error.origin[0] = '\0';
}

/* ---- the head ---- */

static enum herald_code unknown_method(struct rpc_call *call, const char *name) {
    char shown[RPC_NAME_SHOWN_MAX], near[256];
    rpc_show_name(name, shown);
    rpc_near_methods(call->server, name, near, sizeof near);
    bool elsewhere = herald_schema_find_method(name) != NULL;
    return herald_error_set(&call->error, HERALD_UNIMPLEMENTED, "UNKNOWN_METHOD",
                            "%s %s %s%s%s; the probe \"help\" "
                            "lists what it serves",
                            call->server->name, elsewhere ? "is not the server of" : "knows no method", shown,
                            *near ? "; near names: " : "", near);
}

static enum herald_code start_clock(struct rpc_call *call, uint32_t timeout_ms) {
    if (timeout_ms == 0)
        timeout_ms = call->method->schema->deadline_ms;
    if (timeout_ms == 0 || timeout_ms > RPC_TIMEOUT_MAX_MS)
        timeout_ms = RPC_TIMEOUT_MAX_MS;
    call->context.deadline_us = call->exchange->received_us + (uint64_t)timeout_ms * 1000;
    if (clock_now_us() < call->context.deadline_us)
        return HERALD_OK;
    return herald_error_set(&call->error, HERALD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED",
                            "the call's %u ms were spent before %s began: the server is busy", timeout_ms,
                            call->context.method);
}

static void copy_id(char *to, size_t room, const char *from) {
    if (from)
        snprintf(to, room, "%s", from);
}

enum herald_code rpc_call_accept(struct rpc_call *call, const struct rpc_call_head *head) {
    struct call *context = &call->context;
    if (head->call_id && *head->call_id)
        copy_id(context->id, sizeof context->id, head->call_id);
    else
        herald_uuid7(context->id);
    copy_id(context->traceparent, sizeof context->traceparent, head->traceparent);
    copy_id(context->idempotency_key, sizeof context->idempotency_key, head->idempotency_key);
    call->method = rpc_server_find(call->server, head->method, strlen(head->method));
    if (!call->method)
        return unknown_method(call, head->method);
    context->method = call->method->schema->full_name;
    method_stats_begin(&call->method->stats);
    return start_clock(call, head->timeout_ms);
}

static void decode(struct rpc_call *call) {
    struct rpc_exchange *exchange = call->exchange;
    const uint8_t *data = nng_msg_body(exchange->message);
    size_t bytes = nng_msg_len(exchange->message);
    call->probe = probe_is(data, bytes);
    call->code = call->probe ? probe_read(call, data, bytes) : envelope_read(call, data, bytes);
    /* Nothing of it is needed any more, and a call may wait for a long time. */
    nng_msg_free(exchange->message);
    exchange->message = NULL;
}

/* ---- the handler ---- */

static void run_handler(struct rpc_call *call) {
    const struct rpc_method *method = call->method;
    const ProtobufCMessageDescriptor *type = method->schema->response->descriptor;
    call->response = arena_alloc(&call->context.arena, type->sizeof_message);
    if (!call->response) {
        call->code = herald_error_set(&call->error, HERALD_RESOURCE_EXHAUSTED, "ARENA_FULL",
                                      "the request leaves no memory for its reply (limit rpc.arena_bytes = %u)",
                                      call->server->limits.arena_bytes);
        return;
    }
    protobuf_c_message_init(type, call->response);
    void *self = rpc_service_self(method->service, call->loop ? loop_index(call->loop->loop) : 0);
    call->code = method->invoke(method->service->handlers, self, call->request, call->response, &call->error);
}

/* A handler that failed without saying why: the code's own text is better than nothing. */
static void complete_error(struct rpc_call *call) {
    struct herald_error *error = &call->error;
    if (call->code == HERALD_OK)
        return;
    if (error->code == HERALD_OK || !*error->message)
        herald_error_set(error, call->code, *error->reason ? error->reason : herald_code_name((int)call->code),
                         "%s: %s", call->method ? call->context.method : call->server->name,
                         herald_code_text((int)call->code));
    error->code = call->code;
}

static nng_msg *make_reply(struct rpc_call *call) {
    complete_error(call);
    nng_msg *reply = NULL;
    if (call->code == HERALD_OK) {
        enum herald_code code =
            call->probe ? probe_success(call, &reply, &call->error) : envelope_success(call, &reply, &call->error);
        if (code == HERALD_OK)
            return reply;
        call->code = code;
    }
    return call->probe ? probe_failure(&call->error) : envelope_failure(&call->error);
}

static bool is_servers_fault(enum herald_code code) {
    return code == HERALD_UNKNOWN || code == HERALD_INTERNAL || code == HERALD_UNAVAILABLE ||
           code == HERALD_DATA_LOSS || code == HERALD_OUTCOME_UNKNOWN;
}

static void log_call(const struct rpc_call *call, uint64_t latency_us) {
    /* In a task the call's id is on the line by itself. */
    struct log_field id = call_current() ? LOG_END : log_str("call_id", call->context.id);
    if (is_servers_fault(call->code))
        log_emit(&LOG_RPC_CALL_FAILED, log_str("method", call->context.method), log_error(&call->error),
                 log_u64("latency_us", latency_us), id, LOG_END);
    else
        log_emit(&LOG_RPC_CALL, log_str("method", call->context.method),
                 log_str("code", herald_code_name((int)call->code)), log_str("reason", call->error.reason),
                 log_u64("latency_us", latency_us), id, LOG_END);
}

/* Replies and lets go of the call; @call is not the caller's any more. */
static void finish(struct rpc_call *call) {
    struct rpc_exchange *exchange = call->exchange;
    struct rpc_loop *loop = call->loop;
    nng_msg *reply = make_reply(call);
    uint64_t latency_us = clock_now_us() - exchange->received_us;
    if (call->method)
        method_stats_end(&call->method->stats, call->code, latency_us);
    log_call(call, latency_us);
    free(call->text);
    arena_fini(&call->context.arena);
    if (loop) {
        DL_DELETE(loop->running, call);
        LL_PREPEND(loop->idle, call);
        loop->idle_count++;
        atomic_fetch_sub(&loop->in_flight, 1);
    }
    rpc_exchange_reply(exchange, reply);
}

void rpc_call_answer_inline(struct rpc_exchange *exchange) {
    struct rpc_call call;
    init_call(&call, exchange);
    decode(&call);
    if (call.code == HERALD_OK && !call.method->schema->answer_inline)
        call.code = herald_error_set(&call.error, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE",
                                     "the envelope names two methods");
    if (call.code == HERALD_OK) {
        inline_arena = &call.context.arena;
        run_handler(&call);
        inline_arena = NULL;
    }
    finish(&call);
}

/* ---- on a loop ---- */

static struct rpc_call *take_idle(struct rpc_loop *loop) {
    struct rpc_call *call = loop->idle;
    if (!call)
        return malloc(sizeof *call);
    LL_DELETE(loop->idle, call);
    loop->idle_count--;
    if (loop->idle_count > IDLE_CALLS_MAX) {
        struct rpc_call *surplus = loop->idle;
        LL_DELETE(loop->idle, surplus);
        loop->idle_count--;
        free(surplus);
    }
    return call;
}

static void refuse_without_memory(struct rpc_exchange *exchange) {
    struct herald_error error;
    bool probe = probe_is(nng_msg_body(exchange->message), nng_msg_len(exchange->message));
    herald_error_set(&error, HERALD_RESOURCE_EXHAUSTED, "NO_MEMORY", "the server has no memory for another call");
    atomic_fetch_sub(&exchange->loop->in_flight, 1);
    rpc_exchange_reply(exchange, probe ? probe_failure(&error) : envelope_failure(&error));
}

static void serve(void *arg) {
    struct rpc_call *call = arg;
    run_handler(call);
    finish(call);
}

static void serve_here(struct rpc_call *call) {
    inline_arena = &call->context.arena;
    run_handler(call);
    inline_arena = NULL;
    finish(call);
}

void rpc_call_begin(struct loop_work *work) {
    struct rpc_exchange *exchange = (struct rpc_exchange *)work; /* its first member */
    struct rpc_loop *loop = exchange->loop;
    struct rpc_call *call = take_idle(loop);
    if (!call) {
        refuse_without_memory(exchange);
        return;
    }
    init_call(call, exchange);
    DL_APPEND(loop->running, call);
    decode(call);
    if (call->code == HERALD_OK && loop->cancelling)
        call->code =
            herald_error_set(&call->error, HERALD_UNAVAILABLE, "DRAINING", "%s is about to end", call->server->name);
    if (call->code != HERALD_OK || call->text) {
        finish(call);
        return;
    }
    if (call->method->schema->answer_inline) {
        serve_here(call);
        return;
    }
    call->code = task_spawn(loop->loop, &call->context, call->method->schema->name, serve, call, &call->error);
    if (call->code != HERALD_OK)
        finish(call);
}

void rpc_call_cancel_all(struct rpc_loop *loop) {
    struct rpc_call *call;
    loop->cancelling = true;
    DL_FOREACH(loop->running, call)
    task_cancel_call(loop->loop, &call->context, HERALD_UNAVAILABLE);
}

void rpc_call_free_idle(struct rpc_loop *loop) {
    struct rpc_call *call, *next;
    LL_FOREACH_SAFE(loop->idle, call, next)
    free(call);
    loop->idle = NULL;
    loop->idle_count = 0;
}
