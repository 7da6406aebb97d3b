/*
 * What publishes do to others, without Herald: their SQL over pipelined connections of libpq, their posts over kept
 * connections of HTTP, their records through a producer of librdkafka with acks=all; one thread with epoll.
 *
 *   bench_bare replay PLAN IN_FLIGHT CONNECTIONS   of Postgres at HERALD_BENCH_DSN; PLAN: of tests/bench/compare/replay.py
 *   bench_bare records SECONDS IN_FLIGHT BYTES TOPIC   records of that size, acknowledged
 *
 * HERALD_CHANNELS_URL and HERALD_KAFKA_BOOTSTRAP say where the others are. A line `counts` on stdout when a replay has
 * warmed up, and one JSON line at the end. Whatever fails ends it.
 *
 * A plan is one JSON object: "statements", texts of SQL; "events", their number; "nodes", the work, in an order in which it could
 * be done one by one. A node has "after", numbers of nodes that must have ended; "events", whose work it is; and one of "sql", a
 * transaction of [statement, [value or null, ...]]; "post", a request; "record", [topic, key, bytes].
 */
#include "server/runtime/call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define LATENCIES_MAX   4000000u
#define CONNECTIONS_MAX 128u
#define SOCKETS_MAX     256u
#define VALUES_MAX      64u
#define EVENTS_AT_ONCE  64
#define ANSWER_BYTES    8192u
#define KEPT_MESSAGES   "100000"
#define LAST_ACK_MS     30000
#define WARM_PART       4 /* of the events: until connections have planned what they prepared */
#define USAGE           64

enum kind { SQL, POST, RECORD };

struct node {
    enum kind kind;
    json_t *json, *events;
    unsigned waits_for; /* nodes that have not ended, and one for each event that has not begun */
    unsigned *next;     /* nodes that wait for it */
    unsigned next_count;
    struct node *following; /* in the queue of its kind */
};

struct event {
    unsigned nodes; /* that have not ended */
    unsigned *waiting;
    unsigned waiting_count;
    uint64_t begun_us;
};

struct queue {
    struct node *first, *last;
};

struct database {
    PGconn *pg;
    struct node *node; /* NULL: idle */
};

struct http {
    int fd;
    struct node *node; /* NULL: idle */
    char answer[ANSWER_BYTES];
    size_t bytes;
};

/* One run; there is only one thread. */
static struct {
    json_t *statements;
    struct node *nodes;
    size_t node_count, ended, working;
    struct event *events;
    size_t event_count, begun, completed;
    unsigned in_flight;
    struct queue queues[3];
    struct database databases[CONNECTIONS_MAX];
    unsigned database_count;
    struct http https[SOCKETS_MAX];
    unsigned http_count;
    size_t warm; /* events before it counts */
    uint64_t counts_from_us;
    double used_from_us;
    rd_kafka_t *producer;
    int epoll, kafka_event;
    uint32_t *latencies;
    size_t latency_count;
} run;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "bench_bare: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static const char *need(const char *variable) {
    const char *value = getenv(variable);
    if (!value) {
        fail(variable, "is not set");
    }
    return value;
}

static void *need_memory(void *memory) {
    if (!memory) {
        fail("memory", "none");
    }
    return memory;
}

static void watch(int fd, void *user) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = user};
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl", strerror(errno));
    }
}

/* ---- the order ---- */

