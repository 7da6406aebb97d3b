#ifndef HERALD_INSPECT_INTROSPECTION_H
#define HERALD_INSPECT_INTROSPECTION_H

#include "herald/error.h"

#include <stdint.h>

struct recent;
struct rpc_server;

/** The objects that the service shows. */
struct introspection {
    struct rpc_server *server;
    struct recent *recent;
    int64_t started_wall_us;
};

/** Adds herald.rpc.v1.Introspection to a server. @introspection  outlives it. Returns: as rpc_server_add() */
enum herald_code introspection_service_add(struct rpc_server *server, struct introspection *introspection,
                                           struct herald_error *reterr);

#endif
