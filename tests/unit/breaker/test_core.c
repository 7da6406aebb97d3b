/* Known answers of the core: what docs/breaker.md says, where test_breaker.c and the model do not show it. */
#include "server/breaker/breaker_core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct breaker_core *core;
static struct breaker_events events;
static uint64_t now_ms;

static void start(struct breaker_rules rules) {
    now_ms = 0;
    assert_int_equal(breaker_core_new("core", &rules, &core, NULL), HERALD_OK);
}

static int free_core(void **state) {
    (void)state;
    breaker_core_free(core);
    core = NULL;
    return 0;
}

static struct breaker_permit admit(void) {
    struct breaker_permit permit;
    assert_true(breaker_core_admit(core, now_ms * 1000, &permit, &events));
    return permit;
}

static bool refused(void) {
    struct breaker_permit permit;
    return !breaker_core_admit(core, now_ms * 1000, &permit, &events);
}

static void end(struct breaker_permit permit, enum breaker_outcome outcome) {
    assert_true(breaker_core_record(core, now_ms * 1000, &permit, outcome, now_ms * 1000 - permit.started_us, &events));
}

static bool end_any(enum breaker_outcome outcome) {
    return breaker_core_record(core, now_ms * 1000, NULL, outcome, 0, &events);
}

static bool go(enum breaker_state state) {
    return breaker_core_transition(core, now_ms * 1000, state, &events);
}

static struct breaker_metrics metrics(void) {
    struct breaker_metrics now;
    breaker_core_metrics(core, &now);
    return now;
}

static void advance_to(uint64_t ms) {
    now_ms = ms;
    breaker_core_advance(core, ms * 1000, &events);
}

/* "ERROR STATE_TRANSITION(CLOSED>OPEN)" */
static void assert_events(const char *expected) {
    char got[512] = "";
    for (unsigned i = 0; i < events.count; i++) {
        const struct breaker_event *event = &events.each[i];
        strcat(strcat(got, i > 0 ? " " : ""), breaker_event_name(event->kind));
        if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
            strcat(strcat(got, "("), breaker_state_name(event->from));
            strcat(strcat(strcat(got, ">"), breaker_state_name(event->to)), ")");
        }
    }
    assert_string_equal(got, expected);
}

/* ---- names ---- */

static void test_core_state_find_takes_each_name_and_no_other(void **state) {
    (void)state;
    enum breaker_state found = BREAKER_CLOSED;
    for (int each = BREAKER_CLOSED; each <= BREAKER_METRICS_ONLY; each++) {
        assert_true(breaker_state_find(breaker_state_name((enum breaker_state)each), &found));
        assert_int_equal(found, each);
    }
    assert_false(breaker_state_find("UNKNOWN", &found));
    assert_false(breaker_state_find("open", &found));
    assert_false(breaker_state_find("", &found));
    assert_int_equal(found, BREAKER_METRICS_ONLY); /* untouched */
    assert_string_equal(breaker_event_name((enum breaker_event_kind)99), "UNKNOWN");
}

/* ---- time ---- */

static void test_core_open_since_the_call_became_slow_not_since_somebody_looked(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 1, .slow_call_ms = 100, .open_wait_ms = 1000});
    struct breaker_permit permit = admit();
    now_ms = 1101; /* slow after 100.001 ms, its wait over after 1100.001 ms */
    admit();
    assert_events("SLOW_CALL_RATE_EXCEEDED STATE_TRANSITION(CLOSED>OPEN) STATE_TRANSITION(OPEN>HALF_OPEN)");
    end(permit, BREAKER_FAILURE);
    assert_int_equal(metrics().buffered_calls, 0);
}

static void test_core_time_never_goes_back(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 1, .open_wait_ms = 1000});
    now_ms = 5000;
    end(admit(), BREAKER_FAILURE);
    now_ms = 10; /* counts as 5000 */
    assert_true(refused());
    now_ms = 6001;
    admit();
}

static void test_core_half_open_ends_before_the_order_that_comes_later(void **state) {
    (void)state;
    start((struct breaker_rules){.half_open_max_wait_ms = 50});
    go(BREAKER_OPEN);
    go(BREAKER_HALF_OPEN);
    now_ms = 60;
    go(BREAKER_DISABLED);
    assert_events("STATE_TRANSITION(HALF_OPEN>OPEN) STATE_TRANSITION(OPEN>DISABLED)");
}

