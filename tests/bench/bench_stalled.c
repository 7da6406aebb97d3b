#include "tests/bench/load.h"
#include "tests/bench/server.h"
#include "tests/unit/transport/stranger.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A healthy client's calls beside thousands of peers that stall, and what those cost the server. There are two servers,
 * one alone and one with the peers, and a client of each, connected before the peers came; they are measured by turns,
 * so that what else the machine does disturbs both. Of four peers one each connects and says nothing, greets and says
 * nothing, stops in the middle of a message that claims 200,000 bytes, and asks 32 times without reading a reply. Who
 * was cut off comes again before each turn.
 *
 * Reported are the medians of the turns; once under the default of rpc.max_connections, once with room for all; with
 * one call in flight and with 16. In the end the peers also ask on and on without reading ("deaf"), 16 of them.
 * It takes as many descriptors as peers, here and in the server. One JSON line each on stdout.
 * Usage: bench_stalled [TURNS [PEERS…]]; 0 peers are the deaf ones
 */

#define CLAIMED_BYTES 200000u
#define SENT_BYTES    100u
#define QUESTIONS     32u
#define PEERS_MAX     60000u

#define TURN_MS   400u
#define TURNS_MAX 100u
#define DEAF      16u

struct order {
    unsigned in_flight;
};

/* A server, its healthy client, and those who stall. */
struct scene {
    pid_t server, client;
    int orders_fd, results_fd; /* of the client: struct order, and seconds as double */
    char url[64];
    struct {
        int fd;
        unsigned kind;
    } peers[PEERS_MAX];
    unsigned count;
    struct load *load;
    unsigned rate[TURNS_MAX], p50_us[TURNS_MAX], p99_us[TURNS_MAX];
    uint64_t not_good;
};

/* ---- the server ---- */

static void start_server(struct scene *scene, const char *max_connections) {
    bench_server_url(scene->url);
    scene->server = fork();
    if (scene->server == 0) {
        setenv("HERALD_RPC_MAX_CONNECTIONS", max_connections, 1);
        exit(bench_server_run(scene->url, &(const struct bench_handler){0}));
    }
    if (scene->server < 0) {
        exit(EXIT_FAILURE);
    }
}

static void stop_server(const struct scene *scene) {
    int status = 0;
    kill(scene->server, SIGTERM);
    kill(scene->client, SIGKILL);
    waitpid(scene->client, NULL, 0);
    close(scene->orders_fd);
    close(scene->results_fd);
    if (waitpid(scene->server, &status, 0) != scene->server || status != 0) {
        fprintf(stderr, "bench_stalled: the server ended with status 0x%x\n", (unsigned)status);
    }
}

static long resident_kib(const struct scene *scene) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)scene->server);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static unsigned descriptors(const struct scene *scene) {
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)scene->server);
    DIR *folder = opendir(path);
    while (folder && readdir(folder)) {
        count++;
    }
    if (folder) {
        closedir(folder);
    }
    return count - 2; /* . and .. */
}

/* ---- those who stall ---- */

static void ask_and_not_read(int fd) {
    static const char PROBE[] = "\x80\0\0\1herald.rpc.v1.Health/Check";
    uint8_t head[STRANGER_HEAD_MAX];
    size_t head_bytes = stranger_frame_head("tcp", sizeof(PROBE) - 1, head);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        stranger_send(fd, head, head_bytes);
        stranger_send(fd, PROBE, sizeof(PROBE) - 1);
    }
}

