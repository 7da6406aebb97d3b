#include "server/process/service_main.h"

#include "server/durable/signatures.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>
#include <time.h>

#define SETTLE_MS 1000

/* One running service: the state that server_main() hands from function to function. */
struct service_run {
    const struct service_app *app;
    struct rpc_server *server;
    struct kafka_producer *kafka;
    struct service_process process;
    struct gauge_source gauges;
    struct service_loop *loops;
    unsigned loop_count;
};

static void *service_of_loop(void *owner, unsigned loop_index) {
    struct service_run *run = owner;
    return run->loops[loop_index].service;
}

TASK_FN static enum herald_code take_signature(void *self, unsigned loop_index, const struct rpc_signature *signature,
                                               struct herald_error *reterr) {
    struct service_run *run = self;
    return signatures_take(run->loops[loop_index].backends.db, signature, reterr);
}

/* ---- the process ---- */

static void stop(void *arg) {
    struct service_run *run = arg;
    kafka_producer_close(run->kafka, kafka_settings(run->process.settings)->kafka_delivery_timeout_ms);
    if (run->app->close) {
        run->app->close(&run->process);
    }
    for (unsigned i = 0; i < run->loop_count; i++) {
        free(run->loops[i].service);
    }
    free(run->loops);
    free(run->process.state);
    free(run);
}

/* Allocates the run before anything is opened, so that nothing must be closed on failure. NULL without memory. */
static struct service_run *new_run(const struct service_app *app, const struct settings *settings,
                                   unsigned loop_count) {
    struct service_run *run = calloc(1, sizeof(*run));
    void *state = calloc(1, app->state_bytes > 0 ? app->state_bytes : 1);
    struct service_loop *loops = calloc(loop_count, sizeof(*loops));
    if (!run || !state || !loops) {
        free(run);
        free(state);
        free(loops);
        return NULL;
    }
    *run = (struct service_run){.app = app, .process = {.settings = settings, .state = state}, .loops = loops};
    return run;
}

static enum herald_code make_service_loops(struct service_run *run, struct loop *const *loops, unsigned loop_count,
                                           struct herald_error *reterr) {
    for (unsigned i = 0; i < loop_count; i++) {
        struct service_loop *at = &run->loops[i];
        *at = (struct service_loop){
            .process = &run->process, .loop = loops[i], .service = calloc(1, run->app->service_bytes)};
        run->loop_count++;
        if (!at->service) {
            return herald_error_no_memory(reterr, "%s", run->app->server.name);
        }
    }
    return HERALD_OK;
}

static enum herald_code open_process(struct service_run *run, struct herald_error *reterr) {
    const struct service_app *app = run->app;
    enum herald_code code =
        backends_serve(run->server, app->binding, app->handlers, service_of_loop, run, app->redis != NULL, reterr);
    rpc_server_take_signatures(
        run->server,
        &(struct rpc_signature_taker){.own_method = app->signed_method, .take_signature = take_signature, .self = run});
    if (code == HERALD_OK && app->open) {
        code = app->open(&run->process, reterr);
    }
    if (code == HERALD_OK && app->read_gauges) {
        run->gauges = (struct gauge_source){.read = app->read_gauges, .self = run->process.state};
        gauges_add(run->server, &run->gauges);
    }
    if (code == HERALD_OK) {
        code = backends_open_kafka(run->process.settings, app->server.name, app->topic(run->process.settings),
                                   run->server, &run->kafka, reterr);
    }
    return code;
}

static enum herald_code start(const struct server_app *server_app, const struct settings *settings,
                              struct loop *const *loops, unsigned loop_count, struct rpc_server *server, void **ret_app,
                              struct herald_error *reterr) {
    const struct service_app *app = (const struct service_app *)server_app->of;
    struct service_run *run = new_run(app, settings, loop_count);
    if (!run) {
        return herald_error_no_memory(reterr, "%s", server_app->name);
    }
    run->server = server;
    run->process.loops = loops;
    run->process.loop_count = loop_count;
    enum herald_code code = make_service_loops(run, loops, loop_count, reterr);
    if (code == HERALD_OK) {
        code = open_process(run, reterr);
    }
    if (code != HERALD_OK) {
        stop(run);
        return code;
    }
    *ret_app = run;
    return HERALD_OK;
}

/* ---- each loop ---- */

static void stop_loop(void *arg, struct loop *loop) {
    struct service_run *run = arg;
    struct service_loop *at = &run->loops[loop_index(loop)];
    if (run->app->close_loop) {
        run->app->close_loop(at);
    }
    backends_close(&at->backends);
}

static enum herald_code start_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct service_run *run = arg;
    const struct service_app *app = run->app;
    struct service_loop *at = &run->loops[loop_index(loop)];
    const struct backends_options options = {
        .settings = run->process.settings,
        .server = run->server,
        .loop = loop,
        .kafka = run->kafka,
        .owner = app->owner,
        .redis = app->redis,
        .with_replies = app->with_replies,
        .rows = app->rows ? app->rows(run->process.settings) : (struct row_life){.keep_days = 0},
    };
    enum herald_code code = backends_open(&at->backends, &options, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = app->open_loop(at, reterr);
    if (code != HERALD_OK) {
        stop_loop(run, loop);
    }
    return code;
}

/* Waits until the rows of sent records are deleted, so that no other process sends them again. */
static void settle_outbox(const struct service_run *run) {
    const struct timespec pause = {.tv_nsec = 5000000};
    uint64_t until_us = clock_now_us() + SETTLE_MS * UINT64_C(1000);
    for (unsigned i = 0; i < run->loop_count; i++) {
        outbox_relay_settle(run->loops[i].backends.outbox);
    }
    for (unsigned i = 0; i < run->loop_count; i++) {
        while (!outbox_relay_is_settled(run->loops[i].backends.outbox) && clock_now_us() < until_us) {
            (void)nanosleep(&pause, NULL);
        }
    }
}

static void drain(void *arg) {
    struct service_run *run = arg;
    settle_outbox(run);
    if (run->app->drain) {
        run->app->drain(&run->process);
    }
}

static void check_app(const struct server_app *server_app, const struct settings *settings,
                      struct config_problems *problems) {
    (void)server_app;
    backends_check(settings, problems);
}

int service_main(const struct service_app *app, int argc, char **argv) {
    struct server_app server = app->server;
    server.of = app;
    server.check = check_app;
    server.start = start;
    server.start_loop = start_loop;
    server.stop_loop = stop_loop;
    server.drain = drain;
    server.stop = stop;
    return server_main(&server, argc, argv);
}
