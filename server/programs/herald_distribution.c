/* herald-distribution: serves herald.distribution.v1.DistributionService. */
#include "server/distribution/round.h"
#include "server/durable/durable_log.h"
#include "server/process/service_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/settings.h"

/* The state that the loops share. */
struct distribution_process {
    struct webhook_secrets secrets;
};

static const char *distribution_listen_url(const struct settings *settings) {
    return settings->distribution_url;
}

static const char *distribution_topic(const struct settings *settings) {
    return settings->kafka_distribution_topic;
}

static enum herald_code open_distribution_process(struct service_process *process, struct herald_error *reterr) {
    struct distribution_process *shared = process->state;
    return webhook_secrets_parse(process->settings->channels_secret, &shared->secrets, reterr);
}

static enum herald_code open_distribution_loop(struct service_loop *at, struct herald_error *reterr) {
    const struct distribution_process *shared = at->process->state;
    struct distribution_service *service = at->service;
    *service = (struct distribution_service){
        .settings = at->process->settings,
        .round_budget_ms = at->process->settings->publish_timeout_ms,
        .secrets = &shared->secrets,
        .loop = at->loop,
        .db = at->backends.db,
        .outbox = at->backends.outbox,
    };
    enum herald_code code = http_open(at->loop, &service->http, reterr);
    return code == HERALD_OK ? rescuer_start(service, &service->rescuer, reterr) : code;
}

static void close_distribution_loop(struct service_loop *at) {
    struct distribution_service *service = at->service;
    rescuer_stop(service->rescuer);
    rounds_cancel(service);
    http_close(service->http);
}

static const struct herald_distribution_v1_distribution_service_handlers handlers =
    HERALD_DISTRIBUTION_V1_DISTRIBUTION_SERVICE_HANDLERS;
static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(DISTRIBUTION_LOG) LOG_EVENTS_LIST(DURABLE_LOG)
                                                         NULL};

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
    .topic = distribution_topic,
    .state_bytes = sizeof(struct distribution_process),
    .service_bytes = sizeof(struct distribution_service),
    .open = open_distribution_process,
    .open_loop = open_distribution_loop,
    .close_loop = close_distribution_loop,
};

int main(int argc, char **argv) {
    return service_main(&app, argc, argv);
}
