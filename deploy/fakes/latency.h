#ifndef HERALD_FAKES_LATENCY_H
#define HERALD_FAKES_LATENCY_H

/* How long a fake channel takes to answer: a distribution of times, read from and written as JSON. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_LATENCY_MAX_MS 600000
#define FAKE_LATENCY_POINTS 8

enum fake_latency_kind {
    FAKE_LATENCY_USUAL,       /* the usual time of the channel and step */
    FAKE_LATENCY_FIXED,       /* low_ms */
    FAKE_LATENCY_UNIFORM,     /* low_ms to high_ms */
    FAKE_LATENCY_EXPONENTIAL, /* mean low_ms, at most FAKE_LATENCY_MAX_MS */
    FAKE_LATENCY_PERCENTILES, /* straight lines from 0 % at 0 ms through the points; flat after the last */
};

struct fake_latency {
    enum fake_latency_kind kind;
    uint32_t low_ms, high_ms;
    unsigned point_count;
    struct {
        double percent;
        uint32_t ms;
    } points[FAKE_LATENCY_POINTS];
};

/**
 * Reads the member "latency", one of
 *   {"ms": 20}, {"minMs": 10, "maxMs": 50}, {"meanMs": 80}, {"percentiles": {"50": 20, "99": 400}}
 *
 * Returns: NULL, or what is wrong (static)
 */
const char *fake_latency_read(const json_t *json, struct fake_latency *ret_latency);
/** The form that fake_latency_read() reads. FAKE_LATENCY_USUAL: NULL. */
json_t *fake_latency_write(const struct fake_latency *latency);
/** A time by the distribution. @share  0..1, uniform: the random part. @usual_ms  of FAKE_LATENCY_USUAL */
uint32_t fake_latency_at(const struct fake_latency *latency, double share, uint32_t usual_ms);

#endif
