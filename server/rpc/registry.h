#ifndef HERALD_RPC_REGISTRY_H
#define HERALD_RPC_REGISTRY_H

/*
 * The services of a server, and its methods by name. Neither changes once the server listens, so any thread may read
 * them. The counters of a method are atomic.
 */
#include "herald/error.h"
#include "herald/service.h"
#include "server/rpc/adaptive.h"
#include "server/rpc/least_latency.h"
#include "server/rpc/stats.h"
#include "server/runtime/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define RPC_SERVICES_MAX 32u

/** State of a service's handlers on one loop. */
typedef void *rpc_self_fn(void *owner, unsigned loop_index);

/* Whose calls wait for a loop. Each group has an adaptive limit of its own, so that one does not take the others' places. */
enum adaptive_group {
    ADAPTIVE_ANONYMOUS, /* calls without a credential; without a callers file, all calls */
    ADAPTIVE_SIGNED,    /* calls with a credential, which nobody has checked yet */
    ADAPTIVE_KEPT, /* of these, calls that name the key of a server or operator, where the others' places are taken */
    ADAPTIVE_GROUPS
};

struct rpc_method {
    const struct herald_method_schema *schema;
    herald_invoke_fn invoke;
    const struct rpc_service *service;
    /** The method is one of herald.rpc.v1, which operators need when a server is overloaded. The limits of methods and
     *  callers do not apply to it, nor do failpoints. */
    bool own;
    struct method_stats stats;
    atomic_uint in_flight; /* counted only where rpc.max_in_flight_per_method is set */
    struct adaptive adaptive[ADAPTIVE_GROUPS];
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

struct registry {
    struct rpc_service *services[RPC_SERVICES_MAX];
    size_t service_count;
    struct rpc_method *methods; /* hash by full name */
};

/**
 * Adds a service.
 *
 * @self          NULL: @owner is the state of its handlers on every loop
 * @most_waiting  upper bound of each method's adaptive limits (adaptive.h)
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (reason "SERVICE_ADDED") | HERALD_RESOURCE_EXHAUSTED (reason
 *          "TOO_MANY_SERVICES", "OUT_OF_MEMORY")
 */
enum herald_code registry_add(struct registry *registry, const struct herald_service_binding *binding,
                              const void *handlers, rpc_self_fn *self, void *owner, uint32_t most_waiting,
                              struct herald_error *reterr);
/** Frees the services. */
void registry_fini(struct registry *registry);
/** Finds a method. @name  need not be terminated. NULL if there is none. */
struct rpc_method *registry_find(const struct registry *registry, const char *name, size_t name_bytes);
/** Finds a service by its full name; NULL if there is none. */
const struct rpc_service *registry_find_service(const struct registry *registry, const char *full_name);
/** State of a service's handlers on a loop. */
void *rpc_service_self(const struct rpc_service *service, unsigned loop_index);

#endif
