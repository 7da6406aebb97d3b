/*
 * The companion of every server: one struct with the health, telemetry, introspection and watchdog of the server. Once
 * rpc_server_accompany() has it, the server owns it and frees it with on_free().
 */
#include "server/process/builtin.h"

#include "server/inspect/calls.h"
#include "server/inspect/gauges.h"
#include "server/inspect/health.h"
#include "server/inspect/introspection.h"
#include "server/inspect/recent.h"
#include "server/inspect/reflection.h"
#include "server/inspect/telemetry.h"
#include "server/process/watchdog.h"
#include "server/rpc/rpc_settings.h"
#include "server/runtime/call.h"
#include "server/runtime/log.h"

#include <stdlib.h>

/* The companion; it lives as long as its server. */
struct builtin {
    struct rpc_server *server;
    struct health health;
    struct telemetry telemetry;
    struct introspection introspection;
    struct watchdog *watchdog; /* NULL until the server listens */
    struct gauge_source gauges;
};

/* ---- the companion's functions ---- */

static enum herald_code need(void *self, const char *service, const char *component, struct herald_error *reterr) {
    struct builtin *builtin = self;
    return health_need(&builtin->health, service, component, reterr);
}

static void set_health(void *self, const char *component, bool serving, const char *message) {
    struct builtin *builtin = self;
    health_set(&builtin->health, component, serving, message);
}

static void set_loop_health(void *self, const char *component, unsigned loop_index, bool serving, const char *message) {
    struct builtin *builtin = self;
    health_set_on_loop(&builtin->health, component, loop_index, serving, message);
}

static enum herald_code on_listen(void *self, struct listener *listener, struct herald_error *reterr) {
    struct builtin *builtin = self;
    enum herald_code code = HERALD_OK;
    if (!builtin->watchdog) {
        code = watchdog_new(builtin->server, &builtin->health, &builtin->watchdog, reterr);
    }
    if (code == HERALD_OK) {
        watchdog_watch(builtin->watchdog, listener);
    }
    return code;
}

static void on_reload(void *self) {
    struct builtin *builtin = self;
    if (builtin->watchdog) {
        watchdog_reload(builtin->watchdog);
    }
}

static void on_close(void *self) {
    struct builtin *builtin = self;
    watchdog_free(builtin->watchdog);
    builtin->watchdog = NULL;
}

static void on_free(void *self) {
    struct builtin *builtin = self;
    recent_free(builtin->telemetry.recent);
    health_fini(&builtin->health);
    free(builtin);
}

/* ---- services ---- */

/* Shown only when there is something to worry about. */
static void read_process_gauges(void *self, struct gauge_sheet *sheet) {
    uint64_t dropped = log_dropped_count();
    const struct builtin *builtin = self;
    if (dropped > 0) {
        gauge_put(sheet, "log_lines_dropped", "", (double)dropped,
                  "stderr is not read fast enough, or its disk is full");
    }
    if (rpc_server_callers_outdated(builtin->server)) {
        gauge_put(sheet, "callers_refused", "", 1, "the callers file is wrong; older callers are in force");
    }
    if (rpc_server_certificates_outdated(builtin->server)) {
        gauge_put(sheet, "certificate_refused", "", 1, "a file of [tls] is wrong; the older certificate is in use");
    }
}

static enum herald_code add_services(struct builtin *builtin, struct herald_error *reterr) {
    struct rpc_server *server = builtin->server;
    enum herald_code code = telemetry_add(server, &builtin->telemetry, reterr);
    if (code == HERALD_OK) {
        code = health_service_add(server, &builtin->health, reterr);
    }
    if (code == HERALD_OK) {
        code = reflection_service_add(server, reterr);
    }
    if (code == HERALD_OK) {
        code = introspection_service_add(server, &builtin->introspection, reterr);
    }
    if (code == HERALD_OK) {
        code = calls_service_add(server, reterr);
    }
    return code;
}

enum herald_code builtin_services_add(struct rpc_server *server, const struct settings *settings,
                                      struct herald_error *reterr) {
    struct builtin *builtin = calloc(1, sizeof(*builtin));
    struct recent *recent = NULL;
    if (!builtin) {
        return herald_error_no_memory(reterr, "the services of every server");
    }
    enum herald_code code = recent_new(&recent, reterr);
    if (code != HERALD_OK) {
        free(builtin);
        return code;
    }
    builtin->server = server;
    health_init(&builtin->health, rpc_server_parts(server));
    builtin->telemetry =
        (struct telemetry){.recent = recent, .slow_call_us = rpc_settings(settings)->rpc_slow_call_ms * UINT64_C(1000)};
    builtin->introspection =
        (struct introspection){.server = server, .recent = recent, .started_wall_us = clock_wall_us()};
    const struct rpc_companion companion = {.need = need,
                                            .set_health = set_health,
                                            .set_loop_health = set_loop_health,
                                            .on_listen = on_listen,
                                            .on_reload = on_reload,
                                            .on_close = on_close,
                                            .on_free = on_free,
                                            .self = builtin};
    rpc_server_accompany(server, &companion); /* from here on the server frees it */
    builtin->gauges = (struct gauge_source){.read = read_process_gauges, .self = builtin};
    gauges_add(server, &builtin->gauges);
    return add_services(builtin, reterr);
}
