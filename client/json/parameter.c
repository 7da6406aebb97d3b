/*
 * Parameters are read by the reader of JSON: a value becomes the JSON text that means the same. So both accept and refuse
 * the same values with the same words.
 */
#include "client/json/parameter.h"

#include "client/base/edit_distance.h"
#include "client/json/near.h"
#include "client/json/read_scalar.h"
#include "client/json/text.h"
#include "client/json/timestamp.h"
#include "client/message/field.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <stdio.h>
#include <string.h>

/* Deepest path of a parameter. */
#define DEPTH_MAX 8u

/* Where a parameter leads. */
struct target {
    const struct herald_field_schema *schema;
    const ProtobufCFieldDescriptor *field;
    ProtobufCMessage *message; /* that has the field */
    struct herald_path paths[DEPTH_MAX];
    size_t depth;
};

static const struct herald_path *path_of(const struct target *target) {
    return target->depth > 0 ? &target->paths[target->depth - 1] : NULL;
}

/* The index of the field with a JSON or proto name of @bytes bytes; n_fields: there is none. */
static unsigned field_named(const struct herald_message_schema *schema, const char *name, size_t bytes) {
    unsigned count = schema->descriptor->n_fields;
    for (unsigned i = 0; i < count; i++) {
        const char *json = schema->fields[i].json_name, *proto = schema->descriptor->fields[i].name;
        if ((strlen(json) == bytes && memcmp(json, name, bytes) == 0) ||
            (strlen(proto) == bytes && memcmp(proto, name, bytes) == 0)) {
            return i;
        }
    }
    return count;
}

static void refuse_name(const struct reader *reader, const struct herald_message_schema *schema, const char *name) {
    const char *nearest = NULL;
    unsigned least = NEAR_MAX + 1;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        unsigned distance = herald_edit_distance(schema->fields[i].json_name, name);
        if (distance < least) {
            least = distance;
            nearest = schema->fields[i].json_name;
        }
    }
    const struct herald_path path = {.name = name, .index = HERALD_PATH_NO_INDEX};
    (void)herald_reader_fail(reader, &path, "there is no such parameter%s%s%s", nearest ? "; did you mean \"" : "",
                             nearest ? nearest : "", nearest ? "\"?" : "");
}

/* Goes into a message field, which is made if it is not set. */
static enum herald_code step_into(struct reader *reader, struct target *target) {
    ProtobufCMessage **inner = (ProtobufCMessage **)(void *)((char *)target->message + target->field->offset);
    const ProtobufCMessageDescriptor *descriptor = target->schema->message->descriptor;
    if (herald_field_is_repeated(target->field) || herald_field_is_oneof(target->field)) {
        return herald_reader_fail(reader, path_of(target), "cannot be given in a URL");
    }
    if (*inner == NULL) {
        ProtobufCMessage *made = herald_reader_alloc(reader, descriptor->sizeof_message);
        if (made == NULL) {
            return HERALD_RESOURCE_EXHAUSTED;
        }
        protobuf_c_message_init(descriptor, made);
        *inner = made;
    }
    target->message = *inner;
    return HERALD_OK;
}

static enum herald_code find_target(struct reader *reader, const struct herald_message_schema *schema, const char *name,
                                    struct target *target) {
    for (const char *at = name;;) {
        size_t bytes = strcspn(at, ".");
        unsigned index = field_named(schema, at, bytes);
        if (index == schema->descriptor->n_fields || target->depth == DEPTH_MAX) {
            refuse_name(reader, schema, name);
            return HERALD_INVALID_ARGUMENT;
        }
        target->schema = &schema->fields[index];
        target->field = &schema->descriptor->fields[index];
        target->paths[target->depth] = (struct herald_path){
            .parent = path_of(target), .name = target->schema->json_name, .index = HERALD_PATH_NO_INDEX};
        target->depth++;
        if (at[bytes] == '\0') {
            return HERALD_OK;
        }
        if (target->field->type != PROTOBUF_C_TYPE_MESSAGE) {
            refuse_name(reader, schema, name);
            return HERALD_INVALID_ARGUMENT;
        }
        enum herald_code code = step_into(reader, target);
        if (code != HERALD_OK) {
            return code;
        }
        schema = target->schema->message;
        at += bytes + 1;
    }
}

/* ---- values ---- */

/* Whether the JSON of a type has its text in quotes. */
static bool is_quoted(ProtobufCType type, const char *text) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        return true;
    case PROTOBUF_C_TYPE_ENUM: {
        const char *end = text + strlen(text);
        return json_number_end(text, end) != end || *text == '\0';
    }
    case PROTOBUF_C_TYPE_BOOL:
        return strcmp(text, "true") != 0 && strcmp(text, "false") != 0; /* refused as a text */
    default:
        return true; /* numbers in quotes are read too, and other texts refused */
    }
}

/* Writes a text as JSON. Returns: NULL: no memory. */
static char *json_of(struct reader *reader, const char *text, bool quoted) {
    size_t bytes = strlen(text);
    char *json = herald_reader_alloc(reader, bytes * 6 + 3), *to = json;
    if (json == NULL) {
        return NULL;
    }
    if (!quoted) {
        return memcpy(json, text, bytes + 1);
    }
    *to++ = '"';
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || (unsigned char)*at < 0x20) {
            to += snprintf(to, 7, "\\u%04x", (unsigned char)*at);
        } else {
            *to++ = *at;
        }
    }
    *to++ = '"';
    *to = '\0';
    return json;
}

