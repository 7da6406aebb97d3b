#include "server/rpc/server.h"

#include "server/rpc/auth.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/rpc_log.h"
#include "server/rpc/serve.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/call.h"
#include "server/transport/listener.h"
#include "server/transport/tls_engine.h"
#include "server/transport/url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long cancelled calls may take to end, after the drain's time. */
#define CANCEL_WAIT_MS 2000u
/* Pause at the end of a drain, for replies that nng has accepted but not yet written to the kernel. */
#define LINGER_MS 50u

struct rpc_server {
    struct server_parts parts;
    const struct settings *settings; /* not ours */
    struct auth *credentials;        /* NULL: credentials are not checked */
    struct rpc_companion companion;  /* functions NULL: it has none */
    struct listener *listeners[RPC_LISTENERS_MAX];
    atomic_size_t listener_count; /* grows while the first listeners already accept calls */
    void (*on_hung)(void *user);
    void *on_hung_user;
    atomic_bool hung;
};

struct server_parts *rpc_server_parts(struct rpc_server *server) {
    return &server->parts;
}

/* ---- life ---- */

static enum herald_code init_parts(struct server_parts *parts, const char *name, const struct settings *settings,
                                   struct loop *const *loops, unsigned loop_count, struct herald_error *reterr) {
    snprintf(parts->name, sizeof(parts->name), "%s", name);
    parts->limits = limits_from_settings(parts->name, rpc_settings(settings), false); /* until rpc_server_secure() */
    parts->schemas = envelope_schemas_find();
    in_flight_init(&parts->in_flight);
    caller_counts_init(&parts->callers);
    return rpc_loops_init(&parts->loops, loops, loop_count, reterr);
}

static void fini_parts(struct server_parts *parts) {
    rpc_loops_fini(&parts->loops);
    registry_fini(&parts->registry);
    caller_counts_fini(&parts->callers);
    in_flight_fini(&parts->in_flight);
}

enum herald_code rpc_server_new(const char *server_name, const struct settings *settings, struct loop *const *loops,
                                unsigned loop_count, struct rpc_server **ret_server, struct herald_error *reterr) {
    struct rpc_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return herald_error_no_memory(reterr, "the RPC server");
    }
    server->settings = settings;
    enum herald_code code = init_parts(&server->parts, server_name, settings, loops, loop_count, reterr);
    if (code != HERALD_OK) {
        rpc_server_free(server);
        return code;
    }
    *ret_server = server;
    return HERALD_OK;
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
    fini_parts(&server->parts);
    auth_free(server->credentials);
    if (companion->on_free) {
        companion->on_free(companion->self);
    }
    free(server);
    return true;
}

static bool is_native(const struct settings *settings) {
    return strcmp(rpc_settings(settings)->rpc_engine, "native") == 0;
}

