#ifndef HERALD_GATEWAY_METRICS_H
#define HERALD_GATEWAY_METRICS_H

/* Counts requests by route, method and status, and their latencies; written as Prometheus reads them. Any thread. */
#include "server/gateway/routes.h"
#include "server/runtime/arena.h"

struct metrics;

/** What is counted besides the routes of the table. */
#define METRICS_PAGES 0u /* own pages: the console, health, documents */
#define METRICS_NONE  1u /* no route */
#define METRICS_ROUTE 2u /* + the route's index */

/** Returns: NULL: no memory. @routes  outlives it */
struct metrics *metrics_new(const struct routes *routes);
/** NULL is allowed. */
void metrics_free(struct metrics *metrics);
/** Counts an answer. @what  METRICS_…  @method  as it was sent; at NULL: not read  @status  of HTTP; 0: the peer had gone */
void metrics_count(struct metrics *metrics, size_t what, struct span method, unsigned status, uint64_t took_us);
/** The text for Prometheus, NUL-terminated; NULL: no memory. Free it with free(). */
char *metrics_text(const struct metrics *metrics, unsigned connections, unsigned requests);

#endif