static void note_latency(uint64_t us) {
    if (run.latency_count < LATENCIES_MAX) {
        run.latencies[run.latency_count++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    }
}

static double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Whoever reads the other figures of the run begins with them when it reads the line. */
static void begin_to_count(void) {
    printf("counts\n");
    (void)fflush(stdout);
    run.latency_count = 0;
    run.counts_from_us = clock_now_us();
    run.used_from_us = cpu_us();
}

static void note_completed(const struct event *event) {
    run.completed++;
    note_latency(clock_now_us() - event->begun_us);
    if (run.completed == run.warm) {
        begin_to_count();
    }
}

static void release(struct node *node) {
    if (--node->waits_for > 0) {
        return;
    }
    struct queue *queue = &run.queues[node->kind];
    if (queue->first) {
        queue->last->following = node;
    } else {
        queue->first = node;
    }
    queue->last = node;
}

static void begin_event(void) {
    struct event *event = &run.events[run.begun++];
    event->begun_us = clock_now_us();
    for (unsigned i = 0; i < event->waiting_count; i++) {
        release(&run.nodes[event->waiting[i]]);
    }
}

static void begin_events(void) {
    while (run.begun < run.event_count && run.begun - run.completed < run.in_flight) {
        begin_event();
    }
}

static void end_node(struct node *node) {
    json_t *number;
    size_t i;
    run.ended++;
    run.working--;
    for (unsigned next = 0; next < node->next_count; next++) {
        release(&run.nodes[node->next[next]]);
    }
    json_array_foreach(node->events, i, number) {
        struct event *event = &run.events[json_integer_value(number)];
        if (--event->nodes == 0) {
            note_completed(event);
        }
    }
    begin_events();
}

static struct node *take(enum kind kind) {
    struct queue *queue = &run.queues[kind];
    struct node *node = queue->first;
    if (node) {
        queue->first = node->following;
        node->following = NULL;
        run.working++;
    }
    return node;
}

static void append(unsigned **list, unsigned *count, unsigned number) {
    *list = need_memory(realloc(*list, (*count + 1) * sizeof(**list)));
    (*list)[(*count)++] = number;
}

static void read_node(unsigned number, json_t *json) {
    struct node *node = &run.nodes[number];
    json_t *one;
    size_t i;
    node->kind = json_object_get(json, "sql") ? SQL : json_object_get(json, "post") ? POST : RECORD;
    node->json = json_object_get(json, node->kind == SQL ? "sql" : node->kind == POST ? "post" : "record");
    node->events = json_object_get(json, "events");
    node->waits_for = 1; /* until all are read */
    json_array_foreach(json_object_get(json, "after"), i, one) {
        struct node *before = &run.nodes[json_integer_value(one)];
        append(&before->next, &before->next_count, number);
        node->waits_for++;
    }
    json_array_foreach(node->events, i, one) {
        struct event *event = &run.events[json_integer_value(one)];
        append(&event->waiting, &event->waiting_count, number);
        event->nodes++;
        node->waits_for++;
    }
}

static void read_plan(const char *path) {
    json_error_t error;
    json_t *plan = json_load_file(path, 0, &error);
    json_t *nodes = json_object_get(plan, "nodes"), *node;
    size_t i;
    if (!json_is_array(nodes)) {
        fail(path, plan ? "has no nodes" : error.text);
    }
    run.statements = json_object_get(plan, "statements");
    run.node_count = json_array_size(nodes);
    run.event_count = (size_t)json_integer_value(json_object_get(plan, "events"));
    run.nodes = need_memory(calloc(run.node_count, sizeof(*run.nodes)));
    run.events = need_memory(calloc(run.event_count, sizeof(*run.events)));
    json_array_foreach(nodes, i, node) {
        read_node((unsigned)i, node);
    }
}

/* ---- Postgres ---- */

static void open_database(struct database *database) {
    json_t *text;
    size_t i;
    database->pg = PQconnectdb(need("HERALD_BENCH_DSN"));
    if (PQstatus(database->pg) != CONNECTION_OK) {
        fail("Postgres", PQerrorMessage(database->pg));
    }
    json_array_foreach(run.statements, i, text) {
        char name[32];
        snprintf(name, sizeof(name), "s%zu", i);
        PGresult *result = PQprepare(database->pg, name, json_string_value(text), 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fail(json_string_value(text), PQerrorMessage(database->pg));
        }
        PQclear(result);
    }
    if (PQsetnonblocking(database->pg, 1) != 0 || PQenterPipelineMode(database->pg) != 1) {
        fail("Postgres", PQerrorMessage(database->pg));
    }
    watch(PQsocket(database->pg), database);
}

static void send_transaction(struct database *database, struct node *node) {
    json_t *statement;
    size_t i;
    database->node = node;
    json_array_foreach(node->json, i, statement) {
        const char *values[VALUES_MAX];
        json_t *list = json_array_get(statement, 1), *value;
        size_t at;
        char name[32];
        if (json_array_size(list) > VALUES_MAX) {
            fail("plan", "a statement has too many values");
        }
        json_array_foreach(list, at, value) {
            values[at] = json_string_value(value);
        }
        snprintf(name, sizeof(name), "s%lld", (long long)json_integer_value(json_array_get(statement, 0)));
        if (!PQsendQueryPrepared(database->pg, name, (int)json_array_size(list), values, NULL, NULL, 1)) {
            fail("Postgres", PQerrorMessage(database->pg));
        }
    }
    if (!PQpipelineSync(database->pg)) {
        fail("Postgres", PQerrorMessage(database->pg));
    }
    while (PQflush(database->pg) > 0) { /* what is sent is short */
    }
}

static void read_database(struct database *database) {
    if (!PQconsumeInput(database->pg)) {
        fail("Postgres", PQerrorMessage(database->pg));
    }
    while (database->node && !PQisBusy(database->pg)) {
        PGresult *result = PQgetResult(database->pg);
        ExecStatusType status = result ? PQresultStatus(result) : PGRES_TUPLES_OK;
        if (status == PGRES_PIPELINE_SYNC) {
            struct node *node = database->node;
            database->node = NULL;
            end_node(node);
        } else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            fail("Postgres", PQerrorMessage(database->pg));
        }
        PQclear(result);
    }
}

