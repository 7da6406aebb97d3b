#ifndef HERALD_CTL_HISTOGRAM_H
#define HERALD_CTL_HISTOGRAM_H

/*
 * A histogram of latencies up to 2^40 µs, exact to 1/32: up to 64 µs each value has its own bucket, beyond that each
 * doubling has 32. Recording is a relaxed atomic addition, so that any number of threads may record at once.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 + (40 - 6) * 32)

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t count, sum_us, max_us;
};

/** Counts a value. One beyond the last bucket counts there. Any thread. */
void histogram_record(struct histogram *histogram, uint64_t us);
/** Least bound such that @quantile (0..1) of the values are at or below it, at most the largest value. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
double histogram_mean(const struct histogram *histogram);
/** Bucket that counts @us, and the largest value that a bucket counts. */
size_t histogram_bucket(uint64_t us);
uint64_t histogram_bound(size_t bucket);

#endif
