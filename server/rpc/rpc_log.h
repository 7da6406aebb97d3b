#ifndef HERALD_RPC_RPC_LOG_H
#define HERALD_RPC_RPC_LOG_H

#include "server/runtime/log.h"

/* What the RPC front and server_main() log. */
#define RPC_LOG(X)                                                                                                     \
    X(LOG_SERVER_STARTING, LOG_INFO, "server.starting", "The program starts.")                                         \
    X(LOG_SERVER_LISTENING, LOG_INFO, "server.listening", "The server takes calls at this URL.")                       \
    X(LOG_SERVER_DRAINING, LOG_INFO, "server.draining", "A signal came; no new calls are taken.")                      \
    X(LOG_SERVER_DRAIN_CUT, LOG_WARNING, "server.drain_cut", "The drain time is over; running calls are cancelled.")   \
    X(LOG_SERVER_CLOSE_GIVEN_UP, LOG_WARNING, "server.close_given_up",                                                 \
      "The messaging library hangs while closing; the program ends without it.")                                       \
    X(LOG_SERVER_STOPPED, LOG_INFO, "server.stopped", "The program ends.")                                             \
    X(LOG_COMPONENT_DOWN, LOG_WARNING, "component.down", "Something that services need does not work.")                \
    X(LOG_COMPONENT_UP, LOG_INFO, "component.up", "Something that services need works.")                               \
    X(LOG_RPC_CALL, LOG_DEBUG, "rpc.call", "A call ended.")                                                            \
    X(LOG_RPC_CALL_FAILED, LOG_WARNING, "rpc.call_failed", "A call ended with an error that is not the caller's.")     \
    X(LOG_CALLERS_RELOADED, LOG_INFO, "auth.callers_reloaded", "The callers file changed and is in force.")            \
    X(LOG_CALLERS_REFUSED, LOG_ERROR, "auth.callers_refused",                                                          \
      "The callers file changed and is not good: what was read before stays in force.")                                \
    X(LOG_LEVEL_CHANGED, LOG_WARNING, "log.level_changed", "Somebody changed how much is logged.")                     \
    X(LOG_FAILPOINT_SET, LOG_WARNING, "failpoint.set", "Somebody set a failpoint.")                                    \
    X(LOG_LISTENER_SILENT, LOG_WARNING, "listener.silent", "A listener did not answer the server's own call.")         \
    X(LOG_DESCRIPTORS_SPENT, LOG_WARNING, "descriptors.spent",                                                         \
      "The process has no descriptor left (ulimit -n): new connections wait until others are closed.")                 \
    X(LOG_LISTENER_UNWATCHED, LOG_ERROR, "listener.unwatched",                                                         \
      "The messaging library hangs when connections are closed (nng#1813): calls are served, but closed connections "  \
      "keep their descriptors and a dead listener is not seen. The server replaces itself.")                           \
    X(LOG_SERVER_REPLACING, LOG_WARNING, "server.replacing",                                                           \
      "The calls under way have ended; the program begins anew in the same process.")                                  \
    X(LOG_LISTENER_REOPENED, LOG_WARNING, "listener.reopened", "A listener that took no connections listens again.")   \
    X(LOG_LISTENER_REOPEN_FAILED, LOG_ERROR, "listener.reopen_failed", "A listener that died cannot be opened again.")

LOG_EVENTS_DECLARE(RPC_LOG)

/** All of them, NULL-terminated, for --log-events. */
extern const struct log_event *const rpc_log_events[];

#endif
