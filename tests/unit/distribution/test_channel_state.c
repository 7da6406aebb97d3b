/* How a channel stands in a process: places, rate, throttle, pauses, breaker, quota, token. */
#include "herald/utf8.h"
#include "server/distribution/channel_state.h"
#include "server/programs/settings.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE(name)  HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name) HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define SECOND_US    1000000

static struct settings settings;
static struct channel_state **states;

/* The first channel: a webhook, which has what it needs. */
static struct channel_state *channel(void) {
    return states[0];
}

static int begin(void **state) {
    (void)state;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    free(settings.channels_secret);
    settings.channels_secret = strdup("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_non_null(settings.channels_secret);
    settings.channels_in_flight = 3;
    settings.channels_rate_per_s = 0;
    settings.channels_breaker_window_calls = 4;
    settings.channels_breaker_minimum_calls = 20; /* more than the window has: the window counts */
    return 0;
}

static void make_states(void) {
    assert_int_equal(channel_states_new(&settings, &states, NULL), HERALD_OK);
}

static int end(void **state) {
    (void)state;
    channel_states_free(states);
    states = NULL;
    settings_fini(&settings);
    return 0;
}

static enum admission admit(struct channel_permit *ret_permit, uint32_t *ret_retry_ms) {
    *ret_retry_ms = 0;
    return channel_admit(channel(), false, ret_permit, ret_retry_ms);
}

static void assert_kept(enum admission expected) {
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    assert_int_equal(admit(&permit, &retry_ms), expected);
    assert_true(retry_ms > 0); /* nobody asks again at once */
}

static void call_once(enum breaker_outcome outcome) {
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    assert_int_equal(admit(&permit, &retry_ms), ADMITTED);
    channel_leave(channel(), &permit, outcome);
}

static struct channel_view view(void) {
    struct channel_view seen;
    channel_view(channel(), &seen);
    return seen;
}

static void apply(int pause, int breaker, bool probe_due, int64_t resets) {
    channel_control_apply(
        channel(),
        &(struct channel_control){
            .pause = pause, .breaker = breaker, .note = "as stored", .probe_due = probe_due, .resets = resets});
}

/* ---- places ---- */

static void test_channel_state_without_settings_is_not_configured(void **state) {
    (void)state;
    settings.channels_secret[0] = '\0';
    make_states();
    assert_kept(NOT_CONFIGURED);
    assert_false(view().configured);
}

static void test_channel_state_gives_no_more_places_than_it_has(void **state) {
    (void)state;
    make_states();
    struct channel_permit permits[3];
    uint32_t retry_ms = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(admit(&permits[i], &retry_ms), ADMITTED);
        assert_false(permits[i].is_probe);
    }
    assert_int_equal(view().in_flight, 3);
    assert_kept(NO_PLACE);
    struct channel_permit other;
    assert_int_equal(channel_admit(states[1], false, &other, &retry_ms), ADMITTED); /* the others have their own */
    channel_leave_unused(states[1], &other);
    channel_leave(channel(), &permits[0], BREAKER_SUCCESS);
    assert_int_equal(admit(&permits[0], &retry_ms), ADMITTED);
    channel_leave(channel(), &permits[0], BREAKER_FAILURE);
    channel_leave_unused(channel(), &permits[1]);
    channel_leave_unused(channel(), &permits[2]);
    assert_int_equal(view().in_flight, 0);
    assert_int_equal(view().breaker.buffered_calls, 2); /* what was not used is no call */
}

/* ---- rate ---- */

