#ifndef HERALD_RPC_PLACES_H
#define HERALD_RPC_PLACES_H

/*
 * Places among the calls in flight of one method and of one caller, and among the calls of a method that wait for a
 * loop (adaptive.h). A call's struct places records the places that it holds. They are released before the call's reply
 * is sent, so a client that makes one call at a time is never refused. The place among all calls of the server is
 * in_flight.h's, and is held until the reply has been sent.
 */
#include "server/rpc/registry.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct caller_count;

/** Calls in flight of authenticated callers. The callers file bounds their number. */
struct caller_counts {
    pthread_mutex_t lock;
    struct caller_count *table; /* hash by name */
};

/** The places of one call. All zero: none. One thread at a time. */
struct places {
    struct rpc_method *method;   /* NULL: no place of a method */
    struct caller_count *caller; /* NULL: no place of a caller */
    struct adaptive *waits_in;   /* one of method->adaptive; NULL: no place among the waiting calls */
    bool counted;                /* in method->in_flight */
    bool caller_waits;           /* in caller's calls of methods that wait */
};

enum place { PLACE_TAKEN, PLACE_NONE_LEFT, PLACE_NO_WAITING_LEFT, PLACE_OVERLOADED, PLACE_NO_MEMORY };

void caller_counts_init(struct caller_counts *counts);
void caller_counts_fini(struct caller_counts *counts);

/**
 * Takes the places of a method. Repeating it does nothing. Any thread.
 *
 * @most      limit of the method's calls in flight; 0: none
 * @adaptive  one of the method's: takes a place among these waiting calls too. NULL: none
 * Returns: PLACE_TAKEN | PLACE_NONE_LEFT: nothing is taken | PLACE_OVERLOADED: no place among the waiting calls; the
 *          place among the calls in flight stays taken until places_give_back()
 */
enum place places_take_of_method(struct places *places, struct rpc_method *method, uint32_t most,
                                 struct adaptive *adaptive, uint64_t now_us);
/** After PLACE_OVERLOADED: takes a place among other waiting calls of the method. Returns: PLACE_TAKEN |
 *  PLACE_OVERLOADED. Any thread. */
enum place places_take_waiting(struct places *places, struct adaptive *adaptive, uint64_t now_us);
/**
 * Takes the place of a caller. Any thread.
 *
 * @most          limit of the caller's calls in flight, at least 1
 * @most_waiting  of these, of methods that wait; 0: the call is of none, or they have no limit
 * Returns: PLACE_TAKEN | PLACE_NONE_LEFT | PLACE_NO_WAITING_LEFT | PLACE_NO_MEMORY: nothing is taken
 */
enum place places_take_of_caller(struct places *places, struct caller_counts *counts, const char *caller, uint32_t most,
                                 uint32_t most_waiting);
/** Releases the place among the waiting calls: the handler begins, after @waited_us. Any thread. */
void places_begin(struct places *places, uint64_t waited_us, uint64_t now_us);
/** Releases all places. Repeating it does nothing. Any thread. */
void places_give_back(struct places *places, struct caller_counts *counts);

#endif
