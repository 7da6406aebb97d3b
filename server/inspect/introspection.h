#ifndef HERALD_INSPECT_INTROSPECTION_H
#define HERALD_INSPECT_INTROSPECTION_H

#include "herald/rpc/v1/introspection.pb-c.h"
#include "server/runtime/task.h"

struct recent;
struct rpc_server;

/** The objects that the service shows. */
struct introspection {
    struct rpc_server *server;
    struct recent *recent;
    int64_t started_wall_us;
};

/** Adds herald.rpc.v1.Introspection to a server. @introspection  outlives it. Returns: as rpc_server_add() */
enum herald_code introspection_service_add(struct rpc_server *server, struct introspection *introspection,
                                           struct herald_error *reterr);

/* The handlers that have files of their own; @self is the struct introspection. */

/**
 * Lists the tasks of all loops; each loop is read on its own thread (introspection_tasks.c).
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "ARENA_FULL", "OUT_OF_MEMORY") | as completion_wait()
 * Context: suspends the task
 */
TASK_FN enum herald_code introspection_list_tasks(void *self, const Herald__Rpc__V1__ListTasksRequest *request,
                                                  Herald__Rpc__V1__ListTasksResponse *response,
                                                  struct herald_error *reterr);

/** Sets the least level that is logged, and logs the change with its caller. Returns: HERALD_OK */
enum herald_code introspection_set_log_level(void *self, const Herald__Rpc__V1__SetLogLevelRequest *request,
                                             Herald__Rpc__V1__SetLogLevelResponse *response,
                                             struct herald_error *reterr);
/** Lists the failpoints. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "ARENA_FULL") */
enum herald_code introspection_list_failpoints(void *self, const Herald__Rpc__V1__ListFailpointsRequest *request,
                                               Herald__Rpc__V1__ListFailpointsResponse *response,
                                               struct herald_error *reterr);
/** Sets a failpoint, and logs the change with its caller. Returns: as failpoint_set() | HERALD_RESOURCE_EXHAUSTED
 *  (reason "ARENA_FULL": the failpoint is set) */
enum herald_code introspection_set_failpoint(void *self, const Herald__Rpc__V1__SetFailpointRequest *request,
                                             Herald__Rpc__V1__SetFailpointResponse *response,
                                             struct herald_error *reterr);

#endif
