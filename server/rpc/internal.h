#ifndef HERALD_RPC_INTERNAL_H
#define HERALD_RPC_INTERNAL_H

#include "server/rpc/adaptive.h"
#include "server/rpc/envelope.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/least_latency.h"
#include "server/rpc/server.h"
#include "server/rpc/stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

/*
 * What the files of server/rpc share. A struct rpc_call belongs to its loop's thread. Services and methods do not change
 * once the server listens. Everything that several threads touch is atomic or under a lock of its own.
 */

#define RPC_SERVICES_MAX  32u
#define RPC_LISTENERS_MAX 8u

struct auth;
struct listener;
struct rpc_call;
struct rpc_service;

struct rpc_method {
    const struct herald_method_schema *schema;
    herald_invoke_fn invoke;
    const struct rpc_service *service;
    struct method_stats stats;
    bool passes_limits;    /* see limits.h */
    atomic_uint in_flight; /* counted only where rpc.max_in_flight_per_method is set */
    struct adaptive adaptive;
    struct least_latency least;
    UT_hash_handle hh;
};

struct rpc_service {
    const struct herald_service_schema *schema;
    const void *handlers;
    rpc_self_fn *self;
    void *owner;
    struct rpc_method *methods; /* parallel to schema->methods */
};

struct rpc_loop {
    struct rpc_server *server;
    struct loop *loop;
    atomic_uint in_flight; /* calls posted or running */
    /* On the loop's thread only: */
    struct rpc_call *running;
    struct rpc_call *idle; /* ended calls, kept for reuse */
    unsigned idle_count;
    bool cancelling; /* the drain is over: calls end with UNAVAILABLE */
};

/* Calls in flight of the callers that have proved who they are; their number is bounded by the credentials given out.
 */
struct caller_count;
struct caller_counts {
    pthread_mutex_t lock;
    struct caller_count *table; /* hash by name */
};

struct rpc_limits {
    uint32_t max_message_bytes;
    uint32_t max_in_flight;
    uint32_t spare_contexts;
    uint32_t arena_bytes;
    uint32_t max_connections;
    uint32_t max_in_flight_per_method;
    uint32_t max_in_flight_per_caller;
    uint32_t max_queue_ms;
    bool adaptive;
    bool probes;
    bool insecure;
};

struct rpc_server {
    char name[64];
    struct rpc_limits limits;
    struct rpc_loop *loops;
    unsigned loop_count;
    atomic_uint next_loop;

    struct rpc_service *services[RPC_SERVICES_MAX];
    size_t service_count;
    struct rpc_method *methods; /* hash by full name */
    struct envelope_schemas schemas;
    struct rpc_interceptor interceptors[RPC_INTERCEPTORS_MAX];
    size_t interceptor_count;
    struct caller_counts callers;

    const struct settings *settings; /* not ours */
    struct auth *credentials;        /* who may call what */

    struct listener *listeners[RPC_LISTENERS_MAX];
    atomic_size_t listener_count;   /* grows while the first ones already bring calls */
    struct rpc_companion companion; /* functions NULL: it has none */
    void (*on_hung)(void *user);
    void *on_hung_user;
    atomic_bool hung;

    atomic_uint in_flight;
    atomic_bool draining;
    pthread_mutex_t drain_lock;
    pthread_cond_t drain_changed;
    int64_t started_wall_us;
};

/** Finds a served method. @name  need not be terminated. NULL if there is none. */
struct rpc_method *rpc_server_find(const struct rpc_server *server, const char *name, size_t name_bytes);
/** Takes a place among the calls in flight; false when all are taken. Give it back with rpc_server_leave(). */
bool rpc_server_enter(struct rpc_server *server);
void rpc_server_leave(struct rpc_server *server);
/** State of a service's handlers on a loop. */
void *rpc_service_self(const struct rpc_service *service, unsigned loop_index);

#endif
