/* A request, from its head to its answer: serve_request() and, below it, the steps in their order. */
#include "herald/json.h"
#include "herald/uuid.h"
#include "server/gateway/backend_call.h"
#include "server/gateway/events.h"
#include "server/gateway/gateway.h"
#include "server/gateway/gateway_log.h"
#include "server/gateway/hints.h"
#include "server/gateway/origins.h"
#include "server/gateway/pages.h"
#include "server/gateway/request_options.h"
#include "server/gateway/response.h"
#include "server/gateway/transcode.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define NEAR_COUNT     3u
#define LOCATION_BYTES 256u
#define LOCATION_PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

/* What the steps of one request share. */
struct exchange {
    struct gateway *gateway;
    struct request *request;
    struct response response;
    struct uri_path path;
    enum herald_http_method method; /* of HEAD: GET */
    bool is_options;
    bool is_other; /* a method that no path takes */
    struct route_match match;
    ProtobufCMessage *message;
    uint32_t timeout_ms;
    char key[HERALD_IDEMPOTENCY_KEY_MAX + 1];
    struct herald_credential *credential;
};

/* ---- what is wrong with a head ---- */

static void answer_bad_head(struct exchange *exchange) {
    const struct gateway_settings *settings = exchange->gateway->options.settings;
    const struct request *request = exchange->request;
    struct response *response = &exchange->response;
    switch (request->problem) {
    case HTTP_PROBLEM_BODY_TOO_LARGE:
        response_problem(response, request->problem, "A body may have %u bytes at most.",
                         settings->gateway_max_body_bytes);
        return;
    case HTTP_PROBLEM_HEADERS_TOO_LARGE:
        response_problem(response, request->problem, "A head may have %u bytes and %u headers at most.",
                         settings->gateway_max_head_bytes, HTTP_LINES_MAX);
        return;
    case HTTP_PROBLEM_TARGET_TOO_LONG:
        response_problem(response, request->problem, "A URL may have %u bytes at most.", HTTP_TARGET_MAX);
        return;
    case HTTP_PROBLEM_BAD_LENGTH:
        response_problem(response, request->problem,
                         "%s: give either one Content-Length, or Transfer-Encoding: chunked with HTTP/1.1.",
                         request->what);
        return;
    case HTTP_PROBLEM_BAD_HOST:
        response_problem(response, request->problem,
                         "Send one header Host with the name or address, and the port, of the URL: "
                         "\"Host: 127.0.0.1:7100\".");
        return;
    case HTTP_PROBLEM_REQUEST_TIMEOUT:
        response_problem(response, request->problem, "%s did not come in time; the connection ends.", request->what);
        return;
    default:
        response_problem(response, request->problem, "The request cannot be read: %s.", request->what);
    }
}

/* ---- path and method ---- */

static void find_method(struct exchange *exchange) {
    struct span method = exchange->request->head.method;
    exchange->is_options = span_is(method, "OPTIONS");
    exchange->method = HERALD_HTTP_GET;
    if (exchange->is_options || span_is(method, "HEAD")) {
        return;
    }
    for (int i = HERALD_HTTP_GET; i <= HERALD_HTTP_DELETE; i++) {
        if (span_is(method, http_method_name((enum herald_http_method)i))) {
            exchange->method = (enum herald_http_method)i;
            return;
        }
    }
    exchange->is_other = true;
}

/* Writes the methods of a path: "GET, HEAD, OPTIONS". */
static const char *allowed_methods(unsigned methods, char text[64]) {
    size_t used = 0;
    for (int i = HERALD_HTTP_GET; i <= HERALD_HTTP_DELETE; i++) {
        if (methods & 1u << i) {
            used += (size_t)snprintf(text + used, 64 - used, "%s%s, ", http_method_name((enum herald_http_method)i),
                                     i == HERALD_HTTP_GET ? ", HEAD" : "");
        }
    }
    snprintf(text + used, 64 - used, "OPTIONS");
    return text;
}

static void answer_no_route(struct exchange *exchange) {
    const char *near[NEAR_COUNT];
    char text[256] = "", path[HINTS_PATH_BYTES];
    size_t count = routes_near(&exchange->gateway->options.routes, &exchange->path, NEAR_COUNT, near), used = 0;
    for (size_t i = 0; i < count && used < sizeof(text); i++) {
        hints_path(near[i], path);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? ", " : " Near to it: ", path);
    }
    response_problem(&exchange->response, HTTP_PROBLEM_ROUTE_NOT_FOUND,
                     "There is nothing at this path.%s%s /api/docs lists all paths.", text, count > 0 ? "." : "");
}

