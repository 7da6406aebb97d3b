/* Kakao brand messages: what is sent, and what each answer of the dealer means. */
#include "adapter_step.h"
#include "herald/json.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/text/content_limits.h"
#include "server/outgoing/sens.h"
#include "tests/unit/outgoing/peer.h"
#include "tests/unit/runtime/run.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define KEY     "evt_00112233445566778899aabbccddeeff"
#define EVENT   "0c5f3b1e-0000-4000-8000-000000000001"
#define SERVICE "ncp:kkobizmsg:kr:123:shop"
#define PATH    "/kakao/brandmessage/v2/services/" SERVICE "/messages"

/* A dealer with one answer for all, and a delivery to it. */
struct dealer {
    struct peer *peer;
    char url[64];
    struct channel_setup setup;
    Herald__Distribution__V1__Content content;
};

static void dealer_start(struct dealer *dealer, enum peer_fault fault, const char *answer) {
    dealer->peer = peer_start(fault, answer);
    snprintf(dealer->url, sizeof(dealer->url), "http://127.0.0.1:%d/kakao/", peer_port(dealer->peer));
    dealer->setup = (struct channel_setup){
        .url = dealer->url,
        .base = "",
        .secret = "secret",
        .account = SERVICE,
        .key = "access",
        .sender = "@shop",
        .option = "I",
        .timeout_ms = 30000,
    };
    dealer->content = step_content();
}

static struct adapter_delivery kakao_delivery(const struct dealer *dealer) {
    return (struct adapter_delivery){
        .row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL),
        .setup = &dealer->setup,
        .event_id = EVENT,
        .owner = "",
        .content = &dealer->content,
        .key = KEY,
        .step_id = "",
    };
}

static char *http_answer(int status, const char *headers, const char *body) {
    char *text = NULL;
    assert_true(
        asprintf(&text, "HTTP/1.1 %d X\r\n%scontent-length: %zu\r\n\r\n%s", status, headers, strlen(body), body) > 0);
    return text;
}

/* One step at a dealer that gives this answer. */
static struct step_answer ask(enum step_kind kind, int status, const char *headers, const char *body) {
    struct dealer dealer;
    char *answer = http_answer(status, headers, body);
    dealer_start(&dealer, PEER_ANSWERS, answer);
    struct step_answer result = step_run(kind, kakao_delivery(&dealer));
    assert_int_equal(peer_requests(dealer.peer), 1);
    peer_stop(dealer.peer);
    free(answer);
    return result;
}

/* ---- what is sent ---- */

