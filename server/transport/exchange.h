#ifndef HERALD_TRANSPORT_EXCHANGE_H
#define HERALD_TRANSPORT_EXCHANGE_H

#include "server/transport/message.h"
#include "server/transport/peers.h"

#include <stdalign.h>

/*
 * An exchange: a cooked context of nng's REP socket, which receives a request, waits for its reply, sends it, and
 * receives again. What a request means is not known here: it is handed up, with room beside it for what the layer above
 * has to remember of it.
 *
 * Threads: an exchange belongs to one thread at a time. A thread of nng hands it up with on_arrival(); who has it may
 * hand it on, and gives it back with exchange_reply(). Others look only at what is atomic, and at exchange->call under
 * the lock of its peers.
 *
 * Number: exchanges are opened as they are needed. As long as fewer than spare_contexts are receiving, each arrival opens
 * one more, up to max_in_flight + spare_contexts. So when all calls in flight are taken, the spare ones are still
 * receiving, and what they receive can be refused at once.
 *
 * Cancellation: a call that has joined its connection may be cancelled from any thread, which on_cancel() hands on as a
 * message. If the call ends while that message is still queued, its reply is parked, and its exchange is not reused until
 * exchange_cancel_arrived(): a cancel can never hit the wrong call.
 */
struct exchange;
struct exchange_pool;

/** What the layer above does with exchanges. */
struct exchange_ops {
    /** Bytes of exchange_user(), zero when the exchange is made, and its own from then on. */
    size_t user_bytes;
    /** A request has arrived; the exchange is the callee's until exchange_reply(). Context: a thread of nng; never
     *  blocks. */
    void (*on_arrival)(void *user, struct exchange *exchange);
    /** Nobody waits for the reply of a call that has joined: posts a message to the thread that will reply, which has to
     *  call exchange_cancel_arrived(). @code  HERALD_CANCELLED, HERALD_DEADLINE_EXCEEDED
     *  Context: any thread, under a lock; only posts. */
    void (*on_cancel)(struct exchange *exchange, enum herald_code code);
    /** The reply has been sent or dropped: the exchange receives again after this. Once for each arrival. Any thread. */
    void (*on_end)(void *user, struct exchange *exchange);
    /** Whether the layer above has no place left for another call. Any thread. */
    bool (*is_full)(void *user);
};

struct exchange {
    /* Of the request, for whoever has the exchange: */
    const uint8_t *data; /* NULL once dropped */
    size_t bytes;
    uint32_t pipe_id;     /* the connection over which it came */
    uint64_t received_us; /* on clock_now_us() */
    /* The rest is private to server/transport. */
    struct exchange_pool *pool;
    struct exchange *next;
    struct nng_msg *request;
    struct nng_aio *aio;
    uint32_t context_id;
    atomic_int state; /* enum exchange_state */
    bool joined;      /* its connection knows call */
    bool parked;      /* the call has ended, its cancel message is still queued */
    struct nng_msg *parked_reply;
    struct peer_call call;
    /* Of the reply that is being sent, for others to look at: see unread.h. */
    _Atomic uint64_t sending_since_us;
    atomic_size_t sending_bytes;
    atomic_uint sending_to; /* pipe_id */
    alignas(16) unsigned char user[];
};
enum exchange_state { EXCHANGE_RECEIVING, EXCHANGE_HANDLING, EXCHANGE_SENDING, EXCHANGE_CLOSED };

/* ---- for whoever has an exchange ---- */

/** What the layer above remembers of it. */
static inline void *exchange_user(struct exchange *exchange) {
    return exchange->user;
}
/** The request is not needed any more: frees it. Again does nothing. */
void exchange_drop_request(struct exchange *exchange);
/** Enters the call under its connection, from where it may be cancelled. As peers_join(). */
enum peers_join exchange_join(struct exchange *exchange, uint64_t ticket, unsigned limit);
/** The connection has asked something that is no call in flight: it is not silent. */
void exchange_touch(struct exchange *exchange);
/** Whether nobody waits for the reply any more; after exchange_join(). */
bool exchange_is_cancelled(const struct exchange *exchange);
/** Calls in flight on its connection. */
unsigned exchange_in_flight(const struct exchange *exchange);
/** Cancels another call on its connection; false when none there has that ticket. */
bool exchange_cancel(struct exchange *exchange, uint64_t ticket, enum herald_code code);
/** Places for calls are short: looks soon whether clients hold them who do not read. Any thread. */
void exchange_relieve(struct exchange *exchange);
/**
 * Sends the reply, or parks it while a cancel message is queued; the exchange is not the caller's any more.
 *
 * @reply  taken; NULL: none could be made (no memory), the caller's time-out tells it
 * Context: any thread; for a call that has joined, the one to which on_cancel() posts
 */
void exchange_reply(struct exchange *exchange, struct nng_msg *reply);
/**
 * The message that on_cancel() posted has arrived.
 *
 * Returns: true: the call still runs | false: it had ended; its reply is sent now, and the exchange is not the caller's
 * Context: the thread that replies
 */
bool exchange_cancel_arrived(struct exchange *exchange);

/* ---- for server/transport ---- */

/** Memory of a pool's unsent replies that is not short yet. */
#define EXCHANGE_UNSENT_ENOUGH_BYTES (32u * 1024 * 1024)

/** The exchanges of a socket. */
struct exchange_pool {
    const struct exchange_ops *ops;
    void *user; /* of ops */
    struct peers *peers;
    void (*on_short)(void *owner); /* exchanges, places or memory for replies may be short. Any thread */
    void *owner;                   /* of on_short */
    uint32_t socket_id;
    unsigned limit; /* of count */
    unsigned spare; /* how many shall be receiving */
    atomic_uint receiving;
    atomic_uint count;
    atomic_size_t unsent_bytes; /* of replies that nng has not taken yet */
    pthread_mutex_t lock;       /* of all */
    struct exchange *all;
};

void exchange_pool_init(struct exchange_pool *pool);
/** Opens one more exchange, which receives. Returns: 0 | NNG_EBUSY: the limit is reached | another error of nng */
int exchange_pool_add(struct exchange_pool *pool);
/** Frees all exchanges, whose socket is closed; those whose calls were never run are dropped. */
void exchange_pool_fini(struct exchange_pool *pool);
/** The peer_cancel_fn of the peers whose calls are exchanges of a pool. */
void exchange_on_cancel(struct peer_call *call, enum herald_code code);

#endif
