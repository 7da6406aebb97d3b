/* Checks messages against the rules of their schemas: herald/validate.h. It allocates nothing and stops at no
 * violation. */
#include "herald/validate.h"

#include "client/base/ascii.h"
#include "client/message/field.h"
#include "client/message/path.h"
#include "client/message/pattern.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "herald/unpack.h"
#include "herald/utf8.h"
#include "herald/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: the range of google.protobuf.Timestamp. */
#define TIMESTAMP_MIN_SECONDS INT64_C(-62135596800)
#define TIMESTAMP_MAX_SECONDS INT64_C(253402300799)
#define TIMESTAMP_MAX_NANOS   999999999

struct validation {
    struct herald_error *error;
    const struct herald_message_schema *root;
    size_t violation_count;
};

static void __attribute__((format(printf, 4, 5))) violate(struct validation *validation, const struct herald_path *path,
                                                          enum herald_reason reason, const char *format, ...) {
    char field[sizeof(validation->error->details[0].field)];
    char message[sizeof(validation->error->details[0].message)];
    validation->violation_count++;
    if (!validation->error) {
        return;
    }
    herald_path_render(path, field, sizeof(field));
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (validation->violation_count == 1) {
        herald_error_set(validation->error, HERALD_REASON_INVALID_FIELD, "%s: %s %s", validation->root->full_name,
                         field, message);
    }
    herald_error_add_detail(validation->error, field, reason, "%s", message);
}

static bool is_color(const char *text, size_t bytes) {
    return bytes == 7 && text[0] == '#' && strspn(text + 1, "0123456789abcdefABCDEF") == 6;
}

/* Whether @text is an absolute http or https URL with a host and no user information: printable ASCII (RFC 3986). */
static bool is_url(const char *text, size_t bytes) {
    size_t scheme_bytes = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    if (scheme_bytes == 0 || !herald_is_graphic(text, bytes) || strpbrk(text, "\"<>\\^`{|}")) {
        return false;
    }
    const char *authority = text + scheme_bytes;
    size_t authority_bytes = strcspn(authority, "/?#");
    return authority_bytes > 0 && authority[0] != ':' && !memchr(authority, '@', authority_bytes);
}

static const char *format_violation(enum herald_format format, const char *text, size_t bytes) {
    switch (format) {
    case HERALD_FORMAT_UUID:
        return herald_uuid_valid(text, bytes) ? NULL : "must be a UUID in its 36-character form";
    case HERALD_FORMAT_COLOR:
        return is_color(text, bytes) ? NULL : "must be a colour, \"#RRGGBB\"";
    case HERALD_FORMAT_URL:
        return is_url(text, bytes) ? NULL : "must be an absolute http or https URL without user information";
    case HERALD_FORMAT_TOKEN:
        return herald_is_graphic(text, bytes) ? NULL : "must be printable ASCII without spaces";
    case HERALD_FORMAT_ANY:
        break;
    }
    return NULL;
}

static void check_string_rules(struct validation *validation, const struct herald_path *path,
                               const struct herald_field_rules *rules, const char *text) {
    size_t bytes = strlen(text);
    size_t chars;
    if (bytes == 0) {
        return;
    }
    if (!herald_utf8_valid(text, bytes, &chars)) {
        violate(validation, path, HERALD_REASON_INVALID_UTF8, "must be valid UTF-8");
        return;
    }
    uint32_t max_chars = rules->max_len > 0 ? rules->max_len : HERALD_DEFAULT_MAX_CHARS;
    if (chars > max_chars) {
        violate(validation, path, HERALD_REASON_TOO_LONG, "may have at most %" PRIu32 " characters, not %zu", max_chars,
                chars);
    } else if (chars < rules->min_len) {
        violate(validation, path, HERALD_REASON_TOO_SHORT, "must have at least %" PRIu32 " characters, not %zu",
                rules->min_len, chars);
    }
    const char *violation = format_violation(rules->format, text, bytes);
    if (violation) {
        violate(validation, path, HERALD_REASON_INVALID_FORMAT, "%s", violation);
    } else if (rules->pattern_table && !herald_pattern_matches(rules->pattern_table, text)) {
        violate(validation, path, HERALD_REASON_INVALID_FORMAT, "must match \"%s\"", rules->pattern);
    }
}

