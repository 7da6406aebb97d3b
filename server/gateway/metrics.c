#include "server/gateway/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Statuses that are counted one by one; others count as their class's first. */
static const unsigned STATUSES[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413,
                                    414, 415, 417, 421, 422, 429, 431, 499, 500, 501, 502, 503, 504, 505};
#define STATUS_COUNT (sizeof(STATUSES) / sizeof(STATUSES[0]))

/* Upper bounds of the latencies' buckets, microseconds. */
static const uint64_t BOUNDS_US[] = {500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
                                     250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};
#define BOUND_COUNT (sizeof(BOUNDS_US) / sizeof(BOUNDS_US[0]))

struct metrics_row {
    _Atomic uint64_t statuses[STATUS_COUNT];
    _Atomic uint64_t buckets[BOUND_COUNT + 1]; /* not cumulative; the last one: longer */
    _Atomic uint64_t sum_us;
};

/* What requests are told apart by besides the route. */
static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};
#define METHOD_COUNT (sizeof(METHODS) / sizeof(METHODS[0]))

struct metrics {
    const struct routes *routes;
    struct metrics_row rows[]; /* METHOD_COUNT for each METRICS_… */
};

static size_t row_count(const struct metrics *metrics) {
    return (METRICS_ROUTE + metrics->routes->count) * METHOD_COUNT;
}

struct metrics *metrics_new(const struct routes *routes) {
    size_t rows = (METRICS_ROUTE + routes->count) * METHOD_COUNT;
    struct metrics *metrics = calloc(1, sizeof(*metrics) + rows * sizeof(metrics->rows[0]));
    if (metrics != NULL) {
        metrics->routes = routes;
    }
    return metrics;
}

void metrics_free(struct metrics *metrics) {
    free(metrics);
}

static size_t status_index(unsigned status) {
    size_t class = 0;
    status = status == 0 ? 499 : status;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (STATUSES[i] == status) {
            return i;
        }
        class = STATUSES[i] / 100 < status / 100 ? i + 1 : class;
    }
    return class < STATUS_COUNT ? class : STATUS_COUNT - 1;
}

static size_t method_index(struct span method) {
    size_t index = 0;
    while (index < METHOD_COUNT - 1 && (method.at == NULL || !span_is(method, METHODS[index]))) {
        index++;
    }
    return index;
}

void metrics_count(struct metrics *metrics, size_t what, struct span method, unsigned status, uint64_t took_us) {
    struct metrics_row *row = &metrics->rows[what * METHOD_COUNT + method_index(method)];
    size_t bucket = 0;
    while (bucket < BOUND_COUNT && took_us > BOUNDS_US[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&row->statuses[status_index(status)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->sum_us, took_us, memory_order_relaxed);
}

/* The labels that name a row. */
static void labels_of(const struct metrics *metrics, size_t row, char ret_labels[160]) {
    size_t what = row / METHOD_COUNT;
    const char *route = what == METRICS_PAGES  ? "pages"
                        : what == METRICS_NONE ? "none"
                                               : metrics->routes->table[what - METRICS_ROUTE].template;
    snprintf(ret_labels, 160, "method=\"%s\",route=\"%s\"", METHODS[row % METHOD_COUNT], route);
}

static uint64_t row_requests(const struct metrics_row *row) {
    uint64_t count = 0;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        count += row->statuses[i];
    }
    return count;
}

static void write_requests(const struct metrics *metrics, FILE *to) {
    fprintf(to, "# HELP herald_http_requests_total Requests that were answered, by route and status.\n"
                "# TYPE herald_http_requests_total counter\n");
    for (size_t row = 0; row < row_count(metrics); row++) {
        char labels[160];
        labels_of(metrics, row, labels);
        for (size_t i = 0; i < STATUS_COUNT; i++) {
            uint64_t count = metrics->rows[row].statuses[i];
            if (count > 0) {
                fprintf(to, "herald_http_requests_total{%s,status=\"%u\"} %" PRIu64 "\n", labels, STATUSES[i], count);
            }
        }
    }
}

static void write_latency(const struct metrics_row *row, const char *labels, FILE *to) {
    uint64_t count = 0;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        count += row->buckets[i];
        fprintf(to, "herald_http_request_duration_seconds_bucket{%s,le=\"%g\"} %" PRIu64 "\n", labels,
                (double)BOUNDS_US[i] / 1e6, count);
    }
    count += row->buckets[BOUND_COUNT];
    fprintf(to, "herald_http_request_duration_seconds_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", labels, count);
    fprintf(to, "herald_http_request_duration_seconds_sum{%s} %.6f\n", labels, (double)row->sum_us / 1e6);
    fprintf(to, "herald_http_request_duration_seconds_count{%s} %" PRIu64 "\n", labels, count);
}

char *metrics_text(const struct metrics *metrics, unsigned connections, unsigned requests) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL) {
        return NULL;
    }
    write_requests(metrics, to);
    fprintf(to, "# HELP herald_http_request_duration_seconds Time from a request's arrival to its answer.\n"
                "# TYPE herald_http_request_duration_seconds histogram\n");
    for (size_t row = 0; row < row_count(metrics); row++) {
        char labels[160];
        if (row_requests(&metrics->rows[row]) > 0) {
            labels_of(metrics, row, labels);
            write_latency(&metrics->rows[row], labels, to);
        }
    }
    fprintf(to,
            "# HELP herald_http_connections Connections now.\n# TYPE herald_http_connections gauge\n"
            "herald_http_connections %u\n"
            "# HELP herald_http_requests_in_flight Requests that wait for their answer.\n"
            "# TYPE herald_http_requests_in_flight gauge\nherald_http_requests_in_flight %u\n",
            connections, requests);
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
