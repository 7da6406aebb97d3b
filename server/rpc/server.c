#include "server/rpc/auth.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/internal.h"
#include "server/rpc/limits.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/rpc_log.h"
#include "server/runtime/call.h"
#include "server/transport/listener.h"
#include "server/transport/tls_engine.h"
#include "server/transport/url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* After the drain's time is over: how long cancelled calls may take to end. */
#define CANCEL_WAIT_MS 2000u
/* What every server serves for its operators. */
#define OWN_PACKAGE "herald.rpc.v1."
/* For replies that nng has taken but the kernel has not. */
#define LINGER_MS 50u

static enum herald_code no_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_NO_MEMORY, "no memory for the RPC server");
}

/* ---- life ---- */

static void init_limits(struct rpc_limits *limits, const struct settings *settings) {
    *limits = (struct rpc_limits){
        .max_message_bytes = settings->rpc_max_message_bytes,
        .max_in_flight = settings->rpc_max_in_flight,
        .spare_contexts = settings->rpc_spare_contexts,
        .arena_bytes = settings->rpc_arena_bytes,
        .max_connections = settings->rpc_max_connections,
        .max_in_flight_per_method = settings->rpc_max_in_flight_per_method,
        .max_in_flight_per_caller = settings->rpc_max_in_flight_per_caller,
        .max_queue_ms = settings->rpc_max_queue_ms,
        .adaptive = settings->rpc_adaptive_limit,
        .probes = settings->rpc_probes,
        .insecure = settings->rpc_insecure,
    };
}

static void init_locks(struct rpc_server *server) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->drain_changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&server->drain_lock, NULL);
    caller_counts_init(&server->callers);
}

static enum herald_code init_loops(struct rpc_server *server, struct loop *const *loops, unsigned loop_count,
                                   struct herald_error *reterr) {
    assert(loop_count > 0);
    server->loops = calloc(loop_count, sizeof(*server->loops));
    if (!server->loops) {
        return no_memory(reterr);
    }
    server->loop_count = loop_count;
    for (unsigned i = 0; i < loop_count; i++) {
        server->loops[i].server = server;
        server->loops[i].loop = loops[i];
    }
    return HERALD_OK;
}

enum herald_code rpc_server_new(const char *server_name, const struct settings *settings, struct loop *const *loops,
                                unsigned loop_count, struct rpc_server **ret_server, struct herald_error *reterr) {
    struct rpc_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return no_memory(reterr);
    }
    snprintf(server->name, sizeof(server->name), "%s", server_name);
    server->settings = settings;
    init_limits(&server->limits, settings);
    init_locks(server);
    server->started_wall_us = clock_wall_us();
    server->schemas = envelope_schemas_find();
    enum herald_code code = init_loops(server, loops, loop_count, reterr);
    if (code != HERALD_OK) {
        rpc_server_free(server);
        return code;
    }
    *ret_server = server;
    return HERALD_OK;
}

static void free_services(struct rpc_server *server) {
    HASH_CLEAR(hh, server->methods);
    for (size_t i = 0; i < server->service_count; i++) {
        free(server->services[i]->methods);
        free(server->services[i]);
    }
}

