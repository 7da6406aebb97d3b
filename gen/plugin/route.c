/*
 * Takes routes apart. A template here is a plain one: literals and whole segments that bind fields of the request. What
 * google.api.http has beyond that (wildcards, verbs, paths of fields) is refused, with the reason.
 */
#include "gen/plugin/route.h"

#include "gen/plugin/model.h"
#include "google/api/http.pb-c.h"

#include <string.h>

#define PATH_ROOT     "/api/"
#define LITERAL_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

/* Paths that whoever serves the routes answers by itself. */
static const char *const reserved_paths[] = {
    "/api/openapi.json", "/api/docs", "/api/session", "/api/servers", "/api/problems",
};
#define RESERVED_COUNT (sizeof(reserved_paths) / sizeof(reserved_paths[0]))

const char *route_method_name(enum route_method method) {
    switch (method) {
    case ROUTE_GET:
        return "GET";
    case ROUTE_POST:
        return "POST";
    case ROUTE_PUT:
        return "PUT";
    case ROUTE_PATCH:
        return "PATCH";
    case ROUTE_DELETE:
        return "DELETE";
    case ROUTE_METHOD_NONE:
        break;
    }
    return "";
}

static bool is_repeated(const struct model_field *field) {
    return field->proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
}

static const struct model_field *find_field(const struct model_message *message, const char *name) {
    for (size_t i = 0; i < message->field_count; i++) {
        if (strcmp(message->fields[i].proto->name, name) == 0) {
            return &message->fields[i];
        }
    }
    return NULL;
}

/* Why a segment of a path cannot hold the field; NULL: it can. */
static const char *why_not_in_path(const struct model_field *field) {
    if (is_repeated(field)) {
        return "which is repeated";
    }
    if (field->proto->has_oneof_index) {
        return "which is in a oneof";
    }
    switch (field->proto->type) {
    case TYPE(MESSAGE):
    case TYPE(GROUP):
        return "which is a message";
    case TYPE(BYTES):
        return "which is bytes";
    case TYPE(FLOAT):
    case TYPE(DOUBLE):
        return "which is a floating-point number";
    default:
        return NULL;
    }
}

/* Reads "{name}", already cut at the '/'. Returns: what is wrong, or NULL */
static const char *read_route_variable(struct pool *pool, const char *text, const struct model_message *request,
                                       const struct route *route, struct route_segment *ret_segment) {
    size_t length = strlen(text);
    if (text[length - 1] != '}') {
        return pool_printf(pool, "the segment \"%s\" does not end with '}': a field takes a whole segment", text);
    }
    const char *name = pool_printf(pool, "%.*s", (int)(length - 2), text + 1);
    if (strpbrk(name, "=*") != NULL) {
        return pool_printf(pool, "\"%s\" has a pattern: a field takes one segment, \"{name}\"", text);
    }
    if (strchr(name, '.') != NULL) {
        return pool_printf(pool,
                           "\"%s\" is a field of a message in the request: only the request's own fields go "
                           "into the path",
                           text);
    }
    const struct model_field *field = find_field(request, name);
    if (field == NULL) {
        return pool_printf(pool, "it binds the field \"%s\", which %s lacks", name, request->full_name);
    }
    const char *why = why_not_in_path(field);
    if (why != NULL) {
        return pool_printf(pool, "it binds the field \"%s\", %s: a path holds strings, integers, bools and enums", name,
                           why);
    }
    if (route_binds(route, field)) {
        return pool_printf(pool, "it binds the field \"%s\" twice", name);
    }
    *ret_segment = (struct route_segment){.field = field};
    return NULL;
}

/* Reads one segment. Returns: what is wrong, or NULL */
static const char *read_segment(struct pool *pool, const char *text, const struct model_message *request,
                                const struct route *route, struct route_segment *ret_segment) {
    if (text[0] == '{') {
        return read_route_variable(pool, text, request, route, ret_segment);
    }
    if (text[0] == '\0') {
        return "it has an empty segment";
    }
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return pool_printf(pool, "it has the segment \"%s\", which clients take out of a path", text);
    }
    size_t good = strspn(text, LITERAL_CHARS);
    switch (text[good]) {
    case '\0':
        *ret_segment = (struct route_segment){.literal = text};
        return NULL;
    case '*':
        return "it has a wildcard: name fields, \"{name}\"";
    case ':':
        return pool_printf(pool, "it has the verb \"%s\": make it a segment of its own, \"/%s\"", text + good,
                           text + good + 1);
    default:
        return pool_printf(pool,
                           "the segment \"%s\" is neither a field, \"{name}\", nor of letters, digits, '-', '_' "
                           "and '.'",
                           text);
    }
}

static const char *check_reserved(struct pool *pool, const char *text) {
    for (size_t i = 0; i < RESERVED_COUNT; i++) {
        size_t length = strlen(reserved_paths[i]);
        if (strncmp(text, reserved_paths[i], length) == 0 && (text[length] == '\0' || text[length] == '/')) {
            return pool_printf(pool, "%s is the gateway's own", reserved_paths[i]);
        }
    }
    return NULL;
}

static const char *read_template(struct pool *pool, const struct model_message *request, struct route *route) {
    if (strncmp(route->text, PATH_ROOT, strlen(PATH_ROOT)) != 0) {
        return "it does not begin with \"" PATH_ROOT "\"";
    }
    for (const char *rest = route->text; *rest == '/';) {
        size_t length = strcspn(rest + 1, "/");
        const char *text = pool_printf(pool, "%.*s", (int)length, rest + 1);
        if (route->segment_count == ROUTE_SEGMENTS_MAX) {
            return pool_printf(pool, "it has more than %d segments", ROUTE_SEGMENTS_MAX);
        }
        const char *problem = read_segment(pool, text, request, route, &route->segments[route->segment_count]);
        if (problem != NULL) {
            return problem;
        }
        route->segment_count++;
        rest += 1 + length;
    }
    return check_reserved(pool, route->text);
}

