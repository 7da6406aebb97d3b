#include "tests/bench/peers/cell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_MS  500u
#define PATIENCE_MS 30000u /* until the server listens, and until each call has been answered once */
#define BYTES_MAX   65536u
#define DEFAULT_S   3.0

/* Buckets of latencies: 64 for each power of two of nanoseconds, so that each is within 1.6 %. */
#define FINE_BITS    6u
#define BUCKET_COUNT (64u << FINE_BITS)

static const struct cell ROWS[] = {
    {.row = "empty_call", .connections = 1, .in_flight = 64, .bytes = 64},
    {.row = "one_in_flight", .connections = 1, .in_flight = 1, .bytes = 64},
    {.row = "payload_64k", .connections = 1, .in_flight = 16, .bytes = BYTES_MAX},
    {.row = "tls", .connections = 1, .in_flight = 64, .bytes = 64, .tls = true},
    {.row = "connections_1024", .connections = 1024, .in_flight = 1, .bytes = 64},
    {.row = "loops_1", .connections = 4, .in_flight = 16, .bytes = 64, .loops = 1},
    {.row = "loops_2", .connections = 4, .in_flight = 16, .bytes = 64, .loops = 2},
    {.row = "loops_4", .connections = 4, .in_flight = 16, .bytes = 64, .loops = 4},
    {.row = "servers_2", .connections = 4, .in_flight = 16, .bytes = 64, .loops = 1, .servers = 2},
    {.row = "servers_4", .connections = 4, .in_flight = 16, .bytes = 64, .loops = 1, .servers = 4},
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static const char *system_name = "cell";
static pid_t server_pids[CELL_SERVERS_MAX];
static unsigned server_count; /* that were started */
static bool is_server;        /* this process */
static char folder[64];
static uint8_t pattern[BYTES_MAX];
static double wanted_s = DEFAULT_S;

static atomic_bool recording;
static _Atomic uint64_t answered; /* ever */
static _Atomic uint64_t buckets[BUCKET_COUNT];

/* ---- the end ---- */

static void end_servers(void) {
    for (unsigned i = 0; i < server_count; i++) {
        (void)kill(server_pids[i], SIGKILL);
        (void)waitpid(server_pids[i], NULL, 0);
    }
}

static void remove_folder(void) {
    static const char *const FILES[] = {"ca.pem", "ca.key", "ca.srl", "cert.pem", "cert.key", "cert.csr", "cert.ext"};
    char path[128];
    if (folder[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, FILES[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* For the thread that ends the process; others that want to wait here. */
static void begin_end(void) {
    static atomic_flag ending = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&ending)) {
        (void)pause();
    }
}

void cell_fail(const char *format, ...) {
    va_list values;
    begin_end();
    fprintf(stderr, "%s: ", system_name);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    if (!is_server) {
        end_servers();
        remove_folder();
    }
    _exit(EXIT_FAILURE);
}

/* ---- calls ---- */

uint64_t cell_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void make_pattern(void) {
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 31 + i / 251);
    }
}

void cell_fill(void *payload, size_t bytes, uint64_t number) {
    memcpy(payload, pattern, bytes);
    memcpy(payload, &number, sizeof(number));
}

static size_t bucket_of(uint64_t ns) {
    unsigned shift = 0;
    while (ns >> shift >= 2u << FINE_BITS) {
        shift++;
    }
    return ((size_t)shift << FINE_BITS) + (size_t)(ns >> shift);
}

/* Its middle. */
static double ns_of(size_t bucket) {
    if (bucket < 2u << FINE_BITS) {
        return (double)bucket;
    }
    size_t shift = (bucket >> FINE_BITS) - 1;
    return ((double)(bucket - (shift << FINE_BITS)) + 0.5) * (double)((uint64_t)1 << shift);
}

void cell_note(const struct cell *cell, uint64_t number, uint64_t started_ns, const void *reply, size_t bytes) {
    uint64_t ns = cell_now_ns() - started_ns;
    if (bytes != cell->bytes) {
        cell_fail("a reply has %zu bytes instead of %zu", bytes, cell->bytes);
    }
    if (memcmp(reply, &number, sizeof(number)) != 0 ||
        memcmp((const uint8_t *)reply + sizeof(number), pattern + sizeof(number), bytes - sizeof(number)) != 0) {
        cell_fail("a reply is not what was sent");
    }
    if (atomic_load_explicit(&recording, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&buckets[bucket_of(ns)], 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&answered, 1, memory_order_relaxed);
    }
}

/* ---- measuring ---- */

static void sleep_ms(uint64_t ms) {
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
        continue;
    }
}

