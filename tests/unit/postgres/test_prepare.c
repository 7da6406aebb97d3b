/* What a connection checks of the statements that it prepares. */
#include "server/store/postgres/prepare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEXT_COLUMNS 7

static const struct db_query_text text = {.name = "delivery", .row = DB_ROW_DELIVERY_ATTEMPT_LIST};
static char why[160];

/* The server's description of a statement with these columns. */
static PGresult *describe(const char *const *names, int count) {
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    PGresAttDesc columns[TEXT_COLUMNS] = {0};
    assert_non_null(result);
    for (int i = 0; i < count; i++) {
        columns[i].name = (char *)(uintptr_t)names[i]; /* libpq copies it */
    }
    assert_true(PQsetResultAttrs(result, count, columns));
    return result;
}

static bool check(const char *const *names, int count) {
    PGresult *result = describe(names, count);
    why[0] = '\0';
    bool fits = db_prepare_check_described(&text, result, why, sizeof(why));
    PQclear(result);
    return fits;
}

static void test_prepare_embedded_columns_pass(void **state) {
    (void)state;
    assert_int_equal(db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].count, TEXT_COLUMNS);
    assert_true(check(db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names, TEXT_COLUMNS));
    assert_string_equal(why, "");
}

static void test_prepare_two_swapped_columns_are_refused(void **state) {
    (void)state;
    const char *names[TEXT_COLUMNS];
    for (int i = 0; i < TEXT_COLUMNS; i++) {
        names[i] = db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names[i];
    }
    names[3] = db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names[4];
    names[4] = db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names[3];
    assert_false(check(names, TEXT_COLUMNS));
    assert_string_equal(why, "db/queries/delivery.sql: column 4 is message, not reason as embedded");
}

static void test_prepare_another_number_of_columns_is_refused(void **state) {
    (void)state;
    assert_false(check(db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names, TEXT_COLUMNS - 1));
    assert_string_equal(why, "db/queries/delivery.sql: 0 parameters and 6 columns, not 0 and 7 as embedded");
}

static void test_prepare_another_number_of_parameters_is_refused(void **state) {
    (void)state;
    PGresult *result = describe(db_row_columns[DB_ROW_DELIVERY_ATTEMPT_LIST].names, TEXT_COLUMNS); /* 0 parameters */
    assert_false(db_prepare_check_described(&db_query_texts[DB_QUERY_DELIVERY_ATTEMPT_LIST], result, why, sizeof(why)));
    assert_string_equal(why,
                        "db/queries/delivery_attempt_list.sql: 0 parameters and 7 columns, not 2 and 7 as embedded");
    PQclear(result);
}

/* Each statement has two results; only the second one describes it. */
static void test_prepare_results_belong_to_their_statements(void **state) {
    (void)state;
    PGresult *empty = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    PGresult *skipped = PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_ABORTED);
    PGresult *sync = PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_SYNC);
    assert_true(db_prepare_check(2 * DB_QUERY_JOB_LOAD, empty, why, sizeof(why)));
    assert_false(db_prepare_check(2 * DB_QUERY_JOB_LOAD + 1, empty, why, sizeof(why)));
    assert_string_equal(why, "db/queries/job_load.sql: 0 parameters and 0 columns, not 1 and 18 as embedded");
    assert_true(db_prepare_check(2 * DB_QUERY_JOB_LOAD + 1, skipped, why, sizeof(why)));
    assert_true(db_prepare_check(2 * DB_QUERY_COUNT, sync, why, sizeof(why)));
    PQclear(empty);
    PQclear(skipped);
    PQclear(sync);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prepare_embedded_columns_pass),
        cmocka_unit_test(test_prepare_two_swapped_columns_are_refused),
        cmocka_unit_test(test_prepare_another_number_of_columns_is_refused),
        cmocka_unit_test(test_prepare_another_number_of_parameters_is_refused),
        cmocka_unit_test(test_prepare_results_belong_to_their_statements),
    };
    return cmocka_run_group_tests_name("unit.db.prepare", tests, NULL, NULL);
}
