#ifndef HERALD_RPC_LEAST_LATENCY_H
#define HERALD_RPC_LEAST_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The least time that a method needed lately: a call with less time left than that cannot succeed. Over two windows,
 * the present one and the one before it, so what is told is between one and two windows old at most; a method that has
 * become faster is believed at once, one that has become slower after that.
 *
 * Several loops may note at once: what a race at a window's end can lose is a single sample.
 */
#define LEAST_LATENCY_WINDOW_US   10000000u
#define LEAST_LATENCY_SAMPLES_MIN 32u

struct latency_window {
    _Atomic uint64_t index; /* the window's number since the clock's beginning */
    _Atomic uint64_t least_us;
    atomic_uint samples;
};

struct least_latency {
    struct latency_window windows[2]; /* that of number n at n % 2 */
};

/** A call took @latency_us and succeeded. Any thread. */
void least_latency_note(struct least_latency *least, uint64_t latency_us, uint64_t now_us);
/** The least latency; 0 when too few calls succeeded lately. Any thread. */
uint64_t least_latency_us(const struct least_latency *least, uint64_t now_us);

#endif
