/*
 * A call on the thread that serves it:
 *
 *   1  accept   by its head: the gates of the method and of time, the interceptors (authentication among them), then
 *               the gate of the caller
 *   2  decode   head and payload, by the codec of its form (envelope.h, probe.h)
 *   3  check    the decoded request: its rules, the interceptors, and that the call is not cancelled
 *   4  handler
 *   5  reply    by the same codec; places are released before it is sent
 *
 * Sections 1 to 5 hold the steps. The last two run them: at once on a thread of nng, or as a task of a loop.
 */
#include "server/rpc/rpc_call.h"

#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/uuid.h"
#include "server/rpc/arrival.h"
#include "server/rpc/envelope.h"
#include "server/rpc/gates.h"
#include "server/rpc/near.h"
#include "server/rpc/probe.h"
#include "server/rpc/probe_help.h"
#include "server/rpc/rpc_failpoints.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/task.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The call whose handler runs on this thread without a task, because its method never waits. */
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

uint64_t rpc_call_latency_us(const struct rpc_call *call) {
    return (call->ended_us ? call->ended_us : clock_now_us()) - call->received_us;
}

bool rpc_call_cancel(struct rpc_call *call, uint64_t ticket, enum herald_code code) {
    return exchange_cancel(call->arrival->exchange, ticket, code);
}

void rpc_call_init(struct rpc_call *call, struct arrival *arrival) {
    call_init(&call->context, "", "", 0, arrival->parts->limits.arena_bytes);
    call->context.owner = call;
    call->parts = arrival->parts;
    call->loop = arrival->loop;
    call->arrival = arrival;
    call->received_us = arrival->exchange->received_us;
    call->method = NULL;
    call->request = call->response = NULL;
    call->text = NULL;
    call->probe = arrival->probe;
    call->want_timings = false;
    call->begun_us = call->ended_us = 0;
    call->parent_span[0] = '\0';
    call->reply_metadata = (struct reply_metadata){.pairs = NULL};
    call->code = HERALD_OK;
    call->error.code = HERALD_OK;
    call->error.retry_after_ms = 0;
    call->error.detail_count = 0;
    call->error.reason[0] = call->error.message[0] = call->error.origin[0] = '\0';
}

/* ---- 1. accept ---- */

static void copy_text(char *to, size_t room, const char *from) {
    size_t bytes = from ? strnlen(from, room - 1) : 0;
    if (bytes > 0) {
        memcpy(to, from, bytes);
    }
    to[bytes] = '\0';
}

static void take_head(struct rpc_call *call, const struct rpc_call_head *head) {
    struct call *context = &call->context;
    if (head->call_id && *head->call_id) {
        copy_text(context->id, sizeof(context->id), head->call_id);
    } else {
        herald_uuid7(context->id);
    }
    copy_text(context->traceparent, sizeof(context->traceparent), head->traceparent);
    copy_text(context->idempotency_key, sizeof(context->idempotency_key), head->idempotency_key);
    call->want_timings = head->want_timings;
}

static enum herald_code unknown_method(struct rpc_call *call, const char *name) {
    char shown[RPC_NAME_SHOWN_MAX], near[256];
    rpc_show_name(name, shown);
    rpc_near_methods(&call->parts->registry, name, near, sizeof(near));
    bool elsewhere = herald_schema_find_method(name) != NULL;
    return herald_error_set(&call->error, HERALD_REASON_UNKNOWN_METHOD,
                            "%s %s %s%s%s; the probe \"help\" lists what it serves", call->parts->name,
                            elsewhere ? "is not the server of" : "knows no method", shown,
                            *near ? "; near names: " : "", near);
}

static enum herald_code find_called_method(struct rpc_call *call, const char *name) {
    if (!call->method) {
        call->method = registry_find(&call->parts->registry, name, strlen(name));
    }
    if (!call->method) {
        return unknown_method(call, name);
    }
    call->context.method = call->method->schema->full_name;
    method_stats_begin(&call->method->stats);
    return HERALD_OK;
}

/* Only calls that wait for a loop take places of their method. */
static enum herald_code enter_method(struct rpc_call *call) {
    return call->loop ? gate_method(&call->parts->limits, &call->arrival->places, call->method, call->received_us,
                                    &call->error)
                      : HERALD_OK;
}

static uint32_t time_given_ms(const struct rpc_call *call, uint32_t timeout_ms) {
    if (timeout_ms == 0) {
        timeout_ms = call->method->schema->deadline_ms;
    }
    return timeout_ms == 0 || timeout_ms > RPC_TIMEOUT_MAX_MS ? RPC_TIMEOUT_MAX_MS : timeout_ms;
}

