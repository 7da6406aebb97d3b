/*
 * herald-distribution at work: publishes a second and their cost, memory of publishes that wait, and whether they
 * disturb others. It drives a running stack through the client library, and tells herald-fakes how to behave:
 *
 *   HERALD_DEV_PORT_BASE=23000 ./deploy/dev up && eval "$(HERALD_DEV_PORT_BASE=23000 ./deploy/dev env)"
 *   export HERALD_BENCH_SERVER=$(cut -d' ' -f1 .state/dev/run/herald-distribution.pid)
 *
 *   bench_distribution throughput SECONDS IN_FLIGHT   each publish to three webhooks that answer after 1 ms
 *   bench_distribution waiting COUNT                  publishes that wait at a channel which never answers
 *   bench_distribution isolation COUNT ROUNDS         p99 of another channel beside them, and without
 *
 * One JSON line on stdout. CPU and memory are those of the process HERALD_BENCH_SERVER and of the Postgres of
 * HERALD_PG_DSN, which must run on this machine. It empties the tables of distributions: not for a stack in use.
 */
#include "herald/client.h"
#include "herald/distribution/v1/distribution.client.h"
#include "herald/uuid.h"
#include "server/runtime/call.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL(name) HERALD__DISTRIBUTION__V1__CHANNEL__##name

#define TIMEOUT_MS     70000u
#define SAMPLES_MAX    4000000u
#define SLOTS_MAX      4096u
#define WARM_UP_MS     1000u
#define STATISTICS_MS  1500u /* until Postgres' backends have told theirs */
#define IDLE_MS        4000u
#define BURST          250u /* calls that begin to wait at once */
#define BURST_PAUSE_MS 20u
#define SETTLE_MS      4000u
#define GIVE_BACK_MS   8000u
#define ROUND_MS       3000u
#define ROUND_AT_ONCE  8u

static void fail(const char *what) {
    fprintf(stderr, "bench_distribution: %s\n", what);
    exit(EXIT_FAILURE);
}

static const char *need(const char *variable) {
    const char *value = getenv(variable);
    if (!value || value[0] == '\0') {
        fprintf(stderr, "bench_distribution: %s is not set\n", variable);
        exit(64);
    }
    return value;
}

static void sleep_ms(unsigned ms) {
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* ---- the fakes ---- */

/* Sets the behaviour of a channel of herald-fakes. */
static void behave(const char *channel, const char *behaviour) {
    char request[512], answer[512] = "";
    struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned port = 0;
    char host[64];
    if (sscanf(need("HERALD_CHANNELS_URL"), "http://%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fail("HERALD_CHANNELS_URL is not http://ADDRESS:PORT");
    }
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bytes =
        snprintf(request, sizeof(request),
                 "PUT /behaviour/%s HTTP/1.1\r\nhost: fakes\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n%s",
                 channel, strlen(behaviour), behaviour);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || write(fd, request, (size_t)bytes) != bytes ||
        read(fd, answer, sizeof(answer) - 1) <= 0 || !strstr(answer, " 200 ")) {
        fprintf(stderr, "%s\n", answer);
        fail("herald-fakes does not take the behaviour");
    }
    close(fd);
}

static void all_answer_after(unsigned ms) {
    static const char *const names[] = {"WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV"};
    char behaviour[64];
    snprintf(behaviour, sizeof(behaviour), "{\"mode\":\"ok\",\"delayMs\":%u}", ms);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        behave(names[i], behaviour);
    }
}

/* ---- figures of processes ---- */

static int server_pid(void) {
    return atoi(need("HERALD_BENCH_SERVER"));
}

static long resident_kib(int pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
        fail("the server's memory cannot be read");
    }
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct process_times {
    int parent;
    double own_us, children_us;
};

static bool read_times(int pid, struct process_times *ret_times) {
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    long child_user = 0, child_system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    bool read = file && fgets(line, sizeof(line), file);
    const char *rest = strrchr(line, ')');
    if (file) {
        (void)fclose(file);
    }
    if (!read || !rest ||
        sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &ret_times->parent, &user,
               &system, &child_user, &child_system) != 5) {
        return false;
    }
    double tick_us = 1e6 / (double)sysconf(_SC_CLK_TCK);
    ret_times->own_us = (double)(user + system) * tick_us;
    ret_times->children_us = (double)(child_user + child_system) * tick_us;
    return true;
}

static double cpu_us(int pid) {
    struct process_times times = {0};
    return read_times(pid, &times) ? times.own_us : 0;
}

