/*
 * A process whose nng hangs (client/src/close_socket.h) still serves, but cannot close a connection any more. With nng
 * 1.5.2 client/src/stream_shim.c prevents that. If it still happens, only a new process helps: the server drains as for
 * SIGTERM, then executes its own program again under the same process id.
 *
 * The order of a server's life:
 *
 *   options, settings, signals, log; the signals are blocked before the first thread, so that only signals_wait() takes
 *   them
 *   loops made; rpc_server_new(), builtin_services_add(); app->start()    main thread, nothing runs
 *   one thread a loop; app->start_loop() is its first work       loop threads
 *   rpc_server_listen()                                          only now can calls come
 *   signals_wait(); at SIGHUP files are read again
 *   rpc_server_drain(); app->drain()                             loops still run
 *   app->stop_loop(), loop_stop() on each loop; threads joined
 *   app->stop(); rpc_server_free(); loops freed
 *
 * When a step fails, the steps that have begun are ended in the same order.
 */
#include "server/process/server_main.h"

#include "server/process/builtin.h"
#include "server/process/config_check.h"
#include "server/process/log_settings.h"
#include "server/process/main_options.h"
#include "server/process/notify.h"
#include "server/process/process_log.h"
#include "server/process/signals.h"
#include "server/rpc/rpc_settings.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/processors.h"
#include "server/settings/table.h"
#include "server/transport/descriptors.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loop_thread {
    struct loop_work start_work; /* first */
    struct loop_work stop_work;
    struct server_run *run;
    struct loop *loop;
    pthread_t thread;
    bool running;                /* the thread exists */
    bool started;                /* start_loop() has returned */
    enum herald_code start_code; /* start_loop()'s */
    struct herald_error error;
};

/* How long the end waits for a reader of the log that has stalled. */
#define LOG_WAIT_MS 500
/* malloc() maps blocks of this size and larger directly from the kernel: with nng, with the native engine. */
#define LARGE_BLOCK_BYTES (128 * 1024)
#define HUGE_BLOCK_BYTES  (1024 * 1024)
/* A heap of malloc() keeps so much free memory at its end. */
#define KEPT_FREE_BYTES (1024 * 1024)

struct server_run {
    const struct server_app *app;
    const struct main_options *options;
    char **argv;
    pthread_t main_thread;
    bool replace;
    struct settings *settings;
    unsigned loop_count;
    struct loop **loops;
    struct loop_thread *threads;
    pthread_mutex_t lock; /* of started, start_code */
    pthread_cond_t started;
    struct rpc_server *server; /* NULL without listen_url */
    void *app_state;
    bool app_started;
    struct pulse *pulse; /* NULL: nobody wants signs of life */
};

/* Prints a line, where the log writes. */
static void print_line(const struct server_app *app, const char *text) {
    char line[1024];
    snprintf(line, sizeof(line), "%s: %s", app->name, text);
    log_text(line);
}

/* Prints an error. Its message holds the first problem; the details hold the others. */
static void print_start_error(const struct server_app *app, const struct herald_error *error) {
    print_line(app, error->message);
    for (uint32_t i = 1; i < error->detail_count; i++) {
        print_line(app, error->details[i].message);
    }
}

/* ---- the configuration ---- */

static void print_problem(void *user, const struct herald_error *problem) {
    print_start_error(user, problem);
}

static void log_variable(void *user, const struct herald_error *problem) {
    (void)user;
    log_emit(&LOG_VARIABLE_UNKNOWN, log_str("why", problem->message), LOG_END);
}

/* Prints what is wrong with it. At the start an unknown variable is only logged: it may be another program's. */
static bool configuration_is_good(const struct server_app *app, const struct settings *settings, bool starts) {
    struct config_problems problems = {.tell = print_problem, .user = (void *)(uintptr_t)app};
    struct config_problems warnings = {.tell = log_variable};
    config_check(app, settings, &problems);
    settings_check_variables(app->settings, starts ? &warnings : &problems);
    return problems.count == 0;
}

/* ---- signals ---- */

static void on_hung(void *user) {
    const struct server_run *run = user;
    signals_ask_to_replace(run->main_thread);
}

