/* Deliveries as messages: outlook, times, and what the owner is told. */
#include "server/distribution/results.h"
#include "server/distribution/text/owner_text.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <string.h>

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define OUTLOOK(name) HERALD__DISTRIBUTION__V1__OUTLOOK__##name

typedef Herald__Distribution__V1__ChannelResult ChannelResult;

static void run_results(task_body_fn *body) {
    struct call call;
    call_init(&call, "test", NULL, 0, 0);
    run_task(&call, body, NULL);
    call_fini(&call);
}

#define RESULT_TEST(name)                                                                                              \
    TASK_FN static void name##_body(void *arg);                                                                        \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        run_results(name##_body);                                                                                      \
    }                                                                                                                  \
    TASK_FN static void name##_body(void *arg)

static struct delivery_row row_in(int state, bool settled, const char *reason) {
    return (struct delivery_row){
        .channel = HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM,
        .state = state,
        .settled = settled,
        .remote_id = "1789",
        .step_id = "container",
        .post_url = "https://example.com/p",
        .reason = reason,
        .message = "its words",
        .attempts = 3,
        .next_at_us = 1700000001000000,
        .expires_at_us = 1700000002000000,
        .started_at_us = 1700000000000001,
        .finished_at_us = 1700000000500000,
    };
}

RESULT_TEST(test_result_has_what_the_row_has) {
    (void)arg;
    struct delivery_row row = row_in(STATE(READY), false, "CHANNEL_TIMEOUT");
    ChannelResult *result = NULL;
    assert_true(delivery_result(NULL, &row, &result));
    assert_int_equal(result->channel, HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM);
    assert_int_equal(result->state, STATE(READY));
    assert_false(result->accepted);
    assert_string_equal(result->remote_id, "1789");
    assert_string_equal(result->post_url, "https://example.com/p");
    assert_string_equal(result->reason, "CHANNEL_TIMEOUT");
    assert_string_equal(result->message, "its words");
    assert_int_equal(result->attempts, 3);
    assert_int_equal(result->started_at->seconds, 1700000000);
    assert_int_equal(result->started_at->nanos, 1000);
    assert_int_equal(result->next_attempt_at->seconds, 1700000001);
    assert_int_equal(result->expires_at->seconds, 1700000002);
}

RESULT_TEST(test_result_that_is_settled_has_no_next_time) {
    (void)arg;
    struct delivery_row row = row_in(STATE(REJECTED), true, "CHANNEL_REJECTED");
    ChannelResult *result = NULL;
    assert_true(delivery_result(NULL, &row, &result));
    assert_null(result->next_attempt_at);
    assert_null(result->expires_at);
    assert_non_null(result->finished_at);
}

RESULT_TEST(test_result_of_each_state_has_its_outlook_and_text) {
    (void)arg;
    static const struct {
        int state;
        bool settled, accepted;
        const char *reason, *word; /* word: of whose sentences the owner is told; NULL: of nothing */
        int outlook;
    } CASES[] = {
        {STATE(PENDING), false, false, "", NULL, OUTLOOK(GOES_ON)},
        {STATE(DEFERRED), false, false, "QUIET_HOURS", "QUIET_HOURS", OUTLOOK(GOES_ON)},
        {STATE(DEFERRED), false, false, "CHANNEL_NOT_CONFIGURED", "CHANNEL_NOT_CONFIGURED", OUTLOOK(GOES_ON)},
        {STATE(PREPARING), false, false, "", NULL, OUTLOOK(GOES_ON)},
        {STATE(PREPARING), false, false, "CHANNEL_WORKING", "CHANNEL_WORKING", OUTLOOK(GOES_ON)},
        {STATE(READY), false, false, "CHANNEL_TIMEOUT", "CHANNEL_TIMEOUT", OUTLOOK(GOES_ON)},
        {STATE(COMMITTING), false, false, "", NULL, OUTLOOK(GOES_ON)},
        {STATE(PUBLISHED), true, true, "", NULL, OUTLOOK(DONE)},
        {STATE(PUBLISHED), true, true, "CHANNEL_LOST", NULL, OUTLOOK(DONE)},
        {STATE(AWAITING_OPERATOR), true, true, "", "AWAITING_OPERATOR", OUTLOOK(NEEDS_PERSON)},
        {STATE(REJECTED), true, false, "CHANNEL_REJECTED", "CHANNEL_REJECTED", OUTLOOK(REFUSED)},
        {STATE(REJECTED), true, false, "GIVEN_UP", "GIVEN_UP", OUTLOOK(REFUSED)},
        {STATE(NEEDS_AUTH), false, false, "CHANNEL_NEEDS_AUTH", "CHANNEL_NEEDS_AUTH", OUTLOOK(NEEDS_PERSON)},
        {STATE(OUTCOME_UNKNOWN), true, false, "CHANNEL_LOST", "OUTCOME_UNKNOWN", OUTLOOK(NEEDS_PERSON)},
        {STATE(OUTCOME_UNKNOWN), false, false, "CHANNEL_LOST", "CHANNEL_LOST", OUTLOOK(GOES_ON)},
        {STATE(RECONCILING), false, false, "CHANNEL_LOST", "CHANNEL_LOST", OUTLOOK(GOES_ON)},
        {STATE(EXPIRED), true, false, "CHANNEL_TIMEOUT", "EXPIRED", OUTLOOK(REFUSED)},
        {STATE(CANCELLED), true, false, "CANCELLED", "CANCELLED", OUTLOOK(REFUSED)},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct delivery_row row = row_in(CASES[i].state, CASES[i].settled, CASES[i].reason);
        ChannelResult *result = NULL;
        assert_true(delivery_result(NULL, &row, &result));
        assert_int_equal(result->outlook, CASES[i].outlook);
        assert_int_equal(result->accepted, CASES[i].accepted);
        char korean[512] = "", english[512] = "";
        if (CASES[i].word) {
            assert_non_null(owner_text_find(CASES[i].word));
            owner_text_write(CASES[i].word, "인스타그램", OWNER_KOREAN, korean, sizeof(korean));
            owner_text_write(CASES[i].word, "Instagram", OWNER_ENGLISH, english, sizeof(english));
        }
        assert_string_equal(result->owner_text_ko, korean);
        assert_string_equal(result->owner_text_en, english);
    }
}

RESULT_TEST(test_results_keep_the_order_of_the_rows) {
    (void)arg;
    struct delivery_row rows[] = {row_in(STATE(READY), false, ""), row_in(STATE(PUBLISHED), true, "")};
    rows[1].channel = HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL;
    ChannelResult **results = NULL;
    assert_true(delivery_results(NULL, rows, 2, &results));
    assert_int_equal(results[0]->channel, rows[0].channel);
    assert_int_equal(results[1]->channel, rows[1].channel);
    assert_int_equal(results[1]->state, STATE(PUBLISHED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_has_what_the_row_has),
        cmocka_unit_test(test_result_that_is_settled_has_no_next_time),
        cmocka_unit_test(test_result_of_each_state_has_its_outlook_and_text),
        cmocka_unit_test(test_results_keep_the_order_of_the_rows),
    };
    return cmocka_run_group_tests_name("distribution.results", tests, NULL, NULL);
}
