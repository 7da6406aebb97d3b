#ifndef HERALD_TRANSPORT_LISTENER_H
#define HERALD_TRANSPORT_LISTENER_H

#include "server/rpc/envelope_view.h"
#include "server/rpc/internal.h"
#include "server/transport/peers.h"
#include "server/transport/tls_identity.h"

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
    atomic_int state;                 /* enum exchange_state */
    bool entered;                     /* holds a place among the calls in flight */
    nng_msg *message;                 /* the request, until decoded */
    struct envelope_view view;        /* of it; empty for a probe */
    struct rpc_method *method;        /* that the view names; NULL: none that is served */
    struct rpc_method *held_method;   /* whose places it holds: see limits.h */
    struct caller_count *held_caller; /* likewise */
    bool holds_wait;                  /* a place among the waiting calls of held_method */
    uint32_t pipe_id;                 /* the connection it came over */
    uint64_t received_us;             /* on clock_now_us() */
    /* Of the reply that is being sent, for others to look at: see unread.h. */
    _Atomic uint64_t sending_since_us;
    atomic_size_t sending_bytes;
    atomic_uint sending_to; /* pipe_id */
    struct rpc_exchange *next;
    /* Under the lock of the listener's peers: */
    struct rpc_peer *peer; /* NULL: the call is on none */
    struct rpc_exchange *peer_prev, *peer_next;
    atomic_int told; /* enum exchange_told: that nobody waits for the reply any more */
    struct loop_work cancel_work;
    enum herald_code cancel_code; /* with which its waits shall end */
    /* On the loop's thread: */
    struct rpc_call *call; /* while it runs */
    bool parked;           /* the call has ended, word to it is still under way */
    nng_msg *parked_reply;
};
enum exchange_state { EXCHANGE_RECEIVING, EXCHANGE_HANDLING, EXCHANGE_SENDING, EXCHANGE_CLOSED };
enum exchange_told { EXCHANGE_NOT_TOLD, EXCHANGE_TELLING, EXCHANGE_TOLD };

struct rpc_listener {
    struct rpc_server *server;
    nng_socket socket;
    nng_listener endpoint;
    char url[256];            /* as bound */
    struct tls_identity *tls; /* NULL: no TLS */
    atomic_uint receiving;
    atomic_uint exchange_count;
    unsigned exchange_limit;
    atomic_size_t unsent_bytes;  /* of replies that nng has not taken yet */
    atomic_ulong accepted_count; /* connections that came through negotiation */
    struct rpc_peers peers;
    nng_aio *sweeper; /* sleeps while connections are to be closed soon: extra ones, and who does not read */
    atomic_bool sweeping;
    uint64_t unread_log_us; /* when unread replies were logged last; the sweeper's */
    pthread_mutex_t lock;   /* of exchanges */
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

/** What is to become of a request by the connection over which it came: see peers_ask(). On the thread that received.
 */
enum peers_answer rpc_listener_ask(struct rpc_exchange *exchange);
/** Places among the calls in flight are short, or exchanges: looks soon whether clients hold them who do not read. */
void rpc_listener_relieve(struct rpc_listener *listener);
/**
 * Sends the reply; the exchange is not the caller's any more. Any thread.
 *
 * @reply  taken; NULL: none could be made (no memory), the caller's time-out tells it
 */
void rpc_exchange_reply(struct rpc_exchange *exchange, nng_msg *reply);

#endif
