#include "tests/bench/load.h"
#include "tests/bench/server.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A server at its peak, at ten times that, and afterwards. What GetJob does makes the server the narrow place, not the
 * machine: it either keeps the one loop busy, or waits, with a limit of eight calls at once. Clients are processes of
 * their own, on the same machine, and leave the processors to the server as far as nice() goes:
 *
 *   peak      a closed loop: 32 calls at once, or as many as may be
 *   full      two clients, four connections each, that begin calls by the clock, as many as the capacity
 *   overload  the same at FACTOR times the capacity
 *   …-watched the same, seen by a third client, as clients usually are: one call after the other, and what is refused is
 *             repeated
 *   flood     as overload, by clients that send all calls, however many are refused
 *   after     the closed loop again
 *   rest      three seconds without a call
 *
 * The capacity is what the peak gave, a second; if the handler keeps the loop busy, a second of the server's processor
 * time, where that is more. So it does not depend on who else uses the machine. refused_server_us is the server's own
 * time for a refusal, from its getting the message; the other times are what clients see, waiting for a processor
 * included. held are calls that the clients' channels did not send (client/src/throttle.h). server_cpu_s is the server's
 * processor time, for all its work. On a machine that others use too, compare good_per_cpu_s. server_rss_kib is its
 * memory at the end of the phase.
 *
 * A summary follows each of the clients' phases. Its goodput is by the clock, as a part of that of the peak and of full:
 * calls that come one by one over several connections cost more than those of a closed loop. …_per_cpu is the same by the
 * server's processor time. cpu_us_of_refusal is what the phase's processor time leaves, were a good call as dear as in full.
 * With "apart" the server has the first processor and all clients the second. One JSON line each on stdout.
 * Usage: bench_overload [SECONDS-EACH [busy:US|wait:MS [FACTOR [apart]]]]
 */

#define CLIENTS  2u
#define CHANNELS 4u

#define BUSY_IN_FLIGHT 32u
#define WAIT_IN_FLIGHT 8u

#define REST_S 3u

static pid_t server;
static bool apart;

/* Puts the calling process, with all threads that it will have, on one processor. */
static void use_processor(size_t number) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    if (apart && sched_setaffinity(0, sizeof(set), &set) != 0) {
        perror("bench: sched_setaffinity");
        _exit(EXIT_FAILURE);
    }
}

/* As far as that goes on one machine, clients have processors of their own. */
static void yield_to_server(void) {
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10);
    use_processor(1);
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
           "\"good\":%llu,\"refused\":%llu,\"failed\":%llu,\"unanswered\":%llu,\"unsent\":%llu,\"held\":%llu,\"late_"
           "max_us\":%u,"
           "\"server_cpu_s\":%.2f,\"good_per_cpu_s\":%.0f,\"server_rss_kib\":%ld}\n",
           what, offered, (double)load->good / seconds, (double)load->refused / seconds,
           load_percentile(load->good_us, 0.5), load_percentile(load->good_us, 0.99),
           load_percentile(load->refused_us, 0.5), load_percentile(load->refused_us, 0.99),
           load_percentile(load->refused_server, 0.5), load_percentile(load->refused_server, 0.99),
           load_percentile(load->refused_server, 0.999), (unsigned long long)load->begun,
           (unsigned long long)load->good, (unsigned long long)load->refused, (unsigned long long)load->failed,
           (unsigned long long)load->unanswered, (unsigned long long)load->unsent, (unsigned long long)load->held,
           load->delay_max_us, cpu, cpu > 0 ? (double)load->good_ever / cpu : 0, server_rss_kib());
    fflush(stdout);
}

/* Client libraries have threads, which no fork() survives: each load has a process of its own. */
static pid_t start_open(const char *url, uint32_t overload_percent, double rate, uint32_t ms, struct load *load) {
    pid_t child = fork();
    if (child == 0) {
        yield_to_server();
        load_open(url, CHANNELS, overload_percent, rate, ms, load);
        _exit(EXIT_SUCCESS);
    }
    return child;
}

