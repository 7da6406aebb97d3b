/*
 * Schemas: what the reader of JSON and the rules accept (client/json/read.c, client/message/validate.c), and what the
 * writer writes with defaults (client/json/write.c).
 */
#include "gen/plugin/names.h"
#include "gen/plugin/openapi.h"
#include "herald/schema.h"

#include <inttypes.h>
#include <string.h>

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

/* Any number of JSON, in quotes. */
#define NUMBER_PATTERN "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?"

/* As is_url() of client/message/validate.c, which takes some more than the format "uri". */
#define URL_PATTERN                                                                                                    \
    "[hH][tT][tT][pP][sS]?://[!$-.0-9;=A-Z\\[\\]_a-z~][!$-.0-;=A-Z\\[\\]_a-z~]*([/?#][!#-;=?-\\[\\]_a-z~]*)?"
#define UUID_PATTERN  "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
#define COLOR_PATTERN "#[0-9a-fA-F]{6}"
#define TOKEN_PATTERN "[!-~]*"
/* A string of C has no NUL. */
#define TEXT_PATTERN "^[^\\u0000]*$"

/* What a value of a request may be besides a plain one. */
struct leave {
    bool null;  /* null, which means the same as left out */
    bool empty; /* an empty text, or the zero value of an enum: not set */
};

static void put_reference(struct openapi *openapi, const char *key, const char *name) {
    json_begin_object(&openapi->json, key);
    json_format(&openapi->json, "$ref", "#/components/schemas/%s", name);
    json_end_object(&openapi->json);
}

/* "type": "integer", or all of several. */
static void put_types(struct openapi *openapi, const char *type, const char *other, bool null) {
    struct json *json = &openapi->json;
    if (other == NULL && !null) {
        json_string(json, "type", type);
        return;
    }
    json_begin_array(json, "type");
    json_string(json, NULL, type);
    if (other != NULL) {
        json_string(json, NULL, other);
    }
    if (null) {
        json_string(json, NULL, "null");
    }
    json_end_array(json);
}

static void put_description(struct openapi *openapi, const char *doc) {
    if (doc != NULL) {
        json_string(&openapi->json, "description", openapi_text(openapi, doc));
    }
}

/* ---- numbers ---- */

struct integer_type {
    const char *format;
    bool is_wide;
    int64_t least;
    uint64_t most;
};

/* Returns: false: the field is no integer */
static bool integer_type(const struct model_field *field, struct integer_type *ret_type) {
    switch (field->proto->type) {
    case TYPE(INT32):
    case TYPE(SINT32):
    case TYPE(SFIXED32):
        *ret_type = (struct integer_type){"int32", false, INT32_MIN, INT32_MAX};
        return true;
    case TYPE(UINT32):
    case TYPE(FIXED32):
        *ret_type = (struct integer_type){"uint32", false, 0, UINT32_MAX};
        return true;
    case TYPE(INT64):
    case TYPE(SINT64):
    case TYPE(SFIXED64):
        *ret_type = (struct integer_type){"int64", true, INT64_MIN, INT64_MAX};
        return true;
    case TYPE(UINT64):
    case TYPE(FIXED64):
        *ret_type = (struct integer_type){"uint64", true, 0, UINT64_MAX};
        return true;
    default:
        return false;
    }
}

/* The pattern of an integer in quotes. Where the type alone sets the bound, a digit less than it has is simpler. */
static const char *quoted_integer(struct openapi *openapi, const struct integer_type *type, bool is_bounded) {
    size_t digits = type->is_wide ? 18 : 9;
    if (type->least < 0) {
        return pool_printf(&openapi->pool, "^(0|-?[1-9][0-9]{0,%zu})$", digits - 1);
    }
    return is_bounded ? openapi_decimal_pattern(openapi, type->most)
                      : pool_printf(&openapi->pool, "^(0|[1-9][0-9]{0,%zu})$", digits - 1);
}

