#ifndef HERALD_RPC_RPC_SETTINGS_H
#define HERALD_RPC_RPC_SETTINGS_H

#include "server/settings/part.h"

/* Of rpc.loops. */
#define RPC_LOOPS_MAX 64u

#define RPC_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                               \
    BOOL(rpc, insecure, false, "Allow listening beyond loopback without TLS and authentication.")                      \
    UINT(rpc, max_message_bytes, 262144, 1024, 16777216, "Largest message taken or sent, bytes.")                      \
    UINT(rpc, max_in_flight, 16384, 1, 65536, "Calls at once; more get RESOURCE_EXHAUSTED.")                           \
    UINT(rpc, reserved_for_servers, 12, 0, 90,                                                                         \
         "Share of max_in_flight kept for Herald's servers and operators, where a callers file names them, percent.")  \
    UINT(rpc, waiting_share, 50, 1, 100,                                                                               \
         "Share of the other places that calls of methods that wait (WaitJob) may take, percent; also of one "         \
         "caller's.")                                                                                                  \
    UINT(rpc, anonymous_share, 25, 1, 100,                                                                             \
         "Share of the other places that calls without a credential may take, where a callers file names callers, "    \
         "percent.")                                                                                                   \
    UINT(rpc, spare_contexts, 32, 1, 1024, "Extra receivers that only refuse.")                                        \
    UINT(rpc, arena_bytes, 4194304, 65536, 268435456, "Memory of one call, bytes.")                                    \
    UINT(rpc, loops, 1, SETTING_OR_AUTO, RPC_LOOPS_MAX,                                                                \
         "Loops (threads that run tasks); auto: one for each processor that the process may use.")                     \
    CHOICE(rpc, engine, "nng", "nng|native",                                                                           \
           "What speaks to clients and other servers: nng, on threads of its own, or the loops themselves (native).")  \
    UINT(rpc, drain_ms, 10000, 0, 600000, "Longest wait for running calls at SIGTERM, ms.")                            \
    BOOL(rpc, probes, true, "Answer plain-text probes.")                                                               \
    UINT(rpc, max_connections, 1024, 1, 65536,                                                                         \
         "Connections of a listener at once; one long silent makes way, or more get RESOURCE_EXHAUSTED.")              \
    UINT(rpc, max_in_flight_per_method, 0, 0, 65536, "Calls of one method at once; 0: no limit of its own.")           \
    UINT(rpc, max_in_flight_per_caller, 4096, 0, 65536, "Calls of one caller at once; 0: no limit.")                   \
    UINT(rpc, max_in_flight_per_connection, 0, 0, 65536,                                                               \
         "Calls without a credential of one connection at once; 0: as of one caller, or 3/4 of all without callers "   \
         "file.")                                                                                                      \
    UINT(rpc, max_in_flight_per_server, 0, 0, 65536, "Calls of one of Herald's own servers at once; 0: no limit.")     \
    UINT(rpc, max_queue_ms, 1000, 0, 60000, "Longest wait for a loop before a call is refused, ms; 0: its deadline.")  \
    BOOL(rpc, adaptive_limit, true, "Lower the limit of calls in flight when latency grows.")                          \
    UINT(rpc, slow_call_ms, 1000, 1, 600000, "A longer call is kept for ListRecentCalls as slow, ms.")
SETTINGS_PART(rpc, RPC_SETTINGS)

#endif
