#include "server/breaker/breaker.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A clock that the tests move, and the events that a breaker told. */
static uint64_t fake_now_us;
static unsigned event_counts[BREAKER_EVENT_SLOW_RATE_EXCEEDED + 1];
static struct breaker_event last_event, last_transition;
static struct breaker *calling_back; /* on_event() asks it for its metrics: a held lock would hang */

static uint64_t fake_clock(void) {
    return fake_now_us;
}

static void pass_ms(uint64_t ms) {
    fake_now_us += ms * 1000;
}

static void on_event(void *user, const struct breaker_event *event) {
    (void)user;
    event_counts[event->kind]++;
    last_event = *event;
    if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
        last_transition = *event;
    }
    if (calling_back != NULL) {
        struct breaker_metrics metrics;
        breaker_metrics(calling_back, &metrics);
    }
}

static int reset_fakes(void **state) {
    (void)state;
    fake_now_us = 1000000;
    memset(event_counts, 0, sizeof(event_counts));
    memset(&last_event, 0, sizeof(last_event));
    calling_back = NULL;
    return 0;
}

static struct breaker *make(struct breaker_config config) {
    config.now_us = fake_clock;
    config.on_event = on_event;
    struct breaker *breaker = NULL;
    assert_int_equal(breaker_new("test", &config, &breaker, NULL), HERALD_OK);
    return breaker;
}

static struct breaker_metrics metrics_of(struct breaker *breaker) {
    struct breaker_metrics metrics;
    breaker_metrics(breaker, &metrics);
    return metrics;
}

static struct breaker_permit admit(struct breaker *breaker) {
    struct breaker_permit permit;
    assert_int_equal(breaker_admit(breaker, &permit, NULL), HERALD_OK);
    return permit;
}

