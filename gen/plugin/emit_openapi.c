/*
 * Prints the OpenAPI document: openapi_frame.json, with the paths of all routes and the schemas of all messages that
 * they take and give in the places that it has for them.
 */
#include "client/base/http_status.h"
#include "gen/plugin/openapi.h"
#include "gen/plugin/openapi_frame.h"

#include <assert.h>
#include <string.h>

#define METHODS_DEPTH 2u /* of the members of "paths" and the items of "tags" */
#define SCHEMAS_DEPTH 3u

#define STATUS_LEAST_ERROR 400u
#define STATUS_MOST_ERROR  599u

/* ---- names ---- */

/* "Event" of EventService. */
static const char *tag_name(struct openapi *openapi, const struct model_service *service) {
    const char *name = service->proto->name, *end = strstr(name, "Service");
    return end != NULL && end > name && strcmp(end, "Service") == 0
               ? pool_printf(&openapi->pool, "%.*s", (int)(end - name), name)
               : name;
}

static const char *operation_id(struct openapi *openapi, const struct model_route *entry) {
    const char *suffix = entry->index > 0 ? pool_printf(&openapi->pool, "_%zu", entry->index + 1) : "";
    return pool_printf(&openapi->pool, "%s_%s%s", entry->service->proto->name, entry->method->proto->name, suffix);
}

/* The template with the JSON names of its fields. */
static const char *path_text(struct openapi *openapi, const struct route *route) {
    struct text text = {0};
    for (size_t i = 0; i < route->segment_count; i++) {
        const struct route_segment *segment = &route->segments[i];
        if (segment->field != NULL) {
            text_addf(&text, "/{%s}", segment->field->json_name);
        } else {
            text_addf(&text, "/%s", segment->literal);
        }
    }
    const char *path = pool_printf(&openapi->pool, "%s", text.data);
    text_fini(&text);
    return path;
}

/* ---- parameters ---- */

static void put_component(struct openapi *openapi, const char *key, const char *kind, const char *name) {
    json_begin_object(&openapi->json, key);
    json_format(&openapi->json, "$ref", "#/components/%s/%s", kind, name);
    json_end_object(&openapi->json);
}

/* @required  whether the request is refused without it */
static void put_field_parameter(struct openapi *openapi, const char *name, const struct model_field *field,
                                enum openapi_place place, bool required) {
    struct json *json = &openapi->json;
    json_begin_object(json, NULL);
    json_string(json, "name", name);
    json_string(json, "in", place == OPENAPI_PATH ? "path" : "query");
    if (required) {
        json_bool(json, "required", true);
    }
    if (field->source.doc != NULL) {
        json_string(json, "description", openapi_text(openapi, field->source.doc));
    }
    openapi_input_field(openapi, "schema", field, place);
    if (required || openapi_is_shown(field)) {
        openapi_example(openapi, "example", field);
    }
    json_end_object(json);
}

/* A message of the query comes as parameters for its fields, which are needed only if the message is. */
static void put_query(struct openapi *openapi, const char *name, const struct model_field *field, bool required) {
    bool is_required = required && openapi_is_required(field);
    if (field->message == NULL || openapi_is_timestamp(field)) {
        put_field_parameter(openapi, name, field, OPENAPI_QUERY, is_required);
        return;
    }
    for (size_t i = 0; i < field->message->field_count; i++) {
        const struct model_field *inner = &field->message->fields[i];
        put_query(openapi, pool_printf(&openapi->pool, "%s.%s", name, inner->json_name), inner, is_required);
    }
}

static bool is_stream(const struct model_route *entry) {
    return entry->route->method == ROUTE_GET && entry->method->policy->waits;
}

static void put_parameters(struct openapi *openapi, const struct model_route *entry) {
    struct json *json = &openapi->json;
    const struct model_message *request = entry->method->request;
    json_begin_array(json, "parameters");
    for (size_t i = 0; i < entry->route->segment_count; i++) {
        const struct model_field *field = entry->route->segments[i].field;
        if (field != NULL) {
            put_field_parameter(openapi, field->json_name, field, OPENAPI_PATH, true);
        }
    }
    for (size_t i = 0; i < request->field_count; i++) {
        if (route_queries(entry->route, &request->fields[i])) {
            put_query(openapi, request->fields[i].json_name, &request->fields[i], true);
        }
    }
    if (entry->method->policy->effect == HERALD__RPC__V1__EFFECT__ONCE) {
        put_component(openapi, NULL, "parameters", "IdempotencyKey");
    }
    if (entry->route->method == ROUTE_GET) {
        put_component(openapi, NULL, "parameters", "IfNoneMatch");
    }
    if (is_stream(entry)) {
        put_component(openapi, NULL, "parameters", "LastEventId");
    }
    put_component(openapi, NULL, "parameters", "RequestTimeout");
    put_component(openapi, NULL, "parameters", "Traceparent");
    json_end_array(json);
}

