/* herald-event: serves herald.event.v1.EventService. */
#include "server/all/failpoints.h"
#include "server/all/settings.h"
#include "server/durable/backends.h"
#include "server/durable/durable_log.h"
#include "server/event/publish.h"
#include "server/outgoing/channel_options.h"
#include "server/process/server_main.h"

#include <stdlib.h>

static const struct herald_event_v1_event_service_handlers handlers = HERALD_EVENT_V1_EVENT_SERVICE_HANDLERS;

/* What the loops share, and one event_service for each of them. */
struct event_app {
    const struct settings *settings;
    struct rpc_server *server;
    struct kafka_producer *kafka;
    struct herald_channel *jobs;
    struct herald_channel *distribution;
    struct breaker *breaker;
    unsigned loop_count;
    struct event_loop {
        struct backends backends;
        struct event_service service;
    } *loops;
};

static const char *listen_url(const struct settings *settings) {
    return settings->event_url;
}

static void *service_of_loop(void *owner, unsigned loop_index) {
    struct event_app *app = owner;
    return &app->loops[loop_index].service;
}

static void on_breaker_event(void *user, const struct breaker_event *event) {
    (void)user;
    if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
        log_emit(&LOG_EVENT_BREAKER, log_str("from", breaker_state_name(event->from)),
                 log_str("to", breaker_state_name(event->to)), LOG_END);
    }
}

static enum herald_code open_breaker(struct event_app *app, struct herald_error *reterr) {
    const struct settings *settings = app->settings;
    struct breaker_config config = {
        .window_calls = settings->breaker_window_calls,
        .minimum_calls = settings->breaker_minimum_calls,
        .failure_rate_percent = (float)settings->breaker_failure_rate_percent,
        .slow_rate_percent = (float)settings->breaker_slow_rate_percent,
        .slow_call_ms = settings->breaker_slow_call_ms,
        .open_wait_ms = settings->breaker_open_wait_ms,
        .half_open_calls = settings->breaker_half_open_calls,
        .on_event = on_breaker_event,
    };
    return breaker_new("distribution", &config, &app->breaker, reterr);
}

static enum herald_code open_channels(struct event_app *app, struct herald_error *reterr) {
    struct channel_options outgoing;
    enum herald_code code =
        channel_options_init(&outgoing, &app->settings->auth, app->settings->rpc_max_message_bytes, reterr);
    if (code == HERALD_OK) {
        code = herald_channel_open(settings_job_url(app->settings), &outgoing.options, &app->jobs, reterr);
    }
    if (code == HERALD_OK) {
        code = herald_channel_open(settings_distribution_url(app->settings), &outgoing.options, &app->distribution,
                                   reterr);
    }
    channel_options_clear(&outgoing);
    return code;
}

static void stop(void *arg) {
    struct event_app *app = arg;
    kafka_producer_close(app->kafka, app->settings->kafka_delivery_timeout_ms);
    herald_channel_close(app->jobs);
    herald_channel_close(app->distribution);
    breaker_free(app->breaker);
    free(app->loops);
    free(app);
}

static enum herald_code start(const struct settings *settings, struct loop *const *loops, unsigned loop_count,
                              struct rpc_server *server, void **ret_app, struct herald_error *reterr) {
    (void)loops;
    struct event_app *app = calloc(1, sizeof(*app));
    if (!app) {
        return event_out_of_memory(reterr);
    }
    app->settings = settings;
    app->server = server;
    app->loop_count = loop_count;
    app->loops = calloc(loop_count, sizeof(*app->loops));
    enum herald_code code = app->loops ? backends_serve(server, &herald_event_v1_event_service_binding, &handlers,
                                                        service_of_loop, app, true, reterr)
                                       : event_out_of_memory(reterr);
    if (code == HERALD_OK) {
        code = open_breaker(app, reterr);
    }
    if (code == HERALD_OK) {
        code = open_channels(app, reterr);
    }
    if (code == HERALD_OK) {
        code = backends_open_kafka(settings, "herald-event", settings->kafka_event_topic, server, &app->kafka, reterr);
    }
    if (code != HERALD_OK) {
        stop(app);
        return code;
    }
    *ret_app = app;
    return HERALD_OK;
}

static void stop_loop(void *arg, struct loop *loop) {
    struct event_app *app = arg;
    struct event_loop *state = &app->loops[loop_index(loop)];
    reconciler_stop(state->service.reconciler);
    backends_close(&state->backends);
}

static enum herald_code start_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct event_app *app = arg;
    struct event_loop *state = &app->loops[loop_index(loop)];
    struct backends_options options = {
        .settings = app->settings,
        .server = app->server,
        .loop = loop,
        .kafka = app->kafka,
        .owner = "event",
        .with_redis = true,
        .with_replies = true,
    };
    enum herald_code code = backends_open(&state->backends, &options, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    state->service = (struct event_service){
        .settings = app->settings,
        .loop = loop,
        .db = state->backends.db,
        .redis = state->backends.redis,
        .outbox = state->backends.outbox,
        .jobs = app->jobs,
        .distribution = app->distribution,
        .distribution_breaker = app->breaker,
    };
    code = reconciler_start(&state->service, &state->service.reconciler, reterr);
    if (code != HERALD_OK) {
        stop_loop(app, loop);
    }
    return code;
}

#define EVENT_LOG_POINTER(name, level, id, meaning) &name,
static const struct log_event *const log_events[] = {EVENT_LOG(EVENT_LOG_POINTER) DURABLE_LOG(EVENT_LOG_POINTER) NULL};

int main(int argc, char **argv) {
    const struct server_app app = {
        .name = "herald-event",
        .summary = "keeps promotional events: drafts, approval, publication",
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