/* A number, in quotes or not; in a URL there are no quotes. */
static void put_input_integer(struct openapi *openapi, const struct model_field *field, struct integer_type type,
                              enum openapi_place place, bool null) {
    const Herald__Rpc__V1__FieldRules *rules = field->rules;
    bool is_bounded = rules != NULL && rules->max != 0;
    if (is_bounded) {
        type.most = (uint64_t)rules->max;
    }
    if (rules != NULL && rules->min != 0) {
        type.least = rules->min;
    }
    put_types(openapi, "integer", place == OPENAPI_BODY ? "string" : NULL, null);
    json_string(&openapi->json, "format", type.format);
    json_integer(&openapi->json, "minimum", type.least);
    if (is_bounded && rules->max < 0) {
        json_integer(&openapi->json, "maximum", rules->max);
    } else {
        json_unsigned(&openapi->json, "maximum", type.most);
    }
    if (place == OPENAPI_BODY) {
        json_string(&openapi->json, "pattern", quoted_integer(openapi, &type, is_bounded));
    }
}

static void put_input_float(struct openapi *openapi, const struct model_field *field, bool null) {
    const Herald__Rpc__V1__FieldRules *rules = field->rules;
    put_types(openapi, "number", "string", null);
    if (rules != NULL && rules->min != 0) {
        json_integer(&openapi->json, "minimum", rules->min);
    }
    if (rules != NULL && rules->max != 0) {
        json_integer(&openapi->json, "maximum", rules->max);
    }
    json_string(&openapi->json, "pattern", "^(NaN|-?Infinity|" NUMBER_PATTERN ")$");
}

/* ---- texts ---- */

static void put_length(struct openapi *openapi, const Herald__Rpc__V1__FieldRules *rules, bool empty) {
    unsigned least = rules != NULL && rules->min_len > 0 ? rules->min_len : 1;
    unsigned most = rules != NULL && rules->max_len > 0 ? rules->max_len : HERALD_DEFAULT_MAX_CHARS;
    if (!empty) {
        json_unsigned(&openapi->json, "minLength", least);
    }
    json_unsigned(&openapi->json, "maxLength", most);
}

/* The pattern of a format, for the whole text but without its ends; NULL: none. */
static const char *format_pattern(Herald__Rpc__V1__Format format) {
    switch (format) {
    case HERALD__RPC__V1__FORMAT__UUID:
        return UUID_PATTERN;
    case HERALD__RPC__V1__FORMAT__COLOR:
        return COLOR_PATTERN;
    case HERALD__RPC__V1__FORMAT__URL:
        return URL_PATTERN;
    case HERALD__RPC__V1__FORMAT__TOKEN:
        return TOKEN_PATTERN;
    default:
        return NULL;
    }
}

static void put_shape(struct openapi *openapi, const Herald__Rpc__V1__FieldRules *rules, bool empty) {
    const char *pattern = rules != NULL ? format_pattern(rules->format) : NULL;
    if (rules != NULL && !empty && rules->format == HERALD__RPC__V1__FORMAT__UUID) {
        json_string(&openapi->json, "format", "uuid");
    }
    if (rules != NULL && rules->pattern[0] != '\0') {
        json_string(&openapi->json, "pattern", openapi_pattern(openapi, rules->pattern, empty));
    } else if (pattern != NULL && rules->format == HERALD__RPC__V1__FORMAT__TOKEN) {
        json_format(&openapi->json, "pattern", "^%s$", pattern);
    } else if (pattern != NULL) {
        json_format(&openapi->json, "pattern", empty ? "^(%s)?$" : "^%s$", pattern);
    } else {
        json_string(&openapi->json, "pattern", TEXT_PATTERN);
    }
}

/* Both a format and a pattern with their own lengths say more than a length would. */
static bool has_own_length(const Herald__Rpc__V1__FieldRules *rules) {
    return rules != NULL &&
           (rules->format == HERALD__RPC__V1__FORMAT__UUID || rules->format == HERALD__RPC__V1__FORMAT__COLOR);
}

static void put_input_string(struct openapi *openapi, const struct model_field *field, struct leave leave) {
    put_types(openapi, "string", NULL, leave.null);
    if (!has_own_length(field->rules)) {
        put_length(openapi, field->rules, leave.empty);
    }
    put_shape(openapi, field->rules, leave.empty);
}

