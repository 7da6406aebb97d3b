#ifndef HERALD_TRANSPORT_LISTENER_H
#define HERALD_TRANSPORT_LISTENER_H

/*
 * One address on which a server listens as a REP socket of SP: its connections (peers.h) and its exchanges (exchange.h).
 * It closes connections when there are too many (peers.h), or when they do not read their replies (unread.h).
 *
 * Two engines do it: nng, on threads of its own (nng_listener.c), and native, on the server's loops (native_listener.c).
 * Peers cannot tell which.
 */
#include "herald/error.h"
#include "server/auth/auth_settings.h"
#include "server/transport/exchange.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;

struct listener_options {
    const char *server_name;         /* for error messages; copied */
    const struct auth_settings *tls; /* of [tls]; outlives the listener */
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    uint32_t spare_contexts;
    uint32_t max_connections;
    const struct exchange_ops *ops; /* outlives the listener */
    void *user;                     /* of ops */
    bool is_native;                 /* false: nng */
    struct loop *const *loops;      /* native: over which connections are spread; they outlive it */
    unsigned loop_count;
};

/**
 * Opens the socket and listens; requests may arrive before this returns.
 *
 * @url  checked with listen_url_check() before
 * Returns:  HERALD_OK | HERALD_FAILED_PRECONDITION (reason "ADDRESS_IN_USE") | HERALD_UNAVAILABLE (reason
 *           "CANNOT_LISTEN") | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY") | as tls_identity_new()
 */
enum herald_code listener_open(const char *url, const struct listener_options *options, struct listener **ret_listener,
                               struct herald_error *reterr);
/** Closes the socket and frees the listener; calls that never ran are dropped. NULL is allowed. No loop's thread.
 *  Returns: true | false: nng hangs and was given up; nothing is freed */
bool listener_close(struct listener *listener);
/**
 * Closes the endpoint and its connections, and listens on the same URL again.
 *
 * Returns:  HERALD_OK | HERALD_FAILED_PRECONDITION (reason "ADDRESS_IN_USE") | HERALD_UNAVAILABLE (reason
 *           "CANNOT_LISTEN") | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 * Context:  blocks for up to two seconds; one thread at a time, none of nng's
 */
enum herald_code listener_reopen(struct listener *listener, struct herald_error *reterr);

/** The URL as bound: with the real port in place of port 0. */
const char *listener_url(const struct listener *listener);
/** Connections that have a place now. Any thread. */
unsigned listener_connection_count(struct listener *listener);
/** Connections that have completed their negotiation so far. Any thread. */
unsigned long listener_accepted_count(struct listener *listener);
/** True when a file was not good at the last reload: what was read before is in use. Any thread. */
bool listener_tls_outdated(const struct listener *listener);
/** Reloads certificate, key and CA if their files have changed. @again  also if they have not. One thread at a time. */
void listener_reload_tls(struct listener *listener, bool again);
/** Calls the listener over a new connection. As self_call(). */
const char *listener_call_self(struct listener *listener, const void *request, size_t request_bytes,
                               uint32_t timeout_ms, bool *ret_hung);

/** True when the connection that sent a request has a place. False: it is an extra connection, and the caller refuses
 *  the request. Context: the thread on which the request arrived. */
bool listener_serves(struct exchange *exchange);

/** Version of nng. */
const char *listener_library_version(void);

#endif
