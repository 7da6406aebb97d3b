/*
 * Unpacks untrusted bytes. protobuf-c trusts its input too much for a server: it recurses without limit, turns a few
 * bytes into many allocations, and hides a NUL inside a string. So walk_message() checks the bytes first, by the same
 * rules by which protobuf-c then reads them.
 */
#include "herald/unpack.h"

#include "client/message/field.h"
#include "client/message/path.h"
#include "client/message/wire.h"
#include "herald/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Memory that protobuf-c uses for each field of a message while reading it. */
#define SCANNED_MEMBER_BYTES 40

struct walk {
    struct herald_error *reterr;
    size_t memory_bytes; /* of the result, as far as it has been walked */
    size_t memory_cap_bytes;
};

/* One message on the way from the outermost to the one being walked. */
struct frame {
    const struct frame *parent;
    const struct herald_message_schema *schema;
    const uint8_t *data;
    size_t bytes;
    unsigned depth;
    const ProtobufCFieldDescriptor *field; /* being read; NULL: unknown or none */
    const uint8_t *field_at;               /* where it begins */
};

/* Index of the current item in its repeated field; counted only for an error's text. */
static size_t frame_item_index(const struct frame *frame) {
    struct wire_cursor cursor = {frame->data, frame->field_at};
    struct wire_field field;
    size_t index = 0;
    while (cursor.at < cursor.end && wire_read_field(&cursor, &field)) {
        index += field.number == frame->field->id;
    }
    return index;
}

/* Turns the frames into path steps and renders them. */
static void frame_render_path(const struct frame *frame, char *buffer, size_t buffer_bytes) {
    struct herald_path steps[HERALD_UNPACK_MAX_DEPTH + 2];
    const struct frame *frames[HERALD_UNPACK_MAX_DEPTH + 2];
    size_t count = 0;
    for (; frame; frame = frame->parent) {
        if (frame->field) {
            frames[count++] = frame;
        }
    }
    const struct herald_path *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct frame *at = frames[count - 1 - i];
        size_t field_index = (size_t)(at->field - at->schema->descriptor->fields);
        steps[i] = (struct herald_path){
            .parent = last,
            .name = at->schema->fields[field_index].json_name,
            .index = herald_field_is_repeated(at->field) ? frame_item_index(at) : HERALD_PATH_NO_INDEX,
        };
        last = &steps[i];
    }
    herald_path_render(last, buffer, buffer_bytes);
}

static enum herald_code malformed_payload(struct walk *walk, const struct frame *frame, const char *what) {
    char path[sizeof(((struct herald_error_detail *)0)->field)];
    frame_render_path(frame, path, sizeof(path));
    const struct frame *root = frame;
    while (root->parent) {
        root = root->parent;
    }
    herald_error_set(walk->reterr, HERALD_REASON_MALFORMED_PAYLOAD, "%s: %s%s%s", root->schema->full_name, path,
                     path[0] ? ": " : "", what);
    herald_error_add_detail(walk->reterr, path, HERALD_REASON_MALFORMED, "%s", what);
    return HERALD_INVALID_ARGUMENT;
}

static enum herald_code charge(struct walk *walk, const struct frame *frame, size_t bytes) {
    if (bytes <= walk->memory_cap_bytes - walk->memory_bytes) {
        walk->memory_bytes += bytes;
        return HERALD_OK;
    }
    return herald_error_set(walk->reterr, HERALD_REASON_PAYLOAD_TOO_COMPLEX,
                            "%s: its %zu bytes would take more than %zu bytes of memory; send fewer, larger parts",
                            frame->schema->full_name, frame->bytes, walk->memory_cap_bytes);
}

static unsigned scalar_wire_type(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static enum herald_code walk_string(struct walk *walk, const struct frame *frame, const struct wire_field *value) {
    if (memchr(value->data, '\0', value->bytes)) {
        return malformed_payload(walk, frame, "the text holds a NUL byte");
    }
    if (!herald_utf8_valid((const char *)value->data, value->bytes, NULL)) {
        return malformed_payload(walk, frame, "the text is not valid UTF-8");
    }
    return charge(walk, frame, value->bytes + 1);
}

/* Walks a packed field: many scalars. */
static enum herald_code walk_packed(struct walk *walk, const struct frame *frame, const struct wire_field *value) {
    unsigned type = scalar_wire_type(frame->field->type);
    size_t count = 0;
    if (type == WIRE_VARINT) {
        struct wire_cursor cursor = {value->data, value->data + value->bytes};
        uint64_t ignored;
        for (; cursor.at < cursor.end; count++) {
            if (!wire_read_varint(&cursor, 10, &ignored)) {
                return malformed_payload(walk, frame, "a number in the list is cut off or too long");
            }
        }
    } else {
        size_t each = type == WIRE_32BIT ? 4 : 8;
        if (value->bytes % each != 0) {
            return malformed_payload(walk, frame, "the list's length is no multiple of its items' size");
        }
        count = value->bytes / each;
    }
    return charge(walk, frame, count * herald_field_value_bytes(frame->field));
}

static enum herald_code walk_message(struct walk *walk, struct frame *frame);

static bool has_oneof(const ProtobufCMessageDescriptor *descriptor) {
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (descriptor->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            return true;
        }
    }
    return false;
}

