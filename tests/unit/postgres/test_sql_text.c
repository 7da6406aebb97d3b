/* The embedded files, and lines in them. */
#include "server/store/postgres/embedded_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sql_line_counts_characters_not_bytes(void **state) {
    (void)state;
    const char *sql = "-- 한글\nSELECT\n  x";
    assert_int_equal(db_sql_line(sql, NULL), 1);
    assert_int_equal(db_sql_line(sql, "1"), 1);
    assert_int_equal(db_sql_line(sql, "6"), 1); /* the line's end */
    assert_int_equal(db_sql_line(sql, "7"), 2);
    assert_int_equal(db_sql_line(sql, "16"), 3);
    assert_int_equal(db_sql_line(sql, "999"), 3); /* beyond the text: its last line */
    assert_int_equal(db_sql_line(sql, "nonsense"), 1);
}

static void test_embedded_queries_and_migrations_are_complete(void **state) {
    (void)state;
    for (int query = 0; query < DB_QUERY_COUNT; query++) {
        assert_non_null(db_query_texts[query].name);
        assert_non_null(strstr(db_query_texts[query].sql, "-- Effect: "));
    }
    assert_int_equal(db_query_texts[DB_QUERY_EVENT_APPROVE].effect, DB_EFFECT_WRITE);
    assert_int_equal(db_query_texts[DB_QUERY_EVENT_LOAD].effect, DB_EFFECT_READ_BY_KEY);
    assert_int_equal(db_query_texts[DB_QUERY_EVENT_LIST].effect, DB_EFFECT_READ);
    for (unsigned i = 0; i < db_migration_count; i++) {
        assert_int_equal(db_migrations[i].number, i + 1);
        assert_int_equal(strlen(db_migrations[i].sha256), 64);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_line_counts_characters_not_bytes),
        cmocka_unit_test(test_embedded_queries_and_migrations_are_complete),
    };
    return cmocka_run_group_tests_name("unit.db.sql_text", tests, NULL, NULL);
}
