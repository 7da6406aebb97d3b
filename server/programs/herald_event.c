/* herald-event: serves herald.event.v1.EventService. */
#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/event/publish.h"
#include "server/outgoing/channel_options.h"
#include "server/process/service_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/outgoing_calls.h"
#include "server/programs/redis_needs.h"
#include "server/programs/settings.h"

#define RELEASE_WAIT_MS 1000

/* The state that the loops share. */
struct event_process {
    struct native_calls *calls; /* NULL: nng carries them */
    struct herald_channel *jobs;
    struct herald_channel *distribution;
    struct breaker *breaker;
    struct instance *instance;
};

static const char *event_listen_url(const struct settings *settings) {
    return settings->event_url;
}

static const char *event_topic(const struct settings *settings) {
    return settings->kafka_event_topic;
}

static void on_breaker_event(void *user, const struct breaker_event *event) {
    (void)user;
    if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
        log_emit(&LOG_EVENT_BREAKER, log_str("from", breaker_state_name(event->from)),
                 log_str("to", breaker_state_name(event->to)), LOG_END);
    }
}

static enum herald_code open_breaker(const struct settings *settings, struct event_process *shared,
                                     struct herald_error *reterr) {
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
    return breaker_new("distribution", &config, &shared->breaker, reterr);
}

/* The breaker before calls of the distribution server. */
static void read_event_gauges(void *state, struct gauge_sheet *sheet) {
    const struct event_process *shared = state;
    struct breaker_metrics metrics;
    breaker_metrics(shared->breaker, &metrics);
    gauge_put_breaker(sheet, "Distribute", (int)metrics.state, breaker_state_name(metrics.state), metrics.failure_rate,
                      metrics.slow_rate);
}

static enum herald_code open_event_channels(const struct service_process *process, struct event_process *shared,
                                            struct herald_error *reterr) {
    const struct settings *settings = process->settings;
    struct channel_options outgoing = {0};
    enum herald_code code = settings_open_calls(settings, process->loops, process->loop_count, &shared->calls, reterr);
    if (code == HERALD_OK) {
        code = channel_options_init(&outgoing, &settings->auth, settings->rpc_max_message_bytes, reterr);
        outgoing.calls = shared->calls;
    }
    if (code == HERALD_OK) {
        code = channel_options_open(&outgoing, settings_job_url(settings), &shared->jobs, reterr);
    }
    if (code == HERALD_OK) {
        code = channel_options_open(&outgoing, settings_distribution_url(settings), &shared->distribution, reterr);
    }
    channel_options_clear(&outgoing);
    return code;
}

static enum herald_code open_event_process(struct service_process *process, struct herald_error *reterr) {
    struct event_process *shared = process->state;
    const struct instance_options options = {
        .service = "event",
        .lease_ms = claims_settings(process->settings)->claims_lease_ms,
        .bury = DB_QUERY_EVENT_BURY,
        .release = DB_QUERY_EVENT_RELEASE,
    };
    enum herald_code code = instance_new(&options, &shared->instance, reterr);
    if (code == HERALD_OK) {
        code = open_breaker(process->settings, shared, reterr);
    }
    return code == HERALD_OK ? open_event_channels(process, shared, reterr) : code;
}

static void close_shared(struct service_process *process) {
    struct event_process *shared = process->state;
    herald_channel_close(shared->jobs);
    herald_channel_close(shared->distribution);
    native_calls_free(shared->calls);
    breaker_free(shared->breaker);
    instance_free(shared->instance);
}

/* What calls have left behind is released while the database is open, so that another process takes it up at once. */
static void drain_event_process(struct service_process *process) {
    const struct event_process *shared = process->state;
    instance_release(shared->instance, RELEASE_WAIT_MS);
}

/* Events of a process that has died are due, and records that it was sending. */
static void after_event_burial(void *user) {
    const struct event_service *service = user;
    reconciler_look_at(service->reconciler, 0);
    outbox_relay_wake(service->outbox);
}

static enum herald_code open_event_loop(struct service_loop *at, struct herald_error *reterr) {
    const struct event_process *shared = at->process->state;
    struct event_service *service = at->service;
    *service = (struct event_service){
        .settings = at->process->settings,
        .loop = at->loop,
        .db = at->backends.db,
        .redis = at->backends.redis,
        .outbox = at->backends.outbox,
        .jobs = shared->jobs,
        .distribution = shared->distribution,
        .distribution_breaker = shared->breaker,
        .instance = shared->instance,
    };
    late_steps_init(&service->late, shared->instance, service->outbox);
    enum herald_code code = event_watch_start(service, &service->watch, reterr);
    if (code == HERALD_OK && loop_index(at->loop) == 0) {
        instance_on_release(shared->instance, after_event_burial, service);
        code = instance_start(shared->instance, at->loop, at->backends.db, reterr);
    }
    return code != HERALD_OK ? code : reconciler_start(service, &service->reconciler, reterr);
}

static void close_event_loop(struct service_loop *at) {
    struct event_service *service = at->service;
    reconciler_stop(service->reconciler);
    service->reconciler = NULL;
    event_watch_stop(service->watch);
    service->watch = NULL;
    late_steps_fini(&service->late);
    claims_close(service);
    if (loop_index(at->loop) == 0) {
        const struct event_process *shared = at->process->state;
        instance_stop(shared->instance);
    }
}

static const struct herald_event_v1_event_service_handlers handlers = HERALD_EVENT_V1_EVENT_SERVICE_HANDLERS;
static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(EVENT_LOG) LOG_EVENTS_LIST(DURABLE_LOG) NULL};

static struct row_life event_rows(const struct settings *settings) {
    return (struct row_life){DB_QUERY_EVENT_PRUNE, retention_settings(settings)->retention_event_days};
}

static const struct service_app app = {
    .server =
        {
            .name = "herald-event",
            .summary = "keeps promotional events: drafts, approval, publication",
            .log_events = log_events,
            .settings = &all_settings,
            .failpoints = all_failpoints,
            .listen_url = event_listen_url,
        },
    .binding = &herald_event_v1_event_service_binding,
    .handlers = &handlers,
    .owner = "event",
    .topic = event_topic,
    .redis = &event_redis_needs,
    .rows = event_rows,
    .with_replies = true,
    .state_bytes = sizeof(struct event_process),
    .service_bytes = sizeof(struct event_service),
    .open = open_event_process,
    .read_gauges = read_event_gauges,
    .drain = drain_event_process,
    .close = close_shared,
    .open_loop = open_event_loop,
    .close_loop = close_event_loop,
};

int main(int argc, char **argv) {
    return service_main(&app, argc, argv);
}