/* The value of a header in a request; static. */
static const char *header_in(const char *request, const char *name) {
    static char value[256];
    char line[64];
    snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *at = strcasestr(request, line);
    assert_non_null(at);
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static void assert_signed(const char *request, const char *method, const char *path) {
    char expected[SENS_SIGNATURE_BYTES], first_line[256];
    snprintf(first_line, sizeof(first_line), "%s %s HTTP/1.1\r\n", method, path);
    assert_memory_equal(request, first_line, strlen(first_line));
    int64_t timestamp_ms = strtoll(header_in(request, "x-ncp-apigw-timestamp"), NULL, 10);
    assert_true(llabs(timestamp_ms - (int64_t)time(NULL) * 1000) < 60000);
    assert_true(sens_sign("secret", method, path, timestamp_ms, "access", expected));
    assert_string_equal(header_in(request, "x-ncp-apigw-signature-v2"), expected);
    assert_string_equal(header_in(request, "x-ncp-iam-access-key"), "access");
}

static void test_kakao_message_is_signed_and_has_its_key(void **state) {
    (void)state;
    struct dealer dealer;
    char *accepted = http_answer(202, "", "{\"requestId\":\"r-1\",\"statusCode\":\"202\",\"statusName\":\"success\"}");
    dealer_start(&dealer, PEER_ANSWERS, accepted);
    struct step_answer answer = step_run(STEP_OF_COMMIT, kakao_delivery(&dealer));
    assert_int_equal(answer.meaning, MEANS_ACCEPTED);
    assert_string_equal(answer.remote_id, "r-1");
    assert_string_equal(answer.message, "");
    const char *request = peer_last_request(dealer.peer);
    assert_signed(request, "POST", PATH);
    assert_string_equal(header_in(request, "idempotency-key"), KEY);
    assert_string_equal(header_in(request, "x-herald-event"), EVENT);
    assert_string_equal(header_in(request, "content-type"), "application/json; charset=utf-8");

    json_t *body = json_loads(strstr(request, "\r\n\r\n") + 4, 0, NULL);
    assert_non_null(body);
    assert_string_equal(json_string_value(json_object_get(body, "plusFriendId")), "@shop");
    assert_string_equal(json_string_value(json_object_get(body, "targeting")), "I");
    assert_string_equal(json_string_value(json_object_get(body, "messageType")), "IMAGE");
    assert_string_equal(json_string_value(json_object_get(body, "imageUrl")),
                        "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.wide.jpg");
    assert_string_equal(
        json_string_value(json_object_get(body, "content")),
        "여름 이벤트\n\n경품: 떡볶이 1인분\n\n줄을 서시오.\n두 번째 줄.\n\n한강 분식\n서울시 마포구 1\n02-123-4567");
    assert_int_equal(json_object_size(body), 5);
    json_decref(body);
    peer_stop(dealer.peer);
    free(accepted);
}

static void test_kakao_look_up_is_signed_with_its_query(void **state) {
    (void)state;
    struct dealer dealer;
    char *none = http_answer(404, "", "");
    dealer_start(&dealer, PEER_ANSWERS, none);
    (void)step_run(STEP_OF_LOOK_UP, kakao_delivery(&dealer));
    assert_signed(peer_last_request(dealer.peer), "GET", PATH "?idempotencyKey=" KEY);
    peer_stop(dealer.peer);
    free(none);
}

static void test_kakao_service_that_breaks_a_path_is_encoded(void **state) {
    (void)state;
    struct dealer dealer;
    char *none = http_answer(404, "", "");
    dealer_start(&dealer, PEER_ANSWERS, none);
    dealer.setup.account = "a/../b?c d";
    (void)step_run(STEP_OF_LOOK_UP, kakao_delivery(&dealer));
    assert_signed(peer_last_request(dealer.peer), "GET",
                  "/kakao/brandmessage/v2/services/a%2F..%2Fb%3Fc%20d/messages?idempotencyKey=" KEY);
    peer_stop(dealer.peer);
    free(none);
}

static void test_kakao_is_configured_with_all_settings_only(void **state) {
    (void)state;
    const struct channel_setup whole = {
        .url = "https://sens.apigw.ntruss.com", .account = "s", .key = "k", .secret = "x", .sender = "@shop"};
    assert_true(kakao_adapter.is_configured(&whole));
    for (int missing = 0; missing < 5; missing++) {
        struct channel_setup setup = whole;
        const char **members[] = {&setup.url, &setup.account, &setup.key, &setup.secret, &setup.sender};
        *members[missing] = "";
        assert_false(kakao_adapter.is_configured(&setup));
    }
}

/* ---- limits and preview ---- */

static struct step_preview preview_of(Herald__Distribution__V1__Content content) {
    struct dealer dealer = {
        .setup = {.url = "https://sens.apigw.ntruss.com///",
                  .secret = "geheim",
                  .account = "s1",
                  .key = "schluessel",
                  .sender = "@shop",
                  .option = "I"},
        .content = content,
    };
    return step_preview_run(kakao_delivery(&dealer));
}

static void test_kakao_preview_shows_the_request_without_secrets(void **state) {
    (void)state;
    struct step_preview preview = preview_of(step_content());
    assert_int_equal(preview.code, HERALD_OK);
    assert_int_equal(preview.requests, 1);
    assert_string_equal(preview.url, "https://sens.apigw.ntruss.com/brandmessage/v2/services/s1/messages");
    assert_string_equal(preview.headers, "content-type: application/json; charset=utf-8\nidempotency-key: " KEY);
    assert_null(strstr(preview.body, "geheim"));
    assert_null(strstr(preview.body, "schluessel"));
    assert_string_equal(preview.pictures,
                        "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.wide.jpg");
    assert_string_equal(preview.problems, "");
    step_preview_fini(&preview);
}

static void repeat(char *to, const char *character, size_t count) {
    to[0] = '\0';
    while (count-- > 0) {
        strcat(to, character);
    }
}

static void test_kakao_long_text_is_cut_to_300_characters(void **state) {
    (void)state;
    char text[3001];
    repeat(text, "가", 1000);
    Herald__Distribution__V1__Content content = step_content();
    content.text = text;
    struct step_preview preview = preview_of(content);
    assert_int_equal(text_count(preview.caption, TEXT_CODE_POINTS), 300);
    assert_non_null(strstr(preview.caption, "…"));
    assert_non_null(strstr(preview.caption, "02-123-4567"));
    assert_string_equal(preview.problems, "");
    step_preview_fini(&preview);
}

static void test_kakao_text_without_a_picture_has_400_characters(void **state) {
    (void)state;
    char text[3001];
    repeat(text, "가", 1000);
    Herald__Distribution__V1__Content content = step_content();
    content.text = text;
    content.jpeg_url = "";
    struct dealer dealer = {.setup = {.url = "http://x", .account = "s", .sender = "@shop", .option = "M"},
                            .content = content};
    struct step_preview preview = step_preview_run(kakao_delivery(&dealer));
    assert_int_equal(text_count(preview.caption, TEXT_CODE_POINTS), 400);
    assert_non_null(strstr(preview.body, "\"messageType\":\"TEXT\""));
    assert_non_null(strstr(preview.body, "\"targeting\":\"M\""));
    assert_null(strstr(preview.body, "imageUrl"));
    step_preview_fini(&preview);
}

static void test_kakao_parts_that_cannot_be_cut_are_a_problem(void **state) {
    (void)state;
    char title[241], prize[361], address[361];
    repeat(title, "가", 80);
    repeat(prize, "나", 120);
    repeat(address, "다", 120);
    Herald__Distribution__V1__Content content = step_content();
    content.title = title;
    content.prize = prize;
    content.store_info->address = address;
    struct step_preview preview = preview_of(content);
    assert_string_equal(preview.problems, "TOO_LONG");
    step_preview_fini(&preview);
}

/* ---- what is answered ---- */

static void test_kakao_answers_mean_what_the_table_says(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum meaning meaning;
        enum herald_reason reason;
    } ROWS[] = {
        {202, "{\"requestId\":\"a\"}", MEANS_ACCEPTED, HERALD_REASON_NONE},
        {200, "", MEANS_ACCEPTED, HERALD_REASON_NONE},
        {202, "{\"error\":{\"errorCode\":\"3022\"},\"statusName\":\"fail\"}", MEANS_ACCEPTED, HERALD_REASON_NONE},
        {400, "{\"error\":{\"code\":\"3022\"}}", MEANS_QUIET, HERALD_REASON_QUIET_HOURS},
        {400, "{\"statusCode\":3022}", MEANS_QUIET, HERALD_REASON_QUIET_HOURS},
        {400, "{\"error\":{\"errorCode\":\"-1005\"}}", MEANS_UNKNOWN, HERALD_REASON_KEY_REPEATED},
        {409, "{\"code\":-1005}", MEANS_UNKNOWN, HERALD_REASON_KEY_REPEATED},
        {409, "", MEANS_UNKNOWN, HERALD_REASON_KEY_REPEATED},
        {401, "{\"error\":{\"errorCode\":\"200\"}}", MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH},
        {403, "", MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH},
        {408, "", MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE},
        {421, "", MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE},
        {425, "", MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE},
        {429, "{\"error\":{\"errorCode\":\"400\"}}", MEANS_QUOTA, HERALD_REASON_QUOTA},
        {429, "{\"error\":{\"errorCode\":\"420\"}}", MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED},
        {429, "", MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED},
        {400, "{\"error\":{\"errorCode\":\"400\"}}", MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED},
        {404, "", MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED},
        {422, "", MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED},
        {302, "", MEANS_REJECT, HERALD_REASON_CHANNEL_REDIRECTED},
        {500, "", MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR},
        {503, "{\"error\":{\"errorCode\":\"500\"}}", MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR},
        {504, "<html>", MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR},
        {777, "", MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct step_answer answer = ask(STEP_OF_COMMIT, ROWS[i].status, "", ROWS[i].body);
        if (answer.meaning != ROWS[i].meaning || answer.reason != ROWS[i].reason) {
            fail_msg("row %zu, status %d: meaning %d, reason %s", i, ROWS[i].status, (int)answer.meaning,
                     herald_reason_name(answer.reason));
        }
    }
}

static void test_kakao_refusal_says_status_code_and_words(void **state) {
    (void)state;
    struct step_answer answer =
        ask(STEP_OF_COMMIT, 400, "", "{\"error\":{\"errorCode\":\"3018\",\"message\":\"차단\\u0007된\\u202e 채널\"}}");
    assert_string_equal(answer.message,
                        "the dealer refused the post for good (HTTP status 400, code 3018: 차단된 채널)");
}

static void test_kakao_words_are_cut_between_characters(void **state) {
    (void)state;
    char words[3001], body[3100];
    repeat(words, "한", 1000);
    snprintf(body, sizeof(body), "{\"error\":{\"errorCode\":\"3018\",\"message\":\"a%s\"}}", words);
    struct step_answer answer = ask(STEP_OF_COMMIT, 400, "", body);
    const char *at = strstr(answer.message, ": a");
    assert_non_null(at);
    assert_int_equal(strlen(at + 2), 199 + 1); /* 'a', 66 whole characters, and ')' */
}

static void test_kakao_refused_signature_beside_a_skewed_clock_blames_the_clock(void **state) {
    (void)state;
    struct step_answer answer = ask(STEP_OF_COMMIT, 401, "date: Thu, 01 Jan 2015 00:00:00 GMT\r\n", "");
    assert_int_equal(answer.meaning, MEANS_CLOCK);
    assert_int_equal(answer.reason, HERALD_REASON_CLOCK_SKEW);
}

static void test_kakao_retry_after_is_kept(void **state) {
    (void)state;
    struct step_answer answer = ask(STEP_OF_COMMIT, 429, "retry-after: 7200\r\n", "");
    int64_t ahead_s = answer.retry_at_us / 1000000 - (int64_t)time(NULL);
    assert_true(ahead_s > 7100 && ahead_s <= 7201);
}

static void test_kakao_hostile_bodies_change_nothing(void **state) {
    (void)state;
    static char deep[4001], wide_number[5000];
    memset(deep, '[', 2000); /* as deep as jansson reads */
    memset(deep + 2000, ']', 2000);
    memset(wide_number, '9', sizeof(wide_number) - 1);
    char number_body[11000];
    snprintf(number_body, sizeof(number_body), "{\"error\":{\"errorCode\":%s},\"requestId\":%s}", wide_number,
             wide_number);
    const char *const bodies[] = {
        deep,
        number_body,
        "[]",
        "null",
        "{\"error\":[{\"errorCode\":\"3022\"}]}",
        "{\"error\":{\"errorCode\":\"3022 \"}}",
        "{\"error\":{\"errorCode\":\"\"}}",
        "{\"error\":{\"errorCode\":\"-\"}}",
        "{\"error\":{\"errorCode\":\"+3022\"}}",
        "{\"error\":{\"errorCode\":30221234567890}}",
        "{\"error\":{\"errorCode\":3022.0}}",
        "{\"error\":{\"errorCode\":{\"a\":3022}},\"message\":[1]}",
        "{\"error\":{\"errorCode\":\"3022\"",
        "\xff\xfe{}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct step_answer refused = ask(STEP_OF_COMMIT, 400, "", bodies[i]);
        struct step_answer accepted = ask(STEP_OF_COMMIT, 202, "", bodies[i]);
        struct step_answer looked_up = ask(STEP_OF_LOOK_UP, 200, "", bodies[i]);
        if (refused.meaning != MEANS_REJECT || accepted.meaning != MEANS_ACCEPTED ||
            looked_up.meaning != MEANS_UNKNOWN) {
            fail_msg("body %zu: %d, %d, %d", i, (int)refused.meaning, (int)accepted.meaning, (int)looked_up.meaning);
        }
        assert_string_equal(accepted.remote_id, "");
    }
}

static void test_kakao_numeric_id_keeps_its_digits(void **state) {
    (void)state;
    struct step_answer answer = ask(STEP_OF_COMMIT, 202, "", "{\"requestId\":123456789012345678901234567890}");
    assert_string_equal(answer.remote_id, "123456789012345678901234567890");
}

/* ---- lost answers ---- */

static void test_kakao_cut_body_of_an_acceptance_is_one(void **state) {
    (void)state;
    struct dealer dealer;
    dealer_start(&dealer, PEER_ANSWERS, "HTTP/1.1 202 Accepted\r\ncontent-length: 500\r\n\r\n{\"requestId\":\"r-1");
    struct step_answer answer = step_run(STEP_OF_COMMIT, kakao_delivery(&dealer));
    assert_int_equal(answer.meaning, MEANS_ACCEPTED);
    assert_string_equal(answer.remote_id, "");
    answer = step_run(STEP_OF_LOOK_UP, kakao_delivery(&dealer)); /* 202: it has not decided */
    assert_int_equal(answer.meaning, MEANS_NOT_YET);
    peer_stop(dealer.peer);
}

static void test_kakao_cut_look_up_proves_nothing(void **state) {
    (void)state;
    struct dealer dealer;
    dealer_start(&dealer, PEER_ANSWERS, "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"messages\":[]");
    assert_int_equal(step_run(STEP_OF_LOOK_UP, kakao_delivery(&dealer)).meaning, MEANS_UNKNOWN);
    peer_stop(dealer.peer);
}

static void test_kakao_silence_after_the_post_is_unknown_and_looked_up(void **state) {
    (void)state;
    struct dealer dealer;
    dealer_start(&dealer, PEER_READS_AND_HANGS, "");
    dealer.setup.timeout_ms = 100;
    struct step_answer answer = step_run(STEP_OF_COMMIT, kakao_delivery(&dealer));
    assert_int_equal(answer.meaning, MEANS_UNKNOWN);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_TIMEOUT);
    assert_int_equal(peer_requests(dealer.peer), 1);
    answer = step_run(STEP_OF_LOOK_UP, kakao_delivery(&dealer));
    assert_int_not_equal(answer.meaning, MEANS_NOT_THERE);
    assert_int_not_equal(answer.meaning, MEANS_ACCEPTED);
    peer_stop(dealer.peer);
    answer =
        ask(STEP_OF_LOOK_UP, 200, "", "{\"requestId\":\"r-9\",\"messages\":[{\"requestStatusName\":\"success\"}]}");
    assert_int_equal(answer.meaning, MEANS_ACCEPTED);
    assert_string_equal(answer.remote_id, "r-9");
}

