#ifndef HERALD_GATEWAY_SERVERS_PAGE_H
#define HERALD_GATEWAY_SERVERS_PAGE_H

/* What the servers behind the gateway say of themselves; each is asked, all at once. */
#include "client/base/task_fn.h"
#include "server/gateway/gateway.h"
#include "server/gateway/response.h"

/** Answers /readyz: 200 while each service has a server that serves, else 503. Names and states only. */
TASK_FN void serve_readyz(const struct gateway *gateway, struct request *request, struct response *response);
/** Answers /api/servers: health, calls, latency and recent calls of each server. Where callers are checked, to operators
 *  only. */
TASK_FN void serve_servers(const struct gateway *gateway, struct request *request, struct response *response);

#endif
