/* Migrations: once, in order, checked. */
#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/migrate.h"
#include "tests/integration/db/db_test.h"

#include <pthread.h>

static struct herald_error error;

/* A new, empty schema. */
static const char *empty_schema(void) {
    static char name[64];
    static unsigned number;
    char uuid[37];
    herald_uuid7(uuid);
    (void)snprintf(name, sizeof(name), "herald_test_empty_%u_%.8s", number++, uuid + 28);
    sql_run("CREATE SCHEMA %s", name);
    return name;
}

static void test_migrate_again_applies_nothing(void **state) {
    (void)state;
    unsigned applied = 99, version = 99;
    assert_int_equal(db_migrate(schema_dsn(), &applied, &version, &error), HERALD_OK);
    assert_int_equal(applied, 0);
    assert_int_equal(version, db_migration_count);
    assert_int_equal(sql_number("SELECT count(*) FROM schema_migrations"), db_migration_count);
}

static void test_migrate_check_of_an_empty_schema_is_version_0_and_changes_nothing(void **state) {
    (void)state;
    const char *name = empty_schema();
    unsigned version = 99, wanted = 99;
    assert_int_equal(db_migrate_check(schema_dsn_in(name), &version, &wanted, &error), HERALD_OK);
    assert_int_equal(version, 0);
    assert_int_equal(wanted, db_migration_count);
    assert_int_equal(sql_number("SELECT count(*) FROM information_schema.tables WHERE table_schema = '%s'", name), 0);
    sql_run("DROP SCHEMA %s", name);
}

/* Makes a schema as it was after the first migrations. @whole  a schema that has all */
static void migrate_first(const char *name, const char *whole, unsigned count) {
    PGconn *pg = admin_open();
    char text[512];
    (void)snprintf(text, sizeof(text), "SET search_path = %s", name);
    admin_run(pg, text);
    for (unsigned i = 0; i < count; i++) {
        admin_run(pg, db_migrations[i].sql);
    }
    (void)snprintf(text, sizeof(text),
                   "CREATE TABLE schema_migrations (LIKE %s.schema_migrations INCLUDING ALL); INSERT INTO "
                   "schema_migrations SELECT * FROM %s.schema_migrations WHERE number <= %u",
                   whole, whole, count);
    admin_run(pg, text);
    PQfinish(pg);
}

static void test_migrate_continues_where_it_was(void **state) {
    (void)state;
    char whole[64];
    (void)snprintf(whole, sizeof(whole), "%s", empty_schema());
    unsigned applied = 0, version = 0, wanted = 0;
    assert_int_equal(db_migrate(schema_dsn_in(whole), &applied, &version, &error), HERALD_OK);
    assert_int_equal(applied, db_migration_count);
    const char *name = empty_schema();
    migrate_first(name, whole, db_migration_count - 1);
    assert_int_equal(db_migrate_check(schema_dsn_in(name), &version, &wanted, &error), HERALD_OK);
    assert_int_equal(version, db_migration_count - 1);
    assert_int_equal(db_migrate(schema_dsn_in(name), &applied, &version, &error), HERALD_OK);
    assert_int_equal(applied, 1);
    assert_int_equal(version, db_migration_count);
    sql_run("DROP SCHEMA %s CASCADE; DROP SCHEMA %s CASCADE", name, whole);
}

/*
 * Rows as servers before the delivery engine left them. Event 1 is over. Event 2 is in its second round: one post is
 * made, one is on its way, one has an unknown outcome, one is to be repeated. Event 3 is over but for a channel that failed.
 */
static const char OLD_ROWS[] =
    "INSERT INTO distributions (id, event_id, channels, content, completed_at) VALUES "
    "('00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000001', "
    " '{WOORIDONGNE_TV,RINGO_BIZ}', 'a', '2026-01-01'), "
    "('00000000-0000-0000-0000-000000000021', '00000000-0000-0000-0000-000000000002', '{WOORIDONGNE_TV}', 'b', "
    " '2026-01-01'), "
    "('00000000-0000-0000-0000-000000000022', '00000000-0000-0000-0000-000000000002', "
    " '{WOORIDONGNE_TV,KAKAO_CHANNEL,NAVER_BLOG,GENIE_TV}', 'c', NULL), "
    "('00000000-0000-0000-0000-000000000031', '00000000-0000-0000-0000-000000000003', '{NAVER_BLOG,INSTAGRAM}', 'd', "
    " '2026-01-01'); "
    "INSERT INTO deliveries (event_id, channel, state, reason, attempts, lease_until) VALUES "
    "('00000000-0000-0000-0000-000000000001', 'WOORIDONGNE_TV', 'PUBLISHED', '', 1, '-infinity'), "
    "('00000000-0000-0000-0000-000000000001', 'RINGO_BIZ', 'REJECTED', 'CHANNEL_REJECTED', 1, '-infinity'), "
    "('00000000-0000-0000-0000-000000000002', 'WOORIDONGNE_TV', 'PUBLISHED', '', 1, '-infinity'), "
    "('00000000-0000-0000-0000-000000000002', 'KAKAO_CHANNEL', 'COMMITTING', '', 2, now() + interval '5 min'), "
    "('00000000-0000-0000-0000-000000000002', 'NAVER_BLOG', 'OUTCOME_UNKNOWN', 'CHANNEL_LOST', 1, '-infinity'), "
    "('00000000-0000-0000-0000-000000000002', 'GENIE_TV', 'READY', 'CHANNEL_TIMEOUT', 3, now() - interval '1 h'), "
    "('00000000-0000-0000-0000-000000000003', 'NAVER_BLOG', 'AWAITING_OPERATOR', '', 1, '-infinity'), "
    "('00000000-0000-0000-0000-000000000003', 'INSTAGRAM', 'READY', 'CHANNEL_UNAVAILABLE', 1, '-infinity'); "
    "INSERT INTO delivery_attempts (event_id, channel, attempt, state, started_at) "
    "SELECT event_id, channel, attempts, state, now() FROM deliveries";

