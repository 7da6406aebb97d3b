#ifndef HERALD_OUTGOING_HTTP_H
#define HERALD_OUTGOING_HTTP_H

/* A loop's HTTP client: libcurl multi on libuv. No redirects; http and https only. */

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

struct http;

struct http_request {
    const char *method; /* "GET", "HEAD", "POST", "PUT", … */
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

/** Opens a client on @loop. Loop's thread. Returns: HERALD_OK | HERALD_UNAVAILABLE (HTTP_NO_MEMORY). */
enum herald_code http_open(struct loop *loop, struct http **ret_http, struct herald_error *reterr);
/**
 * Closes the client. Requests in flight end with HERALD_UNAVAILABLE or HERALD_OUTCOME_UNKNOWN. Loop's thread. NULL is
 * allowed.
 */
void http_close(struct http *http);
/**
 * Sends a request and waits for the whole answer.
 *
 * If the running call must end first, the transfer is dropped. The result is then UNAVAILABLE when nothing was sent,
 * else OUTCOME_UNKNOWN: HTTP_TIMEOUT at the deadline, HTTP_LOST on cancellation. call_check() tells that the call has
 * ended.
 *
 * @request  borrowed until the return. Each request but GET and HEAD gets a connection of its own, so libcurl never
 *           repeats it
 * Returns:  HERALD_OK: an answer came, whatever its status
 *           | HERALD_UNAVAILABLE (HTTP_UNREACHABLE, HTTP_NO_MEMORY): no byte of the request was sent
 *           | HERALD_OUTCOME_UNKNOWN (HTTP_TIMEOUT, HTTP_LOST): sent in whole or part, no answer
 *           | HERALD_RESOURCE_EXHAUSTED (HTTP_RESPONSE_TOO_BIG, ARENA_FULL): sent; the answer exceeds the limit or the
 *           call's memory
 * Context:  suspends the task; the client's loop
 */
TASK_FN enum herald_code http_send(struct http *http, const struct http_request *request,
                                   struct http_response *ret_response, struct herald_error *reterr);

#endif