static enum herald_code walk_submessage(struct walk *walk, const struct frame *frame, const struct wire_field *value) {
    size_t field_index = (size_t)(frame->field - frame->schema->descriptor->fields);
    struct frame inner = {
        .parent = frame,
        .schema = frame->schema->fields[field_index].message,
        .data = value->data,
        .bytes = value->bytes,
        .depth = frame->depth + 1,
    };
    if (inner.depth > HERALD_UNPACK_MAX_DEPTH) {
        return malformed_payload(walk, frame, "messages are nested too deep");
    }
    /* protobuf-c cannot merge two messages whose oneof is unset, and fails then as it does without memory. */
    if (!herald_field_is_repeated(frame->field) && has_oneof(inner.schema->descriptor) && frame_item_index(frame) > 0) {
        return malformed_payload(walk, frame, "a message with alternatives comes twice");
    }
    return walk_message(walk, &inner);
}

/* Walks one value of a known field. */
static enum herald_code walk_value(struct walk *walk, struct frame *frame, const struct wire_field *value) {
    const ProtobufCFieldDescriptor *field = frame->field;
    unsigned type = scalar_wire_type(field->type);
    bool repeated = herald_field_is_repeated(field);
    if (repeated && type != WIRE_BYTES && value->type == WIRE_BYTES) {
        return walk_packed(walk, frame, value);
    }
    if (value->type != type) {
        return malformed_payload(walk, frame, "the value has the wire type of another kind of field");
    }
    enum herald_code code = repeated ? charge(walk, frame, herald_field_value_bytes(field)) : HERALD_OK;
    if (code != HERALD_OK) {
        return code;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return walk_string(walk, frame, value);
    case PROTOBUF_C_TYPE_BYTES:
        return charge(walk, frame, value->bytes);
    case PROTOBUF_C_TYPE_MESSAGE:
        return walk_submessage(walk, frame, value);
    default:
        return HERALD_OK;
    }
}

static enum herald_code walk_message(struct walk *walk, struct frame *frame) {
    const ProtobufCMessageDescriptor *descriptor = frame->schema->descriptor;
    enum herald_code code = charge(walk, frame, descriptor->sizeof_message);
    struct wire_cursor cursor = {frame->data, frame->data + frame->bytes};
    while (code == HERALD_OK && cursor.at < cursor.end) {
        struct wire_field value = {.number = 0};
        frame->field = NULL;
        frame->field_at = cursor.at;
        bool whole = wire_read_field(&cursor, &value);
        frame->field = protobuf_c_message_descriptor_get_field(descriptor, value.number);
        if (!whole) {
            return malformed_payload(walk, frame,
                                     frame->field ? "the value is cut off, or has an impossible length or wire type"
                                                  : "the bytes are no protobuf fields, or are cut off");
        }
        code = charge(walk, frame, SCANNED_MEMBER_BYTES);
        if (code == HERALD_OK && frame->field) {
            code = walk_value(walk, frame, &value);
        } else if (code == HERALD_OK) {
            code = charge(walk, frame, sizeof(ProtobufCMessageUnknownField) + (size_t)(cursor.at - frame->field_at));
        }
    }
    frame->field = NULL;
    return code;
}

enum herald_code herald_unpack(const struct herald_message_schema *schema, ProtobufCAllocator *allocator,
                               const uint8_t *bytes, size_t bytes_count, ProtobufCMessage **ret_message,
                               struct herald_error *reterr) {
    static const uint8_t nothing[1];
    struct walk walk = {.reterr = reterr,
                        .memory_cap_bytes =
                            HERALD_UNPACK_BASE_MEMORY_BYTES + HERALD_UNPACK_MEMORY_FACTOR * bytes_count};
    struct frame root = {.schema = schema, .data = bytes ? bytes : nothing, .bytes = bytes_count};
    enum herald_code code = walk_message(&walk, &root);
    if (code != HERALD_OK || !ret_message) {
        return code;
    }
    ProtobufCMessage *message = protobuf_c_message_unpack(schema->descriptor, allocator, bytes_count, root.data);
    if (!message) {
        return herald_error_no_memory(reterr, "a %s unpacked from %zu bytes", schema->full_name, bytes_count);
    }
    *ret_message = message;
    return HERALD_OK;
}