static enum herald_code start_clock(struct rpc_call *call, uint32_t timeout_ms) {
    const char *method = call->context.method;
    uint32_t given_ms = time_given_ms(call, timeout_ms);
    uint64_t now_us = clock_now_us();
    call->context.deadline_us = call->received_us + (uint64_t)given_ms * 1000;
    enum herald_code code = gate_deadline(method, given_ms, call->received_us, now_us, &call->error);
    if (code == HERALD_OK && call->loop) {
        code = gate_queue(&call->parts->limits, method, call->received_us, now_us, &call->error);
    }
    return code == HERALD_OK ? gate_time_left(call->method, call->context.deadline_us, now_us, &call->error) : code;
}

/* Checks the connection's limit for a call without a caller that was not counted on arrival: a probe, or a call whose
 * credential no interceptor checks. */
static enum herald_code enter_connection(struct rpc_call *call) {
    const struct rpc_limits *limits = &call->parts->limits;
    bool full = !arrival_counts_as_connection(call->arrival) &&
                exchange_in_flight(call->arrival->exchange) > limits->max_in_flight_per_caller;
    return gate_connection_calls(limits, full, &call->error);
}

static enum herald_code enter_caller(struct rpc_call *call) {
    const struct rpc_limits *limits = &call->parts->limits;
    if (limits->max_in_flight_per_caller == 0 || !call->loop || call->method->own) {
        return HERALD_OK;
    }
    return *call->context.caller
               ? gate_caller(limits, &call->arrival->places, &call->parts->callers, call->context.caller, &call->error)
               : enter_connection(call);
}

static enum herald_code accept_head(struct rpc_call *call, const struct rpc_call_head *head) {
    take_head(call, head);
    enum herald_code code = find_called_method(call, head->method);
    if (code == HERALD_OK) {
        code = enter_method(call);
    }
    if (code == HERALD_OK) {
        code = start_clock(call, head->timeout_ms);
    }
    if (code == HERALD_OK) {
        code = interceptors_on_head(&call->parts->interceptors, call, head, &call->error);
    }
    return code == HERALD_OK ? enter_caller(call) : code;
}

/* ---- 2. decode ---- */

static enum herald_code read_envelope(struct rpc_call *call) {
    const struct arrival *arrival = call->arrival;
    ProtobufCAllocator *memory = &call->context.arena.protobuf;
    struct envelope_head read;
    const char *method = arrival->method ? arrival->method->schema->full_name : NULL;
    enum herald_code code =
        envelope_read(&call->parts->schemas, &arrival->view, method, memory, arrival->exchange->data,
                      arrival->exchange->bytes, &read, &call->probe, &call->error);
    if (code == HERALD_OK) {
        call->method = arrival->view.plain ? arrival->method : NULL; /* NULL: find_called_method() looks it up */
        code = accept_head(call, &read.head);
    }
    return code == HERALD_OK ? herald_unpack(call->method->schema->request, memory, read.head.payload,
                                             read.head.payload_bytes, &call->request, &call->error)
                             : code;
}

/* Decodes the JSON of a probe. A ONCE call without an idempotency key gets a new one, so that it is logged and stored
 * like any other. */
static enum herald_code decode_json(struct rpc_call *call, const struct rpc_call_head *head) {
    if (call->method->schema->effect == HERALD_EFFECT_ONCE && !*call->context.idempotency_key) {
        herald_uuid7(call->context.idempotency_key);
    }
    return herald_json_read(call->method->schema->request, (const char *)head->payload, head->payload_bytes, NULL,
                            &call->context.arena.protobuf, &call->request, &call->error);
}

static enum herald_code read_probe(struct rpc_call *call) {
    const struct exchange *exchange = call->arrival->exchange;
    struct probe_head read;
    enum herald_code code = probe_read(call->parts->schemas.auth, &call->context.arena, exchange->data, exchange->bytes,
                                       &read, &call->error);
    if (code == HERALD_OK) {
        code = accept_head(call, &read.head);
    }
    if (code != HERALD_OK) {
        return code;
    }
    switch (read.kind) {
    case PROBE_HELP:
        return probe_help(call->parts->name, &call->parts->registry, &call->text, &call->error);
    case PROBE_DESCRIBE:
        return probe_describe(read.name, &call->text, &call->error);
    default:
        return decode_json(call, &read.head);
    }
}

/* ---- 3. check ---- */

static enum herald_code check_request(struct rpc_call *call) {
    enum herald_code code =
        gate_request(call->method->schema->request, call->request, call->context.user, &call->error);
    return code == HERALD_OK ? interceptors_on_request(&call->parts->interceptors, call, &call->error) : code;
}

enum herald_code rpc_call_read(struct rpc_call *call) {
    enum herald_code code = call->probe ? read_probe(call) : read_envelope(call);
    return code == HERALD_OK && call->request ? check_request(call) : code;
}

