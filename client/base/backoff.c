#include "client/base/backoff.h"

#include "client/base/minimum.h"
#include "client/base/random.h"

uint32_t herald_backoff_bound_ms(uint32_t min_ms, uint32_t max_ms, uint32_t doublings) {
    return (uint32_t)herald_min_u64((uint64_t)min_ms << herald_min_u32(doublings, 32), max_ms);
}

uint32_t herald_backoff_ms(uint32_t min_ms, uint32_t max_ms, uint32_t doublings, uint64_t random) {
    return (uint32_t)(random % ((uint64_t)herald_backoff_bound_ms(min_ms, max_ms, doublings) + 1));
}

uint32_t herald_backoff_failed(struct herald_backoff *backoff) {
    uint32_t wait_ms = herald_backoff_ms(backoff->min_ms, backoff->max_ms, backoff->failures, herald_random());
    backoff->failures += backoff->failures < UINT32_MAX ? 1 : 0;
    return wait_ms;
}

void herald_backoff_succeeded(struct herald_backoff *backoff) {
    backoff->failures = 0;
}
