/* Reading rows, also rows that are not what was expected. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/store/postgres/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COLUMNS  4
#define CHANNELS (&herald__distribution__v1__channel__descriptor)

/* Columns of a row type, whichever. */
#define A DB_DELIVERY_LIST__CHANNEL
#define B DB_DELIVERY_LIST__STATE
#define C DB_DELIVERY_LIST__SETTLED
#define D DB_DELIVERY_LIST__REMOTE_ID

static PGresult *result;
static struct arena arena;

static int setup(void **state) {
    (void)state;
    static char names[COLUMNS][2] = {"a", "b", "c", "d"};
    PGresAttDesc columns[COLUMNS] = {0};
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = names[i];
        columns[i].format = 1;
    }
    result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(result);
    assert_true(PQsetResultAttrs(result, COLUMNS, columns));
    arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    PQclear(result);
    arena_fini(&arena);
    return 0;
}

/* Sets a column of the one row. @length  -1: NULL */
static void set(int column, const char *bytes, int length) {
    char copy[64];
    for (int i = 0; i < length; i++) {
        copy[i] = bytes[i];
    }
    assert_true(PQsetvalue(result, 0, column, length < 0 ? NULL : copy, length));
}

static struct db_row row(void) {
    struct db_reply reply = {.results = {result}, .queries = {DB_QUERY_DELIVERY_LIST}};
    return db_row_of(&reply, 0, 0, &arena);
}

static void test_row_numbers_of_each_width(void **state) {
    (void)state;
    set(0, "\1", 1);
    set(1, "\xFF\xFE", 2);
    set(2, "\0\0\1\0", 4);
    set(3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFD", 8);
    struct db_row r = row();
    assert_int_equal(db_get_int(&r, A), 1);
    assert_true(db_get_int(&r, B) == -2);
    assert_int_equal(db_get_int(&r, C), 256);
    assert_true(db_get_int(&r, D) == -3);
}

static void test_row_number_of_another_width_is_0(void **state) {
    (void)state;
    set(0, "", 0);
    set(1, "abc", 3);
    set(2, NULL, -1);
    struct db_row r = row();
    assert_int_equal(db_get_int(&r, A), 0);
    assert_int_equal(db_get_int(&r, B), 0);
    assert_int_equal(db_get_int(&r, C), 0);
}

static void test_row_times_count_from_1970_and_null_is_0(void **state) {
    (void)state;
    set(0, "\0\0\0\0\0\0\1\2", 8);
    set(1, NULL, -1);
    struct db_row r = row();
    assert_true(db_get_time(&r, A) == 946684800LL * 1000000 + 258);
    assert_int_equal(db_get_time(&r, B), 0);
    assert_true(db_get_null(&r, B));
}

static void test_row_texts_and_bytes(void **state) {
    (void)state;
    set(0, "텍스트", 9);
    set(1, NULL, -1);
    set(2, "\0\1", 2);
    struct db_row r = row();
    size_t bytes = 9;
    assert_string_equal(db_get_text(&r, A), "텍스트");
    assert_string_equal(db_get_text(&r, B), "");
    assert_null(db_get_bytes(&r, B, &bytes));
    assert_int_equal(bytes, 0);
    assert_memory_equal(db_get_bytes(&r, C, &bytes), "\0\1", 2);
    assert_int_equal(bytes, 2);
    assert_int_equal(db_row_end(&r, NULL), HERALD_OK);
}

static void test_row_names_unknown_ones_are_left_out(void **state) {
    (void)state;
    set(0, "INSTAGRAM,TELEX,NAVER_BLOG", 26);
    set(1, "", 0);
    set(2, "TELEX", 5);
    set(3, NULL, -1);
    struct db_row r = row();
    size_t count = 9;
    const int *channels = db_get_names(&r, A, CHANNELS, &count);
    assert_int_equal(count, 2);
    assert_int_equal(channels[0], 4);
    assert_int_equal(channels[1], 5);
    (void)db_get_names(&r, B, CHANNELS, &count);
    assert_int_equal(count, 0);
    assert_int_equal(db_get_name(&r, C, CHANNELS), 0);
    assert_int_equal(db_get_name(&r, D, CHANNELS), 0);
}

static void test_row_column_of_another_row_type_is_null_and_an_error(void **state) {
    (void)state;
    const enum db_column others[] = {DB_EVENT_DRAFT__TITLE, DB_COLUMN_NONE, D + 20,
                                     DB_ROW_TYPE_COUNT * DB_ROW_COLUMNS_MAX};
    set(0, "\1", 1);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct db_row r = row();
        size_t count = 9;
        assert_int_equal(db_get_int(&r, A), 1);
        assert_int_equal(db_row_end(&r, NULL), HERALD_OK);
        assert_true(db_get_null(&r, others[i]));
        assert_string_equal(db_get_text(&r, others[i]), "");
        assert_int_equal(db_get_int(&r, others[i]), 0);
        assert_int_equal(db_get_time(&r, others[i]), 0);
        assert_null(db_get_bytes(&r, others[i], &count));
        assert_int_equal(db_get_name(&r, others[i], CHANNELS), 0);
        (void)db_get_names(&r, others[i], CHANNELS, &count);
        assert_int_equal(count, 0);
        assert_int_equal(db_row_end(&r, NULL), HERALD_INTERNAL);
    }
}

static void test_row_misread_names_query_and_column(void **state) {
    (void)state;
    set(0, "\1", 1);
    struct db_row r = row();
    struct herald_error error = {0};
    (void)db_get_text(&r, DB_EVENT_DRAFT__TITLE);
    (void)db_get_text(&r, DB_EVENT_DRAFT__PRIZE); /* the first one is named */
    assert_int_equal(db_row_end(&r, &error), HERALD_INTERNAL);
    assert_string_equal(error.reason, "DATABASE_ERROR");
    assert_string_equal(error.message,
                        "db/queries/delivery_list.sql: its rows are of delivery_list, and were read as rows of "
                        "event_draft, by the column title");
}

static void test_row_one_number_is_read_whole_or_not(void **state) {
    (void)state;
    set(0, "\7", 1);
    struct db_reply reply = {.results = {result}, .queries = {DB_QUERY_DELIVERY_LIST}};
    int64_t number = 9;
    assert_int_equal(db_read_int(&reply, 0, DB_EVENT_APPROVE__FOUND, &number, NULL), HERALD_INTERNAL);
    assert_int_equal(number, 9);
    assert_int_equal(db_read_int(&reply, 0, A, &number, NULL), HERALD_OK);
    assert_int_equal(number, 7);
}

static void test_row_beyond_the_arena_is_resource_exhausted(void **state) {
    (void)state;
    set(0, "text", 4);
    struct db_row r = row();
    arena.cap_bytes = arena.used_bytes;
    size_t bytes = 9;
    assert_string_equal(db_get_text(&r, A), "");
    assert_null(db_get_bytes(&r, A, &bytes));
    assert_int_equal(bytes, 0);
    struct herald_error error = {0};
    assert_int_equal(db_row_end(&r, &error), HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "ARENA_FULL");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_row_numbers_of_each_width, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_number_of_another_width_is_0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_times_count_from_1970_and_null_is_0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_texts_and_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_names_unknown_ones_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_column_of_another_row_type_is_null_and_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_misread_names_query_and_column, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_one_number_is_read_whole_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_row_beyond_the_arena_is_resource_exhausted, setup, teardown),
    };
    return cmocka_run_group_tests_name("unit.db.row", tests, NULL, NULL);
}
