/* The fake channels: what tests rely on when they count posts. */
#include "deploy/fakes/fakes.h"
#include "server/runtime/call.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static struct webhook_secret secret;
static struct fakes *fakes;

/* --- one request ------------------------------------------------------------------------------------------------- */

struct exchange {
    const char *method, *path, *body, *key;
    int64_t clock_skew_s;
    bool unsigned_post;
    long timeout_ms; /* 0: 10 s */
    CURLcode result;
    long status;
    char answer[65536];
    size_t answer_bytes;
    char retry_after[16];
    uint64_t took_us;
};

static size_t on_answer(char *data, size_t size, size_t count, void *user) {
    struct exchange *exchange = user;
    size_t bytes = size * count;
    if (bytes >= sizeof(exchange->answer) - exchange->answer_bytes) {
        return 0;
    }
    memcpy(exchange->answer + exchange->answer_bytes, data, bytes);
    exchange->answer_bytes += bytes;
    exchange->answer[exchange->answer_bytes] = '\0';
    return bytes;
}

static struct curl_slist *sign(const struct exchange *exchange) {
    char header[192], signature[64];
    int64_t now_s = clock_wall_us() / 1000000 + exchange->clock_skew_s;
    struct curl_slist *headers = NULL;
    if (exchange->key == NULL) {
        return NULL;
    }
    snprintf(header, sizeof(header), "webhook-id: %s", exchange->key);
    headers = curl_slist_append(headers, header);
    if (exchange->unsigned_post) {
        return headers;
    }
    webhook_sign(&secret, exchange->key, now_s, exchange->body, strlen(exchange->body), signature, sizeof(signature));
    snprintf(header, sizeof(header), "webhook-timestamp: %" PRId64, now_s);
    headers = curl_slist_append(headers, header);
    snprintf(header, sizeof(header), "webhook-signature: v1,AAAA %s", signature);
    return curl_slist_append(headers, header);
}

