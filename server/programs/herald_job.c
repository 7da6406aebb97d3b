/* herald-job: serves herald.job.v1.JobService. */
#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/job/job_service.h"
#include "server/process/service_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/settings.h"

#include <string.h>

static const char *job_listen_url(const struct settings *settings) {
    return settings->job_url;
}

static const char *job_topic(const struct settings *settings) {
    return settings->kafka_image_job_topic;
}

/*
 * A job was changed by some server: channel "job:<id>". NULL: the subscription was made anew, so all waiters read
 * again.
 */
static void on_job_changed(void *user, const char *channel, const char *message) {
    (void)message;
    struct job_service *service = user;
    job_waiters_wake(&service->waiters, channel ? channel + strlen("job:") : NULL);
}

static enum herald_code open_job_loop(struct service_loop *at, struct herald_error *reterr) {
    struct job_service *service = at->service;
    *service = (struct job_service){
        .settings = at->process->settings,
        .loop = at->loop,
        .db = at->backends.db,
        .redis = at->backends.redis,
        .outbox = at->backends.outbox,
    };
    job_waiters_init(&service->waiters);
    return redis_psubscribe(service->redis, "job:*", on_job_changed, service, reterr);
}

static const struct herald_job_v1_job_service_handlers handlers = HERALD_JOB_V1_JOB_SERVICE_HANDLERS;
static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(JOB_LOG) LOG_EVENTS_LIST(DURABLE_LOG) NULL};

static struct row_life job_rows(const struct settings *settings) {
    return (struct row_life){DB_QUERY_JOB_PRUNE, retention_settings(settings)->retention_job_days};
}

static const struct service_app app = {
    .server =
        {
            .name = "herald-job",
            .summary = "keeps the jobs that make pictures",
            .log_events = log_events,
            .settings = &all_settings,
            .failpoints = all_failpoints,
            .listen_url = job_listen_url,
        },
    .binding = &herald_job_v1_job_service_binding,
    .handlers = &handlers,
    .owner = "job",
    .topic = job_topic,
    .rows = job_rows,
    .with_redis = true,
    .with_replies = true,
    .service_bytes = sizeof(struct job_service),
    .open_loop = open_job_loop,
};

int main(int argc, char **argv) {
    return service_main(&app, argc, argv);
}
