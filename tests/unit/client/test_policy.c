#include "client/src/balance.h"
#include "client/src/retry.h"
#include "client/src/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* The decisions of the client, with a clock and random numbers of the test's own. */

/* --- the retry budget --- */

static unsigned withdraw_all(struct herald_budget *budget, int64_t now_ms) {
    unsigned count = 0;
    while (count < 1000000 && herald_budget_withdraw(budget, now_ms)) {
        count++;
    }
    return count;
}

static struct herald_budget budget_of(uint32_t percent, uint32_t per_s) {
    const struct herald_retry_policy policy = {.budget_percent = percent, .budget_per_s = per_s};
    struct herald_budget budget;
    herald_budget_init(&budget, &policy);
    return budget;
}

static void test_budget_without_calls_has_its_reserve(void **state) {
    (void)state;
    const struct herald_retry_policy policy = herald_retry_policy_filled((struct herald_retry_policy){0});
    struct herald_budget budget;
    herald_budget_init(&budget, &policy);
    assert_int_equal(withdraw_all(&budget, 5000000), 100); /* 10 a second for 10 seconds */
    assert_false(herald_budget_withdraw(&budget, 5000000 + 9999 - 5000000 % 1000));
    assert_int_equal(withdraw_all(&budget, 5010000), 100); /* the withdrawals are forgotten */
}

static void test_budget_grows_by_percent_of_calls(void **state) {
    (void)state;
    struct herald_budget budget = budget_of(20, 1);
    assert_int_equal(withdraw_all(&budget, 1000), 10);
    for (int i = 0; i < 499; i++) {
        herald_budget_deposit(&budget, 2000);
    }
    assert_int_equal(withdraw_all(&budget, 2000), 99); /* 99.8 */
    herald_budget_deposit(&budget, 2999);
    assert_true(herald_budget_withdraw(&budget, 2999));
    assert_false(herald_budget_withdraw(&budget, 2999));
}

static void test_budget_forgets_deposits_after_ten_seconds(void **state) {
    (void)state;
    struct herald_budget budget = budget_of(100, 1);
    for (int i = 0; i < 50; i++) {
        herald_budget_deposit(&budget, 1500);
    }
    struct herald_budget later = budget;
    assert_int_equal(withdraw_all(&budget, 10999), 60);
    assert_int_equal(withdraw_all(&later, 11000), 10);
}

/* --- waits --- */

static void test_wait_is_full_jitter_under_capped_exponential(void **state) {
    (void)state;
    const struct herald_retry_policy policy = {.backoff_min_ms = 20, .backoff_max_ms = 150};
    static const uint32_t most[] = {20, 40, 80, 150, 150};
    for (uint32_t retry = 1; retry <= 5; retry++) {
        assert_int_equal(herald_retry_wait_ms(&policy, retry, 0, 0), 0);
        assert_int_equal(herald_retry_wait_ms(&policy, retry, 0, most[retry - 1]), most[retry - 1]);
        assert_int_equal(herald_retry_wait_ms(&policy, retry, 0, most[retry - 1] + 1), 0);
    }
    assert_int_equal(herald_retry_wait_ms(&policy, 4000000000u, 0, 150), 150);
}

static void test_wait_is_at_least_what_the_server_asks_for(void **state) {
    (void)state;
    const struct herald_retry_policy policy = {.backoff_min_ms = 20, .backoff_max_ms = 150};
    assert_int_equal(herald_retry_wait_ms(&policy, 1, 700, 20), 700);
    assert_int_equal(herald_retry_wait_ms(&policy, 1, 7, 20), 20);
}

/* --- what may be repeated --- */

static struct herald_error error_of(enum herald_code code, const char *reason) {
    struct herald_error error;
    herald_error_set_code(&error, code, reason, "for a test");
    return error;
}

static bool allowed(enum herald_effect effect, enum herald_outcome outcome, enum herald_code code, const char *reason) {
    struct herald_error error = error_of(code, reason);
    const struct herald_attempt_end end = herald_attempt_end_of(outcome, &error);
    return herald_retry_allowed(effect, &end);
}

