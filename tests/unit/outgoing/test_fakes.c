/* The fake channels: what tests rely on when they count posts. */
#include "deploy/fakes/signature.h"
#include "server/runtime/call.h"
#include "tests/unit/outgoing/fakes_exchange.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- tests ------------------------------------------------------------------------------------------------------- */

static int start(void **state) {
    exchange_start((struct fakes_options){.all_webhooks = true});
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int start_as_they_are(void **state) {
    exchange_start((struct fakes_options){0});
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int stop(void **state) {
    exchange_stop();
    free(*state);
    return 0;
}

static void test_fakes_post_signed_is_accepted_and_logged(void **state) {
    struct exchange *exchange = *state;
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_memory_equal(exchange->answer, "{\"id\":\"instagram-", 17);
    char remote_id[256];
    snprintf(remote_id, sizeof(remote_id), "%.200s", exchange->answer);

    assert_int_equal(exchange_get(exchange, "/log"), 200);
    assert_non_null(strstr(exchange->answer, "\"channel\":\"INSTAGRAM\",\"event_id\":\"e-1\","
                                             "\"idempotency_key\":\"evt_1\",\"remote_id\":\"instagram-"));
    assert_non_null(strstr(exchange->answer, "\"duplicate\":false}\n"));
    json_t *line = json_loads(exchange->answer, JSON_DISABLE_EOF_CHECK, NULL);
    json_int_t received_ms = json_integer_value(json_object_get(line, "received_ms"));
    json_int_t answered_ms = json_integer_value(json_object_get(line, "answered_ms"));
    assert_true(received_ms > clock_wall_us() / 1000 - 60000 && answered_ms >= received_ms);
    json_decref(line);

    assert_int_equal(exchange_get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 200);
    assert_string_equal(exchange->answer, remote_id);
    assert_int_equal(exchange_get(exchange, "/channels/INSTAGRAM/posts/evt_2"), 404);
    assert_int_equal(exchange_get(exchange, "/channels/RINGO_BIZ/posts/evt_1"), 404);
}

static void test_fakes_post_repeated_is_logged_as_duplicate(void **state) {
    struct exchange *exchange = *state;
    char remote_id[256];
    exchange_post(exchange, "evt_1");
    snprintf(remote_id, sizeof(remote_id), "%.200s", exchange->answer);
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_string_equal(exchange->answer, remote_id);
    assert_int_equal(exchange_count_lines("/log", "\"duplicate\":false"), 1);
    assert_int_equal(exchange_count_lines("/log", "\"duplicate\":true"), 1);
}

static void test_fakes_delete_log_keeps_the_keys(void **state) {
    struct exchange *exchange = *state;
    exchange_post(exchange, "evt_1");
    *exchange = (struct exchange){.method = "DELETE", .path = "/log"};
    exchange_perform(exchange);
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange_count_lines("/log", ""), 0);
    *exchange = (struct exchange){0};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange_count_lines("/log", "\"duplicate\":true"), 1);
}

static void test_fakes_post_badly_signed_is_unauthorized(void **state) {
    struct exchange *exchange = *state;
    exchange->unsigned_post = true;
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    *exchange = (struct exchange){.clock_skew_s = -301};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    *exchange = (struct exchange){.clock_skew_s = 302};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    exchange_secret.key[0] ^= 1;
    *exchange = (struct exchange){0};
    exchange_post(exchange, "evt_1");
    exchange_secret.key[0] ^= 1;
    assert_int_equal(exchange->status, 401);
    assert_int_equal(exchange_count_lines("/log", ""), 0);
    assert_int_equal(exchange_count_lines("/rejected", "\"status\":401"), 4);
}