static void answer_wrong_method(struct exchange *exchange) {
    char allowed[64];
    response_header(&exchange->response, "allow", allowed_methods(exchange->match.methods, allowed));
    response_problem(&exchange->response, HTTP_PROBLEM_METHOD_NOT_ALLOWED, "The path takes %s.", allowed);
}

static void answer_options(struct exchange *exchange) {
    char allowed[64];
    allowed_methods(exchange->match.methods, allowed);
    response_header(&exchange->response, "allow", allowed);
    origins_add_preflight(exchange->gateway, exchange->request, allowed, &exchange->response);
    response_send(&exchange->response, 204, NULL, (struct span){"", 0}, true);
}

static bool find_path(struct exchange *exchange) {
    const struct request_head *head = &exchange->request->head;
    const char *why = "";
    if (span_is(head->path, "*")) {
        response_header(&exchange->response, "allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response_send(&exchange->response, 204, NULL, (struct span){"", 0}, true);
        return false;
    }
    if (!uri_path_read(head->path, &exchange->request->call.arena, &exchange->path, &why)) {
        response_problem(&exchange->response, HTTP_PROBLEM_BAD_PATH, "The path cannot be read: %s.", why);
        return false;
    }
    return true;
}

/* Finds the route. Returns: false: the request was answered. */
static bool find_route(struct exchange *exchange) {
    bool found = routes_find(&exchange->gateway->options.routes, exchange->method, &exchange->path, &exchange->match);
    exchange->response.route = exchange->match.route;
    if (exchange->match.methods == 0) {
        answer_no_route(exchange);
    } else if (exchange->is_options) {
        answer_options(exchange);
    } else if (!found || exchange->is_other) {
        answer_wrong_method(exchange);
    } else {
        return true;
    }
    return false;
}

/* ---- headers ---- */

static bool take_idempotency_key(struct exchange *exchange) {
    if (!options_idempotency_key(&exchange->request->head, exchange->key)) {
        response_problem(&exchange->response, HTTP_PROBLEM_BAD_IDEMPOTENCY_KEY,
                         "Idempotency-Key must be 1 to %u printable ASCII characters without blanks, in quotes or not.",
                         OPTIONS_KEY_MAX);
        return false;
    }
    if (exchange->match.route->method->effect != HERALD_EFFECT_ONCE) {
        exchange->key[0] = '\0';
        return true;
    }
    if (exchange->key[0] == '\0') {
        herald_uuid7(exchange->key);
    }
    char quoted[sizeof(exchange->key) + 2];
    snprintf(quoted, sizeof(quoted), "\"%s\"", exchange->key);
    response_header(&exchange->response, "idempotency-key", quoted);
    return true;
}

static bool take_credential(struct exchange *exchange) {
    struct span token;
    char text[OPTIONS_TOKEN_MAX + 1];
    if (options_bearer(&exchange->request->head, &token)) {
        if (token.at == NULL) {
            return true;
        }
        memcpy(text, token.at, token.bytes);
        text[token.bytes] = '\0';
        if (herald_credential_bearer(text, &exchange->credential, NULL) == HERALD_OK) {
            return true;
        }
    }
    response_problem(&exchange->response, HTTP_PROBLEM_BAD_AUTHORIZATION,
                     "Authorization must be \"Bearer\" and a token, as `heraldctl token` makes it.");
    return false;
}

static bool take_traceparent(struct exchange *exchange) {
    struct span text = exchange->request->head.headers[HTTP_HEADER_TRACEPARENT];
    struct call *call = &exchange->request->call;
    /* A trace that cannot be read is not continued; that is no reason to refuse (W3C Trace Context, 3.2.2). */
    if (text.at != NULL && options_is_traceparent(text)) {
        memcpy(call->traceparent, text.at, text.bytes);
        call->traceparent[text.bytes] = '\0';
    }
    return true;
}

static bool take_request_timeout(struct exchange *exchange) {
    uint32_t most_ms = exchange->gateway->options.settings->gateway_max_timeout_ms;
    if (options_timeout(&exchange->request->head, most_ms, &exchange->timeout_ms)) {
        return true;
    }
    response_problem(&exchange->response, HTTP_PROBLEM_BAD_TIMEOUT,
                     "X-Request-Timeout-Ms must be 1 to %u, or Request-Timeout as many seconds.", most_ms);
    return false;
}

static bool check_body(struct exchange *exchange) {
    const struct request *request = exchange->request;
    struct span type = request->head.headers[HTTP_HEADER_CONTENT_TYPE];
    struct span encoding = request->head.headers[HTTP_HEADER_CONTENT_ENCODING];
    if (request->body.bytes == 0) {
        return true;
    }
    if (*exchange->match.route->body == '\0') {
        response_problem(&exchange->response, HTTP_PROBLEM_BODY_NOT_TAKEN,
                         "This method takes no body here: give what is asked for as query parameters.");
        return false;
    }
    if (type.at != NULL && options_is_json(type) && (encoding.at == NULL || span_is_word(encoding, "identity"))) {
        return true;
    }
    response_header(&exchange->response, "accept", "application/json");
    if (type.at != NULL && options_is_json(type)) {
        response_problem(&exchange->response, HTTP_PROBLEM_WRONG_CONTENT_TYPE,
                         "Send the JSON as it is, without the header Content-Encoding.");
    } else {
        response_problem(&exchange->response, HTTP_PROBLEM_WRONG_CONTENT_TYPE,
                         "Send the body as JSON and say so with the header Content-Type: application/json (curl: -H "
                         "'content-type: application/json'); it came %s.",
                         type.at == NULL ? "without a type" : "with another type");
    }
    return false;
}

static bool check_accept(struct exchange *exchange) {
    const struct request_head *head = &exchange->request->head;
    if (options_accepts(head, "application/json") ||
        (exchange->match.route->method->waits && options_accepts(head, "text/event-stream"))) {
        return true;
    }
    response_problem(&exchange->response, HTTP_PROBLEM_NOT_ACCEPTABLE, "Answers are application/json.");
    return false;
}

/* ---- the call ---- */

static void answer_error(struct exchange *exchange, const struct herald_error *error) {
    struct herald_reply reply;
    memset(&reply, 0, offsetof(struct herald_reply, error));
    herald_error_copy(&reply.error, error);
    reply.effect = exchange->match.route->method->effect;
    reply.outcome = HERALD_NOT_SENT;
    reply.call_id[0] = reply.idempotency_key[0] = '\0';
    response_failure(&exchange->response, &reply);
}

static bool make_request_message(struct exchange *exchange) {
    struct herald_error error;
    bool in_query;
    if (transcode_request(&exchange->match, exchange->request, &exchange->message, &in_query, &error) == HERALD_OK) {
        return true;
    }
    if (in_query) {
        response_bad_query(&exchange->response, error.details[0].field, error.details[0].message);
    } else {
        answer_error(exchange, &error);
    }
    return false;
}

static struct herald_channel *channel_of(const struct exchange *exchange) {
    const char *service = exchange->match.route->service->full_name;
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (strcmp(gateway_backend_service((enum gateway_backend)i), service) == 0) {
            return exchange->gateway->backends[i];
        }
    }
    return NULL;
}

