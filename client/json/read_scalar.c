/* Values of JSON that are no messages: numbers, texts, bytes, enums, Boolean values. Numbers are read exactly. */
#include "client/json/read_scalar.h"

#include "client/base/ascii.h"
#include "client/json/base64.h"
#include "client/json/text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Longest number in a string, and longest name of an enum's value, with their NUL. */
#define NUMBER_BYTES    512
#define ENUM_NAME_BYTES 128

static enum herald_code wrong_type(const struct reader *reader, const struct herald_path *path, const char *wanted) {
    return herald_reader_fail(reader, path, "must be %s, not %s", wanted, json_kind(reader->at));
}

/* --- whole numbers --- */

/* A whole number's sign and size. */
struct whole {
    bool negative;
    uint64_t magnitude;
};

/* The exponent of a JSON number; @at is its 'e', or @end. Exponents beyond 10^8 are cut: they make no difference. */
static int exponent_of(const char *at, const char *end) {
    int exponent = 0;
    if (at == end) {
        return 0;
    }
    bool negative = at[1] == '-';
    for (at += at[1] == '-' || at[1] == '+' ? 2 : 1; at < end; at++) {
        exponent = exponent < 100000000 ? exponent * 10 + (*at - '0') : exponent;
    }
    return negative ? -exponent : exponent;
}

/* Reads a JSON number exactly: "1e3", "5.0" and "120e-1" are whole too. False: it is not whole, or beyond 64 bits. */
static bool whole_of_number(const char *text, const char *end, struct whole *ret_whole) {
    ret_whole->negative = *text == '-';
    ret_whole->magnitude = 0;
    const char *mantissa_end = text;
    while (mantissa_end < end && *mantissa_end != 'e' && *mantissa_end != 'E') {
        mantissa_end++; /* the text is not terminated */
    }
    const char *point = memchr(text, '.', (size_t)(mantissa_end - text));
    const char *last = mantissa_end;
    while (last > text && (last[-1] == '0' || last[-1] == '.')) {
        last--; /* trailing zeros: added to the exponent below */
    }
    int64_t zeros = exponent_of(mantissa_end, end);
    zeros += (point ? point : mantissa_end) - last;
    if (point && last > point) {
        zeros++;
    }
    for (const char *at = text + ret_whole->negative; at < last; at++) {
        if (*at != '.' && (__builtin_mul_overflow(ret_whole->magnitude, 10, &ret_whole->magnitude) ||
                           __builtin_add_overflow(ret_whole->magnitude, *at - '0', &ret_whole->magnitude))) {
            return false;
        }
    }
    if (ret_whole->magnitude == 0) {
        return true;
    }
    for (; zeros > 0; zeros--) {
        if (__builtin_mul_overflow(ret_whole->magnitude, 10, &ret_whole->magnitude)) {
            return false;
        }
    }
    return zeros == 0;
}

/* Takes the next number, in quotes or not, as [ret_start, ret_end). @text  memory for one in quotes */
static bool take_json_number(struct reader *reader, char text[NUMBER_BYTES], const char **ret_start,
                             const char **ret_end) {
    char c = json_peek(&reader->at);
    if (c == '"') {
        const char *at = reader->at;
        size_t bytes = json_take_string(&at, text, NUMBER_BYTES);
        *ret_start = text;
        *ret_end = text + bytes;
        if (bytes == NUMBER_BYTES || json_number_end(text, text + bytes) != text + bytes) {
            return false;
        }
        reader->at = at;
        return true;
    }
    if (c != '-' && (c < '0' || c > '9')) {
        return false;
    }
    *ret_start = reader->at;
    json_skip(&reader->at);
    *ret_end = reader->at;
    return true;
}

static bool take_whole(struct reader *reader, struct whole *ret_whole) {
    char text[NUMBER_BYTES];
    const char *start, *end;
    return take_json_number(reader, text, &start, &end) && whole_of_number(start, end, ret_whole);
}

static enum herald_code read_int(struct reader *reader, const struct herald_path *path, bool wide, void *to) {
    const int64_t max = wide ? INT64_MAX : INT32_MAX;
    struct whole whole;
    /* The smallest value is one further from 0 than the largest. */
    if (!take_whole(reader, &whole) || whole.magnitude > (uint64_t)max + whole.negative) {
        return herald_reader_fail(reader, path, "must be a whole number, %" PRId64 "..%" PRId64, -max - 1, max);
    }
    int64_t value = whole.negative ? (int64_t)(0 - whole.magnitude) : (int64_t)whole.magnitude;
    if (wide) {
        *(int64_t *)to = value;
    } else {
        *(int32_t *)to = (int32_t)value;
    }
    return HERALD_OK;
}

static enum herald_code read_uint(struct reader *reader, const struct herald_path *path, bool wide, void *to) {
    const uint64_t max = wide ? UINT64_MAX : UINT32_MAX;
    struct whole whole;
    if (!take_whole(reader, &whole) || whole.magnitude > max || (whole.negative && whole.magnitude > 0)) {
        return herald_reader_fail(reader, path, "must be a whole number, 0..%" PRIu64, max);
    }
    if (wide) {
        *(uint64_t *)to = whole.magnitude;
    } else {
        *(uint32_t *)to = (uint32_t)whole.magnitude;
    }
    return HERALD_OK;
}