/* Registers nng's TLS engine first: it must be in place before the server listens with TLS or opens a channel. */
enum herald_code rpc_server_secure(struct rpc_server *server, struct herald_error *reterr) {
    assert(server->listener_count == 0 && !server->credentials);
    const struct auth_settings *settings = auth_settings(server->settings);
    bool has_tls = *settings->tls_cert_file || *settings->tls_ca_file;
    if (has_tls && !is_native(server->settings) && tls_engine_register() != 0) {
        return herald_error_no_memory(reterr, "the RPC server");
    }
    enum herald_code code = auth_new(settings, &server->credentials, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    server->parts.limits = limits_from_settings(server->parts.name, rpc_settings(server->settings),
                                                auth_knows_callers(server->credentials));
    server->parts.auth = server->credentials;
    const struct rpc_interceptor interceptor = auth_interceptor(server->credentials);
    return rpc_server_intercept(server, &interceptor, reterr);
}

enum herald_code rpc_server_intercept(struct rpc_server *server, const struct rpc_interceptor *interceptor,
                                      struct herald_error *reterr) {
    assert(server->listener_count == 0);
    return interceptors_add(&server->parts.interceptors, interceptor, reterr);
}

void rpc_server_take_signatures(struct rpc_server *server, const struct rpc_signature_taker *taker) {
    assert(server->listener_count == 0);
    server->parts.signatures = *taker;
}

enum herald_code rpc_server_add(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, struct herald_error *reterr) {
    assert(server->listener_count == 0);
    return registry_add(&server->parts.registry, binding, handlers, self, owner, server->parts.limits.max_in_flight,
                        reterr);
}

/* ---- the companion ---- */

void rpc_server_accompany(struct rpc_server *server, const struct rpc_companion *companion) {
    assert(!server->companion.self);
    server->companion = *companion;
}

enum herald_code rpc_server_need(struct rpc_server *server, const char *service, const char *component,
                                 struct herald_error *reterr) {
    const struct rpc_companion *companion = &server->companion;
    const struct rpc_service *served = registry_find_service(&server->parts.registry, service);
    if (!served) {
        return herald_error_set(reterr, HERALD_REASON_UNKNOWN_SERVICE, "%s does not serve %s", server->parts.name,
                                service);
    }
    return companion->need ? companion->need(companion->self, served->schema->full_name, component, reterr) : HERALD_OK;
}

void rpc_server_set_health(struct rpc_server *server, const char *component, bool serving, const char *message) {
    const struct rpc_companion *companion = &server->companion;
    if (companion->set_health) {
        companion->set_health(companion->self, component, serving, message);
    }
}

void rpc_server_set_loop_health(struct rpc_server *server, const char *component, unsigned loop_index, bool serving,
                                const char *message) {
    const struct rpc_companion *companion = &server->companion;
    if (companion->set_loop_health) {
        companion->set_loop_health(companion->self, component, loop_index, serving, message);
    }
}

void rpc_server_reload_callers(struct rpc_server *server, bool again) {
    if (server->credentials) {
        auth_reload(server->credentials, again);
    }
}

bool rpc_server_callers_outdated(const struct rpc_server *server) {
    return server->credentials && auth_is_outdated(server->credentials);
}

bool rpc_server_certificates_outdated(const struct rpc_server *server) {
    for (size_t i = 0; i < rpc_server_listener_count(server); i++) {
        if (listener_tls_outdated(server->listeners[i])) {
            return true;
        }
    }
    return false;
}

void rpc_server_reload(struct rpc_server *server) {
    const struct rpc_companion *companion = &server->companion;
    if (companion->on_reload) {
        companion->on_reload(companion->self);
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
    const struct rpc_settings *settings = rpc_settings(server->settings);
    const struct rpc_loops *loops = &server->parts.loops;
    struct loop *all[RPC_LOOPS_MAX];
    for (unsigned i = 0; i < loops->count; i++) {
        all[i] = loops->all[i].loop;
    }
    const struct listener_options options = {
        .server_name = server->parts.name,
        .tls = auth_settings(server->settings),
        .max_message_bytes = settings->rpc_max_message_bytes,
        .max_in_flight = settings->rpc_max_in_flight,
        .spare_contexts = settings->rpc_spare_contexts,
        .max_connections = settings->rpc_max_connections,
        .ops = &dispatch_ops,
        .user = &server->parts,
        .is_native = is_native(server->settings),
        .loops = all,
        .loop_count = loops->count,
    };
    return listener_open(url, &options, ret_listener, reterr);
}

enum herald_code rpc_server_listen(struct rpc_server *server, const char *url, struct herald_error *reterr) {
    if (server->listener_count == RPC_LISTENERS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_LISTENERS,
                                "a server has at most %u listeners; %s is beyond that", RPC_LISTENERS_MAX, url);
    }
    const struct listen_url_policy policy = {.insecure = rpc_settings(server->settings)->rpc_insecure,
                                             .authenticated =
                                                 server->credentials && auth_is_required(server->credentials)};
    assert(policy.authenticated || !auth_settings(server->settings)->auth_required);
    enum herald_code code = listen_url_check(server->parts.name, url, &policy, reterr);
    struct listener *listener = NULL;
    if (code == HERALD_OK) {
        code = open_listener(server, url, &listener, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    if (server->credentials) {
        auth_begin(server->credentials,
                   clock_now_us() / 1000); /* this process owns the address: no earlier one accepts calls any more */
    }
    const struct rpc_companion *companion = &server->companion;
    if (companion->on_listen && (code = companion->on_listen(companion->self, listener, reterr)) != HERALD_OK) {
        (void)listener_close(listener);
        return code;
    }
    server->listeners[server->listener_count] = listener; /* before the count: calls may read both */
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

/* ---- the drain ---- */

struct cut_work {
    struct loop_work work; /* first */
    struct rpc_loop *loop;
};

static void on_cut(struct loop_work *work) {
    struct cut_work *cut = (struct cut_work *)work;
    serve_cut_all(cut->loop);
    free(cut);
}

static void cut_calls(struct rpc_loops *loops) {
    for (unsigned i = 0; i < loops->count; i++) {
        struct cut_work *cut = malloc(sizeof(*cut));
        if (!cut) {
            return;
        }
        *cut = (struct cut_work){.work.run = on_cut, .loop = &loops->all[i]};
        loop_post(loops->all[i].loop, &cut->work);
    }
}

void rpc_server_drain(struct rpc_server *server, uint32_t drain_ms) {
    const struct timespec linger = {.tv_nsec = LINGER_MS * 1000000L};
    struct in_flight *in_flight = &server->parts.in_flight;
    in_flight_drain(in_flight);
    if (!in_flight_wait(in_flight, drain_ms)) {
        log_emit(&LOG_SERVER_DRAIN_CUT, log_u64("calls", atomic_load(&in_flight->count)), log_u64("drain_ms", drain_ms),
                 LOG_END);
        cut_calls(&server->parts.loops);
        (void)in_flight_wait(in_flight, CANCEL_WAIT_MS);
    }
    nanosleep(&linger, NULL);
}
