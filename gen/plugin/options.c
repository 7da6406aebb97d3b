#include "gen/plugin/options.h"

#include "gen/plugin/memory.h"

#include <stdint.h>

#define POLICY_NUMBER 50001
#define RULES_NUMBER  50002
#define HTTP_NUMBER   72295728

/* The varint before the bytes of a length-delimited field, which protobuf-c leaves in an unknown field's data. */
static size_t length_prefix_bytes(const ProtobufCMessageUnknownField *field) {
    size_t bytes = 0;
    while (bytes < field->len && (field->data[bytes] & 0x80) != 0) {
        bytes++;
    }
    return bytes < field->len ? bytes + 1 : bytes;
}

/* `option (policy).effect = …` on several lines makes several fields: joined, they are one message. */
static bool join_option(const ProtobufCMessage *options, uint32_t number, struct text *bytes) {
    bool found = false;
    for (unsigned i = 0; i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
        if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            continue;
        }
        size_t prefix = length_prefix_bytes(field);
        text_add_bytes(bytes, (const char *)field->data + prefix, field->len - prefix);
        found = true;
    }
    return found;
}

static bool read_option(const ProtobufCMessage *options, uint32_t number, const ProtobufCMessageDescriptor *descriptor,
                        ProtobufCMessage **ret_message) {
    struct text bytes = {0};
    *ret_message = NULL;
    bool good = true;
    if (join_option(options, number, &bytes)) {
        *ret_message = protobuf_c_message_unpack(descriptor, NULL, bytes.length, (const uint8_t *)bytes.data);
        good = *ret_message != NULL;
    }
    text_fini(&bytes);
    return good;
}

bool options_read_policy(const Google__Protobuf__MethodOptions *options, Herald__Rpc__V1__MethodPolicy **ret_policy) {
    ProtobufCMessage *message = NULL;
    bool good = options == NULL ||
                read_option(&options->base, POLICY_NUMBER, &herald__rpc__v1__method_policy__descriptor, &message);
    *ret_policy = (Herald__Rpc__V1__MethodPolicy *)message;
    return good;
}

bool options_read_rules(const Google__Protobuf__FieldOptions *options, Herald__Rpc__V1__FieldRules **ret_rules) {
    ProtobufCMessage *message = NULL;
    bool good = options == NULL ||
                read_option(&options->base, RULES_NUMBER, &herald__rpc__v1__field_rules__descriptor, &message);
    *ret_rules = (Herald__Rpc__V1__FieldRules *)message;
    return good;
}

bool options_read_http(const Google__Protobuf__MethodOptions *options, Google__Api__HttpRule **ret_rule) {
    ProtobufCMessage *message = NULL;
    bool good =
        options == NULL || read_option(&options->base, HTTP_NUMBER, &google__api__http_rule__descriptor, &message);
    *ret_rule = (Google__Api__HttpRule *)message;
    return good;
}