/* ---- the body ---- */

/* Whether a request without a body is refused. */
static bool needs_body(const struct model_route *entry) {
    const struct model_message *request = entry->method->request;
    if (entry->route->body_field != NULL) {
        return openapi_is_required(entry->route->body_field);
    }
    for (size_t i = 0; i < request->field_count; i++) {
        if (openapi_is_required(&request->fields[i]) && !route_binds(entry->route, &request->fields[i])) {
            return true;
        }
    }
    return false;
}

static void put_body_schema(struct openapi *openapi, const struct model_route *entry) {
    if (entry->route->body_field != NULL) {
        openapi_input_field(openapi, "schema", entry->route->body_field, OPENAPI_BODY);
    } else if (openapi_body_is_shared(openapi, entry)) {
        put_component(openapi, "schema", "schemas",
                      openapi_message_name(openapi, entry->method->request, OPENAPI_INPUT));
    } else {
        openapi_body(openapi, "schema", entry);
    }
}

static void put_body(struct openapi *openapi, const struct model_route *entry) {
    struct json *json = &openapi->json;
    if (entry->route->body[0] == '\0') {
        return;
    }
    json_begin_object(json, "requestBody");
    json_bool(json, "required", needs_body(entry));
    json_begin_object(json, "content");
    json_begin_object(json, "application/json");
    put_body_schema(openapi, entry);
    openapi_body_example(openapi, "example", entry);
    json_end_object(json);
    json_end_object(json);
    json_end_object(json);
}

/* ---- responses ---- */

/* A header of success that says where to look for what the call made. */
static void put_location(struct openapi *openapi, const struct model_route *entry) {
    struct json *json = &openapi->json;
    const char *location = emit_location(&openapi->pool, openapi->routes, openapi->route_count, entry);
    if (location == NULL) {
        return;
    }
    json_begin_object(json, "Location");
    json_format(json, "description", "Where to look for what the call made: `%s`, of the answer.", location);
    json_bool(json, "required", true);
    json_begin_object(json, "schema");
    json_string(json, "type", "string");
    json_string(json, "format", "uri-reference");
    json_end_object(json);
    json_end_object(json);
}

static void put_success(struct openapi *openapi, const struct model_route *entry) {
    struct json *json = &openapi->json;
    const struct model_method *method = entry->method;
    json_begin_object(json, pool_printf(&openapi->pool, "%u", emit_status(method)));
    json_string(json, "description",
                method->response->source.doc != NULL ? openapi_text(openapi, method->response->source.doc) : "Done.");
    json_begin_object(json, "headers");
    put_component(openapi, "X-Call-Id", "headers", "CallId");
    if (entry->route->method == ROUTE_GET) {
        put_component(openapi, "ETag", "headers", "ETag");
    }
    if (method->policy->effect == HERALD__RPC__V1__EFFECT__ONCE) {
        put_component(openapi, "Idempotency-Key", "headers", "IdempotencyKey");
    }
    put_location(openapi, entry);
    json_end_object(json);
    json_begin_object(json, "content");
    json_begin_object(json, "application/json");
    put_component(openapi, "schema", "schemas", openapi_message_name(openapi, method->response, OPENAPI_OUTPUT));
    openapi_response_example(openapi, "example", method->response);
    json_end_object(json);
    if (is_stream(entry)) {
        json_begin_object(json, "text/event-stream");
        json_begin_object(json, "schema");
        json_string(json, "type", "string");
        json_format(json, "description", "Events `change`, whose data is a %s on one line.",
                    openapi_message_name(openapi, method->response, OPENAPI_OUTPUT));
        json_end_object(json);
        json_end_object(json);
    }
    json_end_object(json);
    json_end_object(json);
}

static unsigned http_status_of(enum herald_reason reason) {
    return herald_http_status(herald_reason_code(reason), reason);
}

