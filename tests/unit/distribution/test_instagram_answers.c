/* What the Graph API's answers mean: the table row by row, and bodies that say it badly. */
#include "server/distribution/adapters/instagram_answers.h"
#include "server/distribution/channel_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_US 86400000000ll

/* What one error means in each step. */
static const struct {
    int status, code, subcode;
    enum meaning ask, look, publish;
    enum herald_reason reason; /* of ask */
} ROWS[] = {
#define ALL(meaning) MEANS_##meaning, MEANS_##meaning, MEANS_##meaning
#define RETRIED      MEANS_RETRY, MEANS_RETRY, MEANS_UNKNOWN
#define NONE_        GRAPH_NO_CODE, ANY_CODE
    {400, 9, 2207042, ALL(QUOTA), HERALD_REASON_QUOTA},
    {400, 4, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {403, 4, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 4, 2207051, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 17, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 32, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 341, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 368, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 613, 1996, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, 80002, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {429, NONE_, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {429, 77, ANY_CODE, ALL(THROTTLE), HERALD_REASON_CHANNEL_THROTTLED},
    {400, -1, 2207001, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {400, -2, 2207003, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {400, 1, ANY_CODE, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {400, 2, ANY_CODE, RETRIED, HERALD_REASON_CHANNEL_UNAVAILABLE},
    {500, 2, ANY_CODE, RETRIED, HERALD_REASON_CHANNEL_UNAVAILABLE},
    {400, -2, 2207020, ALL(RENEW), HERALD_REASON_PREPARING_FAILED},
    {400, -1, 2207032, ALL(RENEW), HERALD_REASON_PREPARING_FAILED},
    {400, -1, 2207053, ALL(RENEW), HERALD_REASON_PREPARING_FAILED},
    {400, 190, 463, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {401, 190, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {400, 102, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {403, 3, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {403, 10, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {403, 200, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {403, 299, ANY_CODE, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {401, NONE_, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {403, NONE_, ALL(REAUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {400, 25, 2207050, ALL(REAUTH), HERALD_REASON_ACCOUNT_RESTRICTED},
    {400, 36000, 2207004, ALL(REJECT), HERALD_REASON_PICTURE_REFUSED},
    {400, 36001, 2207005, ALL(REJECT), HERALD_REASON_PICTURE_REFUSED},
    {400, 36003, 2207009, ALL(REJECT), HERALD_REASON_PICTURE_REFUSED},
    {400, 36004, 2207010, ALL(REJECT), HERALD_REASON_CHANNEL_REJECTED},
    {400, 100, ANY_CODE, ALL(REJECT), HERALD_REASON_CHANNEL_REJECTED},
    {400, 199, ANY_CODE, ALL(REJECT), HERALD_REASON_CHANNEL_REJECTED},
    {400, 300, ANY_CODE, ALL(REJECT), HERALD_REASON_CHANNEL_REJECTED},
    {400, 9004, 2207052, ALL(RETRY), HERALD_REASON_PICTURE_UNREACHABLE},
    {400, 9007, 2207027, RETRIED, HERALD_REASON_CHANNEL_WORKING},
    {400, 24, 2207008, MEANS_REJECT, MEANS_RENEW, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_REJECTED},
    {400, 100, 33, MEANS_REAUTH, MEANS_RENEW, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_NEEDS_AUTH},
    {400, NONE_, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {404, NONE_, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {408, NONE_, RETRIED, HERALD_REASON_CHANNEL_UNAVAILABLE},
    {302, NONE_, RETRIED, HERALD_REASON_CHANNEL_REDIRECTED},
    {500, NONE_, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {502, NONE_, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {503, NONE_, RETRIED, HERALD_REASON_CHANNEL_UNAVAILABLE},
    {999, NONE_, RETRIED, HERALD_REASON_CHANNEL_ERROR},
    {200, NONE_, MEANS_RETRY, MEANS_RETRY, MEANS_ACCEPTED, HERALD_REASON_CHANNEL_ERROR},
    {204, 190, ANY_CODE, MEANS_REAUTH, MEANS_REAUTH, MEANS_ACCEPTED, HERALD_REASON_CHANNEL_NEEDS_AUTH},
    /* In doubt the status of a failed server counts more than a code. */
    {500, 36000, 2207004, MEANS_REJECT, MEANS_REJECT, MEANS_UNKNOWN, HERALD_REASON_PICTURE_REFUSED},
};

static void test_instagram_each_error_means_what_its_row_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct graph_error error = {.code = ROWS[i].code, .subcode = ROWS[i].subcode};
        enum meaning ask = graph_classify(GRAPH_ASK, ROWS[i].status, &error)->meaning;
        enum meaning look = graph_classify(GRAPH_LOOK, ROWS[i].status, &error)->meaning;
        enum meaning publish = graph_classify(GRAPH_PUBLISH, ROWS[i].status, &error)->meaning;
        if (ask != ROWS[i].ask || look != ROWS[i].look || publish != ROWS[i].publish ||
            graph_classify(GRAPH_ASK, ROWS[i].status, &error)->reason != ROWS[i].reason) {
            fail_msg("%d %d/%d means %d, %d, %d", ROWS[i].status, ROWS[i].code, ROWS[i].subcode, ask, look, publish);
        }
    }
}

static void test_instagram_transient_refusal_is_not_for_good(void **state) {
    (void)state;
    struct graph_error error = {.code = 100, .subcode = ANY_CODE, .is_transient = true};
    assert_int_equal(graph_classify(GRAPH_ASK, 400, &error)->meaning, MEANS_RETRY);
    assert_int_equal(graph_classify(GRAPH_LOOK, 400, &error)->meaning, MEANS_RETRY);
    assert_int_equal(graph_classify(GRAPH_PUBLISH, 400, &error)->meaning, MEANS_UNKNOWN);
    error.code = 190; /* what has a meaning of its own keeps it */
    assert_int_equal(graph_classify(GRAPH_PUBLISH, 400, &error)->meaning, MEANS_REAUTH);
}

static struct graph_error read_error(const char *body) {
    struct graph_error error;
    graph_error_read(body, strlen(body), &error);
    return error;
}

static void test_instagram_error_is_read(void **state) {
    (void)state;
    struct graph_error error =
        read_error("{\"error\":{\"message\":\"too\\u0000 large\",\"type\":\"OAuthException\",\"code\":36000}}");
    assert_int_equal(error.code, GRAPH_NO_CODE); /* a NUL: no JSON that is taken */
    error = read_error("{\"error\":{\"message\":\"too\\u001b large\",\"type\":\"OAuthException\",\"code\":36000,"
                       "\"error_subcode\":2207004,\"is_transient\":false,\"fbtrace_id\":\"A6LJ\"}}");
    assert_int_equal(error.code, 36000);
    assert_int_equal(error.subcode, 2207004);
    assert_false(error.is_transient);
    assert_string_equal(error.trace, "A6LJ");
    assert_string_equal(error.message, "too  large");
    error = read_error(" { \"x\" : [1,{}] , \"error\" : { \"is_transient\" : true , \"code\" : \"-1\" } } ");
    assert_int_equal(error.code, -1);
    assert_int_equal(error.subcode, ANY_CODE);
    assert_true(error.is_transient);
}

static void test_instagram_hostile_errors_say_nothing(void **state) {
    (void)state;
    static const char *const BODIES[] = {
        "",
        "<html>190</html>",
        "{\"error\":{\"code\":190",
        "{\"error\":{\"code\":190}} trailing",
        "{\"error\":190}",
        "{\"error\":\"190\"}",
        "{\"error\":[{\"code\":190}]}",
        "[{\"error\":{\"code\":190}}]",
        "{\"code\":190}",
        "{\"error\":{\"code\":null}}",
        "{\"error\":{\"code\":true}}",
        "{\"error\":{\"code\":{\"code\":190}}}",
        "{\"error\":{\"code\":190.5}}",
        "{\"error\":{\"code\":1e2}}",
        "{\"error\":{\"code\":\"190 \"}}",
        "{\"error\":{\"code\":\"\"}}",
        "{\"error\":{\"code\":99999999999999999999999999999999}}",
        "{\"error\":{\"code\":4294967486}}", /* 2^32 + 190 */
        "{\"error\":{\"code\":-999998}}",    /* the mark of none itself */
        "{\"error\":{\"code\":-999999}}",    /* the mark of any */
        "{\"error\":{\"code\":190}\xff}",    /* not UTF-8 */
        "{\"error\":{\"code\":190,\"x\":\"\xed\xa0\x80\"}}",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        if (read_error(BODIES[i]).code != GRAPH_NO_CODE) {
            fail_msg("%s: read as %d", BODIES[i], read_error(BODIES[i]).code);
        }
    }
}

static void test_instagram_deep_and_long_bodies_are_survived(void **state) {
    (void)state;
    size_t bytes = 60000;
    char *body = malloc(bytes + 1);
    memset(body, '[', bytes);
    body[bytes] = '\0';
    assert_int_equal(read_error(body).code, GRAPH_NO_CODE);
    static const char HEAD[] = "{\"error\":{\"code\":4,\"message\":\"";
    memset(body, 'a', bytes);
    memcpy(body, HEAD, strlen(HEAD));
    /* Characters of three bytes, so that the cut falls into one. */
    for (size_t i = strlen(HEAD); i + 3 < bytes - 10; i += 3) {
        memcpy(body + i, "\xea\xb0\x80", 3);
    }
    memcpy(body + bytes - 3, "\"}}", 3);
    struct graph_error error = read_error(body);
    assert_int_equal(error.code, 4);
    assert_true(strlen(error.message) >= sizeof(error.message) - 4 && strlen(error.message) < sizeof(error.message));
    assert_int_equal(strlen(error.message) % 3, 0);
    free(body);
}

static enum graph_status read_status(const char *body, int *ret_subcode) {
    return graph_status_read(body, strlen(body), ret_subcode);
}

static void test_instagram_status_is_read(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum graph_status status;
        int subcode;
    } BODIES[] = {
        {"{\"status_code\":\"IN_PROGRESS\",\"id\":\"17\"}", GRAPH_STATUS_IN_PROGRESS, ANY_CODE},
        {"{\"id\":17889455560051444,\"status_code\":\"FINISHED\"}", GRAPH_STATUS_FINISHED, ANY_CODE},
        {"{\"status_code\":\"PUBLISHED\"}", GRAPH_STATUS_PUBLISHED, ANY_CODE},
        {"{\"status_code\":\"EXPIRED\"}", GRAPH_STATUS_EXPIRED, ANY_CODE},
        {"{\"status_code\":\"ERROR\"}", GRAPH_STATUS_ERROR, ANY_CODE},
        {"{\"status_code\":\"ERROR\",\"status\":\"Error: Media upload has failed with error code 2207009\"}",
         GRAPH_STATUS_ERROR, 2207009},
        {"{\"status\":\"2207004\",\"status_code\":\"ERROR\"}", GRAPH_STATUS_ERROR, 2207004},
        {"{\"status\":\"in the year 2026\",\"status_code\":\"ERROR\"}", GRAPH_STATUS_ERROR, ANY_CODE},
        {"{\"status_code\":\"FINISHED_SOMEHOW\"}", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"{\"status_code\":\"\"}", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"{\"status_code\":[\"PUBLISHED\"]}", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"{\"data\":{\"status_code\":\"PUBLISHED\"}}", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"{\"status_code\":\"PUBLISHED\"", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"PUBLISHED", GRAPH_STATUS_UNREADABLE, ANY_CODE},
        {"", GRAPH_STATUS_UNREADABLE, ANY_CODE},
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        int subcode = 0;
        assert_int_equal(read_status(BODIES[i].body, &subcode), BODIES[i].status);
        assert_int_equal(subcode, BODIES[i].subcode);
    }
    assert_int_equal(graph_failed_container(2207009)->meaning, MEANS_REJECT);
    assert_int_equal(graph_failed_container(2207032)->meaning, MEANS_RENEW);
    assert_int_equal(graph_failed_container(ANY_CODE)->meaning, MEANS_RENEW);
}

static bool read_quota(const char *body, struct graph_quota *quota) {
    return graph_quota_read(body, strlen(body), quota);
}

static void test_instagram_quota_is_read(void **state) {
    (void)state;
    struct graph_quota quota = {7, 7, 7};
    assert_false(read_quota("{\"data\":[]}", &quota));
    assert_false(read_quota("{\"data\":[{\"quota_usage\":3}]}", &quota));
    assert_false(read_quota("{\"data\":[{\"quota_usage\":-1,\"config\":{\"quota_total\":50}}]}", &quota));
    assert_false(read_quota("{\"data\":[{\"quota_usage\":3,\"config\":{\"quota_total\":4294967296}}]}", &quota));
    assert_false(read_quota("{\"data\":{\"quota_usage\":3,\"config\":{\"quota_total\":50}}}", &quota));
    assert_int_equal(quota.used + quota.total + quota.duration_s, 21);
    assert_true(read_quota("{\"data\":[{\"quota_usage\":3,\"config\":{\"quota_total\":50,\"quota_duration\":86400}}]}",
                           &quota));
    assert_int_equal(quota.used, 3);
    assert_int_equal(quota.total, 50);
    assert_int_equal(quota.duration_s, 86400);
}

static void test_instagram_quota_wait_is_one_posts_share(void **state) {
    (void)state;
    assert_int_equal(graph_quota_wait_ms(100, 86400, 0), 864000);
    assert_int_equal(graph_quota_wait_ms(100, 86400, 432000), 864000 + 432000);
    assert_int_equal(graph_quota_wait_ms(0, 0, 0), 3600000);
    assert_int_equal(graph_quota_wait_ms(UINT32_MAX, 1, 0), 60000);
}

static void test_instagram_time_to_regain_access_is_read(void **state) {
    (void)state;
    assert_int_equal(graph_regain_s(NULL), 0);
    assert_int_equal(graph_regain_s(""), 0);
    assert_int_equal(graph_regain_s("{\"178\":[{\"estimated_time_to_regain_access\":5"), 0);
    assert_int_equal(graph_regain_s("[5]"), 0);
    assert_int_equal(graph_regain_s("{\"178\":5,\"179\":[],\"180\":[5,{}]}"), 0);
    assert_int_equal(graph_regain_s("{\"178\":[{\"type\":\"instagram\",\"estimated_time_to_regain_access\":5},"
                                    "{\"estimated_time_to_regain_access\":19} ] , \"179\":[{\"x\":[1,2],"
                                    "\"estimated_time_to_regain_access\":7}]}"),
                     19 * 60);
    assert_int_equal(graph_regain_s("{\"178\":[{\"estimated_time_to_regain_access\":-3}]}"), 0);
    assert_int_equal(graph_regain_s("{\"178\":[{\"estimated_time_to_regain_access\":9000000000000000000}]}"), 86400);
}

static uint64_t read_token(const char *body, char *token) {
    return graph_token_read(body, strlen(body), token, CHANNEL_TOKEN_BYTES);
}

static void test_instagram_token_is_read(void **state) {
    (void)state;
    char token[CHANNEL_TOKEN_BYTES] = "x", body[4096], big[2000];
    assert_int_equal(read_token("{\"access_token\":\"IGAA1\",\"token_type\":\"bearer\",\"expires_in\":5183944}", token),
                     5183944);
    assert_string_equal(token, "IGAA1");
    assert_int_equal(read_token("{\"access_token\":\"a\",\"expires_in\":9000000000000000000}", token), 400 * 86400);
    static const char *const BODIES[] = {
        "",
        "{}",
        "{\"access_token\":\"IGAA1\"}",
        "{\"access_token\":\"IGAA1\",\"expires_in\":0}",
        "{\"access_token\":\"IGAA1\",\"expires_in\":-5}",
        "{\"access_token\":\"\",\"expires_in\":5}",
        "{\"access_token\":\"a\\r\\nx-evil: 1\",\"expires_in\":5}",
        "{\"access_token\":\"a b\",\"expires_in\":5}",
        "{\"access_token\":7,\"expires_in\":5}",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        assert_int_equal(read_token(BODIES[i], token), 0);
        assert_string_equal(token, "");
    }
    memset(big, 'a', sizeof(big));
    snprintf(body, sizeof(body), "{\"access_token\":\"%.*s\",\"expires_in\":5}", (int)sizeof(big), big);
    assert_int_equal(read_token(body, token), 0); /* a token that is cut is none */
}

static void test_instagram_token_is_renewed_in_time(void **state) {
    (void)state;
    int64_t day = DAY_US;
    assert_int_equal(graph_token_renew_at_us(100 * day, 160 * day), 140 * day);
    assert_int_equal(graph_token_renew_at_us(100 * day, 110 * day), 101 * day); /* not before it is a day old */
    assert_true(graph_token_valid("IGAA-_.1"));
    assert_false(graph_token_valid("") || graph_token_valid("a b") || graph_token_valid("a\n") ||
                 graph_token_valid("\xea\xb0\x80"));
}

static void test_instagram_ids_are_digits(void **state) {
    (void)state;
    assert_true(graph_id_valid("17889455560051444"));
    assert_true(graph_id_valid("123456789012345678901234567890"));
    assert_false(graph_id_valid("") || graph_id_valid("-1") || graph_id_valid("1.5") || graph_id_valid("1/../2") ||
                 graph_id_valid("1?x"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instagram_each_error_means_what_its_row_says),
        cmocka_unit_test(test_instagram_transient_refusal_is_not_for_good),
        cmocka_unit_test(test_instagram_error_is_read),
        cmocka_unit_test(test_instagram_hostile_errors_say_nothing),
        cmocka_unit_test(test_instagram_deep_and_long_bodies_are_survived),
        cmocka_unit_test(test_instagram_status_is_read),
        cmocka_unit_test(test_instagram_quota_is_read),
        cmocka_unit_test(test_instagram_quota_wait_is_one_posts_share),
        cmocka_unit_test(test_instagram_time_to_regain_access_is_read),
        cmocka_unit_test(test_instagram_token_is_read),
        cmocka_unit_test(test_instagram_token_is_renewed_in_time),
        cmocka_unit_test(test_instagram_ids_are_digits),
    };
    return cmocka_run_group_tests_name("distribution.instagram_answers", tests, NULL, NULL);
}