static double percentile_us(double part, uint64_t count) {
    uint64_t wanted = (uint64_t)((double)count * part), seen = 0;
    size_t i = 0;
    while (i + 1 < BUCKET_COUNT && (seen += atomic_load(&buckets[i])) <= wanted) {
        i++;
    }
    return ns_of(i) / 1e3;
}

/* Processor time of all threads of a process, user and system. */
static double processor_us(pid_t pid) {
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    struct timespec used;
    if ((pid != 0 && clock_getcpuclockid(pid, &clock) != 0) || clock_gettime(clock, &used) != 0) {
        cell_fail("the processor time of %s cannot be read", pid != 0 ? "the server" : "the client");
    }
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static long peak_kib(pid_t pid) {
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid != 0 ? (int)pid : (int)getpid());
    FILE *file = fopen(path, "r");
    while (file && kib == 0 && fgets(line, sizeof(line), file)) {
        (void)sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file) {
        fclose(file);
    }
    if (kib == 0) {
        cell_fail("%s has no peak of memory", path);
    }
    return kib;
}

static void check_servers(void) {
    int status;
    for (unsigned i = 0; i < server_count; i++) {
        if (waitpid(server_pids[i], &status, WNOHANG) != 0) {
            server_pids[i] = server_pids[--server_count];
            cell_fail("a server has ended");
        }
    }
}

/* Of all servers. */
static double servers_us(void) {
    double us = 0;
    for (unsigned i = 0; i < server_count; i++) {
        us += processor_us(server_pids[i]);
    }
    return us;
}

static long servers_kib(void) {
    long kib = 0;
    for (unsigned i = 0; i < server_count; i++) {
        kib += peak_kib(server_pids[i]);
    }
    return kib;
}

static void await_answers(const struct cell *cell) {
    uint64_t wanted = (uint64_t)cell->connections * cell->in_flight;
    for (uint64_t waited_ms = 0; atomic_load(&answered) < wanted; waited_ms += 10) {
        check_servers();
        if (waited_ms > PATIENCE_MS) {
            cell_fail("after %u s only %llu calls of %llu are answered", PATIENCE_MS / 1000,
                      (unsigned long long)atomic_load(&answered), (unsigned long long)wanted);
        }
        sleep_ms(10);
    }
}

/* What calls still say when their server is killed is of no interest. */
static void hush(void) {
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDERR_FILENO);
    }
}

/* Waits for the warm-up, measures, prints and ends the process. */
static void *measure(void *user) {
    const struct cell *cell = user;
    uint64_t operations = 0;
    await_answers(cell);
    sleep_ms(WARM_UP_MS);
    double client_us = -processor_us(0), server_us = -servers_us();
    uint64_t start_ns = cell_now_ns();
    atomic_store(&recording, true);
    sleep_ms((uint64_t)(wanted_s * 1000));
    atomic_store(&recording, false);
    double seconds = (double)(cell_now_ns() - start_ns) / 1e9;
    check_servers();
    client_us += processor_us(0);
    server_us += servers_us();
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        operations += atomic_load(&buckets[i]);
    }
    if (operations == 0) {
        cell_fail("no call ended within %.1f s", seconds);
    }
    long client_kib = peak_kib(0), server_kib = servers_kib();
    begin_end();
    hush();
    end_servers();
    remove_folder();
    printf("{\"row\":\"%s\",\"system\":\"%s\",\"operations\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"cpu_us\":{\"client\":%.3f,\"server\":%.3f},"
           "\"peak_kib\":{\"client\":%ld,\"server\":%ld},\"errors\":0}\n",
           cell->row, system_name, (unsigned long long)operations, seconds, (double)operations / seconds,
           percentile_us(0.5, operations), percentile_us(0.99, operations), client_us / (double)operations,
           server_us / (double)operations, client_kib, server_kib);
    fflush(stdout);
    _exit(EXIT_SUCCESS);
}

/* ---- what a cell needs ---- */