/* ---- HTTP ---- */

static void open_http(struct http *http) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port = 0;
    int on = 1;
    if (sscanf(need("HERALD_CHANNELS_URL"), "http://%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fail("HERALD_CHANNELS_URL", "is not http://ADDRESS:PORT");
    }
    address.sin_port = htons((uint16_t)port);
    http->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(http->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        fail("the fake channels", strerror(errno));
    }
    watch(http->fd, http);
}

static void send_post(struct http *http, struct node *node) {
    const char *request = json_string_value(node->json);
    size_t length = json_string_length(node->json);
    http->node = node;
    http->bytes = 0;
    if (send(http->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        fail("the fake channels", strerror(errno));
    }
}

/* Whether the answer is there in full. */
static bool has_ended(const struct http *http) {
    const char *end = strstr(http->answer, "\r\n\r\n"), *at = http->answer;
    size_t length = 0;
    for (; end && at < end; at = strstr(at, "\r\n") + 2) {
        (void)sscanf(at, "%*1[Cc]ontent-%*1[Ll]ength: %zu", &length);
    }
    return end && http->bytes >= (size_t)(end - http->answer) + 4 + length;
}

static void read_http(struct http *http) {
    ssize_t bytes = recv(http->fd, http->answer + http->bytes, sizeof(http->answer) - 1 - http->bytes, 0);
    if (bytes <= 0 || !http->node) {
        fail("the fake channels", bytes == 0 ? "closed a connection" : "answer unasked, too long, or not at all");
    }
    http->bytes += (size_t)bytes;
    http->answer[http->bytes] = '\0';
    if (!has_ended(http)) {
        return;
    }
    if (strncmp(http->answer, "HTTP/1.1 200", 12) != 0) {
        fail("the fake channels answer", http->answer);
    }
    struct node *node = http->node;
    http->node = NULL;
    end_node(node);
}

/* ---- Kafka ---- */

static uint64_t acknowledged, unacknowledged;
static void (*on_ack)(void *user);

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *user) {
    (void)producer;
    (void)user;
    if (message->err) {
        fail("Kafka", rd_kafka_err2str(message->err));
    }
    acknowledged++;
    unacknowledged--;
    on_ack(message->_private);
}

