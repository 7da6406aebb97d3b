#ifndef HERALD_TRANSPORT_PEERS_H
#define HERALD_TRANSPORT_PEERS_H

#include "herald/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The connections of a listener, by nng's pipe id, and the calls that are in flight on each: so that calls whose client
 * goes away are cancelled, and a client can name one of its own.
 *
 * A call joins its connection before it is handed to a loop and leaves it just before its reply is sent, both under the
 * table's lock. It is cancelled at most once: under the same lock its on_cancel() is called, which only hands a cancel
 * message on. If the call ends while that message is still queued, peers_leave() says so, and its exchange is not reused
 * until the message has been handled: a cancel can never hit the wrong call.
 *
 * Up to max_connections connections have a place. Beyond that some more are accepted only to be refused: an extra one has
 * no place, what it asks is refused, and it is closed soon after that. One that asks when there is room again gets a
 * place.
 */
struct peer;

/** A call in flight, as its connection knows it; part of its exchange. */
struct peer_call {
    /* Under the lock of the peers: */
    struct peer *peer; /* NULL: it is on none, or the connection has ended */
    struct peer_call *prev, *next;
    uint64_t ticket;   /* by which the client names it; 0: it does not */
    atomic_int cancel; /* enum peer_cancel */
};
/** Whether a cancel message for the call is on its way. */
enum peer_cancel { CANCEL_NONE, CANCEL_QUEUED, CANCEL_HANDLED };

/** Hands a cancel message on, to where the call runs. @code  with which the waits of the call shall end
 *  Context: any thread, under the lock of the peers; neither blocks nor calls anything of this file */
typedef void peer_cancel_fn(struct peer_call *call, enum herald_code code);

struct peers {
    pthread_mutex_t lock;
    peer_cancel_fn *on_cancel;
    struct peer *table;     /* hash by id */
    struct peer *strangers; /* without calls in flight, never had one; the longest silent first */
    struct peer *idle;      /* without calls in flight, had some; the longest silent first */
    unsigned count;         /* connections that have a place */
    atomic_uint extra_count;
    unsigned long refused_count;
    uint64_t refused_log_us; /* when the last one was logged */
    bool closing;            /* loops may have ended: no call is cancelled any more */
};

enum peers_place { PEERS_TAKEN, PEERS_EXTRA, PEERS_TURNED_AWAY };
enum peers_answer { PEERS_SERVE, PEERS_REFUSE };
enum peers_join { PEERS_JOINED, PEERS_GONE, PEERS_FULL };

void peers_init(struct peers *peers, peer_cancel_fn *on_cancel);
/** All connections have ended. */
void peers_fini(struct peers *peers);
/** From now on no call is cancelled: the loops end. */
void peers_close(struct peers *peers);
/** How many extra connections there may be beside @limit. */
unsigned peers_extra_limit(unsigned limit);
/**
 * Takes a new connection. When there are @limit already, the longest silent one is evicted, if it has asked nothing for
 * some seconds: first of all one that never asked anything.
 *
 * @ret_evicted  the connection that the caller has to close then; 0: none
 * Returns: PEERS_TAKEN | PEERS_EXTRA: no other one is silent, and what it asks is to be refused | PEERS_TURNED_AWAY: there
 *          are enough of those too, or there is no memory: the caller closes it
 */
enum peers_place peers_add(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted);
/**
 * A connection has asked something. An extra one gets a place now if there is room, or if another one is evicted, as for
 * a new connection.
 *
 * @ret_evicted  as in peers_add()
 * Returns: PEERS_SERVE | PEERS_REFUSE: it has no place
 */
enum peers_answer peers_ask(struct peers *peers, uint32_t id, unsigned limit, uint64_t now_us, uint32_t *ret_evicted);
/** Takes out up to @most of the extra connections that are due, for the caller to close; returns how many. */
size_t peers_take_due(struct peers *peers, uint64_t now_us, uint32_t *ret_ids, size_t most);
/** A connection has asked something that is no call in flight: it is not silent. */
void peers_touch(struct peers *peers, uint32_t id, uint64_t now_us);
/** A connection has ended: its calls are cancelled. */
void peers_remove(struct peers *peers, uint32_t id);
/** Counts the refusal, or the eviction, of a connection. True when it should be logged, at most once a second; the sum
 * is set then. */
bool peers_note_refusal(struct peers *peers, uint64_t now_us, unsigned long *ret_count);
/**
 * Enters a call under its connection; from here on it may be cancelled.
 *
 * @ticket  by which the client names it; 0: none
 * @limit   of calls in flight on the connection; 0: none
 * Returns: PEERS_JOINED | PEERS_GONE: the connection has ended, and the call counts as cancelled | PEERS_FULL; nothing is
 *          entered then
 */
enum peers_join peers_join(struct peers *peers, struct peer_call *call, uint32_t id, uint64_t ticket, unsigned limit);
/** A call that has joined ends. True while its cancel message is queued, whose receiver then has to release the exchange.
 */
bool peers_leave(struct peers *peers, struct peer_call *call);
/** Cancels the call with that ticket; false when the connection has none. */
bool peers_cancel(struct peers *peers, uint32_t id, uint64_t ticket, enum herald_code code);
/** Calls in flight on the call's connection; 0 for a call that is on none. */
unsigned peers_in_flight(struct peers *peers, const struct peer_call *call);

#endif
