#ifndef HERALD_RPC_INTROSPECTION_H
#define HERALD_RPC_INTROSPECTION_H

#include "server/rpc/internal.h"

/** Adds herald.rpc.v1.Introspection to a server. */
enum herald_code introspection_service_add(struct rpc_server *server, struct herald_error *reterr);

#endif
