#ifndef HERALD_RPC_DISPATCH_H
#define HERALD_RPC_DISPATCH_H

#include "server/transport/listener.h"

/**
 * Decides what becomes of a message: it is refused, answered here (a method that never waits), or posted to the loop
 * with the fewest calls.
 *
 * Context: a thread of nng; never blocks
 */
void rpc_dispatch(struct rpc_exchange *exchange);

#endif
