#ifndef HERALD_TRANSPORT_PEERS_H
#define HERALD_TRANSPORT_PEERS_H

/*
 * The connections of a listener, by nng's pipe id, and the calls in flight on each. When a connection ends, its calls
 * are cancelled. A client may also cancel one of its calls by the call's ticket.
 *
 * A call joins its connection before it is posted to a loop, and leaves it just before its reply is sent, both under
 * the table's lock. It is cancelled at most once: on_cancel() runs under the same lock and only posts a cancel message.
 * If the call ends while that message is still queued, peers_leave() says so, and its exchange is not reused until the
 * message has been handled. A cancel can never hit the wrong call.
 *
 * Up to max_connections connections have a place. Beyond the limit, up to limit/8 + 16 extra connections (1024 at most)
 * are accepted only to receive RESOURCE_EXHAUSTED, then closed. An extra connection that sends a request when there is
 * room again gets a place.
 */
#include "herald/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

/** A call in flight, as its connection knows it; part of its exchange. */
struct peer_call {
    /* Under the lock of the peers: */
    struct peer *peer; /* NULL: it is on none, or the connection has ended */
    struct peer_call *prev, *next;
    bool waiting;      /* counted among its connection's calls that wait */
    uint64_t ticket;   /* by which the client names it; 0: it does not */
    atomic_int cancel; /* enum peer_cancel: whether it is cancelled */
};
/** Whether a cancel message for the call is on its way. */
enum peer_cancel { CANCEL_NONE, CANCEL_QUEUED, CANCEL_HANDLED };

/**
 * Posts a cancel message to the thread on which the call runs.
 *
 * @code    with which the call's waits end
 * Context: any thread, under the lock of the peers; must neither block nor call a function of this file
 */
typedef void peer_cancel_fn(struct peer_call *call, enum herald_code code);

struct peers {
    pthread_mutex_t lock;
    peer_cancel_fn *on_cancel;
    struct peer *table;     /* hash by id */
    struct peer *strangers; /* of which no request was served yet; the longest silent first */
    struct peer *idle;      /* the others without a call in flight; the longest silent first */
    unsigned count;         /* connections that have a place */
    atomic_uint extra_count;
    unsigned long refused_count;
    uint64_t refused_log_us; /* when the last one was logged */
    bool closing;            /* loops may have ended: no call is cancelled any more */
};

enum peers_place { PEERS_TAKEN, PEERS_EXTRA, PEERS_TURNED_AWAY };
enum peers_answer { PEERS_SERVE, PEERS_REFUSE };
enum peers_join { PEERS_JOINED, PEERS_GONE, PEERS_FULL, PEERS_WAITING_FULL };

/** How many calls a connection may have in flight. */
struct peers_limits {
    unsigned calls;   /* 0: no limit */
    unsigned waiting; /* of these, calls that wait on purpose; 0: no limit, or the call that joins is none */
};

void peers_init(struct peers *peers, peer_cancel_fn *on_cancel);
/** Frees the table, after all connections have ended. */
void peers_fini(struct peers *peers);
/** From now on no call is cancelled, because the loops end. */
void peers_close(struct peers *peers);
/** How many extra connections a listener with @limit places accepts. */
unsigned peers_extra_limit(unsigned limit);
/**
 * Adds a new connection. When @limit are taken, a silent connection is evicted: one that has sent no request in 2 s
 * since it connected, or else one without a call in flight for 10 s.
 *
 * @ret_evicted  the evicted connection, which the caller must close; 0: none
 * Returns: PEERS_TAKEN | PEERS_EXTRA: no place is free, and its requests are refused | PEERS_TURNED_AWAY: no extra
 *          connection is allowed either, or there is no memory; the caller closes it
 */
enum peers_place peers_add(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted);
/**
 * Notes a request of a connection. An extra connection gets a place if one is free, or if one can be evicted as in
 * peers_add().
 *
 * @ret_evicted  as in peers_add()
 * Returns: PEERS_SERVE | PEERS_REFUSE: it has no place
 */
enum peers_answer peers_ask(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted);
/** Removes up to @most extra connections whose time is over; the caller closes them. Returns how many. */
size_t peers_take_due(struct peers *peers, uint64_t now_us, uint32_t *ret_ids, size_t most);
/** Notes that a connection is not silent: it sent a request that never joins. */
void peers_touch(struct peers *peers, uint32_t id, uint64_t now_us);
/** A connection has ended: its calls are cancelled. */
void peers_remove(struct peers *peers, uint32_t id);
/** Counts a refused or evicted connection. True when it should be logged, at most once a second. @ret_count  refused
 *  and evicted so far */
bool peers_note_refusal(struct peers *peers, uint64_t now_us, unsigned long *ret_count);
/**
 * Enters a call under its connection; from then on it may be cancelled.
 *
 * @ticket  by which the client names the call; 0: none
 * Returns: PEERS_JOINED | PEERS_GONE: the connection has ended; the call is not entered and counts as cancelled |
 *          PEERS_FULL, PEERS_WAITING_FULL: the connection has as many calls in flight as @limits allow; the call is not
 *          entered
 */
enum peers_join peers_join(struct peers *peers, struct peer_call *call, uint32_t id, uint64_t ticket,
                           const struct peers_limits *limits);
/** Removes a call that ends. True while its cancel message is queued: the receiver of that message then releases the
 *  exchange. */
bool peers_leave(struct peers *peers, struct peer_call *call);
/** Cancels the call with that ticket; false when the connection has no such call. */
bool peers_cancel(struct peers *peers, uint32_t id, uint64_t ticket, enum herald_code code);
/** Calls in flight on the call's connection; 0 for a call without one. */
unsigned peers_in_flight(struct peers *peers, const struct peer_call *call);

#endif