static void open_producer(void) {
    static const char *const settings[][2] = {{"enable.idempotence", "true"},
                                              {"acks", "all"},
                                              {"linger.ms", "0"},
                                              {"queue.buffering.max.messages", KEPT_MESSAGES}};
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", need("HERALD_KAFKA_BOOTSTRAP"), why, sizeof(why));
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
            fail(settings[i][0], why);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    run.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!run.producer) {
        fail("Kafka", why);
    }
    run.kafka_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t one = 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(run.producer);
    rd_kafka_queue_io_event_enable(queue, run.kafka_event, &one, sizeof(one));
    rd_kafka_queue_destroy(queue);
    watch(run.kafka_event, &run.kafka_event);
}

static void produce(const char *topic, const char *key, size_t bytes, void *user) {
    static char value[65536];
    if (bytes > sizeof(value)) {
        fail("a record", "is too long");
    }
    memset(value, 'v', bytes);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        run.producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(value, bytes),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(user), RD_KAFKA_V_END);
    if (error) {
        fail("Kafka", rd_kafka_err2str(error));
    }
    unacknowledged++;
}

static void read_kafka(void) {
    uint64_t events;
    (void)!read(run.kafka_event, &events, sizeof(events));
    rd_kafka_poll(run.producer, 0);
}

/* ---- the loop ---- */

/* Gives work that may be done to whoever is idle. */
static void dispatch(void) {
    struct node *node;
    for (unsigned i = 0; i < run.database_count && run.queues[SQL].first; i++) {
        if (!run.databases[i].node) {
            send_transaction(&run.databases[i], take(SQL));
        }
    }
    for (unsigned i = 0; i < run.http_count && run.queues[POST].first; i++) {
        if (!run.https[i].node) {
            send_post(&run.https[i], take(POST));
        }
    }
    while ((node = take(RECORD))) {
        produce(json_string_value(json_array_get(node->json, 0)), json_string_value(json_array_get(node->json, 1)),
                (size_t)json_integer_value(json_array_get(node->json, 2)), node);
    }
}

static void wait_once(void) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(run.epoll, events, EVENTS_AT_ONCE, LAST_ACK_MS);
    if (count == 0) {
        fail("replay", "nothing has happened for half a minute");
    }
    for (int i = 0; i < count; i++) {
        char *user = events[i].data.ptr;
        if (user == (char *)&run.kafka_event) {
            read_kafka();
        } else if (user >= (char *)run.databases && user < (char *)(run.databases + CONNECTIONS_MAX)) {
            read_database((struct database *)(void *)user);
        } else {
            read_http((struct http *)(void *)user);
        }
    }
}

static void on_record_node(void *user) {
    end_node(user);
}

static void replay(void) {
    begin_events();
    for (size_t i = 0; i < run.node_count; i++) {
        release(&run.nodes[i]);
    }
    while (run.ended < run.node_count) {
        dispatch();
        if (run.working > 0) {
            wait_once();
        } else if (run.begun < run.event_count) {
            begin_event(); /* work of several events, one of which had not begun */
        } else {
            fail("plan", "work waits for itself");
        }
    }
}

static int compare(const void *left, const void *right) {
    uint32_t one = *(const uint32_t *)left, other = *(const uint32_t *)right;
    return (one > other) - (one < other);
}

/* Not that of getrusage(), which begins with the memory of whoever started this. */
static long peak_kib(void) {
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file)) {
        (void)sscanf(line, "VmHWM: %ld", &kib);
    }
    if (file) {
        (void)fclose(file);
    }
    return kib;
}

