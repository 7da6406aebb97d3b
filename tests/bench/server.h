#ifndef HERALD_BENCH_SERVER_H
#define HERALD_BENCH_SERVER_H

#include "server/rpc/server.h"

#include <stdint.h>

/* The server of the measurements: herald.job.v1.JobService with GetJob, in a process of its own. */

/** A port of 127.0.0.1 that is free now. */
void bench_server_url(char ret_url[64]);
/** What GetJob does before it answers. */
struct bench_handler {
    uint32_t wait_ms; /* it waits */
    uint32_t busy_us; /* then it takes so much processor time of its loop */
};
/** Runs a server with one service until SIGTERM, with the configuration of the environment; to be called in a child. Returns its
 *  exit status. */
int bench_server_serve(const char *url, const struct herald_service_binding *binding, const void *handlers);
/** Runs that with JobService. */
int bench_server_run(const char *url, const struct bench_handler *get_job_does);

#endif
