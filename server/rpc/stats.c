#include "server/rpc/stats.h"

/* Buckets 0..3 bound 1, 2, 3 and 4 µs; then four steps to each doubling: 5, 6, 7, 8, 10, 12, 14, 16, 20, … */
unsigned stats_bucket(uint64_t us) {
    if (us <= 4) {
        return us <= 1 ? 0 : (unsigned)us - 1;
    }
    /* us - 1 lies in [2^k, 2^(k+1)): the two bits under the leading one choose the step. */
    unsigned k = 63u - (unsigned)__builtin_clzll(us - 1);
    unsigned step = (unsigned)((us - 1) >> (k - 2)) & 3u;
    unsigned bucket = 4 + (k - 2) * 4 + step;
    return bucket < STATS_BUCKET_COUNT ? bucket : STATS_BUCKET_COUNT - 1;
}

uint64_t stats_bucket_bound_us(unsigned bucket) {
    if (bucket < 4) {
        return bucket + 1;
    }
    unsigned k = (bucket - 4) / 4 + 2;
    uint64_t step = (bucket - 4) % 4;
    return (5 + step) << (k - 2);
}

void method_stats_begin(struct method_stats *stats) {
    atomic_fetch_add_explicit(&stats->in_flight, 1, memory_order_relaxed);
}

void method_stats_end(struct method_stats *stats, enum herald_code code, uint64_t latency_us) {
    unsigned number = (unsigned)herald_code_to_wire(code);
    if (number >= STATS_CODE_COUNT) {
        number = HERALD_UNKNOWN;
    }
    atomic_fetch_add_explicit(&stats->codes[number], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->latency[stats_bucket(latency_us)], 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&stats->in_flight, 1, memory_order_relaxed);
}
