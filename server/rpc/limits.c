#include "server/rpc/limits.h"

struct rpc_limits limits_from_settings(const char *server_name, const struct rpc_settings *settings) {
    return (struct rpc_limits){
        .server_name = server_name,
        .max_message_bytes = settings->rpc_max_message_bytes,
        .max_in_flight = settings->rpc_max_in_flight,
        .arena_bytes = settings->rpc_arena_bytes,
        .max_connections = settings->rpc_max_connections,
        .max_in_flight_per_method = settings->rpc_max_in_flight_per_method,
        .max_in_flight_per_caller = settings->rpc_max_in_flight_per_caller,
        .max_queue_ms = settings->rpc_max_queue_ms,
        .adaptive = settings->rpc_adaptive_limit,
        .probes = settings->rpc_probes,
    };
}