static void assert_refused(struct breaker *breaker) {
    struct breaker_permit permit;
    struct herald_error error = {0};
    assert_int_equal(breaker_admit(breaker, &permit, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "BREAKER_OPEN");
    assert_int_not_equal(error.retry_after_ms, 0);
}

static void call(struct breaker *breaker, enum breaker_outcome outcome) {
    struct breaker_permit permit = admit(breaker);
    breaker_record(breaker, &permit, outcome);
}

static void calls(struct breaker *breaker, unsigned count, enum breaker_outcome outcome) {
    for (unsigned i = 0; i < count; i++) {
        call(breaker, outcome);
    }
}

static void slow_call(struct breaker *breaker, uint64_t ms, enum breaker_outcome outcome) {
    struct breaker_permit permit = admit(breaker);
    pass_ms(ms);
    breaker_record(breaker, &permit, outcome);
}

#define assert_state(breaker, expected) assert_int_equal(metrics_of(breaker).state, expected)
#define assert_rate(rate, expected)     assert_true(fabsf((rate) - (expected)) < 0.001f)

/* Opened by failures alone; a window of ten. */
static struct breaker *make_open(struct breaker_config config) {
    config.window_calls = 10;
    struct breaker *breaker = make(config);
    for (int i = 0; i < 10 && metrics_of(breaker).state == BREAKER_CLOSED; i++) {
        call(breaker, BREAKER_FAILURE);
    }
    assert_state(breaker, BREAKER_OPEN);
    return breaker;
}

static struct breaker *make_half_open(struct breaker_config config) {
    struct breaker *breaker = make_open(config);
    pass_ms(60001);
    struct breaker_permit permit = admit(breaker);
    breaker_record(breaker, &permit, BREAKER_IGNORED); /* gives the permit back */
    assert_state(breaker, BREAKER_HALF_OPEN);
    return breaker;
}

/* ---- configuration ---- */

static void assert_bad_config(struct breaker_config config, const char *named) {
    struct breaker *breaker = NULL;
    struct herald_error error = {0};
    assert_int_equal(breaker_new("kakao", &config, &breaker, &error), HERALD_INVALID_ARGUMENT);
    assert_null(breaker);
    assert_non_null(strstr(error.message, named));
    assert_non_null(strstr(error.message, "kakao"));
}

static void test_breaker_new_bad_values_are_named(void **state) {
    (void)state;
    assert_bad_config((struct breaker_config){.failure_rate_percent = 100.5f}, "failure_rate_percent");
    assert_bad_config((struct breaker_config){.failure_rate_percent = -1}, "failure_rate_percent");
    assert_bad_config((struct breaker_config){.failure_rate_percent = NAN}, "failure_rate_percent");
    assert_bad_config((struct breaker_config){.slow_rate_percent = 101}, "slow_rate_percent");
    assert_bad_config((struct breaker_config){.window_calls = 10, .minimum_calls = 11}, "minimum_calls");
    assert_bad_config((struct breaker_config){.minimum_calls = 101}, "minimum_calls");
    assert_bad_config((struct breaker_config){.window_calls = UINT32_MAX}, "window_calls");
    assert_bad_config((struct breaker_config){.half_open_calls = UINT32_MAX}, "half_open_calls");
}

static void test_breaker_free_of_null_is_allowed(void **state) {
    (void)state;
    breaker_free(NULL);
}

static void test_breaker_state_names(void **state) {
    (void)state;
    assert_string_equal(breaker_state_name(BREAKER_CLOSED), "CLOSED");
    assert_string_equal(breaker_state_name(BREAKER_METRICS_ONLY), "METRICS_ONLY");
    assert_string_equal(breaker_state_name((enum breaker_state)99), "UNKNOWN");
}

/* ---- closed: the window ---- */

static void test_breaker_closed_default_opens_at_call_100_with_half_failed(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){0});
    calls(breaker, 50, BREAKER_FAILURE);
    calls(breaker, 49, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    assert_rate(metrics_of(breaker).failure_rate, -1); /* 99 of the minimum of 100 */
    assert_rate(metrics_of(breaker).slow_rate, -1);
    call(breaker, BREAKER_SUCCESS); /* checked after a success too */
    assert_state(breaker, BREAKER_OPEN);
    assert_rate(metrics_of(breaker).failure_rate, 50);
    assert_int_equal(metrics_of(breaker).buffered_calls, 100);
    breaker_free(breaker);
}

static void test_breaker_closed_below_threshold_stays_closed(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){0});
    calls(breaker, 49, BREAKER_FAILURE);
    calls(breaker, 51, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    assert_rate(metrics_of(breaker).failure_rate, 49);
    breaker_free(breaker);
}

static void test_breaker_closed_window_forgets_the_oldest(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 10, .failure_rate_percent = 60});
    calls(breaker, 5, BREAKER_FAILURE);
    calls(breaker, 5, BREAKER_SUCCESS);
    assert_rate(metrics_of(breaker).failure_rate, 50);
    calls(breaker, 5, BREAKER_SUCCESS);
    assert_rate(metrics_of(breaker).failure_rate, 0);
    assert_int_equal(metrics_of(breaker).buffered_calls, 10);
    assert_int_equal(metrics_of(breaker).failed_calls, 0);
    calls(breaker, 5, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_CLOSED);
    call(breaker, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_OPEN);
    breaker_free(breaker);
}

static void test_breaker_closed_minimum_below_window_opens_early(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 20, .minimum_calls = 5});
    calls(breaker, 4, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_CLOSED);
    call(breaker, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_OPEN);
    breaker_free(breaker);
}

static void test_breaker_closed_rejects_nothing(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){0});
    for (int i = 0; i < 1000; i++) {
        (void)admit(breaker);
    }
    assert_int_equal(metrics_of(breaker).not_permitted_calls, 0);
    breaker_free(breaker);
}

/* ---- slow calls ---- */

