/* herald-gateway: HTTP for browsers, curl and other languages, in front of the servers. */
#include "herald/route.h"
#include "server/gateway/gateway.h"
#include "server/gateway/gateway_log.h"
#include "server/process/server_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/outgoing_calls.h"
#include "server/programs/settings.h"
#include "server/runtime/processors.h"
#include "server/transport/descriptors.h"

#include <pthread.h>
#include <stdlib.h>

/* How often the end of the requests is looked for while the gateway drains. */
#define DRAIN_LOOK_US 5000

struct gateway_app {
    const struct settings *settings;
    struct native_calls *calls; /* NULL: nng carries them */
    struct gateway *gateway;
    struct loop *const *loops;
    unsigned loop_count;
    struct http_port *ports[64]; /* by loop */
};

struct drain_work {
    struct loop_work work; /* first */
    struct http_port *port;
};

static unsigned gateway_loop_count(const struct settings *settings) {
    return processors_loops(settings->gateway_loops, GATEWAY_LOOPS_MAX);
}

static const char *url_or(const char *own, const char *shared) {
    return *own ? own : shared;
}

static enum herald_code start_gateway(const struct server_app *description, const struct settings *settings,
                                      struct loop *const *loops, unsigned loop_count, struct rpc_server *server,
                                      void **ret_app, struct herald_error *reterr) {
    (void)description;
    (void)server;
    struct gateway_app *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return herald_error_no_memory(reterr, "the gateway");
    }
    enum herald_code code = settings_open_calls(settings, loops, loop_count, &app->calls, reterr);
    if (code != HERALD_OK) {
        free(app);
        return code;
    }
    const struct gateway_options options = {
        .calls = app->calls,
        .settings = &settings->gateway,
        .auth = &settings->auth,
        .max_message_bytes = settings->rpc_max_message_bytes,
        .backend_urls = {[BACKEND_EVENT] = url_or(settings->gateway_event_url, settings_event_url(settings)),
                         [BACKEND_JOB] = url_or(settings->gateway_job_url, settings_job_url(settings)),
                         [BACKEND_DISTRIBUTION] =
                             url_or(settings->gateway_distribution_url, settings_distribution_url(settings)),
                         [BACKEND_CONTENT] = url_or(settings->gateway_content_url, settings_content_rpc_url(settings))},
        .pictures_url = settings->content_url,
        .routes = {herald_routes, herald_route_count},
    };
    app->settings = settings;
    app->loops = loops;
    app->loop_count = loop_count;
    descriptors_allow(settings->gateway_max_connections);
    code = gateway_open(&options, &app->gateway, reterr);
    if (code != HERALD_OK) {
        native_calls_free(app->calls);
        free(app);
        return code;
    }
    log_emit(&LOG_GATEWAY_LISTENING, log_str("url", http_server_url(app->gateway->server)), LOG_END);
    *ret_app = app;
    return HERALD_OK;
}

static void check_gateway(const struct server_app *description, const struct settings *settings,
                          struct config_problems *problems) {
    const struct http_server_options options = {.url = settings->gateway_listen,
                                                .insecure = settings->gateway_insecure,
                                                .trusted_proxies = settings->gateway_trusted_proxies};
    struct herald_error error;
    (void)description;
    settings_config_problem(settings, &settings->gateway_listen, http_server_check_listen(&options, &error), &error,
                            problems);
    settings_config_problem(settings, &settings->gateway_trusted_proxies, http_server_check_proxies(&options, &error),
                            &error, problems);
}

static enum herald_code start_gateway_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct gateway_app *app = arg;
    return http_port_open(app->gateway->server, loop, &app->ports[loop_index(loop)], reterr);
}

static void drain_port(struct loop_work *work) {
    struct drain_work *drain = (struct drain_work *)work;
    http_port_drain(drain->port);
    free(drain);
}

/* Nobody is let in any more, and who is in gets his answer. */
static void drain_gateway(void *arg) {
    struct gateway_app *app = arg;
    uint64_t until_us = clock_now_us() + (uint64_t)app->settings->rpc_drain_ms * 1000;
    unsigned connections, requests;
    for (unsigned i = 0; i < app->loop_count; i++) {
        struct drain_work *drain = malloc(sizeof(*drain));
        if (drain != NULL) {
            *drain = (struct drain_work){.work.run = drain_port, .port = app->ports[i]};
            loop_post(app->loops[i], &drain->work);
        }
    }
    do {
        const struct timespec pause = {.tv_nsec = DRAIN_LOOK_US * 1000};
        (void)nanosleep(&pause, NULL);
        http_server_count(app->gateway->server, &connections, &requests);
    } while ((requests > 0 || connections > 0) && clock_now_us() < until_us);
    if (requests > 0) {
        log_emit(&LOG_GATEWAY_CUT, log_u64("requests", requests), LOG_END);
    }
}

static void stop_gateway_loop(void *arg, struct loop *loop) {
    struct gateway_app *app = arg;
    http_port_close(app->ports[loop_index(loop)]);
}

static void stop_gateway(void *arg) {
    struct gateway_app *app = arg;
    gateway_free(app->gateway);
    native_calls_free(app->calls);
    free(app);
}

static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(GATEWAY_LOG) NULL};

int main(int argc, char **argv) {
    static const struct server_app app = {
        .name = "herald-gateway",
        .summary = "serves HTTP in front of the servers",
        .log_events = log_events,
        .settings = &all_settings,
        .failpoints = all_failpoints,
        .loop_count = gateway_loop_count,
        .check = check_gateway,
        .start = start_gateway,
        .start_loop = start_gateway_loop,
        .drain = drain_gateway,
        .stop_loop = stop_gateway_loop,
        .stop = stop_gateway,
    };
    return server_main(&app, argc, argv);
}
