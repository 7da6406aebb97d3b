#include "server/gateway/response.h"

#include "client/base/http_status.h"
#include "server/gateway/backend_call.h"
#include "server/gateway/gateway.h"
#include "server/gateway/hints.h"
#include "server/gateway/http_encoding.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_TYPE "application/problem+json"
#define DETAIL_BYTES 768
#define HINT_BYTES   192

const char *response_phrase(unsigned status) {
    static const struct {
        unsigned status;
        const char *phrase;
    } PHRASES[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {301, "Moved Permanently"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {499, "Client Closed Request"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(PHRASES) / sizeof(PHRASES[0]); i++) {
        if (PHRASES[i].status == status) {
            return PHRASES[i].phrase;
        }
    }
    return "Other";
}

/* ---- headers ---- */

void response_init(struct response *response, const struct gateway *gateway, struct request *request) {
    response->request = request;
    response->gateway = gateway;
    response->route = NULL;
    response->status = 0;
    response->is_head = request->head.method.at != NULL && span_is(request->head.method, "HEAD");
    response->head_bytes = 0;
    response_header(response, "x-content-type-options", "nosniff");
}

/* Appends bytes, unless they are too many for the room. */
static void put_header_bytes(struct response *response, const char *text, size_t bytes) {
    if (bytes <= sizeof(response->head) - response->head_bytes) {
        memcpy(response->head + response->head_bytes, text, bytes);
        response->head_bytes += bytes;
    }
}

void response_header(struct response *response, const char *name, const char *value) {
    size_t name_bytes = strlen(name), value_bytes = strlen(value);
    if (name_bytes + value_bytes + 4 > sizeof(response->head) - response->head_bytes) {
        return;
    }
    put_header_bytes(response, name, name_bytes);
    put_header_bytes(response, ": ", 2);
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x20 && *at != 0x7F) {
            put_header_bytes(response, at, 1);
        }
    }
    put_header_bytes(response, "\r\n", 2);
}

/* ---- sending ---- */

/* Writes the status line in front of the headers. Returns: the whole head, in @text. */
static struct span whole_head(const struct response *response, char *text, size_t room) {
    int line = snprintf(text, room, "HTTP/1.1 %u %s\r\n", response->status, response_phrase(response->status));
    memcpy(text + line, response->head, response->head_bytes);
    return (struct span){text, (size_t)line + response->head_bytes};
}

void response_send(struct response *response, unsigned status, const char *type, struct span body, bool encoded) {
    char text[RESPONSE_HEAD_BYTES + 64];
    char *packed = NULL;
    response->status = status;
    if (type != NULL) {
        response_header(response, "content-type", type);
    }
    bool may_be_packed = !encoded && body.bytes >= HTTP_GZIP_LEAST;
    if (may_be_packed) {
        response_header(response, "vary", "accept-encoding");
    }
    if (may_be_packed && http_accepts_gzip(&response->request->head)) {
        struct span smaller;
        packed = http_gzip(body, &smaller);
        if (packed != NULL) {
            body = smaller;
            response_header(response, "content-encoding", "gzip");
        }
    }
    const struct answer answer = {.head = whole_head(response, text, sizeof(text)),
                                  .body = body,
                                  .has_no_body = response->is_head,
                                  .has_no_length = status == 204 || status == 304};
    request_answer(response->request, &answer);
    free(packed);
}

bool response_stream(struct response *response, const char *type) {
    char text[RESPONSE_HEAD_BYTES + 64];
    response->status = 200;
    response_header(response, "content-type", type);
    return request_stream(response->request, whole_head(response, text, sizeof(text)));
}

void response_read(struct response *response, unsigned status, const char *type, struct span body) {
    char tag[HTTP_TAG_BYTES];
    http_tag(body, tag);
    response_header(response, "etag", tag);
    response_header(response, "cache-control", "private, no-cache");
    if (http_tag_matches(response->request->head.headers[HTTP_HEADER_IF_NONE_MATCH], tag)) {
        response_send(response, 304, NULL, (struct span){"", 0}, true);
        return;
    }
    response_send(response, status, type, body, false);
}

/* ---- problems ---- */

static void send_problem(struct response *response, unsigned status, json_t *problem) {
    char *text = problem != NULL ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    response_header(response, "cache-control", "no-store");
    if (status == 401) {
        response_header(response, "www-authenticate", "Bearer realm=\"herald\"");
    }
    response_send(response, status, PROBLEM_TYPE, text != NULL ? span_of(text) : (struct span){"{}", 2}, false);
    free(text);
}

static json_t *new_problem(const char *word, unsigned status, const char *title, const char *detail,
                           enum herald_code code) {
    char type[96];
    snprintf(type, sizeof(type), "/api/problems/%s", word);
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", type, "title", title, "status", (int)status, "detail",
                     detail, "code", herald_code_name((int)code), "reason", word);
}

/* A problem of HTTP: the call was not made. */
static json_t *new_http_problem(const struct http_problem_row *row, const char *detail) {
    json_t *made = new_problem(row->word, row->status, row->title, detail, row->code);
    json_object_set_new(made, "outcome", json_string(herald_outcome_name(HERALD_NOT_SENT)));
    json_object_set_new(made, "mayRepeat", json_boolean(row->status == 503 || row->status == 408));
    return made;
}

void response_problem(struct response *response, enum http_problem problem, const char *detail, ...) {
    const struct http_problem_row *row = http_problem_row(problem);
    char text[512];
    va_list args;
    va_start(args, detail);
    vsnprintf(text, sizeof(text), detail, args);
    va_end(args);
    if (row->status == 503) {
        response_header(response, "retry-after", "1");
    }
    send_problem(response, row->status, new_http_problem(row, text));
}

