#include "server/event/distribute_outcome.h"
#include "tests/unit/rpc/cmocka_headers.h"

/* What an end of the distribution call says about the distribution server. */

static enum breaker_outcome outcome_of(enum herald_reason reason) {
    return distribute_outcome(herald_reason_code(reason), reason, true, true);
}

/* By the table of reasons, so that a refusal added later is one here too. */
static void test_distribute_outcome_of_each_refusal_is_ignored(void **state) {
    unsigned refusals = 0;
    (void)state;
    for (int number = 1; number <= HERALD_REASON_LAST; number++) {
        enum herald_reason reason = (enum herald_reason)number, passed_on = herald_reason_downstream(reason);
        if (!herald_reason_is_refusal(reason)) {
            continue;
        }
        assert_int_equal(outcome_of(reason), BREAKER_IGNORED);
        assert_int_equal(outcome_of(passed_on), BREAKER_IGNORED);
        refusals++;
    }
    assert_in_range(refusals, 8, HERALD_REASON_COUNT);
    assert_int_equal(outcome_of(HERALD_REASON_DOWNSTREAM_TOO_MANY_CALLS_OF_CALLER), BREAKER_IGNORED);
    assert_int_equal(outcome_of(HERALD_REASON_DOWNSTREAM_DRAINING), BREAKER_IGNORED);
}

static void test_distribute_outcome_of_a_fault_is_a_failure(void **state) {
    static const enum herald_reason FAULTS[] = {
        HERALD_REASON_NOT_CONNECTED,
        HERALD_REASON_CONNECTION_LOST,
        HERALD_REASON_NO_REPLY_IN_TIME,
        HERALD_REASON_DATABASE_ERROR,
        HERALD_REASON_DATABASE_UNAVAILABLE,
        HERALD_REASON_ARENA_FULL,
        HERALD_REASON_DATABASE_OUTCOME_UNKNOWN,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(FAULTS) / sizeof(*FAULTS); i++) {
        assert_int_equal(outcome_of(FAULTS[i]), BREAKER_FAILURE);
    }
    assert_int_equal(distribute_outcome(HERALD_UNAVAILABLE, HERALD_REASON_NONE, true, true), BREAKER_FAILURE);
}

static void test_distribute_outcome_of_our_own_end_is_ignored(void **state) {
    (void)state;
    assert_int_equal(distribute_outcome(HERALD_UNAVAILABLE, HERALD_REASON_NOT_CONNECTED, false, true), BREAKER_IGNORED);
    assert_int_equal(distribute_outcome(HERALD_DEADLINE_EXCEEDED, HERALD_REASON_NO_REPLY_IN_TIME, true, false),
                     BREAKER_IGNORED);
    assert_int_equal(distribute_outcome(HERALD_INVALID_ARGUMENT, HERALD_REASON_INVALID_FIELD, true, true),
                     BREAKER_IGNORED);
    assert_int_equal(distribute_outcome(HERALD_OK, HERALD_REASON_NONE, false, false), BREAKER_SUCCESS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribute_outcome_of_each_refusal_is_ignored),
        cmocka_unit_test(test_distribute_outcome_of_a_fault_is_a_failure),
        cmocka_unit_test(test_distribute_outcome_of_our_own_end_is_ignored),
    };
    return cmocka_run_group_tests_name("event.distribute_outcome", tests, NULL, NULL);
}