static void test_core_retry_after_of_each_state(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 1, .open_wait_ms = 2000, .half_open_calls = 1});
    assert_int_equal(breaker_core_retry_after_ms(core, 0), 0);
    end(admit(), BREAKER_FAILURE);
    assert_int_equal(breaker_core_retry_after_ms(core, 0), 2001); /* strictly after the wait */
    assert_int_equal(breaker_core_retry_after_ms(core, 1999500), 1);
    assert_int_equal(breaker_core_retry_after_ms(core, 2000001), 0);
    now_ms = 2001;
    admit();
    assert_int_equal(breaker_core_retry_after_ms(core, 2001000), 1000);
    go(BREAKER_FORCED_OPEN);
    assert_int_equal(breaker_core_retry_after_ms(core, 2001000), 2000);
    go(BREAKER_METRICS_ONLY);
    assert_int_equal(breaker_core_retry_after_ms(core, 2001000), 0);
}

/* ---- calls in flight ---- */

static void test_core_half_open_slow_call_in_flight_does_not_close(void **state) {
    (void)state;
    start((struct breaker_rules){.half_open_calls = 2, .slow_call_ms = 100});
    go(BREAKER_HALF_OPEN);
    struct breaker_permit slow = admit();
    end(admit(), BREAKER_SUCCESS);
    advance_to(101); /* two samples, none failed, one slow: below both thresholds */
    assert_int_equal(metrics().buffered_calls, 2);
    assert_int_equal(metrics().state, BREAKER_HALF_OPEN);
    end(slow, BREAKER_SUCCESS);
    assert_int_equal(metrics().state, BREAKER_CLOSED);
}

/* A place that a withdrawn sample kept would make the next one evict a result: no permits, and never a decision. */
static void test_core_half_open_withdrawn_samples_evict_no_result(void **state) {
    (void)state;
    start((struct breaker_rules){.half_open_calls = 2, .slow_call_ms = 100});
    go(BREAKER_HALF_OPEN);
    struct breaker_permit first = admit();
    advance_to(101);
    end(first, BREAKER_IGNORED);
    end(admit(), BREAKER_SUCCESS);
    struct breaker_permit third = admit();
    advance_to(202);
    end(third, BREAKER_IGNORED);
    assert_int_equal(metrics().buffered_calls, 1);
    end(admit(), BREAKER_SUCCESS);
    assert_int_equal(metrics().state, BREAKER_CLOSED);
}

static void test_core_more_calls_in_flight_than_are_watched_count_at_their_end(void **state) {
    (void)state;
    enum { WATCHED = 1024, CALLS = WATCHED + 2 };
    static struct breaker_permit permits[CALLS];
    start((struct breaker_rules){.window_calls = 100, .slow_call_ms = 100});
    go(BREAKER_METRICS_ONLY);
    for (unsigned i = 0; i < CALLS; i++) {
        permits[i] = admit();
    }
    for (unsigned i = 0; i < WATCHED; i++) {
        end(permits[i], BREAKER_IGNORED);
    }
    advance_to(101);
    assert_int_equal(metrics().slow_calls, 0);
    end(permits[WATCHED], BREAKER_SUCCESS);
    end(permits[WATCHED + 1], BREAKER_FAILURE);
    assert_int_equal(metrics().slow_calls, 2);
    assert_int_equal(metrics().failed_calls, 1);
    admit(); /* watched again */
    advance_to(202);
    assert_int_equal(metrics().slow_calls, 3);
}

/* ---- strict ---- */

static void test_core_strict_open_counts_late_results(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 2, .strict = true});
    end_any(BREAKER_FAILURE);
    end_any(BREAKER_FAILURE);
    assert_events("ERROR FAILURE_RATE_EXCEEDED STATE_TRANSITION(CLOSED>OPEN)");
    end_any(BREAKER_SUCCESS);
    assert_events("SUCCESS");
    assert_true(metrics().failure_rate == 50);
    assert_int_equal(metrics().state, BREAKER_OPEN);
}