static void test_retry_unsent_is_allowed_for_every_effect(void **state) {
    (void)state;
    for (int effect = HERALD_EFFECT_READ; effect <= HERALD_EFFECT_ONCE; effect++) {
        assert_true(allowed((enum herald_effect)effect, HERALD_NOT_SENT, HERALD_UNAVAILABLE, "SEND_FAILED"));
        assert_false(allowed((enum herald_effect)effect, HERALD_NOT_SENT, HERALD_UNAVAILABLE, "NOT_CONNECTED"));
        assert_false(allowed((enum herald_effect)effect, HERALD_NOT_SENT, HERALD_CANCELLED, "CANCELLED"));
        assert_false(
            allowed((enum herald_effect)effect, HERALD_NOT_SENT, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_BIG"));
    }
}

static void test_retry_maybe_executed_is_allowed_unless_once(void **state) {
    (void)state;
    assert_true(allowed(HERALD_EFFECT_READ, HERALD_MAYBE_EXECUTED, HERALD_UNAVAILABLE, "CONNECTION_LOST"));
    assert_true(allowed(HERALD_EFFECT_IDEMPOTENT, HERALD_MAYBE_EXECUTED, HERALD_UNAVAILABLE, "CONNECTION_LOST"));
    assert_false(allowed(HERALD_EFFECT_ONCE, HERALD_MAYBE_EXECUTED, HERALD_UNAVAILABLE, "CONNECTION_LOST"));
    assert_false(allowed(HERALD_EFFECT_READ, HERALD_MAYBE_EXECUTED, HERALD_CANCELLED, "CANCELLED"));
    assert_false(allowed(HERALD_EFFECT_READ, HERALD_MAYBE_EXECUTED, HERALD_DEADLINE_EXCEEDED, "NO_REPLY_IN_TIME"));
}

static bool allowed_done(enum herald_effect effect, enum herald_done done, enum herald_code code, uint32_t after_ms) {
    const struct herald_attempt_end end = {
        .outcome = done == HERALD_DONE_NOT_KNOWN ? HERALD_MAYBE_EXECUTED : HERALD_EXECUTED,
        .code = code,
        .done = done,
        .retry_after_ms = after_ms,
    };
    return herald_retry_allowed(effect, &end);
}

static void test_retry_of_nothing_done_is_allowed_where_it_may_pass(void **state) {
    (void)state;
    assert_true(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOTHING, HERALD_UNAVAILABLE, 0));
    assert_true(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOTHING, HERALD_RESOURCE_EXHAUSTED, 100));
    assert_false(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOTHING, HERALD_RESOURCE_EXHAUSTED, 0));
    assert_false(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOTHING, HERALD_INVALID_ARGUMENT, 0));
}

static void test_retry_of_a_reply_that_does_not_know_is_allowed_unless_once(void **state) {
    (void)state;
    assert_false(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOT_KNOWN, HERALD_UNAVAILABLE, 0));
    assert_false(allowed_done(HERALD_EFFECT_ONCE, HERALD_DONE_NOT_KNOWN, HERALD_RESOURCE_EXHAUSTED, 100));
    assert_true(allowed_done(HERALD_EFFECT_IDEMPOTENT, HERALD_DONE_NOT_KNOWN, HERALD_UNAVAILABLE, 0));
    assert_true(allowed_done(HERALD_EFFECT_IDEMPOTENT, HERALD_DONE_NOT_KNOWN, HERALD_RESOURCE_EXHAUSTED, 100));
    assert_false(allowed_done(HERALD_EFFECT_IDEMPOTENT, HERALD_DONE_NOT_KNOWN, HERALD_UNKNOWN, 0));
}

static void test_retry_refused_is_allowed_by_code_effect_and_reason(void **state) {
    (void)state;
    for (int code = 1; code <= HERALD_UNAUTHENTICATED; code++) {
        bool transient = code == HERALD_UNAVAILABLE || code == HERALD_ABORTED;
        assert_int_equal(allowed(HERALD_EFFECT_READ, HERALD_EXECUTED, (enum herald_code)code, "X"), transient);
        assert_int_equal(allowed(HERALD_EFFECT_IDEMPOTENT, HERALD_EXECUTED, (enum herald_code)code, "X"), transient);
        assert_false(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, (enum herald_code)code, "X"));
    }
    const struct herald_attempt_end exhausted = {
        .outcome = HERALD_EXECUTED, .code = HERALD_RESOURCE_EXHAUSTED, .retry_after_ms = 1};
    assert_true(herald_retry_allowed(HERALD_EFFECT_READ, &exhausted));
    assert_false(herald_retry_allowed(HERALD_EFFECT_ONCE, &exhausted));
    static const char *const reasons[] = {
        "TOO_MANY_CALLS", "TOO_MANY_CALLS_OF_METHOD", "TOO_MANY_CALLS_OF_CALLER", "QUEUE_TIMEOUT",
        "LIMIT_REACHED",  "TOO_MANY_CONNECTIONS",     "SIGNED_BEFORE_START"};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        assert_true(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, HERALD_RESOURCE_EXHAUSTED, reasons[i]));
        assert_false(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, HERALD_ABORTED, reasons[i]));
    }
    assert_true(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, HERALD_UNAVAILABLE, "DRAINING"));
    assert_true(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, HERALD_UNAVAILABLE, "SIGNED_BEFORE_START"));
    assert_false(allowed(HERALD_EFFECT_ONCE, HERALD_EXECUTED, HERALD_UNAUTHENTICATED, "SIGNED_BEFORE_START"));
}

