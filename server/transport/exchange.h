#ifndef HERALD_TRANSPORT_EXCHANGE_H
#define HERALD_TRANSPORT_EXCHANGE_H

/*
 * An exchange: the place of one request, from its arrival until its reply has been sent. The transport does not know
 * what a request means: it hands the request up, and keeps user_bytes beside it in which the layer above stores its own
 * state.
 *
 * Two engines have exchanges, behind the same functions. With nng (nng_exchange.c) one is a cooked context of a REP
 * socket, and threads of nng hand it up. With the native engine (native_exchange.c) a loop reads the request itself and
 * hands it up on its own thread.
 *
 * Threads: an exchange belongs to one thread at a time. The one that hands it up with on_arrival() is the first owner. It
 * may pass the exchange to another thread, and ends its ownership with exchange_reply(). Other threads read only the
 * atomic members, and exchange->call under the lock of its peers.
 *
 * Number: exchanges are made on demand, up to max_in_flight + spare_contexts. So the spare ones still receive when all
 * calls in flight are taken, and refuse further requests at once.
 *
 * The reply is written into memory of the engine: a message of nng, that of the request if it is short, or a buffer that
 * the loop uses for one reply after the other.
 *
 * Cancellation: any thread may cancel a call that has joined its connection; on_cancel() posts that as a message. If
 * the call ends while that message is still queued, its reply is parked, and its exchange is not reused until
 * exchange_cancel_arrived(). A cancel can never hit the wrong call.
 */
#include "client/base/buffer.h"
#include "server/runtime/loop.h"
#include "server/transport/peers.h"

#include <stdalign.h>

struct exchange;
struct exchange_pool;

/** The callbacks of the layer above. */
struct exchange_ops {
    /** Bytes of exchange_user(), zero when the exchange is made, and its own from then on. */
    size_t user_bytes;
    /** A request has arrived; the exchange is the callee's until exchange_reply(). Its data is there until it is dropped,
     *  with exchange->loop until this returns. Context: exchange->loop, or a thread of nng; never blocks. */
    void (*on_arrival)(void *user, struct exchange *exchange);
    /**
     * A call that has joined is cancelled: posts a message to the thread that will reply. That thread then calls
     * exchange_cancel_arrived().
     *
     * @code    HERALD_CANCELLED, HERALD_DEADLINE_EXCEEDED
     * Context: any thread, under a lock; only posts
     */
    void (*on_cancel)(struct exchange *exchange, enum herald_code code);
    /** The reply has been sent or dropped; the exchange receives again after this. Once for each arrival. Any
     *  thread. */
    void (*on_end)(void *user, struct exchange *exchange);
    /** True when the layer above has no place for another call. Any thread. */
    bool (*is_full)(void *user);
};

struct nng_msg;

struct exchange_of_nng {
    struct nng_msg *message; /* the request, and then the reply; NULL: none */
    struct nng_aio *aio;
    uint32_t context_id;
};

/* The words in front of a request, which its reply takes back: 8 at most, as for nng. */
#define EXCHANGE_WORDS_BYTES 32u

struct exchange_of_loop {
    struct loop_work work; /* first: a reply that came on another thread */
    struct herald_buffer reply;
    struct native_peer *peer;
    struct exchange *after; /* in the port's idle ones, or the next one that its peer's stream is sending */
    uint64_t position;      /* in the stream, of the reply that is being sent */
    uint32_t words_bytes;
    uint8_t words[EXCHANGE_WORDS_BYTES];
};

struct exchange {
    /* Of the request, for the owner of the exchange: */
    const uint8_t *data; /* NULL once dropped */
    size_t bytes;
    uint32_t pipe_id;     /* the connection over which it came */
    uint64_t received_us; /* on clock_now_us() */
    struct loop *loop;    /* on whose thread it arrived, and which should serve it; NULL: a thread of nng */
    /* The rest is private to server/transport. */
    struct exchange_pool *pool;
    struct exchange *next;
    union {
        struct exchange_of_nng nng;
        struct exchange_of_loop native;
    } of;
    atomic_int state; /* enum exchange_state */
    bool joined;      /* its connection knows call */
    bool parked;      /* the call has ended, its cancel message is still queued */
    uint8_t *reply;   /* of reply_bytes, once it was made; NULL: none */
    size_t reply_bytes;
    struct peer_call call;
    /* Of the reply that is being sent; unread.c reads them from other threads. */
    _Atomic uint64_t sending_since_us;
    atomic_size_t sending_bytes;
    atomic_uint sending_to; /* pipe_id */
    alignas(16) unsigned char user[];
};
enum exchange_state { EXCHANGE_RECEIVING, EXCHANGE_HANDLING, EXCHANGE_SENDING, EXCHANGE_CLOSED };

/* ---- for the owner of an exchange ---- */

/** The user_bytes of the layer above. */
static inline void *exchange_user(struct exchange *exchange) {
    return exchange->user;
}
/** Frees the request before the reply. Repeating it does nothing. */
void exchange_drop_request(struct exchange *exchange);
/**
 * Makes room for the reply, and drops the request. Another reply that was made before is lost.
 *
 * Returns: @bytes to be written, the exchange's until exchange_reply() | NULL: no memory; there is no reply
 */
