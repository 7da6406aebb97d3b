#include "server/gateway/origins.h"

/* How long a browser may keep the answer to a preflight. */
#define PREFLIGHT_AGE_S "600"

/* The host of "host:port", without its port. */
static struct span host_of(struct span text) {
    if (text.bytes > 0 && *text.at == '[') {
        const char *end = memchr(text.at, ']', text.bytes);
        return end != NULL ? (struct span){text.at, (size_t)(end - text.at) + 1} : text;
    }
    const char *colon = memchr(text.at, ':', text.bytes);
    return colon != NULL ? (struct span){text.at, (size_t)(colon - text.at)} : text;
}

static bool list_has(const char *list, struct span wanted) {
    struct span rest = span_of(list), item;
    while (span_next(&rest, ',', &item)) {
        item = span_trim(item);
        if (item.bytes == wanted.bytes && item.bytes > 0 && strncasecmp(item.at, wanted.at, item.bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a host is an address, or this machine. Names of others could be made to lead here by their owner. */
static bool is_local_host(struct span host) {
    return span_is_word(host, "localhost") || (host.bytes > 0 && *host.at == '[') ||
           (host.bytes > 0 && span_run_of(host, "0123456789.") == host.bytes);
}

/* Which host the peer means: a trusted proxy may name it. */
static struct span meant_host(const struct request *request) {
    struct span named = request->head.headers[HTTP_HEADER_X_FORWARDED_HOST];
    return request->from_proxy && named.at != NULL ? named : request->head.host;
}

/*
 * A page whose owner lets his name lead to this machine would be of the gateway's own origin (DNS rebinding). So the
 * name must be one of ours.
 */
static bool host_is_ours(const struct gateway *gateway, const struct request *request) {
    const char *hosts = gateway->options.settings->gateway_hosts;
    struct span host = meant_host(request);
    if (host.at == NULL) {
        return true; /* HTTP/1.0: no browser */
    }
    host = host_of(host);
    if (*hosts != '\0') {
        return list_has(hosts, host);
    }
    return !http_server_on_loopback(gateway->server) || request->from_proxy || is_local_host(host);
}

/* Whether a page's origin is the gateway's own: a scheme and the host that the request went to. */
static bool is_own_origin(const struct request *request, struct span origin) {
    struct span host = meant_host(request);
    size_t scheme = origin.bytes > 7 && strncasecmp(origin.at, "http://", 7) == 0    ? 7
                    : origin.bytes > 8 && strncasecmp(origin.at, "https://", 8) == 0 ? 8
                                                                                     : 0;
    return scheme > 0 && host.at != NULL && origin.bytes - scheme == host.bytes &&
           strncasecmp(origin.at + scheme, host.at, host.bytes) == 0;
}

static bool is_allowed_origin(const struct gateway *gateway, struct span origin) {
    const char *allowed = gateway->options.settings->gateway_cors_origins;
    return list_has(allowed, origin) || list_has(allowed, span_of("*"));
}

static bool only_reads(const struct request *request) {
    struct span method = request->head.method;
    return span_is(method, "GET") || span_is(method, "HEAD") || span_is(method, "OPTIONS");
}

static void allow_origin(struct span origin, struct response *response) {
    char text[256];
    if (origin.bytes < sizeof(text)) {
        memcpy(text, origin.at, origin.bytes);
        text[origin.bytes] = '\0';
        response_header(response, "access-control-allow-origin", text);
        response_header(response, "access-control-expose-headers",
                        "etag, idempotency-key, retry-after, x-call-id, location");
    }
}

bool origins_check(const struct gateway *gateway, const struct request *request, struct response *response) {
    struct span origin = request->head.headers[HTTP_HEADER_ORIGIN];
    if (!host_is_ours(gateway, request)) {
        response_problem(response, HTTP_PROBLEM_MISDIRECTED,
                         "The gateway is not known by the host that the request names. Call it by an address or by "
                         "localhost; its owner can add a name to gateway.hosts.");
        return false;
    }
    if (*gateway->options.settings->gateway_cors_origins != '\0') {
        response_header(response, "vary", "origin");
    }
    if (origin.at == NULL || is_own_origin(request, origin)) {
        return true;
    }
    if (is_allowed_origin(gateway, origin)) {
        allow_origin(origin, response);
        return true;
    }
    if (only_reads(request)) {
        return true; /* the browser keeps the answer from the page */
    }
    response_problem(response, HTTP_PROBLEM_ORIGIN_NOT_ALLOWED,
                     "The page's origin may not change anything here; the gateway's owner can allow it.");
    return false;
}

void origins_add_preflight(const struct gateway *gateway, const struct request *request, const char *allowed,
                           struct response *response) {
    struct span origin = request->head.headers[HTTP_HEADER_ORIGIN];
    if (request->head.headers[HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD].at == NULL || origin.at == NULL ||
        !is_allowed_origin(gateway, origin)) {
        return;
    }
    response_header(response, "access-control-allow-methods", allowed);
    response_header(response, "access-control-allow-headers",
                    "authorization, content-type, idempotency-key, if-none-match, last-event-id, request-timeout, "
                    "traceparent, x-request-timeout-ms");
    response_header(response, "access-control-max-age", PREFLIGHT_AGE_S);
}