static const char *status_text(unsigned status) {
    switch (status) {
    case 400:
        return "The request does not fit the rules, or the state of what it is about";
    case 401:
        return "The credential is missing or not known";
    case 403:
        return "The caller may not do this";
    case 404:
        return "There is no such thing, or it is another user's";
    case 409:
        return "Another call was first";
    case 413:
        return "Too large";
    case 422:
        return "The idempotency key is that of another request";
    case 429:
        return "A limit was reached";
    case 503:
        return "What it needs is missing now";
    case 504:
        return "The time is over";
    default:
        return "It failed in the servers";
    }
}

/* The reasons of the method's own that are answered with @status. Returns: how many there are */
static size_t collect_reasons(const struct model_method *method, unsigned status, enum herald_reason *ret_reasons) {
    size_t count = 0;
    for (size_t i = 0; i < method->policy->n_reasons; i++) {
        enum herald_reason reason = herald_reason_find(method->policy->reasons[i]);
        if (http_status_of(reason) == status) {
            ret_reasons[count++] = reason;
        }
    }
    return count;
}

/* The words stand in the text, for people, and as x-reasons, for programs. */
static void put_problem(struct openapi *openapi, const struct model_method *method, unsigned status) {
    struct json *json = &openapi->json;
    enum herald_reason reasons[HERALD_REASON_COUNT];
    size_t count = collect_reasons(method, status, reasons);
    struct text text = {0};
    if (count == 0) {
        return;
    }
    text_addf(&text, "%s.", status_text(status));
    for (size_t i = 0; i < count; i++) {
        text_addf(&text, "%s`%s`: %s.", i == 0 ? "\n\n" : "\n", herald_reason_name(reasons[i]),
                  herald_reason_meaning(reasons[i]));
    }
    json_begin_object(json, pool_printf(&openapi->pool, "%u", status));
    json_string(json, "description", text.data);
    json_begin_object(json, "content");
    json_begin_object(json, "application/problem+json");
    put_component(openapi, "schema", "schemas", "Problem");
    json_end_object(json);
    json_end_object(json);
    json_begin_array(json, "x-reasons");
    for (size_t i = 0; i < count; i++) {
        json_string(json, NULL, herald_reason_name(reasons[i]));
    }
    json_end_array(json);
    json_end_object(json);
    text_fini(&text);
}

static void put_responses(struct openapi *openapi, const struct model_route *entry) {
    json_begin_object(&openapi->json, "responses");
    put_success(openapi, entry);
    if (is_stream(entry)) {
        put_component(openapi, "204", "responses", "AllSeen");
    }
    if (entry->route->method == ROUTE_GET) {
        put_component(openapi, "304", "responses", "NotModified");
    }
    for (unsigned status = STATUS_LEAST_ERROR; status <= STATUS_MOST_ERROR; status++) {
        put_problem(openapi, entry->method, status);
    }
    put_component(openapi, "default", "responses", "Problem");
    json_end_object(&openapi->json);
}

/* ---- operations ---- */

static const char *effect_word(Herald__Rpc__V1__Effect effect) {
    switch (effect) {
    case HERALD__RPC__V1__EFFECT__READ:
        return "READ";
    case HERALD__RPC__V1__EFFECT__IDEMPOTENT:
        return "IDEMPOTENT";
    default:
        return "ONCE";
    }
}

static const char *caller_word(Herald__Rpc__V1__Caller caller) {
    switch (caller) {
    case HERALD__RPC__V1__CALLER__ANYONE:
        return "ANYONE";
    case HERALD__RPC__V1__CALLER__IDENTIFIED:
        return "IDENTIFIED";
    case HERALD__RPC__V1__CALLER__OPERATOR:
        return "OPERATOR";
    default:
        return "SERVER";
    }
}

/* Of the document's security, without a credential or with one; these callers must have one. */
static void put_security(struct openapi *openapi, const struct model_method *method) {
    struct json *json = &openapi->json;
    if (method->policy->caller != HERALD__RPC__V1__CALLER__OPERATOR &&
        method->policy->caller != HERALD__RPC__V1__CALLER__SERVER) {
        return;
    }
    json_begin_array(json, "security");
    json_begin_object(json, NULL);
    json_begin_array(json, "bearer");
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
}