static void put_input_bytes(struct openapi *openapi, const struct model_field *field, bool null) {
    uint32_t most =
        field->rules != NULL && field->rules->max_len > 0 ? field->rules->max_len : HERALD_DEFAULT_MAX_BYTES;
    put_types(openapi, "string", NULL, null);
    json_string(&openapi->json, "contentEncoding", "base64");
    json_unsigned(&openapi->json, "maxLength", (most + 2) / 3 * 4);
}

/* ---- values of a request ---- */

static void put_input_enum(struct openapi *openapi, const struct model_field *field, struct leave leave) {
    struct json *json = &openapi->json;
    const struct model_enum *enumeration = field->enumeration;
    const char *name = openapi_enum_name(openapi, enumeration, OPENAPI_INPUT);
    if (!leave.null && !leave.empty) {
        json_format(json, "$ref", "#/components/schemas/%s", name);
        return;
    }
    json_begin_array(json, "anyOf");
    put_reference(openapi, NULL, name);
    json_begin_object(json, NULL);
    json_begin_array(json, "enum");
    if (leave.empty) {
        json_string(json, NULL, enumeration->sorted_values[0]->proto->name);
        json_integer(json, NULL, enumeration->sorted_values[0]->proto->number);
    }
    if (leave.null) {
        json_null(json, NULL);
    }
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
}

static void put_input_message(struct openapi *openapi, const struct model_field *field, bool null) {
    struct json *json = &openapi->json;
    const char *name = openapi_message_name(openapi, field->message, OPENAPI_INPUT);
    if (!null) {
        json_format(json, "$ref", "#/components/schemas/%s", name);
        return;
    }
    json_begin_array(json, "anyOf");
    put_reference(openapi, NULL, name);
    json_begin_object(json, NULL);
    json_string(json, "type", "null");
    json_end_object(json);
    json_end_array(json);
}

/* The keywords of a value that is no list. */
static void put_input_value(struct openapi *openapi, const struct model_field *field, enum openapi_place place,
                            struct leave leave) {
    struct integer_type type;
    if (openapi_is_timestamp(field)) {
        put_types(openapi, "string", NULL, leave.null);
        json_string(&openapi->json, "format", "date-time");
    } else if (field->message != NULL) {
        put_input_message(openapi, field, leave.null);
    } else if (field->enumeration != NULL) {
        put_input_enum(openapi, field, leave);
    } else if (integer_type(field, &type)) {
        put_input_integer(openapi, field, type, place, leave.null);
    } else if (field->proto->type == TYPE(STRING)) {
        put_input_string(openapi, field, leave);
    } else if (field->proto->type == TYPE(BYTES)) {
        put_input_bytes(openapi, field, leave.null);
    } else if (field->proto->type == TYPE(BOOL)) {
        put_types(openapi, "boolean", NULL, leave.null);
    } else {
        put_input_float(openapi, field, leave.null);
    }
}

static void put_input_list(struct openapi *openapi, const struct model_field *field, enum openapi_place place) {
    struct json *json = &openapi->json;
    bool is_required = openapi_is_required(field);
    unsigned most =
        field->rules != NULL && field->rules->max_items > 0 ? field->rules->max_items : HERALD_DEFAULT_MAX_ITEMS;
    put_types(openapi, "array", NULL, place == OPENAPI_BODY && !is_required);
    if (is_required) {
        json_unsigned(json, "minItems", 1);
    }
    json_unsigned(json, "maxItems", most);
    json_begin_object(json, "items");
    put_input_value(openapi, field, place, (struct leave){.null = false, .empty = field->proto->type == TYPE(STRING)});
    json_end_object(json);
}

void openapi_input_field(struct openapi *openapi, const char *key, const struct model_field *field,
                         enum openapi_place place) {
    bool is_required = openapi_is_required(field) || place == OPENAPI_PATH;
    json_begin_object(&openapi->json, key);
    if (place == OPENAPI_BODY) { /* a parameter has its own description */
        put_description(openapi, field->source.doc);
    }
    if (openapi_is_repeated(field)) {
        put_input_list(openapi, field, place);
    } else {
        put_input_value(openapi, field, place,
                        (struct leave){.null = place == OPENAPI_BODY && !is_required, .empty = !is_required});
    }
    json_end_object(&openapi->json);
}

