#ifndef HERALD_INSPECT_TELEMETRY_H
#define HERALD_INSPECT_TELEMETRY_H

#include "herald/error.h"

#include <stdint.h>

/*
 * What a server tells of its calls, as three interceptors. They are added before all others, so that they see every
 * call, the refused ones too:
 *
 *   trace   makes the call a span of its own: the caller's trace goes on (W3C Trace Context), or a new one begins; what
 *           the call asks of other servers, and what it logs, belongs to its span
 *   log     one line for each call that ends, a warning if it failed by no fault of the caller's
 *   recent  the last slow and failed calls (Introspection/ListRecentCalls)
 *
 * Counters and latency by method (Introspection/GetStats) are kept by server/rpc itself.
 */
struct recent;
struct rpc_server;

struct telemetry {
    struct recent *recent;
    uint64_t slow_call_us; /* a call that takes as long is kept among the recent ones */
};

/** Adds the three; @telemetry outlives the server. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED */
enum herald_code telemetry_add(struct rpc_server *server, struct telemetry *telemetry, struct herald_error *reterr);

#endif
