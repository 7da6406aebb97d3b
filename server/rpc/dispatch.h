#ifndef HERALD_RPC_DISPATCH_H
#define HERALD_RPC_DISPATCH_H

#include "server/transport/exchange.h"

/**
 * A server's callbacks for the exchanges of its listeners; their user is its struct server_parts. A thread of nng
 * decides on arrival: the request is refused, answered there (a method that never waits), or posted to the loop with
 * the fewest calls.
 */
extern const struct exchange_ops dispatch_ops;

#endif