static void read_message(struct rpc_call *call) {
    call->code = rpc_call_read(call);
    /* Frees the message early, because the call may wait for a long time. */
    exchange_drop_request(call->arrival->exchange);
}

static enum herald_code check_wanted(struct rpc_call *call) {
    return gate_wanted(call->method->schema, exchange_is_cancelled(call->arrival->exchange), &call->error);
}

/* ---- 4. the handler ---- */

static void invoke(struct rpc_call *call) {
    const struct rpc_method *method = call->method;
    const ProtobufCMessageDescriptor *type = method->schema->response->descriptor;
    call->response = arena_alloc(&call->context.arena, type->sizeof_message);
    if (!call->response) {
        call->code = arena_full(&call->error, "the reply");
        return;
    }
    protobuf_c_message_init(type, call->response);
    void *self = rpc_service_self(method->service, call->loop ? loop_index(call->loop->loop) : 0);
    call->code = method->invoke(method->service->handlers, self, call->request, call->response, &call->error);
}

static void run_handler(struct rpc_call *call) {
    call->begun_us = clock_now_us();
    places_begin(&call->arrival->places, call->begun_us - call->received_us, call->begun_us);
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

/* ---- 5. the reply ---- */

/* Completes the error of a handler that failed without a message: with the code's own name and text. */
static void complete_error(struct rpc_call *call) {
    struct herald_error *error = &call->error;
    if (call->code == HERALD_OK) {
        return;
    }
    if (error->code == HERALD_OK || !*error->message) {
        herald_error_set_code(error, call->code, *error->reason ? error->reason : herald_code_name((int)call->code),
                              "%s: %s", call->method ? call->context.method : call->parts->name,
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
    uint32_t max_bytes = call->parts->limits.max_message_bytes;
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

/* Failpoints do not apply to herald.rpc.v1, which operators use to turn a failpoint off and to check health. */
static bool takes_faults(const struct rpc_call *call) {
    return call->method && !call->method->own;
}

static void note_end(const struct rpc_call *call) {
    interceptors_on_end(&call->parts->interceptors, call);
    if (call->method) {
        method_stats_end(&call->method->stats, call->code, rpc_call_latency_us(call));
    }
}

/* Replies and releases the call; the caller no longer owns @call. */
static void finish_rpc_call(struct rpc_call *call) {
    struct arrival *arrival = call->arrival;
    struct nng_msg *reply = make_reply(call);
    note_end(call);
    if (takes_faults(call) && failpoint_drops(FAILPOINT_RPC_REPLY)) {
        message_free(reply);
        reply = NULL;
    }
    free(call->text);
    if (call->loop) {
        call->in_loop.block = arena_fini_keep(&call->context.arena);
        rpc_loop_keep_call(call->loop, &call->in_loop);
        arrival->call = NULL;
    } else {
        arena_fini(&call->context.arena);
    }
    arrival_reply(arrival, reply);
}

void rpc_call_refuse(struct arrival *arrival, const struct herald_error *error) {
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

/* ---- on a thread of nng ---- */

void rpc_call_answer_inline(struct arrival *arrival) {
    struct rpc_call call;
    rpc_call_init(&call, arrival);
    read_message(&call);
    if (call.code == HERALD_OK && !call.method->schema->answer_inline) {
        call.code = herald_error_set(&call.error, HERALD_REASON_MALFORMED_ENVELOPE, "the envelope names two methods");
    }
    if (call.code == HERALD_OK) {
        run_handler_here(&call);
    }
    finish_rpc_call(&call);
}

/* ---- on a loop ---- */

static void refuse_without_memory(struct arrival *arrival) {
    struct rpc_call call;
    rpc_call_init(&call, arrival);
    call.code = herald_error_no_memory(&call.error, "another call");
    struct nng_msg *reply = make_reply(&call);
    atomic_fetch_sub(&arrival->loop->in_flight, 1);
    arrival_reply(arrival, reply);
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
    finish_rpc_call(call);
}

static enum herald_code check_begin(struct rpc_call *call) {
    enum herald_code code = gate_drain_cut(&call->parts->limits, call->loop->cut, &call->error);
    return code == HERALD_OK ? check_wanted(call) : code;
}

/* True: a task serves the call and finishes it. */
static bool spawn_handler(struct rpc_call *call) {
    call->code = task_spawn(call->loop->loop, &call->context, call->method->schema->name, serve, call, &call->error);
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

void rpc_call_begin(struct loop_work *work) {
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
            run_handler_here(call);
        }
    }
    finish_rpc_call(call);
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

void rpc_call_cut_all(struct rpc_loop *loop) {
    struct loop_call *running;
    loop->cut = true;
    DL_FOREACH (loop->running, running) {
        struct rpc_call *call = (struct rpc_call *)running; /* its first member */
        task_cancel_call(loop->loop, &call->context, HERALD_UNAVAILABLE);
    }
}