static void test_channel_state_rate_holds_one_seconds_calls(void **state) {
    (void)state;
    settings.channels_in_flight = 1000;
    settings.channels_rate_per_s = 100;
    make_states();
    uint64_t begun_us = clock_now_us();
    unsigned admitted = 0;
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    while (admit(&permit, &retry_ms) == ADMITTED) {
        channel_leave(channel(), &permit, BREAKER_SUCCESS);
        admitted++;
    }
    uint64_t took_us = clock_now_us() - begun_us;
    assert_in_range(admitted, 100, 100 + took_us / 10000 + 1);
    assert_int_equal(admit(&permit, &retry_ms), THROTTLED);
    assert_in_range(retry_ms, 1, 11);
    /* One more at the earliest after a hundredth of a second; the bucket may hold a part of it. */
    uint64_t limit_us = clock_now_us() + (uint64_t)30 * SECOND_US;
    while (admit(&permit, &retry_ms) != ADMITTED) {
        assert_true(clock_now_us() < limit_us);
    }
    channel_leave(channel(), &permit, BREAKER_SUCCESS);
    admitted++;
    assert_true(admitted <= 100 + (clock_now_us() - begun_us) / 10000 + 1);
}

static void test_channel_state_unused_place_costs_nothing_of_the_rate(void **state) {
    (void)state;
    settings.channels_rate_per_s = 1;
    make_states();
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    for (int i = 0; i < 50; i++) { /* a look for due deliveries that finds none */
        assert_int_equal(admit(&permit, &retry_ms), ADMITTED);
        channel_leave_unused(channel(), &permit);
    }
    assert_int_equal(admit(&permit, &retry_ms), ADMITTED);
    channel_leave(channel(), &permit, BREAKER_SUCCESS);
}

static void test_channel_state_refusal_of_the_breaker_costs_nothing_of_the_rate(void **state) {
    (void)state;
    settings.channels_rate_per_s = 1;
    make_states();
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_FORCE_OPEN), false, 0);
    for (int i = 0; i < 50; i++) {
        assert_kept(BREAKER_KEEPS);
    }
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 0);
    call_once(BREAKER_SUCCESS);
    assert_int_equal(view().in_flight, 0);
}

static void test_channel_state_throttle_lasts_at_most_half_a_minute(void **state) {
    (void)state;
    make_states();
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    channel_throttle(channel(), 5000);
    assert_int_equal(admit(&permit, &retry_ms), THROTTLED);
    assert_in_range(retry_ms, 1, 5001);
    channel_throttle(channel(), UINT64_C(86400000));
    assert_int_equal(admit(&permit, &retry_ms), THROTTLED);
    assert_in_range(retry_ms, 5002, 30001);
    channel_throttle(channel(), 1); /* what was asked for before still holds */
    assert_int_equal(admit(&permit, &retry_ms), THROTTLED);
    assert_in_range(retry_ms, 2, 30001);
    assert_int_equal(channel_admit(states[1], false, &permit, &retry_ms), ADMITTED);
    channel_leave_unused(states[1], &permit);
}

static void test_channel_state_throttle_ends(void **state) {
    (void)state;
    make_states();
    channel_throttle(channel(), 20);
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    uint64_t limit_us = clock_now_us() + (uint64_t)30 * SECOND_US;
    while (admit(&permit, &retry_ms) != ADMITTED) {
        assert_true(clock_now_us() < limit_us);
    }
    channel_leave_unused(channel(), &permit);
}

/* ---- pauses ---- */

static void test_channel_state_pause_for_a_cause_lets_probes_through(void **state) {
    (void)state;
    make_states();
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    apply(PAUSE(PAUSED_FOR_CREDENTIAL), ACTION(BREAKER_AUTOMATIC), true, 0);
    assert_kept(PAUSED);
    assert_true(channel_is_paused_for_cause(channel()));
    assert_true(channel_probe_is_due(channel()));
    assert_int_equal(channel_admit(channel(), true, &permit, &retry_ms), ADMITTED);
    assert_true(permit.is_probe);
    channel_leave(channel(), &permit, BREAKER_IGNORED);
    channel_pause(channel(), PAUSE(PAUSED_FOR_CREDENTIAL), "refused again");
    assert_false(channel_probe_is_due(channel())); /* the database says when the next one is */
    assert_string_equal(view().note, "refused again");
    channel_heal(channel());
    assert_int_equal(view().pause, PAUSE(NOT_PAUSED));
    assert_string_equal(view().note, "");
    assert_false(channel_is_paused_for_cause(channel()));
    call_once(BREAKER_SUCCESS);
}

