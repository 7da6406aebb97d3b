#ifndef HERALD_RPC_ADAPTIVE_H
#define HERALD_RPC_ADAPTIVE_H

/*
 * An adaptive limit on the calls of one method that wait for a loop.
 *
 * The limit follows the wait: the time from a call's arrival to the beginning of its handler. It counts only the calls
 * that wait. Running handlers do not count, because some wait for minutes on purpose: their number and duration do not
 * show overload. A growing wait does.
 *
 * A server that is suddenly offered far more than it can do must not first take thousands of calls, which would then wait
 * for too long. So if more calls wait than a window lets begin, the limit is lowered from their number, not from a limit
 * that is still above it.
 *
 * Each window of at least ADAPTIVE_WINDOW_US and ADAPTIVE_SAMPLES_MIN calls yields a mean wait. The limit is multiplied
 * by the gradient target / mean, clamped to 0.5..1, and then raised by its square root to probe for room. It settles
 * where calls wait for about ADAPTIVE_TARGET_US, and returns to its maximum within seconds when there is room.
 *
 * A method whose calls may take long waits for others on purpose, and some time before it begins matters less: its
 * target grows with its default deadline.
 *
 * The limit never falls below ADAPTIVE_FLOOR, so a mostly idle server never refuses a small burst. After a pause of
 * ADAPTIVE_IDLE_US beyond a window's end, the first call resets the limit to its maximum: a measurement from before the
 * pause says nothing about the load after it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ADAPTIVE_WINDOW_US   100000u
#define ADAPTIVE_SAMPLES_MIN 16u
#define ADAPTIVE_TARGET_US   5000u
#define ADAPTIVE_LONG_MS     20000u
#define ADAPTIVE_LONG_PART   50u
#define ADAPTIVE_FLOOR       64u
#define ADAPTIVE_IDLE_US     1000000u

struct adaptive {
    uint32_t most;       /* the limit's upper bound */
    uint32_t patience;   /* times the target wait; 1 */
    atomic_uint limit;   /* now */
    atomic_uint waiting; /* calls that have arrived and not begun */
    atomic_uint samples; /* in this window */
    _Atomic uint64_t sum_us;
    _Atomic uint64_t window_end_us;
};

/** @most  at least 1 */
void adaptive_init(struct adaptive *adaptive, uint32_t most);
/** The target wait grows for methods that may take long: to 1/50 of @deadline_ms, the default one, from 20 s on. Before
 *  any call. */
void adaptive_set_deadline(struct adaptive *adaptive, uint32_t deadline_ms);
/** Takes a place among the waiting calls; false when all are taken. Any thread. */
bool adaptive_enter(struct adaptive *adaptive, uint64_t now_us);
/** Releases the place of a call that will not begin; adds no sample. Any thread. */
void adaptive_leave(struct adaptive *adaptive);
/** Releases the place of a call that begins, and adds @waited_us as a sample. Any thread. */
void adaptive_begin(struct adaptive *adaptive, uint64_t waited_us, uint64_t now_us);
/** The limit after a window with a mean wait of @mean_us. Pure. */
uint32_t adaptive_next_limit(uint32_t limit, uint64_t mean_us, uint32_t most);

#endif
