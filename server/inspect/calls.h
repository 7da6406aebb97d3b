#ifndef HERALD_INSPECT_CALLS_H
#define HERALD_INSPECT_CALLS_H

#include "server/rpc/server.h"

/** Adds herald.rpc.v1.Calls to a server. Returns: as rpc_server_add() */
enum herald_code calls_service_add(struct rpc_server *server, struct herald_error *reterr);

#endif
