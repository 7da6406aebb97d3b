/* Packs the envelopes of requests by hand: request.h. */
#include "client/src/request.h"

#include "client/message/envelope_fields.h"
#include "client/message/field.h"
#include "client/message/wire.h"
#include "client/src/credential.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USER_MAX 64u
/* Tag and value of a number. */
#define NUMBER_MAX_BYTES  11u
#define ATTEMPT_MAX_BYTES (2 + 3 * NUMBER_MAX_BYTES)

struct text {
    const char *data;
    size_t bytes;
};

/* The values that attempts share. */
struct parts {
    struct text method, call_id, idempotency_key, traceparent;
    const struct herald_metadata *metadata;
    size_t metadata_count;
    const ProtobufCMessage *request;
    size_t payload_bytes;
};

static struct text text_of_string(const char *text) {
    return (struct text){text, text ? strlen(text) : 0};
}

static size_t pair_bytes(size_t key_bytes, size_t value_bytes) {
    return wire_text_bytes(key_bytes) + wire_text_bytes(value_bytes);
}

static uint8_t *put_pair(uint8_t *to, const char *key, const void *value, size_t value_bytes) {
    size_t key_bytes = strlen(key);
    to = wire_put_head(to, REQUEST_METADATA, pair_bytes(key_bytes, value_bytes));
    to = wire_put_text(to, METADATA_KEY, key, key_bytes);
    return wire_put_text(to, METADATA_VALUE, value, value_bytes);
}

static size_t parts_bytes(const struct parts *parts) {
    size_t bytes = wire_text_bytes(parts->method.bytes) + wire_text_bytes(parts->payload_bytes) +
                   wire_text_bytes(parts->call_id.bytes) + wire_text_bytes(parts->idempotency_key.bytes) +
                   wire_text_bytes(parts->traceparent.bytes);
    for (size_t i = 0; i < parts->metadata_count; i++) {
        size_t pair = pair_bytes(strlen(parts->metadata[i].key), parts->metadata[i].value_bytes);
        bytes += 1 + wire_varint_bytes(pair) + pair;
    }
    return bytes;
}

static void parts_write(const struct parts *parts, struct herald_request *packed) {
    uint8_t *start = packed->common.bytes;
    uint8_t *to = wire_put_text(start, REQUEST_METHOD, parts->method.data, parts->method.bytes);
    if (parts->payload_bytes > 0) {
        to = wire_put_head(to, REQUEST_PAYLOAD, parts->payload_bytes);
    }
    packed->payload_at = (size_t)(to - start);
    packed->payload_bytes = parts->payload_bytes;
    if (parts->payload_bytes > 0) {
        to += protobuf_c_message_pack(parts->request, to);
    }
    to = wire_put_text(to, REQUEST_CALL_ID, parts->call_id.data, parts->call_id.bytes);
    to = wire_put_text(to, REQUEST_IDEMPOTENCY_KEY, parts->idempotency_key.data, parts->idempotency_key.bytes);
    packed->key_bytes = parts->idempotency_key.bytes;
    packed->key_at = (size_t)(to - start) - packed->key_bytes;
    for (size_t i = 0; i < parts->metadata_count; i++) {
        to = put_pair(to, parts->metadata[i].key, parts->metadata[i].value, parts->metadata[i].value_bytes);
    }
    to = wire_put_text(to, REQUEST_TRACEPARENT, parts->traceparent.data, parts->traceparent.bytes);
    packed->common.count = (size_t)(to - start);
}

