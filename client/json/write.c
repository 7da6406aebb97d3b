/* Writes messages as JSON, along the schema, into one growing text. */
#include "client/json/base64.h"
#include "client/json/text.h"
#include "client/json/timestamp.h"
#include "client/message/field.h"
#include "client/message/path.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/utf8.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The growing text. The first failure sticks; later writes do nothing. */
struct writer {
    char *text;
    size_t used_bytes;
    size_t size_bytes;
    enum herald_code code;
    struct herald_error *reterr;
    const struct herald_message_schema *root;
    bool indent;
    bool with_defaults;
    unsigned level; /* of nesting, for the indentation */
};

static void fail(struct writer *writer, const struct herald_path *path, const char *what) {
    char field[sizeof(((struct herald_error_detail *)0)->field)];
    if (writer->code != HERALD_OK) {
        return;
    }
    herald_path_render(path, field, sizeof(field));
    writer->code =
        herald_error_set(writer->reterr, HERALD_REASON_NOT_JSON, "%s: %s %s", writer->root->full_name, field, what);
    herald_error_add_detail(writer->reterr, field, HERALD_REASON_NOT_JSON, "%s", what);
}

/* Makes room; NULL after a failure. */
static char *reserve(struct writer *writer, size_t bytes) {
    if (writer->code != HERALD_OK) {
        return NULL;
    }
    if (writer->size_bytes - writer->used_bytes < bytes) {
        size_t size = (writer->size_bytes + bytes) * 2;
        char *text = realloc(writer->text, size);
        if (!text) {
            writer->code = herald_error_no_memory(writer->reterr, "the JSON text of a %s", writer->root->full_name);
            return NULL;
        }
        writer->text = text;
        writer->size_bytes = size;
    }
    return writer->text + writer->used_bytes;
}

static void put_json_bytes(struct writer *writer, const char *text, size_t bytes) {
    char *to = reserve(writer, bytes);
    if (!to) {
        return;
    }
    memcpy(to, text, bytes);
    writer->used_bytes += bytes;
}