static const char *read_route_body(struct pool *pool, const struct model_message *request, struct route *route) {
    if (route->body[0] == '\0') {
        return NULL;
    }
    if (route->method == ROUTE_GET || route->method == ROUTE_DELETE) {
        return pool_printf(pool, "%s has no body", route_method_name(route->method));
    }
    if (strcmp(route->body, "*") == 0) {
        return NULL;
    }
    route->body_field = find_field(request, route->body);
    if (route->body_field == NULL) {
        return pool_printf(pool, "its body is the field \"%s\", which %s lacks", route->body, request->full_name);
    }
    if (route->body_field->message == NULL || is_repeated(route->body_field)) {
        return pool_printf(pool, "its body is the field \"%s\", which is no single message", route->body);
    }
    return NULL;
}

/* Why a query parameter cannot hold the field, which stands at @path, or a field in it; NULL: it can. Messages do not
 * contain themselves: check_cycles(). */
static const char *why_not_in_query(struct pool *pool, const struct model_field *field, const char *path, int depth) {
    const char *why = NULL;
    if (field->proto->type == TYPE(BYTES)) {
        why = "bytes";
    } else if (field->message != NULL && is_repeated(field)) {
        why = "a repeated message";
    } else if (field->proto->has_oneof_index) {
        why = "a member of a oneof";
    }
    if (why != NULL || field->message == NULL) {
        return why == NULL ? NULL
                           : pool_printf(pool,
                                         "the field \"%s\" has no place: %s in a query parameter; name it, or "
                                         "\"*\", as the body",
                                         path, why);
    }
    for (size_t i = 0; depth > 0 && i < field->message->field_count; i++) {
        const struct model_field *inner = &field->message->fields[i];
        const char *problem =
            why_not_in_query(pool, inner, pool_printf(pool, "%s.%s", path, inner->proto->name), depth - 1);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

/* Finds a field that has no place. Deeper than this no message of a request goes; a message that contains itself is
 * refused elsewhere. */
#define DEPTH_MAX 16

static const char *check_query(struct pool *pool, const struct model_message *request, const struct route *route) {
    for (size_t i = 0; i < request->field_count; i++) {
        const struct model_field *field = &request->fields[i];
        const char *problem =
            route_queries(route, field) ? why_not_in_query(pool, field, field->proto->name, DEPTH_MAX) : NULL;
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

/* Reads the method and the template. Returns: what is wrong, or NULL */
static const char *read_pattern(const Google__Api__HttpRule *rule, struct route *route) {
    switch (rule->pattern_case) {
    case GOOGLE__API__HTTP_RULE__PATTERN_GET:
        route->method = ROUTE_GET;
        route->text = rule->get;
        return NULL;
    case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
        route->method = ROUTE_PUT;
        route->text = rule->put;
        return NULL;
    case GOOGLE__API__HTTP_RULE__PATTERN_POST:
        route->method = ROUTE_POST;
        route->text = rule->post;
        return NULL;
    case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
        route->method = ROUTE_DELETE;
        route->text = rule->delete_;
        return NULL;
    case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
        route->method = ROUTE_PATCH;
        route->text = rule->patch;
        return NULL;
    case GOOGLE__API__HTTP_RULE__PATTERN_CUSTOM:
        return "custom methods are not served: use get, post, put, patch or delete";
    default:
        return "it names no get, post, put, patch or delete";
    }
}

void route_read(struct pool *pool, const route_rule *rule, const struct model_message *request, struct route *route) {
    *route = (struct route){.method = ROUTE_METHOD_NONE, .text = "", .body = rule->body};
    route->problem = read_pattern(rule, route);
    if (route->problem == NULL && rule->response_body[0] != '\0') {
        route->problem = "response_body is not supported: the body of an answer is the whole response";
    }
    if (route->problem == NULL && rule->selector[0] != '\0') {
        route->problem = "selector is for rules outside the schema: leave it out";
    }
    if (route->problem == NULL) {
        route->problem = read_template(pool, request, route);
    }
    if (route->problem == NULL) {
        route->problem = read_route_body(pool, request, route);
    }
    if (route->problem == NULL) {
        route->problem = check_query(pool, request, route);
    }
}

bool route_binds(const struct route *route, const struct model_field *field) {
    for (size_t i = 0; i < route->segment_count; i++) {
        if (route->segments[i].field == field) {
            return true;
        }
    }
    return false;
}

bool route_queries(const struct route *route, const struct model_field *field) {
    return strcmp(route->body, "*") != 0 && route->body_field != field && !route_binds(route, field);
}

int route_compare(const struct route *left, const struct route *right) {
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : (left->method > right->method) - (left->method < right->method);
}

bool route_equals(const struct route *left, const struct route *right) {
    if (left->method != right->method || left->segment_count != right->segment_count) {
        return false;
    }
    for (size_t i = 0; i < left->segment_count; i++) {
        const char *literal = left->segments[i].literal, *other = right->segments[i].literal;
        if ((literal == NULL) != (other == NULL) || (literal != NULL && strcmp(literal, other) != 0)) {
            return false;
        }
    }
    return true;
}