/* Whether packing can follow every pointer: messages inside are of the schema's types and no item is missing. */
static bool can_pack(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    if (message->descriptor != schema->descriptor) {
        return false;
    }
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[i];
        bool pointers = field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
        bool repeated = herald_field_is_repeated(field);
        size_t count = repeated ? herald_field_count(message, field) : herald_field_is_present(message, field);
        if (repeated && count > 0 && !*(const void *const *)herald_field_at(message, field)) {
            return false;
        }
        for (size_t item = 0; pointers && item < count; item++) {
            const void *at = repeated ? herald_field_item(message, field, item) : herald_field_at(message, field);
            const void *value = *(const void *const *)at;
            if (!value && repeated) {
                return false;
            }
            if (value && field->type == PROTOBUF_C_TYPE_MESSAGE && !can_pack(schema->fields[i].message, value)) {
                return false;
            }
        }
    }
    return true;
}

/* The value of the request's field that names the acting user; NULL if it has none. */
static const char *user_in(const struct herald_message_schema *schema, const ProtobufCMessage *request) {
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[i];
        if (schema->fields[i].rules.acting_user && field->type == PROTOBUF_C_TYPE_STRING &&
            !herald_field_is_repeated(field) && herald_field_is_present(request, field)) {
            return *(const char *const *)herald_field_at(request, field);
        }
    }
    return NULL;
}

/* Chooses the user for whom the call acts, and checks that user and idempotency key can be signed. */
static enum herald_code choose_user(struct herald_request *packed, const struct herald_method_schema *method,
                                    const char *user, struct text key, struct herald_error *reterr) {
    struct text text = text_of_string(user);
    if (!herald_credential_can_sign(text.data, text.bytes, USER_MAX)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_ACTING_USER,
                                "%s: the user for whom it acts must be at most %u characters of printable ASCII "
                                "without spaces",
                                method->full_name, USER_MAX);
    }
    if (!herald_credential_can_sign(key.data, key.bytes, HERALD_IDEMPOTENCY_KEY_MAX)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_IDEMPOTENCY_KEY,
                                "%s: the idempotency key must be at most %u characters of printable ASCII without "
                                "spaces",
                                method->full_name, HERALD_IDEMPOTENCY_KEY_MAX);
    }
    snprintf(packed->user, sizeof(packed->user), "%s", user ? user : "");
    return HERALD_OK;
}

