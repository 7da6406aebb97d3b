#ifndef HERALD_OUTGOING_HTTP_H
#define HERALD_OUTGOING_HTTP_H

/* A loop's HTTP client: libcurl multi on libuv. No redirects; http and https only. */

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

struct http;

/* How many headers of an answer a request may want. */
#define HTTP_WANTED_MAX 6

struct http_request {
    const char *method; /* "GET", "HEAD", "POST", "PUT", … */
    const char *url;
    const char *const *headers; /* "name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_bytes;
    uint32_t timeout_ms;
    size_t max_response_bytes; /* 0: 65536 */
    /* Names of the answer's headers that the caller reads; at most HTTP_WANTED_MAX, NULL-terminated; may be NULL. */
    const char *const *wanted_headers;
    /* A connection that an earlier request left open may carry it, and it may leave its own open. GET and HEAD always
     * do. Set it for peers that recognise a repeat, since a connection that ends under a request more often leaves it
     * open whether the peer has read it. */
    bool reuse;
};

/** An answer. Its strings are in the call's arena. */
struct http_response {
    int status; /* of the final answer; 200..999 */
    char *body; /* NUL-terminated; as it was sent: a content-encoding is not undone; "" when none could be read */
    size_t body_bytes;
    /* The body came to its end. False: it is cut, came too slowly, or breaks the protocol; the status counts all the
     * same. Where only the connection's end ends the body, a cut one looks whole. */
    bool body_is_whole;
    bool body_cut;          /* it is longer than max_response_bytes, or than the call's memory; not whole */
    int64_t retry_at_us;    /* of Retry-After: our wall clock, at most 366 days ahead; 0: not said */
    bool date_said;         /* the peer's clock is known, by its Date */
    int64_t clock_ahead_ms; /* the peer's clock less ours, to about a second; 0 when it is not known */
    /* Values of the wanted headers, in that order; of several of one name the first. NULL: not said, or longer than
     * 1024 bytes. */
    const char *wanted[HTTP_WANTED_MAX];
};

/** Opens a client on @loop. Loop's thread. Returns: HERALD_OK | HERALD_UNAVAILABLE (HTTP_NO_MEMORY). */
enum herald_code http_open(struct loop *loop, struct http **ret_http, struct herald_error *reterr);
/**
 * Closes the client. Requests in flight end with HERALD_UNAVAILABLE or HERALD_OUTCOME_UNKNOWN, or with the answer
 * whose head has come. Loop's thread. NULL is allowed.
 */
void http_close(struct http *http);
/**
 * Sends a request and waits for the answer. The head (status line and headers) decides: once it has come the result is
 * HERALD_OK, whatever becomes of the body, for which it waits at most 2 s longer. Informational heads (1xx) are passed
 * over.
 *
 * A request other than GET and HEAD reaches the peer at most once: the client refuses libcurl each repeat after the
 * first byte was sent. @request->reuse does not change that.
 *
 * If the running call must end before the head has come, the transfer is dropped. The result is then UNAVAILABLE when
 * nothing was sent, else OUTCOME_UNKNOWN: HTTP_TIMEOUT at the deadline, HTTP_LOST on cancellation. call_check() tells
 * that the call has ended.
 *
 * @request  borrowed until the return
 * Returns:  HERALD_OK: an answer came, whatever its status
 *           | HERALD_UNAVAILABLE: no byte of the request was sent, and it may be sent again (HTTP_UNREACHABLE: the peer
 *           cannot be reached or its name not be found; HTTP_TLS_FAILED: no TLS with it, or its certificate is not
 *           trusted; HTTP_NO_DESCRIPTORS, HTTP_NO_MEMORY: our own want, which says nothing about the peer)
 *           | HERALD_OUTCOME_UNKNOWN: sent in whole or part, and no head of an answer came (HTTP_TIMEOUT: in time;
 *           HTTP_LOST: the connection ended, or what came is no HTTP, or the head is longer than 64 KiB)
 *           | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL): the call's memory is used up; nothing was sent
 * Context:  suspends the task; the client's loop
 */
TASK_FN enum herald_code http_send(struct http *http, const struct http_request *request,
                                   struct http_response *ret_response, struct herald_error *reterr);

#endif
