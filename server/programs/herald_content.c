/* herald-content: makes the pictures of jobs, and serves them. Its RPC address has the services of every server only. */
#include "herald/rpc/v1/health.server.h"
#include "server/content/content_health.h"
#include "server/content/content_log.h"
#include "server/content/content_watch.h"
#include "server/content/picture_pruner.h"
#include "server/content/picture_server.h"
#include "server/content/picture_store.h"
#include "server/content/render.h"
#include "server/content/worker.h"
#include "server/inspect/gauges.h"
#include "server/outgoing/channel_options.h"
#include "server/process/server_main.h"
#include "server/programs/failpoints.h"
#include "server/programs/outgoing_calls.h"
#include "server/programs/settings.h"
#include "server/store/kafka/kafka_client.h"
#include "server/transport/descriptors.h"

#include <stdlib.h>

#define PRUNE_MS 3600000
#define WATCH_MS 3000

/* One worker, on the first loop. Drawing runs on libuv's thread pool, so more loops would not help. */
struct content_app {
    const struct settings *settings;
    struct picture_server *pictures;
    struct native_calls *calls; /* NULL: nng carries them */
    struct herald_channel *jobs;
    struct kafka_producer *kafka;
    struct rpc_server *server;
    struct content_health health;
    struct gauge_source gauges;
    struct content_watch *watch;
    struct picture_pruner *pruner;   /* NULL: pictures stay for ever */
    _Atomic(struct worker *) worker; /* NULL until the loop has started */
};

static const char *content_listen_url(const struct settings *settings) {
    return settings->content_rpc_url;
}

/* ---- what operators see ---- */

static void report_health(void *user, const char *component, const struct herald_error *error) {
    struct content_app *app = user;
    rpc_server_set_health(app->server, component, error == NULL, error != NULL ? error->message : NULL);
}

static void on_dead_letter_topic(void *user, const struct herald_error *error) {
    struct content_app *app = user;
    content_health_report(&app->health, CONTENT_DEAD_LETTERS, error);
}

/* The whole server needs them: the service that every health has is named for it. */
static enum herald_code declare_needs(struct rpc_server *server, struct herald_error *reterr) {
    static const char *const components[] = {CONTENT_KAFKA, CONTENT_DEAD_LETTERS, CONTENT_JOBS, CONTENT_PICTURES,
                                             CONTENT_PICTURE_SERVER};
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < sizeof(components) / sizeof(components[0]); i++) {
        code = rpc_server_need(server, herald_rpc_v1_health_binding.schema->full_name, components[i], reterr);
    }
    return code;
}

static void read_content_gauges(void *self, struct gauge_sheet *sheet) {
    struct content_app *app = self;
    const struct worker *worker = app->worker;
    struct worker_view view;
    if (worker == NULL) {
        return;
    }
    worker_look(worker, &view);
    const struct kafka_consumer_view *consumer = &view.consumer;
    gauge_put(sheet, "jobs_in_work", "", consumer->in_flight, "");
    gauge_put(sheet, "dead_letters_waiting", "", view.dead_letters, "");
    gauge_put(sheet, "kafka_partitions", "", consumer->partitions,
              consumer->member ? "in the group" : "not in the group");
    gauge_put(sheet, "kafka_lag", "", (double)consumer->lag, consumer->lag < 0 ? "not known" : "");
    gauge_put(sheet, "kafka_reopened", "", (double)consumer->reopened, "");
}

/* ---- life ---- */

static void stop_content(void *arg) {
    struct content_app *app = arg;
    worker_free(app->worker);
    kafka_producer_close(app->kafka, app->settings->kafka_delivery_timeout_ms);
    herald_channel_close(app->jobs);
    native_calls_free(app->calls);
    picture_server_stop(app->pictures);
    free(app);
}

static enum herald_code open_kafka(struct content_app *app, struct herald_error *reterr) {
    struct kafka_producer_options options = {
        .bootstrap = app->settings->kafka_bootstrap,
        .client_id = "herald-content",
        .delivery_timeout_ms = app->settings->kafka_delivery_timeout_ms,
        .topics = {app->settings->kafka_dead_letter_topic},
        .on_health = on_dead_letter_topic,
        .user = app,
    };
    enum herald_code code = kafka_client_use(app->settings->kafka_property, reterr); /* the worker's consumer too */
    return code == HERALD_OK ? kafka_producer_open(&options, &app->kafka, reterr) : code;
}

