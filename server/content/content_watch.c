#include "server/content/content_watch.h"

#include "herald/job/v1/job.schema.h"
#include "herald/rpc/v1/health.task.h"
#include "server/content/picture_store.h"
#include "server/content/render.h"
#include "server/runtime/call.h"
#include "server/runtime/proto_arena.h"
#include "server/runtime/task.h"

#include <stdlib.h>
#include <string.h>

#define CALL_MS 2000

/* What is watched, and what the watch has told of it. */
struct watched {
    const char *component;
    bool known, serves;
};

struct content_watch {
    struct content_watch_options options;
    struct call call;
    struct watched jobs, store, server;
    /* of one look, on a thread of the pool */
    enum herald_code code;
    int failure;
    struct herald_error error;
};

/* @error  why it does not serve; unused when it does */
static void tell_watched(struct content_watch *watch, struct watched *watched, bool serves,
                         const struct herald_error *error) {
    bool idle = watch->options.is_idle == NULL || watch->options.is_idle(watch->options.user);
    if (call_check(NULL) != HERALD_OK) {
        return; /* the look was cut short */
    }
    if (idle || !watched->known || watched->serves != serves) {
        content_health_report(watch->options.health, watched->component, serves ? NULL : error);
    }
    watched->known = true;
    watched->serves = serves;
}

/* ---- the job server ---- */

/* Reports of jobs need its database; its Kafka and its Redis are nothing to a worker. */
static enum herald_code judge_health(const Herald__Rpc__V1__HealthCheckResponse *response,
                                     struct herald_error *reterr) {
    for (size_t i = 0; i < response->n_services; i++) {
        const Herald__Rpc__V1__ServiceHealth *service = response->services[i];
        for (size_t j = 0; j < service->n_components; j++) {
            const Herald__Rpc__V1__ComponentHealth *component = service->components[j];
            if (strcmp(component->name, "database") == 0 &&
                component->status == HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING) {
                return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "its database does not serve: %s",
                                        component->message);
            }
        }
    }
    return HERALD_OK;
}

TASK_FN static void look_at_jobs(struct content_watch *watch) {
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    const struct remote_options options = {.timeout_ms = CALL_MS};
    struct herald_error error;
    request.service = borrow_str(herald_job_v1_job_service_schema.full_name);
    enum herald_code code =
        herald_rpc_v1_health_check_task(watch->options.jobs, &request, &options, NULL, &response, &error);
    if (code == HERALD_OK) {
        code = judge_health(response, &error);
    }
    tell_watched(watch, &watch->jobs, code == HERALD_OK, &error);
}

/* ---- pictures ---- */

static void check_store(void *arg) {
    struct content_watch *watch = arg;
    watch->code = picture_store_check(watch->options.dir, &watch->error);
    if (watch->code == HERALD_OK) {
        watch->code = render_check_fonts(&watch->error);
    }
}

TASK_FN static void look_at_store(struct content_watch *watch) {
    enum herald_code code = task_offload(check_store, watch, &watch->error);
    code = code == HERALD_OK ? watch->code : code;
    tell_watched(watch, &watch->store, code == HERALD_OK, &watch->error);
}

static void knock_at_pictures(void *arg) {
    struct content_watch *watch = arg;
    watch->failure = picture_server_check(watch->options.pictures);
}

TASK_FN static void look_at_server(struct content_watch *watch) {
    enum herald_code code = task_offload(knock_at_pictures, watch, &watch->error);
    if (code == HERALD_OK && watch->failure != 0) {
        code = herald_error_set(&watch->error, HERALD_REASON_HTTP_UNREACHABLE, "%s does not answer: %s",
                                picture_server_url(watch->options.pictures), strerror(watch->failure));
    }
    tell_watched(watch, &watch->server, code == HERALD_OK, &watch->error);
}

/* ---- life ---- */

TASK_FN static void keep_watching(void *arg) {
    struct content_watch *watch = arg;
    do {
        look_at_store(watch);
        if (watch->options.pictures != NULL) {
            look_at_server(watch);
        }
        look_at_jobs(watch);
        arena_fini(&watch->call.arena);
        arena_init(&watch->call.arena, 0);
    } while (task_sleep(watch->options.interval_ms, NULL) == HERALD_OK);
    call_fini(&watch->call);
    free(watch);
}

enum herald_code content_watch_start(const struct content_watch_options *options, struct content_watch **ret_watch,
                                     struct herald_error *reterr) {
    struct content_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return herald_error_no_memory(reterr, "the watch of the content worker");
    }
    watch->options = *options;
    watch->jobs.component = CONTENT_JOBS;
    watch->store.component = CONTENT_PICTURES;
    watch->server.component = CONTENT_PICTURE_SERVER;
    call_init(&watch->call, "content watch", NULL, 0, 0);
    enum herald_code code = task_spawn(options->loop, &watch->call, "content-watch", keep_watching, watch, reterr);
    if (code != HERALD_OK) {
        call_fini(&watch->call);
        free(watch);
        return code;
    }
    *ret_watch = watch;
    return HERALD_OK;
}

void content_watch_stop(struct content_watch *watch) {
    if (watch != NULL) {
        task_cancel_call(watch->options.loop, &watch->call, HERALD_CANCELLED);
    }
}
