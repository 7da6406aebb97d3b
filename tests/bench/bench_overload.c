#include "tests/bench/load.h"
#include "tests/bench/server.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A server at its peak, at ten times that, and afterwards. What GetJob does makes the server the narrow place, not the
 * machine: it either keeps the one loop busy, or waits, with a limit of eight calls at once. Clients are processes of
 * their own, on the same machine, and leave the processors to the server as far as nice() goes:
 *
 *   peak      a closed loop: 32 calls at once, or as many as may be
 *   overload  two clients, four connections each, that begin calls by the clock at FACTOR times the peak
 *   watched   the same, seen by a third client that makes one call after the other, and so has no queue of its own
 *   after     the closed loop again
 *
 * refused_server_us is the server's own time for a refusal, from its getting the message; the other times are what
 * clients see, waiting for a processor included. server_cpu_s is the server's processor time, for all its work. On a
 * machine that others use too, compare good_per_cpu_s: it does not depend on who else runs. server_rss_kib is its memory
 * at the end of the phase. One JSON line each on stdout.
 * Usage: bench_overload [SECONDS-EACH [busy:US|wait:MS [FACTOR]]]
 */

#define CLIENTS  2u
#define CHANNELS 4u

#define BUSY_IN_FLIGHT 32u
#define WAIT_IN_FLIGHT 8u

static pid_t server;

/* As far as that goes on one machine, clients have processors of their own. */
static void yield_to_server(void) {
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10);
}

/* Processor time of the server so far, s. */
static double server_cpu(void) {
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)server);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Resident memory of the server now, KiB. */
static long server_rss_kib(void) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)server);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void report(const char *what, double offered, double seconds, double cpu, const struct load *load) {
    printf("{\"bench\":\"overload\",\"what\":\"%s\",\"offered_per_s\":%.0f,\"good_per_s\":%.0f,\"refused_per_s\":%.0f,"
           "\"good_p50_us\":%u,\"good_p99_us\":%u,\"refused_p50_us\":%u,\"refused_p99_us\":%u,"
           "\"refused_server_p50_us\":%u,\"refused_server_p99_us\":%u,\"refused_server_p999_us\":%u,\"begun\":%llu,"
           "\"good\":%llu,\"refused\":%llu,\"failed\":%llu,\"unanswered\":%llu,\"unsent\":%llu,\"late_max_us\":%u,"
           "\"server_cpu_s\":%.2f,\"good_per_cpu_s\":%.0f,\"server_rss_kib\":%ld}\n",
           what, offered, (double)load->good / seconds, (double)load->refused / seconds,
           load_percentile(load->good_us, 0.5), load_percentile(load->good_us, 0.99),
           load_percentile(load->refused_us, 0.5), load_percentile(load->refused_us, 0.99),
           load_percentile(load->refused_server, 0.5), load_percentile(load->refused_server, 0.99),
           load_percentile(load->refused_server, 0.999), (unsigned long long)load->begun,
           (unsigned long long)load->good, (unsigned long long)load->refused, (unsigned long long)load->failed,
           (unsigned long long)load->unanswered, (unsigned long long)load->unsent, load->delay_max_us, cpu,
           (double)load->good / cpu, server_rss_kib());
    fflush(stdout);
}

/* Client libraries have threads, which no fork() survives: each load has a process of its own. */
static pid_t start_open(const char *url, double rate, uint32_t ms, struct load *load) {
    pid_t child = fork();
    if (child == 0) {
        yield_to_server();
        load_open(url, CHANNELS, rate, ms, load);
        _exit(EXIT_SUCCESS);
    }
    return child;
}

static pid_t start_closed(const char *url, unsigned in_flight, uint32_t ms, struct load *load, double *ret_seconds) {
    pid_t child = fork();
    if (child == 0) {
        yield_to_server();
        *ret_seconds = load_closed(load_connect(url), in_flight, ms, load);
        _exit(EXIT_SUCCESS);
    }
    return child;
}

static void await(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
        exit(EXIT_FAILURE);
    }
}

struct shared {
    unsigned in_flight;
    struct load *load, *watched;
    double *seconds; /* in shared memory */
};

static double run_peak(const char *what, const char *url, uint32_t ms, const struct shared *shared) {
    load_reset(shared->load);
    double cpu = server_cpu();
    await(start_closed(url, shared->in_flight, ms, shared->load, shared->seconds));
    report(what, 0, *shared->seconds, server_cpu() - cpu, shared->load);
    return (double)shared->load->good / *shared->seconds;
}

static void run_overload(const char *url, double rate, uint32_t ms, const struct shared *shared) {
    pid_t children[CLIENTS];
    load_reset(shared->load);
    load_reset(shared->watched);
    double cpu = server_cpu();
    for (unsigned i = 0; i < CLIENTS; i++) {
        children[i] = start_open(url, rate / CLIENTS, ms, shared->load);
    }
    pid_t watcher = start_closed(url, 1, ms / 2, shared->watched, shared->seconds);
    await(watcher);
    for (unsigned i = 0; i < CLIENTS; i++) {
        await(children[i]);
    }
    cpu = server_cpu() - cpu;
    report("overload", rate, ms / 1e3, cpu, shared->load);
    report("watched", rate, *shared->seconds, cpu, shared->watched);
}

static void run_all(const char *url, unsigned in_flight, uint32_t ms, double factor) {
    struct load *loads[3] = {load_new(), load_new(), load_new()};
    const struct shared shared = {in_flight, loads[0], loads[1], (double *)(void *)loads[2]};
    double peak = run_peak("peak", url, ms, &shared);
    run_overload(url, peak * factor, ms, &shared);
    double goodput = (double)(shared.load->good + shared.watched->good) / (ms / 1e3);
    double after = run_peak("after", url, ms, &shared);
    printf("{\"bench\":\"overload\",\"what\":\"summary\",\"factor\":%.1f,\"goodput_of_peak\":%.3f,"
           "\"after_of_peak\":%.3f}\n",
           factor, goodput / peak, after / peak);
}

static int serve(const char *url, const struct bench_handler *handler) {
    char limit[16];
    snprintf(limit, sizeof(limit), "%u", WAIT_IN_FLIGHT);
    if (handler->wait_ms > 0) {
        setenv("HERALD_RPC_MAX_IN_FLIGHT", limit, 1);
    }
    return bench_server_run(url, handler);
}

static bool read_handler(const char *text, struct bench_handler *ret_handler) {
    struct bench_handler handler = {0};
    if (sscanf(text, "busy:%u", &handler.busy_us) != 1 && sscanf(text, "wait:%u", &handler.wait_ms) != 1) {
        return false;
    }
    *ret_handler = handler;
    return true;
}

int main(int argc, char **argv) {
    uint32_t ms = (uint32_t)(argc > 1 ? atof(argv[1]) * 1000 : 5000);
    double factor = argc > 3 ? atof(argv[3]) : 10;
    struct bench_handler handler;
    char url[64];
    int status = 0;
    if (!read_handler(argc > 2 ? argv[2] : "busy:1000", &handler)) {
        return EXIT_FAILURE;
    }
    bench_server_url(url);
    server = fork();
    if (server == 0) {
        return serve(url, &handler);
    }
    if (server < 0) {
        return EXIT_FAILURE;
    }
    run_all(url, handler.wait_ms > 0 ? WAIT_IN_FLIGHT : BUSY_IN_FLIGHT, ms, factor);
    kill(server, SIGTERM);
    return waitpid(server, &status, 0) == server && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
