#ifndef HERALD_PROCESS_BUILTIN_H
#define HERALD_PROCESS_BUILTIN_H

#include "server/rpc/server.h"
#include "server/settings/settings.h"

/**
 * Adds the parts that every server has for its operators: the services Health, Reflection, Introspection and Calls;
 * telemetry of all calls; health of its components; a watchdog of its listeners, which starts with the first of them.
 * Call it once, before other interceptors are added, so that the telemetry sees refused calls too.
 *
 * @settings  outlive the server
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY", "TOO_MANY_INTERCEPTORS",
 *           "TOO_MANY_SERVICES")
 * On error: only rpc_server_free() may be called on the server
 */
enum herald_code builtin_services_add(struct rpc_server *server, const struct settings *settings,
                                      struct herald_error *reterr);

#endif
