#include "server/rpc/rpc_call.h"

#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/uuid.h"
#include "herald/validate.h"
#include "server/rpc/acting_user.h"
#include "server/rpc/envelope.h"
#include "server/rpc/limits.h"
#include "server/rpc/near.h"
#include "server/rpc/probe.h"
#include "server/rpc/probe_help.h"
#include "server/rpc/probe_text.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/task.h"

#include <inttypes.h>
#include <stddef.h>
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

/* The call of a method that never waits: it has no task. */
static _Thread_local struct rpc_call *inline_call;

struct rpc_call *rpc_call_current(void) {
    struct call *context = call_current();
    return inline_call ? inline_call : context ? context->owner : NULL;
}

struct arena *rpc_call_arena(void) {
    return inline_call ? &inline_call->context.arena : call_arena();
}

enum herald_code rpc_call_add_reply_metadata(struct rpc_call *call, const char *key, const void *value, size_t bytes,
                                             struct herald_error *reterr) {
    return reply_metadata_add(&call->reply_metadata, &call->context.arena, key, value, bytes, reterr);
}

static void init_call(struct rpc_call *call, struct arrival *arrival) {
    struct rpc_server *server = arrival->server;
    call_init(&call->context, "", "", 0, server->limits.arena_bytes);
    call->context.owner = call;
    call->server = server;
    call->loop = arrival->loop;
    call->arrival = arrival;
    call->received_us = arrival->exchange->received_us;
    call->method = NULL;
    call->request = call->response = NULL;
    call->text = NULL;
    call->probe = call->want_timings = false;
    call->begun_us = call->ended_us = 0;
    call->parent_span[0] = '\0';
    call->reply_metadata = (struct reply_metadata){.pairs = NULL};
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
    rpc_near_methods(call->server, name, near, sizeof(near));
    bool elsewhere = herald_schema_find_method(name) != NULL;
    return herald_error_set(&call->error, HERALD_REASON_UNKNOWN_METHOD,
                            "%s %s %s%s%s; the probe \"help\" "
                            "lists what it serves",
                            call->server->name, elsewhere ? "is not the server of" : "knows no method", shown,
                            *near ? "; near names: " : "", near);
}

/* Waited for its loop for longer than calls may. Methods that never wait are not queued. */
static enum herald_code check_queue(struct rpc_call *call, uint64_t now_us) {
    uint64_t waited_us = now_us - call->received_us;
    uint32_t most_ms = call->server->limits.max_queue_ms;
    if (!call->loop || most_ms == 0 || waited_us <= (uint64_t)most_ms * 1000) {
        return HERALD_OK;
    }
    herald_error_set(&call->error, HERALD_REASON_QUEUE_TIMEOUT,
                     "%s waited for its turn for %" PRIu64 " ms, longer than rpc.max_queue_ms = %" PRIu32
                     "; try again later",
                     call->context.method, waited_us / 1000, most_ms);
    call->error.retry_after_ms = LIMITS_RETRY_AFTER_MS;
    return HERALD_RESOURCE_EXHAUSTED;
}

/* A repeat of a ONCE call may be answered from the store, however long the first one took. */
static enum herald_code check_time_left(struct rpc_call *call, uint64_t now_us) {
    uint64_t left_us = call->context.deadline_us - now_us;
    uint64_t least_us = least_latency_us(&call->method->least, now_us);
    if (left_us >= least_us || call->method->schema->effect == HERALD_EFFECT_ONCE) {
        return HERALD_OK;
    }
    return herald_error_set(&call->error, HERALD_REASON_CANNOT_FINISH_IN_TIME,
                            "%s has %" PRIu64 " ms left, and its quickest call of late took %" PRIu64
                            " ms: it was not begun; give it more time",
                            call->context.method, left_us / 1000, (least_us + 999) / 1000);
}

