#include "server/rpc/limits.h"

/* A share of a limit, at least 1; 0 of no limit. */
static uint32_t share_of(uint32_t limit, uint32_t percent) {
    uint32_t share = (uint32_t)((uint64_t)limit * percent / 100);
    return limit > 0 && share == 0 ? 1 : share;
}

static uint32_t connection_limit_of(const struct rpc_settings *settings, bool knows_callers) {
    if (settings->rpc_max_in_flight_per_connection > 0) {
        return settings->rpc_max_in_flight_per_connection;
    }
    return knows_callers ? settings->rpc_max_in_flight_per_caller : share_of(settings->rpc_max_in_flight, 75);
}

struct rpc_limits limits_from_settings(const char *server_name, const struct rpc_settings *settings,
                                       bool knows_callers) {
    uint32_t kept = knows_callers ? settings->rpc_reserved_for_servers : 0;
    uint32_t strangers = share_of(settings->rpc_max_in_flight, 100 - kept);
    uint32_t anonymous = knows_callers ? share_of(strangers, settings->rpc_anonymous_share) : strangers;
    uint32_t per_connection = connection_limit_of(settings, knows_callers), waiting = settings->rpc_waiting_share;
    return (struct rpc_limits){
        .server_name = server_name,
        .max_message_bytes = settings->rpc_max_message_bytes,
        .max_in_flight = settings->rpc_max_in_flight,
        .max_strangers = strangers,
        .max_waiting = share_of(strangers, waiting),
        .max_anonymous = anonymous,
        .max_anonymous_waiting = share_of(anonymous, waiting),
        .arena_bytes = settings->rpc_arena_bytes,
        .max_connections = settings->rpc_max_connections,
        .max_in_flight_per_method = settings->rpc_max_in_flight_per_method,
        .max_in_flight_per_caller = settings->rpc_max_in_flight_per_caller,
        .max_waiting_per_caller = share_of(settings->rpc_max_in_flight_per_caller, waiting),
        .max_in_flight_per_connection = per_connection,
        .max_waiting_per_connection = share_of(per_connection, waiting),
        .max_in_flight_per_server = settings->rpc_max_in_flight_per_server,
        .max_queue_ms = settings->rpc_max_queue_ms,
        .adaptive = settings->rpc_adaptive_limit,
        .knows_callers = knows_callers,
        .probes = settings->rpc_probes,
    };
}