static void test_core_strict_calls_in_flight_count_at_their_end(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 1, .slow_call_ms = 100, .strict = true});
    struct breaker_permit permit = admit();
    advance_to(1000);
    assert_int_equal(metrics().buffered_calls, 0);
    end(permit, BREAKER_SUCCESS);
    assert_int_equal(metrics().slow_calls, 1);
}

static void test_core_strict_ignored_calls_add_permits(void **state) {
    (void)state;
    start((struct breaker_rules){.half_open_calls = 1, .strict = true});
    go(BREAKER_OPEN);
    go(BREAKER_HALF_OPEN);
    end_any(BREAKER_IGNORED);
    end_any(BREAKER_IGNORED);
    assert_int_equal(metrics().permits_left, 3);
}

static void test_core_strict_has_no_transitions_that_resilience4j_lacks(void **state) {
    (void)state;
    start((struct breaker_rules){.strict = true});
    assert_false(go(BREAKER_HALF_OPEN));
    assert_events("");
    assert_int_equal(metrics().state, BREAKER_CLOSED);
    assert_true(go(BREAKER_METRICS_ONLY));
    assert_false(go(BREAKER_OPEN));
    assert_false(go(BREAKER_HALF_OPEN));
    assert_int_equal(metrics().state, BREAKER_METRICS_ONLY);
}

static void test_core_strict_open_out_of_disabled_has_no_window(void **state) {
    (void)state;
    start((struct breaker_rules){.strict = true});
    go(BREAKER_DISABLED);
    go(BREAKER_OPEN);
    assert_false(end_any(BREAKER_FAILURE));
    assert_events("ERROR");
    assert_false(end_any(BREAKER_SUCCESS));
    assert_int_equal(metrics().buffered_calls, 2);
    assert_true(metrics().failure_rate == 50);
    assert_true(end_any(BREAKER_IGNORED));
}

static void test_core_strict_reset_leaves_the_timer_of_half_open(void **state) {
    (void)state;
    start((struct breaker_rules){.half_open_max_wait_ms = 50, .strict = true});
    go(BREAKER_OPEN);
    go(BREAKER_HALF_OPEN);
    breaker_core_reset(core, 0, &events);
    assert_events("STATE_TRANSITION(HALF_OPEN>CLOSED) RESET");
    advance_to(49);
    assert_int_equal(metrics().state, BREAKER_CLOSED);
    advance_to(50);
    assert_events("STATE_TRANSITION(CLOSED>OPEN)");
}

static void test_core_strict_minimum_beyond_the_window_counts_half_open(void **state) {
    (void)state;
    start((struct breaker_rules){.window_calls = 2, .minimum_calls = 5, .half_open_calls = 4, .strict = true});
    go(BREAKER_OPEN);
    go(BREAKER_HALF_OPEN);
    for (unsigned i = 0; i < 3; i++) {
        end_any(BREAKER_SUCCESS);
    }
    assert_int_equal(metrics().state, BREAKER_HALF_OPEN); /* 4 of them, not the 2 of the window */
    end_any(BREAKER_SUCCESS);
    assert_int_equal(metrics().state, BREAKER_CLOSED);
}

#define TEST(name) cmocka_unit_test_teardown(name, free_core)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_core_state_find_takes_each_name_and_no_other),
        TEST(test_core_open_since_the_call_became_slow_not_since_somebody_looked),
        TEST(test_core_time_never_goes_back),
        TEST(test_core_half_open_ends_before_the_order_that_comes_later),
        TEST(test_core_retry_after_of_each_state),
        TEST(test_core_half_open_slow_call_in_flight_does_not_close),
        TEST(test_core_half_open_withdrawn_samples_evict_no_result),
        TEST(test_core_more_calls_in_flight_than_are_watched_count_at_their_end),
        TEST(test_core_strict_open_counts_late_results),
        TEST(test_core_strict_calls_in_flight_count_at_their_end),
        TEST(test_core_strict_ignored_calls_add_permits),
        TEST(test_core_strict_has_no_transitions_that_resilience4j_lacks),
        TEST(test_core_strict_open_out_of_disabled_has_no_window),
        TEST(test_core_strict_reset_leaves_the_timer_of_half_open),
        TEST(test_core_strict_minimum_beyond_the_window_counts_half_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
