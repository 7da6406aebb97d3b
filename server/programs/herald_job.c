/* herald-job: serves herald.job.v1.JobService. */
#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/durable/instance.h"
#include "server/job/job_service.h"
#include "server/job/resender.h"
#include "server/process/service_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/redis_needs.h"
#include "server/programs/settings.h"

#include <string.h>

#define RELEASE_WAIT_MS 1000

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

/* The state that the loops share. */
struct job_process {
    struct instance *instance;
};

static enum herald_code open_job_process(struct service_process *process, struct herald_error *reterr) {
    struct job_process *shared = process->state;
    const struct instance_options options = {
        .service = "job",
        .lease_ms = claims_settings(process->settings)->claims_lease_ms,
        .bury = DB_QUERY_JOB_BURY,
        .release = DB_QUERY_JOB_RELEASE,
    };
    return instance_new(&options, &shared->instance, reterr);
}

static void close_job_process(struct service_process *process) {
    const struct job_process *shared = process->state;
    instance_free(shared->instance);
}

static void drain_job_process(struct service_process *process) {
    const struct job_process *shared = process->state;
    instance_release(shared->instance, RELEASE_WAIT_MS);
}

/* Records that a process which has died was sending are due. */
static void after_job_burial(void *user) {
    const struct job_service *service = user;
    outbox_relay_wake(service->outbox);
}

/* A job has no holder. The lease tells others whether the process lives that is sending a job's record. */
static enum herald_code start_job_lease(struct service_loop *at, struct herald_error *reterr) {
    const struct job_process *shared = at->process->state;
    instance_on_release(shared->instance, after_job_burial, at->service);
    return instance_start(shared->instance, at->loop, at->backends.db, reterr);
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
    enum herald_code code = redis_psubscribe(service->redis, JOB_REDIS_PATTERN, on_job_changed, service, reterr);
    if (code == HERALD_OK && loop_index(at->loop) == 0) {
        code = start_job_lease(at, reterr);
    }
    if (code == HERALD_OK && loop_index(at->loop) == 0) {
        code = job_resender_start(service, &service->resender, reterr);
    }
    return code;
}

static void close_job_loop(struct service_loop *at) {
    const struct job_service *service = at->service;
    job_resender_stop(service->resender);
    if (loop_index(at->loop) == 0) {
        const struct job_process *shared = at->process->state;
        instance_stop(shared->instance);
    }
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
    .redis = &job_redis_needs,
    .rows = job_rows,
    .with_replies = true,
    .state_bytes = sizeof(struct job_process),
    .service_bytes = sizeof(struct job_service),
    .open = open_job_process,
    .drain = drain_job_process,
    .close = close_job_process,
    .open_loop = open_job_loop,
    .close_loop = close_job_loop,
};

int main(int argc, char **argv) {
    return service_main(&app, argc, argv);
}