static void put_json_text(struct writer *writer, const char *text) {
    put_json_bytes(writer, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) put_json_format(struct writer *writer, const char *format, ...) {
    char text[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_json_text(writer, text);
}

static void put_newline(struct writer *writer) {
    if (!writer->indent) {
        return;
    }
    put_json_bytes(writer, "\n", 1);
    for (unsigned i = 0; i < writer->level; i++) {
        put_json_bytes(writer, "  ", 2);
    }
}

/* Opens an object or array; put_item() comes before each of its items, put_close() at its end. */
static void put_open(struct writer *writer, char bracket) {
    put_json_bytes(writer, &bracket, 1);
    writer->level++;
}

static void put_item(struct writer *writer, bool *first) {
    if (!*first) {
        put_json_bytes(writer, ",", 1);
    }
    *first = false;
    put_newline(writer);
}

static void put_close(struct writer *writer, char bracket, bool empty) {
    writer->level--;
    if (!empty) {
        put_newline(writer);
    }
    put_json_bytes(writer, &bracket, 1);
}

/* Length of the longest start of @text that needs no escape. */
static size_t plain_bytes(const char *text) {
    size_t bytes = 0;
    while ((unsigned char)text[bytes] >= 0x20 && text[bytes] != '"' && text[bytes] != '\\' &&
           json_control_bytes(text + bytes) == 0) {
        bytes++;
    }
    return bytes;
}

/* Escapes the character at @text. Returns its bytes. */
static size_t put_escape(struct writer *writer, const char *text) {
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *at = letters; *at; at += 2) {
        if (*at == *text) {
            put_json_format(writer, "\\%c", at[1]);
            return 1;
        }
    }
    size_t bytes = json_control_bytes(text) == 2 ? 2 : 1;
    put_json_format(writer, "\\u%04x", (unsigned char)text[bytes - 1]);
    return bytes;
}

static void put_string(struct writer *writer, const struct herald_path *path, const char *text) {
    if (!herald_utf8_valid(text, strlen(text), NULL)) {
        fail(writer, path, "is not valid UTF-8");
        return;
    }
    put_json_bytes(writer, "\"", 1);
    while (*text) {
        size_t plain = plain_bytes(text);
        put_json_bytes(writer, text, plain);
        text += plain;
        if (*text) {
            text += put_escape(writer, text);
        }
    }
    put_json_bytes(writer, "\"", 1);
}

static void put_bytes(struct writer *writer, const ProtobufCBinaryData *bytes) {
    size_t chars = herald_base64_chars(bytes->len);
    put_json_bytes(writer, "\"", 1);
    char *to = reserve(writer, chars);
    if (to) {
        herald_base64_write(bytes->data, bytes->len, to);
        writer->used_bytes += chars;
    }
    put_json_bytes(writer, "\"", 1);
}

/* Writes the fewest digits that read back as the same number (for some powers of two, one more). Not for 0. */
static void shortest_text(double value, bool is_float, char *ret_text, size_t room) {
    /* %g prints every number of that few digits exactly, except numbers near 0 that have less than full precision. */
    bool full = fabs(value) >= (is_float ? (double)FLT_MIN : DBL_MIN);
    for (int digits = !full ? 1 : is_float ? FLT_DIG : DBL_DIG; digits <= 17; digits++) {
        snprintf(ret_text, room, "%.*g", digits, value);
        double back = strtod(ret_text, NULL);
        if (is_float ? (float)back == (float)value : back == value) {
            return;
        }
    }
}

static void put_double(struct writer *writer, double value, bool is_float) {
    char text[40];
    if (isnan(value)) {
        put_json_text(writer, "\"NaN\"");
        return;
    }
    if (isinf(value)) {
        put_json_text(writer, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    if (value == 0) {
        put_json_text(writer,
                      signbit(value) ? "-0.0" : "0"); /* some readers read -0 as an integer, and lose the sign */
        return;
    }
    shortest_text(value, is_float, text, sizeof(text));
    char *comma = strchr(text, ','); /* the locale's decimal point */
    if (comma) {
        *comma = '.';
    }
    put_json_text(writer, text);
}

static void put_enum(struct writer *writer, const ProtobufCFieldDescriptor *field, int value) {
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(field->descriptor, value);
    if (!known) {
        put_json_format(writer, "%d", value);
        return;
    }
    put_json_bytes(writer, "\"", 1);
    put_json_text(writer, known->name);
    put_json_bytes(writer, "\"", 1);
}

static void put_message(struct writer *writer, const struct herald_path *path,
                        const struct herald_message_schema *schema, const ProtobufCMessage *message, unsigned depth);

/* Writes the value of a singular field, or an item of a repeated one. */
static void put_value(struct writer *writer, const struct herald_path *path, const struct herald_field_schema *schema,
                      const ProtobufCFieldDescriptor *field, const void *value, unsigned depth) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        put_json_format(writer, "%" PRId32, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        put_json_format(writer, "%" PRIu32, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        put_json_format(writer, "\"%" PRId64 "\"", *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        put_json_format(writer, "\"%" PRIu64 "\"", *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        put_double(writer, (double)*(const float *)value, true);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        put_double(writer, *(const double *)value, false);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        put_json_text(writer, *(const protobuf_c_boolean *)value ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(writer, field, *(const int *)value);
        break;
    case PROTOBUF_C_TYPE_STRING:
        put_string(writer, path, *(const char *const *)value ? *(const char *const *)value : "");
        break;
    case PROTOBUF_C_TYPE_BYTES:
        put_bytes(writer, value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        put_message(writer, path, schema->message, *(const ProtobufCMessage *const *)value, depth + 1);
        break;
    }
}

/* Whether a singular field without presence holds its type's zero. One with presence is written whenever it is set. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *value) {
    return !herald_field_is_oneof(field) && field->label == PROTOBUF_C_LABEL_NONE && herald_field_is_zero(field, value);
}

static void put_name(struct writer *writer, const char *name, bool *first) {
    put_item(writer, first);
    put_json_bytes(writer, "\"", 1);
    put_json_text(writer, name);
    put_json_text(writer, writer->indent ? "\": " : "\":");
}

static void put_repeated(struct writer *writer, struct herald_path *path, const struct herald_field_schema *schema,
                         const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message, unsigned depth) {
    size_t count = herald_field_count(message, field);
    bool first = true;
    put_open(writer, '[');
    for (path->index = 0; path->index < count; path->index++) {
        put_item(writer, &first);
        put_value(writer, path, schema, field, herald_field_item(message, field, path->index), depth);
    }
    put_close(writer, ']', count == 0);
}

static void put_field(struct writer *writer, const struct herald_path *parent, const struct herald_field_schema *schema,
                      const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message, bool *first,
                      unsigned depth) {
    struct herald_path path = {.parent = parent, .name = schema->json_name, .index = HERALD_PATH_NO_INDEX};
    if (herald_field_is_repeated(field)) {
        if (herald_field_count(message, field) == 0 && !writer->with_defaults) {
            return;
        }
        put_name(writer, schema->json_name, first);
        put_repeated(writer, &path, schema, field, message, depth);
        return;
    }
    const void *value = herald_field_at(message, field);
    if (!herald_field_is_present(message, field) || (is_default(field, value) && !writer->with_defaults)) {
        return;
    }
    put_name(writer, schema->json_name, first);
    put_value(writer, &path, schema, field, value, depth);
}

static void put_timestamp(struct writer *writer, const struct herald_path *path,
                          const Google__Protobuf__Timestamp *timestamp) {
    char text[HERALD_TIMESTAMP_TEXT_BYTES];
    if (herald_timestamp_write(timestamp->seconds, timestamp->nanos, text)) {
        put_json_format(writer, "\"%s\"", text);
    } else {
        fail(writer, path, "is out of a timestamp's range, the years 1 to 9999");
    }
}

static void put_message(struct writer *writer, const struct herald_path *path,
                        const struct herald_message_schema *schema, const ProtobufCMessage *message, unsigned depth) {
    if (herald_schema_is_timestamp(schema)) {
        put_timestamp(writer, path, (const Google__Protobuf__Timestamp *)message);
        return;
    }
    if (depth > HERALD_UNPACK_MAX_DEPTH) {
        fail(writer, path, "is nested too deep");
        return;
    }
    bool first = true;
    put_open(writer, '{');
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        put_field(writer, path, &schema->fields[i], &schema->descriptor->fields[i], message, &first, depth);
    }
    put_close(writer, '}', first);
}

enum herald_code herald_json_write(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                   const struct herald_json_write_options *options, char **ret_json,
                                   struct herald_error *reterr) {
    struct writer writer = {
        .reterr = reterr,
        .root = schema,
        .indent = options && options->indent,
        .with_defaults = options && options->with_defaults,
    };
    put_message(&writer, NULL, schema, message, 1);
    put_json_bytes(&writer, "", 1);
    if (writer.code != HERALD_OK) {
        free(writer.text);
        return writer.code;
    }
    *ret_json = writer.text;
    return HERALD_OK;
}