static enum herald_code start_clock(struct rpc_call *call, uint32_t timeout_ms) {
    if (timeout_ms == 0) {
        timeout_ms = call->method->schema->deadline_ms;
    }
    if (timeout_ms == 0 || timeout_ms > RPC_TIMEOUT_MAX_MS) {
        timeout_ms = RPC_TIMEOUT_MAX_MS;
    }
    call->context.deadline_us = call->received_us + (uint64_t)timeout_ms * 1000;
    uint64_t now_us = clock_now_us();
    if (now_us < call->context.deadline_us) {
        enum herald_code code = check_queue(call, now_us);
        return code == HERALD_OK ? check_time_left(call, now_us) : code;
    }
    return herald_error_set(&call->error, HERALD_REASON_DEADLINE_EXCEEDED,
                            "the call's %u ms were spent before %s began: the server is busy", timeout_ms,
                            call->context.method);
}

static void copy_id(char *to, size_t room, const char *from) {
    size_t bytes = from ? strnlen(from, room - 1) : 0;
    if (bytes > 0) {
        memcpy(to, from, bytes);
    }
    to[bytes] = '\0';
}

static enum herald_code accept_head(struct rpc_call *call, const struct rpc_call_head *head) {
    struct call *context = &call->context;
    if (head->call_id && *head->call_id) {
        copy_id(context->id, sizeof(context->id), head->call_id);
    } else {
        herald_uuid7(context->id);
    }
    copy_id(context->traceparent, sizeof(context->traceparent), head->traceparent);
    copy_id(context->idempotency_key, sizeof(context->idempotency_key), head->idempotency_key);
    call->want_timings = head->want_timings;
    if (!call->method) {
        call->method = rpc_server_find(call->server, head->method, strlen(head->method));
    }
    if (!call->method) {
        return unknown_method(call, head->method);
    }
    context->method = call->method->schema->full_name;
    method_stats_begin(&call->method->stats);
    enum herald_code code = HERALD_OK;
    if (call->loop) {
        code = limits_enter_method(call->arrival, call->method, &call->error);
    }
    if (code == HERALD_OK) {
        code = start_clock(call, head->timeout_ms);
    }
    if (code == HERALD_OK) {
        code = rpc_interceptors_on_head(call, head);
    }
    return code == HERALD_OK ? limits_enter_caller(call) : code;
}

/* ---- 2. decode ---- */

static enum herald_code read_envelope(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    const struct arrival *arrival = call->arrival;
    ProtobufCAllocator *memory = &call->context.arena.protobuf;
    struct envelope_head read;
    const char *method = arrival->method ? arrival->method->schema->full_name : NULL;
    enum herald_code code = envelope_read(&call->server->schemas, &arrival->view, method, memory, data, bytes, &read,
                                          &call->probe, &call->error);
    if (code == HERALD_OK) {
        call->method = arrival->view.plain ? arrival->method : NULL; /* NULL: looked up by its name */
        code = accept_head(call, &read.head);
    }
    return code == HERALD_OK ? herald_unpack(call->method->schema->request, memory, read.head.payload,
                                             read.head.payload_bytes, &call->request, &call->error)
                             : code;
}

/* A person at a terminal has no idempotency key at hand: one is made, so that the call is logged and stored alike. */
static enum herald_code decode_json(struct rpc_call *call, const struct rpc_call_head *head) {
    if (call->method->schema->effect == HERALD_EFFECT_ONCE && !*call->context.idempotency_key) {
        herald_uuid7(call->context.idempotency_key);
    }
    return herald_json_read(call->method->schema->request, (const char *)head->payload, head->payload_bytes, NULL,
                            &call->context.arena.protobuf, &call->request, &call->error);
}

static enum herald_code read_probe(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    struct probe_head read;
    enum herald_code code =
        probe_read(call->server->schemas.auth, &call->context.arena, data, bytes, &read, &call->error);
    if (code == HERALD_OK) {
        code = accept_head(call, &read.head);
    }
    if (code != HERALD_OK) {
        return code;
    }
    switch (read.kind) {
    case PROBE_HELP:
        return probe_help(call->server, &call->text, &call->error);
    case PROBE_DESCRIBE:
        return probe_describe(read.name, &call->text, &call->error);
    default:
        return decode_json(call, &read.head);
    }
}

