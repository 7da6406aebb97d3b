/* Writes schema elements as proto text: describe.h. */
#include "client/base/full_name.h"
#include "client/json/describe.h"
#include "client/json/text.h"
#include "client/message/field.h"
#include "herald/code.h"
#include "herald/reason.h"

#include <inttypes.h>
#include <string.h>

/* Writes documentation as comment lines. */
static void put_doc(FILE *out, const char *indent, const char *doc) {
    while (doc && *doc) {
        size_t bytes = strcspn(doc, "\n");
        fprintf(out, "%s//%s%.*s\n", indent, bytes > 0 ? " " : "", (int)bytes, doc);
        doc += bytes + (doc[bytes] == '\n');
    }
}

static const char *effect_name(enum herald_effect effect) {
    switch (effect) {
    case HERALD_EFFECT_READ:
        return "READ";
    case HERALD_EFFECT_IDEMPOTENT:
        return "IDEMPOTENT";
    case HERALD_EFFECT_ONCE:
        return "ONCE";
    }
    return "EFFECT_UNSPECIFIED";
}

static const char *caller_name(enum herald_caller caller) {
    switch (caller) {
    case HERALD_CALLER_ANYONE:
        return "ANYONE";
    case HERALD_CALLER_IDENTIFIED:
        return "IDENTIFIED";
    case HERALD_CALLER_SERVER:
        return "SERVER";
    case HERALD_CALLER_OPERATOR:
        return "OPERATOR";
    }
    return "CALLER_UNSPECIFIED";
}

/* The policy's reasons, one on each line, followed by its code and meaning. */
static void put_reasons(FILE *out, const char *indent, const struct herald_method_schema *method) {
    if (method->reason_count == 0) {
        return;
    }
    fprintf(out, ", reasons: [\n");
    for (size_t i = 0; i < method->reason_count; i++) {
        enum herald_reason reason = method->reasons[i];
        fprintf(out, "%s    \"%s\"%s // %s: %s\n", indent, herald_reason_name(reason),
                i + 1 < method->reason_count ? "," : "", herald_code_name((int)herald_reason_code(reason)),
                herald_reason_meaning(reason));
    }
    fprintf(out, "%s  ]", indent);
}

static void put_method(FILE *out, const char *indent, const struct herald_method_schema *method) {
    put_doc(out, indent, method->doc);
    fprintf(out, "%srpc %s(%s) returns (%s) {\n", indent, method->name, method->request->full_name,
            method->response->full_name);
    fprintf(out, "%s  option (herald.rpc.v1.policy) = {effect: %s, deadline_ms: %" PRIu32 ", caller: %s%s", indent,
            effect_name(method->effect), method->deadline_ms, caller_name(method->caller),
            method->answer_inline ? ", answer_inline: true" : "");
    fputs(method->waits ? ", waits: true" : "", out);
    put_reasons(out, indent, method);
    fprintf(out, "};\n%s}\n", indent);
}

void herald_describe_service(FILE *out, const struct herald_service_schema *service) {
    put_doc(out, "", service->doc);
    fprintf(out, "service %s {\n", service->name);
    for (size_t i = 0; i < service->method_count; i++) {
        put_method(out, "  ", &service->methods[i]);
    }
    fprintf(out, "}\n");
}

void herald_describe_method(FILE *out, const struct herald_method_schema *method) {
    put_method(out, "", method);
    fprintf(out, "\n");
    herald_describe_message(out, method->request);
    if (method->response != method->request) {
        fprintf(out, "\n");
        herald_describe_message(out, method->response);
    }
}

