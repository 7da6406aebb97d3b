#include "client/base/clock.h"

#include "server/runtime/call.h"

uint64_t clock_now_us(void) {
    return herald_monotonic_us();
}

int64_t clock_wall_us(void) {
    return herald_wall_us();
}
