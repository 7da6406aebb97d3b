/* The fake dealer of Kakao's brand messages: signatures, quiet hours, idempotency keys, look-ups. */
#include "deploy/fakes/kakao.h"
#include "server/runtime/call.h"
#include "tests/unit/outgoing/fakes_exchange.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVICE           "/kakao/brandmessage/v2/services/ncp%3Akkobizmsg%3Akr%3A1%3Aherald/messages"
#define MESSAGE           "{\"plusFriendId\":\"@herald\",\"targeting\":\"I\",\"content\":\"반값 행사\"}"
#define ACCESS_KEY        "AKtest"
#define ACCESS_KEY_HEADER "x-ncp-iam-access-key: AKtest"
#define SECRET            "SKtest"

static int start_kakao(void **state) {
    exchange_start(
        (struct fakes_options){.kakao_access_key = ACCESS_KEY, .kakao_secret = SECRET, .kst_minute = 12 * 60});
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int stop_kakao(void **state) {
    exchange_stop();
    free(*state);
    return 0;
}

/* A request that is signed for another path when @signed_path says so. */
static long sens(struct exchange *exchange, const char *method, const char *path, const char *body, const char *key,
                 int64_t skew_ms, const char *signed_path) {
    char timestamp[24], signature[64], header_time[64], header_signature[128], header_key[160];
    snprintf(timestamp, sizeof(timestamp), "%" PRId64, clock_wall_us() / 1000 + skew_ms);
    kakao_sign(SECRET, method, signed_path, timestamp, ACCESS_KEY, signature);
    snprintf(header_time, sizeof(header_time), "x-ncp-apigw-timestamp: %s", timestamp);
    snprintf(header_signature, sizeof(header_signature), "x-ncp-apigw-signature-v2: %s", signature);
    snprintf(header_key, sizeof(header_key), "idempotency-key: %s", key != NULL ? key : "");
    *exchange = (struct exchange){.method = method,
                                  .path = path,
                                  .body = body,
                                  .headers = {header_time, header_signature, ACCESS_KEY_HEADER, "x-herald-event: e-1",
                                              key != NULL ? header_key : NULL}};
    exchange_perform(exchange);
    return exchange->status;
}

static long send_message(struct exchange *exchange, const char *key, const char *body) {
    return sens(exchange, "POST", SERVICE, body, key, 0, SERVICE);
}

static long look_up(struct exchange *exchange, const char *path) {
    return sens(exchange, "GET", path, NULL, NULL, 0, path);
}

static void assert_sens_error(const struct exchange *exchange, long status, const char *code) {
    assert_int_equal(exchange->status, status);
    json_t *answer = exchange_json(exchange), *error = json_object_get(answer, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    json_decref(answer);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

/* Computed with: printf 'POST /a?b=c\n1700000000000\nAKtest' | openssl dgst -sha256 -hmac SKtest -binary | base64 */
static void test_kakao_signature_known_answer(void **state) {
    char signature[64];
    (void)state;
    kakao_sign("SKtest", "POST", "/a?b=c", "1700000000000", "AKtest", signature);
    assert_string_equal(signature, "Pl6RHhC0WfdcnPGqwuuR64e9+qoufsJzgccUzcV5vls=");
}

static void test_kakao_message_is_accepted_and_logged(void **state) {
    struct exchange *exchange = *state;
    char path[256];
    assert_int_equal(send_message(exchange, "evt_1", MESSAGE), 202);
    json_t *answer = exchange_json(exchange);
    assert_string_equal(json_string_value(json_object_get(answer, "statusCode")), "202");
    assert_string_equal(json_string_value(json_object_get(answer, "statusName")), "success");
    assert_true(json_string_length(json_object_get(answer, "requestTime")) > 0);
    const char *request_id = json_string_value(json_object_get(answer, "requestId"));
    snprintf(path, sizeof(path), "\"event_id\":\"e-1\",\"idempotency_key\":\"evt_1\",\"remote_id\":\"%s\"", request_id);
    assert_int_equal(exchange_count_lines("/log", path), 1);
    snprintf(path, sizeof(path), "%s?requestId=%s", SERVICE, request_id);
    json_decref(answer);
    assert_int_equal(look_up(exchange, path), 200);
    assert_non_null(strstr(exchange->answer, "\"statusName\":\"success\""));
}

static void test_kakao_repeated_key_is_an_error(void **state) {
    struct exchange *exchange = *state;
    assert_int_equal(send_message(exchange, "evt_1", MESSAGE), 202);
    send_message(exchange, "evt_1", MESSAGE);
    assert_sens_error(exchange, 400, "-1005");
    assert_int_equal(exchange_count_lines("/log", ""), 1);
    assert_int_equal(send_message(exchange, NULL, MESSAGE), 202);
    assert_int_equal(send_message(exchange, NULL, MESSAGE), 202);
    assert_int_equal(exchange_count_lines("/log", ""), 3);
}

static void test_kakao_look_up_by_key_after_a_reset(void **state) {
    struct exchange *exchange = *state;
    assert_int_equal(look_up(exchange, SERVICE "?idempotencyKey=evt_1"), 404);
    exchange_behave("KAKAO_CHANNEL", "{\"mode\":\"reset\",\"step\":\"send\",\"delayMs\":0}");
    send_message(exchange, "evt_1", MESSAGE);
    assert_int_not_equal(exchange->result, CURLE_OK);
    assert_int_equal(look_up(exchange, SERVICE "?idempotencyKey=evt_1"), 404);
    exchange_behave("KAKAO_CHANNEL", "{\"mode\":\"reset_after\",\"step\":\"send\",\"delayMs\":0}");
    send_message(exchange, "evt_1", MESSAGE);
    assert_int_not_equal(exchange->result, CURLE_OK);
    assert_int_equal(look_up(exchange, SERVICE "?idempotencyKey=evt_1"), 200);
    assert_int_equal(look_up(exchange, SERVICE), 400);
}

static void test_kakao_badly_signed_is_unauthorized(void **state) {
    struct exchange *exchange = *state;
    sens(exchange, "POST", SERVICE, MESSAGE, NULL, 0, "/brandmessage");
    assert_sens_error(exchange, 401, "200");
    sens(exchange, "POST", SERVICE, MESSAGE, NULL, -302000, SERVICE);
    assert_sens_error(exchange, 401, "200");
    sens(exchange, "POST", SERVICE, MESSAGE, NULL, 302000, SERVICE);
    assert_sens_error(exchange, 401, "200");
    sens(exchange, "GET", SERVICE "?idempotencyKey=a", NULL, NULL, 0, SERVICE); /* the query is signed too */
    assert_sens_error(exchange, 401, "200");
    exchange_send(exchange, "POST", SERVICE, MESSAGE);
    assert_sens_error(exchange, 401, "200");
    exchange_behave("KAKAO_CHANNEL", "{\"mode\":\"wrong_clock\",\"count\":1,\"delayMs\":0}");
    send_message(exchange, NULL, MESSAGE);
    assert_sens_error(exchange, 401, "200");
    assert_int_equal(exchange_count_lines("/log", ""), 0);
}

static void test_kakao_quiet_hours_by_the_clock(void **state) {
    static const struct {
        const char *clock;
        bool quiet;
    } TIMES[] = {{"20:49", false}, {"20:50", true}, {"23:59", true},
                 {"00:00", true},  {"07:59", true}, {"08:00", false}};
    struct exchange *exchange = *state;
    char body[64];
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
        snprintf(body, sizeof(body), "{\"kst\":\"%s\"}", TIMES[i].clock);
        assert_int_equal(exchange_send(exchange, "PUT", "/kakao/clock", body), 200);
        send_message(exchange, NULL, MESSAGE);
        if (TIMES[i].quiet) {
            assert_sens_error(exchange, 400, "3022");
        } else {
            assert_int_equal(exchange->status, 202);
        }
    }
    assert_int_equal(exchange_send(exchange, "PUT", "/kakao/clock", "{\"kst\":\"8:00\"}"), 400);
    assert_int_equal(exchange_send(exchange, "PUT", "/kakao/clock", "{\"kst\":null}"), 200);
    assert_int_equal(exchange_send(exchange, "PUT", "/kakao/clock", "{\"kst\":\"12:00\"}"), 200);
    exchange_behave("KAKAO_CHANNEL", "{\"mode\":\"quiet_hours\",\"delayMs\":0}");
    send_message(exchange, NULL, MESSAGE);
    assert_sens_error(exchange, 400, "3022");
}

static void test_kakao_bad_messages_are_refused(void **state) {
    static const char *const BAD[] = {
        "",
        "[]",
        "{\"content\":\"a\"}",
        "{\"plusFriendId\":\"@a\"}",
        "{\"plusFriendId\":\"@a\",\"content\":\"a\",\"targeting\":\"F\"}",
        "{\"plusFriendId\":\"@a\",\"content\":\"a\",\"buttons\":[{\"name\":\"아홉글자가되는단추\"}]}",
        "{\"plusFriendId\":\"@a\",\"content\":\"a\",\"buttons\":[{}]}",
    };
    struct exchange *exchange = *state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        send_message(exchange, NULL, BAD[i]);
        assert_sens_error(exchange, 400, "400");
    }
    assert_int_equal(send_message(exchange, NULL,
                                  "{\"plusFriendId\":\"@a\",\"messages\":[{\"to\":\"01012345678\",\"content\":\"a\","
                                  "\"buttons\":[{\"name\":\"여덟글자인단추요\"}]}]}"),
                     202);
}

static void test_kakao_text_is_shorter_with_a_picture(void **state) {
    struct exchange *exchange = *state;
    char text[401 * 3 + 1] = "", body[2048];
    for (int i = 1; i <= 401; i++) {
        strcat(text, "가");
        if (i != 300 && i != 301 && i != 400 && i != 401) {
            continue;
        }
        snprintf(body, sizeof(body), "{\"plusFriendId\":\"@a\",\"content\":\"%s\"}", text);
        assert_int_equal(send_message(exchange, NULL, body), i <= 400 ? 202 : 400);
        snprintf(body, sizeof(body), "{\"plusFriendId\":\"@a\",\"content\":\"%s\",\"imageUrl\":\"https://x.test\"}",
                 text);
        assert_int_equal(send_message(exchange, NULL, body), i <= 300 ? 202 : 400);
    }
}

static void test_kakao_fails_at_the_step_told(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("KAKAO_CHANNEL",
                    "{\"step\":\"look_up\",\"error\":{\"code\":\"500\"},\"status\":500,\"delayMs\":0}");
    assert_int_equal(send_message(exchange, "evt_1", MESSAGE), 202);
    look_up(exchange, SERVICE "?idempotencyKey=evt_1");
    assert_sens_error(exchange, 500, "500");
    exchange_behave("KAKAO_CHANNEL", "{\"mode\":\"no_id\",\"step\":\"send\",\"delayMs\":0}");
    assert_int_equal(send_message(exchange, "evt_2", MESSAGE), 202);
    assert_null(strstr(exchange->answer, "requestId"));
}

#define KAKAO_TEST(name) cmocka_unit_test_setup_teardown(name, start_kakao, stop_kakao)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kakao_signature_known_answer), KAKAO_TEST(test_kakao_message_is_accepted_and_logged),
        KAKAO_TEST(test_kakao_repeated_key_is_an_error),     KAKAO_TEST(test_kakao_look_up_by_key_after_a_reset),
        KAKAO_TEST(test_kakao_badly_signed_is_unauthorized), KAKAO_TEST(test_kakao_quiet_hours_by_the_clock),
        KAKAO_TEST(test_kakao_bad_messages_are_refused),     KAKAO_TEST(test_kakao_text_is_shorter_with_a_picture),
        KAKAO_TEST(test_kakao_fails_at_the_step_told),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