/* Writes the path of what a call made; "" if the reply does not tell it, or not as it may stand in a path. */
static void write_location(const char *template, const struct backend_end *end, char ret_path[LOCATION_BYTES]) {
    char way[LOCATION_BYTES];
    size_t prefix = strcspn(template, "{");
    snprintf(way, sizeof(way), "%.*s", (int)strcspn(template + prefix + 1, "}"), template + prefix + 1);
    json_t *reply = json_loadb(end->json, end->json_bytes, 0, NULL);
    const json_t *value = reply;
    char *rest = NULL;
    for (const char *name = strtok_r(way, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        value = json_object_get(value, name);
    }
    const char *text = json_string_value(value);
    bool is_plain = text != NULL && *text != '\0' && text[strspn(text, LOCATION_PLAIN)] == '\0' &&
                    prefix + strlen(text) < LOCATION_BYTES;
    snprintf(ret_path, LOCATION_BYTES, "%.*s%s", is_plain ? (int)prefix : 0, template, is_plain ? text : "");
    json_decref(reply);
}

static void add_location(struct exchange *exchange, const struct backend_end *end) {
    char path[LOCATION_BYTES];
    if (exchange->match.route->location != NULL) {
        write_location(exchange->match.route->location, end, path);
        if (path[0] != '\0') {
            response_header(&exchange->response, "location", path);
        }
    }
}

static void answer_end(struct exchange *exchange, const struct backend_end *end) {
    struct response *response = &exchange->response;
    const struct herald_route *route = exchange->match.route;
    if (end->code != HERALD_OK) {
        response_backend_failure(response, route->method, end);
        return;
    }
    struct span body = {end->json, end->json_bytes};
    response_header(response, "x-call-id", end->call_id);
    if (route->http_method == HERALD_HTTP_GET) {
        response_read(response, route->status, "application/json", body);
        return;
    }
    add_location(exchange, end);
    response_header(response, "cache-control", "no-store");
    response_send(response, route->status, "application/json", body, false);
}

TASK_FN static void call_backend(struct exchange *exchange) {
    const struct backend_call_options options = {
        .timeout_ms = exchange->timeout_ms,
        .idempotency_key = exchange->key[0] != '\0' ? exchange->key : NULL,
        .credential = exchange->credential,
    };
    struct backend_end end;
    backend_call(channel_of(exchange), exchange->match.route->method, exchange->message, &options, &end);
    answer_end(exchange, &end);
    backend_end_clear(&end);
}

TASK_FN static void stream_events(struct exchange *exchange) {
    const struct event_stream stream = {.gateway = exchange->gateway,
                                        .request = exchange->request,
                                        .response = &exchange->response,
                                        .channel = channel_of(exchange),
                                        .route = exchange->match.route,
                                        .message = exchange->message,
                                        .credential = exchange->credential};
    events_serve(&stream);
}

TASK_FN static void serve_route(struct exchange *exchange) {
    if (find_route(exchange) && take_idempotency_key(exchange) && take_credential(exchange) &&
        take_traceparent(exchange) && take_request_timeout(exchange) && check_body(exchange) &&
        check_accept(exchange) && make_request_message(exchange)) {
        if (events_wanted(&exchange->request->head, exchange->match.route)) {
            stream_events(exchange);
        } else {
            call_backend(exchange);
        }
    }
    herald_credential_unref(exchange->credential);
}

/* ---- the whole ---- */

/* Answers the request. Returns: what it is counted as. */
TASK_FN static size_t answer(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (request->problem != HTTP_PROBLEM_NONE) {
        answer_bad_head(exchange);
        return METRICS_NONE;
    }
    find_method(exchange);
    if (!origins_check(exchange->gateway, request, &exchange->response) || !find_path(exchange)) {
        return METRICS_NONE;
    }
    if (pages_serve(exchange->gateway, request, &exchange->path, &exchange->response)) {
        return METRICS_PAGES;
    }
    serve_route(exchange);
    return exchange->match.route != NULL ? METRICS_ROUTE + exchange->match.index : METRICS_NONE;
}

static void note_answer(const struct exchange *exchange, size_t what, uint64_t took_us) {
    unsigned status = exchange->response.status;
    const struct log_event *event = status >= 500 ? &LOG_GATEWAY_FAILED : &LOG_GATEWAY_REQUEST;
    metrics_count(exchange->gateway->metrics, what, exchange->request->head.method, status, took_us);
    if (log_wants(event)) {
        const struct herald_route *route = exchange->match.route;
        log_emit(event, log_str("route", route != NULL ? route->template : NULL), log_u64("status", status),
                 log_u64("took_us", took_us), LOG_END);
    }
}

void serve_request(void *user, struct request *request) {
    struct exchange exchange = {.gateway = user, .request = request};
    response_init(&exchange.response, exchange.gateway, request);
    size_t what = answer(&exchange);
    note_answer(&exchange, what, clock_now_us() - request->arrived_us);
}

bool serve_wants_body(void *user, struct request *request) {
    const struct gateway *gateway = user;
    struct uri_path path;
    struct route_match match;
    const char *why;
    if (*request->head.path.at != '/' || !uri_path_read(request->head.path, &request->call.arena, &path, &why)) {
        return false;
    }
    (void)routes_find(&gateway->options.routes, HERALD_HTTP_POST, &path, &match);
    return match.methods != 0;
}