static void report(const char *what, uint64_t operations, double seconds, double used_us) {
    qsort(run.latencies, run.latency_count, sizeof(*run.latencies), compare);
    printf("{\"operation\":\"%s\",\"operations\":%llu,\"seconds\":%.4f,\"per_second\":%.2f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"cpu_us\":{\"client\":%.2f},\"peak_kib\":{\"client\":%ld},\"errors\":0}\n",
           what, (unsigned long long)operations, seconds, (double)operations / seconds,
           run.latency_count ? run.latencies[run.latency_count / 2] : 0,
           run.latency_count ? run.latencies[run.latency_count - 1 - run.latency_count / 100] : 0,
           operations > 0 ? used_us / (double)operations : 0, peak_kib());
}

static void measure_replay(const char *plan, unsigned in_flight, unsigned connections) {
    read_plan(plan);
    run.in_flight = in_flight;
    run.warm = run.event_count / WARM_PART > 0 ? run.event_count / WARM_PART : 1;
    run.database_count = connections < CONNECTIONS_MAX ? connections : CONNECTIONS_MAX;
    run.http_count = 6 * in_flight < SOCKETS_MAX ? 6 * in_flight : SOCKETS_MAX;
    on_ack = on_record_node;
    open_producer();
    for (unsigned i = 0; i < run.database_count; i++) {
        open_database(&run.databases[i]);
    }
    for (unsigned i = 0; i < run.http_count; i++) {
        open_http(&run.https[i]);
    }
    replay();
    report("replay", run.event_count - run.warm, (double)(clock_now_us() - run.counts_from_us) / 1e6,
           cpu_us() - run.used_from_us);
}

/* ---- records alone ---- */

static struct {
    const char *topic;
    size_t bytes;
    bool ending;
} records;

struct record {
    uint64_t begun_us;
};

static void begin_record(struct record *record) {
    record->begun_us = clock_now_us();
    produce(records.topic, "bench", records.bytes, record);
}

static void on_record(void *user) {
    struct record *record = user;
    note_latency(clock_now_us() - record->begun_us);
    if (!records.ending) {
        begin_record(record);
    }
}

static void measure_records(double seconds, unsigned in_flight) {
    struct record *all = need_memory(calloc(in_flight, sizeof(*all)));
    on_ack = on_record;
    open_producer();
    records.ending = true; /* the first one makes the topic */
    begin_record(&all[0]);
    while (unacknowledged > 0) {
        wait_once();
    }
    records.ending = false;
    acknowledged = 0;
    run.latency_count = 0;
    double used_us = cpu_us();
    uint64_t begun_us = clock_now_us(), until_us = begun_us + (uint64_t)(seconds * 1e6);
    for (unsigned i = 0; i < in_flight; i++) {
        begin_record(&all[i]);
    }
    while (unacknowledged > 0) {
        wait_once();
        records.ending = clock_now_us() >= until_us;
    }
    report("records", acknowledged, (double)(clock_now_us() - begun_us) / 1e6, cpu_us() - used_us);
    free(all);
}

int main(int argc, char **argv) {
    unsigned in_flight = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.latencies = need_memory(calloc(LATENCIES_MAX, sizeof(*run.latencies)));
    if (argc == 5 && strcmp(argv[1], "replay") == 0 && in_flight > 0 && strtoul(argv[4], NULL, 10) > 0) {
        measure_replay(argv[2], in_flight, (unsigned)strtoul(argv[4], NULL, 10));
    } else if (argc == 6 && strcmp(argv[1], "records") == 0 && in_flight > 0) {
        records.bytes = strtoul(argv[4], NULL, 10);
        records.topic = argv[5];
        measure_records(strtod(argv[2], NULL), in_flight);
    } else {
        fprintf(stderr,
                "usage: bench_bare replay PLAN IN_FLIGHT CONNECTIONS | records SECONDS IN_FLIGHT BYTES TOPIC\n");
        return USAGE;
    }
    rd_kafka_destroy(run.producer);
    return EXIT_SUCCESS;
}
