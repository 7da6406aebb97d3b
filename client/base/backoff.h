#ifndef HERALD_BASE_BACKOFF_H
#define HERALD_BASE_BACKOFF_H

/*
 * Waits between attempts: a bound that doubles up to a cap, and full jitter below it. Many clients that failed at the
 * same moment then retry at different ones.
 */
#include <stdint.h>

/**
 * The bound of a wait: @min_ms doubled @doublings times, at most @max_ms.
 *
 * @doublings  failures in a row before this one; 0 gives @min_ms
 * Returns:  milliseconds; at most @max_ms, also where @min_ms is more
 */
uint32_t herald_backoff_bound_ms(uint32_t min_ms, uint32_t max_ms, uint32_t doublings);
/**
 * A wait with full jitter.
 *
 * @random   uniform: herald_random()
 * Returns:  milliseconds, uniform in 0..herald_backoff_bound_ms(@min_ms, @max_ms, @doublings)
 */
uint32_t herald_backoff_ms(uint32_t min_ms, uint32_t max_ms, uint32_t doublings, uint64_t random);

/** The state of an operation that is retried until it succeeds. Set the bounds, zero the rest. One owner at a time. */
struct herald_backoff {
    uint32_t min_ms, max_ms;
    uint32_t failures; /* in a row */
};

/** Counts a failure. Returns: how long to wait before the next attempt, ms. */
uint32_t herald_backoff_failed(struct herald_backoff *backoff);
/** Counts a success: the next failure counts as the first. */
void herald_backoff_succeeded(struct herald_backoff *backoff);

#endif