/* ---- messages and enums ---- */

/* @route  whose path binds fields that are left out; NULL: none */
static void put_input_object(struct openapi *openapi, const char *key, const struct model_message *message,
                             const struct route *route) {
    struct json *json = &openapi->json;
    bool some_required = false;
    json_begin_object(json, key);
    json_string(json, "type", "object");
    put_description(openapi, message->source.doc);
    json_begin_object(json, "properties");
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (route == NULL || !route_binds(route, field)) {
            openapi_input_field(openapi, field->json_name, field, OPENAPI_BODY);
            some_required |= openapi_is_required(field);
        }
    }
    json_end_object(json);
    if (some_required) {
        json_begin_array(json, "required");
        for (size_t i = 0; i < message->field_count; i++) {
            const struct model_field *field = &message->fields[i];
            if (openapi_is_required(field) && (route == NULL || !route_binds(route, field))) {
                json_string(json, NULL, field->json_name);
            }
        }
        json_end_array(json);
    }
    json_bool(json, "additionalProperties", false);
    json_end_object(json);
}

static void put_output_value(struct openapi *openapi, const struct model_field *field) {
    struct json *json = &openapi->json;
    struct integer_type type;
    if (openapi_is_timestamp(field)) {
        json_string(json, "type", "string");
        json_string(json, "format", "date-time");
    } else if (field->message != NULL) {
        json_format(json, "$ref", "#/components/schemas/%s",
                    openapi_message_name(openapi, field->message, OPENAPI_OUTPUT));
    } else if (field->enumeration != NULL) {
        json_format(json, "$ref", "#/components/schemas/%s",
                    openapi_enum_name(openapi, field->enumeration, OPENAPI_OUTPUT));
    } else if (integer_type(field, &type)) {
        json_string(json, "type", type.is_wide ? "string" : "integer");
        json_string(json, "format", type.format);
        if (type.is_wide) {
            json_string(json, "pattern", type.least < 0 ? "^-?[0-9]+$" : "^[0-9]+$");
        } else {
            json_integer(json, "minimum", type.least);
            json_unsigned(json, "maximum", type.most);
        }
    } else if (field->proto->type == TYPE(BOOL)) {
        json_string(json, "type", "boolean");
    } else if (field->proto->type == TYPE(STRING)) {
        json_string(json, "type", "string");
    } else if (field->proto->type == TYPE(BYTES)) {
        json_string(json, "type", "string");
        json_string(json, "contentEncoding", "base64");
    } else {
        put_types(openapi, "number", "string", false);
        json_string(json, "pattern", "^(NaN|-?Infinity)$");
    }
}

/* The writer leaves out messages that are not set, and all of a oneof but its one. */
static bool is_always_written(const struct model_field *field) {
    return openapi_is_repeated(field) || (field->message == NULL && !field->proto->has_oneof_index);
}

static void put_output_field(struct openapi *openapi, const struct model_field *field) {
    struct json *json = &openapi->json;
    json_begin_object(json, field->json_name);
    put_description(openapi, field->source.doc);
    if (openapi_is_repeated(field)) {
        json_string(json, "type", "array");
        json_begin_object(json, "items");
        put_output_value(openapi, field);
        json_end_object(json);
    } else {
        put_output_value(openapi, field);
    }
    json_end_object(json);
}

static void put_output_object(struct openapi *openapi, const struct model_message *message) {
    struct json *json = &openapi->json;
    json_begin_object(json, openapi_message_name(openapi, message, OPENAPI_OUTPUT));
    json_string(json, "type", "object");
    put_description(openapi, message->source.doc);
    json_begin_object(json, "properties");
    for (size_t i = 0; i < message->field_count; i++) {
        put_output_field(openapi, &message->fields[i]);
    }
    json_end_object(json);
    json_begin_array(json, "required");
    for (size_t i = 0; i < message->field_count; i++) {
        if (is_always_written(&message->fields[i])) {
            json_string(json, NULL, message->fields[i].json_name);
        }
    }
    json_end_array(json);
    json_end_object(json);
}