static void test_channel_state_pause_of_an_operator_stays(void **state) {
    (void)state;
    make_states();
    struct channel_permit permit;
    uint32_t retry_ms = 0;
    apply(PAUSE(PAUSED_BY_OPERATOR), ACTION(BREAKER_AUTOMATIC), true, 0);
    assert_int_equal(channel_admit(channel(), true, &permit, &retry_ms), PAUSED);
    assert_false(channel_probe_is_due(channel()));
    assert_false(channel_is_paused_for_cause(channel()));
    channel_pause(channel(), PAUSE(PAUSED_FOR_CLOCK), "skew");
    channel_heal(channel());
    assert_int_equal(view().pause, PAUSE(PAUSED_BY_OPERATOR));
    assert_string_equal(view().note, "as stored");
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 0);
    call_once(BREAKER_SUCCESS);
}

static void test_channel_state_note_is_cut_between_characters(void **state) {
    (void)state;
    make_states();
    char note[3 * 100 + 1] = "";
    for (int i = 0; i < 100; i++) {
        memcpy(note + (size_t)3 * (size_t)i, "가", 4);
    }
    note[0] = note[1] = note[2] = 'x'; /* so that the room ends inside a character */
    channel_pause(channel(), PAUSE(PAUSED_FOR_CLOCK), note + 2);
    assert_true(herald_utf8_valid(view().note, strlen(view().note), NULL));
    assert_int_equal(strlen(view().note), 253);
}

/* ---- breaker ---- */

static void test_channel_state_breaker_opens_by_itself_and_is_reset_once(void **state) {
    (void)state;
    make_states();
    for (int i = 0; i < 4; i++) {
        assert_true(channel_breaker_is_closed(channel()));
        call_once(BREAKER_FAILURE);
    }
    assert_false(channel_breaker_is_closed(channel()));
    assert_int_equal(view().breaker.state, BREAKER_OPEN);
    assert_true(view().breaker_retry_ms > 0);
    assert_kept(BREAKER_KEEPS);
    assert_int_equal(view().in_flight, 0);
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 1);
    assert_true(channel_breaker_is_closed(channel()));
    for (int i = 0; i < 4; i++) {
        call_once(BREAKER_FAILURE);
    }
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 1); /* the same as before */
    assert_false(channel_breaker_is_closed(channel()));
}

static void test_channel_state_breaker_is_forced_and_let_go(void **state) {
    (void)state;
    make_states();
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_FORCE_OPEN), false, 0);
    assert_int_equal(view().breaker.state, BREAKER_FORCED_OPEN);
    assert_kept(BREAKER_KEEPS);
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_DISABLE), false, 0);
    assert_int_equal(view().breaker.state, BREAKER_DISABLED);
    for (int i = 0; i < 20; i++) {
        call_once(BREAKER_FAILURE);
    }
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 0);
    assert_int_equal(view().breaker.state, BREAKER_CLOSED);
    call_once(BREAKER_FAILURE);
    apply(PAUSE(NOT_PAUSED), ACTION(BREAKER_AUTOMATIC), false, 0); /* read again and again: empties nothing */
    assert_int_equal(view().breaker.buffered_calls, 1);
}

/* ---- what adapters remember ---- */

static void test_channel_state_quota_is_fresh_for_a_time(void **state) {
    (void)state;
    make_states();
    uint32_t used = 9, total = 9;
    assert_false(channel_quota(channel(), UINT32_MAX, &used, &total)); /* never read */
    channel_quota_set(channel(), 49, 50);
    channel_quota_count(channel());
    assert_true(channel_quota(channel(), 3600000, &used, &total));
    assert_int_equal(used, 50);
    assert_int_equal(total, 50);
    uint64_t read_us = clock_now_us();
    while (clock_now_us() < read_us + 2000) {
    }
    assert_false(channel_quota(channel(), 1, &used, &total));
    assert_int_equal(view().quota_used, 50);
    assert_int_equal(view().quota_total, 50);
}

