#ifndef HERALD_INSPECT_TELEMETRY_H
#define HERALD_INSPECT_TELEMETRY_H

/*
 * The telemetry of a server's calls: three interceptors. They are added before all others, so that they see refused
 * calls too:
 *
 *   trace   makes the call a span of its own, in the caller's trace (W3C Trace Context) or in a new one; the call's own
 *           downstream calls and log lines belong to that span
 *   log     one line for each ended call; a warning if it failed and the caller is not at fault
 *   recent  the last slow and failed calls (Introspection/ListRecentCalls)
 *
 * Counters and latency by method (Introspection/GetStats) are kept by server/rpc itself.
 */
#include "herald/error.h"

#include <stdint.h>

struct recent;
struct rpc_server;

struct telemetry {
    struct recent *recent;
    uint64_t slow_call_us; /* a call that takes this long is kept among the recent ones */
};

/** Adds the three interceptors; @telemetry outlives the server. Returns: as rpc_server_intercept() */
enum herald_code telemetry_add(struct rpc_server *server, struct telemetry *telemetry, struct herald_error *reterr);

#endif
