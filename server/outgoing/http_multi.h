#ifndef HERALD_OUTGOING_HTTP_MULTI_H
#define HERALD_OUTGOING_HTTP_MULTI_H

/*
 * libcurl's multi handle on a libuv loop: libcurl says which sockets and which timer to watch, libuv reports their
 * events to libcurl. Private to the HTTP client. Each easy handle has its transfer as CURLOPT_PRIVATE.
 */

#include "server/runtime/loop.h"

#include <curl/curl.h>

struct http_multi;

/**
 * Called once for each transfer that ends by itself. It must not take the easy handle out of the multi handle: libcurl
 * may be on the stack.
 */
typedef void http_ended_fn(void *transfer, CURLcode result);

/** Opens a multi handle. Returns: NULL: no memory. Loop's thread. */
struct http_multi *http_multi_open(struct loop *loop, http_ended_fn *on_ended);
/**
 * Gives a new socket of a connection to the loop, once for all of the connection's requests. Others, such as those of
 * libcurl's look-up of names, need not be given.
 *
 * @socket   is removed before it is closed
 * Returns:  false: no memory
 */
bool http_multi_add_socket(struct http_multi *multi, curl_socket_t socket);
/** Takes a socket from the loop, before it is closed. */
void http_multi_remove_socket(struct http_multi *multi, curl_socket_t socket);
/** Closes it; no easy handle is in it any more. Loop's thread. */
void http_multi_close(struct http_multi *multi);
CURLM *http_multi_handle(struct http_multi *multi);

#endif
