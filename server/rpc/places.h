#ifndef HERALD_RPC_PLACES_H
#define HERALD_RPC_PLACES_H

#include "server/rpc/registry.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Places among the calls in flight of one method and of one caller, and among the calls of a method that wait for a loop
 * (adaptive.h). What a call holds is noted in its struct places and given back, whatever becomes of the call, before its
 * reply is sent: a client that makes one call at a time is never refused. The place among all calls of the server is
 * in_flight.h's, and is held until the reply has been sent.
 */
struct caller_count;

/** Calls in flight of the callers that have proved who they are; their number is bounded by the credentials given out. */
struct caller_counts {
    pthread_mutex_t lock;
    struct caller_count *table; /* hash by name */
};

/** What one call holds. All zero: nothing. One thread at a time. */
struct places {
    struct rpc_method *method;   /* NULL: no place of a method */
    struct caller_count *caller; /* NULL: no place of a caller */
    bool counted;                /* in method->in_flight */
    bool waits;                  /* in method->adaptive */
};

enum place { PLACE_TAKEN, PLACE_NONE_LEFT, PLACE_OVERLOADED, PLACE_NO_MEMORY };

void caller_counts_init(struct caller_counts *counts);
void caller_counts_fini(struct caller_counts *counts);

/**
 * Takes the places of a method; again does nothing. Any thread.
 *
 * @most      calls in flight; 0: any number
 * @adaptive  whether a place among the waiting calls is needed too
 * Returns: PLACE_TAKEN | PLACE_NONE_LEFT | PLACE_OVERLOADED: none among the waiting ones; nothing is given back by that
 */
enum place places_take_of_method(struct places *places, struct rpc_method *method, uint32_t most, bool adaptive,
                                 uint64_t now_us);
/** Takes the place of a caller. @most  at least 1. Returns: PLACE_TAKEN | PLACE_NONE_LEFT | PLACE_NO_MEMORY. Any thread. */
enum place places_take_of_caller(struct places *places, struct caller_counts *counts, const char *caller,
                                 uint32_t most);
/** The handler begins, after @waited_us: the call is not among the waiting ones any more. Any thread. */
void places_begin(struct places *places, uint64_t waited_us, uint64_t now_us);
/** Gives all back; again does nothing. Any thread. */
void places_give_back(struct places *places, struct caller_counts *counts);

#endif
