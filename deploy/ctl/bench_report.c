/* Prints the results of bench as a table or as JSON. */
#include "deploy/ctl/bench.h"
#include "deploy/ctl/clean.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text, *json;
    double quantile;
} QUANTILES[] = {{"p50", "p50", 0.5}, {"p90", "p90", 0.9}, {"p99", "p99", 0.99}, {"p99.9", "p999", 0.999}};
#define QUANTILE_COUNT (sizeof(QUANTILES) / sizeof(QUANTILES[0]))

static double seconds_measured(const struct bench_result *result) {
    return (double)result->last_end_us / 1e6;
}

static double calls_per_second(const struct bench_result *result) {
    double seconds = seconds_measured(result);
    return seconds > 0 ? (double)result->latency.count / seconds : 0;
}

static void print_plan(const struct bench_plan *plan, FILE *out) {
    fprintf(out, "%s on %s\n", plan->method->full_name, plan->url);
    if (plan->rate > 0) {
        fprintf(out, "open loop, %g calls/s", plan->rate);
    } else {
        fprintf(out, "closed loop, %u at once", (unsigned)plan->concurrency);
    }
    fprintf(out, ", %u connection%s, ", (unsigned)plan->connections, plan->connections > 1 ? "s" : "");
    if (plan->count > 0) {
        fprintf(out, "%u calls", (unsigned)plan->count);
    } else {
        fprintf(out, "%g s", plan->duration_ms / 1e3);
    }
    fprintf(out, " after %g s of warm-up\n\n", plan->warm_up_ms / 1e3);
}

static void print_counts(const struct bench_result *result, FILE *out) {
    for (int code = 0; code < BENCH_CODES; code++) {
        if (result->codes[code] > 0) {
            fprintf(out, "  %-20s  %10llu\n", herald_code_name(code), (unsigned long long)result->codes[code]);
        }
    }
    for (int outcome = 0; outcome < BENCH_OUTCOMES; outcome++) {
        if (result->outcomes[outcome] > 0) {
            fprintf(out, "  %-20s  %10llu\n", herald_outcome_name((enum herald_outcome)outcome),
                    (unsigned long long)result->outcomes[outcome]);
        }
    }
    if (result->unfinished > 0) {
        fprintf(out, "  %-20s  %10llu\n", "given up", (unsigned long long)result->unfinished);
    }
}

static int most_first(const void *a, const void *b) {
    const struct bench_error *one = a, *other = b;
    return (one->count < other->count) - (one->count > other->count);
}

static void print_errors(const struct bench_result *result, FILE *out) {
    struct bench_error sorted[BENCH_ERRORS_MAX];
    memcpy(sorted, result->errors, sizeof(sorted));
    qsort(sorted, result->error_count, sizeof(sorted[0]), most_first);
    for (size_t i = 0; i < result->error_count; i++) {
        char kind[128];
        snprintf(kind, sizeof(kind), "%s %s", herald_code_name((int)sorted[i].code), clean_text(sorted[i].reason));
        fprintf(out, "%s  %-46s  %llu\n", i == 0 ? "errors\n" : "", kind, (unsigned long long)sorted[i].count);
    }
}

void bench_report_table(const struct bench_plan *plan, const struct bench_result *result, FILE *out) {
    const struct histogram *latency = &result->latency;
    print_plan(plan, out);
    fprintf(out, "calls     %llu in %.3f s%s\n", (unsigned long long)latency->count, seconds_measured(result),
            result->interrupted ? ", interrupted" : "");
    fprintf(out, "rate      %.1f calls/s\n", calls_per_second(result));
    fputs("ended\n", out);
    print_counts(result, out);
    print_errors(result, out);
    fputs(plan->rate > 0 ? "latency, ms, from when each call should have begun\n" : "latency, ms\n", out);
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        fprintf(out, "  %-20s  %10.3f\n", QUANTILES[i].text,
                (double)histogram_quantile(latency, QUANTILES[i].quantile) / 1e3);
    }
    fprintf(out, "  %-20s  %10.3f\n", "max", (double)latency->max_us / 1e3);
    fprintf(out, "  %-20s  %10.3f\n", "mean", histogram_mean(latency) / 1e3);
}

