/* Channels by themselves: a person posts at Naver Blog; Kakao's dealer loses answers and sleeps at night. */
#include "herald/uuid.h"
#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONTENT                                                                                                        \
    "{\"title\":\"<b>여름</b>\",\"prize\":\"떡볶이\",\"text\":\"줄을\\n서시오\",\"storeInfo\":{\"name\":\"한강 "       \
    "분식\"},"                                                                                                         \
    "\"pngUrl\":\"https://p.example/content/k/simple.png\",\"jpegUrl\":\"https://p.example/content/k/simple.jpg\"}"
#define DISTRIBUTE    "{\"eventId\":\"%s\",\"userId\":\"u-1\",\"channels\":[\"%s\"],\"content\":" CONTENT "}"
#define EVENT_OF_USER "{\"eventId\":\"%s\",\"userId\":\"u-1\"}"
#define CONFIRM       "{\"eventId\":\"%s\",\"userId\":\"u-1\",\"channel\":\"NAVER_BLOG\",\"url\":\"%s%s\"}"

STACK_FIXTURE

/* Delivers a new event to one channel. */
static struct answer distribute_to(const char *channel, char event_id[37]) {
    herald_uuid7(event_id);
    return stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, event_id, channel);
}

static void assert_state(const char *event_id, const char *state, const char *post_url) {
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "GetDistribution", EVENT_OF_USER, event_id);
    assert_string_equal(answer_text(&answer, "results.0.state"), state);
    assert_string_equal(answer_text(&answer, "results.0.postUrl"), post_url);
    answer_clear(&answer);
}

static void assert_refused(const char *event_id, const char *site, const char *rest, const char *reason) {
    struct answer answer = stack_call(stack, DISTRIBUTION "ConfirmAssistedPublish", CONFIRM, event_id, site, rest);
    assert_int_not_equal(answer.code, HERALD_OK);
    assert_string_equal(answer.error.reason, reason);
    if (strcmp(reason, "INVALID_FIELD") == 0) {
        assert_string_equal(answer.error.details[0].field, "url");
        assert_string_equal(answer.error.details[0].reason, "NOT_ALLOWED");
        /* how such an address begins */
        assert_non_null(strstr(answer.error.details[0].message, stack_setting(stack, "HERALD_NAVER_BLOG_URL")));
    }
    answer_clear(&answer);
}

static void test_assisted_package_is_pasted_and_its_address_reported(void **state) {
    (void)state;
    const char *site = stack_setting(stack, "HERALD_NAVER_BLOG_URL");
    char event_id[37], url[256];
    struct answer answer = distribute_to("NAVER_BLOG", event_id);
    assert_string_equal(answer_text(&answer, "results.0.state"), "AWAITING_OPERATOR");
    assert_string_equal(answer_text(&answer, "results.0.outlook"), "NEEDS_PERSON");
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "GetDeliveryPreview",
                           "{\"eventId\":\"%s\",\"userId\":\"u-1\",\"channel\":\"NAVER_BLOG\"}", event_id);
    assert_non_null(strstr(answer_text(&answer, "html"), "<h2>&lt;b&gt;여름&lt;/b&gt;</h2>"));
    assert_int_equal(json_array_size(answer_at(&answer, "requests")), 0);
    answer_clear(&answer);

    assert_refused(event_id, "https://blog.naver.com.evil.example", "/shop/1", "INVALID_FIELD");
    assert_refused(event_id, site, ".evil/1", "INVALID_FIELD");
    assert_refused(event_id, site, "", "INVALID_FIELD");
    assert_state(event_id, "AWAITING_OPERATOR", "");

    snprintf(url, sizeof(url), "%s/shop/1", site);
    for (int i = 0; i < 2; i++) { /* a repeat is the same report */
        answer = stack_call_ok(stack, DISTRIBUTION "ConfirmAssistedPublish", CONFIRM, event_id, site, "/shop/1");
        assert_string_equal(answer_text(&answer, "result.state"), "PUBLISHED");
        assert_string_equal(answer_text(&answer, "result.postUrl"), url);
        answer_clear(&answer);
    }
    assert_refused(event_id, site, "/shop/2", "NOT_AWAITING_OPERATOR");
    assert_state(event_id, "PUBLISHED", url);
}

static void assert_posts(const char *event_id, size_t count) {
    json_t *posts = stack_posts(stack, event_id);
    assert_int_equal(json_array_size(posts), count);
    json_decref(posts);
}

/* A process died between the claim and the hand-over: nothing was sent, so nobody need find out what became of it. */
static void test_assisted_delivery_is_handed_over_after_a_crash(void **state) {
    (void)state;
    char event_id[37];
    struct answer answer = distribute_to("NAVER_BLOG", event_id);
    answer_clear(&answer);
    char *changed = stack_sql(stack,
                              "WITH left_open AS (UPDATE deliveries SET state = 'COMMITTING', settled = false, next_at "
                              "= now() WHERE event_id = '%s' RETURNING event_id) UPDATE distributions SET unsettled = "
                              "1 FROM left_open WHERE distributions.event_id = left_open.event_id RETURNING unsettled",
                              event_id);
    assert_string_equal(changed, "1");
    free(changed);
    stack_sql_becomes(stack, "AWAITING_OPERATOR",
                      "SELECT CASE WHEN settled THEN state ELSE 'open' END FROM deliveries WHERE event_id = '%s'",
                      event_id);
    stack_sql_is(stack, "0", "SELECT unsettled FROM distributions WHERE event_id = '%s'", event_id);
}

static void test_assisted_kakao_lost_answer_is_looked_up_and_not_sent_again(void **state) {
    (void)state;
    char event_id[37];
    stack_channel_behaves(stack, "KAKAO_CHANNEL", "{\"mode\":\"reset_after\",\"step\":\"send\",\"count\":1}");
    struct answer answer = distribute_to("KAKAO_CHANNEL", event_id);
    answer_clear(&answer);
    stack_sql_becomes(stack, "PUBLISHED", "SELECT state FROM deliveries WHERE event_id = '%s'", event_id);
    stack_sql_is(stack, "t", "SELECT remote_id <> '' FROM deliveries WHERE event_id = '%s'", event_id);
    assert_posts(event_id, 1);
}

static void test_assisted_kakao_takes_nothing_at_night(void **state) {
    (void)state;
    char event_id[37];
    stack_channel_behaves(stack, "KAKAO_CHANNEL", "{\"mode\":\"quiet_hours\"}");
    struct answer answer = distribute_to("KAKAO_CHANNEL", event_id);
    assert_string_equal(answer_text(&answer, "results.0.state"), "DEFERRED");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "QUIET_HOURS");
    assert_string_equal(answer_text(&answer, "results.0.outlook"), "GOES_ON");
    assert_string_not_equal(answer_text(&answer, "results.0.nextAttemptAt"), "");
    answer_clear(&answer);
    stack_channel_behaves(stack, "KAKAO_CHANNEL", "{\"mode\":\"ok\"}");
    assert_posts(event_id, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assisted_package_is_pasted_and_its_address_reported),
        cmocka_unit_test(test_assisted_delivery_is_handed_over_after_a_crash),
        cmocka_unit_test(test_assisted_kakao_lost_answer_is_looked_up_and_not_sent_again),
        cmocka_unit_test(test_assisted_kakao_takes_nothing_at_night),
    };
    return cmocka_run_group_tests_name("flows.assisted", tests, start, stop);
}
