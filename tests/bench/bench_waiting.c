#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "herald/rpc/v1/introspection.client.h"
#include "tests/bench/server.h"

#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What a call that waits for its reply costs in memory: of its client, which makes all calls over one channel, and of
 * its server. One JSON line on stdout: bytes of resident memory a call, and KiB before, meanwhile and afterwards, when
 * the calls were cancelled. Usage: bench_waiting [CALLS], 10000 of them unless said otherwise
 */

#define WAIT_MS  600000u
#define LOOK_US  20000u
#define LOOKS    1000u
#define CALLS_AT 10000u

static atomic_uint ended;

static void on_end(void *user, struct herald_reply *reply) {
    (void)user;
    herald_reply_clear(reply);
    atomic_fetch_add(&ended, 1);
}

static long resident_kib(pid_t process) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)process);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static uint32_t calls_in_flight(struct herald_channel *channel) {
    Herald__Rpc__V1__GetInfoRequest request = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    const Herald__Rpc__V1__GetInfoResponse *info = NULL;
    struct herald_reply reply = {0};
    enum herald_code code = herald_rpc_v1_introspection_get_info(channel, &request, NULL, &reply, &info);
    uint32_t count = code == HERALD_OK ? info->calls_in_flight : UINT32_MAX;
    herald_reply_clear(&reply);
    return count;
}

/* Waits until the server has @count calls in flight; GetInfo is answered on arrival and is none. */
static void await_in_flight(struct herald_channel *channel, uint32_t count) {
    for (unsigned i = 0; i < LOOKS; i++) {
        if (calls_in_flight(channel) == count) {
            return;
        }
        usleep(LOOK_US);
    }
    fprintf(stderr, "bench_waiting: %u calls are in flight, not %u; %u ended\n", calls_in_flight(channel), count,
            atomic_load(&ended));
    exit(EXIT_FAILURE);
}

static void start_calls(struct herald_channel *channel, unsigned count) {
    const struct herald_call_options options = {.timeout_ms = WAIT_MS};
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_error error;
    request.job_id = (char *)"018f0000-0000-7000-8000-000000000001";
    for (unsigned i = 0; i < count; i++) {
        if (herald_call_start(channel, herald_job_v1_job_service_get_job_method, &request.base, &options, on_end, NULL,
                              NULL, &error) != HERALD_OK) {
            fprintf(stderr, "bench_waiting: %s\n", error.message);
            exit(EXIT_FAILURE);
        }
    }
}

static struct herald_channel *connect_to(const char *url) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (herald_channel_open(url, NULL, &channel, &error) != HERALD_OK) {
        fprintf(stderr, "bench_waiting: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
    return channel;
}

int main(int argc, char **argv) {
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : CALLS_AT;
    char url[64];
    bench_server_url(url);
    pid_t server = fork();
    if (server == 0) {
        setenv("HERALD_RPC_ADAPTIVE_LIMIT", "false", 1); /* all calls come at once, and all shall wait */
        setenv("HERALD_RPC_MAX_QUEUE_MS", "0", 1);
        exit(bench_server_run(url, &(const struct bench_handler){.wait_ms = WAIT_MS}));
    }
    struct herald_channel *looker = connect_to(url), *channel = connect_to(url);
    await_in_flight(looker, 0);
    (void)calls_in_flight(channel);
    long client_before = resident_kib(getpid()), server_before = resident_kib(server);
    start_calls(channel, count);
    await_in_flight(looker, count);
    long client_meanwhile = resident_kib(getpid()), server_meanwhile = resident_kib(server);
    herald_channel_close(channel);
    await_in_flight(looker, 0);
    malloc_trim(0);
    printf("{\"calls\":%u,\"ended\":%u,\"client_bytes_a_call\":%ld,\"server_bytes_a_call\":%ld,"
           "\"client_kib\":[%ld,%ld,%ld],\"server_kib\":[%ld,%ld,%ld]}\n",
           count, atomic_load(&ended), (client_meanwhile - client_before) * 1024 / (long)count,
           (server_meanwhile - server_before) * 1024 / (long)count, client_before, client_meanwhile,
           resident_kib(getpid()), server_before, server_meanwhile, resident_kib(server));
    herald_channel_close(looker);
    kill(server, SIGTERM);
    return waitpid(server, NULL, 0) == server ? EXIT_SUCCESS : EXIT_FAILURE;
}