/* ---- 3. check ---- */

static enum herald_code check_request(struct rpc_call *call) {
    const struct herald_message_schema *schema = call->method->schema->request;
    enum herald_code code = acting_user_apply(schema, call->request, call->context.user, &call->error);
    if (code == HERALD_OK) {
        code = herald_validate(schema, call->request, &call->error);
    }
    return code == HERALD_OK ? rpc_interceptors_on_request(call) : code;
}

enum herald_code rpc_call_read(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    call->probe = probe_is(data, bytes);
    enum herald_code code = call->probe ? read_probe(call, data, bytes) : read_envelope(call, data, bytes);
    return code == HERALD_OK && call->request ? check_request(call) : code;
}

static void decode(struct rpc_call *call) {
    struct arrival *arrival = call->arrival;
    call->code = rpc_call_read(call, arrival->exchange->data, arrival->exchange->bytes);
    /* Nothing of it is needed any more, and a call may wait for a long time. */
    exchange_drop_request(arrival->exchange);
}

/* ---- the handler ---- */

static void invoke(struct rpc_call *call) {
    const struct rpc_method *method = call->method;
    const ProtobufCMessageDescriptor *type = method->schema->response->descriptor;
    call->response = arena_alloc(&call->context.arena, type->sizeof_message);
    if (!call->response) {
        call->code = herald_error_set(&call->error, HERALD_REASON_ARENA_FULL,
                                      "the request leaves no memory for its reply (limit rpc.arena_bytes = %u)",
                                      call->server->limits.arena_bytes);
        return;
    }
    protobuf_c_message_init(type, call->response);
    void *self = rpc_service_self(method->service, call->loop ? loop_index(call->loop->loop) : 0);
    call->code = method->invoke(method->service->handlers, self, call->request, call->response, &call->error);
}

static void run_handler(struct rpc_call *call) {
    call->begun_us = clock_now_us();
    limits_begin(call->arrival, call->begun_us);
    invoke(call);
    call->ended_us = clock_now_us();
    if (call->code == HERALD_OK && !call->context.waits_on_purpose) {
        least_latency_note(&call->method->least, call->ended_us - call->begun_us, call->ended_us);
    }
}

static void run_handler_here(struct rpc_call *call) {
    inline_call = call;
    run_handler(call);
    inline_call = NULL;
}

/* A handler that failed without saying why: the code's own text is better than nothing. */
static void complete_error(struct rpc_call *call) {
    struct herald_error *error = &call->error;
    if (call->code == HERALD_OK) {
        return;
    }
    if (error->code == HERALD_OK || !*error->message) {
        herald_error_set_code(error, call->code, *error->reason ? error->reason : herald_code_name((int)call->code),
                              "%s: %s", call->method ? call->context.method : call->server->name,
                              herald_code_text((int)call->code));
    }
    error->code = call->code;
}

static Herald__Rpc__V1__Timings timings_of(const struct rpc_call *call) {
    Herald__Rpc__V1__Timings timings = HERALD__RPC__V1__TIMINGS__INIT;
    timings.queue_us = (call->begun_us ? call->begun_us : clock_now_us()) - call->received_us;
    timings.handler_us = call->begun_us && call->ended_us ? call->ended_us - call->begun_us : 0;
    timings.downstream_us = call->context.downstream_us;
    return timings;
}

static enum herald_code make_success(struct rpc_call *call, const struct envelope_tail *tail,
                                     struct nng_msg **ret_reply) {
    uint32_t max_bytes = call->server->limits.max_message_bytes;
    if (call->text) {
        return probe_answer(call->text, max_bytes, ret_reply, &call->error);
    }
    return call->probe
               ? probe_success(call->method->schema->response, call->response, max_bytes, ret_reply, &call->error)
               : envelope_success(call->context.method, call->response, tail, max_bytes, ret_reply, &call->error);
}