static void test_kakao_connection_that_ends_after_the_post_is_unknown(void **state) {
    (void)state;
    struct dealer dealer;
    dealer_start(&dealer, PEER_READS_THEN_CLOSES, "");
    struct step_answer answer = step_run(STEP_OF_COMMIT, kakao_delivery(&dealer));
    assert_int_equal(answer.meaning, MEANS_UNKNOWN);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_LOST);
    assert_int_equal(peer_requests(dealer.peer), 1);
    peer_stop(dealer.peer);
    dealer.setup.url = "http://127.0.0.1:1/kakao"; /* where nobody listens */
    answer = step_run(STEP_OF_COMMIT, kakao_delivery(&dealer));
    assert_int_equal(answer.meaning, MEANS_RETRY);
    assert_int_equal(answer.reason, HERALD_REASON_CHANNEL_UNREACHABLE);
}

static void test_kakao_look_ups_prove_what_their_body_says(void **state) {
    (void)state;
#define OURS "\"idempotencyKey\":\"" KEY "\""
    static const struct {
        int status;
        const char *body;
        enum meaning meaning;
        const char *remote_id;
    } ROWS[] = {
        {200, "{\"requestId\":\"r\"," OURS ",\"messages\":[{\"messageStatusName\":\"success\"}]}", MEANS_ACCEPTED, "r"},
        {200, "{\"messages\":[{\"requestId\":\"m\",\"requestStatusName\":\"processing\"}]}", MEANS_ACCEPTED, "m"},
        {200, "{\"requestId\":\"r\"}", MEANS_ACCEPTED, "r"},
        {200, "{\"messages\":[]}", MEANS_NOT_THERE, ""},
        {200, "{\"requestId\":\"r\",\"messages\":[]}", MEANS_UNKNOWN, ""},
        {200, "{}", MEANS_UNKNOWN, ""},
        {200, "{\"messages\":{}}", MEANS_UNKNOWN, ""},
        {200, "{\"messages\":[7]}", MEANS_UNKNOWN, ""},
        {200, "{\"requestId\":\"r\",\"idempotencyKey\":\"another\"}", MEANS_UNKNOWN, ""},
        {200, "{\"messages\":[{\"requestId\":\"r\",\"idempotencyKey\":\"another\"}]}", MEANS_UNKNOWN, ""},
        {200, "{\"messages\":[{\"requestId\":\"a\"},{\"requestId\":\"b\"}]}", MEANS_UNKNOWN, ""},
        {200, "{\"requestId\":\"r\",\"messages\":[{\"messageStatusName\":\"fail\",\"messageStatusCode\":\"3018\"}]}",
         MEANS_REJECT, "r"},
        {200, "{\"requestId\":\"r\",\"messages\":[{\"messageStatusName\":\"fail\",\"messageStatusCode\":\"3022\"}]}",
         MEANS_NOT_THERE, "r"},
        {200, "{\"requestId\":\"r\",\"messages\":[{\"messageStatusName\":\"fail\",\"messageStatusCode\":\"3005\"}]}",
         MEANS_UNKNOWN, "r"},
        {200,
         "{\"requestId\":\"r\",\"messages\":[{\"messageStatusName\":\"fail\"},{\"messageStatusName\":\"success\"}]}",
         MEANS_ACCEPTED, "r"},
        {200, "{\"requestId\":\"r\",\"statusName\":\"fail\",\"statusCode\":\"3022\"}", MEANS_NOT_THERE, "r"},
        {202, "{\"statusName\":\"processing\"}", MEANS_NOT_YET, ""},
        {404, "", MEANS_NOT_THERE, ""},
        {404, "{\"error\":{\"errorCode\":\"300\",\"message\":\"Not Found Exception\"}}", MEANS_UNKNOWN, ""},
        {204, "", MEANS_UNKNOWN, ""},
        {400, "{\"error\":{\"errorCode\":\"400\"}}", MEANS_UNKNOWN, ""},
        {401, "", MEANS_REAUTH, ""},
        {403, "", MEANS_REAUTH, ""},
        {405, "", MEANS_UNKNOWN, ""},
        {429, "", MEANS_THROTTLE, ""},
        {500, "", MEANS_UNKNOWN, ""},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct step_answer answer = ask(STEP_OF_LOOK_UP, ROWS[i].status, "", ROWS[i].body);
        if (answer.meaning != ROWS[i].meaning || strcmp(answer.remote_id, ROWS[i].remote_id) != 0) {
            fail_msg("row %zu: meaning %d, remote id %s", i, (int)answer.meaning, answer.remote_id);
        }
    }
}

