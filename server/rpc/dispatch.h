#ifndef HERALD_RPC_DISPATCH_H
#define HERALD_RPC_DISPATCH_H

#include "server/transport/exchange.h"

/**
 * What a server does with the exchanges of its listeners; their user is its struct server_parts. On arrival it decides on
 * the thread of nng what becomes of a request: it is refused, answered there (a method that never waits), or posted to
 * the loop with the fewest calls.
 */
extern const struct exchange_ops dispatch_ops;

#endif