static void put_operation(struct openapi *openapi, const struct model_route *entry) {
    static const char *const keys[] = {
        [ROUTE_GET] = "get",     [ROUTE_POST] = "post",     [ROUTE_PUT] = "put",
        [ROUTE_PATCH] = "patch", [ROUTE_DELETE] = "delete",
    };
    struct json *json = &openapi->json;
    const struct model_method *method = entry->method;
    json_begin_object(json, keys[entry->route->method]);
    json_begin_array(json, "tags");
    json_string(json, NULL, tag_name(openapi, entry->service));
    json_end_array(json);
    json_string(json, "operationId", operation_id(openapi, entry));
    json_string(json, "summary", openapi_summary(openapi, method->source.doc));
    json_string(json, "description", openapi_text(openapi, method->source.doc));
    put_security(openapi, method);
    put_parameters(openapi, entry);
    put_body(openapi, entry);
    put_responses(openapi, entry);
    json_format(json, "x-method", "%s/%s", entry->service->full_name, method->proto->name);
    json_string(json, "x-effect", effect_word(method->policy->effect));
    json_string(json, "x-caller", caller_word(method->policy->caller));
    json_unsigned(json, "x-deadline-ms", method->policy->deadline_ms);
    json_bool(json, "x-waits", method->policy->waits);
    json_end_object(json);
}

static void put_paths(struct openapi *openapi) {
    const char *last = NULL;
    for (size_t i = 0; i < openapi->route_count; i++) {
        const char *path = path_text(openapi, openapi->routes[i].route);
        if (last == NULL || strcmp(last, path) != 0) {
            if (last != NULL) {
                json_end_object(&openapi->json);
            }
            json_begin_object(&openapi->json, path);
            last = path;
        }
        put_operation(openapi, &openapi->routes[i]);
    }
    if (last != NULL) {
        json_end_object(&openapi->json);
    }
}

/* Services with routes, in the order of the paths. */
static void put_tags(struct openapi *openapi) {
    struct json *json = &openapi->json;
    for (size_t i = 0; i < openapi->route_count; i++) {
        const struct model_service *service = openapi->routes[i].service;
        bool is_known = false;
        for (size_t j = 0; j < i; j++) {
            is_known |= openapi->routes[j].service == service;
        }
        if (!is_known) {
            json_begin_object(json, NULL);
            json_string(json, "name", tag_name(openapi, service));
            json_string(json, "description", openapi_text(openapi, service->source.doc));
            json_end_object(json);
        }
    }
}

static void put_codes(struct openapi *openapi) {
    static const char *const names[] = {
#define CODE_NAME(name, number, text, retry, wire) #name,
        HERALD_CODES(CODE_NAME)
#undef CODE_NAME
    };
    struct json *json = &openapi->json;
    json_begin_object(json, "ProblemCode");
    json_string(json, "type", "string");
    json_string(json, "description",
                "The code of google.rpc.Code; OUTCOME_UNKNOWN: no answer came, and it may have "
                "happened.");
    json_begin_array(json, "enum");
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) { /* the first is OK */
        json_string(json, NULL, names[i]);
    }
    json_end_array(json);
    json_end_object(json);
}

static void put_all_schemas(struct openapi *openapi) {
    openapi_schemas(openapi);
    put_codes(openapi);
}

/* ---- the frame ---- */

/* Copies the frame up to @place and prints in its place what @put prints, members or items. Returns: the rest. */
static const char *fill_place(struct openapi *openapi, struct text *out, const char *frame, const char *place,
                              unsigned depth, void (*put)(struct openapi *openapi)) {
    const char *at = strstr(frame, place), *end = at;
    assert(at != NULL);
    while (end > frame && (end[-1] == ' ' || end[-1] == '\n')) {
        end--;
    }
    text_add_bytes(out, frame, (size_t)(end - frame));
    openapi->json = (struct json){.out = out, .depth = depth};
    put(openapi);
    text_add(out, openapi->json.follows ? "," : "");
    return at + strlen(place);
}

static const char *fill_version(struct text *out, const char *frame) {
    static const char place[] = "x-version";
    const char *at = strstr(frame, place);
    assert(at != NULL);
    text_add_bytes(out, frame, (size_t)(at - frame));
    text_add(out, HERALD_VERSION);
    return at + strlen(place);
}

void emit_openapi(struct text *out, const struct model *model) {
    struct openapi openapi;
    openapi_init(&openapi, model);
    const char *rest = fill_version(out, openapi_frame);
    rest = fill_place(&openapi, out, rest, "\"x-tags\",", METHODS_DEPTH, put_tags);
    rest = fill_place(&openapi, out, rest, "\"x-paths\": {},", METHODS_DEPTH, put_paths);
    rest = fill_place(&openapi, out, rest, "\"x-schemas\": {},", SCHEMAS_DEPTH, put_all_schemas);
    text_add(out, rest);
    openapi_fini(&openapi);
}
