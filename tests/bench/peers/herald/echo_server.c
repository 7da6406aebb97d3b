#include "tests/bench/peers/herald/echo_server.h"

#include "herald/bench/v1/echo.server.h"
#include "server/process/server_main.h"
#include "server/programs/settings.h"

#include <stdlib.h>

/* The response borrows the request's payload, which lives in the call's arena. */
static enum herald_code echo(void *self, const Herald__Bench__V1__EchoRequest *request,
                             Herald__Bench__V1__EchoResponse *response, struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    response->payload = request->payload;
    return HERALD_OK;
}

static const struct herald_bench_v1_echo_service_handlers HANDLERS = {.echo = echo};

static enum herald_code start(const struct server_app *app, const struct settings *settings, struct loop *const *loops,
                              unsigned loop_count, struct rpc_server *server, void **ret_app,
                              struct herald_error *reterr) {
    (void)app;
    (void)settings;
    (void)loops;
    (void)loop_count;
    *ret_app = NULL;
    return rpc_server_add(server, &herald_bench_v1_echo_service_binding, &HANDLERS, NULL, NULL, reterr);
}

static const char *listen_url(const struct settings *settings) {
    return settings->job_url;
}

int echo_server_run(const char *url) {
    const struct server_app app = {.name = "echo-server",
                                   .summary = "the server of the comparison of RPC",
                                   .settings = &all_settings,
                                   .listen_url = listen_url,
                                   .start = start};
    char *argv[] = {(char *)"echo-server", NULL};
    setenv("HERALD_JOB_URL", url, 1);
    setenv("HERALD_LOG_LEVEL", "error", 0);
    return server_main(&app, 1, argv);
}