static void test_kakao_repeated_key_is_asked_for_and_found(void **state) {
    (void)state;
    struct step_answer refused = ask(STEP_OF_COMMIT, 400, "", "{\"error\":{\"code\":\"-1005\"}}");
    assert_int_equal(refused.meaning, MEANS_UNKNOWN);
    assert_true(channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL)->can.look_up);
    struct step_answer found =
        ask(STEP_OF_LOOK_UP, 200, "", "{\"requestId\":\"first\"," OURS ",\"statusName\":\"success\"}");
    assert_int_equal(found.meaning, MEANS_ACCEPTED);
    assert_string_equal(found.remote_id, "first");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kakao_message_is_signed_and_has_its_key),
        cmocka_unit_test(test_kakao_look_up_is_signed_with_its_query),
        cmocka_unit_test(test_kakao_service_that_breaks_a_path_is_encoded),
        cmocka_unit_test(test_kakao_is_configured_with_all_settings_only),
        cmocka_unit_test(test_kakao_preview_shows_the_request_without_secrets),
        cmocka_unit_test(test_kakao_long_text_is_cut_to_300_characters),
        cmocka_unit_test(test_kakao_text_without_a_picture_has_400_characters),
        cmocka_unit_test(test_kakao_parts_that_cannot_be_cut_are_a_problem),
        cmocka_unit_test(test_kakao_answers_mean_what_the_table_says),
        cmocka_unit_test(test_kakao_refusal_says_status_code_and_words),
        cmocka_unit_test(test_kakao_words_are_cut_between_characters),
        cmocka_unit_test(test_kakao_refused_signature_beside_a_skewed_clock_blames_the_clock),
        cmocka_unit_test(test_kakao_retry_after_is_kept),
        cmocka_unit_test(test_kakao_hostile_bodies_change_nothing),
        cmocka_unit_test(test_kakao_numeric_id_keeps_its_digits),
        cmocka_unit_test(test_kakao_cut_body_of_an_acceptance_is_one),
        cmocka_unit_test(test_kakao_cut_look_up_proves_nothing),
        cmocka_unit_test(test_kakao_silence_after_the_post_is_unknown_and_looked_up),
        cmocka_unit_test(test_kakao_connection_that_ends_after_the_post_is_unknown),
        cmocka_unit_test(test_kakao_look_ups_prove_what_their_body_says),
        cmocka_unit_test(test_kakao_repeated_key_is_asked_for_and_found),
    };
    return cmocka_run_group_tests_name("distribution.kakao", tests, NULL, NULL);
}
