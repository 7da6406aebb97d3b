#include "server/rpc/request_text.h"

#include "client/message/field.h"
#include "herald/unpack.h"
#include "server/text/post_text.h"

#include <stdlib.h>
#include <string.h>

/* Bytes for each allowed character beyond which no cleaning makes a text short enough. */
#define BYTES_PER_CHAR_MAX 64

static enum herald_code clean_string(char **text, const struct herald_field_rules *rules, struct arena *arena,
                                     struct herald_error *reterr) {
    size_t max_chars = rules->max_len > 0 ? rules->max_len : HERALD_DEFAULT_MAX_CHARS;
    char *cleaned = NULL;
    if (*text == NULL || post_text_is_plain(*text) || strlen(*text) > max_chars * BYTES_PER_CHAR_MAX) {
        return HERALD_OK;
    }
    enum herald_code code = post_text_clean(*text, TEXT_PARAGRAPHS, &cleaned, reterr);
    if (code != HERALD_OK) {
        return code == HERALD_INVALID_ARGUMENT ? HERALD_OK : code;
    }
    char *kept = arena_strdup(arena, cleaned);
    free(cleaned);
    if (kept == NULL) {
        return arena_full(reterr, "a text of the request");
    }
    *text = kept;
    return HERALD_OK;
}

static enum herald_code clean_message(const struct herald_message_schema *schema, ProtobufCMessage *message,
                                      unsigned depth, struct arena *arena, struct herald_error *reterr);

/* Cleans one value: of a singular field, or an item of a repeated one. */
static enum herald_code clean_value(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                    void *value, unsigned depth, struct arena *arena, struct herald_error *reterr) {
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return clean_string(value, &schema->rules, arena, reterr);
    }
    ProtobufCMessage *message = *(ProtobufCMessage **)value;
    return message != NULL ? clean_message(schema->message, message, depth + 1, arena, reterr) : HERALD_OK;
}

static bool may_hold_text(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field) {
    const struct herald_field_rules *rules = &schema->rules;
    return field->type == PROTOBUF_C_TYPE_MESSAGE ||
           (field->type == PROTOBUF_C_TYPE_STRING && rules->format == HERALD_FORMAT_ANY && rules->pattern == NULL);
}

static enum herald_code clean_field(const struct herald_field_schema *schema, const ProtobufCFieldDescriptor *field,
                                    ProtobufCMessage *message, unsigned depth, struct arena *arena,
                                    struct herald_error *reterr) {
    char *at = (char *)message + field->offset;
    if (!herald_field_is_repeated(field)) {
        bool present = herald_field_is_present(message, field);
        return present ? clean_value(schema, field, at, depth, arena, reterr) : HERALD_OK;
    }
    void **items = *(void ***)(void *)at; /* strings and messages: an array of pointers */
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < herald_field_count(message, field); i++) {
        code = clean_value(schema, field, &items[i], depth, arena, reterr);
    }
    return code;
}

static enum herald_code clean_message(const struct herald_message_schema *schema, ProtobufCMessage *message,
                                      unsigned depth, struct arena *arena, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (unsigned i = 0; code == HERALD_OK && depth <= HERALD_UNPACK_MAX_DEPTH && i < schema->descriptor->n_fields;
         i++) {
        if (may_hold_text(&schema->fields[i], &schema->descriptor->fields[i])) {
            code = clean_field(&schema->fields[i], &schema->descriptor->fields[i], message, depth, arena, reterr);
        }
    }
    return code;
}

enum herald_code request_text_clean(const struct herald_message_schema *schema, ProtobufCMessage *request,
                                    struct arena *arena, struct herald_error *reterr) {
    return clean_message(schema, request, 1, arena, reterr);
}