static void test_breaker_slow_is_strictly_longer(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 4});
    slow_call(breaker, 60000, BREAKER_SUCCESS);
    assert_int_equal(metrics_of(breaker).slow_calls, 0);
    struct breaker_permit permit = admit(breaker);
    fake_now_us += 60000001;
    breaker_record(breaker, &permit, BREAKER_SUCCESS);
    assert_int_equal(metrics_of(breaker).slow_calls, 1);
    breaker_free(breaker);
}

static void test_breaker_slow_rate_opens_at_threshold(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 4, .slow_rate_percent = 50});
    calls(breaker, 2, BREAKER_SUCCESS);
    slow_call(breaker, 60001, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    slow_call(breaker, 60001, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_OPEN);
    assert_int_equal(event_counts[BREAKER_EVENT_SLOW_RATE_EXCEEDED], 1);
    assert_int_equal(event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED], 0);
    assert_rate(metrics_of(breaker).slow_rate, 50);
    breaker_free(breaker);
}

static void test_breaker_slow_failure_counts_as_both(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 2});
    slow_call(breaker, 60001, BREAKER_FAILURE);
    assert_int_equal(metrics_of(breaker).failed_calls, 1);
    assert_int_equal(metrics_of(breaker).slow_calls, 1);
    slow_call(breaker, 60001, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_OPEN);
    assert_int_equal(event_counts[BREAKER_EVENT_SLOW_RATE_EXCEEDED], 1);
    assert_int_equal(event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED], 1);
    breaker_free(breaker);
}

static void test_breaker_in_flight_longer_than_slow_opens_before_they_end(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 5, .slow_call_ms = 1000});
    struct breaker_permit permits[5];
    for (int i = 0; i < 5; i++) {
        permits[i] = admit(breaker);
    }
    pass_ms(1000);
    assert_int_equal(metrics_of(breaker).slow_calls, 0);
    pass_ms(1);
    assert_refused(breaker); /* a dead peer: nobody has come back */
    assert_state(breaker, BREAKER_OPEN);
    for (int i = 0; i < 5; i++) {
        breaker_record(breaker, &permits[i], BREAKER_SUCCESS);
    }
    assert_int_equal(metrics_of(breaker).buffered_calls, 5); /* counted once */
    breaker_free(breaker);
}

static void test_breaker_in_flight_slow_then_ended_is_one_sample(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 10, .slow_call_ms = 1000});
    struct breaker_permit first = admit(breaker), second = admit(breaker), third = admit(breaker);
    pass_ms(1001);
    assert_int_equal(metrics_of(breaker).slow_calls, 3);
    assert_int_equal(metrics_of(breaker).failed_calls, 0);
    breaker_record(breaker, &second, BREAKER_FAILURE);
    assert_int_equal(metrics_of(breaker).buffered_calls, 3);
    assert_int_equal(metrics_of(breaker).failed_calls, 1);
    breaker_record(breaker, &first, BREAKER_SUCCESS);
    assert_int_equal(metrics_of(breaker).buffered_calls, 3);
    breaker_record(breaker, &third, BREAKER_IGNORED); /* leaves no sample, not even that one */
    assert_int_equal(metrics_of(breaker).buffered_calls, 2);
    assert_int_equal(metrics_of(breaker).slow_calls, 2);
    breaker_free(breaker);
}

static void test_breaker_in_flight_slow_sample_pushed_out_stays_out(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 3, .slow_call_ms = 1000});
    struct breaker_permit permit = admit(breaker), ignored = admit(breaker);
    pass_ms(1001);
    assert_int_equal(metrics_of(breaker).slow_calls, 2);
    calls(breaker, 3, BREAKER_SUCCESS);
    breaker_record(breaker, &permit, BREAKER_FAILURE);
    breaker_record(breaker, &ignored, BREAKER_IGNORED);
    assert_int_equal(metrics_of(breaker).buffered_calls, 3);
    assert_int_equal(metrics_of(breaker).failed_calls, 0);
    assert_int_equal(metrics_of(breaker).slow_calls, 0);
    breaker_free(breaker);
}

