/* Array parameters in Postgres's text form. */
#include "server/store/postgres/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct db_batch batch;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, 0);
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_VERSIONS);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const char *put(struct db_array *array) {
    assert_true(db_put_array(&batch, array));
    return batch.values[0];
}

static void test_array_empty_has_no_element(void **state) {
    (void)state;
    struct db_array array = db_array_begin(&arena);
    assert_string_equal(put(&array), "{}");
}

static void test_array_texts_are_quoted(void **state) {
    (void)state;
    struct db_array array = db_array_begin(&arena);
    db_array_add_text(&array, "plain");
    db_array_add_text(&array, "");
    db_array_add_text(&array, "NULL");
    db_array_add_text(&array, "a\"b\\c,{}\n 가");
    db_array_add_text(&array, NULL);
    db_array_add_null(&array);
    assert_string_equal(put(&array), "{\"plain\",\"\",\"NULL\",\"a\\\"b\\\\c,{}\n 가\",NULL,NULL}");
}

static void test_array_numbers_and_truths(void **state) {
    (void)state;
    struct db_array array = db_array_begin(&arena);
    db_array_add_bigint(&array, INT64_MIN);
    db_array_add_bigint(&array, INT64_MAX);
    db_array_add_bigint(&array, 0);
    db_array_add_bool(&array, true);
    db_array_add_bool(&array, false);
    assert_string_equal(put(&array), "{-9223372036854775808,9223372036854775807,0,t,f}");
}

static void test_array_bytes_are_hexadecimal(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0, '"', '\\', 0xFF};
    struct db_array array = db_array_begin(&arena);
    db_array_add_bytes(&array, bytes, sizeof(bytes));
    db_array_add_bytes(&array, bytes, 0);
    db_array_add_bytes(&array, NULL, 0);
    assert_string_equal(put(&array), "{\"\\\\x00225cff\",\"\\\\x\",NULL}");
}

/* Many elements, and one that is larger than any room before. */
static void test_array_grows_without_losing_anything(void **state) {
    (void)state;
    enum { COUNT = 5000, LARGE = 300000 };
    struct db_array array = db_array_begin(&arena);
    for (int i = 0; i < COUNT; i++) {
        db_array_add_bigint(&array, i);
    }
    uint8_t *bytes = calloc(1, LARGE);
    assert_non_null(bytes);
    memset(bytes, 0xAB, LARGE);
    db_array_add_bytes(&array, bytes, LARGE);
    free(bytes);
    const char *at = put(&array);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(*at, i == 0 ? '{' : ',');
        char *after = NULL;
        assert_int_equal(strtol(at + 1, &after, 10), i);
        at = after;
    }
    assert_memory_equal(at, ",\"\\\\x", 5);
    at += 5;
    assert_int_equal(strspn(at, "ab"), 2 * LARGE);
    assert_string_equal(at + (size_t)2 * LARGE, "\"}");
}

static void test_array_that_does_not_fit_into_the_arena_is_refused(void **state) {
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 4096);
    struct db_array array = db_array_begin(&arena);
    for (int i = 0; i < 10000; i++) {
        db_array_add_text(&array, "something");
    }
    assert_false(db_put_array(&batch, &array));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_array_empty_has_no_element, begin, end),
        cmocka_unit_test_setup_teardown(test_array_texts_are_quoted, begin, end),
        cmocka_unit_test_setup_teardown(test_array_numbers_and_truths, begin, end),
        cmocka_unit_test_setup_teardown(test_array_bytes_are_hexadecimal, begin, end),
        cmocka_unit_test_setup_teardown(test_array_grows_without_losing_anything, begin, end),
        cmocka_unit_test_setup_teardown(test_array_that_does_not_fit_into_the_arena_is_refused, begin, end),
    };
    return cmocka_run_group_tests_name("db.array", tests, NULL, NULL);
}