bool rpc_server_free(struct rpc_server *server) {
    if (!server) {
        return true;
    }
    const struct rpc_companion *companion = &server->companion;
    if (companion->on_close) {
        companion->on_close(companion->self);
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        if (!listener_close(server->listeners[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < server->loop_count; i++) {
        rpc_call_free_idle(&server->loops[i]);
    }
    free_services(server);
    auth_free(server->credentials);
    free(server->loops);
    caller_counts_fini(&server->callers);
    pthread_cond_destroy(&server->drain_changed);
    pthread_mutex_destroy(&server->drain_lock);
    if (companion->on_free) {
        companion->on_free(companion->self);
    }
    free(server);
    return true;
}

/* The engine before anything dials or listens with TLS: the channels of a server's own calls are opened next. */
enum herald_code rpc_server_secure(struct rpc_server *server, struct herald_error *reterr) {
    assert(server->listener_count == 0 && !server->credentials);
    if ((*server->settings->tls_cert_file || *server->settings->tls_ca_file) && tls_engine_register() != 0) {
        return no_memory(reterr);
    }
    enum herald_code code = auth_new(server->settings, &server->credentials, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct rpc_interceptor interceptor = auth_interceptor(server->credentials);
    return rpc_server_intercept(server, &interceptor, reterr);
}

/* ---- services ---- */

static void index_methods(struct rpc_server *server, struct rpc_service *service,
                          const struct herald_service_binding *binding) {
    for (size_t i = 0; i < service->schema->method_count; i++) {
        struct rpc_method *method = &service->methods[i];
        method->schema = &service->schema->methods[i];
        method->invoke = binding->invoke[i];
        method->service = service;
        method->passes_limits = strncmp(service->schema->full_name, OWN_PACKAGE, strlen(OWN_PACKAGE)) == 0;
        adaptive_init(&method->adaptive, server->limits.max_in_flight);
        HASH_ADD_KEYPTR(hh, server->methods, method->schema->full_name, strlen(method->schema->full_name), method);
    }
}

static const struct rpc_service *find_service(const struct rpc_server *server, const char *full_name) {
    for (size_t i = 0; i < server->service_count; i++) {
        if (strcmp(server->services[i]->schema->full_name, full_name) == 0) {
            return server->services[i];
        }
    }
    return NULL;
}

enum herald_code rpc_server_add(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, struct herald_error *reterr) {
    const struct herald_service_schema *schema = binding->schema;
    assert(server->listener_count == 0);
    if (find_service(server, schema->full_name)) {
        return herald_error_set(reterr, HERALD_REASON_SERVICE_ADDED, "%s is served already", schema->full_name);
    }
    if (server->service_count == RPC_SERVICES_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_SERVICES,
                                "a server has at most %u services; %s is beyond that", RPC_SERVICES_MAX,
                                schema->full_name);
    }
    struct rpc_service *service = calloc(1, sizeof(*service));
    struct rpc_method *methods = calloc(schema->method_count, sizeof(*methods));
    if (!service || !methods) {
        free(service);
        free(methods);
        return no_memory(reterr);
    }
    *service =
        (struct rpc_service){.schema = schema, .handlers = handlers, .self = self, .owner = owner, .methods = methods};
    index_methods(server, service, binding);
    server->services[server->service_count++] = service;
    return HERALD_OK;
}

struct rpc_method *rpc_server_find(const struct rpc_server *server, const char *name, size_t name_bytes) {
    struct rpc_method *method;
    HASH_FIND(hh, server->methods, name, name_bytes, method);
    return method;
}

void *rpc_service_self(const struct rpc_service *service, unsigned loop_index) {
    return service->self ? service->self(service->owner, loop_index) : service->owner;
}

/* ---- the companion ---- */

void rpc_server_accompany(struct rpc_server *server, const struct rpc_companion *companion) {
    assert(!server->companion.self);
    server->companion = *companion;
}

enum herald_code rpc_server_need(struct rpc_server *server, const char *service, const char *component,
                                 struct herald_error *reterr) {
    const struct rpc_companion *companion = &server->companion;
    const struct rpc_service *served = find_service(server, service);
    if (!served) {
        return herald_error_set(reterr, HERALD_REASON_UNKNOWN_SERVICE, "%s does not serve %s", server->name, service);
    }
    return companion->need ? companion->need(companion->self, served->schema->full_name, component, reterr) : HERALD_OK;
}

void rpc_server_set_health(struct rpc_server *server, const char *component, bool serving, const char *message) {
    const struct rpc_companion *companion = &server->companion;
    if (companion->set_health) {
        companion->set_health(companion->self, component, serving, message);
    }
}

void rpc_server_reload_callers(struct rpc_server *server) {
    if (server->credentials) {
        auth_reload(server->credentials);
    }
}

/* ---- a hung nng ---- */

void rpc_server_on_hung(struct rpc_server *server, void (*on_hung)(void *user), void *user) {
    server->on_hung = on_hung;
    server->on_hung_user = user;
}

void rpc_server_report_hung(struct rpc_server *server) {
    if (!atomic_exchange(&server->hung, true) && server->on_hung) {
        server->on_hung(server->on_hung_user);
    }
}

bool rpc_server_is_hung(const struct rpc_server *server) {
    return atomic_load(&server->hung);
}

/* ---- listening ---- */

static enum herald_code open_listener(struct rpc_server *server, const char *url, struct listener **ret_listener,
                                      struct herald_error *reterr) {
    const struct listener_options options = {
        .server_name = server->name,
        .settings = server->settings,
        .max_message_bytes = server->limits.max_message_bytes,
        .max_in_flight = server->limits.max_in_flight,
        .spare_contexts = server->limits.spare_contexts,
        .max_connections = server->limits.max_connections,
        .ops = &dispatch_ops,
        .user = server,
    };
    return listener_open(url, &options, ret_listener, reterr);
}

enum herald_code rpc_server_listen(struct rpc_server *server, const char *url, struct herald_error *reterr) {
    if (server->listener_count == RPC_LISTENERS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_LISTENERS,
                                "a server has at most %u listeners; %s is beyond that", RPC_LISTENERS_MAX, url);
    }
    const struct rpc_url_policy policy = {.insecure = server->limits.insecure,
                                          .authenticated =
                                              server->credentials && auth_is_required(server->credentials)};
    assert(policy.authenticated || !server->settings->auth_required);
    enum herald_code code = rpc_url_check(server->name, url, &policy, reterr);
    struct listener *listener = NULL;
    if (code == HERALD_OK) {
        code = open_listener(server, url, &listener, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    if (server->credentials) {
        auth_begin(server->credentials,
                   clock_now_us() / 1000); /* the address is ours: no predecessor takes calls now */
    }
    const struct rpc_companion *companion = &server->companion;
    if (companion->on_listen && (code = companion->on_listen(companion->self, listener, reterr)) != HERALD_OK) {
        (void)listener_close(listener);
        return code;
    }
    server->listeners[server->listener_count] = listener; /* before it counts: calls may look */
    atomic_fetch_add(&server->listener_count, 1);
    log_emit(&LOG_SERVER_LISTENING, log_str("url", listener_url(listener)), LOG_END);
    return HERALD_OK;
}

const char *rpc_server_url(const struct rpc_server *server) {
    return server->listener_count > 0 ? listener_url(server->listeners[0]) : NULL;
}

size_t rpc_server_listener_count(const struct rpc_server *server) {
    return atomic_load(&server->listener_count);
}

struct listener *rpc_server_listener(const struct rpc_server *server, size_t index) {
    return server->listeners[index];
}

/* ---- calls in flight and the drain ---- */

bool rpc_server_enter(struct rpc_server *server) {
    if (atomic_fetch_add(&server->in_flight, 1) < server->limits.max_in_flight) {
        return true;
    }
    rpc_server_leave(server);
    return false;
}

void rpc_server_leave(struct rpc_server *server) {
    if (atomic_fetch_sub(&server->in_flight, 1) != 1 || !atomic_load(&server->draining)) {
        return;
    }
    pthread_mutex_lock(&server->drain_lock);
    pthread_cond_broadcast(&server->drain_changed);
    pthread_mutex_unlock(&server->drain_lock);
}

static struct timespec in_ms(uint32_t ms) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

/* Waits until no call is in flight; false when the time is over. */
static bool wait_for_calls(struct rpc_server *server, uint32_t ms) {
    struct timespec end = in_ms(ms);
    int failure = 0;
    pthread_mutex_lock(&server->drain_lock);
    while (atomic_load(&server->in_flight) != 0 && failure == 0) {
        failure = pthread_cond_timedwait(&server->drain_changed, &server->drain_lock, &end);
    }
    pthread_mutex_unlock(&server->drain_lock);
    return failure == 0;
}

struct cancel_work {
    struct loop_work work; /* first */
    struct rpc_loop *loop;
};

static void on_cancel(struct loop_work *work) {
    struct cancel_work *cancel = (struct cancel_work *)work;
    rpc_call_cancel_all(cancel->loop);
    free(cancel);
}

static void cancel_calls(struct rpc_server *server) {
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct cancel_work *cancel = malloc(sizeof(*cancel));
        if (!cancel) {
            return;
        }
        *cancel = (struct cancel_work){.work.run = on_cancel, .loop = &server->loops[i]};
        loop_post(server->loops[i].loop, &cancel->work);
    }
}

void rpc_server_drain(struct rpc_server *server, uint32_t drain_ms) {
    const struct timespec linger = {.tv_nsec = LINGER_MS * 1000000L};
    atomic_store(&server->draining, true);
    if (!wait_for_calls(server, drain_ms)) {
        log_emit(&LOG_SERVER_DRAIN_CUT, log_u64("calls", atomic_load(&server->in_flight)),
                 log_u64("drain_ms", drain_ms), LOG_END);
        cancel_calls(server);
        (void)wait_for_calls(server, CANCEL_WAIT_MS);
    }
    nanosleep(&linger, NULL);
}