/* ---- ignored ---- */

static void test_breaker_ignored_leaves_no_sample(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 2});
    calls(breaker, 50, BREAKER_IGNORED);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0);
    assert_state(breaker, BREAKER_CLOSED);
    assert_int_equal(event_counts[BREAKER_EVENT_IGNORED_ERROR], 50);
    breaker_free(breaker);
}

/* ---- open ---- */

static void test_breaker_open_refuses_until_strictly_after_the_wait(void **state) {
    (void)state;
    struct breaker *breaker = make_open((struct breaker_config){0});
    struct breaker_permit permit;
    struct herald_error error = {0};
    assert_int_equal(breaker_admit(breaker, &permit, &error), HERALD_UNAVAILABLE);
    assert_int_equal(error.code, HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "BREAKER_OPEN");
    assert_int_equal(error.retry_after_ms, 60001);
    pass_ms(60000);
    assert_refused(breaker);
    assert_int_equal(metrics_of(breaker).not_permitted_calls, 2);
    assert_int_equal(event_counts[BREAKER_EVENT_NOT_PERMITTED], 2);
    fake_now_us += 1;
    (void)admit(breaker);
    assert_state(breaker, BREAKER_HALF_OPEN);
    assert_int_equal(last_transition.from, BREAKER_OPEN);
    assert_int_equal(last_transition.to, BREAKER_HALF_OPEN);
    breaker_free(breaker);
}

static void test_breaker_open_does_not_leave_by_time_alone(void **state) {
    (void)state;
    struct breaker *breaker = make_open((struct breaker_config){0});
    pass_ms(10000000);
    assert_state(breaker, BREAKER_OPEN);
    breaker_free(breaker);
}

static void test_breaker_results_of_an_earlier_era_never_count(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 2, .slow_call_ms = 600000});
    struct breaker_permit late[4];
    for (int i = 0; i < 4; i++) {
        late[i] = admit(breaker);
    }
    calls(breaker, 2, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_OPEN);
    breaker_record(breaker, &late[0], BREAKER_SUCCESS); /* 70 s calls with a 60 s wait */
    assert_rate(metrics_of(breaker).failure_rate, 100);
    pass_ms(60001);
    struct breaker_permit probe = admit(breaker);
    breaker_record(breaker, &late[1], BREAKER_FAILURE);
    breaker_record(breaker, &late[2], BREAKER_IGNORED);
    assert_state(breaker, BREAKER_HALF_OPEN);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0);
    breaker_record(breaker, &probe, BREAKER_SUCCESS);
    call(breaker, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    breaker_record(breaker, &late[3], BREAKER_FAILURE);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0);
    breaker_free(breaker);
}

/* ---- half-open ---- */

static void test_breaker_half_open_admits_ten_and_refuses_the_rest(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){0});
    struct breaker_permit permits[10];
    for (int i = 0; i < 10; i++) {
        permits[i] = admit(breaker);
    }
    assert_refused(breaker);
    assert_int_equal(metrics_of(breaker).not_permitted_calls, 1);
    breaker_record(breaker, &permits[0], BREAKER_SUCCESS); /* a result gives no permit back */
    assert_refused(breaker);
    breaker_free(breaker);
}

static void test_breaker_half_open_ignored_gives_the_permit_back_but_never_more(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.half_open_calls = 2});
    for (int i = 0; i < 20; i++) {
        call(breaker, BREAKER_IGNORED);
    }
    (void)admit(breaker);
    (void)admit(breaker);
    assert_refused(breaker);
    assert_state(breaker, BREAKER_HALF_OPEN);
    breaker_free(breaker);
}

static void test_breaker_half_open_decides_after_all_permits_closed(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){0});
    calls(breaker, 4, BREAKER_FAILURE);
    calls(breaker, 5, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_HALF_OPEN);
    assert_rate(metrics_of(breaker).failure_rate, -1);
    call(breaker, BREAKER_SUCCESS); /* 40 % */
    assert_state(breaker, BREAKER_CLOSED);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0); /* a fresh window */
    assert_int_equal(last_transition.from, BREAKER_HALF_OPEN);
    breaker_free(breaker);
}