/* --- other numbers --- */

static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

/* strtod() with a decimal point, whatever the process's locale is. */
static double number_value(const char *text) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

/* "NaN", "Infinity", "-Infinity". */
static bool take_no_number(struct reader *reader, double *ret_value) {
    static const char *const words[] = {"\"NaN\"", "\"Infinity\"", "\"-Infinity\""};
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(reader->at, words[i], strlen(words[i])) == 0) {
            *ret_value = values[i];
            json_skip(&reader->at);
            return true;
        }
    }
    return false;
}

static enum herald_code read_double(struct reader *reader, const struct herald_path *path, bool is_float, void *to) {
    char text[NUMBER_BYTES];
    const char *start, *end;
    double value;
    json_peek(&reader->at);
    if (!take_no_number(reader, &value)) {
        if (!take_json_number(reader, text, &start, &end)) {
            return wrong_type(reader, path, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
        }
        value = number_value(start);
        if (isinf(value) || (is_float && isinf((float)value))) {
            return herald_reader_fail(reader, path, "is too large for a %s", is_float ? "float" : "double");
        }
    }
    if (is_float) {
        *(float *)to = (float)value;
    } else {
        *(double *)to = value;
    }
    return HERALD_OK;
}

/* --- the rest --- */

static enum herald_code read_enum(struct reader *reader, const struct herald_path *path,
                                  const ProtobufCFieldDescriptor *field, void *to) {
    const ProtobufCEnumDescriptor *descriptor = field->descriptor;
    char name[ENUM_NAME_BYTES];
    char c = json_peek(&reader->at);
    if (c == '-' || herald_is_digit(c)) {
        return read_int(reader, path, false, to);
    }
    if (c != '"') {
        return wrong_type(reader, path, "the name of a value");
    }
    json_take_string(&reader->at, name, sizeof(name));
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
    if (value) {
        *(int *)to = value->value;
        return HERALD_OK;
    }
    char known[160] = "";
    size_t used = 0;
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        size_t bytes = strlen(descriptor->values[i].name);
        if (used + bytes + 3 > sizeof(known)) {
            break;
        }
        if (used > 0) {
            used += (size_t)(stpcpy(known + used, ", ") - (known + used));
        }
        memcpy(known + used, descriptor->values[i].name, bytes + 1);
        used += bytes;
    }
    return herald_reader_fail(reader, path, "\"%.64s\" is no value of it; one of: %s", name, known);
}

static enum herald_code read_bool(struct reader *reader, const struct herald_path *path, protobuf_c_boolean *to) {
    char c = json_peek(&reader->at);
    if (c != 't' && c != 'f') {
        return wrong_type(reader, path, "true or false");
    }
    *to = c == 't';
    json_skip(&reader->at);
    return HERALD_OK;
}

/* Takes the next string into new memory; NULL if the string is empty. */
static enum herald_code take_json_string(struct reader *reader, char **ret_text, size_t *ret_bytes) {
    size_t room = json_string_room(reader->at) + 1;
    *ret_text = NULL;
    *ret_bytes = 0;
    if (room == 1) {
        json_skip(&reader->at);
        return HERALD_OK;
    }
    char *text = herald_reader_alloc(reader, room);
    if (!text) {
        return HERALD_RESOURCE_EXHAUSTED;
    }
    *ret_bytes = json_take_string(&reader->at, text, room);
    *ret_text = text;
    return HERALD_OK;
}

static enum herald_code read_string(struct reader *reader, const struct herald_path *path, char **to) {
    if (json_peek(&reader->at) != '"') {
        return wrong_type(reader, path, "a string");
    }
    char *text;
    size_t bytes;
    enum herald_code code = take_json_string(reader, &text, &bytes);
    if (code == HERALD_OK && text) { /* else the field already holds the empty text */
        *to = text;
    }
    return code;
}

static enum herald_code read_bytes_value(struct reader *reader, const struct herald_path *path,
                                         ProtobufCBinaryData *to) {
    if (json_peek(&reader->at) != '"') {
        return wrong_type(reader, path, "base64 text");
    }
    char *text;
    size_t chars;
    enum herald_code code = take_json_string(reader, &text, &chars);
    if (code != HERALD_OK || !text) {
        return code;
    }
    to->data = (uint8_t *)text; /* the message owns it from here on; decoded in place */
    if (!herald_base64_read(text, chars, to->data, &to->len)) {
        return herald_reader_fail(reader, path, "is not base64");
    }
    return HERALD_OK;
}

enum herald_code herald_read_scalar(struct reader *reader, const struct herald_path *path,
                                    const ProtobufCFieldDescriptor *field, void *to) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_int(reader, path, false, to);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_int(reader, path, true, to);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_uint(reader, path, false, to);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_uint(reader, path, true, to);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(reader, path, field->type == PROTOBUF_C_TYPE_FLOAT, to);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(reader, path, to);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(reader, path, field, to);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(reader, path, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes_value(reader, path, to);
    case PROTOBUF_C_TYPE_MESSAGE:
        break; /* read_message() reads these */
    }
    return herald_error_set(reader->reterr, HERALD_REASON_UNKNOWN_TYPE, "%s: a field of a type unknown here",
                            reader->root->full_name);
}
