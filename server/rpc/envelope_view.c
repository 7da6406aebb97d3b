#include "server/rpc/envelope_view.h"

#include "client/base/ascii.h"
#include "client/message/envelope_fields.h"
#include "client/message/wire.h"
#include "herald/uuid.h"

/* Limits of proto/herald/rpc/v1/envelope.proto, Request and Attempt. */
#define IDEMPOTENCY_KEY_MAX 128
#define TRACEPARENT_MAX     55
#define ATTEMPT_NUMBER_MAX  1000

static bool is_token(struct bytes_view text, size_t max_bytes) {
    return text.bytes <= max_bytes && herald_is_graphic((const char *)text.data, text.bytes);
}

static bool is_uuid(struct bytes_view text) {
    return text.bytes == 0 || herald_uuid_valid((const char *)text.data, text.bytes);
}

/* True for traceparent version 00. A full reading checks another version by the field's pattern. */
static bool is_plain_traceparent(struct bytes_view text) {
    static const char shape[] = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    if (text.bytes == 0) {
        return true;
    }
    if (text.bytes != TRACEPARENT_MAX) {
        return false;
    }
    for (size_t i = 0; i < TRACEPARENT_MAX; i++) {
        uint8_t c = text.data[i];
        bool fits = shape[i] == 'h' ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') : c == (uint8_t)shape[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool look_at_attempt(struct envelope_view *view, const struct wire_field *attempt) {
    struct wire_cursor cursor = {attempt->data, attempt->data + attempt->bytes};
    struct wire_field field;
    while (cursor.at < cursor.end) {
        if (!wire_read_field(&cursor, &field) || (field.number <= ATTEMPT_WANT_TIMINGS && field.type != WIRE_VARINT)) {
            return false;
        }
        if (field.number == ATTEMPT_NUMBER) {
            view->attempt = (uint32_t)field.value;
        } else if (field.number == ATTEMPT_TICKET) {
            view->ticket = field.value;
        } else if (field.number == ATTEMPT_WANT_TIMINGS) {
            view->want_timings = field.value != 0;
        }
    }
    return view->attempt <= ATTEMPT_NUMBER_MAX;
}

static bool take_text_field(struct bytes_view *to, const struct wire_field *field) {
    *to = (struct bytes_view){field->data, field->bytes};
    return field->type == WIRE_BYTES;
}

/* Takes `auth` once. A second one would have to be merged with the first, so the envelope is not plain. */
static bool take_auth_field(struct envelope_view *view, const struct wire_field *field) {
    return !view->auth.data && take_text_field(&view->auth, field);
}

static bool take_method_field(struct envelope_view *view, const struct wire_field *field) {
    if (field->type != WIRE_BYTES) {
        return false;
    }
    view->two_methods = view->method.data != NULL;
    view->method = (struct bytes_view){field->data, field->bytes};
    return !view->two_methods;
}

/* Takes one field into the view. False: the envelope is not plain. */
static bool take_field(struct envelope_view *view, const struct wire_field *field, bool *attempted) {
    switch (field->number) {
    case REQUEST_METHOD:
        return take_method_field(view, field);
    case REQUEST_PAYLOAD:
        return take_text_field(&view->payload, field);
    case REQUEST_TIMEOUT_MS:
        view->timeout_ms = (uint32_t)field->value;
        return field->type == WIRE_VARINT;
    case REQUEST_CALL_ID:
        return take_text_field(&view->call_id, field) && is_uuid(view->call_id);
    case REQUEST_IDEMPOTENCY_KEY:
        return take_text_field(&view->idempotency_key, field) && is_token(view->idempotency_key, IDEMPOTENCY_KEY_MAX);
    case REQUEST_METADATA:
        return false;
    case REQUEST_TRACEPARENT:
        return take_text_field(&view->traceparent, field) && is_plain_traceparent(view->traceparent);
    case REQUEST_AUTH:
        return take_auth_field(view, field);
    case REQUEST_ATTEMPT:
        if (*attempted || field->type != WIRE_BYTES) {
            return false;
        }
        *attempted = true;
        return look_at_attempt(view, field);
    default:
        return true; /* a newer client may know more */
    }
}

void envelope_look(const uint8_t *data, size_t bytes, struct envelope_view *ret_view) {
    struct wire_cursor cursor = {data, data + bytes};
    struct wire_field field = {.number = 0};
    bool attempted = false;
    *ret_view = (struct envelope_view){.plain = true};
    while (cursor.at < cursor.end) {
        if (!wire_read_field(&cursor, &field)) {
            ret_view->plain = false;
            return;
        }
        if (!take_field(ret_view, &field, &attempted)) {
            ret_view->plain = false;
        }
    }
    ret_view->plain = ret_view->plain && ret_view->method.data;
}
