#ifndef HERALD_INSPECT_HEALTH_H
#define HERALD_INSPECT_HEALTH_H

/*
 * Health: the state of components (database, redis, kafka, other servers), and which service needs which. The code that
 * watches a component reports it with health_set(); Health/Check reads it from memory.
 */
#include "herald/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define HEALTH_COMPONENTS_MAX 16u
#define HEALTH_NEEDS_MAX      64u
#define HEALTH_LOOPS_MAX      64u /* as rpc.loops */

struct rpc_server;
struct server_parts;

/* A component as one loop sees it. */
struct health_view {
    char message[256];
    bool reported, serving;
};

struct health_component {
    char name[64];
    char message[256]; /* why it does not serve; while it does: what somebody should look at, or empty */
    bool serving;
    bool logged; /* the present state has been logged */
    struct health_view views[HEALTH_LOOPS_MAX];
};

struct health_need {
    const char *service; /* full name; static */
    unsigned component;  /* index */
};

struct health {
    const struct server_parts *parts; /* of the server whose services need the components */
    pthread_mutex_t lock;
    struct health_component components[HEALTH_COMPONENTS_MAX];
    unsigned component_count;
    struct health_need needs[HEALTH_NEEDS_MAX];
    unsigned need_count;
};

/**
 * The tables have room for more components and loops than a server has: the pages that none of them needs stay untouched.
 *
 * @health  in memory that is all zero
 * @parts   of the server whose services need the components
 */
void health_init(struct health *health, const struct server_parts *parts);
void health_fini(struct health *health);
/** Declares that @service, which is static, needs @component.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_COMPONENTS": components or needs) */
enum herald_code health_need(struct health *health, const char *service, const char *component,
                             struct herald_error *reterr);
/**
 * Reports a component. Logs component.up, component.down and component.warning, once for each change. Any thread.
 *
 * @message  why it does not serve; or, while it does, what somebody should look at. NULL: nothing is known
 */
void health_set(struct health *health, const char *component, bool serving, const char *message);
/**
 * Reports a component of which each loop has its own, such as a pool of connections. It serves when it does on each of the
 * server's loops; its message is that of the first loop that has one to tell. All loops report; none reports the whole.
 */
void health_set_on_loop(struct health *health, const char *component, unsigned loop_index, bool serving,
                        const char *message);
/** Logs the components that do not serve and were not logged yet. Any thread. */
void health_log_missing(struct health *health);
/** True when all components that @service needs serve. */
bool health_service_serves(struct health *health, const char *service);

/** Adds herald.rpc.v1.Health to a server. @health  outlives it. Returns: as rpc_server_add() */
enum herald_code health_service_add(struct rpc_server *server, struct health *health, struct herald_error *reterr);

#endif
