/*
 * A call's way, top to bottom:
 *
 *   1  accept   the head, by the codec of its form (envelope.h, probe.h): the gates of the method and of time, the
 *               interceptors (authentication among them), then the gate of the caller
 *   2  decode   the payload: a packed request, or the JSON of a probe
 *   3  check    the decoded request: its rules and the interceptors
 *   4  handler
 *   5  reply    by the codec of the call's form
 *
 * rpc_call_read() shows the first three steps. serve.c runs the steps on the right thread, and sends the reply.
 */
#include "server/rpc/rpc_call.h"

#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/uuid.h"
#include "server/rpc/acting_user.h"
#include "server/rpc/arrival.h"
#include "server/rpc/envelope.h"
#include "server/rpc/gates.h"
#include "server/rpc/near.h"
#include "server/rpc/probe.h"
#include "server/rpc/probe_help.h"
#include "server/rpc/request_text.h"
#include "server/rpc/server_parts.h"

#include <stdio.h>
#include <string.h>

/* The call whose handler runs on this thread without a task, because its method never waits. */
static _Thread_local struct rpc_call *inline_call;

struct rpc_call *rpc_call_current(void) {
    struct call *context = call_current();
    return inline_call ? inline_call : context ? context->owner : NULL;
}

const struct rpc_signature *rpc_call_signature_left(void) {
    const struct rpc_call *call = rpc_call_current();
    return call && call->signature_left ? &call->signature : NULL;
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
    call->caller_class = CALLER_CLASS_NONE;
    call->signature.time_ms = 0;
    call->signature_left = false;
    call->text = NULL;
    call->probe = arrival->probe;
    call->want_timings = call->succeeded = false;
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

/* The head as the codec of the call's form reads it. @head points into the struct, which must not be moved. */
struct form_head {
    const struct rpc_call_head *head;
    union {
        struct envelope_head envelope;
        struct probe_head probe;
    };
};

static enum herald_code read_envelope_head(struct rpc_call *call, struct form_head *ret_read) {
    const struct arrival *arrival = call->arrival;
    const char *method = arrival->method ? arrival->method->schema->full_name : NULL;
    enum herald_code code = envelope_read(&call->parts->schemas, &arrival->view, method, &call->context.arena.protobuf,
                                          arrival->exchange->data, arrival->exchange->bytes, &ret_read->envelope,
                                          &call->probe, &call->error);
    if (code == HERALD_OK) {
        ret_read->head = &ret_read->envelope.head;
        call->method = arrival->view.plain ? arrival->method : NULL; /* NULL: find_called_method() looks it up */
    }
    return code;
}

static enum herald_code read_probe_head(struct rpc_call *call, struct form_head *ret_read) {
    const struct exchange *exchange = call->arrival->exchange;
    ret_read->head = &ret_read->probe.head;
    return probe_read(call->parts->schemas.auth, &call->context.arena, exchange->data, exchange->bytes,
                      &ret_read->probe, &call->error);
}

static enum herald_code read_head(struct rpc_call *call, struct form_head *ret_read) {
    return call->probe ? read_probe_head(call, ret_read) : read_envelope_head(call, ret_read);
}

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
    return call->loop ? arrival_enter_method(call->arrival, call->method, call->received_us, &call->error) : HERALD_OK;
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
        code = gate_queue(&call->parts->limits, method, call->method->schema->deadline_ms, call->received_us, now_us,
                          &call->error);
    }
    return code == HERALD_OK ? gate_time_left(call->method, call->context.deadline_us, now_us, &call->error) : code;
}

/* Checks the connection's limit for a call without a caller that was not counted on arrival: a probe, or a call whose
 * credential no interceptor checks. */
static enum herald_code enter_connection(struct rpc_call *call) {
    const struct rpc_limits *limits = &call->parts->limits;
    bool full = limits->max_in_flight_per_connection != 0 && !arrival_counts_as_connection(call->arrival) &&
                exchange_in_flight(call->arrival->exchange) > limits->max_in_flight_per_connection;
    return gate_connection_calls(limits, full, &call->error);
}

/* True for those for whom places are kept: rpc.reserved_for_servers. */
static bool has_kept_places(const struct rpc_call *call) {
    return call->caller_class == CALLER_CLASS_SERVER || call->caller_class == CALLER_CLASS_OPERATOR;
}

