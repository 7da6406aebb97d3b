#include "tests/bench/server.h"

#include "herald/job/v1/job.server.h"
#include "server/process/server_main.h"
#include "server/programs/settings.h"
#include "server/runtime/call.h"
#include "server/runtime/task.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct bench_handler handler;

static uint64_t processor_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/* Work, not time: when others have the processor it takes longer. */
static void keep_busy(void) {
    if (handler.busy_us == 0) {
        return;
    }
    uint64_t end_us = processor_us() + handler.busy_us;
    while (processor_us() < end_us) {
        continue;
    }
}

static enum herald_code get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                                Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr) {
    struct arena *arena = call_arena();
    (void)self;
    Herald__Job__V1__Job *job = arena_alloc(arena, sizeof(*job));
    if (!job) {
        return herald_error_set(reterr, HERALD_REASON_ARENA_FULL, "no memory");
    }
    enum herald_code code = handler.wait_ms > 0 ? task_sleep(handler.wait_ms, reterr) : HERALD_OK;
    if (code != HERALD_OK) {
        return code;
    }
    keep_busy();
    herald__job__v1__job__init(job);
    job->job_id = arena_strdup(arena, request->job_id);
    job->status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    response->job = job;
    return HERALD_OK;
}

static const struct herald_job_v1_job_service_handlers HANDLERS = {.get_job = get_job};

/* What the process serves. */
static const struct herald_service_binding *service;
static const void *service_handlers;

static enum herald_code start(const struct server_app *app, const struct settings *settings, struct loop *const *loops,
                              unsigned loop_count, struct rpc_server *server, void **ret_app,
                              struct herald_error *reterr) {
    (void)app;
    (void)settings;
    (void)loops;
    (void)loop_count;
    *ret_app = NULL;
    return rpc_server_add(server, service, service_handlers, NULL, NULL, reterr);
}

static const char *listen_url(const struct settings *settings) {
    return settings->job_url;
}

int bench_server_serve(const char *url, const struct herald_service_binding *binding, const void *handlers) {
    const struct server_app app = {.name = "bench-server",
                                   .summary = "the server of the measurements",
                                   .settings = &all_settings,
                                   .listen_url = listen_url,
                                   .start = start};
    char *argv[] = {(char *)"bench-server", NULL};
    service = binding;
    service_handlers = handlers;
    setenv("HERALD_JOB_URL", url, 1);
    setenv("HERALD_LOG_LEVEL", "error", 0);
    return server_main(&app, 1, argv);
}

int bench_server_run(const char *url, const struct bench_handler *get_job_does) {
    handler = *get_job_does;
    return bench_server_serve(url, &herald_job_v1_job_service_binding, &HANDLERS);
}

void bench_server_url(char ret_url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        exit(EXIT_FAILURE);
    }
    close(fd);
    snprintf(ret_url, 64, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}
