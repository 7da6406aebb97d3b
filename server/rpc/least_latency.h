#ifndef HERALD_RPC_LEAST_LATENCY_H
#define HERALD_RPC_LEAST_LATENCY_H

/*
 * A method's least recent latency: a call with less time left than that cannot succeed. It is the minimum over two
 * windows, the present one and the one before, so a sample counts for one to two windows. A method that has become
 * faster lowers it at once; one that has become slower raises it after that time.
 *
 * Several loops may add samples at once. A race at a window's end loses one sample at most.
 */
#include <stdatomic.h>
#include <stdint.h>

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

/** Adds a call that succeeded in @latency_us. Any thread. */
void least_latency_note(struct least_latency *least, uint64_t latency_us, uint64_t now_us);
/** The least latency; 0 while the two windows have fewer than LEAST_LATENCY_SAMPLES_MIN samples. Any thread. */
uint64_t least_latency_us(const struct least_latency *least, uint64_t now_us);

#endif
