#include "client/base/clock.h"

#include "server/runtime/call.h"
#include "server/runtime/runtime_failpoints.h"

#if HERALD_FAILPOINTS
#define HOUR_US INT64_C(3600000000)

static int64_t wall_shift(void) {
    int64_t behind_us = failpoint_drops(FAILPOINT_CLOCK_WALL) ? HOUR_US : 0;
    return (failpoint_drops(FAILPOINT_CLOCK_AHEAD) ? HOUR_US : 0) - behind_us;
}
#endif

void clock_take_faults(void) {
#if HERALD_FAILPOINTS
    atomic_store(&herald_wall_shift, wall_shift);
#endif
}

uint64_t clock_now_us(void) {
    return herald_monotonic_us();
}

int64_t clock_wall_us(void) {
    return herald_wall_us();
}