/* CPU of a Postgres: of its first process, those that it has, and those that have ended. */
static double postgres_cpu_us(PGconn *pg) {
    struct process_times backend = {0}, times = {0};
    char command[64], line[32];
    if (!read_times(PQbackendPID(pg), &backend) || !read_times(backend.parent, &times)) {
        fail("Postgres does not run on this machine");
    }
    double sum_us = times.own_us + times.children_us;
    snprintf(command, sizeof(command), "/proc/%d/task/%d/children", backend.parent, backend.parent);
    FILE *file = fopen(command, "r");
    while (file && fscanf(file, "%31s", line) == 1) {
        sum_us += read_times(atoi(line), &times) ? times.own_us : 0;
    }
    if (file) {
        (void)fclose(file);
    }
    return sum_us;
}

/* ---- figures of Postgres ---- */

struct figures {
    double commits, wal_bytes, wal_syncs, rows, hot_updates, updates;
    double server_us, postgres_us, at_us;
};

static PGconn *connect_database(void) {
    PGconn *pg = PQconnectdb(need("HERALD_PG_DSN"));
    if (PQstatus(pg) != CONNECTION_OK) {
        fail(PQerrorMessage(pg));
    }
    return pg;
}

static void read_figures(PGconn *pg, struct figures *ret_figures) {
    sleep_ms(STATISTICS_MS);
    const char *wal_syncs = PQserverVersion(pg) >= 180000 ? "(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')"
                                                          : "(SELECT wal_sync FROM pg_stat_wal)";
    char query[512];
    snprintf(query, sizeof(query),
             "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()), "
             "pg_current_wal_insert_lsn() - '0/0', %s, sum(n_tup_ins + n_tup_upd + n_tup_del), sum(n_tup_hot_upd), "
             "sum(n_tup_upd) FROM pg_stat_user_tables",
             wal_syncs);
    PGresult *result = PQexec(pg, query);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail(PQerrorMessage(pg));
    }
    *ret_figures = (struct figures){
        .commits = atof(PQgetvalue(result, 0, 0)),
        .wal_bytes = atof(PQgetvalue(result, 0, 1)),
        .wal_syncs = atof(PQgetvalue(result, 0, 2)),
        .rows = atof(PQgetvalue(result, 0, 3)),
        .hot_updates = atof(PQgetvalue(result, 0, 4)),
        .updates = atof(PQgetvalue(result, 0, 5)),
        .server_us = cpu_us(server_pid()),
        .postgres_us = postgres_cpu_us(pg),
        .at_us = (double)clock_now_us(),
    };
    PQclear(result);
}

/* Forgets what earlier calls have left to do. */
static void forget_deliveries(void) {
    PGconn *pg = connect_database();
    PGresult *result = PQexec(pg, "TRUNCATE distributions, deliveries, delivery_attempts, delivery_steps");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail(PQerrorMessage(pg));
    }
    PQclear(result);
    PQfinish(pg);
}

/* ---- calls ---- */

struct run {
    struct herald_channel *channel;
    const Herald__Distribution__V1__Channel *channels;
    size_t channel_count;
    atomic_bool recording, ending;
    atomic_uint running, completed, going_on, refused, failed;
    atomic_uint sample_count;
    uint32_t *samples;    /* microseconds */
    pthread_mutex_t lock; /* of said */
    char said[200];       /* the reasons of failures */
};

struct slot {
    struct run *run;
    uint64_t begun_us;
    bool repeats;
};

static struct herald_channel *connect_server(void) {
    struct herald_credential *credential = NULL;
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (herald_credential_hmac_file(need("HERALD_AUTH_KEY_ID"), need("HERALD_AUTH_KEY_FILE"), &credential, &error) !=
        HERALD_OK) {
        fail(error.message);
    }
    const struct herald_channel_options options = {
        .credential = credential, .max_in_flight = UINT32_MAX, .retry.max_attempts = 1, .connect_timeout_ms = 5000};
    if (herald_channel_open(need("HERALD_DISTRIBUTION_URL"), &options, &channel, &error) != HERALD_OK) {
        fail(error.message);
    }
    herald_credential_unref(credential);
    return channel;
}

static void run_init(struct run *run, struct herald_channel *channel, const Herald__Distribution__V1__Channel *channels,
                     size_t channel_count) {
    *run = (struct run){.channel = channel, .channels = channels, .channel_count = channel_count};
    run->samples = malloc(SAMPLES_MAX * sizeof(*run->samples));
    pthread_mutex_init(&run->lock, NULL);
    if (!run->samples) {
        fail("no memory");
    }
}