static void perform(struct exchange *exchange) {
    char url[512];
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = sign(exchange);
    snprintf(url, sizeof(url), "%s%s", fakes_url(fakes), exchange->path);
    exchange->answer_bytes = 0;
    exchange->answer[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, exchange->timeout_ms > 0 ? exchange->timeout_ms : 10000L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    if (exchange->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
    uint64_t begun_us = clock_now_us();
    exchange->result = curl_easy_perform(easy);
    exchange->took_us = clock_now_us() - begun_us;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &exchange->status);
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    snprintf(exchange->retry_after, sizeof(exchange->retry_after), "%d", (int)retry_after_s);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
}

static long get(struct exchange *exchange, const char *path) {
    *exchange = (struct exchange){.method = "GET", .path = path};
    perform(exchange);
    return exchange->status;
}

static void behave(const char *channel, const char *body) {
    char path[64];
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    snprintf(path, sizeof(path), "/channels/%s/behaviour", channel);
    *exchange = (struct exchange){.method = "PUT", .path = path, .body = body};
    perform(exchange);
    assert_int_equal(exchange->status, 200);
    free(exchange);
}

#define POST_OF(channel) "{\"eventId\":\"e-1\",\"channel\":\"" channel "\",\"title\":\"반값 행사\"}"

static void post(struct exchange *exchange, const char *key) {
    exchange->method = "POST";
    if (exchange->path == NULL) {
        exchange->path = "/channels/INSTAGRAM/posts";
    }
    if (exchange->body == NULL) {
        exchange->body = POST_OF("INSTAGRAM");
    }
    exchange->key = key;
    perform(exchange);
}

/* Lines of a list, and how many of them hold @what. */
static int count_lines(const char *path, const char *what) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    int lines = 0;
    assert_int_equal(get(exchange, path), 200);
    for (char *line = strtok(exchange->answer, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines += strstr(line, what) != NULL;
    }
    free(exchange);
    return lines;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static int start(void **state) {
    struct fakes_options options = {.host = "127.0.0.1", .secret = &secret};
    assert_int_equal(webhook_secret_parse(SECRET, &secret, NULL), HERALD_OK);
    assert_int_equal(fakes_start(&options, &fakes, NULL), HERALD_OK);
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) { /* the usual times would only make the tests slower */
        fake_channels_set(fakes_channels(fakes), (enum fake_channel)i, (struct fake_behaviour){.delay_ms = 1});
    }
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int stop(void **state) {
    fakes_stop(fakes);
    fakes = NULL;
    free(*state);
    return 0;
}

static void test_fakes_post_signed_is_accepted_and_logged(void **state) {
    struct exchange *exchange = *state;
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_memory_equal(exchange->answer, "{\"id\":\"instagram-", 17);
    char remote_id[256];
    snprintf(remote_id, sizeof(remote_id), "%.200s", exchange->answer);

    assert_int_equal(get(exchange, "/log"), 200);
    assert_non_null(strstr(exchange->answer, "\"channel\":\"INSTAGRAM\",\"event_id\":\"e-1\","
                                             "\"idempotency_key\":\"evt_1\",\"remote_id\":\"instagram-"));
    assert_non_null(strstr(exchange->answer, "\"duplicate\":false}\n"));
    json_t *line = json_loads(exchange->answer, JSON_DISABLE_EOF_CHECK, NULL);
    json_int_t received_ms = json_integer_value(json_object_get(line, "received_ms"));
    json_int_t answered_ms = json_integer_value(json_object_get(line, "answered_ms"));
    assert_true(received_ms > clock_wall_us() / 1000 - 60000 && answered_ms >= received_ms);
    json_decref(line);

    assert_int_equal(get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 200);
    assert_string_equal(exchange->answer, remote_id);
    assert_int_equal(get(exchange, "/channels/INSTAGRAM/posts/evt_2"), 404);
    assert_int_equal(get(exchange, "/channels/RINGO_BIZ/posts/evt_1"), 404);
}

static void test_fakes_post_repeated_is_logged_as_duplicate(void **state) {
    struct exchange *exchange = *state;
    char remote_id[256];
    post(exchange, "evt_1");
    snprintf(remote_id, sizeof(remote_id), "%.200s", exchange->answer);
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_string_equal(exchange->answer, remote_id);
    assert_int_equal(count_lines("/log", "\"duplicate\":false"), 1);
    assert_int_equal(count_lines("/log", "\"duplicate\":true"), 1);
}

static void test_fakes_delete_log_keeps_the_keys(void **state) {
    struct exchange *exchange = *state;
    post(exchange, "evt_1");
    *exchange = (struct exchange){.method = "DELETE", .path = "/log"};
    perform(exchange);
    assert_int_equal(exchange->status, 200);
    assert_int_equal(count_lines("/log", ""), 0);
    *exchange = (struct exchange){0};
    post(exchange, "evt_1");
    assert_int_equal(count_lines("/log", "\"duplicate\":true"), 1);
}

static void test_fakes_post_badly_signed_is_unauthorized(void **state) {
    struct exchange *exchange = *state;
    exchange->unsigned_post = true;
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    *exchange = (struct exchange){.clock_skew_s = -301};
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    *exchange = (struct exchange){.clock_skew_s = 302};
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 401);
    secret.key[0] ^= 1;
    *exchange = (struct exchange){0};
    post(exchange, "evt_1");
    secret.key[0] ^= 1;
    assert_int_equal(exchange->status, 401);
    assert_int_equal(count_lines("/log", ""), 0);
    assert_int_equal(count_lines("/rejected", "\"status\":401"), 4);
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
        post(exchange, "evt_1");
        assert_int_equal(exchange->status, BAD[i].status);
    }
    *exchange = (struct exchange){0};
    post(exchange, NULL);
    assert_int_equal(exchange->status, 400);
    post(exchange, "../../etc");
    assert_int_equal(exchange->status, 400);
    assert_int_equal(count_lines("/log", ""), 0);
}

static void test_fakes_post_too_big_is_refused(void **state) {
    struct exchange *exchange = *state;
    char *body = malloc(30001);
    memset(body, ' ', 30000);
    body[30000] = '\0';
    exchange->body = body;
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 413);
    free(body);
}

static void test_fakes_fail_for_a_count_then_ok(void **state) {
    struct exchange *exchange = *state;
    behave("INSTAGRAM", "{\"mode\":\"fail\",\"status\":502,\"retryAfterS\":3,\"count\":2,\"delayMs\":1}");
    for (int i = 0; i < 2; i++) {
        *exchange = (struct exchange){0};
        post(exchange, "evt_1");
        assert_int_equal(exchange->status, 502);
        assert_string_equal(exchange->retry_after, "3");
    }
    *exchange = (struct exchange){0};
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(count_lines("/log", ""), 1);
    assert_int_equal(count_lines("/rejected", "\"status\":502"), 2);
}