/* What it takes without waiting, again and again; nothing is read. */
static void ask_on(int fd) {
    static const char PROBE[] = "\0\0\0\0\0\0\0\x1e\x80\0\0\1herald.rpc.v1.Health/Check";
    for (unsigned i = 0; i < 20000; i++) {
        if (send(fd, PROBE, sizeof(PROBE) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            return;
        }
    }
}

/* -1: it was not let in. */
static int invite(const struct scene *scene, unsigned kind) {
    int fd = stranger_connect(scene->url);
    if (fd < 0 || kind == 0) {
        return fd;
    }
    if (!stranger_greet(fd)) {
        close(fd);
        return -1;
    }
    if (kind == 2) {
        stranger_send_frame(fd, scene->url, CLAIMED_BYTES, SENT_BYTES);
    }
    if (kind == 3) {
        ask_and_not_read(fd);
    }
    return fd;
}

static void invite_all(struct scene *scene, unsigned peers) {
    for (; scene->count < peers && scene->count < PEERS_MAX; scene->count++) {
        scene->peers[scene->count].kind = scene->count % 4;
        scene->peers[scene->count].fd = invite(scene, scene->count % 4);
    }
}

static bool was_cut_off(int fd) {
    char byte;
    return fd < 0 || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void invite_again(struct scene *scene) {
    for (unsigned i = 0; i < scene->count; i++) {
        if (!was_cut_off(scene->peers[i].fd)) {
            continue;
        }
        if (scene->peers[i].fd >= 0) {
            close(scene->peers[i].fd);
        }
        scene->peers[i].fd = invite(scene, scene->peers[i].kind);
    }
}

static void dismiss_all(struct scene *scene) {
    while (scene->count > 0) {
        if (scene->peers[--scene->count].fd >= 0) {
            close(scene->peers[scene->count].fd);
        }
    }
}

/* ---- the healthy one, in a process of its own ---- */

static void run_client(const struct scene *scene, int orders_fd, int results_fd) {
    struct herald_channel *channel = load_connect(scene->url);
    struct order order;
    while (read(orders_fd, &order, sizeof(order)) == sizeof(order)) {
        double seconds = load_closed(channel, order.in_flight, TURN_MS, scene->load);
        if (write(results_fd, &seconds, sizeof(seconds)) != sizeof(seconds)) {
            break;
        }
    }
    _exit(EXIT_SUCCESS);
}

static void start_client(struct scene *scene) {
    int orders[2], results[2];
    if (pipe(orders) != 0 || pipe(results) != 0 || (scene->client = fork()) < 0) {
        exit(EXIT_FAILURE);
    }
    if (scene->client == 0) {
        run_client(scene, orders[0], results[1]);
    }
    close(orders[0]);
    close(results[1]);
    scene->orders_fd = orders[1];
    scene->results_fd = results[0];
}

static void take_turn(struct scene *scene, unsigned turn, unsigned in_flight) {
    const struct order order = {in_flight};
    const struct load *load = scene->load;
    double seconds = 0;
    load_reset(scene->load);
    if (write(scene->orders_fd, &order, sizeof(order)) != sizeof(order) ||
        read(scene->results_fd, &seconds, sizeof(seconds)) != sizeof(seconds)) {
        exit(EXIT_FAILURE);
    }
    scene->rate[turn] = (unsigned)((double)load->good / seconds);
    scene->p50_us[turn] = load_percentile(load->good_us, 0.5);
    scene->p99_us[turn] = load_percentile(load->good_us, 0.99);
    scene->not_good += load->refused + load->failed + load->unanswered + load->unsent;
}

/* ---- the turns ---- */

static int compare(const void *a, const void *b) {
    const unsigned *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

static unsigned median(unsigned *values, unsigned count) {
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static void report(struct scene *scene, const char *what, unsigned peers, const char *max_connections,
                   unsigned in_flight, unsigned turns) {
    printf("{\"bench\":\"stalled\",\"what\":\"%s\",\"peers\":%u,\"max_connections\":%s,\"in_flight\":%u,"
           "\"calls_per_s\":%u,\"p50_us\":%u,\"p99_us\":%u,\"not_good\":%llu,"
           "\"server_rss_kib\":%ld,\"server_descriptors\":%u}\n",
           what, peers, max_connections, in_flight, median(scene->rate, turns), median(scene->p50_us, turns),
           median(scene->p99_us, turns), (unsigned long long)scene->not_good, resident_kib(scene), descriptors(scene));
    fflush(stdout);
    scene->not_good = 0;
}

static void measure(struct scene scenes[2], unsigned peers, const char *max_connections, unsigned in_flight,
                    unsigned turns) {
    for (unsigned i = 0; i < turns; i++) {
        take_turn(&scenes[0], i, in_flight);
        invite_again(&scenes[1]);
        take_turn(&scenes[1], i, in_flight);
    }
    report(&scenes[0], "alone", 0, max_connections, in_flight, turns);
    report(&scenes[1], "stalled", peers, max_connections, in_flight, turns);
}

static void measure_deaf(struct scene scenes[2], const char *max_connections, unsigned turns) {
    invite_all(&scenes[1], DEAF);
    for (unsigned i = 0; i < turns; i++) {
        take_turn(&scenes[0], i, 16);
        invite_again(&scenes[1]);
        for (unsigned j = 0; j < scenes[1].count; j++) {
            ask_on(scenes[1].peers[j].fd);
        }
        take_turn(&scenes[1], i, 16);
    }
    report(&scenes[0], "alone", 0, max_connections, 16, turns);
    report(&scenes[1], "deaf", DEAF, max_connections, 16, turns);
}

static void run(struct scene scenes[2], unsigned peers, const char *max_connections, unsigned turns) {
    for (unsigned i = 0; i < 2; i++) {
        start_server(&scenes[i], max_connections);
        start_client(&scenes[i]);
        take_turn(&scenes[i], 0, 16); /* it is connected now, and pools are filled */
        scenes[i].not_good = 0;
    }
    if (peers > 0) {
        invite_all(&scenes[1], peers);
        measure(scenes, peers, max_connections, 1, turns);
        measure(scenes, peers, max_connections, 16, turns);
    } else {
        measure_deaf(scenes, max_connections, turns);
    }
    dismiss_all(&scenes[1]);
    for (unsigned i = 0; i < 2; i++) {
        stop_server(&scenes[i]);
    }
}

static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
    static struct scene scenes[2];
    static char *const PEERS[] = {(char *)"2000", (char *)"10000", (char *)"0"};
    unsigned turns = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
    char *const *peers = argc > 2 ? argv + 2 : PEERS;
    int count = argc > 2 ? argc - 2 : 3;
    scenes[0].load = load_new();
    scenes[1].load = load_new();
    allow_descriptors();
    for (int i = 0; i < count && turns > 0 && turns <= TURNS_MAX; i++) {
        run(scenes, (unsigned)atoi(peers[i]), "1024", turns);
        if (atoi(peers[i]) > 0) {
            run(scenes, (unsigned)atoi(peers[i]), "65000", turns);
        }
    }
    return EXIT_SUCCESS;
}
