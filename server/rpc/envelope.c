#include "server/rpc/envelope.h"

#include "client/message/envelope_fields.h"
#include "client/message/wire.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "server/rpc/probe.h"

#include <stdio.h>
#include <string.h>

/* ---- in ---- */

static enum herald_code not_an_envelope(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    if (!probe_is_text(data, bytes)) {
        char why[sizeof(call->error.message)];
        snprintf(why, sizeof(why), "%s", call->error.message);
        return herald_error_set(&call->error, HERALD_REASON_MALFORMED_ENVELOPE,
                                "the message is no herald.rpc.v1.Request: %s", why);
    }
    call->probe = true;
    return herald_error_set(&call->error, HERALD_REASON_MALFORMED_ENVELOPE,
                            "this is neither an envelope nor a probe. Send a packed herald.rpc.v1.Request, or text: "
                            "METHOD [JSON], such as herald.rpc.v1.Health/Check, or {\"method\": …, \"request\": …}, or "
                            "help");
}

static enum herald_code read_payload(struct rpc_call *call, const uint8_t *payload, size_t bytes) {
    enum herald_code code = herald_unpack(call->method->schema->request, &call->context.arena.protobuf, payload, bytes,
                                          &call->request, &call->error);
    return code == HERALD_OK ? rpc_call_check_request(call) : code;
}

/* Reads the envelope by its schema, which finds whatever is wrong with it. */
static enum herald_code read_in_full(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    ProtobufCMessage *message = NULL;
    enum herald_code code =
        herald_unpack(call->server->envelope, &call->context.arena.protobuf, data, bytes, &message, &call->error);
    if (code == HERALD_INVALID_ARGUMENT) {
        return not_an_envelope(call, data, bytes);
    }
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Rpc__V1__Request *envelope = (const Herald__Rpc__V1__Request *)message;
    if (!*envelope->method) {
        herald_error_set(&call->error, HERALD_REASON_MALFORMED_ENVELOPE, "it names no method");
        return not_an_envelope(call, data, bytes);
    }
    if (call->exchange->view.two_methods) {
        return herald_error_set(&call->error, HERALD_REASON_MALFORMED_ENVELOPE, "the envelope names two methods");
    }
    code = herald_validate(call->server->envelope, message, &call->error);
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Rpc__V1__Attempt *attempt = envelope->attempt;
    const struct rpc_call_head head = {
        .method = envelope->method,
        .call_id = envelope->call_id,
        .idempotency_key = envelope->idempotency_key,
        .traceparent = envelope->traceparent,
        .timeout_ms = envelope->timeout_ms,
        .auth = envelope->auth,
        .payload = envelope->payload.data,
        .payload_bytes = envelope->payload.len,
        .metadata = envelope->metadata,
        .metadata_count = envelope->n_metadata,
        .want_timings = attempt && attempt->want_timings,
        .ticket = attempt ? attempt->ticket : 0,
        .attempt = attempt ? attempt->number : 0,
    };
    code = rpc_call_accept(call, &head);
    return code == HERALD_OK ? read_payload(call, head.payload, head.payload_bytes) : code;
}

/* @view fits, as envelope_look() has found. */
static void copy_text(char *to, struct bytes_view view) {
    if (view.bytes > 0) {
        memcpy(to, view.data, view.bytes);
    }
    to[view.bytes] = '\0';
}

/* A credential that is malformed is told by its place in the whole envelope. */
static enum herald_code read_plain(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    const struct envelope_view *view = &call->exchange->view;
    struct call *context = &call->context;
    ProtobufCMessage *auth = NULL;
    if (view->auth.data) {
        const struct herald_message_schema *schema = call->server->auth;
        enum herald_code code =
            herald_unpack(schema, &context->arena.protobuf, view->auth.data, view->auth.bytes, &auth, NULL);
        if (code != HERALD_OK || herald_validate(schema, auth, NULL) != HERALD_OK) {
            return read_in_full(call, data, bytes);
        }
    }
    call->method = view->method;
    copy_text(context->id, view->call_id);
    copy_text(context->idempotency_key, view->idempotency_key);
    char traceparent[sizeof(context->traceparent)]; /* the call's own is not the caller's for long */
    copy_text(traceparent, view->traceparent);
    const struct rpc_call_head head = {
        .method = view->method->schema->full_name,
        .call_id = context->id,
        .idempotency_key = context->idempotency_key,
        .traceparent = traceparent,
        .timeout_ms = view->timeout_ms,
        .auth = (const Herald__Rpc__V1__Auth *)auth,
        .payload = view->payload.data,
        .payload_bytes = view->payload.bytes,
        .want_timings = view->want_timings,
        .ticket = view->ticket,
        .attempt = view->attempt,
    };
    enum herald_code code = rpc_call_accept(call, &head);
    return code == HERALD_OK ? read_payload(call, head.payload, head.payload_bytes) : code;
}