static void run_fini(struct run *run) {
    pthread_mutex_destroy(&run->lock);
    free(run->samples);
}

/* Notes the reason of a failure, each once. */
static void say_once(struct run *run, const struct herald_error *error) {
    pthread_mutex_lock(&run->lock);
    size_t length = strlen(run->said);
    if (!strstr(run->said, error->reason)) {
        snprintf(run->said + length, sizeof(run->said) - length, "%s%s", length > 0 ? " " : "", error->reason);
    }
    pthread_mutex_unlock(&run->lock);
}

static void count_reply(struct run *run, const struct herald_reply *reply, uint64_t us) {
    if (reply->error.code == HERALD_OK) {
        const Herald__Distribution__V1__DistributeResponse *response =
            (const Herald__Distribution__V1__DistributeResponse *)reply->message;
        atomic_fetch_add(response->completed ? &run->completed : &run->going_on, 1);
    } else {
        atomic_fetch_add(reply->error.code == HERALD_RESOURCE_EXHAUSTED ? &run->refused : &run->failed, 1);
        say_once(run, &reply->error);
    }
    unsigned index = atomic_fetch_add(&run->sample_count, 1);
    if (index < SAMPLES_MAX) {
        run->samples[index] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    }
}

static void begin(struct slot *slot);

static void on_done(void *user, struct herald_reply *reply) {
    struct slot *slot = user;
    struct run *run = slot->run;
    if (run->recording) {
        count_reply(run, reply, clock_now_us() - slot->begun_us);
    }
    herald_reply_clear(reply);
    if (slot->repeats && !run->ending) {
        begin(slot);
        return;
    }
    free(slot);
    atomic_fetch_sub(&run->running, 1);
}

static void begin(struct slot *slot) {
    static const struct herald_call_options options = {.timeout_ms = TIMEOUT_MS};
    struct run *run = slot->run;
    Herald__Distribution__V1__DistributeRequest request = HERALD__DISTRIBUTION__V1__DISTRIBUTE_REQUEST__INIT;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    struct herald_error error;
    char event_id[37];
    herald_uuid7(event_id);
    store.name = (char *)"빵집 아침";
    store.address = (char *)"서울시 마포구 와우산로 1";
    store.phone = (char *)"02-123-4567";
    content.title = (char *)"가을 신메뉴 시식 이벤트";
    content.prize = (char *)"아메리카노 100잔";
    content.text = (char *)"이번 주말, 새로 나온 밤 식빵을 맛보러 오세요. 선착순 100분께 아메리카노를 드립니다.";
    content.store_info = &store;
    content.png_url = (char *)"https://img.example/e/1.png";
    content.jpeg_url = (char *)"https://img.example/e/1.jpg";
    request.event_id = event_id;
    request.user_id = (char *)"bench";
    request.content = &content;
    request.channels = (Herald__Distribution__V1__Channel *)run->channels;
    request.n_channels = run->channel_count;
    slot->begun_us = clock_now_us();
    if (herald_distribution_v1_distribution_service_distribute_start(run->channel, &request, &options, on_done, slot,
                                                                     NULL, &error) != HERALD_OK) {
        fail(error.message);
    }
}

static void start_calls(struct run *run, unsigned count, bool repeats) {
    for (unsigned i = 0; i < count; i++) {
        struct slot *slot = calloc(1, sizeof(*slot));
        if (!slot) {
            fail("no memory");
        }
        *slot = (struct slot){.run = run, .repeats = repeats};
        atomic_fetch_add(&run->running, 1);
        begin(slot);
        if (!repeats && i % BURST == BURST - 1) {
            sleep_ms(BURST_PAUSE_MS);
        }
    }
}

static void await_end(struct run *run) {
    run->ending = true;
    while (run->running > 0) {
        sleep_ms(1);
    }
}

static int compare_samples(const void *left, const void *right) {
    uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
    return (one > other) - (one < other);
}

static unsigned sort_samples(struct run *run) {
    unsigned count = run->sample_count < SAMPLES_MAX ? run->sample_count : SAMPLES_MAX;
    qsort(run->samples, count, sizeof(*run->samples), compare_samples);
    return count;
}

/* Microseconds that @part of the sorted samples did not exceed. */
static unsigned percentile(const struct run *run, unsigned count, double part) {
    return count == 0 ? 0 : run->samples[(unsigned)((double)(count - 1) * part)];
}

