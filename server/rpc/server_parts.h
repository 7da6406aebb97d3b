#ifndef HERALD_RPC_SERVER_PARTS_H
#define HERALD_RPC_SERVER_PARTS_H

/*
 * The parts of a server that a call passes, for arrival.c, dispatch.c, rpc_call.c and serve.c, and for the operators'
 * services. server.c fills them. State that several threads change is atomic or has a lock of its own; the rest does
 * not change once the server listens.
 */
#include "server/rpc/envelope.h"
#include "server/rpc/in_flight.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/limits.h"
#include "server/rpc/loops.h"
#include "server/rpc/places.h"
#include "server/rpc/registry.h"
#include "server/rpc/signature.h"

struct auth;
struct gauge_source;

struct server_parts {
    char name[64];
    struct rpc_limits limits;
    struct envelope_schemas schemas;
    struct registry registry;
    struct in_flight in_flight;
    struct caller_counts callers;
    struct rpc_loops loops;
    struct interceptors interceptors;
    struct auth *auth; /* NULL before rpc_server_secure() */
    struct rpc_signature_taker signatures;
    struct gauge_source *gauges; /* the first one; server/inspect/gauges.h */
};

#endif
