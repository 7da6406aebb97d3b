/*
 * The database layer, through the task API: reads, and sequences of load, approve and activate as PublishEvent makes
 * them.
 *
 *     HERALD_PG_DSN=… bench_db [tasks [connections [seconds]]]
 *
 * Works in a schema of its own, which it drops. Prints one JSON line for each measurement.
 */
#include "herald/uuid.h"
#include "server/event/event_store.h"
#include "server/store/postgres/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAFTS        100000
#define LATENCIES_MAX 4000000
#define TASKS_MAX     4096

static char schema[64];
static char dsn[2048];
static struct bench_draft {
    char id[37], user_id[16];
} *drafts;
static unsigned tasks = 64, connections = 8, seconds = 5;

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_db: %s: %s\n", what, why);
    exit(1);
}

/* ---- the schema ---- */

static PGresult *sql(PGconn *pg, const char *text) {
    PGresult *result = PQexec(pg, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        die(text, PQerrorMessage(pg));
    }
    return result;
}

static PGconn *connect_to(const char *conninfo) {
    PGconn *pg = PQconnectdb(conninfo);
    if (PQstatus(pg) != CONNECTION_OK) {
        die("HERALD_PG_DSN", PQerrorMessage(pg));
    }
    return pg;
}

/* The connection string with the schema as search path. */
static void make_dsn(PGconn *pg) {
    PQconninfoOption *options = PQconninfo(pg);
    size_t at = 0;
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (option->val && option->val[0] && strcmp(option->keyword, "options") != 0) {
            at += (size_t)snprintf(dsn + at, sizeof(dsn) - at, "%s='%s' ", option->keyword, option->val);
        }
    }
    (void)snprintf(dsn + at, sizeof(dsn) - at, "options='-c search_path=%s'", schema);
    PQconninfoFree(options);
}

static const char INSERT_DRAFTS[] =
    "INSERT INTO event_drafts (id, user_id, title, objective, recommendation_id, content_job_id, content_style,"
    " created_at, updated_at) SELECT gen_random_uuid(), 'user-' || n, 'title', 'SALES', 'rec', gen_random_uuid(), "
    "'SIMPLE',"
    " now(), now() FROM generate_series(1, 100000) AS n RETURNING id, user_id";

static void make_drafts(void) {
    PGconn *pg = connect_to(dsn);
    PGresult *result = sql(pg, INSERT_DRAFTS);
    drafts = calloc(DRAFTS, sizeof(*drafts));
    for (int i = 0; drafts && i < DRAFTS; i++) {
        (void)snprintf(drafts[i].id, sizeof(drafts[i].id), "%s", PQgetvalue(result, i, 0));
        (void)snprintf(drafts[i].user_id, sizeof(drafts[i].user_id), "%s", PQgetvalue(result, i, 1));
    }
    PQclear(result);
    PQclear(sql(pg, "VACUUM ANALYZE event_drafts"));
    PQfinish(pg);
}

static void make_schema(void) {
    const char *base = getenv("HERALD_PG_DSN");
    if (!base) {
        die("HERALD_PG_DSN", "not set");
    }
    char uuid[37], text[128];
    herald_uuid7(uuid);
    (void)snprintf(schema, sizeof(schema), "herald_bench_%.8s", uuid + 28);
    (void)snprintf(text, sizeof(text), "CREATE SCHEMA %s", schema);
    PGconn *pg = connect_to(base);
    PQclear(sql(pg, text));
    make_dsn(pg);
    PQfinish(pg);
    unsigned applied = 0, version = 0;
    struct herald_error error = {0};
    if (db_migrate(dsn, &applied, &version, &error) != HERALD_OK) {
        die("db_migrate", error.message);
    }
    make_drafts();
}

static void drop_schema(void) {
    PGconn *pg = connect_to(getenv("HERALD_PG_DSN"));
    char text[128];
    (void)snprintf(text, sizeof(text), "SET client_min_messages = warning; DROP SCHEMA %s CASCADE", schema);
    PQclear(sql(pg, text));
    PQfinish(pg);
}

/* ---- measuring ---- */

struct bench {
    struct db *db;
    uint64_t until_us;
    unsigned next; /* draft */
    unsigned failed;
    uint32_t *latencies_us;
    unsigned count;
    TASK_FN enum herald_code (*step)(struct bench *bench, const struct bench_draft *target);
};

struct runner {
    struct call call;
    struct bench *bench;
    bool done;
};

TASK_FN static enum herald_code step_read(struct bench *bench, const struct bench_draft *target) {
    struct event_draft draft;
    return event_store_load(bench->db, target->id, target->user_id, &draft, NULL);
}

