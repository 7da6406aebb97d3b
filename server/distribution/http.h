#ifndef HERALD_DISTRIBUTION_HTTP_H
#define HERALD_DISTRIBUTION_HTTP_H

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

/* A loop's HTTP client: libcurl multi on libuv. No redirects, http and https only. */
struct http;

struct http_request {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *const *headers; /* "name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_bytes;
    uint32_t timeout_ms;
    size_t max_response_bytes; /* 0: 65536 */
};
struct http_response {
    int status; /* 100..599 */
    char *body; /* NUL-terminated; in the call's arena */
    size_t body_bytes;
    uint32_t retry_after_s; /* 0: not said */
};

enum herald_code http_open(struct loop *loop, struct http **ret_http, struct herald_error *reterr);
void http_close(struct http *http);
/**
 * Sends a request and waits for the whole answer.
 *
 * Returns:  HERALD_OK: an answer came, whatever its status
 *           | HERALD_UNAVAILABLE (reason "HTTP_UNREACHABLE"): certainly no byte of the request was sent
 *           | HERALD_OUTCOME_UNKNOWN (reason "HTTP_TIMEOUT" or "HTTP_LOST"): sent in whole or part, no answer
 *           | HERALD_RESOURCE_EXHAUSTED: answer too big (counts as sent) | HERALD_CANCELLED: as OUTCOME_UNKNOWN when
 * sent: the early end of the call itself is reported so
 */
TASK_FN enum herald_code http_send(struct http *http, const struct http_request *request,
                                   struct http_response *ret_response, struct herald_error *reterr);

#endif
