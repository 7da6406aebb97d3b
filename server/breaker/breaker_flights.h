#ifndef HERALD_BREAKER_BREAKER_FLIGHTS_H
#define HERALD_BREAKER_BREAKER_FLIGHTS_H

/*
 * The calls in flight of one era. Each has a slot. The calls that are not slow yet form a list, oldest first; a slow
 * one has left the list and has a sample in the window.
 */
#include "server/breaker/breaker_window.h"

struct breaker_flight {
    uint32_t older, newer; /* slots in the list; `newer` also links the free ones; 0: none */
    bool counted;          /* has left the list, `ticket` is its sample */
    uint64_t started_us;
    struct breaker_ticket ticket;
};

struct breaker_flights {
    struct breaker_flight *flights; /* slot s is flights[s - 1] */
    uint32_t capacity;
    uint32_t used, free_slot; /* slots ever used, and the list of those given back */
    uint32_t oldest, newest;  /* slots; 0: none */
};

/** Returns: false: no memory. */
bool breaker_flights_init(struct breaker_flights *flights, uint32_t capacity);
void breaker_flights_fini(struct breaker_flights *flights);
/** Forgets all calls. */
void breaker_flights_clear(struct breaker_flights *flights);
/** A call begins, not before those that are in flight. Returns: its slot; 0: all slots are taken. */
uint32_t breaker_flights_begin(struct breaker_flights *flights, uint64_t now_us);
/** The oldest call that has no sample yet; NULL: none. */
struct breaker_flight *breaker_flights_oldest(const struct breaker_flights *flights);
/** Takes the oldest call off the list: it has a sample now. */
void breaker_flights_count_oldest(struct breaker_flights *flights, struct breaker_ticket ticket);
/** A call ends. @slot  of breaker_flights_begin(), not 0. Returns: whether it had a sample: *ret_ticket */
bool breaker_flights_end(struct breaker_flights *flights, uint32_t slot, struct breaker_ticket *ret_ticket);

#endif
