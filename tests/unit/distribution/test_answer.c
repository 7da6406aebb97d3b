/* What adapters share: classification by table, messages, ids. */
#include "herald/utf8.h"
#include "server/distribution/adapter.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <string.h>

static void run_answer(task_body_fn *body) {
    struct call call;
    call_init(&call, "test", NULL, 0, 0);
    run_task(&call, body, NULL);
    call_fini(&call);
}

#define ANSWER_TEST(name)                                                                                              \
    TASK_FN static void name##_body(void *arg);                                                                        \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        run_answer(name##_body);                                                                                       \
    }                                                                                                                  \
    TASK_FN static void name##_body(void *arg)

static const struct answer_rule RULES[] = {
    {200, 299, ANY_CODE, ANY_CODE, MEANS_ACCEPTED, HERALD_REASON_NONE, ""},
    {400, 400, 9, 2207042, MEANS_QUOTA, HERALD_REASON_QUOTA, "the quota is used up"},
    {400, 400, 9, ANY_CODE, MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED, "too many"},
    {0, 0, 190, ANY_CODE, MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the token is refused"},
    {400, 499, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "refused"},
    {0, 0, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "failed"},
};

static void test_answer_classify_takes_the_first_row_that_fits(void **state) {
    (void)state;
    static const struct {
        int status, code, subcode;
        enum meaning meaning;
    } CASES[] = {
        {200, ANY_CODE, ANY_CODE, MEANS_ACCEPTED},
        {299, 190, 1, MEANS_ACCEPTED},
        {199, 0, 0, MEANS_UNKNOWN},
        {300, 0, 0, MEANS_UNKNOWN},
        {400, 9, 2207042, MEANS_QUOTA},
        {400, 9, 1, MEANS_THROTTLE},
        {403, 9, 2207042, MEANS_REJECT},
        {400, 190, 463, MEANS_REAUTH},
        {500, 190, 0, MEANS_REAUTH},
        {499, ANY_CODE, ANY_CODE, MEANS_REJECT},
        {500, ANY_CODE, ANY_CODE, MEANS_UNKNOWN},
        {0, 0, 0, MEANS_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(answer_classify(RULES, CASES[i].status, CASES[i].code, CASES[i].subcode)->meaning,
                         CASES[i].meaning);
    }
}

ANSWER_TEST(test_answer_of_rule_says_status_codes_and_words) {
    (void)arg;
    struct http_response response = {.status = 400, .retry_at_us = 1700000000000000};
    struct channel_answer answer = answer_of_rule(&RULES[1], &response, 9, 2207042, "its words");
    assert_int_equal(answer.meaning, MEANS_QUOTA);
    assert_int_equal(answer.reason, HERALD_REASON_QUOTA);
    assert_string_equal(answer.message, "the quota is used up (HTTP status 400, code 9/2207042: its words)");
    assert_int_equal(answer.retry_at_us, response.retry_at_us);
    assert_string_equal(answer.remote_id, "");
    answer = answer_of_rule(&RULES[3], &response, 190, ANY_CODE, "");
    assert_string_equal(answer.message, "the token is refused (HTTP status 400, code 190)");
    answer = answer_of_rule(&RULES[0], &response, ANY_CODE, ANY_CODE, "x");
    assert_string_equal(answer.message, "");
}

ANSWER_TEST(test_answer_of_rule_cuts_long_words_between_characters) {
    (void)arg;
    struct http_response response = {.status = 500};
    char words[3 * 100 + 1] = "";
    for (int i = 0; i < 100; i++) {
        memcpy(words + (size_t)3 * (size_t)i, "가", 4);
    }
    struct channel_answer answer = answer_of_rule(&RULES[5], &response, ANY_CODE, ANY_CODE, words);
    assert_true(herald_utf8_valid(answer.message, strlen(answer.message), NULL));
    assert_int_equal(strlen(answer.message), strlen("failed (HTTP status 500: )") + 198);
}

ANSWER_TEST(test_answer_of_rule_leaves_out_what_is_no_text) {
    (void)arg;
    static const char *const ROWS[][2] = {
        {"no 안녕 \xF0\x9F\x98\x80", ": no 안녕 \xF0\x9F\x98\x80"},
        {"a\tb\r\nc\x1B[31m\x7F\u202E", ": a b c[31m"},
        {"\xFFx\xED\xA0\x80y\xC0\xAFz\xEC\x95", ": xyz"},
        {"\n\xFF", ""},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct http_response response = {.status = 500};
        char expected[100];
        (void)snprintf(expected, sizeof(expected), "failed (HTTP status 500%s)", ROWS[i][1]);
        assert_string_equal(answer_of_rule(&RULES[5], &response, ANY_CODE, ANY_CODE, ROWS[i][0]).message, expected);
    }
}

ANSWER_TEST(test_answer_of_failure_blames_the_right_one) {
    (void)arg;
    struct herald_error error = {0};
    enum herald_code code = herald_error_set(&error, HERALD_REASON_HTTP_TIMEOUT, "no answer within 1 s");
    struct channel_answer answer = answer_of_failure(code, &error, true);
    assert_int_equal(answer.meaning, MEANS_UNKNOWN);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_TIMEOUT);
    assert_string_equal(answer.message, "no answer within 1 s");
    assert_int_equal(answer_of_failure(code, &error, false).meaning, MEANS_RETRY); /* a look-up changes nothing */
    code = herald_error_set(&error, HERALD_REASON_HTTP_NO_DESCRIPTORS, "none left");
    answer = answer_of_failure(code, &error, true);
    assert_int_equal(answer.meaning, MEANS_OWN_WANT);
    assert_int_equal(answer.reason, HERALD_REASON_NOT_SENT);
    answer = answer_of_failure(HERALD_UNAVAILABLE, &(struct herald_error){.message = "refused"}, true);
    assert_int_equal(answer.meaning, MEANS_RETRY);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_UNREACHABLE);
    answer = answer_of_failure(HERALD_OUTCOME_UNKNOWN, &(struct herald_error){.message = "reset"}, true);
    assert_int_equal(answer.meaning, MEANS_UNKNOWN);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_LOST);
}

