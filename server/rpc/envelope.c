#include "server/rpc/envelope.h"

#include "herald/unpack.h"
#include "herald/validate.h"
#include "server/rpc/probe.h"

#include <stdio.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

#define FIELD_METHOD  1u
#define FIELD_PAYLOAD 5u
#define VARINT_MAX    10u

/* Reads a varint at @at; returns the position after it, 0 if there is none. */
static size_t read_varint(const uint8_t *data, size_t bytes, size_t at, uint64_t *ret_value) {
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX && at + i < bytes; i++) {
        value |= (uint64_t)(data[at + i] & 0x7f) << (7 * i);
        if (!(data[at + i] & 0x80)) {
            *ret_value = value;
            return at + i + 1;
        }
    }
    return 0;
}

/* Position after a field's value of @type that starts at @at; 0 when there is none. */
static size_t skip_value(const uint8_t *data, size_t bytes, size_t at, unsigned type) {
    uint64_t number;
    size_t end = 0;
    if (type == WIRE_VARINT)
        return read_varint(data, bytes, at, &number);
    if (type == WIRE_FIXED64 || type == WIRE_FIXED32)
        end = at + (type == WIRE_FIXED64 ? 8 : 4);
    else if (type == WIRE_BYTES && (at = read_varint(data, bytes, at, &number)) != 0 && number <= bytes - at)
        end = at + (size_t)number;
    return end <= bytes ? end : 0;
}

bool envelope_peek_method(const uint8_t *data, size_t bytes, const char **ret_name, size_t *ret_name_bytes) {
    size_t at = 0;
    uint64_t tag;
    while (at < bytes && (at = read_varint(data, bytes, at, &tag)) != 0) {
        size_t end = skip_value(data, bytes, at, (unsigned)(tag & 7));
        if (end == 0)
            return false;
        if (tag == (FIELD_METHOD << 3 | WIRE_BYTES)) {
            uint64_t length = 0;
            size_t start = read_varint(data, bytes, at, &length);
            *ret_name = (const char *)data + start;
            *ret_name_bytes = (size_t)length;
            return true;
        }
        at = end;
    }
    return false;
}

/* ---- in ---- */

static enum herald_code not_an_envelope(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    if (!probe_is_text(data, bytes)) {
        char why[sizeof call->error.message];
        snprintf(why, sizeof why, "%s", call->error.message);
        return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE",
                                "the message is no herald.rpc.v1.Request: %s", why);
    }
    call->probe = true;
    return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE",
                            "this is neither an envelope nor a probe. Send a packed herald.rpc.v1.Request, or text: "
                            "METHOD [JSON], such as herald.rpc.v1.Health/Check, or {\"method\": …, \"request\": …}, or "
                            "help");
}

static enum herald_code read_payload(struct rpc_call *call, const ProtobufCBinaryData *payload) {
    const struct herald_message_schema *schema = call->method->schema->request;
    enum herald_code code =
        herald_unpack(schema, &call->context.arena.protobuf, payload->data, payload->len, &call->request, &call->error);
    return code == HERALD_OK ? herald_validate(schema, call->request, &call->error) : code;
}

enum herald_code envelope_read(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    ProtobufCMessage *message = NULL;
    enum herald_code code =
        herald_unpack(call->server->envelope, &call->context.arena.protobuf, data, bytes, &message, &call->error);
    if (code == HERALD_INVALID_ARGUMENT)
        return not_an_envelope(call, data, bytes);
    if (code != HERALD_OK)
        return code;
    const Herald__Rpc__V1__Request *envelope = (const Herald__Rpc__V1__Request *)message;
    if (!*envelope->method) {
        herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE", "it names no method");
        return not_an_envelope(call, data, bytes);
    }
    code = herald_validate(call->server->envelope, message, &call->error);
    if (code != HERALD_OK)
        return code;
    const struct rpc_call_head head = {.method = envelope->method,
                                       .call_id = envelope->call_id,
                                       .idempotency_key = envelope->idempotency_key,
                                       .traceparent = envelope->traceparent,
                                       .timeout_ms = envelope->timeout_ms};
    code = rpc_call_accept(call, &head);
    return code == HERALD_OK ? read_payload(call, &envelope->payload) : code;
}

/* ---- out ---- */

/* The head of an OK reply: the payload's tag and length. The code, OK = 0, is left out as proto3 does. */
static size_t write_payload_head(uint8_t head[1 + VARINT_MAX], size_t payload_bytes) {
    size_t used = 0;
    head[used++] = FIELD_PAYLOAD << 3 | WIRE_BYTES;
    for (; payload_bytes >= 0x80; payload_bytes >>= 7)
        head[used++] = (uint8_t)(payload_bytes | 0x80);
    head[used++] = (uint8_t)payload_bytes;
    return used;
}

static enum herald_code no_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "NO_MEMORY", "the server has no memory for the reply");
}

enum herald_code envelope_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr) {
    if (!protobuf_c_message_check(call->response))
        return herald_error_set(reterr, HERALD_INTERNAL, "MALFORMED_RESPONSE", "%s made a response that cannot be sent",
                                call->context.method);
    uint8_t head[1 + VARINT_MAX];
    size_t payload_bytes = protobuf_c_message_get_packed_size(call->response);
    size_t head_bytes = write_payload_head(head, payload_bytes);
    if (payload_bytes + head_bytes > call->server->limits.max_message_bytes)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "RESPONSE_TOO_LARGE",
                                "the response of %s has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for "
                                "less",
                                call->context.method, payload_bytes, call->server->limits.max_message_bytes);
    nng_msg *reply = NULL;
    if (nng_msg_alloc(&reply, head_bytes + payload_bytes) != 0)
        return no_memory(reterr);
    uint8_t *body = nng_msg_body(reply);
    memcpy(body, head, head_bytes);
    protobuf_c_message_pack(call->response, body + head_bytes);
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

nng_msg *envelope_failure(const struct herald_error *error) {
    struct envelope_error filled;
    nng_msg *reply = NULL;
    envelope_error_fill(&filled, error);
    if (nng_msg_alloc(&reply, herald__rpc__v1__response__get_packed_size(&filled.response)) != 0)
        return NULL;
    herald__rpc__v1__response__pack(&filled.response, nng_msg_body(reply));
    return reply;
}
