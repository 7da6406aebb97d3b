#ifndef HERALD_GATEWAY_PAGES_H
#define HERALD_GATEWAY_PAGES_H

/* What the gateway answers by itself: its health and metrics, the session, the servers' state, and the static files. */
#include "client/base/task_fn.h"
#include "server/gateway/gateway.h"
#include "server/gateway/response.h"

/** Answers if the path is one of these. Returns: false: it is none, and nothing was answered. Suspends the task. */
TASK_FN bool pages_serve(const struct gateway *gateway, struct request *request, const struct uri_path *path,
                         struct response *response);

#endif
