#ifndef HERALD_RPC_RPC_LOG_H
#define HERALD_RPC_RPC_LOG_H

#include "server/runtime/log.h"

/* What the RPC server logs. */
#define RPC_LOG(X)                                                                                                     \
    X(LOG_SERVER_LISTENING, LOG_INFO, "server.listening", "The server takes calls at this URL.")                       \
    X(LOG_SERVER_DRAIN_CUT, LOG_WARNING, "server.drain_cut", "The drain time is over; running calls are cancelled.")   \
    X(LOG_CALLERS_RELOADED, LOG_INFO, "auth.callers_reloaded", "The callers file changed and is in force.")            \
    X(LOG_CALLERS_REFUSED, LOG_ERROR, "auth.callers_refused",                                                          \
      "The callers file changed and is not good: what was read before stays in force.")

LOG_EVENTS_DECLARE(RPC_LOG)

#endif
