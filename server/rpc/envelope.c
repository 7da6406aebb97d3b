#include "server/rpc/envelope.h"

#include "client/message/envelope_fields.h"
#include "client/message/wire.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "server/rpc/probe_text.h"

#include <assert.h>
#include <string.h>

struct envelope_schemas envelope_schemas_find(void) {
    struct envelope_schemas schemas = {.request = herald_schema_find_message("herald.rpc.v1.Request"),
                                       .auth = herald_schema_find_message("herald.rpc.v1.Auth")};
    assert(schemas.request && schemas.auth);
    return schemas;
}

/* ---- in ---- */

static enum herald_code not_an_envelope(const uint8_t *data, size_t bytes, const char *why, bool *ret_text,
                                        struct herald_error *reterr) {
    *ret_text = probe_is_text(data, bytes);
    if (!*ret_text) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_ENVELOPE, "the message is no herald.rpc.v1.Request: %s",
                                why);
    }
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_ENVELOPE,
                            "this is neither an envelope nor a probe. Send a packed herald.rpc.v1.Request, or text: "
                            "METHOD [JSON], such as herald.rpc.v1.Health/Check, or {\"method\": …, \"request\": …}, or "
                            "help");
}

static enum herald_code unpack_envelope(const struct envelope_schemas *schemas, ProtobufCAllocator *memory,
                                        const uint8_t *data, size_t bytes, ProtobufCMessage **ret_message,
                                        bool *ret_text, struct herald_error *reterr) {
    struct herald_error why;
    enum herald_code code = herald_unpack(schemas->request, memory, data, bytes, ret_message, &why);
    if (code == HERALD_INVALID_ARGUMENT) {
        return not_an_envelope(data, bytes, why.message, ret_text, reterr);
    }
    if (code != HERALD_OK) {
        herald_error_copy(reterr, &why);
        return code;
    }
    const Herald__Rpc__V1__Request *envelope = (const Herald__Rpc__V1__Request *)*ret_message;
    return *envelope->method ? HERALD_OK : not_an_envelope(data, bytes, "it names no method", ret_text, reterr);
}

