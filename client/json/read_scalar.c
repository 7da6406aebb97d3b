#include "client/json/base64.h"
#include "client/json/read.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *json_type_name(const json_t *json) {
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(json)];
}

static enum herald_code wrong_type(const struct reader *reader, const struct herald_path *path, const char *wanted,
                                   const json_t *json) {
    return herald_reader_fail(reader, path, "must be %s, not %s", wanted, json_type_name(json));
}

/* A whole number's sign and size, from a number or a string. */
struct whole {
    bool negative;
    uint64_t magnitude;
};

static bool whole_of_text(const char *text, struct whole *ret_whole) {
    ret_whole->negative = *text == '-';
    const char *digits = text + ret_whole->negative;
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return false;
    errno = 0;
    ret_whole->magnitude = strtoull(digits, NULL, 10);
    return errno == 0;
}

static bool whole_of_json(const json_t *json, struct whole *ret_whole) {
    if (json_is_integer(json)) {
        json_int_t value = json_integer_value(json);
        *ret_whole = (struct whole){value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value};
        return true;
    }
    if (json_is_real(json)) { /* 1e3 and 5.0 are whole too */
        double value = json_real_value(json);
        if (!(fabs(value) < 18446744073709551616.0) || trunc(value) != value)
            return false;
        *ret_whole = (struct whole){value < 0, (uint64_t)fabs(value)};
        return true;
    }
    return json_is_string(json) && whole_of_text(json_string_value(json), ret_whole);
}

static enum herald_code read_signed(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                    int64_t max, int64_t *ret_value) {
    struct whole whole;
    if (!whole_of_json(json, &whole))
        return herald_reader_fail(reader, path, "must be a whole number");
    uint64_t limit = (uint64_t)max + whole.negative; /* the smallest is one further from 0 than the largest */
    if (whole.magnitude > limit)
        return herald_reader_fail(reader, path, "must be %" PRId64 "..%" PRId64, -max - 1, max);
    *ret_value = whole.negative ? (int64_t)(0 - whole.magnitude) : (int64_t)whole.magnitude;
    return HERALD_OK;
}

static enum herald_code read_unsigned(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                      uint64_t max, uint64_t *ret_value) {
    struct whole whole;
    if (!whole_of_json(json, &whole))
        return herald_reader_fail(reader, path, "must be a whole number");
    if (whole.magnitude > max || (whole.negative && whole.magnitude > 0))
        return herald_reader_fail(reader, path, "must be 0..%" PRIu64, max);
    *ret_value = whole.magnitude;
    return HERALD_OK;
}

static enum herald_code read_int(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                 bool wide, void *to) {
    int64_t value = 0;
    enum herald_code code = read_signed(reader, path, json, wide ? INT64_MAX : INT32_MAX, &value);
    if (code != HERALD_OK)
        return code;
    if (wide)
        *(int64_t *)to = value;
    else
        *(int32_t *)to = (int32_t)value;
    return HERALD_OK;
}

static enum herald_code read_uint(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                  bool wide, void *to) {
    uint64_t value = 0;
    enum herald_code code = read_unsigned(reader, path, json, wide ? UINT64_MAX : UINT32_MAX, &value);
    if (code != HERALD_OK)
        return code;
    if (wide)
        *(uint64_t *)to = value;
    else
        *(uint32_t *)to = (uint32_t)value;
    return HERALD_OK;
}

/* A number in a string: "NaN", "Infinity", "-Infinity", or what a JSON number looks like. */
static bool double_of_text(const char *text, double *ret_value) {
    if (strcmp(text, "NaN") == 0)
        *ret_value = (double)NAN;
    else if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)
        *ret_value = text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    else {
        /* jansson's own reading does not depend on the locale. */
        json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
        bool good = json_is_number(number);
        *ret_value = json_number_value(number);
        json_decref(number);
        return good;
    }
    return true;
}

static enum herald_code read_double(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                    bool is_float, void *to) {
    double value = json_number_value(json);
    if (!json_is_number(json) && !(json_is_string(json) && double_of_text(json_string_value(json), &value)))
        return wrong_type(reader, path, "a number", json);
    if (!is_float) {
        *(double *)to = value;
        return HERALD_OK;
    }
    if (isfinite(value) && fabs(value) > 3.4028235677973366e38)
        return herald_reader_fail(reader, path, "is too large for a float");
    *(float *)to = (float)value;
    return HERALD_OK;
}

static enum herald_code read_enum(const struct reader *reader, const struct herald_path *path,
                                  const ProtobufCFieldDescriptor *field, const json_t *json, void *to) {
    const ProtobufCEnumDescriptor *descriptor = field->descriptor;
    if (!json_is_string(json))
        return json_is_number(json) ? read_int(reader, path, json, false, to)
                                    : wrong_type(reader, path, "the name of a value", json);
    const char *name = json_string_value(json);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
    if (value) {
        *(int *)to = value->value;
        return HERALD_OK;
    }
    char known[160] = "";
    size_t used = 0;
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        size_t bytes = strlen(descriptor->values[i].name);
        if (used + bytes + 3 > sizeof(known))
            break;
        if (used > 0)
            used += (size_t)(stpcpy(known + used, ", ") - (known + used));
        memcpy(known + used, descriptor->values[i].name, bytes + 1);
        used += bytes;
    }
    return herald_reader_fail(reader, path, "\"%.64s\" is no value of it; one of: %s", name, known);
}

static enum herald_code read_string(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                    void *to) {
    if (!json_is_string(json))
        return wrong_type(reader, path, "a string", json);
    size_t bytes = json_string_length(json);
    if (bytes == 0)
        return HERALD_OK; /* the field already holds the empty text */
    char *copy = herald_reader_alloc(reader, bytes + 1);
    if (!copy)
        return HERALD_RESOURCE_EXHAUSTED;
    memcpy(copy, json_string_value(json), bytes + 1);
    *(char **)to = copy;
    return HERALD_OK;
}

static enum herald_code read_bytes(const struct reader *reader, const struct herald_path *path, const json_t *json,
                                   ProtobufCBinaryData *to) {
    if (!json_is_string(json))
        return wrong_type(reader, path, "base64 text", json);
    size_t chars = json_string_length(json);
    if (chars == 0)
        return HERALD_OK;
    uint8_t *data = herald_reader_alloc(reader, chars / 4 * 3 + 3);
    if (!data)
        return HERALD_RESOURCE_EXHAUSTED;
    to->data = data; /* freed with the message from here on */
    if (!herald_base64_read(json_string_value(json), chars, data, &to->len))
        return herald_reader_fail(reader, path, "is not base64");
    return HERALD_OK;
}

enum herald_code herald_read_scalar(const struct reader *reader, const struct herald_path *path,
                                    const ProtobufCFieldDescriptor *field, const json_t *json, void *to) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_int(reader, path, json, false, to);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_int(reader, path, json, true, to);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_uint(reader, path, json, false, to);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_uint(reader, path, json, true, to);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(reader, path, json, field->type == PROTOBUF_C_TYPE_FLOAT, to);
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(json))
            return wrong_type(reader, path, "true or false", json);
        *(protobuf_c_boolean *)to = json_is_true(json);
        return HERALD_OK;
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(reader, path, field, json, to);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(reader, path, json, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(reader, path, json, to);
    case PROTOBUF_C_TYPE_MESSAGE:
        break; /* not here */
    }
    return herald_error_set(reader->reterr, HERALD_INTERNAL, "UNKNOWN_TYPE", "%s: a field of a type unknown here",
                            reader->root->full_name);
}