static const char *type_name(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field) {
    static const char *const names[] = {
        [PROTOBUF_C_TYPE_INT32] = "int32",       [PROTOBUF_C_TYPE_SINT32] = "sint32",
        [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
        [PROTOBUF_C_TYPE_SINT64] = "sint64",     [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
        [PROTOBUF_C_TYPE_UINT32] = "uint32",     [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
        [PROTOBUF_C_TYPE_UINT64] = "uint64",     [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
        [PROTOBUF_C_TYPE_FLOAT] = "float",       [PROTOBUF_C_TYPE_DOUBLE] = "double",
        [PROTOBUF_C_TYPE_BOOL] = "bool",         [PROTOBUF_C_TYPE_STRING] = "string",
        [PROTOBUF_C_TYPE_BYTES] = "bytes",
    };
    if (schema->message) {
        return schema->message->full_name;
    }
    return schema->enumeration ? schema->enumeration->full_name : names[field->type];
}

static const char *label_text(const ProtobufCFieldDescriptor *field) {
    if (herald_field_is_repeated(field)) {
        return "repeated ";
    }
    if (herald_field_is_oneof(field) || field->label == PROTOBUF_C_LABEL_OPTIONAL) {
        return "optional ";
    }
    return field->label == PROTOBUF_C_LABEL_REQUIRED ? "required " : "";
}

/* Writes a separator from the rule before, and "name: "; the value follows. */
static void put_rule(FILE *out, const char *name, bool *any) {
    fprintf(out, "%s%s: ", *any ? ", " : " [(herald.rpc.v1.rules) = {", name);
    *any = true;
}

static void put_number_rule(FILE *out, const char *name, int64_t value, bool *any) {
    if (value == 0) {
        return;
    }
    put_rule(out, name, any);
    fprintf(out, "%" PRId64, value);
}

/* Writes a string as a schema's literal. */
static void put_quoted(FILE *out, const char *text) {
    fputc('"', out);
    for (const char *control_end = text; *text; text++) {
        size_t control = json_control_bytes(text);
        if (control > 0) {
            control_end = text + control;
        }
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        if ((unsigned char)*text < 0x20 || text < control_end) {
            fprintf(out, "\\%03o", (unsigned)(unsigned char)*text);
        } else {
            fputc(*text, out);
        }
    }
    fputc('"', out);
}

static void put_rules(FILE *out, const struct herald_field_rules *rules) {
    static const char *const formats[] = {
        [HERALD_FORMAT_ANY] = NULL,  [HERALD_FORMAT_UUID] = "UUID",   [HERALD_FORMAT_COLOR] = "COLOR",
        [HERALD_FORMAT_URL] = "URL", [HERALD_FORMAT_TOKEN] = "TOKEN",
    };
    bool any = false;
    if (rules->required) {
        put_rule(out, "required", &any);
        fprintf(out, "true");
    }
    put_number_rule(out, "min_len", rules->min_len, &any);
    put_number_rule(out, "max_len", rules->max_len, &any);
    put_number_rule(out, "max_items", rules->max_items, &any);
    put_number_rule(out, "min", rules->min, &any);
    put_number_rule(out, "max", rules->max, &any);
    if (rules->format != HERALD_FORMAT_ANY) {
        put_rule(out, "format", &any);
        fprintf(out, "%s", formats[rules->format]);
    }
    if (rules->pattern) {
        put_rule(out, "pattern", &any);
        put_quoted(out, rules->pattern);
    }
    if (rules->acting_user) {
        put_rule(out, "acting_user", &any);
        fprintf(out, "true");
    }
    if (any) {
        fprintf(out, "}]");
    }
}

void herald_describe_message(FILE *out, const struct herald_message_schema *message) {
    put_doc(out, "", message->doc);
    fprintf(out, "message %s {%s", herald_last_part(message->full_name), message->descriptor->n_fields > 0 ? "\n" : "");
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const struct herald_field_schema *schema = &message->fields[i];
        put_doc(out, "  ", schema->doc);
        fprintf(out, "  %s%s %s = %" PRIu32, label_text(field), type_name(schema, field), field->name, field->id);
        put_rules(out, &schema->rules);
        fprintf(out, ";\n");
    }
    fprintf(out, "}\n");
}

void herald_describe_enum(FILE *out, const struct herald_enum_schema *enumeration) {
    put_doc(out, "", enumeration->doc);
    fprintf(out, "enum %s {\n", herald_last_part(enumeration->full_name));
    for (unsigned i = 0; i < enumeration->descriptor->n_values; i++) {
        put_doc(out, "  ", enumeration->value_docs[i]);
        fprintf(out, "  %s = %d;\n", enumeration->descriptor->values[i].name, enumeration->descriptor->values[i].value);
    }
    fprintf(out, "}\n");
}
