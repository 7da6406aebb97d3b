#ifndef HERALD_RPC_STATS_H
#define HERALD_RPC_STATS_H

/*
 * Counters of one method: relaxed atomics, which cost a call next to nothing. A reader may see a call in one counter
 * and not yet in another.
 *
 * Latency buckets grow by a quarter of a power of two, so a bound is at most 25 % above what it bounds.
 */
#include "herald/error.h"

#include <stdatomic.h>
#include <stdint.h>

#define STATS_CODE_COUNT    17u
#define STATS_BUCKET_COUNT  116u
#define STATS_BUCKETS_LIMIT 128u /* max_items of MethodStats.latency */

_Static_assert(STATS_BUCKET_COUNT <= STATS_BUCKETS_LIMIT, "a reply must hold all buckets");

struct method_stats {
    atomic_uint in_flight;
    _Atomic uint64_t codes[STATS_CODE_COUNT];
    _Atomic uint64_t latency[STATS_BUCKET_COUNT];
};

void method_stats_begin(struct method_stats *stats);
/** Counts an ended call. @code  any; counted by its value on the wire */
void method_stats_end(struct method_stats *stats, enum herald_code code, uint64_t latency_us);
/** The bucket that counts @us; the last one counts all above. */
unsigned stats_bucket(uint64_t us);
/** Inclusive upper bound of a bucket. */
uint64_t stats_bucket_bound_us(unsigned bucket);

#endif
