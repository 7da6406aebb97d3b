#ifndef HERALD_BREAKER_BREAKER_WINDOW_H
#define HERALD_BREAKER_BREAKER_WINDOW_H

/*
 * The outcomes of the last N calls, with their counts. Each sample has a ticket. While the sample is among the last N,
 * the ticket can change or withdraw it: a slow call in flight has a sample before it ends.
 */

#include <stdbool.h>
#include <stdint.h>

struct breaker_sample;
/** Names a sample, also after it was evicted. */
struct breaker_ticket {
    uint32_t slot;
    uint64_t serial;
};

struct breaker_window {
    struct breaker_sample *samples; /* slot s is samples[s - 1] */
    uint32_t capacity;
    uint32_t limit;           /* how many samples count, 0..capacity */
    uint32_t used, free_slot; /* slots ever used, and the list of those given back */
    uint32_t oldest, newest;  /* slots; 0: none */
    uint64_t next_serial;     /* never starts again, so that an old ticket names nothing new */
    uint32_t buffered;        /* samples */
    uint32_t failed, slow;    /* among them */
    uint32_t unfinished;      /* among them: of calls in flight */
};

/** Returns: false: no memory. */
bool breaker_window_init(struct breaker_window *window, uint32_t capacity);
void breaker_window_fini(struct breaker_window *window);
/**
 * Empties it.
 *
 * @limit  0..capacity; with 0 it only counts and never forgets, as resilience4j's window of no calls
 */
void breaker_window_clear(struct breaker_window *window, uint32_t limit);
/** Adds a call that ended. The sample evicts the oldest one of a full window. */
void breaker_window_add(struct breaker_window *window, bool failed, bool slow);
/** Adds a call that is slow and still in flight, as breaker_window_add(). Its ticket is for the two below. */
struct breaker_ticket breaker_window_add_unfinished(struct breaker_window *window);
/** Says how the call of a ticket ended; an evicted sample is left alone. */
void breaker_window_finish(struct breaker_window *window, struct breaker_ticket ticket, bool failed);
/** Withdraws a sample, as if its call had never been; an evicted one is left alone. */
void breaker_window_withdraw(struct breaker_window *window, struct breaker_ticket ticket);
/** Rates in percent; -1 when the window has fewer than @minimum calls, or none. */
float breaker_window_failure_rate(const struct breaker_window *window, uint32_t minimum);
float breaker_window_slow_rate(const struct breaker_window *window, uint32_t minimum);

#endif
