#include "server/inspect/health.h"

#include "herald/rpc/v1/health.server.h"
#include "server/inspect/inspect_log.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server.h"
#include "server/rpc/server_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char NOT_YET[] = "not connected yet";

void health_init(struct health *health, const struct server_parts *parts) {
    health->parts = parts;
    pthread_mutex_init(&health->lock, NULL);
}

void health_fini(struct health *health) {
    pthread_mutex_destroy(&health->lock);
}

/* Index of the component with that name; component_count when there is none. */
static unsigned find_component_locked(const struct health *health, const char *name) {
    unsigned i = 0;
    while (i < health->component_count && strcmp(health->components[i].name, name) != 0) {
        i++;
    }
    return i;
}

static enum herald_code need_locked(struct health *health, const char *service, const char *component,
                                    struct herald_error *reterr) {
    unsigned index = find_component_locked(health, component);
    if (health->need_count == HEALTH_NEEDS_MAX || index == HEALTH_COMPONENTS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_COMPONENTS,
                                "a server has at most %u components and %u needs; %s of %s is beyond that",
                                HEALTH_COMPONENTS_MAX, HEALTH_NEEDS_MAX, component, service);
    }
    if (index == health->component_count) {
        struct health_component *added = &health->components[health->component_count++];
        snprintf(added->name, sizeof(added->name), "%s", component);
        snprintf(added->message, sizeof(added->message), "%s", NOT_YET);
    }
    health->needs[health->need_count++] = (struct health_need){.service = service, .component = index};
    return HERALD_OK;
}

enum herald_code health_need(struct health *health, const char *service, const char *component,
                             struct herald_error *reterr) {
    pthread_mutex_lock(&health->lock);
    enum herald_code code = need_locked(health, service, component, reterr);
    pthread_mutex_unlock(&health->lock);
    return code;
}

/* What is logged of a component. */
struct component_line {
    char name[64], message[256];
    bool serving;
};

static struct component_line line_of(const struct health_component *component) {
    struct component_line line = {.serving = component->serving};
    memcpy(line.name, component->name, sizeof(line.name));
    memcpy(line.message, component->message, sizeof(line.message));
    return line;
}

static void log_component(const struct component_line *component) {
    if (component->serving && component->message[0]) {
        log_emit(&LOG_COMPONENT_WARNING, log_str("component", component->name), log_str("why", component->message),
                 LOG_END);
    } else if (component->serving) {
        log_emit(&LOG_COMPONENT_UP, log_str("component", component->name), LOG_END);
    } else {
        log_emit(&LOG_COMPONENT_DOWN, log_str("component", component->name), log_str("why", component->message),
                 LOG_END);
    }
}

static const char *told_of(bool serving, const char *message) {
    return message ? message : serving ? "" : "does not answer";
}

/* Sets the state of a component. Returns whether it is to be logged. */
static bool set_locked(struct health_component *known, bool serving, const char *told) {
    bool warns = serving && told[0] && strncmp(known->message, told, sizeof(known->message) - 1) != 0;
    bool changed = known->serving != serving || !known->logged || warns;
    known->serving = serving;
    known->logged = true;
    snprintf(known->message, sizeof(known->message), "%s", told);
    return changed;
}

/* Joins what the loops see: that of the first loop on which it does not serve, else of the first that has something to
 * tell. NULL: not all loops have reported yet. */
static const struct health_view *join_views(const struct health_view *views, unsigned count) {
    const struct health_view *telling = NULL;
    bool all_reported = true;
    for (unsigned i = 0; i < count; i++) {
        if (views[i].reported && !views[i].serving) {
            return &views[i];
        }
        all_reported = all_reported && views[i].reported;
        telling = !telling && views[i].message[0] ? &views[i] : telling;
    }
    return !all_reported ? NULL : telling ? telling : &views[0];
}

/* Finds a component that rpc_server_need() has declared. NULL: there is none, a bug. */
static struct health_component *known_locked(struct health *health, const char *component) {
    unsigned index = find_component_locked(health, component);
    assert(index < health->component_count);
    return index < health->component_count ? &health->components[index] : NULL;
}

/* Logs the state that it leaves, if @changed. */
static void unlock_and_log(struct health *health, const struct health_component *known, bool changed) {
    struct component_line line;
    if (changed) {
        line = line_of(known);
    }
    pthread_mutex_unlock(&health->lock);
    if (changed) {
        log_component(&line);
    }
}

void health_set(struct health *health, const char *component, bool serving, const char *message) {
    pthread_mutex_lock(&health->lock);
    struct health_component *known = known_locked(health, component);
    bool changed = known && set_locked(known, serving, told_of(serving, message));
    unlock_and_log(health, known, changed);
}

void health_set_on_loop(struct health *health, const char *component, unsigned loop_index, bool serving,
                        const char *message) {
    assert(loop_index < health->parts->loops.count && loop_index < HEALTH_LOOPS_MAX);
    pthread_mutex_lock(&health->lock);
    struct health_component *known = known_locked(health, component);
    bool changed = false;
    if (known) {
        struct health_view *view = &known->views[loop_index];
        view->reported = true;
        view->serving = serving;
        snprintf(view->message, sizeof(view->message), "%s", told_of(serving, message));
        const struct health_view *whole = join_views(known->views, health->parts->loops.count);
        changed = whole && set_locked(known, whole->serving, whole->message);
    }
    unlock_and_log(health, known, changed);
}