static void check_bytes(struct validation *validation, const struct herald_path *path,
                        const struct herald_field_rules *rules, const ProtobufCBinaryData *bytes) {
    uint32_t max_bytes = rules->max_len > 0 ? rules->max_len : HERALD_DEFAULT_MAX_BYTES;
    if (bytes->len > max_bytes) {
        violate(validation, path, HERALD_REASON_TOO_LONG, "may have at most %" PRIu32 " bytes, not %zu", max_bytes,
                bytes->len);
    } else if (bytes->len > 0 && bytes->len < rules->min_len) {
        violate(validation, path, HERALD_REASON_TOO_SHORT, "must have at least %" PRIu32 " bytes, not %zu",
                rules->min_len, bytes->len);
    }
}

static void check_signed(struct validation *validation, const struct herald_path *path,
                         const struct herald_field_rules *rules, int64_t value) {
    if (rules->min != 0 && value < rules->min) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "must be at least %" PRId64 ", not %" PRId64, rules->min,
                value);
    } else if (rules->max != 0 && value > rules->max) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "may be at most %" PRId64 ", not %" PRId64, rules->max,
                value);
    }
}

static void check_unsigned(struct validation *validation, const struct herald_path *path,
                           const struct herald_field_rules *rules, uint64_t value) {
    if (value <= INT64_MAX) {
        check_signed(validation, path, rules, (int64_t)value);
    } else if (rules->max != 0) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "may be at most %" PRId64 ", not %" PRIu64, rules->max,
                value);
    }
}

static void check_double(struct validation *validation, const struct herald_path *path,
                         const struct herald_field_rules *rules, double value) {
    /* Written so that NaN fails. */
    if (rules->min != 0 && !(value >= (double)rules->min)) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "must be at least %" PRId64, rules->min);
    } else if (rules->max != 0 && !(value <= (double)rules->max)) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "may be at most %" PRId64, rules->max);
    }
}

static void check_enum_value(struct validation *validation, const struct herald_path *path,
                             const ProtobufCFieldDescriptor *field, int value) {
    if (!protobuf_c_enum_descriptor_get_value(field->descriptor, value)) {
        violate(validation, path, HERALD_REASON_UNKNOWN_VALUE, "%d is no value of %s", value,
                ((const ProtobufCEnumDescriptor *)field->descriptor)->name);
    }
}

static void check_message_fields(struct validation *validation, const struct herald_path *path,
                                 const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                 unsigned depth);

