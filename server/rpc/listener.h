#ifndef HERALD_RPC_LISTENER_H
#define HERALD_RPC_LISTENER_H

#include "server/rpc/internal.h"

#include <nng/nng.h>

/*
 * One REP socket with one endpoint, and its exchanges: cooked contexts of nng, each of which receives a request, waits
 * for its reply, sends it, and receives again.
 *
 * Exchanges are opened as they are needed: as long as fewer than rpc.spare_contexts are receiving, each arrival opens
 * one more, up to rpc.max_in_flight + rpc.spare_contexts. So when all calls in flight are taken, the spare ones are
 * still receiving, and what they receive is refused at once.
 */
struct rpc_exchange {
    struct loop_work work; /* first: how it is posted to a loop */
    struct rpc_listener *listener;
    struct rpc_loop *loop; /* set when posted */
    nng_ctx ctx;
    nng_aio *aio;
    enum { EXCHANGE_RECEIVING, EXCHANGE_HANDLING, EXCHANGE_SENDING, EXCHANGE_CLOSED } state;
    bool entered;         /* holds a place among the calls in flight */
    nng_msg *message;     /* the request, until decoded */
    uint64_t received_us; /* on clock_now_us() */
    struct rpc_exchange *next;
};

struct rpc_listener {
    struct rpc_server *server;
    nng_socket socket;
    nng_listener endpoint;
    char url[256]; /* as bound */
    atomic_uint receiving;
    atomic_uint exchange_count;
    unsigned exchange_limit;
    atomic_ulong accepted_count; /* connections that came through negotiation */
    pthread_mutex_t lock;        /* of exchanges */
    struct rpc_exchange *exchanges;
};

/** Opens the socket and listens. @url  checked before. */
enum herald_code rpc_listener_open(struct rpc_server *server, const char *url, struct rpc_listener **ret_listener,
                                   struct herald_error *reterr);
/** Closes the socket and frees all; exchanges whose calls were never run are dropped. NULL is allowed.
 *  Returns: true | false: nng hangs and was given up; nothing is freed. */
bool rpc_listener_close(struct rpc_listener *listener);
/**
 * Closes the endpoint, with its connections, and listens on the same URL again. Blocks for up to two seconds.
 * Context: one thread at a time, none of nng's
 */
enum herald_code rpc_listener_reopen(struct rpc_listener *listener, struct herald_error *reterr);

/**
 * Sends the reply; the exchange is not the caller's any more. Any thread.
 *
 * @reply  taken; NULL: none could be made (no memory), the caller's time-out tells it
 */
void rpc_exchange_reply(struct rpc_exchange *exchange, nng_msg *reply);

#endif