/* The names of an enum's values with what they mean. @first  index of the first value that counts */
static void put_value_docs(struct openapi *openapi, const struct model_enum *enumeration, size_t first) {
    json_begin_object(&openapi->json, "x-enum-descriptions");
    for (size_t i = first; i < enumeration->sorted_count; i++) {
        const struct model_value *value = enumeration->sorted_values[i];
        json_string(&openapi->json, value->proto->name, openapi_text(openapi, value->source.doc));
    }
    json_end_object(&openapi->json);
}

static void put_value_names(struct openapi *openapi, const struct model_enum *enumeration, size_t first) {
    json_string(&openapi->json, "type", "string");
    json_begin_array(&openapi->json, "enum");
    for (size_t i = first; i < enumeration->sorted_count; i++) {
        json_string(&openapi->json, NULL, enumeration->sorted_values[i]->proto->name);
    }
    json_end_array(&openapi->json);
}

static void put_output_enum(struct openapi *openapi, const struct model_enum *enumeration) {
    json_begin_object(&openapi->json, openapi_enum_name(openapi, enumeration, OPENAPI_OUTPUT));
    put_description(openapi, enumeration->source.doc);
    put_value_names(openapi, enumeration, 0);
    put_value_docs(openapi, enumeration, 0);
    json_end_object(&openapi->json);
}

/* By name or number, and without the zero value, which means "not set". */
static void put_input_enum_schema(struct openapi *openapi, const struct model_enum *enumeration) {
    struct json *json = &openapi->json;
    size_t first = enumeration->sorted_values[0]->proto->number == 0;
    json_begin_object(json, openapi_enum_name(openapi, enumeration, OPENAPI_INPUT));
    put_description(openapi, enumeration->source.doc);
    json_begin_array(json, "anyOf");
    json_begin_object(json, NULL);
    put_value_names(openapi, enumeration, first);
    json_end_object(json);
    json_begin_object(json, NULL);
    json_string(json, "type", "integer");
    json_begin_array(json, "enum");
    for (size_t i = first; i < enumeration->sorted_count; i++) {
        json_integer(json, NULL, enumeration->sorted_values[i]->proto->number);
    }
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
    put_value_docs(openapi, enumeration, first);
    json_end_object(json);
}

/* The first route whose body is this whole request; NULL: there is none. */
static const struct route *body_route(const struct openapi *openapi, const struct model_message *request) {
    for (size_t i = 0; i < openapi->route_count; i++) {
        if (openapi->routes[i].method->request == request && strcmp(openapi->routes[i].route->body, "*") == 0) {
            return openapi->routes[i].route;
        }
    }
    return NULL;
}

bool openapi_body_is_shared(const struct openapi *openapi, const struct model_route *entry) {
    const struct model_message *request = entry->method->request;
    const struct route *first = body_route(openapi, request);
    for (size_t i = 0; i < request->field_count; i++) {
        if (route_binds(first, &request->fields[i]) != route_binds(entry->route, &request->fields[i])) {
            return false;
        }
    }
    return true;
}

void openapi_body(struct openapi *openapi, const char *key, const struct model_route *entry) {
    put_input_object(openapi, key, entry->method->request, entry->route);
}

void openapi_schemas(struct openapi *openapi) {
    for (size_t i = 0; i < openapi->message_count[OPENAPI_INPUT]; i++) {
        const struct model_message *message = openapi->messages[OPENAPI_INPUT][i];
        put_input_object(openapi, openapi_message_name(openapi, message, OPENAPI_INPUT), message,
                         body_route(openapi, message));
    }
    for (size_t i = 0; i < openapi->message_count[OPENAPI_OUTPUT]; i++) {
        put_output_object(openapi, openapi->messages[OPENAPI_OUTPUT][i]);
    }
    for (size_t i = 0; i < openapi->enum_count[OPENAPI_INPUT]; i++) {
        put_input_enum_schema(openapi, openapi->enums[OPENAPI_INPUT][i]);
    }
    for (size_t i = 0; i < openapi->enum_count[OPENAPI_OUTPUT]; i++) {
        put_output_enum(openapi, openapi->enums[OPENAPI_OUTPUT][i]);
    }
}
