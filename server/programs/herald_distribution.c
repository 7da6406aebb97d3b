/* herald-distribution: serves herald.distribution.v1.DistributionService. */
#include "client/base/minimum.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_service.h"
#include "server/distribution/engine_gauges.h"
#include "server/distribution/look.h"
#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/process/service_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/settings.h"
#include "server/runtime/processors.h"

static const char *distribution_listen_url(const struct settings *settings) {
    return settings->distribution_url;
}

static const char *distribution_topic(const struct settings *settings) {
    return settings->kafka_distribution_topic;
}

static enum herald_code open_distribution_process(struct service_process *process, struct herald_error *reterr) {
    struct engine_process *shared = process->state;
    const struct instance_options options = {
        .service = "distribution",
        .lease_ms = process->settings->claims_lease_ms,
        .bury = DB_QUERY_DISTRIBUTION_BURY,
        .release = DB_QUERY_DISTRIBUTION_RELEASE,
    };
    enum herald_code code = channel_states_new(process->settings, &shared->channels, reterr);
    unsigned loops = processors_loops(process->settings->rpc_loops, ENGINE_LOOPS_MAX);
    for (unsigned i = 0; code == HERALD_OK && i < loops; i++) {
        code = instance_new(&options, &shared->instances[i], reterr);
    }
    return code;
}

static void close_distribution_process(struct service_process *process) {
    struct engine_process *shared = process->state;
    channel_states_free(shared->channels);
    for (size_t i = 0; i < ENGINE_LOOPS_MAX; i++) {
        instance_free(shared->instances[i]);
    }
}

static void drain_distribution_process(struct service_process *process) {
    engine_drain(process->state, process->settings->rpc_drain_ms);
}

/* How long a caller may wait for its channels. Shorter than what the caller's breaker takes for slow: a channel that hangs
 * must not look like a server that does, and keep the publishes to all others away. */
static uint32_t answer_budget_ms(const struct settings *settings) {
    return herald_min_u32(settings->publish_timeout_ms, settings->breaker_slow_call_ms) / 4 * 3;
}

/* Deliveries of a process that has died are due, and records that it was sending. */
static void after_distribution_burial(void *user) {
    const struct engine *engine = user;
    look_after_burial(engine->look);
    outbox_relay_wake(engine->outbox);
}

static enum herald_code open_distribution_loop(struct service_loop *at, struct herald_error *reterr) {
    struct engine_process *shared = at->process->state;
    struct distribution_service *service = at->service;
    struct engine *engine = &service->engine;
    service->settings = at->process->settings;
    service->budget_ms = answer_budget_ms(at->process->settings);
    engine->process = shared;
    engine->settings = at->process->settings;
    engine->loop = at->loop;
    engine->db = at->backends.db;
    engine->outbox = at->backends.outbox;
    engine->instance = shared->instances[loop_index(at->loop)];
    instance_on_release(engine->instance, after_distribution_burial, engine);
    enum herald_code code = instance_start(engine->instance, at->loop, at->backends.db, reterr);
    if (code == HERALD_OK) {
        code = http_open(at->loop, &engine->http, reterr);
    }
    return code == HERALD_OK ? engine_start(engine, reterr) : code;
}

static void close_distribution_loop(struct service_loop *at) {
    struct distribution_service *service = at->service;
    engine_stop(&service->engine);
    instance_stop(service->engine.instance);
    http_close(service->engine.http);
}

static const struct herald_distribution_v1_distribution_service_handlers handlers =
    HERALD_DISTRIBUTION_V1_DISTRIBUTION_SERVICE_HANDLERS;
static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(DISTRIBUTION_LOG) LOG_EVENTS_LIST(DURABLE_LOG)
                                                         NULL};

static struct row_life distribution_rows(const struct settings *settings) {
    return (struct row_life){DB_QUERY_DELIVERY_ATTEMPT_PRUNE, retention_settings(settings)->retention_attempt_days};
}

static const struct service_app app = {
    .server =
        {
            .name = "herald-distribution",
            .summary = "delivers approved events to their channels",
            .log_events = log_events,
            .settings = &all_settings,
            .failpoints = all_failpoints,
            .listen_url = distribution_listen_url,
        },
    .binding = &herald_distribution_v1_distribution_service_binding,
    .handlers = &handlers,
    .owner = "distribution",
    .signed_method = "herald.distribution.v1.DistributionService/Distribute",
    .topic = distribution_topic,
    .rows = distribution_rows,
    .state_bytes = sizeof(struct engine_process),
    .service_bytes = sizeof(struct distribution_service),
    .open = open_distribution_process,
    .read_gauges = engine_gauges_read,
    .drain = drain_distribution_process,
    .close = close_distribution_process,
    .open_loop = open_distribution_loop,
    .close_loop = close_distribution_loop,
};

int main(int argc, char **argv) {
    return service_main(&app, argc, argv);
}
