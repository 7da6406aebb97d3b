/* Reading rows, also rows that are not what was expected. */
#include "server/store/postgres/db_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COLUMNS 4

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
    struct db_reply reply = {.results = {result}};
    return db_row_of(&reply, 0, 0, &arena);
}

static void test_row_numbers_of_each_width(void **state) {
    (void)state;
    set(0, "\1", 1);
    set(1, "\xFF\xFE", 2);
    set(2, "\0\0\1\0", 4);
    set(3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFD", 8);
    struct db_row r = row();
    assert_int_equal(db_get_int(&r, 0), 1);
    assert_true(db_get_int(&r, 1) == -2);
    assert_int_equal(db_get_int(&r, 2), 256);
    assert_true(db_get_int(&r, 3) == -3);
}

static void test_row_number_of_another_width_is_0(void **state) {
    (void)state;
    set(0, "", 0);
    set(1, "abc", 3);
    set(2, NULL, -1);
    struct db_row r = row();
    assert_int_equal(db_get_int(&r, 0), 0);
    assert_int_equal(db_get_int(&r, 1), 0);
    assert_int_equal(db_get_int(&r, 2), 0);
}

static void test_row_times_count_from_1970_and_null_is_0(void **state) {
    (void)state;
    set(0, "\0\0\0\0\0\0\1\2", 8);
    set(1, NULL, -1);
    struct db_row r = row();
    assert_true(db_get_time(&r, 0) == 946684800LL * 1000000 + 258);
    assert_int_equal(db_get_time(&r, 1), 0);
    assert_true(db_get_null(&r, 1));
}

static void test_row_texts_and_bytes(void **state) {
    (void)state;
    set(0, "텍스트", 9);
    set(1, NULL, -1);
    set(2, "\0\1", 2);
    struct db_row r = row();
    size_t bytes = 9;
    assert_string_equal(db_get_text(&r, 0), "텍스트");
    assert_string_equal(db_get_text(&r, 1), "");
    assert_null(db_get_bytes(&r, 1, &bytes));
    assert_int_equal(bytes, 0);
    assert_memory_equal(db_get_bytes(&r, 2, &bytes), "\0\1", 2);
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
    const int *channels = db_get_names(&r, 0, &db_channels, &count);
    assert_int_equal(count, 2);
    assert_int_equal(channels[0], 4);
    assert_int_equal(channels[1], 5);
    (void)db_get_names(&r, 1, &db_channels, &count);
    assert_int_equal(count, 0);
    assert_int_equal(db_get_name(&r, 2, &db_channels), 0);
    assert_int_equal(db_get_name(&r, 3, &db_channels), 0);
}

static void test_row_beyond_the_arena_is_resource_exhausted(void **state) {
    (void)state;
    set(0, "text", 4);
    struct db_row r = row();
    arena.cap_bytes = arena.used_bytes;
    size_t bytes = 9;
    assert_string_equal(db_get_text(&r, 0), "");
    assert_null(db_get_bytes(&r, 0, &bytes));
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
        cmocka_unit_test_setup_teardown(test_row_beyond_the_arena_is_resource_exhausted, setup, teardown),
    };
    return cmocka_run_group_tests_name("unit.db.row", tests, NULL, NULL);
}
