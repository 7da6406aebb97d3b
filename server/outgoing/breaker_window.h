#ifndef HERALD_OUTGOING_BREAKER_WINDOW_H
#define HERALD_OUTGOING_BREAKER_WINDOW_H

/*
 * The outcomes of the last N calls, with their counts. Each sample has a ticket. While the sample is among the last N,
 * the ticket can change or withdraw it: a slow call in flight has a sample before it ends.
 */

#include <stdbool.h>
#include <stdint.h>

struct breaker_window {
    uint8_t *samples; /* ring of capacity entries: SAMPLE_… */
    uint32_t capacity;
    uint32_t limit; /* how many samples count: capacity, or fewer half-open */
    uint64_t next;  /* ticket of the next sample */
    uint32_t buffered, failed, slow;
};

/** Returns: false: no memory. */
bool breaker_window_init(struct breaker_window *window, uint32_t capacity);
void breaker_window_fini(struct breaker_window *window);
/** Empties it. @limit  1..capacity */
void breaker_window_clear(struct breaker_window *window, uint32_t limit);
/** Adds a sample, which evicts the oldest one of a full window. Returns its ticket. */
uint64_t breaker_window_add(struct breaker_window *window, bool failed, bool slow);
/** Marks a sample as failed; an evicted one is left alone. */
void breaker_window_fail(struct breaker_window *window, uint64_t ticket);
/** Withdraws a sample; an evicted one is left alone. */
void breaker_window_withdraw(struct breaker_window *window, uint64_t ticket);
/** Rates in percent; -1 when the window has fewer than @minimum calls, or none. */
float breaker_window_failure_rate(const struct breaker_window *window, uint32_t minimum);
float breaker_window_slow_rate(const struct breaker_window *window, uint32_t minimum);

#endif