static void test_fakes_post_malformed_is_a_bad_request(void **state) {
    static const struct {
        const char *path, *body;
        long status;
    } BAD[] = {
        {"/channels/INSTAGRAM/posts", "", 400},
        {"/channels/INSTAGRAM/posts", "{\"eventId\":", 400},
        {"/channels/INSTAGRAM/posts", "[]", 400},
        {"/channels/INSTAGRAM/posts", "{\"channel\":\"INSTAGRAM\",\"title\":\"t\"}", 400},
        {"/channels/INSTAGRAM/posts", "{\"eventId\":\"e\",\"channel\":\"INSTAGRAM\"}", 400},
        {"/channels/INSTAGRAM/posts", POST_OF("RINGO_BIZ"), 400},
        {"/channels/NOWHERE/posts", POST_OF("INSTAGRAM"), 404},
        {"/channels/INSTAGRAM", POST_OF("INSTAGRAM"), 404},
        {"/elsewhere", POST_OF("INSTAGRAM"), 405},
    };
    struct exchange *exchange = *state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        *exchange = (struct exchange){.path = BAD[i].path, .body = BAD[i].body};
        exchange_post(exchange, "evt_1");
        assert_int_equal(exchange->status, BAD[i].status);
    }
    *exchange = (struct exchange){0};
    exchange_post(exchange, NULL);
    assert_int_equal(exchange->status, 400);
    exchange_post(exchange, "../../etc");
    assert_int_equal(exchange->status, 400);
    assert_int_equal(exchange_count_lines("/log", ""), 0);
}

static void test_fakes_post_too_big_is_refused(void **state) {
    struct exchange *exchange = *state;
    char *body = malloc(30001);
    memset(body, ' ', 30000);
    body[30000] = '\0';
    exchange->body = body;
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 413);
    free(body);
}

static void test_fakes_fail_for_a_count_then_ok(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("INSTAGRAM", "{\"mode\":\"fail\",\"status\":502,\"retryAfterS\":3,\"count\":2,\"delayMs\":1}");
    for (int i = 0; i < 2; i++) {
        *exchange = (struct exchange){0};
        exchange_post(exchange, "evt_1");
        assert_int_equal(exchange->status, 502);
        assert_string_equal(exchange->retry_after, "3");
    }
    *exchange = (struct exchange){0};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange_count_lines("/log", ""), 1);
    assert_int_equal(exchange_count_lines("/rejected", "\"status\":502"), 2);
}

static void test_fakes_reject_is_not_accepted(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("INSTAGRAM", "{\"mode\":\"reject\",\"delayMs\":1}");
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 422);
    assert_int_equal(exchange_get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 404);
}

static void test_fakes_drop_closes_without_accepting(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("INSTAGRAM", "{\"mode\":\"drop\",\"delayMs\":1}");
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_GOT_NOTHING);
    assert_int_equal(exchange_get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 404);
    assert_int_equal(exchange_count_lines("/rejected", "dropped"), 1);
}

static void test_fakes_hang_accepts_and_never_answers(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("INSTAGRAM", "{\"mode\":\"hang\"}");
    exchange->timeout_ms = 200;
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_OPERATION_TIMEDOUT);
    exchange_wait_for_lines("/log", "\"answered_ms\":null", 1);
    assert_int_equal(exchange_get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 200);
}

static void *post_slowly(void *arg) {
    exchange_post(arg, "evt_slow");
    return NULL;
}

static void test_fakes_slow_channel_does_not_delay_others(void **state) {
    struct exchange *exchange = *state, *slow = calloc(1, sizeof(*slow));
    pthread_t thread;
    exchange_behave("INSTAGRAM", "{\"mode\":\"slow\",\"delayMs\":1500}");
    assert_int_equal(pthread_create(&thread, NULL, post_slowly, slow), 0);
    exchange->path = "/channels/RINGO_BIZ/posts";
    exchange->body = POST_OF("RINGO_BIZ");
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange_count_lines("/log", "INSTAGRAM"), 0); /* still at it */
    pthread_join(thread, NULL);
    assert_int_equal(slow->status, 200);
    assert_true(slow->took_us >= 1500000);
    assert_int_equal(exchange_count_lines("/log", "INSTAGRAM"), 1);
    free(slow);
}

