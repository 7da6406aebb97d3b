#include "server/breaker/breaker_flights.h"

#include <stdlib.h>

bool breaker_flights_init(struct breaker_flights *flights, uint32_t capacity) {
    /* not cleared: a slot is written before it is read, and most stay unused */
    struct breaker_flight *each = malloc(capacity * sizeof(*each));
    if (each == NULL) {
        return false;
    }
    *flights = (struct breaker_flights){.flights = each, .capacity = capacity};
    return true;
}

void breaker_flights_fini(struct breaker_flights *flights) {
    free(flights->flights);
    flights->flights = NULL;
}

static struct breaker_flight *flight_in(const struct breaker_flights *flights, uint32_t slot) {
    return &flights->flights[slot - 1];
}

void breaker_flights_clear(struct breaker_flights *flights) {
    flights->used = flights->free_slot = flights->oldest = flights->newest = 0;
}

/* A slot that is in no list; 0: none is left. */
static uint32_t take_flight_slot(struct breaker_flights *flights) {
    uint32_t slot = flights->free_slot;
    if (slot != 0) {
        flights->free_slot = flight_in(flights, slot)->newer;
        return slot;
    }
    return flights->used < flights->capacity ? ++flights->used : 0;
}

uint32_t breaker_flights_begin(struct breaker_flights *flights, uint64_t now_us) {
    uint32_t slot = take_flight_slot(flights);
    if (slot == 0) {
        return 0;
    }
    *flight_in(flights, slot) = (struct breaker_flight){.older = flights->newest, .started_us = now_us};
    if (flights->newest != 0) {
        flight_in(flights, flights->newest)->newer = slot;
    } else {
        flights->oldest = slot;
    }
    flights->newest = slot;
    return slot;
}

struct breaker_flight *breaker_flights_oldest(const struct breaker_flights *flights) {
    return flights->oldest != 0 ? flight_in(flights, flights->oldest) : NULL;
}

static void unlist_flight(struct breaker_flights *flights, const struct breaker_flight *flight) {
    if (flight->newer != 0) {
        flight_in(flights, flight->newer)->older = flight->older;
    } else {
        flights->newest = flight->older;
    }
    if (flight->older != 0) {
        flight_in(flights, flight->older)->newer = flight->newer;
    } else {
        flights->oldest = flight->newer;
    }
}

void breaker_flights_count_oldest(struct breaker_flights *flights, struct breaker_ticket ticket) {
    struct breaker_flight *flight = breaker_flights_oldest(flights);
    unlist_flight(flights, flight);
    flight->counted = true;
    flight->ticket = ticket;
}

bool breaker_flights_end(struct breaker_flights *flights, uint32_t slot, struct breaker_ticket *ret_ticket) {
    struct breaker_flight *flight = flight_in(flights, slot);
    bool counted = flight->counted;
    if (counted) {
        *ret_ticket = flight->ticket;
    } else {
        unlist_flight(flights, flight);
    }
    flight->newer = flights->free_slot;
    flights->free_slot = slot;
    return counted;
}
