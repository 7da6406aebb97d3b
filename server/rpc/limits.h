#ifndef HERALD_RPC_LIMITS_H
#define HERALD_RPC_LIMITS_H

#include "server/rpc/rpc_settings.h"

#include <stdbool.h>
#include <stdint.h>

/* A server's limits, from the settings [rpc]. The gates (gates.h) check calls against them. */
struct rpc_limits {
    const char *server_name; /* for the gates' messages; not owned */
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    uint32_t max_strangers; /* of these, calls of strangers: of callers that are neither servers nor operators */
    uint32_t max_waiting;   /* of these, calls of methods that wait */
    uint32_t max_anonymous; /* of max_strangers, calls without a credential */
    uint32_t max_anonymous_waiting; /* of these, calls of methods that wait */
    uint32_t arena_bytes;
    uint32_t max_connections;
    uint32_t max_in_flight_per_method;     /* 0: none */
    uint32_t max_in_flight_per_caller;     /* 0: none */
    uint32_t max_waiting_per_caller;       /* 0: none */
    uint32_t max_in_flight_per_connection; /* of calls without a credential; 0: none */
    uint32_t max_waiting_per_connection;   /* 0: none */
    uint32_t max_in_flight_per_server;     /* of one caller of class server; 0: none */
    uint32_t max_queue_ms;                 /* 0: none */
    bool adaptive;                         /* the calls of a method that wait for a loop are limited: adaptive.h */
    bool knows_callers;                    /* there is a callers file: a credential tells who calls */
    bool probes;
};

/**
 * Computes the limits of a server.
 *
 * @knows_callers  there is a callers file. Without one nobody can be told from a server: none of the places are kept,
 *                 and a connection, which may be a server's, has three quarters of all, unless a setting says otherwise
 */
struct rpc_limits limits_from_settings(const char *server_name, const struct rpc_settings *settings,
                                       bool knows_callers);

#endif
