#include "server/gateway/hints.h"

#include "client/base/ascii.h"

#include <stdio.h>

/* Most routes that a text is taken to name. */
#define SEE_MOST 4u

void hints_path(const char *template, char ret_path[HINTS_PATH_BYTES]) {
    size_t used = 0;
    bool in_name = false, raise = false;
    for (const char *at = template; *at != '\0' && used < HINTS_PATH_BYTES - 1; at++) {
        in_name = *at == '{' || (in_name && *at != '}');
        if (in_name && *at == '_') {
            raise = true;
            continue;
        }
        ret_path[used++] = raise && *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
        raise = false;
    }
    ret_path[used] = '\0';
}

static bool is_method_named(const struct herald_route *route, struct span word) {
    const char *slash = strchr(route->method->full_name, '/');
    return slash != NULL && span_is(word, slash + 1);
}

/* The route of a method; NULL: no method has this name. */
static const struct herald_route *route_of_method(const struct routes *routes, const struct herald_route *called,
                                                  struct span word) {
    const struct herald_route *found = NULL;
    for (size_t i = 0; i < routes->count; i++) {
        const struct herald_route *route = &routes->table[i];
        if (is_method_named(route, word) && (found == NULL || (called != NULL && found->service != called->service &&
                                                               route->service == called->service))) {
            found = route;
        }
    }
    return found;
}

static bool is_word_char(char c) {
    return herald_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

json_t *hints_see(const struct routes *routes, const struct herald_route *route, const char *text) {
    json_t *list = NULL;
    for (const char *at = text; *at != '\0';) {
        struct span word = {at, 0};
        while (is_word_char(word.at[word.bytes])) {
            word.bytes++;
        }
        at += word.bytes > 0 ? word.bytes : 1;
        const struct herald_route *named = word.bytes > 0 ? route_of_method(routes, route, word) : NULL;
        if (named != NULL && json_array_size(list) < SEE_MOST) {
            char path[HINTS_PATH_BYTES];
            hints_path(named->template, path);
            list = list != NULL ? list : json_array();
            json_array_append_new(list, json_sprintf("%s %s", http_method_name(named->http_method), path));
        }
    }
    return list;
}

const char *hints_plain(const struct herald_route *route, const char *text) {
    const char *name = route != NULL ? route->method->request->full_name : "";
    size_t bytes = strlen(name);
    return bytes > 0 && strncmp(text, name, bytes) == 0 && strncmp(text + bytes, ": ", 2) == 0 ? text + bytes + 2
                                                                                               : text;
}

bool hints_in_query(const struct herald_route *route, const char *field) {
    if (route == NULL || strcmp(route->body, HERALD_BODY_NONE) != 0) {
        return false;
    }
    const struct herald_message_schema *request = route->method->request;
    for (unsigned i = 0; i < request->descriptor->n_fields; i++) {
        if (strcmp(request->fields[i].json_name, field) == 0) {
            for (size_t part = 0; part < route->segment_count; part++) {
                const char *bound = route->segments[part].field;
                if (bound != NULL && strcmp(bound, request->descriptor->fields[i].name) == 0) {
                    return false;
                }
            }
            return true;
        }
    }
    return false;
}
