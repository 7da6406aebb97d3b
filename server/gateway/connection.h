#ifndef HERALD_GATEWAY_CONNECTION_H
#define HERALD_GATEWAY_CONNECTION_H

/*
 * The connections of a loop: they are accepted here, their requests read, their answers written.
 *
 *   HEAD     bytes of a head are awaited, the first request's from the start on        at most head_ms
 *   IDLE     between two requests                                                      at most idle_ms
 *   BODY     the body is awaited                                                       at most body_ms
 *   BUSY     a task answers the request; what comes meanwhile waits
 *   LINGER   a request was refused whose rest may still come; it is read and dropped   at most LINGER_MS
 *   SENDING  the answer, or a part of a stream, has not been taken by the peer         at most send_ms
 *   CLOSING  closed, or about to be
 *
 * In each stage the time is the same for all, so each has a list in the order of entry, and only its first is looked at.
 * A request that is BUSY has a `struct request`, which outlives the connection if the peer goes away.
 */
#include "server/gateway/request_head.h"
#include "server/runtime/call.h"
#include "server/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct http_port;
struct http_server;

/** A request that has arrived whole, or whose head cannot be served. Its task owns it. */
struct request {
    struct call call;              /* first; its arena holds all that belongs to the request */
    struct connection *connection; /* NULL: the peer has gone */
    struct http_port *port;
    struct request_head head;
    enum http_problem problem; /* not NONE: what is wrong; the connection ends after the answer */
    char what[HTTP_WHAT_BYTES];
    struct span body;
    bool from_proxy; /* a trusted one: its X-Forwarded-Host counts */
    uint64_t arrived_us;
};

struct http_server_options {
    const char *url; /* "http://host:port" */
    bool insecure;   /* beyond loopback too */
    const char *trusted_proxies;
    uint32_t max_connections, max_connections_per_address;
    uint32_t max_requests, max_head_bytes, max_body_bytes;
    uint32_t idle_ms, head_ms, body_ms, send_ms;
    /** Answers a request with request_answer() or request_stream(); then the request ends. In a task of its own. */
    void (*serve)(void *user, struct request *request);
    /** Whether a request whose head has come is served with its body. If not, it is answered without, and the connection
     *  ends. On the loop; does not block. */
    bool (*wants_body)(void *user, struct request *request);
    void *user;
};

/** Checks url and insecure, or trusted_proxies, as http_server_bind() does; binds nothing. Returns: as it.
 *  Context: blocks while the host's name is looked up */
enum herald_code http_server_check_listen(const struct http_server_options *options, struct herald_error *reterr);
enum herald_code http_server_check_proxies(const struct http_server_options *options, struct herald_error *reterr);
/**
 * Binds the address; nobody is let in yet.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_URL) | HERALD_PERMISSION_DENIED (INSECURE_LISTENER)
 *           | HERALD_FAILED_PRECONDITION (ADDRESS_IN_USE) | HERALD_UNAVAILABLE (CANNOT_LISTEN)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:  the main thread
 */
enum herald_code http_server_bind(const struct http_server_options *options, struct http_server **ret_server,
                                  struct herald_error *reterr);
/** Frees it, once all ports are closed. NULL is allowed. */
void http_server_free(struct http_server *server);
/** "http://host:port", with the port that was bound. */
const char *http_server_url(const struct http_server *server);
/** Whether only this machine can reach it. */
bool http_server_on_loopback(const struct http_server *server);
/** Connections now, and requests that have arrived and were not answered yet. Any thread. */
void http_server_count(const struct http_server *server, unsigned *ret_connections, unsigned *ret_requests);

/** Lets connections of the loop in. Returns: as http_server_bind(). The loop's thread. */
enum herald_code http_port_open(struct http_server *server, struct loop *loop, struct http_port **ret_port,
                                struct herald_error *reterr);
/** Lets nobody in any more; connections end as soon as their present request is answered. The loop's thread. */
void http_port_drain(struct http_port *port);
/** Closes what is left and frees the port later. NULL is allowed. The loop's thread. */
void http_port_close(struct http_port *port);
struct loop *http_port_loop(const struct http_port *port);
bool http_port_is_draining(const struct http_port *port);

/** An answer. Spans are copied where the peer does not take them at once. */
struct answer {
    struct span head; /* status line and headers, with their CRLFs, without content-length, date and connection */
    struct span body;
    bool has_no_body;   /* the answer to HEAD: the body's length is told, and the body left out */
    bool has_no_length; /* of 204 and 304 */
    bool ends;          /* the connection closes after it */
};
/** Answers. Nothing happens when the peer has gone. In the request's task. */
void request_answer(struct request *request, const struct answer *answer);
/** Begins an answer without a length, which ends with the connection. Returns: false: the peer is gone. */
bool request_stream(struct request *request, struct span head);
/** Sends a piece of it. Returns: false: the peer is gone, or is too slow. */
bool request_stream_put(struct request *request, struct span piece);
/** Ends it. */
void request_stream_end(struct request *request);

#endif
