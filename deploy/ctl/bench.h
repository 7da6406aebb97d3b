#ifndef HERALD_CTL_BENCH_H
#define HERALD_CTL_BENCH_H

/* The results that bench.c measures and bench_report.c prints. */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/histogram.h"
#include "herald/client.h"

#include <stdbool.h>
#include <stdio.h>

#define BENCH_CODES      (HERALD_OUTCOME_UNKNOWN + 1)
#define BENCH_OUTCOMES   (HERALD_MAYBE_EXECUTED + 1)
#define BENCH_ERRORS_MAX 32

/** Calls that ended with an error of one code and reason. */
struct bench_error {
    enum herald_code code;
    char reason[64]; /* as in struct herald_error */
    uint64_t count;
};

struct bench_plan {
    const struct herald_method_schema *method;
    const char *url;
    double rate;          /* 0: a closed loop of @concurrency */
    uint32_t concurrency; /* in a closed loop */
    uint32_t connections;
    uint32_t count; /* 0: for @duration_ms */
    uint32_t duration_ms, warm_up_ms;
};

struct bench_result {
    struct histogram latency; /* of all calls that ended, from the scheduled start of each */
    _Atomic uint64_t codes[BENCH_CODES], outcomes[BENCH_OUTCOMES];
    _Atomic uint64_t last_end_us; /* since the measurement began */
    _Atomic uint64_t unfinished;  /* abandoned after an interruption */
    bool interrupted;
    struct bench_error errors[BENCH_ERRORS_MAX]; /* in the order they were first seen; more kinds are not kept */
    size_t error_count;
};

void bench_report_table(const struct bench_plan *plan, const struct bench_result *result, FILE *out);
void bench_report_json(const struct bench_plan *plan, const struct bench_result *result, FILE *out);
/**
 * The exit status of a measurement.
 *
 * Returns: CTL_OK: calls were measured, and all were OK | CTL_NOT_SENT: no server saw any | CTL_MAYBE: none was
 *          answered | CTL_FAILED: all other results
 */
enum ctl_exit bench_report_status(const struct bench_result *result);

#endif
