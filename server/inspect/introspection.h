#ifndef HERALD_INSPECT_INTROSPECTION_H
#define HERALD_INSPECT_INTROSPECTION_H

#include "herald/rpc/v1/introspection.pb-c.h"
#include "server/runtime/task.h"

struct recent;
struct rpc_server;

/** What the service looks at. */
struct introspection {
    struct rpc_server *server;
    struct recent *recent;
    int64_t started_wall_us;
};

/** Adds herald.rpc.v1.Introspection to a server. @introspection  outlives it. Returns: as rpc_server_add() */
enum herald_code introspection_service_add(struct rpc_server *server, struct introspection *introspection,
                                           struct herald_error *reterr);

/* The handlers in files of their own; @self is the struct introspection. */

/** introspection_tasks.c: gathers from each loop on its own thread. */
TASK_FN enum herald_code introspection_list_tasks(void *self, const Herald__Rpc__V1__ListTasksRequest *request,
                                                  Herald__Rpc__V1__ListTasksResponse *response,
                                                  struct herald_error *reterr);

/* introspection_control.c: what changes a running server; each leaves a line in the log that says who did it. */
enum herald_code introspection_set_log_level(void *self, const Herald__Rpc__V1__SetLogLevelRequest *request,
                                             Herald__Rpc__V1__SetLogLevelResponse *response,
                                             struct herald_error *reterr);
enum herald_code introspection_list_failpoints(void *self, const Herald__Rpc__V1__ListFailpointsRequest *request,
                                               Herald__Rpc__V1__ListFailpointsResponse *response,
                                               struct herald_error *reterr);
enum herald_code introspection_set_failpoint(void *self, const Herald__Rpc__V1__SetFailpointRequest *request,
                                             Herald__Rpc__V1__SetFailpointResponse *response,
                                             struct herald_error *reterr);

#endif
