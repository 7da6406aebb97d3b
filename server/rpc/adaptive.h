#ifndef HERALD_RPC_ADAPTIVE_H
#define HERALD_RPC_ADAPTIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A limit of the calls of one method that wait for a loop, which follows how long they wait.
 *
 * The signal is the time from a call's arrival to the beginning of its handler, and what is limited are the calls in
 * that stretch. Handlers wait on purpose, for minutes some of them: neither how long they take nor how many there are
 * tells whether the server is overloaded. That calls do not get to begin does.
 *
 * Each window of at least ADAPTIVE_WINDOW_US and ADAPTIVE_SAMPLES_MIN calls gives a mean wait. The limit is multiplied
 * by the gradient, target / mean, held within 0.5 and 1, and raised by its square root, which is what probes for room:
 * so it settles where calls wait for about ADAPTIVE_TARGET_US, and a server with room goes back to the most within
 * seconds. It never falls below ADAPTIVE_FLOOR: a server that is mostly idle never refuses a small burst. And a call
 * that finds nobody waiting, ADAPTIVE_IDLE_US after a window should have ended, finds the most: what was measured
 * before a pause says nothing of the load after it.
 */
#define ADAPTIVE_WINDOW_US   100000u
#define ADAPTIVE_SAMPLES_MIN 16u
#define ADAPTIVE_TARGET_US   5000u
#define ADAPTIVE_FLOOR       64u
#define ADAPTIVE_IDLE_US     1000000u

struct adaptive {
    uint32_t most;       /* the limit's upper bound */
    atomic_uint limit;   /* now */
    atomic_uint waiting; /* calls that have arrived and not begun */
    atomic_uint samples; /* in this window */
    _Atomic uint64_t sum_us;
    _Atomic uint64_t window_end_us;
};

/** @most  at least 1 */
void adaptive_init(struct adaptive *adaptive, uint32_t most);
/** Takes a place among the waiting calls; false when all are taken. Any thread. */
bool adaptive_enter(struct adaptive *adaptive, uint64_t now_us);
/** Gives it back without a sample: the call will not begin. Any thread. */
void adaptive_leave(struct adaptive *adaptive);
/** Gives it back: the call begins after @waited_us. Any thread. */
void adaptive_begin(struct adaptive *adaptive, uint64_t waited_us, uint64_t now_us);
/** The limit after a window: @mean_us waited on average. Pure. */
uint32_t adaptive_next_limit(uint32_t limit, uint64_t mean_us, uint32_t most);

#endif
