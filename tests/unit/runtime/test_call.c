#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <string.h>

static void test_call_init_without_id_makes_uuid7(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "test.v1.Test/Go", NULL, 0, 0);
    assert_int_equal(strlen(call.id), 36);
    assert_int_equal(call.id[14], '7');
    assert_int_equal(call.deadline_us, 0);
    assert_int_equal(call.end_code, HERALD_OK);
    call_fini(&call);
}

static void test_call_init_over_long_id_is_cut(void **state) {
    (void)state;
    struct call call;
    call_init(&call, NULL, "0123456789012345678901234567890123456789", 0, 0);
    assert_string_equal(call.id, "012345678901234567890123456789012345");
    call_fini(&call);
}

static void test_call_outside_task_has_no_context(void **state) {
    (void)state;
    assert_null(call_current());
    assert_int_equal(call_remaining_ms(), UINT32_MAX);
    assert_int_equal(call_check(NULL), HERALD_OK);
}

static void body_with_deadline(void *arg) {
    struct call *call = arg;
    assert_ptr_equal(call_current(), call);
    assert_ptr_equal(call_arena(), &call->arena);
    assert_non_null(arena_alloc(call_arena(), 10));
    uint32_t remaining_ms = call_remaining_ms();
    assert_in_range(remaining_ms, 50000, 60000);
    assert_int_equal(call_check(NULL), HERALD_OK);
    call->deadline_us = clock_now_us();
    assert_int_equal(call_remaining_ms(), 0);
    struct herald_error error = {0};
    assert_int_equal(call_check(&error), HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(error.reason, "DEADLINE_EXCEEDED");
    call->end_code = HERALD_UNAVAILABLE;
    assert_int_equal(call_check(&error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "CANCELLED");
}

static void test_call_in_task_gives_arena_and_remaining_time(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "test.v1.Test/Go", NULL, 60000, 0);
    run_task(&call, body_with_deadline, &call);
    call_fini(&call);
}

static void body_without_deadline(void *arg) {
    (void)arg;
    assert_int_equal(call_remaining_ms(), UINT32_MAX);
}

static void test_call_without_deadline_remains_for_ever(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "test.v1.Test/Go", NULL, 0, 0);
    run_task(&call, body_without_deadline, NULL);
    call_fini(&call);
}

static void test_clock_is_monotonic_and_wall_is_now(void **state) {
    (void)state;
    uint64_t earlier_us = clock_now_us();
    assert_true(clock_now_us() >= earlier_us);
    assert_true(clock_wall_us() > INT64_C(1700000000000000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_init_without_id_makes_uuid7),
        cmocka_unit_test(test_call_init_over_long_id_is_cut),
        cmocka_unit_test(test_call_outside_task_has_no_context),
        cmocka_unit_test(test_call_in_task_gives_arena_and_remaining_time),
        cmocka_unit_test(test_call_without_deadline_remains_for_ever),
        cmocka_unit_test(test_clock_is_monotonic_and_wall_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
