#include "client/src/channel.h"
#include "client/src/field.h"
#include "client/src/wire.h"

#include <inttypes.h>
#include <string.h>

/*
 * The envelope is written straight into nng's message: its fields are few and known, so a struct of them would only be
 * one more copy of the payload. Numbers are those of proto/herald/rpc/v1/envelope.proto Request; a unit test unpacks
 * what is written here with the generated code.
 */
enum request_field {
    REQUEST_METHOD = 1,
    REQUEST_PAYLOAD = 2,
    REQUEST_TIMEOUT_MS = 3,
    REQUEST_CALL_ID = 4,
    REQUEST_IDEMPOTENCY_KEY = 5,
    REQUEST_METADATA = 6,
    REQUEST_TRACEPARENT = 7,
};
enum metadata_field { METADATA_KEY = 1, METADATA_VALUE = 2 };

struct text {
    const char *data;
    size_t bytes;
};

/* What one envelope is made of. */
struct parts {
    struct text method, call_id, idempotency_key, traceparent;
    const struct herald_metadata *metadata;
    size_t metadata_count;
    const ProtobufCMessage *request;
    size_t payload_bytes;
    uint32_t timeout_ms;
};

static struct text text_of(const char *text) {
    return (struct text){text, text ? strlen(text) : 0};
}

static size_t metadata_bytes(const struct herald_metadata *pair) {
    return wire_text_bytes(strlen(pair->key)) + wire_text_bytes(pair->value_bytes);
}

static size_t parts_bytes(const struct parts *parts) {
    size_t bytes = wire_text_bytes(parts->method.bytes) + wire_text_bytes(parts->payload_bytes) +
                   wire_text_bytes(parts->call_id.bytes) + wire_text_bytes(parts->idempotency_key.bytes) +
                   wire_text_bytes(parts->traceparent.bytes) + 1 + wire_varint_bytes(parts->timeout_ms);
    for (size_t i = 0; i < parts->metadata_count; i++) {
        size_t pair_bytes = metadata_bytes(&parts->metadata[i]);
        bytes += 1 + wire_varint_bytes(pair_bytes) + pair_bytes;
    }
    return bytes;
}

static void parts_write(const struct parts *parts, uint8_t *to) {
    to = wire_put_text(to, REQUEST_METHOD, parts->method.data, parts->method.bytes);
    if (parts->payload_bytes > 0) {
        to = wire_put_head(to, REQUEST_PAYLOAD, parts->payload_bytes);
        to += protobuf_c_message_pack(parts->request, to);
    }
    *to++ = REQUEST_TIMEOUT_MS << 3 | WIRE_VARINT;
    to = wire_put_varint(to, parts->timeout_ms);
    to = wire_put_text(to, REQUEST_CALL_ID, parts->call_id.data, parts->call_id.bytes);
    to = wire_put_text(to, REQUEST_IDEMPOTENCY_KEY, parts->idempotency_key.data, parts->idempotency_key.bytes);
    for (size_t i = 0; i < parts->metadata_count; i++) {
        const struct herald_metadata *pair = &parts->metadata[i];
        to = wire_put_head(to, REQUEST_METADATA, metadata_bytes(pair));
        to = wire_put_text(to, METADATA_KEY, pair->key, strlen(pair->key));
        to = wire_put_text(to, METADATA_VALUE, pair->value, pair->value_bytes);
    }
    wire_put_text(to, REQUEST_TRACEPARENT, parts->traceparent.data, parts->traceparent.bytes);
}

/* Whether packing can follow every pointer: messages inside are of the schema's types and no item is missing. */
static bool can_pack(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    if (message->descriptor != schema->descriptor)
        return false;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[i];
        bool pointers = field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
        bool repeated = herald_field_is_repeated(field);
        size_t count = repeated ? herald_field_count(message, field) : herald_field_is_present(message, field);
        if (repeated && count > 0 && !*(const void *const *)herald_field_at(message, field))
            return false;
        for (size_t item = 0; pointers && item < count; item++) {
            const void *at = repeated ? herald_field_item(message, field, item) : herald_field_at(message, field);
            const void *value = *(const void *const *)at;
            if (!value && repeated)
                return false;
            if (value && field->type == PROTOBUF_C_TYPE_MESSAGE && !can_pack(schema->fields[i].message, value))
                return false;
        }
    }
    return true;
}

enum herald_code herald_request_pack(const struct herald_channel *channel, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     const char *call_id, uint32_t timeout_ms, nng_msg **ret_msg,
                                     struct herald_error *reterr) {
    if (!can_pack(method->request, request))
        return herald_error_set(reterr, HERALD_INVALID_ARGUMENT, "INVALID_REQUEST",
                                "%s: the request is no %s, or an item of a list in it is NULL", method->full_name,
                                method->request->full_name);
    char minted_key[37];
    const char *key = options->idempotency_key;
    if (!key && method->effect == HERALD_EFFECT_ONCE) {
        herald_uuid7(minted_key);
        key = minted_key;
    }
    struct parts parts = {
        .method = text_of(method->full_name),
        .call_id = text_of(call_id),
        .idempotency_key = text_of(key),
        .traceparent = text_of(options->traceparent),
        .metadata = options->metadata,
        .metadata_count = options->metadata_count,
        .request = request,
        .payload_bytes = protobuf_c_message_get_packed_size(request),
        .timeout_ms = timeout_ms,
    };
    size_t bytes = parts_bytes(&parts);
    if (bytes > channel->max_message_bytes)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_BIG",
                                "%s: the message has %zu bytes, the channel's limit is %" PRIu32, method->full_name,
                                bytes, channel->max_message_bytes);
    int rv = nng_msg_alloc(ret_msg, bytes);
    if (rv != 0)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                                "%s: no memory for a message of %zu bytes", method->full_name, bytes);
    parts_write(&parts, nng_msg_body(*ret_msg));
    return HERALD_OK;
}