static void test_migrate_keeps_what_was_delivered_and_goes_on_with_the_rest(void **state) {
    (void)state;
    char name[64], whole[64];
    (void)snprintf(whole, sizeof(whole), "%s", empty_schema());
    unsigned applied = 0, version = 0;
    assert_int_equal(db_migrate(schema_dsn_in(whole), &applied, &version, &error), HERALD_OK);
    (void)snprintf(name, sizeof(name), "%s", empty_schema());
    migrate_first(name, whole, 7);
    PGconn *pg = admin_open();
    char text[128];
    (void)snprintf(text, sizeof(text), "SET search_path = %s", name);
    admin_run(pg, text);
    admin_run(pg, OLD_ROWS);
    assert_int_equal(db_migrate(schema_dsn_in(name), &applied, &version, &error), HERALD_OK);
    admin_run(
        pg,
        "CREATE TABLE summary AS SELECT right(event_id::text, 1) AS event, string_agg(channel || ' ' || state || CASE "
        "WHEN settled THEN ' over' WHEN next_at <= now() THEN ' due' ELSE ' later' END, ', ' ORDER BY channel) "
        "AS told FROM deliveries GROUP BY event_id");
    static const char *const expected[] = {
        "RINGO_BIZ REJECTED over, WOORIDONGNE_TV PUBLISHED over",
        ("GENIE_TV READY due, KAKAO_CHANNEL COMMITTING later, NAVER_BLOG OUTCOME_UNKNOWN due, "
         "WOORIDONGNE_TV PUBLISHED over"),
        "INSTAGRAM READY due, NAVER_BLOG AWAITING_OPERATOR over"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            sql_number("SELECT count(*) FROM %s.summary WHERE event = '%d' AND told = '%s'", name, i + 1, expected[i]),
            1);
    }
    static const struct {
        long unsettled, completed, reports;
        const char *id;
    } DISTRIBUTIONS[] = {{0, 1, 0, "11"}, {3, 0, 1, "22"}, {1, 1, 0, "31"}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sql_number("SELECT count(*) FROM %s.distributions WHERE right(event_id::text, 1) = '%d' AND "
                                    "unsettled = %ld AND (completed_at IS NOT NULL) = %s AND (report_at IS NOT NULL) = "
                                    "%s AND right(id::text, 2) = '%s' AND owner = '' AND version = 1 AND expires_at > "
                                    "now() + interval '23 h'",
                                    name, i + 1, DISTRIBUTIONS[i].unsettled,
                                    DISTRIBUTIONS[i].completed ? "true" : "false",
                                    DISTRIBUTIONS[i].reports ? "true" : "false", DISTRIBUTIONS[i].id),
                         1);
    }
    assert_int_equal(sql_number("SELECT count(*) FROM %s.distributions", name), 3);
    assert_int_equal(sql_number("SELECT count(*) FROM %s.delivery_attempts", name), 8);
    assert_int_equal(
        sql_number("SELECT count(*) FROM %s.deliveries WHERE channel = 'KAKAO_CHANNEL' AND attempts = 2 AND "
                   "holder IS NULL AND next_at > now() + interval '4 min' AND expires_at > now() + "
                   "interval '23 h'",
                   name),
        1);
    PQfinish(pg);
    sql_run("DROP SCHEMA %s CASCADE; DROP SCHEMA %s CASCADE", name, whole);
}