static void test_breaker_half_open_at_threshold_opens_again(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){0});
    unsigned exceeded = event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED];
    calls(breaker, 5, BREAKER_FAILURE);
    calls(breaker, 5, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_OPEN);
    assert_int_equal(last_transition.from, BREAKER_HALF_OPEN);
    assert_int_equal(event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED], exceeded);
    pass_ms(60000); /* the wait begins anew */
    assert_refused(breaker);
    breaker_free(breaker);
}

static void test_breaker_half_open_minimum_below_permits_decides_early(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.minimum_calls = 3, .half_open_calls = 10});
    calls(breaker, 2, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_HALF_OPEN);
    call(breaker, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    breaker_free(breaker);
}

static void test_breaker_half_open_more_permits_than_window(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.minimum_calls = 10, .half_open_calls = 30});
    calls(breaker, 9, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_HALF_OPEN);
    call(breaker, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_CLOSED);
    breaker_free(breaker);
}

static void test_breaker_half_open_slow_probe_in_flight_opens_again(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.half_open_calls = 1, .slow_call_ms = 1000});
    struct breaker_permit permit = admit(breaker);
    pass_ms(1001);
    assert_state(breaker, BREAKER_OPEN);
    breaker_record(breaker, &permit, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_OPEN);
    breaker_free(breaker);
}

static void test_breaker_half_open_slow_failing_probe_counts_its_failure(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.half_open_calls = 2, .slow_call_ms = 1000});
    struct breaker_permit permit = admit(breaker);
    call(breaker, BREAKER_SUCCESS);
    pass_ms(1001);
    breaker_record(breaker, &permit, BREAKER_FAILURE); /* not taken for a slow success first */
    assert_state(breaker, BREAKER_OPEN);
    breaker_free(breaker);
}

static void test_breaker_half_open_waits_for_ever_by_default(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){0});
    pass_ms(100000000);
    assert_state(breaker, BREAKER_HALF_OPEN);
    breaker_free(breaker);
}

static void test_breaker_half_open_maximum_wait_opens_again(void **state) {
    (void)state;
    struct breaker *breaker = make_half_open((struct breaker_config){.half_open_max_wait_ms = 5000});
    struct breaker_permit permit = admit(breaker);
    pass_ms(4999);
    assert_state(breaker, BREAKER_HALF_OPEN);
    pass_ms(1);
    breaker_record(breaker, &permit, BREAKER_SUCCESS);
    assert_state(breaker, BREAKER_OPEN);
    pass_ms(60000);
    assert_refused(breaker);
    pass_ms(1);
    (void)admit(breaker);
    assert_state(breaker, BREAKER_HALF_OPEN);
    breaker_free(breaker);
}

/* ---- operators' states ---- */

static void test_breaker_disabled_admits_all_and_measures_nothing(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 2});
    breaker_transition(breaker, BREAKER_DISABLED);
    assert_int_equal(event_counts[BREAKER_EVENT_STATE_TRANSITION], 1);
    calls(breaker, 20, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_DISABLED);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0);
    assert_int_equal(event_counts[BREAKER_EVENT_ERROR], 0);
    breaker_free(breaker);
}

static void test_breaker_forced_open_refuses_all_for_ever(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){0});
    breaker_transition(breaker, BREAKER_FORCED_OPEN);
    pass_ms(1000000);
    assert_refused(breaker);
    assert_int_equal(metrics_of(breaker).not_permitted_calls, 1);
    assert_int_equal(event_counts[BREAKER_EVENT_NOT_PERMITTED], 0);
    assert_state(breaker, BREAKER_FORCED_OPEN);
    breaker_free(breaker);
}