static enum herald_code set_time(struct reader *reader, struct target *target, const char *text) {
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (!herald_timestamp_read(text, strlen(text), &seconds, &nanos)) {
        return herald_reader_fail(reader, path_of(target), "must be a time like \"2026-01-31T12:00:00Z\"");
    }
    enum herald_code code = step_into(reader, target);
    if (code == HERALD_OK) {
        Google__Protobuf__Timestamp *to = (Google__Protobuf__Timestamp *)target->message;
        to->seconds = seconds;
        to->nanos = nanos;
    }
    return code;
}

/* Makes the list of a repeated field one longer. Returns: the place of the new item; NULL: no memory. */
static void *add_item(struct reader *reader, const struct target *target) {
    size_t bytes = herald_field_value_bytes(target->field);
    size_t *count = (size_t *)(void *)((char *)target->message + target->field->quantifier_offset);
    void **items = (void **)(void *)((char *)target->message + target->field->offset);
    char *more = herald_reader_alloc(reader, (*count + 1) * bytes);
    if (more == NULL) {
        return NULL;
    }
    if (*count > 0) {
        memcpy(more, *items, *count * bytes);
    }
    *items = more;
    return more + *count * bytes;
}

/* A value of any type but a message. */
union value {
    char *text;
    ProtobufCBinaryData bytes;
    char number[8];
};

/* Whether a field that is set already has this very value. */
static bool has_same_value(const ProtobufCFieldDescriptor *field, const void *at, const union value *value) {
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return strcmp(*(const char *const *)at, value->text != NULL ? value->text : "") == 0;
    }
    return field->type != PROTOBUF_C_TYPE_BYTES && memcmp(at, value, herald_field_value_bytes(field)) == 0;
}

/* An empty text in a list has memory of its own: protobuf-c frees each item. */
static enum herald_code own_text(struct reader *reader, union value *value) {
    if (value->text == NULL) {
        value->text = herald_reader_alloc(reader, 1);
        if (value->text == NULL) {
            return HERALD_RESOURCE_EXHAUSTED;
        }
        *value->text = '\0';
    }
    return HERALD_OK;
}

static enum herald_code append_value(struct reader *reader, struct target *target, union value *value) {
    enum herald_code code = target->field->type == PROTOBUF_C_TYPE_STRING ? own_text(reader, value) : HERALD_OK;
    void *to = code == HERALD_OK ? add_item(reader, target) : NULL;
    if (to == NULL) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    memcpy(to, value, herald_field_value_bytes(target->field));
    ++*(size_t *)(void *)((char *)target->message + target->field->quantifier_offset);
    return HERALD_OK;
}

static enum herald_code put_single(const struct reader *reader, struct target *target, const union value *value) {
    const ProtobufCFieldDescriptor *field = target->field;
    void *to = (char *)target->message + field->offset;
    if (!herald_field_is_zero(field, to) && !has_same_value(field, to, value)) {
        return herald_reader_fail(reader, path_of(target), "is given twice, with different values");
    }
    if (field->type != PROTOBUF_C_TYPE_STRING || value->text != NULL) {
        memcpy(to, value, herald_field_value_bytes(field));
    }
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING) {
        *(protobuf_c_boolean *)(void *)((char *)target->message + field->quantifier_offset) = true;
    }
    return HERALD_OK;
}

static enum herald_code set_scalar(struct reader *reader, struct target *target, const char *text) {
    char *json = json_of(reader, text, is_quoted(target->field->type, text));
    union value value;
    struct json_problem problem;
    if (json == NULL) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    if (!json_text_check(json, strlen(json), &problem)) {
        return herald_reader_fail(reader, path_of(target), "%s", problem.what);
    }
    memset(&value, 0, sizeof(value));
    reader->at = json;
    enum herald_code code = herald_read_scalar(reader, path_of(target), target->field, &value);
    if (code != HERALD_OK) {
        return code;
    }
    return herald_field_is_repeated(target->field) ? append_value(reader, target, &value)
                                                   : put_single(reader, target, &value);
}

enum herald_code herald_json_set_parameter(const struct herald_message_schema *schema, ProtobufCMessage *message,
                                           const char *name, const char *text, ProtobufCAllocator *allocator,
                                           struct herald_error *reterr) {
    struct reader reader;
    struct target target = {.message = message};
    herald_reader_init(&reader, schema, text, strlen(text), allocator, reterr);
    enum herald_code code = find_target(&reader, schema, name, &target);
    if (code != HERALD_OK) {
        return code;
    }
    if (target.field->type != PROTOBUF_C_TYPE_MESSAGE) {
        if (herald_field_is_oneof(target.field)) {
            return herald_reader_fail(&reader, path_of(&target), "cannot be given in a URL");
        }
        return set_scalar(&reader, &target, text);
    }
    return herald_schema_is_timestamp(target.schema->message)
               ? set_time(&reader, &target, text)
               : herald_reader_fail(&reader, path_of(&target), "is no single value: give its fields, %s.…", name);
}