static unsigned free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        cell_fail("no port is free: %s", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

/* Connects to nobody: a server would see a client that leaves. */
static bool is_listed_in(const char *path, unsigned port) {
    char line[512];
    bool is_listed = false;
    FILE *file = fopen(path, "r");
    while (file && !is_listed && fgets(line, sizeof(line), file)) {
        unsigned local = 0, state = 0;
        is_listed = sscanf(line, "%*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 && local == port &&
                    state == TCP_LISTEN;
    }
    if (file) {
        fclose(file);
    }
    return is_listed;
}

static void await_port(unsigned port) {
    unsigned waited_ms = 0;
    while (!is_listed_in("/proc/net/tcp", port) && !is_listed_in("/proc/net/tcp6", port)) {
        check_servers();
        if (waited_ms > PATIENCE_MS) {
            cell_fail("after %u s nothing listens at %s:%u", PATIENCE_MS / 1000, CELL_HOST, port);
        }
        sleep_ms(10);
        waited_ms += 10;
    }
}

/* An authority and a server's certificate. */
static void make_certificate(struct cell *cell) {
    static char files[3][96];
    char command[1024];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/herald-cell-XXXXXX", parent && strlen(parent) < 32 ? parent : "/tmp");
    if (!mkdtemp(folder)) {
        folder[0] = '\0';
        cell_fail("no folder for certificates: %s", strerror(errno));
    }
    snprintf(command, sizeof(command),
             "cd '%s' && umask 077 && ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes' && { "
             "openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj /CN=cell-ca -addext "
             "basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign && "
             "openssl req $ec -keyout cert.key -out cert.csr -subj /CN=" CELL_NAME " && "
             "echo subjectAltName=DNS:" CELL_NAME " >cert.ext && "
             "openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem "
             "-extfile cert.ext; } >/dev/null 2>&1",
             folder);
    if (system(command) != 0) {
        cell_fail("openssl made no certificate");
    }
    snprintf(files[0], sizeof(files[0]), "%s/ca.pem", folder);
    snprintf(files[1], sizeof(files[1]), "%s/cert.pem", folder);
    snprintf(files[2], sizeof(files[2]), "%s/cert.key", folder);
    cell->folder = folder;
    cell->ca_file = files[0];
    cell->cert_file = files[1];
    cell->key_file = files[2];
}

static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void start_server(const struct cell_system *system, const struct cell *cell) {
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        cell_fail("fork: %s", strerror(errno));
    }
    if (child > 0) {
        server_pids[server_count++] = child;
        return;
    }
    is_server = true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    system->serve(cell);
    _exit(EXIT_FAILURE);
}

static int run_cell(const struct cell_system *system, struct cell cell) {
    pthread_t thread;
    cell.servers = cell.servers > 0 ? cell.servers : 1;
    if (cell.tls) {
        make_certificate(&cell);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    allow_descriptors();
    make_pattern();
    for (unsigned i = 0; i < cell.servers; i++) {
        cell.ports[i] = cell.port = free_port();
        start_server(system, &cell);
        await_port(cell.port);
    }
    if (pthread_create(&thread, NULL, measure, &cell) != 0) {
        cell_fail("no thread to measure");
    }
    system->call(&cell);
    pthread_join(thread, NULL);
    return EXIT_FAILURE; /* not reached: measure() ends the process */
}

/* ---- options ---- */

static int print_usage(void) {
    fprintf(stderr, "Usage: %s --list | --row ROW [--seconds S]\n", system_name);
    return 2;
}

static bool has_row(const struct cell_system *system, const struct cell *cell) {
    return (system->has_tls || !cell->tls) && (system->scales || (cell->servers == 0 && cell->loops == 0));
}

static int list_rows(const struct cell_system *system) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (has_row(system, &ROWS[i])) {
            puts(ROWS[i].row);
        }
    }
    return EXIT_SUCCESS;
}

int cell_main(const struct cell_system *system, int argc, char **argv) {
    const char *row = NULL;
    system_name = system->name;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            return list_rows(system);
        }
        if (i + 1 < argc && strcmp(argv[i], "--row") == 0) {
            row = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0) {
            wanted_s = atof(argv[++i]);
        } else {
            return print_usage();
        }
    }
    if (!row || !(wanted_s > 0)) {
        return print_usage();
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(ROWS[i].row, row) == 0 && has_row(system, &ROWS[i])) {
            return run_cell(system, ROWS[i]);
        }
    }
    fprintf(stderr, "%s: has no row %s\n", system_name, row);
    return EXIT_FAILURE;
}
