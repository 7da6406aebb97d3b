#ifndef HERALD_PROCESS_BUILTIN_H
#define HERALD_PROCESS_BUILTIN_H

#include "server/rpc/server.h"
#include "server/settings/settings.h"

/**
 * Adds what every server serves and does for its operators: the services Health, Reflection, Introspection and Calls,
 * the telemetry of all calls, the account of its components' health, and the watchdog of its listeners, which starts
 * with the first of them. Once for a server, before other interceptors are added: so refused calls are seen too.
 *
 * @settings  outlive the server
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED
 * On error: the server is good for rpc_server_free() only
 */
enum herald_code builtin_services_add(struct rpc_server *server, const struct settings *settings,
                                      struct herald_error *reterr);

#endif