void health_log_missing(struct health *health) {
    for (unsigned i = 0;; i++) {
        pthread_mutex_lock(&health->lock);
        if (i >= health->component_count) {
            pthread_mutex_unlock(&health->lock);
            return;
        }
        struct health_component *component = &health->components[i];
        bool is_missing = !component->logged && !component->serving;
        component->logged = true;
        unlock_and_log(health, component, is_missing);
    }
}

static bool serves_locked(const struct health *health, const char *service) {
    for (unsigned i = 0; i < health->need_count; i++) {
        const struct health_need *need = &health->needs[i];
        if (strcmp(need->service, service) == 0 && !health->components[need->component].serving) {
            return false;
        }
    }
    return true;
}

bool health_service_serves(struct health *health, const char *service) {
    pthread_mutex_lock(&health->lock);
    bool serves = serves_locked(health, service);
    pthread_mutex_unlock(&health->lock);
    return serves;
}

/* Health/Check */

typedef Herald__Rpc__V1__ComponentHealth component_health;
typedef Herald__Rpc__V1__ServiceHealth service_health;

static Herald__Rpc__V1__ServingStatus status_of(bool serving) {
    return serving ? HERALD__RPC__V1__SERVING_STATUS__SERVING : HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING;
}

static bool add_component(struct arena *arena, const struct health_component *component, service_health *service) {
    component_health *shown = arena_alloc(arena, sizeof(*shown));
    if (!shown) {
        return false;
    }
    herald__rpc__v1__component_health__init(shown);
    shown->name = arena_strdup(arena, component->name);
    shown->message = arena_strdup(arena, component->message);
    shown->status = status_of(component->serving);
    service->components[service->n_components++] = shown;
    return shown->name && shown->message;
}

static bool fill_service_locked(const struct health *health, struct arena *arena, const char *name,
                                service_health *service) {
    herald__rpc__v1__service_health__init(service);
    service->service = arena_strdup(arena, name);
    service->status = status_of(serves_locked(health, name));
    service->components = arena_calloc(arena, health->need_count, sizeof(*service->components));
    if (!service->service || !service->components) {
        return false;
    }
    for (unsigned i = 0; i < health->need_count; i++) {
        if (strcmp(health->needs[i].service, name) == 0 &&
            !add_component(arena, &health->components[health->needs[i].component], service)) {
            return false;
        }
    }
    return true;
}

static bool fill_services(struct health *health, const char *only, struct arena *arena,
                          Herald__Rpc__V1__HealthCheckResponse *response) {
    const struct registry *registry = &health->parts->registry;
    bool filled = true;
    response->services = arena_calloc(arena, registry->service_count, sizeof(*response->services));
    service_health *services = arena_calloc(arena, registry->service_count, sizeof(*services));
    if (!response->services || !services) {
        return false;
    }
    pthread_mutex_lock(&health->lock);
    for (size_t i = 0; filled && i < registry->service_count; i++) {
        const char *name = registry->services[i]->schema->full_name;
        if (*only && strcmp(only, name) != 0) {
            continue;
        }
        service_health *service = &services[response->n_services];
        filled = fill_service_locked(health, arena, name, service);
        response->services[response->n_services++] = service;
    }
    pthread_mutex_unlock(&health->lock);
    return filled;
}

static enum herald_code unknown_service(const struct server_parts *parts, const char *name,
                                        struct herald_error *reterr) {
    const struct registry *registry = &parts->registry;
    char names[384] = "";
    size_t used = 0;
    for (size_t i = 0; i < registry->service_count && used < sizeof(names); i++) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                                 registry->services[i]->schema->full_name);
    }
    return herald_error_set(reterr, HERALD_REASON_UNKNOWN_SERVICE, "%s does not serve %s; it serves %s", parts->name,
                            name, names);
}

enum herald_code health_check(void *self, const Herald__Rpc__V1__HealthCheckRequest *request,
                              Herald__Rpc__V1__HealthCheckResponse *response, struct herald_error *reterr) {
    struct health *health = self;
    const struct server_parts *parts = health->parts;
    if (!fill_services(health, request->service, rpc_call_arena(), response)) {
        return arena_full(reterr, "the reply");
    }
    if (response->n_services == 0) {
        return unknown_service(parts, request->service, reterr);
    }
    bool serving = !atomic_load(&parts->in_flight.draining);
    for (size_t i = 0; i < response->n_services; i++) {
        serving = serving && response->services[i]->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
    }
    response->status = status_of(serving);
    return HERALD_OK;
}

static const struct herald_rpc_v1_health_handlers HANDLERS = HERALD_RPC_V1_HEALTH_HANDLERS;

enum herald_code health_service_add(struct rpc_server *server, struct health *health, struct herald_error *reterr) {
    return rpc_server_add(server, &herald_rpc_v1_health_binding, &HANDLERS, NULL, health, reterr);
}