static void test_fakes_bad_behaviour_is_a_bad_request(void **state) {
    static const char *const BAD[] = {
        "",
        "{}",
        "[]",
        "{\"mode\":\"lazy\"}",
        "{\"mode\":\"slow\",\"delayMs\":-1}",
        "{\"mode\":\"slow\",\"delayMs\":\"1\"}",
        "{\"mode\":\"fail\",\"status\":200}",
        "{\"mode\":\"ok\",\"colour\":1}",
        "{\"mode\":\"ok\",\"delayMs\":1,\"latency\":{\"ms\":1}}",
        "{\"mode\":\"ok\",\"latency\":{\"minMs\":2,\"maxMs\":1}}",
        "{\"mode\":\"ok\",\"latency\":{\"percentiles\":{\"99\":1,\"50\":2}}}",
        "{\"mode\":\"ok\",\"step\":\"send\"}",
        "{\"mode\":\"quiet_hours\"}",
        "{\"mode\":\"ok\",\"share\":1.5}",
        "{\"error\":{}}",
        "{\"error\":{\"code\":true}}",
        "{\"mode\":\"fail\",\"retryAfterForm\":\"hours\"}",
    };
    struct exchange *exchange = *state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        *exchange = (struct exchange){.method = "PUT", .path = "/channels/INSTAGRAM/behaviour", .body = BAD[i]};
        exchange_perform(exchange);
        assert_int_equal(exchange->status, 400);
    }
    assert_int_equal(exchange_get(exchange, "/channels"), 200);
    assert_non_null(strstr(exchange->answer, "\"INSTAGRAM\":{\"mode\":\"ok\",\"delayMs\":0,"));
}

static void test_fakes_usual_times_differ_by_channel(void **state) {
    struct fake_channels *channels = fakes_channels(exchange_fakes);
    (void)state;
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        fake_channels_set(channels, (enum fake_channel)i, (struct fake_behaviour){.step = FAKE_ANY_STEP});
        uint32_t ms = fake_channels_take(channels, (enum fake_channel)i, FAKE_STEP_POST).delay_ms;
        assert_in_range(ms, 150, 400);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(ms, fake_channels_take(channels, (enum fake_channel)j, FAKE_STEP_POST).delay_ms);
        }
    }
}

static void test_fakes_show_the_delay_in_force(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("GENIE_TV", "{\"mode\":\"ok\"}");
    exchange_behave("RINGO_BIZ", "{\"mode\":\"slow\"}");
    assert_int_equal(exchange_get(exchange, "/channels"), 200);
    assert_non_null(strstr(exchange->answer, "\"WOORIDONGNE_TV\":{\"mode\":\"ok\",\"delayMs\":0,"));
    assert_non_null(strstr(exchange->answer, "\"GENIE_TV\":{\"mode\":\"ok\",\"delayMs\":240,"));
    assert_non_null(strstr(exchange->answer, "\"RINGO_BIZ\":{\"mode\":\"slow\",\"delayMs\":5000,"));
}

