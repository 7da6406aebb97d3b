/*
 * Reads messages from JSON. The whole text is checked first, then read along the schema. Invariant: at any time
 * protobuf_c_message_free_unpacked() can free the message, so a failure needs no other clean-up.
 */
#include "client/base/edit_distance.h"
#include "client/json/near.h"
#include "client/json/read_scalar.h"
#include "client/json/reader.h"
#include "client/json/text.h"
#include "client/json/timestamp.h"
#include "client/message/field.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "herald/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Most fields of a message: the reader has one bit for each, to refuse a field that is given twice. */
#define FIELDS_MAX 512
#define NAME_BYTES 128

static enum herald_code read_message_object(struct reader *reader, const struct herald_path *path,
                                            const struct herald_message_schema *schema, ProtobufCMessage **to);

static enum herald_code read_value(struct reader *reader, const struct herald_path *path,
                                   const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                   void *to) {
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return read_message_object(reader, path, schema->message, to);
    }
    return herald_read_scalar(reader, path, field, to);
}

/* Allocates an empty text of a list or a oneof: protobuf-c would take its own static empty text for an unset field. */
static enum herald_code finish_text(struct reader *reader, const ProtobufCFieldDescriptor *field, void *value) {
    if (field->type != PROTOBUF_C_TYPE_STRING || *(char **)value) {
        return HERALD_OK;
    }
    char *empty = herald_reader_alloc(reader, 1);
    if (!empty) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    *empty = '\0';
    *(char **)value = empty;
    return HERALD_OK;
}

static enum herald_code read_item(struct reader *reader, const struct herald_path *path,
                                  const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                  void *item, size_t *count) {
    memset(item, 0, herald_field_value_bytes(field));
    if (json_peek(&reader->at) == 'n') {
        return herald_reader_fail(reader, path, "must not be null");
    }
    enum herald_code code = read_value(reader, path, schema, field, item);
    /* A message that failed has been freed; an item of bytes that failed may hold memory, so it counts. */
    if (code == HERALD_OK || (field->type == PROTOBUF_C_TYPE_BYTES && ((ProtobufCBinaryData *)item)->data)) {
        ++*count;
    }
    return code == HERALD_OK ? finish_text(reader, field, item) : code;
}

static enum herald_code read_repeated(struct reader *reader, struct herald_path *path,
                                      const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                      ProtobufCMessage *message) {
    if (json_peek(&reader->at) != '[') {
        return herald_reader_fail(reader, path, "must be an array, not %s", json_kind(reader->at));
    }
    size_t count = json_count_items(reader->at);
    size_t item_bytes = herald_field_value_bytes(field);
    size_t *message_count = (size_t *)(void *)((char *)message + field->quantifier_offset);
    if (count == 0) {
        json_skip(&reader->at);
        return HERALD_OK;
    }
    char *items = herald_reader_alloc(reader, count * item_bytes);
    if (!items) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    *(void **)(void *)((char *)message + field->offset) = items;
    for (path->index = 0; path->index < count; path->index++) {
        reader->at++; /* the bracket or comma before it */
        enum herald_code code = read_item(reader, path, schema, field, items + path->index * item_bytes, message_count);
        if (code != HERALD_OK) {
            return code;
        }
        json_peek(&reader->at);
    }
    reader->at++;
    return HERALD_OK;
}

/* Marks a singular field as set, where the struct has a place for that. */
static enum herald_code mark_present(const struct reader *reader, const struct herald_path *path,
                                     const ProtobufCFieldDescriptor *field, ProtobufCMessage *message) {
    void *quantifier = (char *)message + field->quantifier_offset;
    if (herald_field_is_oneof(field)) {
        uint32_t *chosen = quantifier;
        if (*chosen != 0) {
            return herald_reader_fail(reader, path, "another field of the same oneof is set too");
        }
        *chosen = field->id;
        memset((char *)message + field->offset, 0, herald_field_value_bytes(field));
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)quantifier = true;
    }
    return HERALD_OK;
}

static enum herald_code read_field(struct reader *reader, struct herald_path *path,
                                   const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                   ProtobufCMessage *message) {
    if (json_peek(&reader->at) == 'n') {
        json_skip(&reader->at); /* null means the same as a field that is missing */
        return HERALD_OK;
    }
    if (herald_field_is_repeated(field)) {
        return read_repeated(reader, path, schema, field, message);
    }
    void *to = (char *)message + field->offset;
    enum herald_code code = mark_present(reader, path, field, message);
    if (code == HERALD_OK) {
        code = read_value(reader, path, schema, field, to);
    }
    return code == HERALD_OK && herald_field_is_oneof(field) ? finish_text(reader, field, to) : code;
}

/* The JSON name of the field that is nearest to a wrong name; NULL if none is near. */
static const char *nearest_name(const struct herald_message_schema *schema, const char *name) {
    unsigned least = NEAR_MAX + 1;
    const char *nearest = NULL;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        unsigned distance = herald_edit_distance(schema->fields[i].json_name, name);
        if (distance < least) {
            least = distance;
            nearest = schema->fields[i].json_name;
        }
    }
    return nearest;
}

