#include "client/json/read.h"

#include "client/json/timestamp.h"
#include "client/src/field.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "herald/json.h"
#include "herald/unpack.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * jansson parses the text; the tree is then read into the message by the schema. The message is at any time one that
 * protobuf_c_message_free_unpacked() can free, so a failure anywhere needs no other clean-up.
 */

static void *system_alloc(void *user, size_t bytes) {
    (void)user;
    return malloc(bytes);
}

static void system_free(void *user, void *piece) {
    (void)user;
    free(piece);
}

static ProtobufCAllocator system_allocator = {.alloc = system_alloc, .free = system_free};

enum herald_code herald_reader_fail(const struct reader *reader, const struct herald_path *path, const char *format,
                                    ...) {
    char field[sizeof(((struct herald_error_detail *)0)->field)];
    char what[sizeof(((struct herald_error *)0)->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    herald_path_render(path, field, sizeof(field));
    herald_error_set(reader->reterr, HERALD_INVALID_ARGUMENT, "INVALID_JSON", "%s: %s%s%s", reader->root->full_name,
                     field, field[0] ? ": " : "", what);
    herald_error_add_detail(reader->reterr, field, "INVALID_JSON", "%s", what);
    return HERALD_INVALID_ARGUMENT;
}

void *herald_reader_alloc(const struct reader *reader, size_t bytes) {
    void *piece = reader->allocator->alloc(reader->allocator->allocator_data, bytes);
    if (!piece)
        herald_error_set(reader->reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                         "%s: no memory left to read it from JSON", reader->root->full_name);
    return piece;
}

static enum herald_code read_message(const struct reader *reader, const struct herald_path *path,
                                     const struct herald_message_schema *schema, const json_t *json, unsigned depth,
                                     ProtobufCMessage **to);

static enum herald_code read_value(const struct reader *reader, const struct herald_path *path,
                                   const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                   const json_t *json, unsigned depth, void *to) {
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return read_message(reader, path, schema->message, json, depth + 1, to);
    return herald_read_scalar(reader, path, field, json, to);
}

/* An item's place before it is read: what the empty text or nothing looks like. */
static void init_item(const ProtobufCFieldDescriptor *field, void *item) {
    memset(item, 0, herald_field_value_bytes(field));
}

/* An item that was left at nothing because it is the empty text, which in an array must be allocated. */
static enum herald_code finish_item(const struct reader *reader, const ProtobufCFieldDescriptor *field, void *item) {
    if (field->type != PROTOBUF_C_TYPE_STRING || *(char **)item)
        return HERALD_OK;
    char *empty = herald_reader_alloc(reader, 1);
    if (!empty)
        return HERALD_RESOURCE_EXHAUSTED;
    *empty = '\0';
    *(char **)item = empty;
    return HERALD_OK;
}

static enum herald_code read_repeated(const struct reader *reader, struct herald_path *path,
                                      const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                      const json_t *json, unsigned depth, ProtobufCMessage *message) {
    if (!json_is_array(json))
        return herald_reader_fail(reader, path, "must be an array");
    size_t count = json_array_size(json);
    size_t item_bytes = herald_field_value_bytes(field);
    size_t *message_count = (size_t *)(void *)((char *)message + field->quantifier_offset);
    if (count == 0)
        return HERALD_OK;
    char *items = herald_reader_alloc(reader, count * item_bytes);
    if (!items)
        return HERALD_RESOURCE_EXHAUSTED;
    *(void **)(void *)((char *)message + field->offset) = items;
    for (path->index = 0; path->index < count; path->index++) {
        const json_t *item_json = json_array_get(json, path->index);
        void *item = items + path->index * item_bytes;
        init_item(field, item);
        if (json_is_null(item_json))
            return herald_reader_fail(reader, path, "must not be null");
        enum herald_code code = read_value(reader, path, schema, field, item_json, depth, item);
        /* A message that failed is not there; any other item may hold memory already. */
        if (code == HERALD_OK || (field->type == PROTOBUF_C_TYPE_BYTES && ((ProtobufCBinaryData *)item)->data))
            ++*message_count;
        if (code == HERALD_OK)
            code = finish_item(reader, field, item);
        if (code != HERALD_OK)
            return code;
    }
    return HERALD_OK;
}

/* Says that a singular field is set, where the struct has a place to say it. */
static enum herald_code mark_present(const struct reader *reader, const struct herald_path *path,
                                     const ProtobufCFieldDescriptor *field, ProtobufCMessage *message) {
    void *quantifier = (char *)message + field->quantifier_offset;
    if (herald_field_is_oneof(field)) {
        uint32_t *chosen = quantifier;
        if (*chosen != 0)
            return herald_reader_fail(reader, path, "another field of the same oneof is set too");
        *chosen = field->id;
        memset((char *)message + field->offset, 0, herald_field_value_bytes(field));
        if (field->type == PROTOBUF_C_TYPE_STRING)
            *(char **)(void *)((char *)message + field->offset) = (char *)protobuf_c_empty_string;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)quantifier = true;
    }
    return HERALD_OK;
}

static enum herald_code read_field(const struct reader *reader, const struct herald_path *parent,
                                   const struct herald_message_schema *schema, unsigned index, const json_t *json,
                                   unsigned depth, ProtobufCMessage *message) {
    const struct herald_field_schema *field_schema = &schema->fields[index];
    const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[index];
    struct herald_path path = {.parent = parent, .name = field_schema->json_name, .index = HERALD_PATH_NO_INDEX};
    if (json_is_null(json))
        return HERALD_OK; /* as if the name were not there */
    if (herald_field_is_repeated(field))
        return read_repeated(reader, &path, field_schema, field, json, depth, message);
    enum herald_code code = mark_present(reader, &path, field, message);
    if (code != HERALD_OK)
        return code;
    return read_value(reader, &path, field_schema, field, json, depth, (char *)message + field->offset);
}

static enum herald_code unknown_name(const struct reader *reader, const struct herald_path *parent,
                                     const struct herald_message_schema *schema, const char *name) {
    char known[320] = "";
    size_t used = 0;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        int bytes =
            snprintf(known + used, sizeof(known) - used, "%s%s", i > 0 ? ", " : "", schema->fields[i].json_name);
        if (bytes < 0 || (size_t)bytes >= sizeof(known) - used)
            break;
        used += (size_t)bytes;
    }
    struct herald_path path = {.parent = parent, .name = name, .index = HERALD_PATH_NO_INDEX};
    return herald_reader_fail(reader, &path, "no such field in %s%s%s", schema->full_name,
                              used > 0 ? "; its fields are " : "", known);
}

