#ifndef HERALD_CLIENT_ENDPOINT_H
#define HERALD_CLIENT_ENDPOINT_H

#include "client/src/balance.h"
#include "client/src/target.h"
#include "client/src/tls.h"
#include "herald/error.h"

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One server that a channel calls: one REQ socket with one dialer, so that nng never chooses between servers. Contexts
 * are kept for reuse. An endpoint lives as long as its channel, because replies name its URL; one that is no longer
 * used is retired: it gets no more calls, and its socket is closed when the last has ended.
 */
struct herald_channel;
struct herald_endpoint {
    struct herald_channel *channel;
    char *url;        /* as it is dialled */
    char address[46]; /* dialled instead of the target's host; empty: none */
    const struct herald_target *target;
    nng_socket socket;
    atomic_int pipe_count;   /* connections that exist: 0 or 1 */
    atomic_uint connections; /* that have been made so far */
    atomic_bool draining;    /* it said so over the connection that it has */

    /* The rest is guarded by the channel's mutex. */
    uint32_t in_flight;
    struct herald_outlier outlier;
    bool sick;     /* its health was asked for, and is not good */
    bool checking; /* its health is being asked for */
    int64_t check_due_ms;
    uint32_t check_connection; /* over which its health is being asked for */
    bool open;                 /* the socket is */
    int64_t idle_since_ms;     /* of a retired one: when it was first seen without calls; 0: not yet */
    struct herald_endpoint *next_retired;
    nng_ctx *idle; /* contexts without a call */
    size_t idle_count, idle_capacity;
};

/**
 * Opens an endpoint; its connection is made in the background.
 *
 * @address    to dial instead of the target's host; empty: the target's URL
 * @tls        NULL unless the target is TLS
 * @max_bytes  longest message that is taken
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_endpoint_new(const struct herald_target *target, const char *address,
                                     const struct herald_tls *tls, uint32_t max_bytes,
                                     struct herald_endpoint **ret_endpoint, struct herald_error *reterr);
/** Closes its socket, which ends what is under way on it. False: given up, and the endpoint must not be freed. Blocks.
 */
bool herald_endpoint_close(struct herald_endpoint *endpoint);
/** The socket is closed. NULL is allowed. */
void herald_endpoint_free(struct herald_endpoint *endpoint);
/** It said that it drains, over connection number @connection. */
void herald_endpoint_note_draining(struct herald_endpoint *endpoint, uint32_t connection);
/** The number of its connection, if it has one. */
static inline uint32_t herald_endpoint_connection(const struct herald_endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->connections, memory_order_relaxed);
}
static inline bool herald_endpoint_connected(const struct herald_endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->pipe_count, memory_order_relaxed) > 0;
}

#endif