static enum herald_code unknown_field(const struct reader *reader, const struct herald_path *parent,
                                      const struct herald_message_schema *schema, const char *name) {
    char known[320] = "";
    size_t used = 0;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        int bytes =
            snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", schema->fields[i].json_name);
        if (bytes < 0 || (size_t)bytes >= sizeof(known) - used) {
            break;
        }
        used += (size_t)bytes;
    }
    const char *nearest = nearest_name(schema, name);
    struct herald_path path = {.parent = parent, .name = name, .index = HERALD_PATH_NO_INDEX};
    return herald_reader_fail(reader, &path, "no such field in %s%s%s%s%s%s", schema->full_name,
                              nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "",
                              used > 0 ? "; its fields are " : "", known);
}

/* Index of the field with a JSON or proto name; n_fields if there is none. */
static unsigned find_field_index(const struct herald_message_schema *schema, const char *name) {
    unsigned count = schema->descriptor->n_fields;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(schema->fields[i].json_name, name) == 0 || strcmp(schema->descriptor->fields[i].name, name) == 0) {
            return i;
        }
    }
    return count;
}

/* Reads one name and its value. @seen  one bit for each field that was read before */
static enum herald_code read_message_member(struct reader *reader, const struct herald_path *parent,
                                            const struct herald_message_schema *schema, unsigned char *seen,
                                            ProtobufCMessage *message) {
    char name[NAME_BYTES];
    json_peek(&reader->at);
    bool whole = json_take_string(&reader->at, name, sizeof(name)) < sizeof(name);
    unsigned index = whole ? find_field_index(schema, name) : schema->descriptor->n_fields;
    json_take(&reader->at, ':');
    if (index == schema->descriptor->n_fields) {
        if (!reader->ignore_unknown) {
            return unknown_field(reader, parent, schema, name);
        }
        json_skip(&reader->at);
        return HERALD_OK;
    }
    const struct herald_field_schema *field = &schema->fields[index];
    struct herald_path path = {.parent = parent, .name = field->json_name, .index = HERALD_PATH_NO_INDEX};
    unsigned char bit = (unsigned char)(1u << index % 8);
    if (seen[index / 8] & bit) {
        return herald_reader_fail(reader, &path, "is given twice");
    }
    seen[index / 8] |= bit;
    return read_field(reader, &path, field, &schema->descriptor->fields[index], message);
}

static enum herald_code read_fields(struct reader *reader, const struct herald_path *path,
                                    const struct herald_message_schema *schema, ProtobufCMessage *message) {
    unsigned char seen[FIELDS_MAX / 8] = {0};
    assert(schema->descriptor->n_fields <= FIELDS_MAX);
    reader->at++;
    if (json_take(&reader->at, '}')) {
        return HERALD_OK;
    }
    do {
        enum herald_code code = read_message_member(reader, path, schema, seen, message);
        if (code != HERALD_OK) {
            return code;
        }
    } while (json_take(&reader->at, ','));
    json_take(&reader->at, '}');
    return HERALD_OK;
}

static enum herald_code read_timestamp_text(struct reader *reader, const struct herald_path *path,
                                            Google__Protobuf__Timestamp *to) {
    char text[64];
    size_t bytes = sizeof(text);
    if (json_peek(&reader->at) == '"') {
        bytes = json_take_string(&reader->at, text, sizeof(text));
    }
    if (bytes == sizeof(text) || !herald_timestamp_read(text, bytes, &to->seconds, &to->nanos)) {
        return herald_reader_fail(reader, path, "must be a time like \"2026-01-31T12:00:00Z\"");
    }
    return HERALD_OK;
}

static enum herald_code read_message_object(struct reader *reader, const struct herald_path *path,
                                            const struct herald_message_schema *schema, ProtobufCMessage **to) {
    bool timestamp = herald_schema_is_timestamp(schema);
    if (!timestamp && json_peek(&reader->at) != '{') {
        return herald_reader_fail(reader, path, "must be an object, not %s", json_kind(reader->at));
    }
    ProtobufCMessage *message = herald_reader_alloc(reader, schema->descriptor->sizeof_message);
    if (!message) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    protobuf_c_message_init(schema->descriptor, message);
    enum herald_code code = timestamp ? read_timestamp_text(reader, path, (Google__Protobuf__Timestamp *)message)
                                      : read_fields(reader, path, schema, message);
    if (code != HERALD_OK) {
        protobuf_c_message_free_unpacked(message, reader->allocator);
        return code;
    }
    *to = message;
    return HERALD_OK;
}

enum herald_code herald_json_read(const struct herald_message_schema *schema, const char *json, size_t json_bytes,
                                  const struct herald_json_read_options *options, ProtobufCAllocator *allocator,
                                  ProtobufCMessage **ret_message, struct herald_error *reterr) {
    struct reader reader;
    herald_reader_init(&reader, schema, json, json_bytes, allocator, reterr);
    reader.ignore_unknown = options && options->ignore_unknown;
    size_t max_bytes = options && options->max_bytes > 0 ? options->max_bytes : HERALD_JSON_DEFAULT_MAX_BYTES;
    struct json_problem problem;
    if (json_bytes > max_bytes) {
        return herald_error_set(reterr, HERALD_REASON_JSON_TOO_LONG, "%s: its JSON has %zu bytes; at most %zu are read",
                                schema->full_name, json_bytes, max_bytes);
    }
    if (!json_text_check(json, json_bytes, &problem)) {
        return herald_reader_fail(&reader, NULL, "line %zu, column %zu: %s", problem.line, problem.column,
                                  problem.what);
    }
    return read_message_object(&reader, NULL, schema, ret_message);
}
