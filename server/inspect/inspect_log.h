#ifndef HERALD_INSPECT_INSPECT_LOG_H
#define HERALD_INSPECT_INSPECT_LOG_H

#include "server/runtime/log.h"

/* What health, telemetry and introspection log. */
#define INSPECT_LOG(X)                                                                                                 \
    X(LOG_COMPONENT_DOWN, LOG_WARNING, "component.down", "Something that services need does not work.")                \
    X(LOG_COMPONENT_UP, LOG_INFO, "component.up", "Something that services need works.")                               \
    X(LOG_COMPONENT_WARNING, LOG_WARNING, "component.warning",                                                         \
      "Something that services need works, and needs a look.")                                                         \
    X(LOG_RPC_CALL, LOG_DEBUG, "rpc.call", "A call ended.")                                                            \
    X(LOG_RPC_CALL_FAILED, LOG_WARNING, "rpc.call_failed", "A call ended with an error that is not the caller's.")     \
    X(LOG_LEVEL_CHANGED, LOG_WARNING, "log.level_changed", "Somebody changed how much is logged.")                     \
    X(LOG_FAILPOINT_SET, LOG_WARNING, "failpoint.set", "Somebody set a failpoint.")

LOG_EVENTS_DECLARE(INSPECT_LOG)

#endif