static void test_channel_state_prepares_within_a_time_if_it_did_so_last(void **state) {
    (void)state;
    make_states();
    assert_false(channel_prepares_within(channel(), 1000)); /* it has never prepared */
    channel_prepared_in(channel(), 20);
    assert_true(channel_prepares_within(channel(), 20));
    assert_false(channel_prepares_within(channel(), 19));
    channel_prepared_in(channel(), 0);
    assert_false(channel_prepares_within(channel(), 0)); /* nothing is waited for */
    channel_prepared_in(channel(), CHANNEL_PREPARED_LATE);
    assert_false(channel_prepares_within(channel(), 1000));
}

static void test_channel_state_token_is_kept_whole_or_not(void **state) {
    (void)state;
    make_states();
    char token[CHANNEL_TOKEN_BYTES], longest[CHANNEL_TOKEN_BYTES + 1];
    assert_int_equal(channel_token(channel(), token), 0);
    assert_string_equal(token, "");
    memset(longest, 't', sizeof(longest));
    longest[CHANNEL_TOKEN_BYTES - 1] = '\0';
    assert_true(channel_token_set(channel(), longest, 1700000000000000));
    longest[CHANNEL_TOKEN_BYTES - 1] = 't';
    longest[CHANNEL_TOKEN_BYTES] = '\0';
    assert_false(channel_token_set(channel(), longest, 1800000000000000));
    assert_int_equal(channel_token(channel(), token), 1700000000000000);
    assert_int_equal(strlen(token), CHANNEL_TOKEN_BYTES - 1);
}

static void test_channel_state_quiet_hours_are_those_of_the_settings(void **state) {
    (void)state;
    make_states();
    const struct channel_row *kakao = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL);
    int64_t night_us = INT64_C(1798030800) * SECOND_US; /* 2026-12-23 22:00 in Korea */
    assert_true(channel_open_at_us(states[channel_index(kakao)], night_us) > night_us);
    assert_int_equal(channel_open_at_us(channel(), night_us), night_us);
    channel_states_free(states);
    settings.kakao_channel_quiet_hours = false;
    make_states();
    assert_int_equal(channel_open_at_us(states[channel_index(kakao)], night_us), night_us);
}

#define STATE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        STATE_TEST(test_channel_state_without_settings_is_not_configured),
        STATE_TEST(test_channel_state_gives_no_more_places_than_it_has),
        STATE_TEST(test_channel_state_rate_holds_one_seconds_calls),
        STATE_TEST(test_channel_state_unused_place_costs_nothing_of_the_rate),
        STATE_TEST(test_channel_state_refusal_of_the_breaker_costs_nothing_of_the_rate),
        STATE_TEST(test_channel_state_throttle_lasts_at_most_half_a_minute),
        STATE_TEST(test_channel_state_throttle_ends),
        STATE_TEST(test_channel_state_pause_for_a_cause_lets_probes_through),
        STATE_TEST(test_channel_state_pause_of_an_operator_stays),
        STATE_TEST(test_channel_state_note_is_cut_between_characters),
        STATE_TEST(test_channel_state_breaker_opens_by_itself_and_is_reset_once),
        STATE_TEST(test_channel_state_breaker_is_forced_and_let_go),
        STATE_TEST(test_channel_state_quota_is_fresh_for_a_time),
        STATE_TEST(test_channel_state_prepares_within_a_time_if_it_did_so_last),
        STATE_TEST(test_channel_state_token_is_kept_whole_or_not),
        STATE_TEST(test_channel_state_quiet_hours_are_those_of_the_settings),
    };
    return cmocka_run_group_tests_name("distribution.channel_state", tests, NULL, NULL);
}