static void test_fakes_signature_known_answer_is_valid(void **state) {
    static const char BODY[] = "{\"test\": 2432232314}", ID[] = "msg_p5jXN8AQM9LWM0D4loKWxJek", WHEN[] = "1614265330";
    static const char RIGHT[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    (void)state;
    assert_null(signature_check(&exchange_secret, ID, WHEN, RIGHT, BODY, strlen(BODY), 1614265330 + 300));
    assert_non_null(signature_check(&exchange_secret, ID, WHEN, RIGHT, BODY, strlen(BODY), 1614265330 + 301));
    assert_non_null(signature_check(&exchange_secret, ID, WHEN, RIGHT, BODY, strlen(BODY) - 1, 1614265330));
}

static void test_fakes_webhook_has_no_look_up(void **state) {
    struct exchange *exchange = *state;
    *exchange = (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV")};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange_get(exchange, "/channels/GENIE_TV/posts/evt_1"), 404);
    assert_int_equal(exchange_get(exchange, "/channels/GENIE_TV/posts"), 405);
    *exchange = (struct exchange){0};
    exchange_post(exchange, "evt_1"); /* to INSTAGRAM, which is no webhook */
    assert_int_equal(exchange->status, 404);
}

static void test_fakes_header_names_the_event(void **state) {
    struct exchange *exchange = *state;
    *exchange = (struct exchange){
        .path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV"), .headers = {"x-herald-event: e-9"}};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(exchange_count_lines("/log", "\"event_id\":\"e-9\""), 1);
}

static void test_fakes_error_has_code_and_message(void **state) {
    struct exchange *exchange = *state;
    *exchange =
        (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV"), .clock_skew_s = -301};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    json_t *answer = exchange_json(exchange), *error = json_object_get(answer, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "bad_signature");
    assert_string_equal(json_string_value(json_object_get(error, "message")),
                        "webhook-timestamp is more than 5 minutes away");
    json_decref(answer);
}

/* GENIE_TV has two secrets of its own, as while one takes the place of the other; the others have one together. */
static void test_fakes_each_channel_has_its_secrets(void **state) {
    struct exchange *exchange = *state;
    struct fakes_secret secrets[3] = {
        {.channel = FAKE_GENIE_TV}, {.channel = FAKE_GENIE_TV}, {.channel = FAKE_CHANNEL_COUNT}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(webhook_secret_parse(EXCHANGE_SECRET, &secrets[i].secret, NULL), HERALD_OK);
        secrets[i].secret.key[0] = (unsigned char)i;
    }
    exchange_stop();
    exchange_start((struct fakes_options){.secrets = secrets, .secret_count = 3});
    for (int i = 0; i < 3; i++) {
        exchange_secret.key[0] = (unsigned char)i;
        *exchange = (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV")};
        exchange_post(exchange, "evt_1");
        assert_int_equal(exchange->status, i < 2 ? 200 : 401);
        *exchange = (struct exchange){.path = "/channels/RINGO_BIZ/posts", .body = POST_OF("RINGO_BIZ")};
        exchange_post(exchange, "evt_1");
        assert_int_equal(exchange->status, i < 2 ? 401 : 200);
    }
}

static void test_fakes_start_on_a_taken_port_is_unavailable(void **state) {
    (void)state;
    struct fakes *second = NULL;
    struct herald_error error;
    struct fakes_options options = {.host = "127.0.0.1",
                                    .port = (uint16_t)atoi(strrchr(fakes_url(exchange_fakes), ':') + 1)};
    assert_int_equal(fakes_start(&options, &second, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "CANNOT_LISTEN");
    assert_non_null(strstr(error.message, "--listen"));
    assert_null(second);
}

static void test_fakes_stop_ends_what_hangs(void **state) {
    struct exchange *exchange = *state, *look = calloc(1, sizeof(*look));
    pthread_t thread;
    exchange_behave("INSTAGRAM", "{\"mode\":\"slow\",\"delayMs\":600000}");
    exchange->timeout_ms = 20000;
    assert_int_equal(pthread_create(&thread, NULL, post_slowly, exchange), 0);
    uint64_t patience_us = clock_now_us() + 10000000;
    while (exchange_get(look, "/channels/INSTAGRAM/posts/evt_slow") != 202) { /* until the slow one has arrived */
        assert_true(clock_now_us() < patience_us);
    }
    free(look);
    uint64_t begun_us = clock_now_us();
    exchange_stop();
    pthread_join(thread, NULL);
    assert_true(clock_now_us() - begun_us < 10000000);
    assert_int_not_equal(exchange->status, 200);
}

#define FAKES_TEST(name)       cmocka_unit_test_setup_teardown(name, start, stop)
#define AS_THEY_ARE_TEST(name) cmocka_unit_test_setup_teardown(name, start_as_they_are, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKES_TEST(test_fakes_post_signed_is_accepted_and_logged),
        FAKES_TEST(test_fakes_post_repeated_is_logged_as_duplicate),
        FAKES_TEST(test_fakes_delete_log_keeps_the_keys),
        FAKES_TEST(test_fakes_post_badly_signed_is_unauthorized),
        FAKES_TEST(test_fakes_post_malformed_is_a_bad_request),
        FAKES_TEST(test_fakes_post_too_big_is_refused),
        FAKES_TEST(test_fakes_fail_for_a_count_then_ok),
        FAKES_TEST(test_fakes_reject_is_not_accepted),
        FAKES_TEST(test_fakes_drop_closes_without_accepting),
        FAKES_TEST(test_fakes_hang_accepts_and_never_answers),
        FAKES_TEST(test_fakes_slow_channel_does_not_delay_others),
        FAKES_TEST(test_fakes_bad_behaviour_is_a_bad_request),
        FAKES_TEST(test_fakes_usual_times_differ_by_channel),
        FAKES_TEST(test_fakes_show_the_delay_in_force),
        FAKES_TEST(test_fakes_signature_known_answer_is_valid),
        AS_THEY_ARE_TEST(test_fakes_webhook_has_no_look_up),
        AS_THEY_ARE_TEST(test_fakes_header_names_the_event),
        AS_THEY_ARE_TEST(test_fakes_error_has_code_and_message),
        AS_THEY_ARE_TEST(test_fakes_each_channel_has_its_secrets),
        FAKES_TEST(test_fakes_start_on_a_taken_port_is_unavailable),
        FAKES_TEST(test_fakes_stop_ends_what_hangs),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