/* --- how long an attempt waits --- */

static int64_t reply_ms(enum herald_effect effect, bool waits, uint32_t attempts, uint32_t cuts, int64_t left_ms) {
    const struct herald_retry_policy policy = herald_retry_policy_filled((struct herald_retry_policy){0});
    const struct herald_reply_wait wait = {effect, waits, attempts, cuts, left_ms};
    return herald_retry_reply_ms(&policy, &wait);
}

static void test_attempt_of_a_read_waits_for_a_part_of_the_time(void **state) {
    (void)state;
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 1, 0, 5000), 1000);
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 1, 0, 2000), 1000);
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 1, 0, 1999), 1999); /* another would have less */
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 2, 1, 4000), 4000); /* a slow server has most of the time */
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 2, 1, 8000), 2000);
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 3, 2, 70000), 4000);
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, false, 4, 3, 70000), 70000); /* the last one */
    assert_int_equal(reply_ms(HERALD_EFFECT_READ, true, 1, 0, 70000), 70000);  /* a long poll */
    assert_int_equal(reply_ms(HERALD_EFFECT_IDEMPOTENT, false, 1, 0, 70000), 70000);
    assert_int_equal(reply_ms(HERALD_EFFECT_ONCE, false, 1, 0, 70000), 70000);
    const struct herald_retry_policy never = {.max_attempts = 4, .attempt_timeout_ms = UINT32_MAX};
    const struct herald_reply_wait wait = {HERALD_EFFECT_READ, false, 1, 0, 70000};
    assert_int_equal(herald_retry_reply_ms(&never, &wait), 70000);
}

/* --- ejection --- */

static void test_outlier_is_out_after_failures_in_a_row(void **state) {
    (void)state;
    struct herald_outlier outlier = {0};
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < HERALD_OUTLIER_FAILURES; i++) {
            assert_false(herald_outlier_failed(&outlier, 1, 1000, 200));
        }
        herald_outlier_succeeded(&outlier);
    }
    for (unsigned i = 1; i < HERALD_OUTLIER_FAILURES; i++) {
        assert_false(herald_outlier_failed(&outlier, 1, 1000, 200));
    }
    assert_int_equal(outlier.out_until_ms, 0);
    assert_true(herald_outlier_failed(&outlier, 1, 1000, 200));
    assert_int_equal(outlier.out_until_ms, 2000);
}

static void test_outlier_is_out_twice_as_long_each_time_up_to_the_most(void **state) {
    (void)state;
    static const int64_t times[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct herald_outlier outlier = {.failures = HERALD_OUTLIER_FAILURES - 1};
    int64_t now_ms = 1;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct herald_outlier jittered = outlier;
        assert_true(herald_outlier_failed(&jittered, 1, now_ms, (uint64_t)times[i] * 2 / 5));
        assert_int_equal(jittered.out_until_ms - now_ms, times[i] * 6 / 5);
        assert_true(herald_outlier_failed(&outlier, 1, now_ms, 0)); /* back from the last time: one failure is enough */
        assert_int_equal(outlier.out_until_ms - now_ms, times[i] * 4 / 5);
        assert_false(herald_outlier_failed(&outlier, 1, outlier.out_until_ms - 1, 0)); /* counts once */
        now_ms = outlier.out_until_ms;
    }
    herald_outlier_succeeded(&outlier);
    assert_false(herald_outlier_failed(&outlier, 1, now_ms, 0));
}

static void test_outlier_that_is_the_last_one_stays(void **state) {
    (void)state;
    struct herald_outlier outlier = {0};
    for (unsigned i = 0; i < 100; i++) {
        assert_false(herald_outlier_failed(&outlier, 0, 1000, 0));
    }
    assert_true(herald_outlier_failed(&outlier, 1, 1000, 0));
}

/* --- choice --- */

static void test_choice_is_least_in_flight_and_ties_rotate(void **state) {
    (void)state;
    struct herald_candidate candidates[3] = {
        {.in_flight = 2, .connected = true}, {.in_flight = 1, .connected = true}, {.in_flight = 3, .connected = true}};
    for (uint32_t turn = 0; turn < 6; turn++) {
        assert_int_equal(herald_balance_choose(candidates, 3, turn), 1);
    }
    candidates[0].in_flight = candidates[2].in_flight = 1;
    for (uint32_t turn = 0; turn < 6; turn++) {
        assert_int_equal(herald_balance_choose(candidates, 3, turn), turn % 3);
    }
    assert_int_equal(herald_balance_choose(candidates, 1, UINT32_MAX), 0);
}