/* ---- ids ---- */

TASK_FN static void assert_id(const char *body, const char *id) {
    assert_string_equal(answer_id(body, strlen(body), "id"), id);
}

ANSWER_TEST(test_answer_id_keeps_all_digits_of_a_number) {
    (void)arg;
    assert_id("{\"id\":17895695668004550}", "17895695668004550");
    assert_id("{\"id\":98765432109876543210}", "98765432109876543210");
    assert_id("{\"id\":-1}", "-1");
    assert_id("{\"id\":0}", "0");
    assert_id(" {\n \"a\": [1, {\"id\": 2}], \"id\" : 3 , \"b\":4}", "3");
    char body[400], digits[257];
    memset(digits, '7', 256);
    digits[256] = '\0';
    (void)snprintf(body, sizeof(body), "{\"id\":%s}", digits);
    assert_id(body, digits);
    (void)snprintf(body, sizeof(body), "{\"id\":%s7}", digits);
    assert_id(body, ""); /* another number would name another post */
}

ANSWER_TEST(test_answer_id_cuts_a_long_string) {
    (void)arg;
    char body[700], id[512];
    memset(id, 'x', 200);
    id[200] = '\0';
    (void)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
    assert_id(body, id);
    memset(id, 'x', 300);
    id[300] = '\0';
    (void)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
    id[256] = '\0';
    assert_id(body, id);
    for (int i = 0; i < 100; i++) {
        memcpy(id + (size_t)3 * (size_t)i, "가", 4);
    }
    (void)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
    id[255] = '\0'; /* 85 whole characters */
    assert_id(body, id);
}

ANSWER_TEST(test_answer_id_is_only_that_of_the_outermost_object) {
    (void)arg;
    assert_id("{\"post\":{\"id\":\"inner\"},\"id\":\"outer\"}", "outer");
    assert_id("{\"post\":{\"id\":\"inner\"}}", "");
    assert_id("[{\"id\":\"inner\"}]", "");
    assert_id("{\"identity\":\"x\"}", "");
    assert_id("{\"\\u0069d\":\"escaped\"}", "escaped");
}

ANSWER_TEST(test_answer_id_of_what_is_no_id_is_empty) {
    (void)arg;
    static const char *const bodies[] = {"",
                                         "OK",
                                         "{",
                                         "{\"id\":\"cut",
                                         "{\"id\":\"a\"",
                                         "\xEF\xBB\xBF{\"id\":\"after a mark\"}",
                                         "{\"id\":null}",
                                         "{\"id\":true}",
                                         "{\"id\":[1]}",
                                         "{\"id\":{\"id\":1}}",
                                         "{\"id\":\"\"}",
                                         "{\"id\":\"\xFF\"}",
                                         "\"id\"",
                                         "17",
                                         "{\"id\":\"a\\u0000b\"}",
                                         "{}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_id(bodies[i], "");
    }
    assert_string_equal(answer_id(NULL, 0, "id"), "");
}

ANSWER_TEST(test_answer_id_has_no_control_characters) {
    (void)arg;
    assert_id("{\"id\":\"a\\nb\\u001b[31mc\\u007fd\\u0085e\"}", "ab[31mcde");
    assert_id("{\"id\":\"\\u0001\"}", "");
    assert_id("{\"id\":\"아이디-é\"}", "아이디-é");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_classify_takes_the_first_row_that_fits),
        cmocka_unit_test(test_answer_of_rule_says_status_codes_and_words),
        cmocka_unit_test(test_answer_of_rule_cuts_long_words_between_characters),
        cmocka_unit_test(test_answer_of_rule_leaves_out_what_is_no_text),
        cmocka_unit_test(test_answer_of_failure_blames_the_right_one),
        cmocka_unit_test(test_answer_id_keeps_all_digits_of_a_number),
        cmocka_unit_test(test_answer_id_cuts_a_long_string),
        cmocka_unit_test(test_answer_id_is_only_that_of_the_outermost_object),
        cmocka_unit_test(test_answer_id_of_what_is_no_id_is_empty),
        cmocka_unit_test(test_answer_id_has_no_control_characters),
    };
    return cmocka_run_group_tests_name("distribution.answer", tests, NULL, NULL);
}
