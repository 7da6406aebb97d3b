/* When a delivery is said to be tried next: not while its channel takes no calls. */
#include "server/distribution/results.h"
#include "server/programs/settings.h"
#include "tests/unit/runtime/run.h"

#include <stdlib.h>

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name)   HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name)  HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define CHANNEL(name) HERALD__DISTRIBUTION__V1__CHANNEL__##name

#define HOUR_US INT64_C(3600000000)

struct shop {
    struct settings settings;
    struct engine_process process;
    struct channel_state *state; /* of 지니TV */
    struct delivery_row row;
    int64_t next_us; /* as told; 0: not set */
};

static void tell_next(void *arg) {
    struct shop *shop = arg;
    Herald__Distribution__V1__ChannelResult *result = NULL;
    assert_true(delivery_result(&shop->process, &shop->row, &result));
    const Google__Protobuf__Timestamp *next = result->next_attempt_at;
    shop->next_us = next ? next->seconds * 1000000 + next->nanos / 1000 : 0;
}

static int64_t next_of(struct shop *shop) {
    struct call call;
    call_init(&call, "test", NULL, 30000, 0);
    run_task(&call, tell_next, shop);
    call_fini(&call);
    return shop->next_us;
}

static int open_shop(void **state) {
    struct shop *shop = calloc(1, sizeof(*shop));
    assert_non_null(shop);
    (void)setenv("HERALD_CHANNELS_URL", "http://127.0.0.1:1", 1);
    (void)setenv("HERALD_CHANNELS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
    assert_int_equal(settings_load(&shop->settings, NULL, NULL), HERALD_OK);
    assert_int_equal(channel_states_new(&shop->settings, &shop->process.channels, NULL), HERALD_OK);
    shop->state = shop->process.channels[channel_index(channel_find(CHANNEL(GENIE_TV)))];
    shop->row = (struct delivery_row){
        .channel = CHANNEL(GENIE_TV),
        .state = STATE(READY),
        .remote_id = "",
        .step_id = "",
        .post_url = "",
        .reason = "CHANNEL_ERROR",
        .message = "",
        .next_at_us = clock_wall_us() - HOUR_US,
        .expires_at_us = clock_wall_us() + 24 * HOUR_US,
    };
    *state = shop;
    return 0;
}

static int close_shop(void **state) {
    struct shop *shop = *state;
    channel_states_free(shop->process.channels);
    settings_fini(&shop->settings);
    free(shop);
    return 0;
}

static struct channel_control control_of(int pause, int64_t probe_at_us) {
    return (struct channel_control){
        .pause = pause,
        .breaker = ACTION(BREAKER_AUTOMATIC),
        .note = "",
        .probe_due = probe_at_us != 0 && probe_at_us <= clock_wall_us(),
        .probe_at_us = probe_at_us,
    };
}

static void test_next_attempt_of_an_open_channel_tell_the_rows_time(void **state) {
    struct shop *shop = *state;
    assert_int_equal(channel_retry_ms(shop->state), 0);
    assert_true(next_of(shop) == shop->row.next_at_us);
    shop->row.settled = true;
    assert_true(next_of(shop) == 0);
}

static void test_next_attempt_of_an_open_breaker_wait_for_it(void **state) {
    struct shop *shop = *state;
    struct channel_control control = control_of(PAUSE(NOT_PAUSED), 0);
    control.breaker = ACTION(BREAKER_FORCE_OPEN);
    channel_control_apply(shop->state, &control);
    int64_t before_us = clock_wall_us();
    assert_true(channel_retry_ms(shop->state) > 0);
    assert_true(next_of(shop) > before_us);
    shop->row.next_at_us = before_us + HOUR_US; /* later anyway */
    assert_true(next_of(shop) == shop->row.next_at_us);
}

static void test_next_attempt_of_a_channel_paused_for_a_cause_wait_for_the_probe(void **state) {
    struct shop *shop = *state;
    int64_t probe_us = clock_wall_us() + HOUR_US;
    struct channel_control control = control_of(PAUSE(PAUSED_FOR_CREDENTIAL), probe_us);
    channel_control_apply(shop->state, &control);
    int64_t next_us = next_of(shop);
    assert_true(next_us >= probe_us && next_us < probe_us + HOUR_US);
    control = control_of(PAUSE(PAUSED_FOR_CREDENTIAL), clock_wall_us() - 1);
    channel_control_apply(shop->state, &control); /* the probe is due */
    assert_true(next_of(shop) == shop->row.next_at_us);
}

static void test_next_attempt_of_a_channel_paused_by_an_operator_are_not_overdue(void **state) {
    struct shop *shop = *state;
    struct channel_control control = control_of(PAUSE(PAUSED_BY_OPERATOR), 0);
    channel_control_apply(shop->state, &control);
    int64_t before_us = clock_wall_us();
    assert_true(next_of(shop) > before_us);
}

static void test_next_attempt_of_a_throttled_channel_wait_and_end_in_time(void **state) {
    struct shop *shop = *state;
    channel_throttle(shop->state, 30000);
    int64_t before_us = clock_wall_us();
    assert_true(next_of(shop) > before_us);
    shop->row.expires_at_us = before_us; /* it ends first */
    assert_true(next_of(shop) == before_us);
}

static void test_next_attempt_under_way_tell_no_time(void **state) {
    struct shop *shop = *state;
    channel_throttle(shop->state, 30000);
    shop->row.next_at_us = 0;
    assert_true(next_of(shop) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_next_attempt_of_an_open_channel_tell_the_rows_time, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(test_next_attempt_of_an_open_breaker_wait_for_it, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(test_next_attempt_of_a_channel_paused_for_a_cause_wait_for_the_probe, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(test_next_attempt_of_a_channel_paused_by_an_operator_are_not_overdue, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(test_next_attempt_of_a_throttled_channel_wait_and_end_in_time, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(test_next_attempt_under_way_tell_no_time, open_shop, close_shop),
    };
    return cmocka_run_group_tests_name("distribution.next_attempt", tests, NULL, NULL);
}
