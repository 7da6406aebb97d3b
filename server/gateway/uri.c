#include "server/gateway/uri.h"

#include "client/base/ascii.h"
#include "herald/utf8.h"

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7F;
}

/* Decodes the percent signs of a text. Returns: NULL: it is not well-formed, or there is no memory. */
static const char *decode(struct span text, bool is_query, struct arena *arena, const char **ret_why,
                          size_t *ret_bytes) {
    char *to = arena_alloc(arena, text.bytes + 1), *start = to;
    *ret_why = "there is no memory for it";
    for (size_t i = 0; to != NULL && i < text.bytes; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.bytes ? herald_hex_value(text.at[i + 1]) : -1;
            int low = i + 2 < text.bytes ? herald_hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0) {
                *ret_why = "a percent sign is not followed by two hexadecimal digits";
                return NULL;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        *to++ = c;
    }
    if (to == NULL) {
        return NULL;
    }
    *to = '\0';
    *ret_bytes = (size_t)(to - start);
    *ret_why = "it is no UTF-8";
    return herald_utf8_valid(start, *ret_bytes, NULL) ? start : NULL;
}

static bool is_plain_segment(struct span segment, const char **ret_why) {
    if (span_is(segment, ".") || span_is(segment, "..")) {
        *ret_why = "it has a part \".\" or \"..\"";
        return false;
    }
    for (size_t i = 0; i < segment.bytes; i++) {
        if (is_control(segment.at[i]) || segment.at[i] == '/' || segment.at[i] == '\\') {
            *ret_why = "it has a slash, backslash or control character behind a percent sign";
            return false;
        }
    }
    return true;
}

bool uri_path_read(struct span path, struct arena *arena, struct uri_path *ret_path, const char **ret_why) {
    struct span rest = {path.at + 1, path.bytes - 1}, part;
    ret_path->count = 0;
    ret_path->ends_with_slash = path.bytes > 1 && path.at[path.bytes - 1] == '/';
    if (rest.bytes == 0) {
        return true;
    }
    if (ret_path->ends_with_slash) {
        rest.bytes--;
    }
    while (span_next(&rest, '/', &part)) {
        size_t bytes;
        if (part.bytes == 0 || ret_path->count == URI_SEGMENTS_MAX) {
            *ret_why = part.bytes == 0 ? "it has two slashes in a row" : "it has too many parts";
            return false;
        }
        const char *text = decode(part, false, arena, ret_why, &bytes);
        if (text == NULL) {
            return false;
        }
        ret_path->segments[ret_path->count] = (struct span){text, bytes};
        if (!is_plain_segment(ret_path->segments[ret_path->count++], ret_why)) {
            return false;
        }
    }
    return true;
}

bool uri_query_next(struct span *rest, struct arena *arena, struct uri_parameter *ret_parameter, const char **ret_why) {
    struct span part = {NULL, 0}, name = {NULL, 0};
    size_t bytes;
    *ret_parameter = (struct uri_parameter){NULL, NULL};
    while (part.bytes == 0) {
        if (!span_next(rest, '&', &part)) {
            return true;
        }
    }
    struct span value = part;
    (void)span_next(&value, '=', &name);
    if (value.at == NULL) {
        value = (struct span){"", 0};
    }
    const char *name_text = decode(name, true, arena, ret_why, &bytes);
    if (name_text == NULL || strlen(name_text) != bytes) {
        *ret_why = name_text == NULL ? *ret_why : "a name has a NUL";
        return false;
    }
    ret_parameter->name = name_text;
    ret_parameter->value = decode(value, true, arena, ret_why, &bytes);
    if (ret_parameter->value == NULL || strlen(ret_parameter->value) != bytes) {
        *ret_why = ret_parameter->value == NULL ? *ret_why : "it has a NUL";
        return false;
    }
    return true;
}
