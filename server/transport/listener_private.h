#ifndef HERALD_TRANSPORT_LISTENER_PRIVATE_H
#define HERALD_TRANSPORT_LISTENER_PRIVATE_H

#include "server/transport/exchange.h"
#include "server/transport/tls_identity.h"

#include <nng/nng.h>

/* The members of a listener, for listener.c and its tests. */
struct listener {
    char server_name[64];
    uint32_t max_message_bytes;
    uint32_t max_connections;
    nng_socket socket;
    nng_listener endpoint;
    char url[256];               /* as bound */
    struct tls_identity *tls;    /* NULL: no TLS */
    atomic_ulong accepted_count; /* connections that completed negotiation */
    struct peers peers;
    struct exchange_pool exchanges;
    nng_aio *sweeper; /* sleeps between two rounds of on_sweep() */
    atomic_bool sweeping;
    uint64_t unread_log_us; /* when unread replies were logged last; the sweeper's own */
};

#endif