static enum herald_code open_all(struct content_app *app, struct loop *const *loops, unsigned loop_count,
                                 struct herald_error *reterr) {
    const struct settings *settings = app->settings;
    struct channel_options outgoing = {0};
    enum herald_code code = declare_needs(app->server, reterr);
    if (code == HERALD_OK) {
        code = picture_store_prepare(settings->content_dir, reterr);
    }
    if (code == HERALD_OK) {
        code = picture_server_start(settings->content_url, settings->content_dir, settings->rpc_insecure,
                                    &app->pictures, reterr);
    }
    if (code == HERALD_OK) {
        code = settings_open_calls(settings, loops, loop_count, &app->calls, reterr);
    }
    if (code == HERALD_OK) {
        code = channel_options_init(&outgoing, &settings->auth, settings->rpc_max_message_bytes, reterr);
        outgoing.calls = app->calls;
    }
    if (code == HERALD_OK) {
        code = channel_options_open(&outgoing, settings_job_url(settings), &app->jobs, reterr);
    }
    channel_options_clear(&outgoing);
    return code == HERALD_OK ? open_kafka(app, reterr) : code;
}

static enum herald_code start_content(const struct server_app *description, const struct settings *settings,
                                      struct loop *const *loops, unsigned loop_count, struct rpc_server *server,
                                      void **ret_app, struct herald_error *reterr) {
    (void)description;
    struct herald_error font_error;
    struct content_app *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return herald_error_no_memory(reterr, "the content worker");
    }
    app->settings = settings;
    app->server = server;
    app->health = (struct content_health){.report = report_health, .user = app};
    app->gauges = (struct gauge_source){.read = read_content_gauges, .self = app};
    descriptors_allow(rpc_settings(settings)->rpc_max_connections + PICTURE_CONNECTIONS);
    enum herald_code code = open_all(app, loops, loop_count, reterr);
    if (code != HERALD_OK) {
        stop_content(app);
        return code;
    }
    gauges_add(server, &app->gauges);
    log_emit(&LOG_CONTENT_LISTENING, log_str("url", picture_server_url(app->pictures)),
             log_str("dir", settings->content_dir), LOG_END);
    if (render_check_fonts(&font_error) != HERALD_OK) {
        log_emit(&LOG_CONTENT_NO_FONT, log_error(&font_error), LOG_END);
    }
    *ret_app = app;
    return HERALD_OK;
}

static void check_content(const struct server_app *description, const struct settings *settings,
                          struct config_problems *problems) {
    struct herald_error error;
    (void)description;
    enum herald_code code = picture_server_check_url(settings->content_url, settings->rpc_insecure, &error);
    settings_config_problem(settings, &settings->content_url, code, &error, problems);
}

static enum herald_code start_picture_pruner(struct content_app *app, struct loop *loop, struct herald_error *reterr) {
    const struct picture_pruner_options options = {.loop = loop,
                                                   .dir = app->settings->content_dir,
                                                   .keep_days = app->settings->content_keep_days,
                                                   .interval_ms = PRUNE_MS};
    return options.keep_days > 0 ? picture_pruner_start(&options, &app->pruner, reterr) : HERALD_OK;
}

static bool is_worker_idle(void *user) {
    const struct content_app *app = user;
    return worker_is_idle(app->worker);
}

static enum herald_code start_watch(struct content_app *app, struct loop *loop, struct herald_error *reterr) {
    const struct content_watch_options options = {.loop = loop,
                                                  .health = &app->health,
                                                  .jobs = app->jobs,
                                                  .dir = app->settings->content_dir,
                                                  .pictures = app->pictures,
                                                  .interval_ms = WATCH_MS,
                                                  .is_idle = is_worker_idle,
                                                  .user = app};
    return content_watch_start(&options, &app->watch, reterr);
}

static enum herald_code start_content_loop(void *arg, struct loop *loop, struct herald_error *reterr) {
    struct content_app *app = arg;
    if (loop_index(loop) != 0) {
        return HERALD_OK;
    }
    struct worker_options options = {.settings = app->settings,
                                     .content_url = picture_server_url(app->pictures),
                                     .jobs = app->jobs,
                                     .dead_letters = app->kafka,
                                     .health = &app->health};
    struct worker *worker = NULL;
    enum herald_code code = worker_start(&options, loop, &worker, reterr);
    app->worker = worker;
    if (code == HERALD_OK) {
        code = start_watch(app, loop, reterr);
    }
    if (code == HERALD_OK) {
        code = start_picture_pruner(app, loop, reterr);
    }
    if (code != HERALD_OK && worker != NULL) {
        worker_stop(worker);
    }
    return code;
}

static void stop_content_loop(void *arg, struct loop *loop) {
    struct content_app *app = arg;
    if (loop_index(loop) == 0) {
        content_watch_stop(app->watch);
        picture_pruner_stop(app->pruner);
        worker_stop(app->worker);
    }
}

static const struct log_event *const log_events[] = {LOG_EVENTS_LIST(CONTENT_LOG) NULL};

int main(int argc, char **argv) {
    static const struct server_app app = {
        .name = "herald-content",
        .summary = "makes the pictures of promotional events and serves them",
        .log_events = log_events,
        .settings = &all_settings,
        .failpoints = all_failpoints,
        .listen_url = content_listen_url,
        .check = check_content,
        .start = start_content,
        .start_loop = start_content_loop,
        .stop_loop = stop_content_loop,
        .stop = stop_content,
    };
    return server_main(&app, argc, argv);
}