static void test_fakes_reject_is_not_accepted(void **state) {
    struct exchange *exchange = *state;
    behave("INSTAGRAM", "{\"mode\":\"reject\",\"delayMs\":1}");
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 422);
    assert_int_equal(get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 404);
}

static void test_fakes_drop_closes_without_accepting(void **state) {
    struct exchange *exchange = *state;
    behave("INSTAGRAM", "{\"mode\":\"drop\",\"delayMs\":1}");
    post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_GOT_NOTHING);
    assert_int_equal(get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 404);
    assert_int_equal(count_lines("/rejected", "dropped"), 1);
}

static void test_fakes_hang_accepts_and_never_answers(void **state) {
    struct exchange *exchange = *state;
    behave("INSTAGRAM", "{\"mode\":\"hang\"}");
    exchange->timeout_ms = 200;
    post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(count_lines("/log", "\"answered_ms\":null"), 1);
    assert_int_equal(get(exchange, "/channels/INSTAGRAM/posts/evt_1"), 200);
}

static void *post_slowly(void *arg) {
    post(arg, "evt_slow");
    return NULL;
}

static void test_fakes_slow_channel_does_not_delay_others(void **state) {
    struct exchange *exchange = *state, *slow = calloc(1, sizeof(*slow));
    pthread_t thread;
    behave("INSTAGRAM", "{\"mode\":\"slow\",\"delayMs\":1500}");
    assert_int_equal(pthread_create(&thread, NULL, post_slowly, slow), 0);
    exchange->path = "/channels/RINGO_BIZ/posts";
    exchange->body = POST_OF("RINGO_BIZ");
    post(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_int_equal(count_lines("/log", "INSTAGRAM"), 0); /* still at it */
    pthread_join(thread, NULL);
    assert_int_equal(slow->status, 200);
    assert_true(slow->took_us >= 1500000);
    assert_int_equal(count_lines("/log", "INSTAGRAM"), 1);
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
    };
    struct exchange *exchange = *state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        *exchange = (struct exchange){.method = "PUT", .path = "/channels/INSTAGRAM/behaviour", .body = BAD[i]};
        perform(exchange);
        assert_int_equal(exchange->status, 400);
    }
    assert_int_equal(get(exchange, "/channels"), 200);
    assert_non_null(strstr(exchange->answer, "\"INSTAGRAM\":{\"mode\":\"ok\",\"delayMs\":1,"));
}

static void test_fakes_usual_times_differ_by_channel(void **state) {
    (void)state;
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        fake_channels_set(fakes_channels(fakes), (enum fake_channel)i, (struct fake_behaviour){0});
        uint32_t ms = fake_channels_take(fakes_channels(fakes), (enum fake_channel)i).delay_ms;
        assert_in_range(ms, 150, 400);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(ms, fake_channels_take(fakes_channels(fakes), (enum fake_channel)j).delay_ms);
        }
    }
}

static void test_fakes_start_on_a_taken_port_is_unavailable(void **state) {
    (void)state;
    struct fakes *second = NULL;
    struct herald_error error;
    struct fakes_options options = {.host = "127.0.0.1", .port = (uint16_t)atoi(strrchr(fakes_url(fakes), ':') + 1)};
    assert_int_equal(fakes_start(&options, &second, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "CANNOT_LISTEN");
    assert_non_null(strstr(error.message, "--listen"));
    assert_null(second);
}

static void test_fakes_stop_ends_what_hangs(void **state) {
    struct exchange *exchange = *state, *look = calloc(1, sizeof(*look));
    pthread_t thread;
    behave("INSTAGRAM", "{\"mode\":\"slow\",\"delayMs\":600000}");
    exchange->timeout_ms = 20000;
    assert_int_equal(pthread_create(&thread, NULL, post_slowly, exchange), 0);
    uint64_t patience_us = clock_now_us() + 10000000;
    while (get(look, "/channels/INSTAGRAM/posts/evt_slow") != 202) { /* until the slow one has arrived */
        assert_true(clock_now_us() < patience_us);
    }
    free(look);
    uint64_t begun_us = clock_now_us();
    fakes_stop(fakes);
    fakes = NULL;
    pthread_join(thread, NULL);
    assert_true(clock_now_us() - begun_us < 10000000);
    assert_int_not_equal(exchange->status, 200);
}

#define FAKES_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

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
        FAKES_TEST(test_fakes_start_on_a_taken_port_is_unavailable),
        FAKES_TEST(test_fakes_stop_ends_what_hangs),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
