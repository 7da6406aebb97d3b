#ifndef HERALD_TRANSPORT_LISTENER_H
#define HERALD_TRANSPORT_LISTENER_H

#include "herald/error.h"
#include "server/auth/auth_settings.h"
#include "server/transport/exchange.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One REP socket with one endpoint: its connections (peers.h), its exchanges (exchange.h), and who of them has to go
 * when they are too many (peers.h) or do not read their replies (unread.h).
 */
struct listener;

struct listener_options {
    const char *server_name;         /* for the messages of errors; copied */
    const struct auth_settings *tls; /* of [tls]; outlives the listener */
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    uint32_t spare_contexts;
    uint32_t max_connections;
    const struct exchange_ops *ops; /* outlives the listener */
    void *user;                     /* of ops */
};

/**
 * Opens the socket and listens; requests may arrive before this returns.
 *
 * @url  checked before, by rpc_url_check()
 * Returns:  HERALD_OK | HERALD_UNAVAILABLE (reason "ADDRESS_IN_USE", "CANNOT_LISTEN") | HERALD_RESOURCE_EXHAUSTED | as
 *           tls_identity_new()
 */
enum herald_code listener_open(const char *url, const struct listener_options *options, struct listener **ret_listener,
                               struct herald_error *reterr);
/** Closes the socket and frees all; exchanges whose calls were never run are dropped. NULL is allowed.
 *  Returns: true | false: nng hangs and was given up; nothing is freed. */
bool listener_close(struct listener *listener);
/**
 * Closes the endpoint, with its connections, and listens on the same URL again. Blocks for up to two seconds.
 *
 * Returns: as listener_open()
 * Context: one thread at a time, none of nng's
 */
enum herald_code listener_reopen(struct listener *listener, struct herald_error *reterr);

/** As bound: with the real port where the URL had port 0. */
const char *listener_url(const struct listener *listener);
/** Connections that have a place now. Any thread. */
unsigned listener_connection_count(struct listener *listener);
/** Connections taken so far. With TLS those whose handshake has only begun count too: a server's own certificate need not
 *  be one that a client may show. Any thread. */
unsigned long listener_accepted_count(struct listener *listener);
/** Reads certificate, key and CA again if they have changed. One thread at a time. */
void listener_reload_tls(struct listener *listener);
/** Calls the listener over a new connection, as self_call(). */
const char *listener_call_self(struct listener *listener, const void *request, size_t request_bytes,
                               uint32_t timeout_ms, bool *ret_hung);

/** Whether the connection over which a request came has a place. False: it is an extra one, and the request is to be
 *  refused. On the thread on which it arrived. */
bool listener_serves(struct exchange *exchange);

/** Version of the messaging library. */
const char *listener_library_version(void);

#endif