enum herald_code herald_request_pack(struct herald_request *packed, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     const struct herald_credential *credential, const char *call_id,
                                     struct herald_error *reterr) {
    if (!can_pack(method->request, request)) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_REQUEST,
                                "%s: the request is no %s, or an item of a list in it is NULL", method->full_name,
                                method->request->full_name);
    }
    char minted_key[37];
    const char *key = options->idempotency_key;
    if (!key && method->effect == HERALD_EFFECT_ONCE) {
        herald_uuid7(minted_key);
        key = minted_key;
    }
    struct parts parts = {
        .method = text_of_string(method->full_name),
        .call_id = text_of_string(call_id),
        .idempotency_key = text_of_string(key),
        .traceparent = text_of_string(options->traceparent),
        .metadata = options->metadata,
        .metadata_count = options->metadata_count,
        .request = request,
        .payload_bytes = protobuf_c_message_get_packed_size(request),
    };
    packed->user[0] = '\0';
    if (credential && herald_credential_signs(credential)) {
        const char *user = options->acting_user ? options->acting_user : user_in(method->request, request);
        enum herald_code code = choose_user(packed, method, user, parts.idempotency_key, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    size_t bytes = parts_bytes(&parts);
    if (!herald_buffer_reserve(&packed->common, bytes)) {
        return herald_error_no_memory(reterr, "a request to %s of %zu bytes", method->full_name, bytes);
    }
    parts_write(&parts, packed);
    return HERALD_OK;
}

static uint8_t *put_number_field(uint8_t *to, unsigned number, uint64_t value) {
    if (value == 0) {
        return to;
    }
    *to++ = (uint8_t)(number << 3 | WIRE_VARINT);
    return wire_put_varint(to, value);
}

/* Writes Request.timeout_ms and Request.attempt. Returns the bytes written. */
static size_t write_attempt(const struct herald_attempt *attempt, uint8_t to[NUMBER_MAX_BYTES + ATTEMPT_MAX_BYTES]) {
    uint8_t inner[ATTEMPT_MAX_BYTES];
    uint8_t *end = put_number_field(inner, ATTEMPT_NUMBER, attempt->number);
    end = put_number_field(end, ATTEMPT_TICKET, attempt->ticket);
    end = put_number_field(end, ATTEMPT_WANT_TIMINGS, attempt->want_timings);
    uint8_t *at = put_number_field(to, REQUEST_TIMEOUT_MS, attempt->timeout_ms);
    at = wire_put_text(at, REQUEST_ATTEMPT, inner, (size_t)(end - inner));
    return (size_t)(at - to);
}

static uint8_t *append_bytes(uint8_t *to, const void *bytes, size_t count) {
    if (count > 0) {
        memcpy(to, bytes, count);
    }
    return to + count;
}

/* Writes Request.auth. The idempotency key is at most HERALD_IDEMPOTENCY_KEY_MAX bytes long if the credential signs. */
static bool write_auth(const struct herald_request *packed, const struct herald_method_schema *method,
                       const struct herald_credential *credential, uint8_t ret_field[HERALD_AUTH_MAX_BYTES],
                       size_t *ret_bytes) {
    char key[HERALD_IDEMPOTENCY_KEY_MAX + 1] = "";
    if (packed->key_bytes < sizeof(key)) {
        memcpy(key, packed->common.bytes + packed->key_at, packed->key_bytes);
        key[packed->key_bytes] = '\0';
    }
    const struct herald_signed_parts call = {
        .method = method->full_name,
        .method_bytes = strlen(method->full_name),
        .user = packed->user,
        .idempotency_key = key,
        .payload = packed->common.bytes + packed->payload_at,
        .payload_bytes = packed->payload_bytes,
    };
    return herald_credential_write(credential, &call, ret_field, ret_bytes);
}

enum herald_code herald_request_make(const struct herald_request *packed, const struct herald_method_schema *method,
                                     const struct herald_attempt *attempt, const struct herald_request_room *room,
                                     struct herald_error *reterr) {
    uint8_t auth[HERALD_AUTH_MAX_BYTES], own[NUMBER_MAX_BYTES + ATTEMPT_MAX_BYTES];
    size_t auth_bytes = 0, own_bytes = write_attempt(attempt, own);
    if (attempt->credential && !write_auth(packed, method, attempt->credential, auth, &auth_bytes)) {
        return herald_error_set(reterr, HERALD_REASON_NOT_SIGNED, "%s: libcrypto could not sign it", method->full_name);
    }
    size_t bytes = packed->common.count + own_bytes + auth_bytes + attempt->metadata->count;
    if (bytes > room->max_bytes) {
        return herald_error_set(reterr, HERALD_REASON_MESSAGE_TOO_BIG,
                                "%s: the message has %zu bytes, the channel's limit is %" PRIu32, method->full_name,
                                bytes, room->max_bytes);
    }
    uint8_t *to = room->make(room->call, bytes);
    if (!to) {
        return herald_error_no_memory(reterr, "a request to %s of %zu bytes", method->full_name, bytes);
    }
    to = append_bytes(to, packed->common.bytes, packed->common.count);
    to = append_bytes(to, own, own_bytes);
    to = append_bytes(to, auth, auth_bytes);
    append_bytes(to, attempt->metadata->bytes, attempt->metadata->count);
    return HERALD_OK;
}

bool herald_request_add_metadata(struct herald_buffer *metadata, const char *key, const void *value,
                                 size_t value_bytes) {
    size_t pair = pair_bytes(strlen(key), value_bytes);
    size_t bytes = 1 + wire_varint_bytes(pair) + pair;
    if (!herald_buffer_reserve(metadata, metadata->count + bytes)) {
        return false;
    }
    put_pair(metadata->bytes + metadata->count, key, value, value_bytes);
    metadata->count += bytes;
    return true;
}