static pid_t start_closed(const char *url, bool as_usual, unsigned in_flight, uint32_t ms, struct load *load,
                          double *ret_seconds) {
    pid_t child = fork();
    if (child == 0) {
        yield_to_server();
        *ret_seconds = load_closed(as_usual ? load_connect_as_usual(url) : load_connect(url), in_flight, ms, load);
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
    uint32_t ms; /* of each phase */
    bool busy;   /* the handler keeps the loop busy */
    struct load *load, *watched;
    double *seconds; /* in shared memory */
};

/* What a phase came to. */
struct result {
    double good_per_s;
    double cpu_us_of_good; /* processor time of the server for each good call, all its other work included */
};

static struct result run_peak(const char *what, const char *url, const struct shared *shared) {
    load_reset(shared->load);
    double cpu = server_cpu();
    await(start_closed(url, false, shared->in_flight, shared->ms, shared->load, shared->seconds));
    cpu = server_cpu() - cpu;
    report(what, 0, *shared->seconds, cpu, shared->load);
    return (struct result){.good_per_s = (double)shared->load->good / *shared->seconds,
                           .cpu_us_of_good = cpu * 1e6 / (double)shared->load->good_ever};
}

static double capacity_of(const struct result *peak, bool busy) {
    double per_cpu_s = 1e6 / peak->cpu_us_of_good;
    return busy && per_cpu_s > peak->good_per_s ? per_cpu_s : peak->good_per_s;
}

static struct result result_of(const struct shared *shared, double cpu) {
    double ever = (double)(shared->load->good_ever + shared->watched->good_ever);
    return (struct result){.good_per_s = (double)(shared->load->good + shared->watched->good) / (shared->ms / 1e3),
                           .cpu_us_of_good = cpu * 1e6 / ever};
}

/* @full  NULL: this is it */
static void summarize(const char *what, const struct shared *shared, double cpu, const struct result *peak,
                      const struct result *full) {
    const struct result result = result_of(shared, cpu);
    double good = (double)(shared->load->good_ever + shared->watched->good_ever);
    double refused = (double)(shared->load->refused + shared->watched->refused);
    full = full ? full : &result;
    printf("{\"bench\":\"overload\",\"what\":\"%s-summary\",\"goodput_of_peak\":%.3f,\"goodput_of_full\":%.3f,"
           "\"goodput_of_peak_per_cpu\":%.3f,\"goodput_of_full_per_cpu\":%.3f,\"refused_per_good\":%.2f,"
           "\"cpu_us_of_good\":%.1f,\"cpu_us_of_refusal\":%.1f}\n",
           what, result.good_per_s / peak->good_per_s, result.good_per_s / full->good_per_s,
           peak->cpu_us_of_good / result.cpu_us_of_good, full->cpu_us_of_good / result.cpu_us_of_good, refused / good,
           result.cpu_us_of_good, refused > 0 ? (cpu * 1e6 - good * full->cpu_us_of_good) / refused : 0);
    fflush(stdout);
}

/* @overload_percent  0: the clients' channels hold calls back, as by default | UINT32_MAX: they send all */
static struct result run_clients(const char *what, const char *url, uint32_t overload_percent, double rate,
                                 const struct shared *shared, const struct result *peak, const struct result *full) {
    pid_t children[CLIENTS];
    char watched[32];
    snprintf(watched, sizeof(watched), "%s-watched", what);
    load_reset(shared->load);
    load_reset(shared->watched);
    double cpu = server_cpu();
    for (unsigned i = 0; i < CLIENTS; i++) {
        children[i] = start_open(url, overload_percent, rate / CLIENTS, shared->ms, shared->load);
    }
    pid_t watcher = start_closed(url, true, 1, shared->ms / 2, shared->watched, shared->seconds);
    await(watcher);
    for (unsigned i = 0; i < CLIENTS; i++) {
        await(children[i]);
    }
    cpu = server_cpu() - cpu;
    rate = (double)shared->load->begun / (shared->ms / 1e3); /* the machine may have given fewer */
    report(what, rate, shared->ms / 1e3, cpu, shared->load);
    report(watched, rate, *shared->seconds, cpu, shared->watched);
    summarize(what, shared, cpu, peak, full);
    return result_of(shared, cpu);
}

static void run_rest(const struct shared *shared) {
    double cpu = server_cpu();
    load_reset(shared->load);
    sleep(REST_S);
    report("rest", 0, REST_S, server_cpu() - cpu, shared->load);
}

static void run_all(const char *url, const struct bench_handler *handler, uint32_t ms, double factor) {
    struct load *loads[3] = {load_new(), load_new(), load_new()};
    const struct shared shared = {.in_flight = handler->wait_ms > 0 ? WAIT_IN_FLIGHT : BUSY_IN_FLIGHT,
                                  .ms = ms,
                                  .busy = handler->wait_ms == 0,
                                  .load = loads[0],
                                  .watched = loads[1],
                                  .seconds = (double *)(void *)loads[2]};
    const struct result peak = run_peak("peak", url, &shared);
    double capacity = capacity_of(&peak, shared.busy);
    const struct result full = run_clients("full", url, 0, capacity, &shared, &peak, NULL);
    (void)run_clients("overload", url, 0, capacity * factor, &shared, &peak, &full);
    (void)run_clients("flood", url, UINT32_MAX, capacity * factor, &shared, &peak, &full);
    (void)run_peak("after", url, &shared);
    run_rest(&shared);
}

static int serve(const char *url, const struct bench_handler *handler) {
    char limit[16];
    use_processor(0);
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
    apart = argc > 4 && strcmp(argv[4], "apart") == 0;
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
    run_all(url, &handler, ms, factor);
    kill(server, SIGTERM);
    return waitpid(server, &status, 0) == server && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