static void test_breaker_metrics_only_measures_and_tells_once_but_stays(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 2});
    breaker_transition(breaker, BREAKER_METRICS_ONLY);
    calls(breaker, 20, BREAKER_FAILURE);
    assert_state(breaker, BREAKER_METRICS_ONLY);
    assert_rate(metrics_of(breaker).failure_rate, 100);
    assert_int_equal(event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED], 1);
    assert_int_equal(event_counts[BREAKER_EVENT_ERROR], 20);
    (void)admit(breaker);
    breaker_free(breaker);
}

static void test_breaker_transition_to_each_state_from_each(void **state) {
    (void)state;
    for (int from = BREAKER_CLOSED; from <= BREAKER_METRICS_ONLY; from++) {
        for (int to = BREAKER_CLOSED; to <= BREAKER_METRICS_ONLY; to++) {
            struct breaker *breaker = make((struct breaker_config){0});
            breaker_transition(breaker, (enum breaker_state)from);
            unsigned before = event_counts[BREAKER_EVENT_STATE_TRANSITION];
            breaker_transition(breaker, (enum breaker_state)to);
            assert_state(breaker, (enum breaker_state)to);
            assert_int_equal(event_counts[BREAKER_EVENT_STATE_TRANSITION] - before, from != to);
            breaker_free(breaker);
        }
    }
}

static void test_breaker_reset_closes_and_empties(void **state) {
    (void)state;
    struct breaker *breaker = make_open((struct breaker_config){0});
    breaker_reset(breaker);
    assert_state(breaker, BREAKER_CLOSED);
    assert_int_equal(metrics_of(breaker).buffered_calls, 0);
    assert_int_equal(event_counts[BREAKER_EVENT_RESET], 1);
    assert_int_equal(last_event.kind, BREAKER_EVENT_RESET);
    assert_int_equal(last_transition.to, BREAKER_CLOSED);
    breaker_reset(breaker);
    assert_int_equal(event_counts[BREAKER_EVENT_STATE_TRANSITION], 2);
    assert_int_equal(event_counts[BREAKER_EVENT_RESET], 2);
    breaker_free(breaker);
}

static void test_breaker_retry_after_falls_with_the_time(void **state) {
    (void)state;
    struct breaker *breaker = make_open((struct breaker_config){0});
    assert_int_equal(breaker_retry_after_ms(breaker), 60001);
    pass_ms(60000);
    assert_int_equal(breaker_retry_after_ms(breaker), 1);
    pass_ms(1);
    assert_int_equal(breaker_retry_after_ms(breaker), 0);
    breaker_free(breaker);
}

static void test_breaker_transition_strict_refuses_what_resilience4j_lacks(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.strict = true});
    assert_false(breaker_transition(breaker, BREAKER_HALF_OPEN));
    assert_state(breaker, BREAKER_CLOSED);
    assert_true(breaker_transition(breaker, BREAKER_OPEN));
    breaker_free(breaker);
}

/* ---- events ---- */

static void test_breaker_events_come_without_the_lock_and_carry_rates(void **state) {
    (void)state;
    struct breaker *breaker = make((struct breaker_config){.window_calls = 4});
    calling_back = breaker;
    call(breaker, BREAKER_SUCCESS);
    calls(breaker, 3, BREAKER_FAILURE);
    assert_int_equal(event_counts[BREAKER_EVENT_SUCCESS], 1);
    assert_int_equal(event_counts[BREAKER_EVENT_ERROR], 3);
    assert_int_equal(event_counts[BREAKER_EVENT_FAILURE_RATE_EXCEEDED], 1);
    assert_int_equal(event_counts[BREAKER_EVENT_STATE_TRANSITION], 1);
    assert_int_equal(last_event.kind, BREAKER_EVENT_STATE_TRANSITION);
    assert_int_equal(last_event.from, BREAKER_CLOSED);
    assert_int_equal(last_event.to, BREAKER_OPEN);
    assert_rate(last_event.failure_rate, 75);
    breaker_free(breaker);
}