static json_t *latency_json(const struct histogram *latency) {
    json_t *shown = json_object();
    for (size_t i = 0; i < QUANTILE_COUNT; i++) {
        json_object_set_new(shown, QUANTILES[i].json,
                            json_integer((json_int_t)histogram_quantile(latency, QUANTILES[i].quantile)));
    }
    json_object_set_new(shown, "max", json_integer((json_int_t)latency->max_us));
    json_object_set_new(shown, "mean", json_real(histogram_mean(latency)));
    return shown;
}

static json_t *histogram_json(const struct histogram *latency) {
    json_t *buckets = json_array();
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (latency->counts[i] > 0) {
            json_array_append_new(buckets, json_pack("{s:I, s:I}", "leUs", (json_int_t)histogram_bound(i), "count",
                                                     (json_int_t)latency->counts[i]));
        }
    }
    return buckets;
}

static json_t *counts_json(const _Atomic uint64_t *counts, int count, const char *(*name)(int)) {
    json_t *shown = json_object();
    for (int i = 0; i < count; i++) {
        if (counts[i] > 0) {
            json_object_set_new(shown, name(i), json_integer((json_int_t)counts[i]));
        }
    }
    return shown;
}

static const char *outcome_name(int outcome) {
    return herald_outcome_name((enum herald_outcome)outcome);
}

static json_t *errors_json(const struct bench_result *result) {
    json_t *shown = json_array();
    for (size_t i = 0; i < result->error_count; i++) {
        json_array_append_new(shown, json_pack("{s:s, s:s, s:I}", "code", herald_code_name((int)result->errors[i].code),
                                               "reason", result->errors[i].reason, "count",
                                               (json_int_t)result->errors[i].count));
    }
    return shown;
}

static json_t *plan_json(const struct bench_plan *plan) {
    json_t *shown = json_pack("{s:s, s:s, s:i, s:f}", "method", plan->method->full_name, "url", plan->url,
                              "connections", (int)plan->connections, "warmUpS", plan->warm_up_ms / 1e3);
    if (plan->rate > 0) {
        json_object_set_new(shown, "rate", json_real(plan->rate));
    } else {
        json_object_set_new(shown, "concurrency", json_integer(plan->concurrency));
    }
    if (plan->count > 0) {
        json_object_set_new(shown, "count", json_integer(plan->count));
    } else {
        json_object_set_new(shown, "durationS", json_real(plan->duration_ms / 1e3));
    }
    return shown;
}

void bench_report_json(const struct bench_plan *plan, const struct bench_result *result, FILE *out) {
    json_t *whole = json_pack(
        "{s:o, s:I, s:f, s:f, s:b, s:I, s:o, s:o, s:o, s:o, s:o}", "plan", plan_json(plan), "calls",
        (json_int_t)result->latency.count, "seconds", seconds_measured(result), "callsPerS", calls_per_second(result),
        "interrupted", (int)result->interrupted, "givenUp", (json_int_t)result->unfinished, "codes",
        counts_json(result->codes, BENCH_CODES, herald_code_name), "outcomes",
        counts_json(result->outcomes, BENCH_OUTCOMES, outcome_name), "errors", errors_json(result), "latencyUs",
        latency_json(&result->latency), "histogram", histogram_json(&result->latency));
    clean_print_json(out, whole, JSON_COMPACT);
    json_decref(whole);
}

enum ctl_exit bench_report_status(const struct bench_result *result) {
    uint64_t all = result->latency.count;
    if (all > 0 && result->codes[HERALD_OK] == all) {
        return CTL_OK;
    }
    if (all == 0 || result->outcomes[HERALD_EXECUTED] > 0) {
        return CTL_FAILED;
    }
    return result->outcomes[HERALD_MAYBE_EXECUTED] > 0 ? CTL_MAYBE : CTL_NOT_SENT;
}
