/*
 * Examples of requests: what the rules name, and for required fields without that what their type suggests. Examples of
 * answers have all fields, as the gateway writes them.
 */
#include "gen/plugin/openapi.h"

#include <stdlib.h>
#include <string.h>

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static bool has_example(const struct model_field *field) {
    return field->rules != NULL && field->rules->example[0] != '\0';
}

static bool is_acting_user(const struct model_field *field) {
    return field->rules != NULL && field->rules->acting_user;
}

bool openapi_is_shown(const struct model_field *field) {
    return openapi_is_required(field) || has_example(field) || is_acting_user(field);
}

/* A text of the field's format. */
static const char *text_example(const struct model_field *field) {
    if (has_example(field)) {
        return field->rules->example;
    }
    if (is_acting_user(field)) {
        return "owner-1";
    }
    switch (field->rules != NULL ? field->rules->format : HERALD__RPC__V1__FORMAT__FORMAT_UNSPECIFIED) {
    case HERALD__RPC__V1__FORMAT__UUID:
        return "0192f0c4-7b3e-7c7f-9a4e-2f1d6b8c9e10";
    case HERALD__RPC__V1__FORMAT__COLOR:
        return "#FF5A5F";
    case HERALD__RPC__V1__FORMAT__URL:
        return "https://shop.example/a.png";
    default:
        return field->proto->name;
    }
}

/* The first value that means something. */
static const char *enum_example(const struct model_field *field) {
    const struct model_enum *enumeration = field->enumeration;
    size_t first = enumeration->sorted_count > 1 && enumeration->sorted_values[0]->proto->number == 0;
    return has_example(field) ? field->rules->example : enumeration->sorted_values[first]->proto->name;
}

static void put_fields(struct openapi *openapi, const struct model_message *message, const struct route *route) {
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (openapi_is_shown(field) && (route == NULL || !route_binds(route, field))) {
            openapi_example(openapi, field->json_name, field);
        }
    }
}

static void put_example_value(struct openapi *openapi, const char *key, const struct model_field *field) {
    struct json *json = &openapi->json;
    const char *example = has_example(field) ? field->rules->example : NULL;
    if (openapi_is_timestamp(field)) {
        json_string(json, key, "2026-12-24T09:00:00Z");
    } else if (field->message != NULL) {
        json_begin_object(json, key);
        put_fields(openapi, field->message, NULL);
        json_end_object(json);
    } else if (field->enumeration != NULL) {
        json_string(json, key, enum_example(field));
    } else if (field->proto->type == TYPE(STRING) || field->proto->type == TYPE(BYTES)) {
        json_string(json, key, text_example(field));
    } else if (field->proto->type == TYPE(BOOL)) {
        json_bool(json, key, example != NULL && strcmp(example, "true") == 0);
    } else if (field->proto->type == TYPE(FLOAT) || field->proto->type == TYPE(DOUBLE)) {
        json_number(json, key, example != NULL ? example : "0.5");
    } else {
        json_integer(json, key, example != NULL ? strtoll(example, NULL, 10) : 1);
    }
}

void openapi_example(struct openapi *openapi, const char *key, const struct model_field *field) {
    if (!openapi_is_repeated(field)) {
        put_example_value(openapi, key, field);
        return;
    }
    json_begin_array(&openapi->json, key);
    put_example_value(openapi, NULL, field);
    json_end_array(&openapi->json);
}

void openapi_body_example(struct openapi *openapi, const char *key, const struct model_route *entry) {
    json_begin_object(&openapi->json, key);
    put_fields(openapi, entry->route->body_field != NULL ? entry->route->body_field->message : entry->method->request,
               entry->route->body_field != NULL ? NULL : entry->route);
    json_end_object(&openapi->json);
}

/* ---- answers ---- */

static bool name_ends(const char *text, const char *end) {
    size_t length = strlen(text), bytes = strlen(end);
    return length >= bytes && strcmp(text + length - bytes, end) == 0;
}

/* Rules are for requests, and few fields of answers have any: their names tell what they hold. */
static const char *answer_text_example(const struct model_field *field) {
    const char *name = field->proto->name;
    if (has_example(field) || is_acting_user(field)) {
        return text_example(field);
    }
    if (strcmp(name, "user_id") == 0) {
        return "owner-1";
    }
    if (name_ends(name, "_token") || strcmp(name, "reason") == 0 || strcmp(name, "message") == 0) { /* it went well */
        return "";
    }
    if (name_ends(name, "_id")) {
        return "0192f0c4-7b3e-7c7f-9a4e-2f1d6b8c9e10";
    }
    return name_ends(name, "url") ? "https://shop.example/a.png" : text_example(field);
}

static void put_answer_fields(struct openapi *openapi, const struct model_message *message);

static void put_answer_value(struct openapi *openapi, const char *key, const struct model_field *field) {
    struct json *json = &openapi->json;
    if (field->message != NULL && !openapi_is_timestamp(field)) {
        json_begin_object(json, key);
        put_answer_fields(openapi, field->message);
        json_end_object(json);
    } else if (field->proto->type == TYPE(STRING)) {
        json_string(json, key, answer_text_example(field));
    } else if (field->proto->type == TYPE(BYTES)) {
        json_string(json, key, "");
    } else if (field->proto->type == TYPE(INT64) || field->proto->type == TYPE(UINT64) ||
               field->proto->type == TYPE(SINT64) || field->proto->type == TYPE(FIXED64) ||
               field->proto->type == TYPE(SFIXED64)) {
        json_string(json, key, "7");
    } else {
        put_example_value(openapi, key, field);
    }
}

/* All fields are written, but of those of a oneof only one is there: the first. */
static void put_answer_fields(struct openapi *openapi, const struct model_message *message) {
    uint64_t oneofs = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (field->proto->has_oneof_index && !field->proto->proto3_optional) {
            uint64_t bit = UINT64_C(1) << (field->proto->oneof_index & 63);
            if (oneofs & bit) {
                continue;
            }
            oneofs |= bit;
        }
        if (!openapi_is_repeated(field)) {
            put_answer_value(openapi, field->json_name, field);
            continue;
        }
        json_begin_array(&openapi->json, field->json_name);
        put_answer_value(openapi, NULL, field);
        json_end_array(&openapi->json);
    }
}

void openapi_response_example(struct openapi *openapi, const char *key, const struct model_message *response) {
    json_begin_object(&openapi->json, key);
    put_answer_fields(openapi, response);
    json_end_object(&openapi->json);
}