static void test_choice_prefers_connected_then_well(void **state) {
    (void)state;
    /* From the worst to the best; each has fewer calls in flight than the next. */
    const struct herald_candidate ranks[] = {
        {.in_flight = 0, .connected = true, .avoid = true},
        {.in_flight = 1, .connected = false, .out = true, .leaving = true},
        {.in_flight = 2, .connected = true, .leaving = true},
        {.in_flight = 3, .connected = false, .out = true},
        {.in_flight = 4, .connected = false},
        {.in_flight = 5, .connected = true, .out = true},
        {.in_flight = 6, .connected = true},
    };
    for (size_t count = 1; count <= sizeof(ranks) / sizeof(ranks[0]); count++) {
        for (uint32_t turn = 0; turn < count; turn++) {
            assert_int_equal(herald_balance_choose(ranks, count, turn), count - 1);
        }
    }
}

/* --- URLs --- */

static void test_targets_are_taken_apart(void **state) {
    (void)state;
    struct herald_target *targets;
    size_t count;
    struct herald_error error;
    assert_int_equal(herald_targets_parse("tcp://10.0.0.1:7101,tls+tcp://job.example:7102,tcp://[::1]:1,ipc:///run/h,"
                                          "tcp6://h-1.x_y:65535,inproc://a",
                                          &targets, &count, &error),
                     HERALD_OK);
    assert_int_equal(count, 6);
    assert_string_equal(targets[0].url, "tcp://10.0.0.1:7101");
    assert_string_equal(targets[0].host, "10.0.0.1");
    assert_false(targets[0].named);
    assert_true(targets[1].named && targets[1].tls);
    assert_string_equal(targets[1].host, "job.example");
    assert_string_equal(targets[1].port, "7102");
    assert_string_equal(targets[2].host, "::1");
    assert_false(targets[2].named);
    assert_null(targets[3].host);
    assert_int_equal(targets[4].family, AF_INET6);
    assert_string_equal(targets[5].url, "inproc://a");
    herald_targets_free(targets, count);
}

static void test_targets_bad_one_is_named(void **state) {
    (void)state;
    static const char *const bad[] = {"tcp://a b:1",   "tcp://[10.0.0.1]:1", "tcp://[::1:1", "tcp://:1",
                                      "tcp://a:70000", "http://a:1",         "tls+tcp://a",  "",
                                      "tcp://a:1 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct herald_target *targets = NULL;
        size_t count = 7;
        struct herald_error error;
        char urls[100] = "tcp://10.0.0.1:7101,";
        strcat(urls, bad[i]);
        assert_int_equal(herald_targets_parse(urls, &targets, &count, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_URL");
        assert_int_equal(strncmp(error.message + 1, bad[i], strlen(bad[i])), 0);
        assert_null(targets);
        assert_int_equal(count, 7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_without_calls_has_its_reserve),
        cmocka_unit_test(test_budget_grows_by_percent_of_calls),
        cmocka_unit_test(test_budget_forgets_deposits_after_ten_seconds),
        cmocka_unit_test(test_wait_is_full_jitter_under_capped_exponential),
        cmocka_unit_test(test_wait_is_at_least_what_the_server_asks_for),
        cmocka_unit_test(test_retry_unsent_is_allowed_for_every_effect),
        cmocka_unit_test(test_retry_maybe_executed_is_allowed_unless_once),
        cmocka_unit_test(test_retry_of_nothing_done_is_allowed_where_it_may_pass),
        cmocka_unit_test(test_retry_of_a_reply_that_does_not_know_is_allowed_unless_once),
        cmocka_unit_test(test_retry_refused_is_allowed_by_code_effect_and_reason),
        cmocka_unit_test(test_attempt_of_a_read_waits_for_a_part_of_the_time),
        cmocka_unit_test(test_outlier_is_out_after_failures_in_a_row),
        cmocka_unit_test(test_outlier_is_out_twice_as_long_each_time_up_to_the_most),
        cmocka_unit_test(test_outlier_that_is_the_last_one_stays),
        cmocka_unit_test(test_choice_is_least_in_flight_and_ties_rotate),
        cmocka_unit_test(test_choice_prefers_connected_then_well),
        cmocka_unit_test(test_targets_are_taken_apart),
        cmocka_unit_test(test_targets_bad_one_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