static void test_migrate_changed_migration_is_refused_by_name(void **state) {
    (void)state;
    PGconn *pg = admin_open();
    admin_run(pg, "UPDATE schema_migrations SET sha256 = repeat('0', 64) WHERE number = 2");
    unsigned applied = 99, version = 99, wanted = 99;
    assert_int_equal(db_migrate(schema_dsn(), &applied, &version, &error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "MIGRATION_CHANGED");
    assert_non_null(strstr(error.message, db_migrations[1].file));
    assert_int_equal(applied, 99);
    assert_int_equal(db_migrate_check(schema_dsn(), &version, &wanted, &error), HERALD_FAILED_PRECONDITION);
    PGresult *result = PQexecParams(pg, "UPDATE schema_migrations SET sha256 = $1 WHERE number = 2", 1, NULL,
                                    &db_migrations[1].sha256, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(pg);
}

static void test_migrate_newer_schema_is_refused_and_checked(void **state) {
    (void)state;
    sql_run("INSERT INTO schema_migrations (number, file, sha256) VALUES (%u, 'later.sql', 'x')",
            db_migration_count + 1);
    unsigned applied = 0, version = 0, wanted = 0;
    assert_int_equal(db_migrate(schema_dsn(), &applied, &version, &error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "SCHEMA_NEWER");
    assert_int_equal(db_migrate_check(schema_dsn(), &version, &wanted, &error), HERALD_OK);
    assert_int_equal(version, wanted + 1);
    sql_run("DELETE FROM schema_migrations WHERE number = %u", db_migration_count + 1);
}

static void test_migrate_edited_table_is_refused(void **state) {
    (void)state;
    sql_run("UPDATE schema_migrations SET number = 99 WHERE number = %u", db_migration_count);
    unsigned applied = 0, version = 0;
    assert_int_equal(db_migrate(schema_dsn(), &applied, &version, &error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "MIGRATION_GAP");
    sql_run("UPDATE schema_migrations SET number = %u WHERE number = 99", db_migration_count);
}

static void test_migrate_failing_statement_names_file_and_line_and_leaves_nothing_of_it(void **state) {
    (void)state;
    const char *name = empty_schema();
    sql_run("CREATE TABLE %s.job_pictures ()", name); /* 0004 makes jobs before it */
    unsigned applied = 0, version = 0, wanted = 0;
    assert_int_equal(db_migrate(schema_dsn_in(name), &applied, &version, &error), HERALD_INTERNAL);
    assert_non_null(strstr(error.message, "db/migrations/0004_jobs.sql"));
    assert_non_null(strstr(error.message, "42P07"));
    assert_string_equal(error.origin, "42P07");
    assert_int_equal(sql_number("SELECT count(*) FROM information_schema.tables WHERE table_schema = '%s' AND "
                                "table_name = 'jobs'",
                                name),
                     0);
    assert_int_equal(db_migrate_check(schema_dsn_in(name), &version, &wanted, &error), HERALD_OK);
    assert_int_equal(version, 3);
    sql_run("DROP SCHEMA %s CASCADE", name);
}

struct migrator {
    pthread_t thread;
    const char *dsn;
    unsigned applied, version;
    enum herald_code code;
};

static void *migrate_in_thread(void *arg) {
    struct migrator *migrator = arg;
    migrator->code = db_migrate(migrator->dsn, &migrator->applied, &migrator->version, NULL);
    return NULL;
}

static void test_migrate_by_many_at_once_applies_each_migration_once(void **state) {
    (void)state;
    const char *name = empty_schema();
    struct migrator migrators[6] = {0};
    const char *target = schema_dsn_in(name); /* the threads read its buffer */
    unsigned applied = 0;
    for (int i = 0; i < 6; i++) {
        migrators[i].dsn = target;
        assert_int_equal(pthread_create(&migrators[i].thread, NULL, migrate_in_thread, &migrators[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(migrators[i].thread, NULL), 0);
        assert_int_equal(migrators[i].code, HERALD_OK);
        assert_int_equal(migrators[i].version, db_migration_count);
        applied += migrators[i].applied;
    }
    assert_int_equal(applied, db_migration_count);
    sql_run("DROP SCHEMA %s CASCADE", name);
}

static void test_migrate_without_database_is_unavailable(void **state) {
    (void)state;
    unsigned applied = 0, version = 0;
    assert_int_equal(db_migrate("host=127.0.0.1 port=1 user=x dbname=x", &applied, &version, &error),
                     HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "DATABASE_UNAVAILABLE");
    assert_int_equal(db_migrate_check("host=127.0.0.1 port=1 user=x dbname=x", &applied, &version, &error),
                     HERALD_UNAVAILABLE);
    assert_int_equal(db_migrate("password = top secret", &applied, &version, &error), HERALD_INVALID_ARGUMENT);
    assert_null(strstr(error.message, "secret"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate_again_applies_nothing),
        cmocka_unit_test(test_migrate_check_of_an_empty_schema_is_version_0_and_changes_nothing),
        cmocka_unit_test(test_migrate_continues_where_it_was),
        cmocka_unit_test(test_migrate_keeps_what_was_delivered_and_goes_on_with_the_rest),
        cmocka_unit_test(test_migrate_changed_migration_is_refused_by_name),
        cmocka_unit_test(test_migrate_newer_schema_is_refused_and_checked),
        cmocka_unit_test(test_migrate_edited_table_is_refused),
        cmocka_unit_test(test_migrate_failing_statement_names_file_and_line_and_leaves_nothing_of_it),
        cmocka_unit_test(test_migrate_by_many_at_once_applies_each_migration_once),
        cmocka_unit_test(test_migrate_without_database_is_unavailable),
    };
    return cmocka_run_group_tests_name("integration.db.migrate", tests, schema_setup, schema_teardown);
}
