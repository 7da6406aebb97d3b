#include "server/gateway/pages.h"

#include "server/gateway/assets.h"
#include "server/gateway/http_encoding.h"
#include "server/gateway/servers_page.h"
#include "server/gateway/session_page.h"

#include <jansson.h>
#include <stdlib.h>

#define PATH_BYTES 512u

struct page {
    const char *path;
    TASK_FN void (*serve)(const struct gateway *gateway, struct request *request, struct response *response);
};

/* Says only that the process answers: what it needs is the matter of /readyz. */
static void serve_healthz(const struct gateway *gateway, struct request *request, struct response *response) {
    (void)gateway;
    (void)request;
    response_header(response, "cache-control", "no-store");
    response_send(response, 200, "application/json", span_of("{\"status\":\"SERVING\"}"), false);
}

static void serve_metrics(const struct gateway *gateway, struct request *request, struct response *response) {
    unsigned connections, requests;
    (void)request;
    http_server_count(gateway->server, &connections, &requests);
    char *text = metrics_text(gateway->metrics, connections, requests);
    if (text == NULL) {
        response_problem(response, HTTP_PROBLEM_GATEWAY_BUSY, "There is no memory for the metrics.");
        return;
    }
    response_header(response, "cache-control", "no-store");
    response_send(response, 200, "text/plain; version=0.0.4; charset=utf-8", span_of(text), false);
    free(text);
}

static const struct page PAGES[] = {
    {"/healthz", serve_healthz},     {"/readyz", serve_readyz},       {"/metrics", serve_metrics},
    {"/api/session", serve_session}, {"/api/servers", serve_servers},
};

/* ---- static files ---- */

static void add_page_headers(const struct gateway *gateway, struct response *response) {
    response_header(response, "content-security-policy", gateway->page_policy);
    response_header(response, "referrer-policy", "no-referrer");
    response_header(response, "x-frame-options", "DENY");
    response_header(response, "cross-origin-opener-policy", "same-origin");
    response_header(response, "permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
}

static void serve_asset(const struct gateway *gateway, const struct request *request, const struct asset *asset,
                        struct response *response) {
    struct span plain = {asset->plain, (size_t)(asset->plain_end - asset->plain)};
    struct span packed = {asset->packed, (size_t)(asset->packed_end - asset->packed)};
    bool takes_packed = packed.bytes < plain.bytes && http_accepts_gzip(&request->head);
    add_page_headers(gateway, response);
    response_header(response, "cache-control", "no-cache"); /* asked for each time, and answered 304 */
    response_header(response, "etag", asset->tag);
    response_header(response, "vary", "accept-encoding");
    if (http_tag_matches(request->head.headers[HTTP_HEADER_IF_NONE_MATCH], asset->tag)) {
        response_send(response, 304, NULL, (struct span){"", 0}, true);
        return;
    }
    if (takes_packed) {
        response_header(response, "content-encoding", "gzip");
    }
    response_send(response, 200, asset->type, takes_packed ? packed : plain, true);
}

/* Joins the decoded parts of a path. Returns: false: it is longer than any of ours. */
static bool join_path(const struct uri_path *path, char text[PATH_BYTES]) {
    size_t used = 0;
    for (size_t i = 0; i < path->count; i++) {
        if (used + path->segments[i].bytes + 2 > PATH_BYTES) {
            return false;
        }
        text[used++] = '/';
        memcpy(text + used, path->segments[i].at, path->segments[i].bytes);
        used += path->segments[i].bytes;
    }
    memcpy(text + used, used == 0 ? "/" : "", used == 0 ? 2 : 1);
    return true;
}

/* Static files and own pages are read only. Returns: false: answered. */
static bool check_reads(const struct request *request, struct response *response) {
    struct span method = request->head.method;
    if (span_is(method, "GET") || span_is(method, "HEAD")) {
        return true;
    }
    response_header(response, "allow", "GET, HEAD, OPTIONS");
    if (span_is(method, "OPTIONS")) {
        response_send(response, 204, NULL, (struct span){"", 0}, true);
    } else {
        response_problem(response, HTTP_PROBLEM_METHOD_NOT_ALLOWED, "The path takes GET, HEAD, OPTIONS.");
    }
    return false;
}

/* ---- what a reason means ---- */

static const struct http_problem_row *find_problem(const char *word) {
    for (int i = HTTP_PROBLEM_NONE + 1; i < HTTP_PROBLEM_COUNT; i++) {
        if (strcmp(http_problem_row((enum http_problem)i)->word, word) == 0) {
            return http_problem_row((enum http_problem)i);
        }
    }
    return NULL;
}

/* The page that the type of a problem names. Returns: false: no problem has this word. */
static bool serve_problem_type(const char *word, const struct request *request, struct response *response) {
    enum herald_reason reason = herald_reason_find(word);
    const struct http_problem_row *row = find_problem(word);
    if (reason == HERALD_REASON_NONE && row == NULL) {
        return false;
    }
    if (!check_reads(request, response)) {
        return true;
    }
    const char *meaning = row != NULL ? row->title : herald_reason_meaning(reason);
    enum herald_code code = row != NULL ? row->code : herald_reason_code(reason);
    json_t *page =
        json_pack("{s:s, s:s, s:s}", "reason", word, "code", herald_code_name((int)code), "meaning", meaning);
    char *text = json_dumps(page, JSON_COMPACT);
    json_decref(page);
    response_header(response, "cache-control", "public, max-age=3600");
    response_send(response, 200, "application/json", span_of(text != NULL ? text : "{}"), false);
    free(text);
    return true;
}

bool pages_serve(const struct gateway *gateway, struct request *request, const struct uri_path *path,
                 struct response *response) {
    char text[PATH_BYTES];
    if (!join_path(path, text)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
        if (strcmp(PAGES[i].path, text) == 0) {
            if (check_reads(request, response)) {
                PAGES[i].serve(gateway, request, response);
            }
            return true;
        }
    }
    if (strncmp(text, "/api/problems/", 14) == 0) {
        return serve_problem_type(text + 14, request, response);
    }
    const struct asset *asset = assets_find(strcmp(text, "/console") == 0 ? "/" : text);
    if (asset != NULL && check_reads(request, response)) {
        serve_asset(gateway, request, asset, response);
    }
    return asset != NULL;
}
