#include "server/rpc/registry.h"

#include <stdlib.h>
#include <string.h>

/* The package of the services that every server serves for its operators. */
#define OWN_PACKAGE "herald.rpc.v1."

static void forget_methods(struct registry *registry, struct rpc_service *service, size_t count) {
    for (size_t i = 0; i < count; i++) {
        HASH_DELETE(hh, registry->methods, &service->methods[i]);
    }
}

/* Returns: false: no memory, and nothing was added */
static bool index_methods(struct registry *registry, struct rpc_service *service,
                          const struct herald_service_binding *binding, uint32_t most_waiting) {
    for (size_t i = 0; i < service->schema->method_count; i++) {
        struct rpc_method *method = &service->methods[i];
        method->schema = &service->schema->methods[i];
        method->invoke = binding->invoke[i];
        method->service = service;
        method->own = strncmp(service->schema->full_name, OWN_PACKAGE, strlen(OWN_PACKAGE)) == 0;
        for (unsigned group = 0; group < ADAPTIVE_GROUPS; group++) {
            adaptive_init(&method->adaptive[group], most_waiting);
            adaptive_set_deadline(&method->adaptive[group], method->schema->deadline_ms);
        }
        HASH_ADD_KEYPTR(hh, registry->methods, method->schema->full_name, strlen(method->schema->full_name), method);
        if (!HASH_HAS_ADDED(hh, method)) {
            forget_methods(registry, service, i);
            return false;
        }
    }
    return true;
}

const struct rpc_service *registry_find_service(const struct registry *registry, const char *full_name) {
    for (size_t i = 0; i < registry->service_count; i++) {
        if (strcmp(registry->services[i]->schema->full_name, full_name) == 0) {
            return registry->services[i];
        }
    }
    return NULL;
}

enum herald_code registry_add(struct registry *registry, const struct herald_service_binding *binding,
                              const void *handlers, rpc_self_fn *self, void *owner, uint32_t most_waiting,
                              struct herald_error *reterr) {
    const struct herald_service_schema *schema = binding->schema;
    if (registry_find_service(registry, schema->full_name)) {
        return herald_error_set(reterr, HERALD_REASON_SERVICE_ADDED, "%s is served already", schema->full_name);
    }
    if (registry->service_count == RPC_SERVICES_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_SERVICES,
                                "a server has at most %u services; %s is beyond that", RPC_SERVICES_MAX,
                                schema->full_name);
    }
    struct rpc_service *service = calloc(1, sizeof(*service));
    struct rpc_method *methods = calloc(schema->method_count, sizeof(*methods));
    if (!service || !methods) {
        free(service);
        free(methods);
        return herald_error_no_memory(reterr, "the service %s", schema->full_name);
    }
    *service =
        (struct rpc_service){.schema = schema, .handlers = handlers, .self = self, .owner = owner, .methods = methods};
    if (!index_methods(registry, service, binding, most_waiting)) {
        free(service);
        free(methods);
        return herald_error_no_memory(reterr, "the methods of %s", schema->full_name);
    }
    registry->services[registry->service_count++] = service;
    return HERALD_OK;
}

void registry_fini(struct registry *registry) {
    HASH_CLEAR(hh, registry->methods);
    for (size_t i = 0; i < registry->service_count; i++) {
        free(registry->services[i]->methods);
        free(registry->services[i]);
    }
}

struct rpc_method *registry_find(const struct registry *registry, const char *name, size_t name_bytes) {
    struct rpc_method *method;
    HASH_FIND(hh, registry->methods, name, name_bytes, method);
    return method;
}

void *rpc_service_self(const struct rpc_service *service, unsigned loop_index) {
    return service->self ? service->self(service->owner, loop_index) : service->owner;
}
