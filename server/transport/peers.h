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
 * goes away are told, and a client can name one of its own.
 *
 * A call joins its connection before it is posted to a loop and leaves it just before its reply is sent, both under the
 * table's lock. Telling a call is work posted to its loop (exchange->cancel_work), at most once for each call; a call
 * that leaves while that work is under way keeps its exchange until the work has run.
 *
 * Beyond the limit some more connections are let in, only to be told so: an extra one has no place, what it asks is
 * refused, and it is closed soon after that. One that asks when there is room again gets a place.
 */
struct rpc_exchange;
struct rpc_peer;

struct rpc_peers {
    pthread_mutex_t lock;
    struct rpc_peer *table;     /* hash by id */
    struct rpc_peer *strangers; /* without calls in flight, never had one; the longest silent first */
    struct rpc_peer *idle;      /* without calls in flight, had some; the longest silent first */
    unsigned count;             /* connections that have a place */
    atomic_uint extra_count;
    unsigned long refused_count;
    uint64_t refused_log_us; /* when the last one was logged */
    bool closing;            /* loops may have ended: nothing is posted any more */
};

enum peers_place { PEERS_TAKEN, PEERS_EXTRA, PEERS_TURNED_AWAY };
enum peers_answer { PEERS_SERVE, PEERS_REFUSE };
enum peers_join { PEERS_JOINED, PEERS_GONE, PEERS_FULL };

void peers_init(struct rpc_peers *peers);
/** All connections have ended. */
void peers_fini(struct rpc_peers *peers);
/** From now on nobody is told anything: the loops end. */
void peers_close(struct rpc_peers *peers);
/** How many extra connections there may be beside @limit. */
unsigned peers_extra_limit(unsigned limit);
/**
 * Takes a new connection. When there are @limit already, one that has asked nothing for some seconds makes way: first
 * of all who never asked anything.
 *
 * @ret_made_way  the connection that the caller has to close then; 0: none
 * Returns: PEERS_TAKEN | PEERS_EXTRA: everybody is busy, and what it asks is to be refused | PEERS_TURNED_AWAY: there
 *          are enough of those too, or there is no memory: the caller closes it
 */
enum peers_place peers_add(struct rpc_peers *peers, uint32_t id, unsigned limit, uint64_t now_us,
                           uint32_t *ret_made_way);
/**
 * A connection has asked something. An extra one gets a place now if there is room, or somebody makes way for it as for
 * a new one.
 *
 * @ret_made_way  as in peers_add()
 * Returns: PEERS_SERVE | PEERS_REFUSE: it has no place
 */
enum peers_answer peers_ask(struct rpc_peers *peers, uint32_t id, unsigned limit, uint64_t now_us,
                            uint32_t *ret_made_way);
/** Takes out up to @most of the extra connections that are due, for the caller to close; returns how many. */
size_t peers_take_due(struct rpc_peers *peers, uint64_t now_us, uint32_t *ret_ids, size_t most);
/** A connection has asked something that is no call in flight: it is not silent. */
void peers_touch(struct rpc_peers *peers, uint32_t id, uint64_t now_us);
/** A connection has ended: its calls are told. */
void peers_remove(struct rpc_peers *peers, uint32_t id);
/** Counts the refusal, or the eviction, of a connection. True when it should be logged, at most once a second; the sum
 * is set then. */
bool peers_note_refusal(struct rpc_peers *peers, uint64_t now_us, unsigned long *ret_count);
/**
 * Enters a call, whose loop is set, under its connection.
 * @limit  of calls in flight on the connection; 0: none
 * Returns: PEERS_JOINED | PEERS_GONE: the connection has ended | PEERS_FULL; nothing is entered then
 */
enum peers_join peers_join(struct rpc_peers *peers, struct rpc_exchange *exchange, unsigned limit);
/** The call ends. True when word to its loop is under way, which then has to release the exchange. Harmless for one
 *  that never joined. */
bool peers_leave(struct rpc_peers *peers, struct rpc_exchange *exchange);
/** Tells the call with that ticket; false when the connection has none. */
bool peers_cancel(struct rpc_peers *peers, uint32_t id, uint64_t ticket, enum herald_code code);
/** Calls in flight on the call's connection; 0 for a call that is on none. */
unsigned peers_in_flight(struct rpc_peers *peers, const struct rpc_exchange *exchange);

#endif
