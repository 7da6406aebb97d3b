#include "tests/integration/db/db_test.h"

#include "server/durable/idempotency_store.h"
#include "server/store/postgres/migrate.h"
#include "tests/support/loopback.h"

#include <stdlib.h>
#include <unistd.h>

static char schema[64];
static char dsn[2048];

/* ---- connection strings ---- */

static void append(char *text, size_t size, const char *keyword, const char *value) {
    size_t at = strlen(text);
    at += (size_t)snprintf(text + at, size - at, "%s%s='", at ? " " : "", keyword);
    for (const char *c = value; *c && at + 4 < size; c++) {
        if (*c == '\'' || *c == '\\') {
            text[at++] = '\\';
        }
        text[at++] = *c;
    }
    assert_true(at + 2 < size);
    text[at++] = '\'';
    text[at] = '\0';
}

/* @base with some keywords replaced. @replaced  pairs, ended by NULL */
static void rewrite_dsn(const char *base, const char *const *replaced, char *ret_dsn, size_t size) {
    PQconninfoOption *options = PQconninfoParse(base, NULL);
    assert_non_null(options);
    ret_dsn[0] = '\0';
    for (PQconninfoOption *option = options; option->keyword; option++) {
        bool replace = false;
        for (const char *const *pair = replaced; *pair; pair += 2) {
            replace |= strcmp(option->keyword, pair[0]) == 0;
        }
        if (option->val && !replace) {
            append(ret_dsn, size, option->keyword, option->val);
        }
    }
    for (const char *const *pair = replaced; *pair; pair += 2) {
        append(ret_dsn, size, pair[0], pair[1]);
    }
    PQconninfoFree(options);
}

static const char *base_dsn(void) {
    const char *base = getenv("HERALD_PG_DSN");
    if (!base || base[0] == '\0') {
        fail_msg("HERALD_PG_DSN is not set: run the test as tests/support/with-services -- ctest …, "
                 "or set it to a database in which schemas may be made");
    }
    return base;
}

const char *schema_dsn(void) {
    return dsn;
}

const char *schema_dsn_at(uint16_t port) {
    static char text[sizeof(dsn)];
    char number[8];
    (void)snprintf(number, sizeof(number), "%u", port);
    const char *const replaced[] = {"host",    loopback_address(), "port",    number, "sslmode",
                                    "disable", "gssencmode",       "disable", NULL};
    rewrite_dsn(dsn, replaced, text, sizeof(text));
    return text;
}

const char *schema_dsn_named(const char *application_name) {
    static char text[sizeof(dsn)];
    const char *const replaced[] = {"application_name", application_name, NULL};
    rewrite_dsn(dsn, replaced, text, sizeof(text));
    return text;
}

const char *schema_dsn_in(const char *other_schema) {
    static char text[sizeof(dsn)];
    char options[128];
    (void)snprintf(options, sizeof(options), "-c search_path=%s", other_schema);
    const char *const replaced[] = {"options", options, NULL};
    rewrite_dsn(dsn, replaced, text, sizeof(text));
    return text;
}

const char *schema_dsn_at_two(uint16_t first_port, uint16_t second_port) {
    static char text[sizeof(dsn)];
    char hosts[64], numbers[16];
    (void)snprintf(hosts, sizeof(hosts), "%s,%s", loopback_address(), loopback_address());
    (void)snprintf(numbers, sizeof(numbers), "%u,%u", first_port, second_port);
    const char *const replaced[] = {"host",    hosts,        "port",    numbers, "sslmode",
                                    "disable", "gssencmode", "disable", NULL};
    rewrite_dsn(dsn, replaced, text, sizeof(text));
    return text;
}

const char *schema_dsn_as(const char *role, const char *password) {
    static char text[sizeof(dsn)];
    const char *const replaced[] = {"user", role, "password", password, NULL};
    rewrite_dsn(dsn, replaced, text, sizeof(text));
    return text;
}

/* ---- looking from outside ---- */

static void ignore_notice(void *arg, const char *message) {
    (void)arg;
    (void)message;
}

static PGconn *connect_to(const char *conninfo) {
    PGconn *pg = PQconnectdb(conninfo);
    if (PQstatus(pg) != CONNECTION_OK) {
        fail_msg("cannot connect to HERALD_PG_DSN: %s", PQerrorMessage(pg));
    }
    (void)PQsetNoticeProcessor(pg, ignore_notice, NULL);
    return pg;
}

PGconn *admin_open(void) {
    return connect_to(dsn);
}

