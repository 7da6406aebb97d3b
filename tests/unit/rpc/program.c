#include "herald/job/v1/job.server.h"
#include "server/process/server_main.h"
#include "server/programs/settings.h"
#include "server/runtime/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A server for test_server_main.c, test_server_life.c and test_restart.c. PROGRAM_MODE: "no-rpc" serves nothing, "fail-start" and
 * "fail-start-loop" fail there; "hung" reports a hung nng at the first WaitJob, once in its life; "busy" keeps its loop at WaitJob for good. WaitJob waits for
 * waitMs, and says so unless that is 0; CreateImageJob answers with the draft's id. The steps of its life go to stdout.
 */

#define PROGRAM_LOG(X) X(LOG_PROGRAM_STARTED, LOG_INFO, "program.started", "The program under test has started.")
LOG_EVENTS(PROGRAM_LOG)
static const struct log_event *const EVENTS[] = {&LOG_PROGRAM_STARTED, NULL};

/* After what was logged before: tests read both as one text. */
static void say(const char *step) {
    (void)log_flush(2000);
    printf("%s\n", step);
    fflush(stdout);
}

static bool mode_is(const char *mode) {
    const char *set = getenv("PROGRAM_MODE");
    return set && strcmp(set, mode) == 0;
}

static enum herald_code wait_job(void *self, const Herald__Job__V1__WaitJobRequest *request,
                                 Herald__Job__V1__WaitJobResponse *response, struct herald_error *reterr) {
    (void)response;
    if (request->wait_ms > 0) {
        say("waiting");
    }
    if (mode_is("busy")) {
        say("busy");
        for (;;) {
            pause(); /* keeps the loop */
        }
    }
    if (mode_is("hung")) {
        setenv("PROGRAM_MODE", "was-hung", 1);
        rpc_server_report_hung(self);
    }
    return task_sleep(request->wait_ms, reterr);
}

static enum herald_code create_image_job(void *self, const Herald__Job__V1__CreateImageJobRequest *request,
                                         Herald__Job__V1__CreateImageJobResponse *response,
                                         struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    response->job_id = request->event_draft_id;
    return HERALD_OK;
}

static const struct herald_job_v1_job_service_handlers HANDLERS = {.wait_job = wait_job,
                                                                   .create_image_job = create_image_job};

static enum herald_code start(const struct server_app *app, const struct settings *settings, struct loop *const *loops,
                              unsigned loop_count, struct rpc_server *server, void **ret_app,
                              struct herald_error *reterr) {
    (void)app;
    (void)settings;
    (void)loops;
    say("start");
    if (mode_is("fail-start")) {
        return herald_error_set_code(reterr, HERALD_INTERNAL, "TEST", "start was told to fail");
    }
    *ret_app = malloc(loop_count); /* a leak if stop() does not come */
    log_emit(&LOG_PROGRAM_STARTED, LOG_END);
    if (!server) {
        return HERALD_OK;
    }
    return rpc_server_add(server, &herald_job_v1_job_service_binding, &HANDLERS, NULL, server, reterr);
}

static enum herald_code start_loop(void *app, struct loop *loop, struct herald_error *reterr) {
    (void)app;
    if (loop_current() != loop) {
        abort();
    }
    say("start_loop");
    if (mode_is("fail-start-loop") && loop_index(loop) == 1) {
        return herald_error_set_code(reterr, HERALD_INTERNAL, "TEST", "start_loop was told to fail");
    }
    return HERALD_OK;
}

static void stop_loop(void *app, struct loop *loop) {
    (void)app;
    if (loop_current() != loop) {
        abort();
    }
    say("stop_loop");
}

static void stop(void *app) {
    free(app);
    say("stop");
}

static const char *listen_url(const struct settings *settings) {
    return settings->job_url;
}

int main(int argc, char **argv) {
    const struct server_app app = {
        .name = "rpc-test-server",
        .summary = "the server of a test",
        .log_events = EVENTS,
        .settings = &all_settings,
        .listen_url = mode_is("no-rpc") ? NULL : listen_url,
        .start = start,
        .start_loop = start_loop,
        .stop_loop = stop_loop,
        .stop = stop,
    };
    return server_main(&app, argc, argv);
}