/* ---- threads ---- */

static void *run_calls(void *arg) {
    struct breaker *breaker = arg;
    for (int i = 0; i < 20000; i++) {
        struct breaker_permit permit;
        if (breaker_admit(breaker, &permit, NULL) == HERALD_OK) {
            breaker_record(breaker, &permit, i % 3 == 0 ? BREAKER_FAILURE : BREAKER_SUCCESS);
        }
        if (i % 1000 == 0) {
            breaker_reset(breaker);
        }
    }
    return NULL;
}

static void test_breaker_threads_keep_counts_consistent(void **state) {
    (void)state;
    struct breaker_config config = {.window_calls = 50, .minimum_calls = 50, .failure_rate_percent = 90};
    struct breaker *breaker = NULL;
    assert_int_equal(breaker_new("threads", &config, &breaker, NULL), HERALD_OK);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_calls, breaker), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct breaker_metrics metrics = metrics_of(breaker);
    assert_int_equal(metrics.state, BREAKER_CLOSED);
    assert_int_equal(metrics.buffered_calls, 50);
    assert_true(metrics.failed_calls <= 50);
    breaker_free(breaker);
}

#define TEST(name) cmocka_unit_test_setup(name, reset_fakes)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_breaker_new_bad_values_are_named),
        TEST(test_breaker_free_of_null_is_allowed),
        TEST(test_breaker_state_names),
        TEST(test_breaker_closed_default_opens_at_call_100_with_half_failed),
        TEST(test_breaker_closed_below_threshold_stays_closed),
        TEST(test_breaker_closed_window_forgets_the_oldest),
        TEST(test_breaker_closed_minimum_below_window_opens_early),
        TEST(test_breaker_closed_rejects_nothing),
        TEST(test_breaker_slow_is_strictly_longer),
        TEST(test_breaker_slow_rate_opens_at_threshold),
        TEST(test_breaker_slow_failure_counts_as_both),
        TEST(test_breaker_in_flight_longer_than_slow_opens_before_they_end),
        TEST(test_breaker_in_flight_slow_then_ended_is_one_sample),
        TEST(test_breaker_in_flight_slow_sample_pushed_out_stays_out),
        TEST(test_breaker_ignored_leaves_no_sample),
        TEST(test_breaker_open_refuses_until_strictly_after_the_wait),
        TEST(test_breaker_open_does_not_leave_by_time_alone),
        TEST(test_breaker_results_of_an_earlier_era_never_count),
        TEST(test_breaker_half_open_admits_ten_and_refuses_the_rest),
        TEST(test_breaker_half_open_ignored_gives_the_permit_back_but_never_more),
        TEST(test_breaker_half_open_decides_after_all_permits_closed),
        TEST(test_breaker_half_open_at_threshold_opens_again),
        TEST(test_breaker_half_open_minimum_below_permits_decides_early),
        TEST(test_breaker_half_open_more_permits_than_window),
        TEST(test_breaker_half_open_slow_probe_in_flight_opens_again),
        TEST(test_breaker_half_open_slow_failing_probe_counts_its_failure),
        TEST(test_breaker_half_open_waits_for_ever_by_default),
        TEST(test_breaker_half_open_maximum_wait_opens_again),
        TEST(test_breaker_disabled_admits_all_and_measures_nothing),
        TEST(test_breaker_forced_open_refuses_all_for_ever),
        TEST(test_breaker_metrics_only_measures_and_tells_once_but_stays),
        TEST(test_breaker_transition_to_each_state_from_each),
        TEST(test_breaker_reset_closes_and_empties),
        TEST(test_breaker_retry_after_falls_with_the_time),
        TEST(test_breaker_transition_strict_refuses_what_resilience4j_lacks),
        TEST(test_breaker_events_come_without_the_lock_and_carry_rates),
        TEST(test_breaker_threads_keep_counts_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