static double load_now(void) {
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : -1;
}

/* ---- throughput ---- */

#define WEBHOOKS 3
static const Herald__Distribution__V1__Channel webhooks[WEBHOOKS] = {CHANNEL(WOORIDONGNE_TV), CHANNEL(RINGO_BIZ),
                                                                     CHANNEL(GENIE_TV)};

/* A figure's growth between two readings, a call, without what grows anyhow. */
static double each(double before, double after, double idle_a_us, double us, unsigned calls) {
    return calls == 0 ? 0 : (after - before - idle_a_us * us) / calls;
}

static void throughput(unsigned seconds, unsigned in_flight) {
    PGconn *pg = connect_database();
    struct figures idle, before, after;
    struct run run;
    all_answer_after(1);
    run_init(&run, connect_server(), webhooks, WEBHOOKS);
    read_figures(pg, &idle);
    sleep_ms(IDLE_MS);
    read_figures(pg, &before);
    double idle_us = before.at_us - idle.at_us;
    run.recording = true;
    uint64_t begun_us = clock_now_us();
    start_calls(&run, in_flight, true);
    sleep_ms(seconds * 1000);
    await_end(&run);
    double took_s = (double)(clock_now_us() - begun_us) / 1e6;
    read_figures(pg, &after);
    double us = after.at_us - before.at_us;
    unsigned calls = sort_samples(&run);
    double updates = after.updates - before.updates;
    printf(
        "{\"mode\":\"throughput\",\"in_flight\":%u,\"calls_a_s\":%.0f,\"posts_a_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
        "\"completed\":%u,\"going_on\":%u,\"refused\":%u,\"failed\":%u,\"reasons\":\"%s\","
        "\"server_us_a_post\":%.1f,\"postgres_us_a_post\":%.1f,\"commits_a_call\":%.2f,\"wal_bytes_a_call\":%.0f,"
        "\"wal_syncs_a_call\":%.2f,\"rows_a_call\":%.1f,\"hot_percent\":%.0f,\"load\":%.1f}\n",
        in_flight, calls / took_s, run.completed * WEBHOOKS / took_s, percentile(&run, calls, 0.5),
        percentile(&run, calls, 0.99), run.completed, run.going_on, run.refused, run.failed, run.said,
        each(before.server_us, after.server_us, (before.server_us - idle.server_us) / idle_us, us, calls) / WEBHOOKS,
        each(before.postgres_us, after.postgres_us, (before.postgres_us - idle.postgres_us) / idle_us, us, calls) /
            WEBHOOKS,
        each(before.commits, after.commits, (before.commits - idle.commits) / idle_us, us, calls),
        each(before.wal_bytes, after.wal_bytes, (before.wal_bytes - idle.wal_bytes) / idle_us, us, calls),
        each(before.wal_syncs, after.wal_syncs, (before.wal_syncs - idle.wal_syncs) / idle_us, us, calls),
        each(before.rows, after.rows, (before.rows - idle.rows) / idle_us, us, calls),
        updates > 0 ? 100 * (after.hot_updates - before.hot_updates) / updates : 0, load_now());
    herald_channel_close(run.channel);
    run_fini(&run);
    PQfinish(pg);
}

/* ---- waiting ---- */

static const Herald__Distribution__V1__Channel hung[] = {CHANNEL(GENIE_TV)};
static const Herald__Distribution__V1__Channel other[] = {CHANNEL(RINGO_BIZ)};

/* Calls of other channels, so that what the first ones load is not counted. */
static void warm_up(struct herald_channel *channel) {
    struct run run;
    run_init(&run, channel, webhooks, WEBHOOKS);
    start_calls(&run, ROUND_AT_ONCE, true);
    sleep_ms(WARM_UP_MS);
    await_end(&run);
    run_fini(&run);
}