static enum herald_code read_in_full(const struct envelope_schemas *schemas, const struct envelope_view *view,
                                     ProtobufCAllocator *memory, const uint8_t *data, size_t bytes,
                                     struct rpc_call_head *ret_head, bool *ret_text, struct herald_error *reterr) {
    ProtobufCMessage *message = NULL;
    enum herald_code code = unpack_envelope(schemas, memory, data, bytes, &message, ret_text, reterr);
    if (code == HERALD_OK && view->two_methods) {
        code = herald_error_set(reterr, HERALD_REASON_MALFORMED_ENVELOPE, "the envelope names two methods");
    }
    if (code == HERALD_OK) {
        code = herald_validate(schemas->request, message, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Rpc__V1__Request *envelope = (const Herald__Rpc__V1__Request *)message;
    const Herald__Rpc__V1__Attempt *attempt = envelope->attempt;
    *ret_head = (struct rpc_call_head){
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
    return HERALD_OK;
}

/* envelope_look() has checked that @view fits into the room at @to. */
static void copy_view(char *to, struct bytes_view view) {
    if (view.bytes > 0) {
        memcpy(to, view.data, view.bytes);
    }
    to[view.bytes] = '\0';
}

/* False: the credential is malformed; a full reading of the envelope then reports it with its path. */
static bool read_auth(const struct herald_message_schema *schema, struct bytes_view view, ProtobufCAllocator *memory,
                      const Herald__Rpc__V1__Auth **ret_auth) {
    ProtobufCMessage *auth = NULL;
    if (view.data && (herald_unpack(schema, memory, view.data, view.bytes, &auth, NULL) != HERALD_OK ||
                      herald_validate(schema, auth, NULL) != HERALD_OK)) {
        return false;
    }
    *ret_auth = (const Herald__Rpc__V1__Auth *)auth;
    return true;
}

static void read_plain(const struct envelope_view *view, const char *method, const Herald__Rpc__V1__Auth *auth,
                       struct envelope_head *ret_head) {
    copy_view(ret_head->call_id, view->call_id);
    copy_view(ret_head->idempotency_key, view->idempotency_key);
    copy_view(ret_head->traceparent, view->traceparent);
    ret_head->head = (struct rpc_call_head){
        .method = method,
        .call_id = ret_head->call_id,
        .idempotency_key = ret_head->idempotency_key,
        .traceparent = ret_head->traceparent,
        .timeout_ms = view->timeout_ms,
        .auth = auth,
        .payload = view->payload.data,
        .payload_bytes = view->payload.bytes,
        .want_timings = view->want_timings,
        .ticket = view->ticket,
        .attempt = view->attempt,
    };
}

enum herald_code envelope_read(const struct envelope_schemas *schemas, const struct envelope_view *view,
                               const char *method, ProtobufCAllocator *memory, const uint8_t *data, size_t bytes,
                               struct envelope_head *ret_head, bool *ret_text, struct herald_error *reterr) {
    const Herald__Rpc__V1__Auth *auth = NULL;
    if (!view->plain || !method || !read_auth(schemas->auth, view->auth, memory, &auth)) {
        return read_in_full(schemas, view, memory, data, bytes, &ret_head->head, ret_text, reterr);
    }
    read_plain(view, method, auth, ret_head);
    return HERALD_OK;
}

/* ---- out ---- */

static size_t tail_bytes(const struct envelope_tail *tail) {
    size_t bytes = 0;
    for (size_t i = 0; i < tail->metadata_count; i++) {
        size_t one = herald__rpc__v1__metadata__get_packed_size(tail->metadata[i]);
        bytes += 1 + wire_varint_bytes(one) + one;
    }
    if (tail->timings) {
        size_t one = herald__rpc__v1__timings__get_packed_size(tail->timings);
        bytes += 1 + wire_varint_bytes(one) + one;
    }
    return bytes;
}

static void put_reply_tail(uint8_t *to, const struct envelope_tail *tail) {
    for (size_t i = 0; i < tail->metadata_count; i++) {
        const Herald__Rpc__V1__Metadata *pair = tail->metadata[i];
        to = wire_put_head(to, RESPONSE_METADATA, herald__rpc__v1__metadata__get_packed_size(pair));
        to += herald__rpc__v1__metadata__pack(pair, to);
    }
    if (!tail->timings) {
        return;
    }
    to = wire_put_head(to, RESPONSE_TIMINGS, herald__rpc__v1__timings__get_packed_size(tail->timings));
    herald__rpc__v1__timings__pack(tail->timings, to);
}

static enum herald_code response_too_large(const char *method, size_t bytes, uint32_t max_bytes,
                                           struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_RESPONSE_TOO_LARGE,
                            "the response of %s has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for less",
                            method, bytes, max_bytes);
}

/* Leaves out the code, OK = 0, and empty fields, as proto3 does; but writes the payload even if it is empty. */
enum herald_code envelope_success(const char *method, const ProtobufCMessage *response,
                                  const struct envelope_tail *tail, uint32_t max_bytes, struct exchange *exchange,
                                  struct herald_error *reterr) {
    if (!protobuf_c_message_check(response)) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_RESPONSE, "%s made a response that cannot be sent",
                                method);
    }
    size_t payload_bytes = protobuf_c_message_get_packed_size(response);
    size_t bytes = 1 + wire_varint_bytes(payload_bytes) + payload_bytes + tail_bytes(tail);
    if (bytes > max_bytes) {
        return response_too_large(method, payload_bytes, max_bytes, reterr);
    }
    uint8_t *to = exchange_make_reply(exchange, bytes);
    if (!to) {
        return herald_error_no_memory(reterr, "the reply");
    }
    to = wire_put_head(to, RESPONSE_PAYLOAD, payload_bytes);
    put_reply_tail(to + protobuf_c_message_pack(response, to), tail);
    return HERALD_OK;
}

void envelope_error_fill(struct envelope_error *filled, const struct herald_error *error, Herald__Rpc__V1__Done done) {
    Herald__Rpc__V1__Response *response = &filled->response;
    herald__rpc__v1__response__init(response);
    response->code = (Herald__Rpc__V1__Code)herald_code_to_wire(error->code);
    response->message = (char *)error->message;
    response->reason = (char *)error->reason;
    response->retry_after_ms = error->retry_after_ms;
    response->done = done;
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

void envelope_failure(const struct herald_error *error, Herald__Rpc__V1__Done done, const struct envelope_tail *tail,
                      struct exchange *exchange) {
    struct envelope_error filled;
    envelope_error_fill(&filled, error, done);
    size_t bytes = herald__rpc__v1__response__get_packed_size(&filled.response);
    uint8_t *to = exchange_make_reply(exchange, bytes + tail_bytes(tail));
    if (to) {
        put_reply_tail(to + herald__rpc__v1__response__pack(&filled.response, to), tail);
    }
}
