#ifndef HERALD_MESSAGE_FIELD_H
#define HERALD_MESSAGE_FIELD_H

/* Reads fields of protobuf-c's structs by their descriptors. */
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Whether a schema is google.protobuf.Timestamp's. Compares names, because a program may have another copy of it. */
static inline bool herald_schema_is_timestamp(const struct herald_message_schema *schema) {
    return strcmp(schema->full_name, "google.protobuf.Timestamp") == 0;
}

/** Size of one value in the struct, or in a repeated field's array. */
static inline size_t herald_field_value_bytes(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/** Address of the field's value, or of the pointer to its array. */
static inline const void *herald_field_at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    return (const char *)message + field->offset;
}

/** Number of items of a repeated field. */
static inline size_t herald_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    size_t count;
    memcpy(&count, (const char *)message + field->quantifier_offset, sizeof(count));
    return count;
}

/** Item @index of a repeated field. */
static inline const void *herald_field_item(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                            size_t index) {
    const char *const *array = herald_field_at(message, field);
    return *array + index * herald_field_value_bytes(field);
}

static inline bool herald_field_is_repeated(const ProtobufCFieldDescriptor *field) {
    return field->label == PROTOBUF_C_LABEL_REPEATED;
}

static inline bool herald_field_is_oneof(const ProtobufCFieldDescriptor *field) {
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/**
 * Whether a singular field has presence and holds a value: a set message, the chosen member of a oneof, an optional
 * field of proto2. True for fields without presence (proto3 scalars), whose zero value cannot be told from unset.
 */
static inline bool herald_field_is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    if (herald_field_is_oneof(field)) {
        uint32_t chosen;
        memcpy(&chosen, (const char *)message + field->quantifier_offset, sizeof(chosen));
        if (chosen != field->id) {
            return false;
        }
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        protobuf_c_boolean has;
        memcpy(&has, (const char *)message + field->quantifier_offset, sizeof(has));
        if (!has) {
            return false;
        }
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->label == PROTOBUF_C_LABEL_OPTIONAL) {
        if (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING) {
            return *(const void *const *)herald_field_at(message, field) != NULL;
        }
    }
    return true;
}

/** Whether a singular field's value is its type's zero: no text, no bytes, no message, 0. */
static inline bool herald_field_is_zero(const ProtobufCFieldDescriptor *field, const void *value) {
    static const char zero[8];
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)value;
        return !text || text[0] == '\0';
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)value)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)value == NULL;
    default:
        return memcmp(value, zero, herald_field_value_bytes(field)) == 0;
    }
}

#endif