static void waiting(unsigned count) {
    struct run run;
    all_answer_after(1);
    forget_deliveries();
    run_init(&run, connect_server(), hung, 1);
    warm_up(run.channel);
    sleep_ms(SETTLE_MS);
    behave("GENIE_TV", "{\"mode\":\"stall\"}");
    run.recording = true;
    long before = resident_kib(server_pid());
    double cpu_before = cpu_us(server_pid());
    uint64_t begun_us = clock_now_us();
    start_calls(&run, count, false);
    double begin_s = (double)(clock_now_us() - begun_us) / 1e6;
    sleep_ms(SETTLE_MS);
    long meanwhile = resident_kib(server_pid());
    unsigned ended = run.sample_count;
    double settled_cpu = cpu_us(server_pid());
    sleep_ms(SETTLE_MS);
    double idle_percent = (cpu_us(server_pid()) - settled_cpu) / (SETTLE_MS * 1000.0) * 100;
    await_end(&run);
    all_answer_after(1);
    forget_deliveries();
    sleep_ms(GIVE_BACK_MS);
    long after = resident_kib(server_pid());
    printf("{\"mode\":\"waiting\",\"calls\":%u,\"ended_at_once\":%u,\"refused\":%u,\"failed\":%u,\"reasons\":\"%s\","
           "\"going_on\":%u,\"completed\":%u,\"began_in_s\":%.1f,\"cpu_s\":%.1f,\"cpu_percent_while_waiting\":%.0f,"
           "\"kib_before\":%ld,\"kib_meanwhile\":%ld,\"kib_after\":%ld,\"bytes_a_call\":%ld,"
           "\"bytes_a_call_kept\":%ld,\"load\":%.1f}\n",
           count, ended, run.refused, run.failed, run.said, run.going_on, run.completed, begin_s,
           (cpu_us(server_pid()) - cpu_before) / 1e6, idle_percent, before, meanwhile, after,
           (meanwhile - before) * 1024 / (long)count, (after - before) * 1024 / (long)count, load_now());
    herald_channel_close(run.channel);
    run_fini(&run);
}

/* ---- isolation ---- */

/* Adds a round of calls to the other channel. */
static void one_round(struct run *run) {
    run->ending = false;
    run->recording = true;
    start_calls(run, ROUND_AT_ONCE, true);
    sleep_ms(ROUND_MS);
    run->recording = false;
    await_end(run);
}

static void isolation(unsigned count, unsigned rounds) {
    struct run alone, beside, waiters;
    struct herald_channel *channel = connect_server();
    all_answer_after(1);
    run_init(&alone, channel, other, 1);
    run_init(&beside, channel, other, 1);
    warm_up(channel);
    for (unsigned i = 0; i < rounds; i++) {
        one_round(&alone);
        behave("GENIE_TV", "{\"mode\":\"stall\"}");
        run_init(&waiters, connect_server(), hung, 1);
        start_calls(&waiters, count, false);
        sleep_ms(GIVE_BACK_MS); /* all have begun to wait, and have given back what they do not need */
        one_round(&beside);
        herald_channel_close(waiters.channel); /* its calls are cancelled */
        await_end(&waiters);
        run_fini(&waiters);
        all_answer_after(1);
        forget_deliveries();
        sleep_ms(SETTLE_MS);
    }
    unsigned alone_count = sort_samples(&alone), beside_count = sort_samples(&beside);
    printf("{\"mode\":\"isolation\",\"waiting\":%u,\"rounds\":%u,\"alone\":{\"calls\":%u,\"p50_us\":%u,\"p99_us\":%u},"
           "\"beside\":{\"calls\":%u,\"p50_us\":%u,\"p99_us\":%u,\"refused\":%u,\"failed\":%u},\"p99_ratio\":%.2f,"
           "\"load\":%.1f}\n",
           count, rounds, alone_count, percentile(&alone, alone_count, 0.5), percentile(&alone, alone_count, 0.99),
           beside_count, percentile(&beside, beside_count, 0.5), percentile(&beside, beside_count, 0.99),
           beside.refused, beside.failed,
           percentile(&beside, beside_count, 0.99) / (double)(percentile(&alone, alone_count, 0.99) + 1), load_now());
    run_fini(&alone);
    run_fini(&beside);
    herald_channel_close(channel);
}

int main(int argc, char **argv) {
    unsigned first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    unsigned second = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (argc == 4 && strcmp(argv[1], "throughput") == 0 && first > 0 && second > 0 && second <= SLOTS_MAX) {
        throughput(first, second);
    } else if (argc == 3 && strcmp(argv[1], "waiting") == 0 && first > 0) {
        waiting(first);
    } else if (argc == 4 && strcmp(argv[1], "isolation") == 0 && first > 0 && second > 0) {
        isolation(first, second);
    } else {
        fprintf(stderr,
                "usage: bench_distribution throughput SECONDS IN_FLIGHT | waiting COUNT | isolation COUNT ROUNDS\n");
        return 64;
    }
    return EXIT_SUCCESS;
}
