#include "tests/bench/peers/herald/echo_server.h"

#include "herald/bench/v1/echo.server.h"
#include "tests/bench/server.h"

/* The response borrows the request's payload, which lives in the call's arena. */
static enum herald_code echo(void *self, const Herald__Bench__V1__EchoRequest *request,
                             Herald__Bench__V1__EchoResponse *response, struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    response->payload = request->payload;
    return HERALD_OK;
}

static const struct herald_bench_v1_echo_service_handlers HANDLERS = {.echo = echo};

int echo_server_run(const char *url) {
    return bench_server_serve(url, &herald_bench_v1_echo_service_binding, &HANDLERS);
}