void admin_run(PGconn *pg, const char *sql) {
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    }
    PQclear(result);
}

static long number_of(PGconn *pg, const char *format, va_list args) {
    char sql[1024];
    (void)vsnprintf(sql, sizeof(sql), format, args);
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1) {
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    }
    long number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

long sql_number(const char *format, ...) {
    PGconn *pg = admin_open();
    va_list args;
    va_start(args, format);
    long number = number_of(pg, format, args);
    va_end(args);
    PQfinish(pg);
    return number;
}

void sql_run(const char *format, ...) {
    char sql[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    PGconn *pg = admin_open();
    admin_run(pg, sql);
    PQfinish(pg);
}

/* ---- the schema ---- */

int schema_setup(void **state) {
    (void)state;
    char uuid[37];
    herald_uuid7(uuid);
    (void)snprintf(schema, sizeof(schema), "herald_test_%d_%.8s", (int)getpid(), uuid + 28);
    const char *base = base_dsn();
    PGconn *pg = connect_to(base);
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", schema);
    admin_run(pg, sql);
    PQfinish(pg);
    char options[128];
    (void)snprintf(options, sizeof(options), "-c search_path=%s", schema);
    const char *const replaced[] = {"options", options, NULL};
    rewrite_dsn(base, replaced, dsn, sizeof(dsn));
    unsigned applied = 0, version = 0;
    struct herald_error error = {0};
    if (db_migrate(dsn, &applied, &version, &error) != HERALD_OK) {
        fail_msg("db_migrate: %s", error.message);
    }
    assert_int_equal(applied, version);
    return 0;
}

int schema_teardown(void **state) {
    (void)state;
    PGconn *pg = connect_to(base_dsn());
    char sql[512];
    /* a test that has failed may have left a lock */
    (void)snprintf(sql, sizeof(sql),
                   "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class AS locked ON locked.oid = relation "
                   "WHERE relnamespace = '%s'::regnamespace AND pid <> pg_backend_pid()",
                   schema);
    admin_run(pg, sql);
    (void)snprintf(sql, sizeof(sql), "DROP SCHEMA %s CASCADE", schema);
    admin_run(pg, sql);
    PQfinish(pg);
    return 0;
}

/* ---- running a body ---- */

struct db_run_args {
    struct db_env env;
    struct db_options options;
    db_body_fn *body;
    bool wait;
};

static void on_health(void *user, const struct herald_error *error) {
    struct db_env *env = user;
    env->serving = error == NULL;
    env->reports++;
    env->warning[0] = '\0'; /* it is told anew */
    (void)snprintf(env->message, sizeof(env->message), "%s", error ? error->message : "");
}

static void on_warning(void *user, const char *warning) {
    struct db_env *env = user;
    (void)snprintf(env->warning, sizeof(env->warning), "%s", warning);
}

TASK_FN static void run_body(void *arg) {
    struct db_run_args *args = arg;
    struct db_env *env = &args->env;
    env->loop = loop_current();
    args->options.user = env;
    assert_ok(env, db_open(env->loop, &args->options, &env->db, &env->error));
    if (args->wait) {
        WAIT_UNTIL(env->serving);
    }
    args->body(env);
    if (!env->closed) {
        db_close(env->db);
    }
}

static void run_env(struct db_run_args *args) {
    if (loop_current()) {
        fail_msg("not run: a test before it has failed, and left its loop running");
    }
    struct call call;
    call_init(&call, "test", NULL, 60000, (size_t)64 << 20);
    args->env.call = &call;
    struct loop *loop = NULL;
    assert_int_equal(loop_new(0, &loop, NULL), HERALD_OK);
    assert_int_equal(task_spawn(loop, &call, "test", run_body, args, NULL), HERALD_OK);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
    call_fini(&call);
}

static void run_with(const struct db_options *options, bool wait, db_body_fn *body) {
    struct db_run_args args = {.options = *options, .body = body, .wait = wait};
    args.options.on_health = on_health;
    args.options.on_warning = on_warning;
    run_env(&args);
}

void db_env_run_options(const struct db_options *options, db_body_fn *body) {
    run_with(options, false, body);
}

void db_env_run(const char *dsn_, uint32_t connections, db_body_fn *body) {
    run_with(
        &(struct db_options){
            .dsn = dsn_, .connections = connections, .statement_timeout_ms = 10000, .lock_timeout_ms = 10000},
        true, body);
}

void db_env_run_unready(const char *dsn_, uint32_t connections, uint32_t statement_timeout_ms, db_body_fn *body) {
    run_with(&(struct db_options){.dsn = dsn_,
                                  .connections = connections,
                                  .statement_timeout_ms = statement_timeout_ms,
                                  .lock_timeout_ms = statement_timeout_ms},
             false, body);
}

/* ---- rows ---- */

const char *new_id(void) {
    char uuid[37];
    herald_uuid7(uuid);
    return arena_strdup(call_arena(), uuid);
}

const char *new_user(void) {
    return arena_printf(call_arena(), "user-%s", new_id());
}

struct event_draft ready_draft(const char *user_id) {
    int64_t now_us = clock_wall_us();
    return (struct event_draft){
        .id = new_id(),
        .user_id = user_id,
        .title = "가을맞이 경품 이벤트",
        .prize = "아메리카노 100잔",
        .brand_color = "#C0392B",
        .logo_url = "https://example.com/logo.png",
        .store_name = "봄날 카페",
        .store_address = "서울시 마포구",
        .store_phone = "02-123-4567",
        .objective = 2,
        .recommendation_id = "rec-1",
        .recommendation_title = "단골에게 선물",
        .recommendation_summary = "다시 오시면 \"한 잔\" 더",
        .image_job_id = new_id(),
        .content_job_id = new_id(),
        .content_style = 3,
        .content_png_url = "https://example.com/a.png",
        .content_jpeg_url = "https://example.com/a.jpg",
        .created_at_us = now_us,
        .updated_at_us = now_us,
    };
}

struct outbox_row outbox_row_for(const char *owner, const char *key) {
    static const uint8_t value[] = {'{', 0, 0xFF, '}'};
    return (struct outbox_row){
        .id = new_id(),
        .kind = OUTBOX_KAFKA,
        .owner = owner,
        .topic = "event-topic",
        .key = key,
        .ce_type = "herald.event.v1.EventCreated",
        .ce_source = "/herald/event",
        .content_type = "application/json",
        .ce_time_us = 1700000000123456,
        .value = value,
        .value_bytes = sizeof(value),
    };
}

struct idempotency_row idempotency_row_for(const char *caller, const char *key) {
    static const uint8_t hash[32] = {1, 2, 3};
    static const uint8_t reply[] = {9, 0, 8};
    return (struct idempotency_row){
        .method = "herald.event.v1.EventService/CreateEvent",
        .caller = caller,
        .key = key,
        .request_hash = hash,
        .reply = reply,
        .reply_bytes = sizeof(reply),
    };
}

struct event_draft make_draft(struct db_env *env) {
    struct event_draft draft = ready_draft(new_user());
    assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    return draft;
}

enum herald_code approve(struct db_env *env, const struct event_draft *draft, const char *holder) {
    static const int channels[] = {4, 5};
    struct outbox_row created = outbox_row_for("event", draft->id);
    const struct event_approval approval = {
        .id = draft->id,
        .user_id = draft->user_id,
        .channels = channels,
        .channel_count = 2,
        .approved_at_us = clock_wall_us(),
        .time_zone = "",
        .holder = holder,
        .event_created = &created,
    };
    return event_store_approve(env->db, &approval, &env->error);
}

struct event_draft make_held(struct db_env *env, const char *holder) {
    struct event_draft draft = make_draft(env);
    assert_ok(env, approve(env, &draft, holder));
    return draft;
}

struct event_draft make_approved(struct db_env *env) {
    const char *holder = new_id();
    struct event_draft event = make_held(env, holder);
    assert_ok(env, event_store_unclaim(env->db, event.id, holder, 0, NULL, NULL, &env->error));
    return event;
}

void assert_plans_by_index(struct db_env *env) {
    sql_run("CREATE TABLE noted (setting text);"
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO noted SELECT setting FROM pg_settings WHERE name IN ('enable_seqscan', 'jit'); RETURN NEW; "
            "END $$;"
            "CREATE TRIGGER note BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION note()");
    struct idempotency_row row = idempotency_row_for("caller", new_id());
    enum herald_code code = idempotency_store_claim(env->db, &row, &env->error);
    long all = sql_number("SELECT count(*) FROM noted"),
         off = sql_number("SELECT count(*) FROM noted WHERE setting = 'off'");
    sql_run("DROP TRIGGER note ON idempotency; DROP FUNCTION note; DROP TABLE noted");
    assert_ok(env, code);
    assert_int_equal(all, 2);
    assert_int_equal(off, 2);
}
