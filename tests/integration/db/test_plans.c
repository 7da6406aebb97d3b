#include "db_test.h"
#include "server/store/postgres/embedded_sql.h"

/* How Postgres runs our statements. A connection keeps its plans, so one that is made for empty tables must be right for full ones. */

static const char *const growing[] = {
    "deliveries",  "delivery_attempts", "delivery_steps", "distributions", "event_drafts", "event_steps",
    "idempotency", "job_pictures",      "jobs",           "outbox",        "signatures"};

/* Fails if @line of a plan reads all of a table that grows. */
static void check_line(const char *query, const char *line) {
    const char *scan = strstr(line, "Seq Scan on ");
    if (!scan) {
        return;
    }
    const char *table = scan + strlen("Seq Scan on ");
    for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
        if (strncmp(table, growing[i], strlen(growing[i])) == 0 && strchr(" (", table[strlen(growing[i])])) {
            fail_msg("%s.sql reads all of %s: %s", query, growing[i], line);
        }
    }
}

static void check_plan(PGconn *pg, const struct db_query_text *text) {
    PGresult *result = PQprepare(pg, text->name, text->sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail_msg("%s.sql: %s", text->name, PQerrorMessage(pg));
    }
    PQclear(result);
    char explain[512];
    int length = snprintf(explain, sizeof(explain), "EXPLAIN EXECUTE \"%s\"", text->name);
    for (unsigned i = 0; i < text->params; i++) {
        length += snprintf(explain + length, sizeof(explain) - (size_t)length, i == 0 ? "(NULL" : ", NULL");
    }
    (void)snprintf(explain + length, sizeof(explain) - (size_t)length, text->params > 0 ? ")" : "");
    result = PQexec(pg, explain);
    if (PQntuples(result) < 1) {
        fail_msg("%s.sql: %s", text->name, PQerrorMessage(pg));
    }
    for (int line = 0; line < PQntuples(result); line++) {
        check_line(text->name, PQgetvalue(result, line, 0));
    }
    PQclear(result);
}

static void test_no_statement_reads_all_of_a_table_that_grows(void **state) {
    (void)state;
    PGconn *pg = admin_open();
    admin_run(pg, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off");
    for (size_t i = 0; i < DB_QUERY_COUNT; i++) {
        check_plan(pg, &db_query_texts[i]);
    }
    PQfinish(pg);
}

DB_TEST(test_a_session_of_the_pool_plans_without_reading_whole_tables) {
    assert_plans_by_index(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_statement_reads_all_of_a_table_that_grows),
        cmocka_unit_test(test_a_session_of_the_pool_plans_without_reading_whole_tables),
    };
    return cmocka_run_group_tests_name("integration.db.plans", tests, schema_setup, schema_teardown);
}
