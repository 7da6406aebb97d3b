#ifndef HERALD_CLIENT_ENDPOINT_H
#define HERALD_CLIENT_ENDPOINT_H

/*
 * One server that a channel calls, so that the engine never chooses between servers. An endpoint lives as long as its
 * channel, because replies name its URL. An endpoint that is no longer used is retired: it gets no more calls, and is
 * closed when the last call has ended.
 */
#include "client/src/balance.h"
#include "client/src/engine.h"
#include "client/src/target.h"
#include "client/src/tls.h"
#include "herald/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the server's certificate has a subjectAltName. nng's own TLS takes a name from elsewhere too, and cannot tell. */
enum herald_endpoint_names {
    HERALD_NAMES_TAKEN,     /* it has one, or nobody needs to know */
    HERALD_NAMES_NOT_KNOWN, /* no connection is taken yet */
    HERALD_NAMES_MISSING,   /* it has none: no connection is taken */
};

#define HERALD_REJECTED_PIPES 8u

struct herald_channel;
struct herald_endpoint {
    struct herald_channel *channel;
    char *url;        /* the dialled URL */
    char address[46]; /* dialled instead of the target's host; empty: none */
    const struct herald_target *target;
    const struct herald_engine *engine;
    void *line;              /* of the engine */
    atomic_int pipe_count;   /* connections that exist */
    atomic_uint connections; /* how many were made so far: the number of the current one */
    atomic_bool draining;    /* the server said over the current connection that it drains */
    atomic_int names;        /* enum herald_endpoint_names */
    atomic_bool look_wanted; /* a TLS connection was made since the certificate was last looked at */
    atomic_uint pipe;        /* nng's id of the current connection */
    atomic_uint rejected[HERALD_REJECTED_PIPES]; /* ids of connections that were not taken, and whose end is to come */

    /* The rest is guarded by the channel's mutex. */
    uint32_t in_flight;
    struct herald_outlier outlier;
    bool sick;     /* the last health check failed */
    bool checking; /* a health check is in flight */
    int64_t check_due_ms;
    int64_t made_ms;
    int64_t looked_ms;         /* when the certificate was last looked at; 0: never */
    uint32_t check_connection; /* number of the connection that the health check uses */
    bool open;                 /* not closed yet */
    int64_t idle_since_ms;     /* retired: when it was first seen without calls; 0: not yet */
    struct herald_endpoint *next_retired;
};

/**
 * Opens an endpoint; its connection is made in the background.
 *
 * @address    to dial instead of the target's host; empty: the target's URL
 * @tls        NULL unless the target is TLS
 * @max_bytes  longest message to accept
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_URL; of TLS as herald_tls_load())
 *           | HERALD_RESOURCE_EXHAUSTED (NO_SOCKET, NO_TLS, OUT_OF_MEMORY)
 */
enum herald_code herald_endpoint_new(const struct herald_engine *engine, const struct herald_target *target,
                                     const char *address, const struct herald_tls *tls, uint32_t max_bytes,
                                     struct herald_endpoint **ret_endpoint, struct herald_error *reterr);
/**
 * Closes an endpoint's connections, which ends all its operations.
 *
 * Returns:  true: closed | false: given up, and the endpoint must not be freed
 * Context:  blocks
 */
bool herald_endpoint_close(struct herald_endpoint *endpoint);
/** Frees an endpoint that is closed. NULL is allowed. */
void herald_endpoint_free(struct herald_endpoint *endpoint);
/** Records that a connection was made, or lost. Any thread. */
void herald_endpoint_note_connection(struct herald_endpoint *endpoint, bool made);
/** Records that the server said over connection number @connection that it drains. */
void herald_endpoint_note_draining(struct herald_endpoint *endpoint, uint32_t connection);
/** The number of the current connection, or of the last one. */
static inline uint32_t herald_endpoint_connection(const struct herald_endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->connections, memory_order_relaxed);
}
/**
 * For nng's engine: notes whether the server's certificate has a subjectAltName. If not, the connection ends, and none is taken until it
 * is noted again.
 *
 * Context: not in a callback of nng
 */
void herald_endpoint_note_names(struct herald_endpoint *endpoint, bool has_names);
static inline bool herald_endpoint_connected(const struct herald_endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->pipe_count, memory_order_relaxed) > 0;
}

#endif
