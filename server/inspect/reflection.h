#ifndef HERALD_INSPECT_REFLECTION_H
#define HERALD_INSPECT_REFLECTION_H

#include "server/rpc/server.h"

/** Adds herald.rpc.v1.Reflection to a server. Returns: as rpc_server_add() */
enum herald_code reflection_service_add(struct rpc_server *server, struct herald_error *reterr);

#endif