void response_bad_query(struct response *response, const char *name, const char *what) {
    const struct http_problem_row *row = http_problem_row(HTTP_PROBLEM_BAD_QUERY);
    char text[512];
    snprintf(text, sizeof(text), *name ? "The query parameter \"%s\": %s" : "The query cannot be read%s: %s", name,
             what);
    json_t *made = new_http_problem(row, text);
    json_object_set_new(made, "errors",
                        json_pack("[{s:s, s:s, s:s}]", "field", name, "reason", row->word, "message", what));
    send_problem(response, row->status, made);
}

/* Whether the words of an error are for its caller. Others speak of addresses, settings and stores of the servers. */
static bool is_for_callers(enum herald_code code) {
    switch (code) {
    case HERALD_INVALID_ARGUMENT:
    case HERALD_NOT_FOUND:
    case HERALD_ALREADY_EXISTS:
    case HERALD_PERMISSION_DENIED:
    case HERALD_FAILED_PRECONDITION:
    case HERALD_ABORTED:
    case HERALD_OUT_OF_RANGE:
    case HERALD_UNAUTHENTICATED:
        return true;
    default:
        return false;
    }
}

/* Adds the routes of the methods that a text names. */
static void put_see(const struct response *response, json_t *to, const char *text) {
    json_t *see = hints_see(&response->gateway->options.routes, response->route, text);
    if (see != NULL) {
        json_object_set_new(to, "see", see);
    }
}

/* What to do about a missing field, behind its message. */
static const char *missing_hint(const struct response *response, const struct herald_error_detail *detail,
                                char ret_text[HINT_BYTES]) {
    ret_text[0] = '\0';
    if (strcmp(detail->reason, herald_reason_name(HERALD_REASON_REQUIRED)) == 0 &&
        hints_in_query(response->route, detail->field)) {
        snprintf(ret_text, HINT_BYTES, "; give it as ?%s=…", detail->field);
    }
    return ret_text;
}

static json_t *details_of(const struct response *response, const struct herald_error *error) {
    json_t *list = json_array();
    char hint[HINT_BYTES];
    for (uint32_t i = 0; i < error->detail_count; i++) {
        const struct herald_error_detail *detail = &error->details[i];
        json_t *item = json_pack("{s:s, s:s, s:s+}", "field", detail->field, "reason", detail->reason, "message",
                                 detail->message, missing_hint(response, detail, hint));
        put_see(response, item, detail->message);
        json_array_append_new(list, item);
    }
    return list;
}

/* A sentence that says what went wrong. Addresses, settings and stores of the servers are not shown. */
static void write_detail(const struct response *response, const struct herald_reply *reply, const char *general,
                         char ret_text[DETAIL_BYTES]) {
    const struct herald_error *error = &reply->error;
    char hint[HINT_BYTES] = "";
    if (is_for_callers(error->code)) {
        if (error->detail_count == 1) {
            (void)missing_hint(response, &error->details[0], hint);
        }
        snprintf(ret_text, DETAIL_BYTES, "%s%s", hints_plain(response->route, error->message), hint);
    } else if (error->code == HERALD_UNAVAILABLE && reply->outcome == HERALD_NOT_SENT && response->route != NULL) {
        snprintf(ret_text, DETAIL_BYTES, "no server of %s took the call: %s", response->route->service->full_name,
                 general);
    } else {
        snprintf(ret_text, DETAIL_BYTES, "%s", general);
    }
}

/* How long to wait before a repeat; 0: nothing is said. */
static uint32_t retry_after_ms(const struct herald_error *error, unsigned status) {
    if (error->retry_after_ms > 0) {
        return error->retry_after_ms;
    }
    return status == 503 ? 1000 : 0;
}

static void put_retry(struct response *response, json_t *problem, uint32_t wait_ms) {
    char seconds[16];
    if (wait_ms == 0) {
        return;
    }
    snprintf(seconds, sizeof(seconds), "%" PRIu32, (wait_ms + 999) / 1000);
    response_header(response, "retry-after", seconds);
    json_object_set_new(problem, "retryAfterMs", json_integer(wait_ms));
}

void response_failure(struct response *response, const struct herald_reply *reply) {
    const struct herald_error *error = &reply->error;
    unsigned status = herald_http_status(error->code, herald_reason_find(error->reason));
    const char *meaning = herald_reason_meaning(herald_reason_find(error->reason));
    const char *general = *meaning ? meaning : herald_code_text((int)error->code);
    char detail[DETAIL_BYTES];
    write_detail(response, reply, general, detail);
    json_t *problem = new_problem(error->reason, status, general, detail, error->code);
    json_object_set_new(problem, "outcome", json_string(herald_outcome_name(reply->outcome)));
    json_object_set_new(problem, "mayRepeat", json_boolean(herald_reply_may_repeat(reply) != HERALD_REPEAT_NO));
    put_retry(response, problem, retry_after_ms(error, status));
    if (is_for_callers(error->code)) {
        put_see(response, problem, detail);
        if (error->detail_count > 0) {
            json_object_set_new(problem, "errors", details_of(response, error));
        }
    }
    if (*reply->call_id) {
        json_object_set_new(problem, "callId", json_string(reply->call_id));
    }
    send_problem(response, status, problem);
}

void response_backend_failure(struct response *response, const struct herald_method_schema *method,
                              const struct backend_end *end) {
    struct herald_reply reply;
    if (end->reply != NULL) {
        response_failure(response, end->reply);
        return;
    }
    memset(&reply, 0, sizeof(reply));
    reply.effect = method->effect;
    reply.outcome = HERALD_MAYBE_EXECUTED; /* there was no memory for what is known */
    herald_error_no_memory(&reply.error, "the reply");
    response_failure(response, &reply);
}