static struct nng_msg *make_reply(struct rpc_call *call) {
    struct envelope_tail tail = {.metadata = call->reply_metadata.pairs, .metadata_count = call->reply_metadata.count};
    Herald__Rpc__V1__Timings timings;
    struct nng_msg *reply = NULL;
    if (call->want_timings) {
        timings = timings_of(call);
        tail.timings = &timings;
    }
    complete_error(call);
    if (call->code == HERALD_OK && (call->code = make_success(call, &tail, &reply)) == HERALD_OK) {
        return reply;
    }
    return call->probe ? probe_failure(&call->error) : envelope_failure(&call->error, &tail);
}

/* Failpoints leave the server's own services alone: by them a failpoint is set back, and health is asked. */
static bool takes_faults(const struct rpc_call *call) {
    static const char OWN[] = "herald.rpc.v1.";
    return call->method && strncmp(call->context.method, OWN, sizeof(OWN) - 1) != 0;
}

uint64_t rpc_call_latency_us(const struct rpc_call *call) {
    return (call->ended_us ? call->ended_us : clock_now_us()) - call->received_us;
}

/* Replies and lets go of the call; @call is not the caller's any more. */
static void finish(struct rpc_call *call) {
    struct arrival *arrival = call->arrival;
    struct rpc_loop *loop = call->loop;
    struct nng_msg *reply = make_reply(call);
    rpc_interceptors_on_end(call);
    if (call->method) {
        method_stats_end(&call->method->stats, call->code, rpc_call_latency_us(call));
    }
    if (takes_faults(call) && failpoint_drops(FAILPOINT_RPC_REPLY)) {
        message_free(reply);
        reply = NULL;
    }
    free(call->text);
    if (!loop) {
        arena_fini(&call->context.arena);
        arrival_reply(arrival, reply);
        return;
    }
    call->block = arena_fini_keep(&call->context.arena);
    DL_DELETE(loop->running, call);
    LL_PREPEND(loop->idle, call);
    loop->idle_count++;
    atomic_fetch_sub(&loop->in_flight, 1);
    arrival->call = NULL;
    arrival_reply(arrival, reply);
}

void rpc_call_refuse(struct arrival *arrival, struct rpc_method *method, const struct herald_error *error) {
    struct rpc_call call;
    init_call(&call, arrival);
    call.probe = arrival->probe;
    call.want_timings = arrival->view.want_timings;
    call.method = method;
    if (method) {
        call.context.method = method->schema->full_name;
        method_stats_begin(&method->stats);
    }
    call.code = error->code;
    herald_error_copy(&call.error, error);
    finish(&call);
}

void rpc_call_answer_inline(struct arrival *arrival) {
    struct rpc_call call;
    init_call(&call, arrival);
    decode(&call);
    if (call.code == HERALD_OK && !call.method->schema->answer_inline) {
        call.code = herald_error_set(&call.error, HERALD_REASON_MALFORMED_ENVELOPE, "the envelope names two methods");
    }
    if (call.code == HERALD_OK) {
        run_handler_here(&call);
    }
    finish(&call);
}

/* ---- on a loop ---- */

static void free_call(struct rpc_call *call) {
    arena_block_free(call->block);
    free(call);
}

static struct rpc_call *take_idle(struct rpc_loop *loop) {
    struct rpc_call *call = loop->idle;
    if (!call) {
        call = malloc(sizeof(*call));
        if (call) {
            call->block = NULL;
        }
        return call;
    }
    LL_DELETE(loop->idle, call);
    loop->idle_count--;
    if (loop->idle_count > IDLE_CALLS_MAX) {
        struct rpc_call *surplus = loop->idle;
        LL_DELETE(loop->idle, surplus);
        loop->idle_count--;
        free_call(surplus);
    }
    return call;
}

