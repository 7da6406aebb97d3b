#include "deploy/ctl/histogram.h"

#include "client/base/minimum.h"

#include <math.h>

#define EXACT      64
#define EXACT_BITS 6
#define STEPS      32
#define STEP_BITS  5

size_t histogram_bucket(uint64_t us) {
    if (us < EXACT) {
        return (size_t)us;
    }
    unsigned exponent = 63u - (unsigned)__builtin_clzll(us); /* the highest bit that is set, at least EXACT_BITS */
    size_t step = (size_t)(us >> (exponent - STEP_BITS)) & (STEPS - 1);
    size_t bucket = EXACT + (size_t)(exponent - EXACT_BITS) * STEPS + step;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bound(size_t bucket) {
    if (bucket < EXACT) {
        return bucket;
    }
    size_t exponent = (bucket - EXACT) / STEPS + EXACT_BITS, step = (bucket - EXACT) % STEPS;
    return ((uint64_t)(STEPS + step + 1) << (exponent - STEP_BITS)) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t us) {
    atomic_fetch_add_explicit(&histogram->counts[histogram_bucket(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, us, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&histogram->max_us, memory_order_relaxed);
    while (us > max && !atomic_compare_exchange_weak_explicit(&histogram->max_us, &max, us, memory_order_relaxed,
                                                              memory_order_relaxed)) {
        continue;
    }
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    uint64_t wanted = (uint64_t)ceil(quantile * (double)histogram->count), seen = 0;
    if (wanted == 0) {
        wanted = 1;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted) {
            return herald_min_u64(histogram_bound(i), histogram->max_us);
        }
    }
    return histogram->max_us;
}

double histogram_mean(const struct histogram *histogram) {
    return histogram->count == 0 ? 0 : (double)histogram->sum_us / (double)histogram->count;
}
