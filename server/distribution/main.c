/* herald-distribution: serves herald.distribution.v1.DistributionService. */
#include "server/all/failpoints.h"
#include "server/all/settings.h"
#include "server/distribution/round.h"
#include "server/durable/backends.h"
#include "server/durable/durable_log.h"
#include "server/process/server_main.h"

#include <stdlib.h>

static const struct herald_distribution_v1_distribution_service_handlers handlers =
    HERALD_DISTRIBUTION_V1_DISTRIBUTION_SERVICE_HANDLERS;

/* What the loops share, and one distribution_service for each of them. */
struct distribution_app {
    const struct settings *settings;
    struct rpc_server *server;
    struct kafka_producer *kafka;
    struct webhook_secret secret;
    struct distribution_loop {
        struct backends backends;
        struct distribution_service service;
    } *loops;
};

static const char *listen_url(const struct settings *settings) {
    return settings->distribution_url;
}

static void *service_of_loop(void *owner, unsigned loop_index) {
    struct distribution_app *app = owner;
    return &app->loops[loop_index].service;
}

static void stop(void *arg) {
    struct distribution_app *app = arg;
    kafka_producer_close(app->kafka, app->settings->kafka_delivery_timeout_ms);
    free(app->loops);
    free(app);
}

static enum herald_code start(const struct settings *settings, struct loop *const *loops, unsigned loop_count,
                              struct rpc_server *server, void **ret_app, struct herald_error *reterr) {
    (void)loops;
    struct distribution_app *app = calloc(1, sizeof(*app));
    if (!app) {
        return distribution_out_of_memory(reterr);
    }
    app->settings = settings;
    app->server = server;
    app->loops = calloc(loop_count, sizeof(*app->loops));
    enum herald_code code = app->loops ? webhook_secret_parse(settings->channels_secret, &app->secret, reterr)
                                       : distribution_out_of_memory(reterr);
    if (code == HERALD_OK) {
        code = backends_serve(server, &herald_distribution_v1_distribution_service_binding, &handlers, service_of_loop,
                              app, false, reterr);
    }
    if (code == HERALD_OK) {
        code = backends_open_kafka(settings, "herald-distribution", settings->kafka_distribution_topic, server,
                                   &app->kafka, reterr);
    }
    if (code != HERALD_OK) {
        stop(app);
        return code;
    }
    *ret_app = app;
    return HERALD_OK;
}

static void stop_loop(void *arg, struct loop *loop) {
    struct distribution_app *app = arg;
    struct distribution_loop *state = &app->loops[loop_index(loop)];
    rescuer_stop(state->service.rescuer);
    rounds_cancel(&state->service);
    http_close(state->service.http);
    backends_close(&state->backends);
}

static enum herald_code start_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct distribution_app *app = arg;
    struct distribution_loop *state = &app->loops[loop_index(loop)];
    struct backends_options options = {
        .settings = app->settings,
        .server = app->server,
        .loop = loop,
        .kafka = app->kafka,
        .owner = "distribution",
        .with_redis = false,
    };
    enum herald_code code = backends_open(&state->backends, &options, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    state->service = (struct distribution_service){
        .settings = app->settings,
        .round_budget_ms = app->settings->publish_timeout_ms,
        .secret = &app->secret,
        .loop = loop,
        .db = state->backends.db,
        .outbox = state->backends.outbox,
    };
    code = http_open(loop, &state->service.http, reterr);
    if (code == HERALD_OK) {
        code = rescuer_start(&state->service, &state->service.rescuer, reterr);
    }
    if (code != HERALD_OK) {
        stop_loop(app, loop);
    }
    return code;
}

#define DISTRIBUTION_LOG_POINTER(name, level, id, meaning) &name,
static const struct log_event *const log_events[] = {DISTRIBUTION_LOG(DISTRIBUTION_LOG_POINTER)
                                                         DURABLE_LOG(DISTRIBUTION_LOG_POINTER) NULL};

int main(int argc, char **argv) {
    const struct server_app app = {
        .name = "herald-distribution",
        .summary = "delivers approved events to their channels",
        .log_events = log_events,
        .settings = &all_settings,
        .failpoints = all_failpoints,
        .listen_url = listen_url,
        .start = start,
        .start_loop = start_loop,
        .stop_loop = stop_loop,
        .stop = stop,
    };
    return server_main(&app, argc, argv);
}