/* Checks the value of a singular field, or an item of a repeated one. */
static void check_field_value(struct validation *validation, const struct herald_path *path,
                              const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                              const void *value, unsigned depth) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        check_string_rules(validation, path, &schema->rules, *(const char *const *)value);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        check_bytes(validation, path, &schema->rules, value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        check_message_fields(validation, path, schema->message, *(const ProtobufCMessage *const *)value, depth + 1);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        check_enum_value(validation, path, field, *(const int *)value);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        check_signed(validation, path, &schema->rules, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        check_signed(validation, path, &schema->rules, *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        check_unsigned(validation, path, &schema->rules, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        check_unsigned(validation, path, &schema->rules, *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        check_double(validation, path, &schema->rules, (double)*(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        check_double(validation, path, &schema->rules, *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        break;
    }
}

/* Checks an item of a repeated field. An enum's first value means "not set", which no item of a list can mean. */
static void check_item(struct validation *validation, const struct herald_path *path,
                       const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                       const void *value, unsigned depth) {
    if (field->type == PROTOBUF_C_TYPE_ENUM && *(const int *)value == 0) {
        violate(validation, path, HERALD_REASON_REQUIRED, "must be set");
    } else {
        check_field_value(validation, path, schema, field, value, depth);
    }
}

static void check_repeated(struct validation *validation, struct herald_path *path,
                           const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                           const ProtobufCMessage *message, unsigned depth) {
    size_t count = herald_field_count(message, field);
    uint32_t max_items = schema->rules.max_items > 0 ? schema->rules.max_items : HERALD_DEFAULT_MAX_ITEMS;
    if (count == 0 && schema->rules.required) {
        violate(validation, path, HERALD_REASON_REQUIRED, "must have at least one item");
    }
    if (count > max_items) {
        violate(validation, path, HERALD_REASON_TOO_MANY, "may have at most %" PRIu32 " items, not %zu", max_items,
                count);
        return;
    }
    for (path->index = 0; path->index < count; path->index++) {
        check_item(validation, path, schema, field, herald_field_item(message, field, path->index), depth);
    }
}

static void check_field(struct validation *validation, const struct herald_path *parent,
                        const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                        const ProtobufCMessage *message, unsigned depth) {
    struct herald_path path = {.parent = parent, .name = schema->json_name, .index = HERALD_PATH_NO_INDEX};
    if (herald_field_is_repeated(field)) {
        check_repeated(validation, &path, schema, field, message, depth);
        return;
    }
    const void *value = herald_field_at(message, field);
    bool present = herald_field_is_present(message, field);
    if (schema->rules.required && (!present || herald_field_is_zero(field, value))) {
        violate(validation, &path, HERALD_REASON_REQUIRED, "must be set");
    } else if (present && !(field->type == PROTOBUF_C_TYPE_STRING && !*(const char *const *)value)) {
        check_field_value(validation, &path, schema, field, value, depth);
    }
}

static void check_timestamp(struct validation *validation, const struct herald_path *path,
                            const Google__Protobuf__Timestamp *timestamp) {
    if (timestamp->seconds < TIMESTAMP_MIN_SECONDS || timestamp->seconds > TIMESTAMP_MAX_SECONDS) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "must lie in the years 1 to 9999");
    } else if (timestamp->nanos < 0 || timestamp->nanos > TIMESTAMP_MAX_NANOS) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "nanos must be 0..%d, not %" PRId32, TIMESTAMP_MAX_NANOS,
                timestamp->nanos);
    }
}

static void check_message_fields(struct validation *validation, const struct herald_path *path,
                                 const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                 unsigned depth) {
    if (herald_schema_is_timestamp(schema)) {
        check_timestamp(validation, path, (const Google__Protobuf__Timestamp *)message);
        return;
    }
    if (depth > HERALD_UNPACK_MAX_DEPTH) {
        violate(validation, path, HERALD_REASON_OUT_OF_RANGE, "is nested deeper than %u levels",
                HERALD_UNPACK_MAX_DEPTH);
        return;
    }
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        check_field(validation, path, &schema->fields[i], &schema->descriptor->fields[i], message, depth);
    }
}

/* Says how many violations there are when not all have a detail. */
static void count_unlisted(const struct validation *validation) {
    struct herald_error *error = validation->error;
    if (error && validation->violation_count > HERALD_ERROR_DETAILS_MAX) {
        size_t length = strlen(error->message);
        snprintf(error->message + length, sizeof(error->message) - length,
                 "; %zu things are wrong, the first %d are listed", validation->violation_count,
                 HERALD_ERROR_DETAILS_MAX);
    }
}

enum herald_code herald_validate(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                 struct herald_error *reterr) {
    struct validation validation = {.error = reterr, .root = schema};
    check_message_fields(&validation, NULL, schema, message, 1);
    count_unlisted(&validation);
    return validation.violation_count == 0 ? HERALD_OK : HERALD_INVALID_ARGUMENT;
}
