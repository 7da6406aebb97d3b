#ifndef HERALD_BASE_CLOCK_H
#define HERALD_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#if HERALD_FAILPOINTS
/** How far the wall clock is off, µs; NULL: not at all. For tests, and the failpoint clock.wall. Any thread. */
typedef int64_t herald_wall_shift_fn(void);
extern herald_wall_shift_fn *_Atomic herald_wall_shift;
#endif

/** The monotonic clock, µs since an arbitrary moment. It never goes back. Any thread. */
static inline uint64_t herald_monotonic_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/** The wall clock, µs since 1970. It may be set, forwards or back. Any thread. */
static inline int64_t herald_wall_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
#if HERALD_FAILPOINTS
    herald_wall_shift_fn *shift = atomic_load_explicit(&herald_wall_shift, memory_order_relaxed);
    return shift ? now_us + shift() : now_us;
#else
    return now_us;
#endif
}

/** A moment of the monotonic clock in the form that pthread_cond_timedwait() and clock_nanosleep() need. */
static inline struct timespec herald_timespec_of_us(uint64_t monotonic_us) {
    return (struct timespec){.tv_sec = (time_t)(monotonic_us / 1000000u),
                             .tv_nsec = (long)(monotonic_us % 1000000u) * 1000};
}

/** The moment @ms from now on the monotonic clock. */
static inline struct timespec herald_timespec_in_ms(uint32_t ms) {
    return herald_timespec_of_us(herald_monotonic_us() + (uint64_t)ms * 1000u);
}

#endif