static enum herald_code enter_caller(struct rpc_call *call) {
    if (!call->loop || call->method->own) {
        return HERALD_OK;
    }
    if (!has_kept_places(call)) {
        enum herald_code code =
            arrival_enter_as_stranger(call->arrival, call->method, !*call->context.caller, &call->error);
        if (code != HERALD_OK) {
            return code;
        }
    }
    return *call->context.caller
               ? gate_caller(&call->parts->limits, &call->arrival->places, &call->parts->callers, call->context.caller,
                             call->caller_class, call->method->schema->waits, &call->error)
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

static enum herald_code decode_packed(struct rpc_call *call, const struct rpc_call_head *head) {
    return herald_unpack(call->method->schema->request, &call->context.arena.protobuf, head->payload,
                         head->payload_bytes, &call->request, &call->error);
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

/* Sets call->request; or call->text, for a probe that needs no handler. */
static enum herald_code decode_payload(struct rpc_call *call, const struct form_head *read) {
    if (!call->probe) {
        return decode_packed(call, read->head);
    }
    switch (read->probe.kind) {
    case PROBE_HELP:
        return probe_help(call->parts->name, &call->parts->registry, &call->text, &call->error);
    case PROBE_DESCRIBE:
        return probe_describe(read->probe.name, &call->text, &call->error);
    default:
        return decode_json(call, read->head);
    }
}

/* ---- 3. check ---- */

static enum herald_code check_request(struct rpc_call *call) {
    const struct herald_message_schema *schema = call->method->schema->request;
    enum herald_code code = request_text_clean(schema, call->request, &call->context.arena, &call->error);
    if (code == HERALD_OK) {
        code = gate_request(schema, call->request, call->context.user, &call->error);
    }
    if (code == HERALD_OK) {
        (void)snprintf(call->context.tenant, sizeof(call->context.tenant), "%s", acting_user_of(schema, call->request));
    }
    return code == HERALD_OK ? interceptors_on_request(&call->parts->interceptors, call, &call->error) : code;
}

/* ---- the three steps ---- */

enum herald_code rpc_call_read(struct rpc_call *call) {
    struct form_head read;
    enum herald_code code = read_head(call, &read);
    if (code == HERALD_OK) {
        code = accept_head(call, read.head);
    }
    if (code == HERALD_OK) {
        code = decode_payload(call, &read);
    }
    return code == HERALD_OK && call->request ? check_request(call) : code;
}

/* ---- 4. handler ---- */

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
    call->succeeded = call->code == HERALD_OK;
}

void rpc_call_arrived(struct rpc_call *call) {
    uint64_t now_us = clock_now_us();
    places_begin(&call->arrival->places, now_us - call->received_us, now_us);
}

void rpc_call_run(struct rpc_call *call) {
    call->begun_us = clock_now_us();
    invoke(call);
    call->ended_us = clock_now_us();
    if (call->code == HERALD_OK && !call->context.waits_on_purpose) {
        least_latency_note(&call->method->least, call->ended_us - call->begun_us, call->ended_us);
    }
}

void rpc_call_run_here(struct rpc_call *call) {
    inline_call = call;
    rpc_call_arrived(call);
    rpc_call_run(call);
    inline_call = NULL;
}

/* ---- 5. reply ---- */

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

static enum herald_code make_success(struct rpc_call *call, const struct envelope_tail *tail) {
    uint32_t max_bytes = call->parts->limits.max_message_bytes;
    struct exchange *exchange = call->arrival->exchange;
    if (call->text) {
        return probe_answer(call->text, max_bytes, exchange, &call->error);
    }
    return call->probe
               ? probe_success(call->method->schema->response, call->response, max_bytes, exchange, &call->error)
               : envelope_success(call->context.method, call->response, tail, max_bytes, exchange, &call->error);
}

/* Whether the error is the handler's own answer, which tells what happened. */
static bool is_answer(const struct herald_error *error) {
    return herald_reason_stage(herald_reason_find(error->reason)) == HERALD_STAGE_HANDLER;
}

/* What was done for a call that fails. */
static Herald__Rpc__V1__Done done_of(const struct rpc_call *call) {
    if (!call->begun_us) {
        return HERALD__RPC__V1__DONE__NOTHING;
    }
    if (call->method->schema->effect == HERALD_EFFECT_READ) {
        return HERALD__RPC__V1__DONE__AS_TOLD;
    }
    bool lost = call->succeeded || call->code == HERALD_OUTCOME_UNKNOWN || call->code == HERALD_UNKNOWN;
    return lost || (call->context.has_effect && !is_answer(&call->error)) ? HERALD__RPC__V1__DONE__NOT_KNOWN
                                                                          : HERALD__RPC__V1__DONE__AS_TOLD;
}

void rpc_call_make_reply(struct rpc_call *call) {
    struct envelope_tail tail = {.metadata = call->reply_metadata.pairs, .metadata_count = call->reply_metadata.count};
    Herald__Rpc__V1__Timings timings;
    if (call->want_timings) {
        timings = timings_of(call);
        tail.timings = &timings;
    }
    complete_error(call);
    if (call->code == HERALD_OK && (call->code = make_success(call, &tail)) == HERALD_OK) {
        return;
    }
    Herald__Rpc__V1__Done done = done_of(call);
    if (call->probe) {
        probe_failure(&call->error, done, call->arrival->exchange);
    } else {
        envelope_failure(&call->error, done, &tail, call->arrival->exchange);
    }
}
