/* Texts of the document: descriptions and patterns. */
#include "gen/plugin/openapi.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* The JSON name of the fields of a name; NULL: no field has it. */
static const char *json_name_of(const struct model *model, const char *name, size_t length) {
    for (size_t i = 0; i < model->file_count; i++) {
        for (size_t j = 0; j < model->files[i].message_count; j++) {
            const struct model_message *message = &model->files[i].messages[j];
            for (size_t k = 0; k < message->field_count; k++) {
                const char *proto = message->fields[k].proto->name;
                if (strlen(proto) == length && memcmp(proto, name, length) == 0) {
                    return message->fields[k].json_name;
                }
            }
        }
    }
    return NULL;
}

/* The text with the JSON names of fields. A word with '_' that is a field's name means the field. */
static char *with_json_names(struct openapi *openapi, const char *doc) {
    struct text text = {0};
    for (const char *at = doc; *at != '\0';) {
        size_t length = strspn(at, NAME_CHARS);
        bool is_name = length > 0 && memchr(at, '_', length) != NULL;
        const char *name = is_name ? json_name_of(openapi->model, at, length) : NULL;
        if (name != NULL) {
            text_add(&text, name);
        } else {
            length += length == 0;
            text_add_bytes(&text, at, length);
        }
        at += length;
    }
    char *copy = pool_printf(&openapi->pool, "%s", text.length > 0 ? text.data : "");
    text_fini(&text);
    return copy;
}

const char *openapi_text(struct openapi *openapi, const char *doc) {
    char *text = with_json_names(openapi, doc != NULL ? doc : "");
    for (char *at = text; *at != '\0'; at++) {
        bool is_paragraph = at[0] == '\n' && (at[1] == '\n' || (at > text && at[-1] == '\n'));
        if (at[0] == '\n' && !is_paragraph) {
            *at = ' ';
        }
    }
    return text;
}

const char *openapi_summary(struct openapi *openapi, const char *doc) {
    const char *text = openapi_text(openapi, doc);
    const char *end = strstr(text, ". "), *paragraph = strstr(text, "\n\n");
    size_t length = strlen(text);
    if (end != NULL) {
        length = (size_t)(end - text);
    }
    if (paragraph != NULL && (size_t)(paragraph - text) < length) {
        length = (size_t)(paragraph - text);
    }
    while (length > 0 && text[length - 1] == '.') {
        length--;
    }
    return pool_printf(&openapi->pool, "%.*s", (int)length, text);
}

/* ---- patterns ---- */

static const struct {
    const char *posix, *range;
} named_ranges[] = {
    {"[:alnum:]", "0-9A-Za-z"},
    {"[:alpha:]", "A-Za-z"},
    {"[:blank:]", " \\t"},
    {"[:cntrl:]", "\\x01-\\x1f\\x7f"},
    {"[:digit:]", "0-9"},
    {"[:graph:]", "!-~"},
    {"[:lower:]", "a-z"},
    {"[:print:]", " -~"},
    {"[:punct:]", "!-/:-@\\[-`{-~"},
    {"[:space:]", "\\t-\\r "},
    {"[:upper:]", "A-Z"},
    {"[:xdigit:]", "0-9A-Fa-f"},
};
#define NAMED_COUNT (sizeof(named_ranges) / sizeof(named_ranges[0]))

/* Adds what stands at @at in a bracket. Returns: how long it is */
static size_t add_bracket_part(struct text *out, const char *at) {
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        size_t length = strlen(named_ranges[i].posix);
        if (strncmp(at, named_ranges[i].posix, length) == 0) {
            text_add(out, named_ranges[i].range);
            return length;
        }
    }
    /* In a bracket POSIX has no escapes. */
    text_addf(out, "%s%c", strchr("\\[]", *at) != NULL ? "\\" : "", *at);
    return 1;
}

/* Adds a bracket, the checks have seen that it ends. Returns: how long it is */
static size_t add_bracket(struct text *out, const char *bracket) {
    const char *at = bracket + 1;
    text_add(out, "[");
    if (*at == '^') {
        text_add(out, "^");
        at++;
    }
    const char *first = at;
    while (*at != '\0' && (*at != ']' || at == first)) {
        at += add_bracket_part(out, at);
    }
    text_add(out, "]");
    return (size_t)(at - bracket) + (*at == ']');
}

const char *openapi_pattern(struct openapi *openapi, const char *posix, bool or_empty) {
    struct text ecma = {0};
    for (const char *at = posix; *at != '\0';) {
        if (*at == '[') {
            at += add_bracket(&ecma, at);
            continue;
        }
        size_t length = *at == '\\' && at[1] != '\0' ? 2 : 1;
        text_add_bytes(&ecma, at, length);
        at += length;
    }
    const char *whole = pool_printf(&openapi->pool, or_empty ? "^(%s)?$" : "^(%s)$", ecma.length > 0 ? ecma.data : "");
    text_fini(&ecma);
    return whole;
}

/* Adds "[a-b]" or "a". */
static void add_digits(struct text *out, char least, char most) {
    text_addf(out, least == most ? "%c" : "[%c-%c]", least, most);
}

/* Adds "[0-9]{count}". */
static void add_any_digits(struct text *out, size_t count) {
    if (count > 0) {
        text_addf(out, count == 1 ? "[0-9]" : "[0-9]{%zu}", count);
    }
}

/* A number is below @most if it is shorter, or equal up to a place where its digit is smaller. */
const char *openapi_decimal_pattern(struct openapi *openapi, uint64_t most) {
    const char *digits = pool_printf(&openapi->pool, "%" PRIu64, most);
    size_t length = strlen(digits);
    struct text pattern = {0};
    text_add(&pattern, "^(0");
    if (length > 1) {
        text_addf(&pattern, length == 2 ? "|[1-9]" : "|[1-9][0-9]{0,%zu}", length - 2);
    }
    for (size_t i = 0; i < length; i++) {
        char least = i == 0 ? '1' : '0';
        if (digits[i] > least) {
            text_addf(&pattern, "|%.*s", (int)i, digits);
            add_digits(&pattern, least, (char)(digits[i] - 1));
            add_any_digits(&pattern, length - i - 1);
        }
    }
    text_addf(&pattern, "%s%s)$", most > 0 ? "|" : "", most > 0 ? digits : "");
    const char *whole = pool_printf(&openapi->pool, "%s", pattern.data);
    text_fini(&pattern);
    return whole;
}