static void refuse_without_memory(struct arrival *arrival) {
    struct rpc_call call;
    init_call(&call, arrival);
    call.probe = arrival->probe;
    call.code = herald_error_set(&call.error, HERALD_REASON_NO_MEMORY, "the server has no memory for another call");
    struct nng_msg *reply = make_reply(&call);
    atomic_fetch_sub(&arrival->loop->in_flight, 1);
    arrival->call = NULL;
    arrival_reply(arrival, reply);
}

static enum herald_code check_wanted(struct rpc_call *call) {
    if (call->method->schema->effect == HERALD_EFFECT_ONCE || !exchange_is_cancelled(call->arrival->exchange)) {
        return HERALD_OK;
    }
    return herald_error_set(&call->error, HERALD_REASON_CANCELLED, "%s was cancelled before it began",
                            call->context.method);
}

static void serve(void *arg) {
    struct rpc_call *call = arg;
    bool faults = takes_faults(call);
    call->code = check_wanted(call);
    if (call->code == HERALD_OK && faults) {
        call->code = failpoint_hit(FAILPOINT_RPC_BEFORE_HANDLER, &call->error);
    }
    if (call->code == HERALD_OK) {
        run_handler(call);
    }
    if (faults && call->code == HERALD_OK) {
        call->code = failpoint_hit(FAILPOINT_RPC_AFTER_HANDLER, &call->error);
    }
    finish(call);
}

/* The call is decoded: may it begin? */
static enum herald_code check_begin(struct rpc_call *call) {
    if (call->loop->cancelling) {
        return herald_error_set(&call->error, HERALD_REASON_DRAINING, "%s is about to end", call->server->name);
    }
    return check_wanted(call);
}

void rpc_call_begin(struct loop_work *work) {
    struct arrival *arrival = (struct arrival *)work; /* its first member */
    struct rpc_loop *loop = arrival->loop;
    struct rpc_call *call = take_idle(loop);
    if (!call) {
        refuse_without_memory(arrival);
        return;
    }
    init_call(call, arrival);
    arena_give(&call->context.arena, call->block);
    arrival->call = call;
    DL_APPEND(loop->running, call);
    decode(call);
    if (call->code == HERALD_OK) {
        call->code = check_begin(call);
    }
    if (call->code == HERALD_OK && call->method->schema->answer_inline && !call->text) {
        run_handler_here(call);
    } else if (call->code == HERALD_OK && !call->text &&
               (call->code = task_spawn(loop->loop, &call->context, call->method->schema->name, serve, call,
                                        &call->error)) == HERALD_OK) {
        return;
    }
    finish(call);
}

void rpc_call_on_cancel(struct loop_work *work) {
    struct arrival *arrival = (struct arrival *)(void *)((char *)work - offsetof(struct arrival, cancel_work));
    struct rpc_call *call = arrival->call;
    enum herald_code code = arrival->cancel_code;
    if (exchange_cancel_arrived(arrival->exchange) && call && call->method &&
        call->method->schema->effect != HERALD_EFFECT_ONCE) {
        task_cancel_call(call->loop->loop, &call->context, code);
    }
}

bool rpc_call_cancel(struct rpc_call *call, uint64_t ticket, enum herald_code code) {
    return exchange_cancel(call->arrival->exchange, ticket, code);
}

void rpc_call_cancel_all(struct rpc_loop *loop) {
    struct rpc_call *call;
    loop->cancelling = true;
    DL_FOREACH (loop->running, call) {
        task_cancel_call(loop->loop, &call->context, HERALD_UNAVAILABLE);
    }
}

void rpc_call_free_idle(struct rpc_loop *loop) {
    struct rpc_call *call, *next;
    LL_FOREACH_SAFE (loop->idle, call, next) {
        free_call(call);
    }
    loop->idle = NULL;
    loop->idle_count = 0;
}