enum herald_code envelope_read(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    return call->exchange->view.plain ? read_plain(call, data, bytes) : read_in_full(call, data, bytes);
}

/* ---- out ---- */

static Herald__Rpc__V1__Timings timings_of(const struct rpc_call *call) {
    Herald__Rpc__V1__Timings timings = HERALD__RPC__V1__TIMINGS__INIT;
    uint64_t received_us = call->exchange->received_us;
    timings.queue_us = (call->begun_us ? call->begun_us : clock_now_us()) - received_us;
    timings.handler_us = call->begun_us && call->ended_us ? call->ended_us - call->begun_us : 0;
    timings.downstream_us = call->context.downstream_us;
    return timings;
}

/* What follows the payload: metadata and timings. */
static size_t tail_bytes(const struct rpc_call *call, const Herald__Rpc__V1__Timings *timings) {
    size_t bytes = 0;
    for (size_t i = 0; i < call->reply_metadata_count; i++) {
        size_t one = herald__rpc__v1__metadata__get_packed_size(call->reply_metadata[i]);
        bytes += 1 + wire_varint_bytes(one) + one;
    }
    if (call->want_timings) {
        size_t one = herald__rpc__v1__timings__get_packed_size(timings);
        bytes += 1 + wire_varint_bytes(one) + one;
    }
    return bytes;
}

static void put_tail(uint8_t *to, const struct rpc_call *call, const Herald__Rpc__V1__Timings *timings) {
    for (size_t i = 0; i < call->reply_metadata_count; i++) {
        const Herald__Rpc__V1__Metadata *pair = call->reply_metadata[i];
        to = wire_put_head(to, RESPONSE_METADATA, herald__rpc__v1__metadata__get_packed_size(pair));
        to += herald__rpc__v1__metadata__pack(pair, to);
    }
    if (!call->want_timings) {
        return;
    }
    to = wire_put_head(to, RESPONSE_TIMINGS, herald__rpc__v1__timings__get_packed_size(timings));
    herald__rpc__v1__timings__pack(timings, to);
}

static enum herald_code response_too_large(const struct rpc_call *call, size_t bytes, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_RESPONSE_TOO_LARGE,
                            "the response of %s has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for less",
                            call->context.method, bytes, call->server->limits.max_message_bytes);
}

/* The code, OK = 0, is left out as proto3 does; so is what is empty, but for the payload. */
enum herald_code envelope_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr) {
    if (!protobuf_c_message_check(call->response)) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_RESPONSE, "%s made a response that cannot be sent",
                                call->context.method);
    }
    const Herald__Rpc__V1__Timings timings = timings_of(call);
    size_t payload_bytes = protobuf_c_message_get_packed_size(call->response);
    size_t bytes = 1 + wire_varint_bytes(payload_bytes) + payload_bytes + tail_bytes(call, &timings);
    if (bytes > call->server->limits.max_message_bytes) {
        return response_too_large(call, payload_bytes, reterr);
    }
    nng_msg *reply = NULL;
    if (nng_msg_alloc(&reply, bytes) != 0) {
        return herald_error_no_memory(reterr, "the reply");
    }
    uint8_t *to = wire_put_head(nng_msg_body(reply), RESPONSE_PAYLOAD, payload_bytes);
    put_tail(to + protobuf_c_message_pack(call->response, to), call, &timings);
    *ret_reply = reply;
    return HERALD_OK;
}

void envelope_error_fill(struct envelope_error *filled, const struct herald_error *error) {
    Herald__Rpc__V1__Response *response = &filled->response;
    herald__rpc__v1__response__init(response);
    response->code = (Herald__Rpc__V1__Code)herald_code_to_wire(error->code);
    response->message = (char *)error->message;
    response->reason = (char *)error->reason;
    response->retry_after_ms = error->retry_after_ms;
    response->details = filled->detail_list;
    for (uint32_t i = 0; i < error->detail_count && i < HERALD_ERROR_DETAILS_MAX; i++) {
        Herald__Rpc__V1__ErrorDetail *detail = &filled->details[i];
        herald__rpc__v1__error_detail__init(detail);
        detail->field = (char *)error->details[i].field;
        detail->reason = (char *)error->details[i].reason;
        detail->message = (char *)error->details[i].message;
        filled->detail_list[response->n_details++] = detail;
    }
}

nng_msg *envelope_failure(const struct rpc_call *call) {
    struct envelope_error filled;
    nng_msg *reply = NULL;
    const Herald__Rpc__V1__Timings timings = timings_of(call);
    envelope_error_fill(&filled, &call->error);
    size_t bytes = herald__rpc__v1__response__get_packed_size(&filled.response);
    if (nng_msg_alloc(&reply, bytes + tail_bytes(call, &timings)) != 0) {
        return NULL;
    }
    uint8_t *to = nng_msg_body(reply);
    put_tail(to + herald__rpc__v1__response__pack(&filled.response, to), call, &timings);
    return reply;
}