static enum log_level level_from_name(const char *name) {
    static const char *const NAMES[] = {[LOG_DEBUG] = "debug", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++) {
        if (NAMES[i] && strcmp(NAMES[i], name) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_INFO;
}

/* Reads the settings again. Only the level of the log is taken over; the other settings hold until the server starts
 * anew. */
static void reload_settings(const struct server_run *run) {
    struct herald_error error;
    struct settings *fresh = calloc(1, run->app->settings->bytes);
    enum herald_code code = fresh ? settings_read(run->app->settings, fresh, run->options->config_path, &error)
                                  : herald_error_no_memory(&error, "the settings");
    if (code == HERALD_OK) {
        const char *level = log_settings(fresh)->log_level;
        (void)log_set_level(level_from_name(level));
        log_emit(&LOG_SETTINGS_RELOADED, log_str("log_level", level),
                 log_u64("changed", settings_count_changes(run->settings, fresh)), LOG_END);
        settings_fini(fresh);
    } else {
        log_emit(&LOG_SETTINGS_REFUSED, log_error(&error), LOG_END);
    }
    free(fresh);
}

static void reload(const struct server_run *run) {
    notify_reloading();
    log_emit(&LOG_SERVER_RELOADING, LOG_END);
    reload_settings(run);
    if (run->server) {
        rpc_server_reload(run->server);
    }
    notify_ready();
}

static void wait_for_stop_signal(struct server_run *run) {
    enum signal_wish wish;
    int signal_number = 0;
    while ((wish = signals_wait(&signal_number)) == SIGNAL_WISH_RELOAD) {
        reload(run);
    }
    run->replace = wish == SIGNAL_WISH_REPLACE;
    signals_end_at_next();
    log_emit(&LOG_SERVER_DRAINING, log_str("signal", strsignal(signal_number)), LOG_END);
}

/* ---- loops ---- */

static void on_start(struct loop_work *work) {
    struct loop_thread *thread = (struct loop_thread *)work;
    struct server_run *run = thread->run;
    enum herald_code code =
        run->app->start_loop ? run->app->start_loop(run->app_state, thread->loop, &thread->error) : HERALD_OK;
    pthread_mutex_lock(&run->lock);
    thread->started = true;
    thread->start_code = code;
    pthread_cond_signal(&run->started);
    pthread_mutex_unlock(&run->lock);
}

static void on_stop(struct loop_work *work) {
    struct loop_thread *thread = (struct loop_thread *)(void *)((char *)work - offsetof(struct loop_thread, stop_work));
    struct server_run *run = thread->run;
    if (thread->start_code == HERALD_OK && run->app->stop_loop) {
        run->app->stop_loop(run->app_state, thread->loop);
    }
    loop_stop(thread->loop);
}

static void *run_loop(void *arg) {
    struct loop_thread *thread = arg;
    thread->start_work.run = on_start;
    loop_post(thread->loop, &thread->start_work);
    loop_run(thread->loop);
    return NULL;
}

static unsigned loop_count_of(const struct server_app *app, const struct settings *settings) {
    return app->loop_count ? app->loop_count(settings)
                           : processors_loops(rpc_settings(settings)->rpc_loops, RPC_LOOPS_MAX);
}

static enum herald_code make_loops(struct server_run *run, struct herald_error *reterr) {
    unsigned count = loop_count_of(run->app, run->settings);
    run->loops = calloc(count, sizeof(*run->loops));
    run->threads = calloc(count, sizeof(*run->threads));
    if (!run->loops || !run->threads) {
        return herald_error_no_memory(reterr, "%u loops", count);
    }
    for (unsigned i = 0; i < count; i++) {
        enum herald_code code = loop_new(i, &run->loops[i], reterr);
        if (code != HERALD_OK) {
            return code;
        }
        run->threads[i].run = run;
        run->threads[i].loop = run->loops[i];
        run->loop_count++;
    }
    return HERALD_OK;
}

static enum herald_code start_loop_threads(struct server_run *run, struct herald_error *reterr) {
    for (unsigned i = 0; i < run->loop_count; i++) {
        struct loop_thread *thread = &run->threads[i];
        int failure = pthread_create(&thread->thread, NULL, run_loop, thread);
        if (failure != 0) {
            return herald_error_set(reterr, HERALD_REASON_NO_THREAD, "cannot start a loop's thread: %s",
                                    strerror(failure));
        }
        thread->running = true;
    }
    return HERALD_OK;
}

/* Waits until start_loop() has returned on every running loop. Returns the first error. */
static enum herald_code wait_for_start(struct server_run *run, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (unsigned i = 0; i < run->loop_count; i++) {
        struct loop_thread *thread = &run->threads[i];
        pthread_mutex_lock(&run->lock);
        while (thread->running && !thread->started) {
            pthread_cond_wait(&run->started, &run->lock);
        }
        pthread_mutex_unlock(&run->lock);
        if (thread->start_code != HERALD_OK && code == HERALD_OK) {
            code = thread->start_code;
            herald_error_copy(reterr, &thread->error);
        }
    }
    return code;
}

static enum herald_code start_loops(struct server_run *run, struct herald_error *reterr) {
    enum herald_code code = start_loop_threads(run, reterr);
    enum herald_code start_code = wait_for_start(run, code == HERALD_OK ? reterr : NULL);
    return code == HERALD_OK ? start_code : code;
}

static void stop_loops(struct server_run *run) {
    for (unsigned i = 0; i < run->loop_count; i++) {
        struct loop_thread *thread = &run->threads[i];
        if (!thread->running) {
            continue;
        }
        thread->stop_work.run = on_stop;
        loop_post(thread->loop, &thread->stop_work);
    }
    for (unsigned i = 0; i < run->loop_count; i++) {
        if (run->threads[i].running) {
            pthread_join(run->threads[i].thread, NULL);
        }
    }
}

/* ---- the program ---- */

static enum herald_code start_app(struct server_run *run, struct herald_error *reterr) {
    const struct server_app *app = run->app;
    enum herald_code code = HERALD_OK;
    if (app->listen_url) {
        code = rpc_server_new(app->name, run->settings, run->loops, run->loop_count, &run->server, reterr);
    }
    if (code == HERALD_OK && run->server) {
        code = builtin_services_add(run->server, run->settings, reterr);
    }
    if (code == HERALD_OK && run->server) {
        rpc_server_on_hung(run->server, on_hung, run);
        code = rpc_server_secure(run->server, reterr);
    }
    if (code == HERALD_OK) {
        code = app->start(app, run->settings, run->loops, run->loop_count, run->server, &run->app_state, reterr);
    }
    run->app_started = code == HERALD_OK;
    return code;
}

static enum herald_code start_server(struct server_run *run, struct herald_error *reterr) {
    enum herald_code code = make_loops(run, reterr);
    if (code == HERALD_OK) {
        code = start_app(run, reterr);
    }
    if (code == HERALD_OK) {
        code = start_loops(run, reterr);
    }
    if (code == HERALD_OK && run->server) {
        code = rpc_server_listen(run->server, run->app->listen_url(run->settings), reterr);
    }
    return code;
}

/* Ends the process without closing nng, or replaces its program. execv() closes all descriptors. */
static void end_hung(const struct server_run *run, int status) {
    if (run->replace) {
        log_emit(&LOG_SERVER_REPLACING, LOG_END);
        (void)log_flush(LOG_WAIT_MS);
        execv("/proc/self/exe", run->argv);
        log_emit(&LOG_SERVER_CLOSE_GIVEN_UP, log_str("why", strerror(errno)), LOG_END);
        (void)log_flush(LOG_WAIT_MS);
        _exit(EXIT_FAILURE);
    }
    log_emit(&LOG_SERVER_CLOSE_GIVEN_UP, LOG_END);
    (void)log_flush(LOG_WAIT_MS);
    _exit(status); /* all calls have ended, so nothing is lost */
}

static void stop_server(struct server_run *run, int status) {
    pulse_stopping(run->pulse);
    stop_loops(run);
    if (run->app_started && run->app->stop) {
        run->app->stop(run->app_state);
    }
    if (!rpc_server_free(run->server) || run->replace) {
        end_hung(run, status);
    }
    for (unsigned i = 0; i < run->loop_count; i++) {
        loop_free(run->loops[i]);
    }
    pulse_end(run->pulse);
    free(run->loops);
    free(run->threads);
}

static void init_log(const struct server_app *app, const struct log_settings *settings) {
    const char *format = settings->log_format;
    log_init(app->name, level_from_name(settings->log_level),
             strcmp(format, "json") == 0   ? LOG_FORMAT_JSON
             : strcmp(format, "text") == 0 ? LOG_FORMAT_TEXT
                                           : LOG_FORMAT_AUTO);
}

/*
 * What malloc() does with large blocks, by the engine.
 *
 * nng: large messages cost only the bytes that arrive. nng allocates a message, cleared, by the length that its sender
 * claims. A block fresh from the kernel costs only the pages that are written. But after a large block was freed, glibc
 * raises its threshold, serves such blocks from its heap, and clears them itself: then a peer that claims much and
 * sends little costs all that it claims. A fixed threshold prevents that. It is above 64 KiB, so that messages of usual
 * lengths stay warm: a block from the kernel costs a message its mapping and page faults.
 *
 * native: the buffers of large messages stay warm, too. It allocates by what has come, so claims cost nothing.
 *
 * With both a heap keeps up to KEPT_FREE_BYTES.
 */
static void set_malloc(const struct settings *settings) {
    bool is_native = strcmp(rpc_settings(settings)->rpc_engine, "native") == 0;
    (void)mallopt(M_MMAP_THRESHOLD, is_native ? HUGE_BLOCK_BYTES : LARGE_BLOCK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES);
}

static int run_until_signal(struct server_run *run) {
    struct herald_error error;
    log_emit(&LOG_SERVER_STARTING, log_str("version", HERALD_VERSION),
             log_u64("loops", loop_count_of(run->app, run->settings)), LOG_END);
    if (run->app->listen_url) {
        descriptors_allow(rpc_settings(run->settings)->rpc_max_connections);
    }
    clock_take_faults();
    if (!configuration_is_good(run->app, run->settings, true)) {
        return EXIT_FAILURE;
    }
    enum herald_code code = failpoint_set_from_environment(&error);
    if (code == HERALD_OK) {
        code = start_server(run, &error);
    }
    if (code == HERALD_OK) {
        notify_ready();
        run->pulse = pulse_start(run->loops, run->loop_count);
        wait_for_stop_signal(run);
        notify_stopping(rpc_settings(run->settings)->rpc_drain_ms);
        if (run->server) {
            rpc_server_drain(run->server, rpc_settings(run->settings)->rpc_drain_ms);
        }
        if (run->app->drain) {
            run->app->drain(run->app_state);
        }
    } else {
        print_start_error(run->app, &error);
    }
    int status = code == HERALD_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    stop_server(run, status);
    if (code == HERALD_OK) {
        log_emit(&LOG_SERVER_STOPPED, LOG_END);
    }
    return status;
}

static int run_server(const struct server_app *app, const struct main_options *options, char **argv) {
    struct server_run run = {.app = app,
                             .options = options,
                             .argv = argv,
                             .main_thread = pthread_self(),
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .started = PTHREAD_COND_INITIALIZER};
    struct herald_error error;
    int status = EXIT_SUCCESS;
    failpoint_use(app->failpoints);
    run.settings = calloc(1, app->settings->bytes);
    if (!run.settings) {
        fprintf(stderr, "%s: no memory for the settings\n", app->name);
        return EXIT_FAILURE;
    }
    if (settings_read(app->settings, run.settings, options->config_path, &error) != HERALD_OK) {
        print_start_error(app, &error);
        status = EXIT_FAILURE;
    } else if (options->check_config) {
        status = configuration_is_good(app, run.settings, false) ? EXIT_SUCCESS : EXIT_FAILURE;
        if (status == EXIT_SUCCESS) {
            settings_print(run.settings, stdout);
        }
    } else {
        init_log(app, log_settings(run.settings));
        set_malloc(run.settings);
        signals_prepare();
        (void)log_start();
        status = run_until_signal(&run);
        log_end(LOG_WAIT_MS);
    }
    settings_fini(run.settings);
    free(run.settings);
    return status;
}

int server_main(const struct server_app *app, int argc, char **argv) {
    struct main_options options;
    if (!main_options_read(app, argc, argv, &options)) {
        return options.exit_status;
    }
    return run_server(app, &options, argv);
}
