#ifndef HERALD_INSPECT_TELEMETRY_H
#define HERALD_INSPECT_TELEMETRY_H

#include "herald/error.h"

/*
 * What a server knows of its calls, as three interceptors: traces, logs and metrics. They come before all others, so
 * that they see every call, the refused ones too.
 */
struct rpc_server;

/**
 * Adds them, in this order:
 *
 *   trace    makes the call a span of its own: the trace goes on that the caller began (W3C Trace Context), or a new
 * one begins; what the call asks of other servers, and what it logs, belongs to its span log      one line for each
 * call that ends, a warning if it failed by no fault of the caller's metrics  counters and latency by method
 * (Introspection/GetStats), the last slow and failed calls (ListRecentCalls)
 */
enum herald_code rpc_telemetry_add(struct rpc_server *server, struct herald_error *reterr);

#endif
