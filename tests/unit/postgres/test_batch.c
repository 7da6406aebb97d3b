/* Parameters as they go to Postgres. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/durable/idempotency_store.h"
#include "server/durable/outbox_store.h"
#include "server/store/postgres/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct db_batch batch;

static void begin(void) {
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_LOAD);
}

static void assert_binary(unsigned index, const char *bytes, int count) {
    assert_int_equal(batch.formats[index], 1);
    assert_int_equal(batch.lengths[index], count);
    assert_memory_equal(batch.values[index], bytes, (size_t)count);
}

static void test_batch_numbers_are_binary_in_network_order(void **state) {
    (void)state;
    begin();
    db_put_int(&batch, 0x01020304);
    db_put_int(&batch, -2);
    db_put_bigint(&batch, 0x0102030405060708);
    db_put_bigint(&batch, -1);
    assert_binary(0, "\1\2\3\4", 4);
    assert_binary(1, "\xFF\xFF\xFF\xFE", 4);
    assert_binary(2, "\1\2\3\4\5\6\7\10", 8);
    assert_binary(3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
}

static void test_batch_times_count_from_2000_and_0_is_null(void **state) {
    (void)state;
    begin();
    db_put_time(&batch, 946684800LL * 1000000);
    db_put_time(&batch, 946684800LL * 1000000 + 258);
    db_put_time(&batch, 0);
    assert_binary(0, "\0\0\0\0\0\0\0\0", 8);
    assert_binary(1, "\0\0\0\0\0\0\1\2", 8);
    assert_null(batch.values[2]);
}

static void test_batch_texts_and_bytes_keep_null_and_empty_apart(void **state) {
    (void)state;
    begin();
    db_put_text(&batch, "");
    db_put_text(&batch, NULL);
    db_put_text_or_null(&batch, "");
    db_put_text_or_null(&batch, "x");
    db_put_bytes(&batch, (const uint8_t *)"\0a", 2);
    db_put_bytes(&batch, NULL, 0);
    assert_string_equal(batch.values[0], "");
    assert_null(batch.values[1]);
    assert_null(batch.values[2]);
    assert_string_equal(batch.values[3], "x");
    assert_binary(4, "\0a", 2);
    assert_non_null(batch.values[5]);
    assert_int_equal(batch.lengths[5], 0);
}

static void test_batch_statements_have_their_own_parameters(void **state) {
    (void)state;
    begin();
    db_put_text(&batch, "a");
    db_put_int(&batch, 1);
    db_add(&batch, DB_QUERY_JOB_LOAD);
    db_put_text(&batch, "b");
    assert_int_equal(batch.statement_count, 2);
    assert_int_equal(batch.statements[0].count, 2);
    assert_int_equal(batch.statements[1].first, 2);
    assert_int_equal(batch.statements[1].count, 1);
    assert_int_equal(batch.statements[1].query, DB_QUERY_JOB_LOAD);
}

static void test_batch_names_make_an_array_without_unknown_numbers(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    const int numbers[] = {4, 99, 0, 5};
    begin();
    assert_true(db_put_names(&batch, &arena, &herald__distribution__v1__channel__descriptor, numbers, 4));
    assert_true(db_put_names(&batch, &arena, &herald__distribution__v1__channel__descriptor, NULL, 0));
    assert_string_equal(batch.values[0], "{INSTAGRAM,NAVER_BLOG}");
    assert_string_equal(batch.values[1], "{}");
    arena_fini(&arena);
    arena_init(&arena, 1);
    begin();
    assert_false(db_put_names(&batch, &arena, &herald__distribution__v1__channel__descriptor, numbers, 4));
    arena_fini(&arena);
}

static void test_batch_is_complete_with_all_parameters_of_each_statement(void **state) {
    (void)state;
    begin();
    db_put_text(&batch, "id");
    assert_false(db_batch_is_complete(&batch)); /* event_load takes two */
    db_put_text(&batch, "user");
    assert_true(db_batch_is_complete(&batch));
    db_add(&batch, DB_QUERY_JOB_LOAD);
    assert_false(db_batch_is_complete(&batch));
    db_put_text(&batch, "id");
    assert_true(db_batch_is_complete(&batch));
    db_put_null(&batch);
    assert_false(db_batch_is_complete(&batch));
}

static void test_batch_writes_when_one_of_its_statements_does(void **state) {
    (void)state;
    begin();
    assert_false(db_batch_writes(&batch));
    db_add(&batch, DB_QUERY_EVENT_DELETE);
    db_add(&batch, DB_QUERY_EVENT_LOAD);
    assert_true(db_batch_writes(&batch));
}

static void test_batch_outbox_and_idempotency_rows_fill_their_parameters(void **state) {
    (void)state;
    begin();
    struct outbox_row row = {.id = "id", .kind = OUTBOX_CACHE_DELETE, .owner = "event", .key = "k", .delay_ms = 7};
    outbox_store_put(&batch, &row);
    assert_int_equal(batch.param_count, 11);
    assert_string_equal(batch.values[1], "CACHE_DELETE");
    assert_string_equal(batch.values[3], ""); /* the topic may be left out */
    assert_null(batch.values[8]);             /* so may the time */
    assert_binary(10, "\0\0\0\0\0\0\0\7", 8);
    begin();
    idempotency_store_put(&batch, NULL);
    assert_int_equal(batch.param_count, 5);
    assert_null(batch.values[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_numbers_are_binary_in_network_order),
        cmocka_unit_test(test_batch_times_count_from_2000_and_0_is_null),
        cmocka_unit_test(test_batch_texts_and_bytes_keep_null_and_empty_apart),
        cmocka_unit_test(test_batch_statements_have_their_own_parameters),
        cmocka_unit_test(test_batch_names_make_an_array_without_unknown_numbers),
        cmocka_unit_test(test_batch_is_complete_with_all_parameters_of_each_statement),
        cmocka_unit_test(test_batch_writes_when_one_of_its_statements_does),
        cmocka_unit_test(test_batch_outbox_and_idempotency_rows_fill_their_parameters),
    };
    return cmocka_run_group_tests_name("unit.db.batch", tests, NULL, NULL);
}
