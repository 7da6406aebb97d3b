/* herald-job: serves herald.job.v1.JobService. */
#include "server/all/failpoints.h"
#include "server/all/settings.h"
#include "server/durable/backends.h"
#include "server/durable/durable_log.h"
#include "server/job/job_service.h"
#include "server/process/server_main.h"

#include <stdlib.h>
#include <string.h>

static const struct herald_job_v1_job_service_handlers handlers = HERALD_JOB_V1_JOB_SERVICE_HANDLERS;

/* What the loops share, and one job_service for each of them. */
struct job_app {
    const struct settings *settings;
    struct rpc_server *server;
    struct kafka_producer *kafka;
    struct job_loop {
        struct backends backends;
        struct job_service service;
    } *loops;
};

static const char *listen_url(const struct settings *settings) {
    return settings->job_url;
}

static void *service_of_loop(void *owner, unsigned loop_index) {
    struct job_app *app = owner;
    return &app->loops[loop_index].service;
}

static void stop(void *arg) {
    struct job_app *app = arg;
    kafka_producer_close(app->kafka, app->settings->kafka_delivery_timeout_ms);
    free(app->loops);
    free(app);
}

static enum herald_code start(const struct settings *settings, struct loop *const *loops, unsigned loop_count,
                              struct rpc_server *server, void **ret_app, struct herald_error *reterr) {
    (void)loops;
    struct job_app *app = calloc(1, sizeof(*app));
    if (!app) {
        return job_out_of_memory(reterr);
    }
    app->settings = settings;
    app->server = server;
    app->loops = calloc(loop_count, sizeof(*app->loops));
    enum herald_code code = app->loops ? backends_serve(server, &herald_job_v1_job_service_binding, &handlers,
                                                        service_of_loop, app, true, reterr)
                                       : job_out_of_memory(reterr);
    if (code == HERALD_OK) {
        code =
            backends_open_kafka(settings, "herald-job", settings->kafka_image_job_topic, server, &app->kafka, reterr);
    }
    if (code != HERALD_OK) {
        stop(app);
        return code;
    }
    *ret_app = app;
    return HERALD_OK;
}

/* A change of a job, made by any server: channel "job:<id>". NULL: the subscription was made anew, look at all. */
static void on_job_changed(void *user, const char *channel, const char *message) {
    (void)message;
    struct job_service *service = user;
    job_waiters_wake(&service->waiters, channel ? channel + strlen("job:") : NULL);
}

static void stop_loop(void *arg, struct loop *loop) {
    struct job_app *app = arg;
    struct job_loop *state = &app->loops[loop_index(loop)];
    backends_close(&state->backends);
}

static enum herald_code start_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct job_app *app = arg;
    struct job_loop *state = &app->loops[loop_index(loop)];
    struct backends_options options = {
        .settings = app->settings,
        .server = app->server,
        .loop = loop,
        .kafka = app->kafka,
        .owner = "job",
        .with_redis = true,
        .with_replies = true,
    };
    enum herald_code code = backends_open(&state->backends, &options, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    state->service = (struct job_service){
        .settings = app->settings,
        .loop = loop,
        .db = state->backends.db,
        .redis = state->backends.redis,
        .outbox = state->backends.outbox,
    };
    job_waiters_init(&state->service.waiters);
    code = redis_psubscribe(state->service.redis, "job:*", on_job_changed, &state->service, reterr);
    if (code != HERALD_OK) {
        stop_loop(app, loop);
    }
    return code;
}

#define JOB_LOG_POINTER(name, level, id, meaning) &name,
static const struct log_event *const log_events[] = {JOB_LOG(JOB_LOG_POINTER) DURABLE_LOG(JOB_LOG_POINTER) NULL};

int main(int argc, char **argv) {
    const struct server_app app = {
        .name = "herald-job",
        .summary = "keeps the jobs that make pictures",
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