/* Index of the field with a JSON or proto name; n_fields if there is none. */
static unsigned find_field(const struct herald_message_schema *schema, const char *name) {
    unsigned count = schema->descriptor->n_fields;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(schema->fields[i].json_name, name) == 0 || strcmp(schema->descriptor->fields[i].name, name) == 0)
            return i;
    }
    return count;
}

static enum herald_code read_fields(const struct reader *reader, const struct herald_path *path,
                                    const struct herald_message_schema *schema, json_t *json, unsigned depth,
                                    ProtobufCMessage *message) {
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value) {
        unsigned index = find_field(schema, name);
        if (index == schema->descriptor->n_fields)
            return unknown_name(reader, path, schema, name);
        /* jansson refuses a name twice; this is for the JSON and the proto name of one field. */
        const char *json_name = schema->fields[index].json_name;
        if (strcmp(name, json_name) != 0 && json_object_get(json, json_name))
            return herald_reader_fail(reader, path, "\"%s\" and \"%s\" name the same field", name, json_name);
        enum herald_code code = read_field(reader, path, schema, index, value, depth, message);
        if (code != HERALD_OK)
            return code;
    }
    return HERALD_OK;
}

static enum herald_code read_timestamp(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                       Google__Protobuf__Timestamp *to) {
    if (!json_is_string(json) ||
        !herald_timestamp_read(json_string_value(json), json_string_length(json), &to->seconds, &to->nanos))
        return herald_reader_fail(reader, path, "must be a time like \"2026-01-31T12:00:00Z\"");
    return HERALD_OK;
}

static enum herald_code read_message(const struct reader *reader, const struct herald_path *path,
                                     const struct herald_message_schema *schema, const json_t *json, unsigned depth,
                                     ProtobufCMessage **to) {
    bool timestamp = schema->descriptor == &google__protobuf__timestamp__descriptor;
    if (depth > HERALD_UNPACK_MAX_DEPTH)
        return herald_reader_fail(reader, path, "is nested deeper than %u levels", HERALD_UNPACK_MAX_DEPTH);
    if (!timestamp && !json_is_object(json))
        return herald_reader_fail(reader, path, "must be an object");
    ProtobufCMessage *message = herald_reader_alloc(reader, schema->descriptor->sizeof_message);
    if (!message)
        return HERALD_RESOURCE_EXHAUSTED;
    protobuf_c_message_init(schema->descriptor, message);
    enum herald_code code = timestamp ? read_timestamp(reader, path, json, (Google__Protobuf__Timestamp *)message)
                                      : read_fields(reader, path, schema, (json_t *)(uintptr_t)json, depth, message);
    if (code != HERALD_OK) {
        protobuf_c_message_free_unpacked(message, reader->allocator);
        return code;
    }
    *to = message;
    return HERALD_OK;
}

/* Refuses text whose brackets nest too deep before a parser recurses into it. */
static bool nests_too_deep(const char *json, size_t bytes) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        char c = json[i];
        if (c == '"')
            in_string = !in_string;
        else if (in_string)
            i += c == '\\';
        else if (c == '{' || c == '[') {
            if (++depth > HERALD_UNPACK_MAX_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return false;
}

enum herald_code herald_json_read(const struct herald_message_schema *schema, const char *json, size_t json_bytes,
                                  ProtobufCAllocator *allocator, ProtobufCMessage **ret_message,
                                  struct herald_error *reterr) {
    struct reader reader = {.reterr = reterr, .root = schema, .allocator = allocator ? allocator : &system_allocator};
    json_error_t syntax;
    if (nests_too_deep(json, json_bytes))
        return herald_reader_fail(&reader, NULL, "is nested deeper than %u levels", HERALD_UNPACK_MAX_DEPTH);
    json_t *tree = json_loadb(json, json_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &syntax);
    if (!tree)
        return herald_reader_fail(&reader, NULL, "line %d, column %d: %s", syntax.line, syntax.column, syntax.text);
    enum herald_code code = read_message(&reader, NULL, schema, tree, 1, ret_message);
    json_decref(tree);
    return code;
}