TASK_FN static enum herald_code step_publish(struct bench *bench, const struct bench_draft *target) {
    static const uint8_t value[400] = "{\"eventId\":\"…\"}";
    static const int channels[] = {1, 2, 3, 4, 5, 6};
    char outbox_ids[2][37];
    herald_uuid7(outbox_ids[0]);
    herald_uuid7(outbox_ids[1]);
    struct outbox_row created = {.id = outbox_ids[0],
                                 .kind = OUTBOX_KAFKA,
                                 .owner = "event",
                                 .topic = "event-topic",
                                 .key = target->id,
                                 .ce_type = "herald.event.v1.EventCreated",
                                 .ce_source = "/herald/event",
                                 .content_type = "application/json",
                                 .ce_time_us = clock_wall_us(),
                                 .value = value,
                                 .value_bytes = sizeof(value),
                                 .delay_ms = 10000};
    struct outbox_row deleted = created;
    deleted.id = outbox_ids[1];
    deleted.kind = OUTBOX_CACHE_DELETE;
    struct event_draft draft;
    enum herald_code code = event_store_load(bench->db, target->id, target->user_id, &draft, NULL);
    if (code == HERALD_OK) {
        const struct event_approval approval = {
            .id = target->id,
            .user_id = target->user_id,
            .channels = channels,
            .channel_count = 6,
            .approved_at_us = clock_wall_us(),
            .time_zone = "",
            .holder = outbox_ids[0],
            .event_created = &created,
        };
        code = event_store_approve(bench->db, &approval, NULL);
    }
    if (code == HERALD_OK) {
        const struct event_call call = {.ended_at_us = clock_wall_us(), .by = outbox_ids[0]};
        code = event_store_activate(bench->db, target->id, target->user_id, value, sizeof(value), &call, &deleted, NULL,
                                    NULL);
    }
    return code;
}

TASK_FN static void run_steps(void *arg) {
    struct runner *runner = arg;
    struct bench *bench = runner->bench;
    bool once = bench->step == step_publish;
    for (uint64_t now_us = clock_now_us(); now_us < bench->until_us && !(once && bench->next >= DRAFTS);) {
        const struct bench_draft *target = &drafts[bench->next++ % DRAFTS];
        bench->failed += bench->step(bench, target) != HERALD_OK;
        uint64_t end_us = clock_now_us();
        if (bench->count < LATENCIES_MAX) {
            bench->latencies_us[bench->count++] = (uint32_t)(end_us - now_us);
        }
        now_us = end_us;
        arena_fini(&runner->call.arena);
        arena_init(&runner->call.arena, 0);
    }
    runner->done = true;
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, struct bench *bench, uint64_t took_us) {
    qsort(bench->latencies_us, bench->count, sizeof(bench->latencies_us[0]), compare);
    printf("{\"bench\":\"%s\",\"tasks\":%u,\"connections\":%u,\"count\":%u,\"failed\":%u,\"per_second\":%.0f,"
           "\"p50_us\":%u,\"p99_us\":%u}\n",
           name, tasks, connections, bench->count, bench->failed, bench->count * 1e6 / (double)took_us,
           bench->latencies_us[bench->count / 2], bench->latencies_us[bench->count - 1 - bench->count / 100]);
    (void)fflush(stdout);
}

TASK_FN static void measure(struct db *db, const char *name,
                            TASK_FN enum herald_code (*step)(struct bench *bench, const struct bench_draft *target)) {
    struct bench bench = {.db = db, .step = step, .until_us = clock_now_us() + (uint64_t)seconds * 1000000};
    bench.latencies_us = malloc(LATENCIES_MAX * sizeof(bench.latencies_us[0]));
    struct runner *runners = calloc(tasks, sizeof(*runners));
    if (!bench.latencies_us || !runners) {
        die("memory", "none");
    }
    uint64_t begin_us = clock_now_us();
    for (unsigned i = 0; i < tasks; i++) {
        runners[i].bench = &bench;
        call_init(&runners[i].call, "bench", NULL, 0, 0);
        (void)task_spawn(loop_current(), &runners[i].call, "bench", run_steps, &runners[i], NULL);
    }
    for (unsigned i = 0; i < tasks; i++) {
        while (!runners[i].done) {
            (void)task_sleep(1, NULL);
        }
    }
    if (bench.count > 0) {
        report(name, &bench, clock_now_us() - begin_us);
    }
    task_yield(); /* the last task ends after it says that it is done */
    for (unsigned i = 0; i < tasks; i++) {
        call_fini(&runners[i].call);
    }
    free(runners);
    free(bench.latencies_us);
}

static void on_health(void *user, const struct herald_error *error) {
    *(bool *)user = error == NULL;
}

TASK_FN static void run_all(void *arg) {
    (void)arg;
    bool serving = false;
    struct db_options options = {.dsn = dsn,
                                 .connections = connections,
                                 .statement_timeout_ms = 10000,
                                 .lock_timeout_ms = 3000,
                                 .on_health = on_health,
                                 .user = &serving};
    struct db *db = NULL;
    if (db_open(loop_current(), &options, &db, NULL) != HERALD_OK) {
        die("db_open", "failed");
    }
    for (int i = 0; i < 10000 && !serving; i++) {
        (void)task_sleep(1, NULL);
    }
    (void)task_sleep(200, NULL); /* the other connections */
    measure(db, "db.read", step_read);
    measure(db, "db.load_approve_activate", step_publish);
    db_close(db);
}

int main(int argc, char **argv) {
    unsigned *values[] = {&tasks, &connections, &seconds};
    for (int i = 1; i < argc && i <= 3; i++) {
        *values[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
    }
    if (tasks == 0 || tasks > TASKS_MAX || connections == 0 || seconds == 0) {
        die("usage", "bench_db [tasks [connections [seconds]]]");
    }
    make_schema();
    struct loop *loop = NULL;
    if (loop_new(0, &loop, NULL) != HERALD_OK || task_spawn(loop, NULL, "bench", run_all, NULL, NULL) != HERALD_OK) {
        die("loop", "failed");
    }
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    free(drafts);
    drop_schema();
    return 0;
}
