#include "tests/unit/json/random_message.h"

#include "client/message/field.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 5
#define ITEMS_MAX 4

uint64_t random_next(uint64_t *seed) {
    /* splitmix64 */
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t *seed, uint64_t limit) {
    return random_next(seed) % limit;
}

/* A number that is often small, and often at the ends of its range. */
static uint64_t random_number(uint64_t *seed) {
    uint64_t value = random_next(seed);
    switch (below(seed, 5)) {
    case 0:
        return value % 100;
    case 1:
        return 0 - value % 100;
    case 2:
        return (UINT64_C(1) << (value % 64)) - (value >> 63);
    default:
        return value;
    }
}

static char *random_text(uint64_t *seed) {
    static const char *const pieces[] = {"a",  "Z",    "7",      " ",        "\"",     "\\",           "/",
                                         "\n", "\x01", "\x7f",   "\xc2\x9b", "\u00e9", "\ub3d9\ub124", "€",
                                         "😀", "</a>", "\u2028", "\t",       "한글"};
    char text[256] = "";
    size_t used = 0;
    for (uint64_t i = below(seed, 12); i > 0; i--) {
        const char *piece = pieces[below(seed, sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(text + used, piece, strlen(piece) + 1);
        used += strlen(piece);
    }
    return strdup(text);
}

static double random_double(uint64_t *seed) {
    double value = 0;
    uint64_t bits = random_next(seed);
    switch (below(seed, 5)) {
    case 0:
        return (double)INFINITY;
    case 1:
        return (double)(int64_t)random_number(seed);
    case 2:
        return (double)below(seed, 1000) / 8;
    default:
        memcpy(&value, &bits, sizeof(value));
        return isnan(value) ? 1.5 : value;
    }
}

static float random_float(uint64_t *seed) {
    return (float)below(seed, 1u << 30) / 1024.0f * (below(seed, 2) ? 1.0f : -3.7e-20f);
}

static int random_enum(const ProtobufCFieldDescriptor *field, uint64_t *seed) {
    const ProtobufCEnumDescriptor *descriptor = field->descriptor;
    if (below(seed, 10) == 0) {
        return 12345; /* enums are open */
    }
    return descriptor->values[below(seed, descriptor->n_values)].value;
}

static ProtobufCMessage *random_nested(const struct herald_message_schema *schema, uint64_t *seed, unsigned depth);

static void fill_value(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field, void *to,
                       uint64_t *seed, unsigned depth) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)to = random_text(seed);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = to;
        bytes->len = (size_t)below(seed, 9);
        bytes->data = bytes->len > 0 ? malloc(bytes->len) : NULL;
        for (size_t i = 0; i < bytes->len; i++) {
            bytes->data[i] = (uint8_t)random_next(seed);
        }
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)to = random_nested(schema->message, seed, depth + 1);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)to = (protobuf_c_boolean)below(seed, 2);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)to = random_enum(field, seed);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)to = random_double(seed);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)to = random_float(seed);
        break;
    default: {
        uint64_t number = random_number(seed);
        memcpy(to, &number, herald_field_value_bytes(field));
        break;
    }
    }
}

static void fill_repeated(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                          ProtobufCMessage *message, uint64_t *seed, unsigned depth) {
    size_t count = (size_t)below(seed, ITEMS_MAX);
    size_t item_bytes = herald_field_value_bytes(field);
    if (count == 0) {
        return;
    }
    char *items = calloc(count, item_bytes);
    for (size_t i = 0; i < count; i++) {
        fill_value(schema, field, items + i * item_bytes, seed, depth);
    }
    *(void **)(void *)((char *)message + field->offset) = items;
    *(size_t *)(void *)((char *)message + field->quantifier_offset) = count;
}

static void fill_field(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                       ProtobufCMessage *message, uint64_t *seed, unsigned depth) {
    bool deep = field->type == PROTOBUF_C_TYPE_MESSAGE && depth >= DEPTH_MAX;
    void *quantifier = (char *)message + field->quantifier_offset;
    if (field->label != PROTOBUF_C_LABEL_REQUIRED && (deep || below(seed, 3) == 0)) {
        return;
    }
    if (herald_field_is_repeated(field)) {
        fill_repeated(schema, field, message, seed, depth);
        return;
    }
    if (herald_field_is_oneof(field)) {
        if (*(uint32_t *)quantifier != 0) {
            return;
        }
        *(uint32_t *)quantifier = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)quantifier = true;
    }
    fill_value(schema, field, (char *)message + field->offset, seed, depth);
}

static ProtobufCMessage *random_nested(const struct herald_message_schema *schema, uint64_t *seed, unsigned depth) {
    ProtobufCMessage *message = malloc(schema->descriptor->sizeof_message);
    protobuf_c_message_init(schema->descriptor, message);
    if (schema->descriptor == &google__protobuf__timestamp__descriptor) {
        static const int32_t units[] = {1, 1000, 1000000, 1000000000};
        Google__Protobuf__Timestamp *timestamp = (Google__Protobuf__Timestamp *)message;
        int32_t unit = units[below(seed, 4)];
        timestamp->seconds = (int64_t)below(seed, UINT64_C(315537897600)) - INT64_C(62135596800);
        timestamp->nanos = (int32_t)(below(seed, 1000000000) / (uint64_t)unit) * (unit % 1000000000);
        return message;
    }
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        fill_field(&schema->fields[i], &schema->descriptor->fields[i], message, seed, depth);
    }
    return message;
}

ProtobufCMessage *random_message(const struct herald_message_schema *schema, uint64_t *seed) {
    return random_nested(schema, seed, 0);
}