uint8_t *exchange_make_reply(struct exchange *exchange, size_t bytes);
/** Forgets the reply that was made. */
void exchange_drop_reply(struct exchange *exchange);
/** Enters the call under its connection; from then on it may be cancelled. Returns: as peers_join() */
enum peers_join exchange_join(struct exchange *exchange, uint64_t ticket, const struct peers_limits *limits);
/** Notes that the connection is not silent: it sent a request that is answered at once and never joins. */
void exchange_touch(struct exchange *exchange);
/** True when the call was cancelled or its connection has ended; after exchange_join(). */
bool exchange_is_cancelled(const struct exchange *exchange);
/** Calls in flight on its connection. */
unsigned exchange_in_flight(const struct exchange *exchange);
/** Cancels the call with that ticket on the same connection; false when there is none. */
bool exchange_cancel(struct exchange *exchange, uint64_t ticket, enum herald_code code);
/** Says that places for calls are short. The listener then soon closes connections that hold many by not reading
 *  replies. Any thread. */
void exchange_relieve(struct exchange *exchange);
/**
 * Sends the reply that was made, or parks it while a cancel message is queued. If there is none (no memory, or the
 * connection has ended), a client that waits runs into its time-out. The caller no longer owns the exchange.
 *
 * Context: any thread; for a call that has joined, the one to which on_cancel() posts
 */
void exchange_reply(struct exchange *exchange);
/**
 * Handles the message that on_cancel() posted.
 *
 * Returns: true: the call still runs | false: it had ended; its parked reply is sent now, and the caller does not own
 *          the exchange
 * Context: the thread that replies
 */
bool exchange_cancel_arrived(struct exchange *exchange);

/* ---- for server/transport ---- */

/** Unsent replies of a pool beyond this many bytes count as a shortage of memory. */
#define EXCHANGE_UNSENT_ENOUGH_BYTES (32u * 1024 * 1024)

/** What an engine does for its exchanges. */
struct exchange_engine {
    /** Frees the request. */
    void (*drop)(struct exchange *exchange);
    /** Gives room for a reply, after the request was dropped. NULL: no memory. The owner */
    uint8_t *(*make)(struct exchange *exchange, size_t bytes);
    /** Forgets a reply that was made. The owner */
    void (*forget)(struct exchange *exchange);
    /** Sends exchange->reply; then, or at once if it is NULL, the exchange has ended and may be used again. Any thread */
    void (*send)(struct exchange *exchange);
    /** True when few exchanges are left. Any thread */
    bool (*is_short)(struct exchange_pool *pool);
    /** Closes a connection. @for_unread  unless its replies have only waited for their turn. Any thread */
    void (*close_peer)(struct exchange_pool *pool, uint32_t id, bool for_unread);
    /** Drops the reply that is being sent, if that takes more than the end of its connection. Any thread; NULL: it does
     *  not */
    void (*cancel_send)(struct exchange *exchange);
    /** Frees what the engine has in an exchange that the transport has ended. */
    void (*free)(struct exchange *exchange);
};

/** The exchanges of a listener. */
struct exchange_pool {
    const struct exchange_engine *engine;
    const struct exchange_ops *ops;
    void *user; /* of ops */
    struct peers *peers;
    void (*on_short)(void *owner); /* exchanges, places or memory for replies may have run short. Any thread */
    void *owner;                   /* of on_short */
    uint32_t socket_id;            /* of nng */
    unsigned limit;                /* of count */
    unsigned spare;                /* exchanges to keep receiving */
    atomic_uint receiving;         /* of nng's */
    atomic_uint count;             /* nng: of exchanges; native: of those that have a request */
    atomic_size_t unsent_bytes;    /* of replies that the engine has not got rid of yet */
    pthread_mutex_t lock;          /* of all and is_closing */
    bool is_closing;               /* nng's: its socket closes */
    struct exchange *all;
};

void exchange_pool_init(struct exchange_pool *pool);
/** Makes an exchange, without what its engine adds. NULL: no memory */
struct exchange *exchange_new(struct exchange_pool *pool);
/** Enters an exchange that is complete. */
void exchange_enter(struct exchange_pool *pool, struct exchange *exchange);
/** Frees all exchanges, after their connections have ended. Calls that never ran are dropped. */
void exchange_pool_fini(struct exchange_pool *pool);
/** The peer_cancel_fn for peers whose calls are exchanges of a pool. */
void exchange_on_cancel(struct peer_call *call, enum herald_code code);

/* ---- for the engines ---- */

void exchange_set_state(struct exchange *exchange, enum exchange_state state);
enum exchange_state exchange_get_state(const struct exchange *exchange);
/** The reply is being sent from @now_us on … */
void exchange_note_sending(struct exchange *exchange, uint64_t now_us);
/** … and has been sent or dropped. */
void exchange_note_sent(struct exchange *exchange);
/** Tells the layer above that the exchange has ended. */
void exchange_end(struct exchange *exchange);

/* nng_exchange.c */
extern const struct exchange_engine exchange_engine_nng;
/** Opens one more exchange, which receives. Returns: 0 | NNG_EBUSY: the limit is reached | another error of nng */
int nng_exchange_add(struct exchange_pool *pool);
/** Lets no exchange be opened any more: the socket is about to be closed. Returns when none is being opened. */
void nng_exchange_add_no_more(struct exchange_pool *pool);

#endif
