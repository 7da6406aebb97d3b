/* What fake channels do when they are told to: each mode, how long it takes, how often, and scenarios. */
#include "server/runtime/call.h"
#include "tests/unit/outgoing/fakes_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int start_faults(void **state) {
    exchange_start((struct fakes_options){.tls_host = "127.0.0.1"});
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int stop_faults(void **state) {
    exchange_stop();
    free(*state);
    return 0;
}

/* A post to GENIE_TV. */
static void post_to_genie(struct exchange *exchange, const char *key) {
    *exchange = (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV"), .timeout_ms = 5000};
    exchange_post(exchange, key);
}

/* --- modes ------------------------------------------------------------------------------------------------------- */

/* What a post to a channel in a mode comes to. */
struct outcome {
    const char *behaviour;
    CURLcode result, other_result; /* other_result: what else curl may call it */
    long status;
    bool accepted;
    const char *answer; /* NULL: not looked at; what it begins with */
};

static void test_faults_come_to_what_they_say(void **state) {
    static const struct outcome OUTCOMES[] = {
        {"{\"mode\":\"late\",\"delayMs\":1}", CURLE_OK, CURLE_OK, 200, true, "{\"id\":\"genie-tv-"},
        {"{\"mode\":\"reset\",\"delayMs\":0}", CURLE_RECV_ERROR, CURLE_SEND_ERROR, 0, false, ""},
        {"{\"mode\":\"reset_after\",\"delayMs\":0}", CURLE_RECV_ERROR, CURLE_SEND_ERROR, 0, true, ""},
        {"{\"mode\":\"drop\",\"delayMs\":0}", CURLE_GOT_NOTHING, CURLE_RECV_ERROR, 0, false, ""},
        {"{\"mode\":\"cut\",\"delayMs\":0}", CURLE_PARTIAL_FILE, CURLE_PARTIAL_FILE, 200, true, "{\"id\":\"genie-tv-"},
        {"{\"mode\":\"bad_chunk\",\"delayMs\":0}", CURLE_RECV_ERROR, CURLE_WRITE_ERROR, 200, true, NULL},
        {"{\"mode\":\"drip\",\"dripMs\":1,\"delayMs\":0}", CURLE_OK, CURLE_OK, 200, true, "{\"id\":\"genie-tv-"},
        {"{\"mode\":\"not_json\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 200, true, "<!doctype html>"},
        {"{\"mode\":\"numeric_id\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 200, true, "{\"id\":1"},
        {"{\"mode\":\"no_id\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 200, true, "{}"},
        {"{\"mode\":\"fail\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 503, false, "{\"error\":{\"code\":\"told_to_fail\""},
        {"{\"error\":{\"code\":\"busy\",\"message\":\"later\"},\"status\":429,\"delayMs\":0}", CURLE_OK, CURLE_OK, 429,
         false, "{\"error\":{\"code\":\"busy\",\"message\":\"later\"}}"},
        {"{\"mode\":\"reject\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 422, false, "{\"error\":{\"code\":\"rejected\""},
        {"{\"mode\":\"wrong_clock\",\"delayMs\":0}", CURLE_OK, CURLE_OK, 401, false, "{\"error\":{\"code\":\"bad_sign"},
    };
    struct exchange *exchange = *state;
    for (size_t i = 0; i < sizeof(OUTCOMES) / sizeof(OUTCOMES[0]); i++) {
        const struct outcome *outcome = &OUTCOMES[i];
        char key[32], named[64];
        snprintf(key, sizeof(key), "evt_%zu", i);
        snprintf(named, sizeof(named), "\"idempotency_key\":\"%s\"", key);
        exchange_behave("GENIE_TV", outcome->behaviour);
        post_to_genie(exchange, key);
        if (exchange->result != outcome->result && exchange->result != outcome->other_result) {
            fail_msg("%s: %s", outcome->behaviour, curl_easy_strerror(exchange->result));
        }
        assert_int_equal(exchange->status, outcome->status);
        if (outcome->answer != NULL && strncmp(exchange->answer, outcome->answer, strlen(outcome->answer)) != 0) {
            fail_msg("%s: %s", outcome->behaviour, exchange->answer);
        }
        assert_int_equal(exchange_count_lines("/log", named), outcome->accepted);
        assert_int_equal(exchange_count_lines("/rejected", named), !outcome->accepted);
    }
}

static void test_faults_huge_body_has_the_length_told(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("GENIE_TV", "{\"mode\":\"huge\",\"bytes\":3000000,\"delayMs\":0}");
    post_to_genie(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_OK);
    assert_int_equal(exchange->answer_bytes, 3000000);
    assert_memory_equal(exchange->answer, "{\"id\":\"xxx", 10);
}

static void test_faults_stall_accepts_nothing_and_ends_with_the_peer(void **state) {
    struct exchange *exchange = *state;
    uint64_t patience_us = clock_now_us() + 10000000;
    exchange_behave("GENIE_TV", "{\"mode\":\"stall\"}");
    *exchange = (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV"), .timeout_ms = 100};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_OPERATION_TIMEDOUT);
    exchange_wait_for_lines("/rejected", "told to stall", 1);
    assert_int_equal(exchange_count_lines("/log", ""), 0);
    while (exchange_get(exchange, "/state") == 200 && strstr(exchange->answer, "\"waiting\":0") == NULL) {
        assert_true(clock_now_us() < patience_us);
    }
}

static void test_faults_late_is_accepted_before_it_is_answered(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("GENIE_TV", "{\"mode\":\"late\",\"delayMs\":600000}");
    *exchange = (struct exchange){.path = "/channels/GENIE_TV/posts", .body = POST_OF("GENIE_TV"), .timeout_ms = 100};
    exchange_post(exchange, "evt_1");
    assert_int_equal(exchange->result, CURLE_OPERATION_TIMEDOUT);
    exchange_wait_for_lines("/log", "\"answered_ms\":null", 1);
}

static void test_faults_retry_after_comes_as_a_date_too(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("GENIE_TV", "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":7200,\"delayMs\":0}");
    post_to_genie(exchange, "evt_1");
    assert_string_equal(exchange->retry_after, "7200");
    exchange_behave("GENIE_TV", "{\"mode\":\"fail\",\"retryAfterS\":7200,\"retryAfterForm\":\"date\",\"delayMs\":0}");
    post_to_genie(exchange, "evt_1");
    assert_int_equal(exchange->status, 503);
    int64_t ahead_s = curl_getdate(exchange->retry_after, NULL) - clock_wall_us() / 1000000;
    assert_in_range(ahead_s, 7000, 7201);
    assert_non_null(strstr(exchange->retry_after, " GMT"));
    exchange_behave("GENIE_TV", "{\"mode\":\"ok\",\"retryAfterS\":7200,\"delayMs\":0}");
    post_to_genie(exchange, "evt_1");
    assert_string_equal(exchange->retry_after, "");
}

static void test_faults_tls_port_has_a_wrong_certificate(void **state) {
    char url[512];
    (void)state;
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "%s/health", fakes_tls_url(exchange_fakes));
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
    assert_int_equal(curl_easy_perform(easy), CURLE_PEER_FAILED_VERIFICATION);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L); /* then it is the name */
    assert_int_equal(curl_easy_perform(easy), CURLE_PEER_FAILED_VERIFICATION);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
}

/* --- how often --------------------------------------------------------------------------------------------------- */

static void test_faults_share_hits_a_part(void **state) {
    struct exchange *exchange = *state;
    int failed = 0;
    exchange_behave("GENIE_TV", "{\"mode\":\"fail\",\"share\":0.5,\"delayMs\":0}");
    for (int i = 0; i < 100; i++) {
        post_to_genie(exchange, "evt_1");
        failed += exchange->status == 503;
        assert_true(exchange->status == 503 || exchange->status == 200);
    }
    assert_in_range(failed, 1, 99); /* missed once in 2^99 runs */
}

static void test_faults_share_of_a_count_is_used_up(void **state) {
    struct exchange *exchange = *state;
    int failed = 0;
    exchange_behave("GENIE_TV", "{\"mode\":\"fail\",\"share\":0.9,\"count\":3,\"delayMs\":0}");
    for (int i = 0; i < 100 && failed < 3; i++) { /* fewer hits once in 10^90 runs */
        post_to_genie(exchange, "evt_1");
        failed += exchange->status == 503;
    }
    assert_int_equal(failed, 3);
    post_to_genie(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
}

/* --- how long ---------------------------------------------------------------------------------------------------- */

static uint32_t latency_at(const char *text, double share) {
    struct fake_latency latency;
    json_t *json = json_loads(text, 0, NULL);
    assert_null(fake_latency_read(json, &latency));
    json_t *written = fake_latency_write(&latency);
    assert_true(json_equal(json, written));
    json_decref(written);
    json_decref(json);
    return fake_latency_at(&latency, share, 77);
}

static void test_latency_follows_its_distribution(void **state) {
    static const char PERCENTILES[] = "{\"percentiles\":{\"50\":20,\"90\":100,\"99.9\":1000}}";
    (void)state;
    assert_int_equal(latency_at("{\"ms\":30}", 0.9), 30);
    assert_int_equal(latency_at("{\"minMs\":10,\"maxMs\":19}", 0), 10);
    assert_int_equal(latency_at("{\"minMs\":10,\"maxMs\":19}", 0.999999), 19);
    assert_int_equal(latency_at("{\"minMs\":10,\"maxMs\":19}", 0.55), 15);
    assert_int_equal(latency_at("{\"meanMs\":100}", 0), 0);
    assert_int_equal(latency_at("{\"meanMs\":100}", 0.5), 69); /* ln 2 */
    assert_int_equal(latency_at("{\"meanMs\":600000}", 0.9999999), FAKE_LATENCY_MAX_MS);
    assert_int_equal(latency_at(PERCENTILES, 0.25), 10);
    assert_int_equal(latency_at(PERCENTILES, 0.5), 20);
    assert_int_equal(latency_at(PERCENTILES, 0.7), 60);
    assert_int_equal(latency_at(PERCENTILES, 0.9999), 1000);
    assert_int_equal(fake_latency_at(&(struct fake_latency){0}, 0.5, 77), 77);
}

static void test_latency_is_waited(void **state) {
    struct exchange *exchange = *state;
    exchange_behave("GENIE_TV", "{\"mode\":\"ok\",\"latency\":{\"minMs\":300,\"maxMs\":310}}");
    post_to_genie(exchange, "evt_1");
    assert_int_equal(exchange->status, 200);
    assert_true(exchange->took_us >= 299000);
}

/* --- scenarios --------------------------------------------------------------------------------------------------- */

static void write_scenario(char *path, const char *text) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_scenario_is_replayed_by_posts_and_time(void **state) {
    static const char TEXT[] = "{\"afterMs\":0,\"kst\":\"21:00\"}\n\n"
                               "{\"afterPosts\":3,\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"fail\",\"status\":"
                               "502,\"count\":2,\"delayMs\":0}}\n"
                               "{\"afterMs\":900000000,\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"drop\"}}\n";
    struct exchange *exchange = *state;
    char path[] = "/tmp/herald-scenario-XXXXXX";
    write_scenario(path, TEXT);
    exchange_stop();
    exchange_start((struct fakes_options){.scenario = path, .kst_minute = -1});
    unlink(path);
    for (int i = 0; i < 5; i++) {
        post_to_genie(exchange, "evt_1");
        assert_int_equal(exchange->status, i < 3 ? 200 : 502);
    }
    assert_int_equal(exchange_get(exchange, "/state"), 200);
    assert_non_null(strstr(exchange->answer, "\"scenarioLinesLeft\":1"));
    assert_non_null(strstr(exchange->answer, "\"kst\":\"21:00\",\"quiet\":true"));
}

static void test_scenario_error_names_line_and_member(void **state) {
    static const struct {
        const char *text, *named;
    } BAD[] = {
        {"{\"afterMs\":0,\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"ok\"}}\n{\"afterMs\":-1,"
         "\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"ok\"}}\n",
         "line 2: afterMs must be"},
        {"{\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"ok\"}}\n", "line 1: one of afterMs and afterPosts"},
        {"\n\n{\"afterMs\":1,\"channel\":\"GENIE\",\"behaviour\":{\"mode\":\"ok\"}}\n", "line 3: channel must be"},
        {"{\"afterMs\":1,\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"ok\",\"count\":-1}}", "line 1: count must"},
        {"{\"afterMs\":1,\"channel\":\"GENIE_TV\",\"behaviour\":{\"mode\":\"ok\"},\"x\":1}", "line 1: a line has the"},
        {"{\"afterMs\":1,\"kst\":\"24:00\"}", "line 1: kst must be"},
        {"{\"afterMs\":1,", "line 1: "},
        {"[]", "line 1: a line is a JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char path[] = "/tmp/herald-scenario-XXXXXX";
        struct fakes *none = NULL;
        struct herald_error error;
        struct fakes_options options = {.host = "127.0.0.1", .scenario = path};
        write_scenario(path, BAD[i].text);
        assert_int_equal(fakes_start(&options, &none, &error), HERALD_INVALID_ARGUMENT);
        unlink(path);
        assert_null(none);
        if (strstr(error.message, BAD[i].named) == NULL) {
            fail_msg("%s: %s", BAD[i].text, error.message);
        }
    }
}

#define FAULTS_TEST(name) cmocka_unit_test_setup_teardown(name, start_faults, stop_faults)

int main(void) {
    const struct CMUnitTest tests[] = {
        FAULTS_TEST(test_faults_come_to_what_they_say),
        FAULTS_TEST(test_faults_huge_body_has_the_length_told),
        FAULTS_TEST(test_faults_stall_accepts_nothing_and_ends_with_the_peer),
        FAULTS_TEST(test_faults_late_is_accepted_before_it_is_answered),
        FAULTS_TEST(test_faults_retry_after_comes_as_a_date_too),
        FAULTS_TEST(test_faults_tls_port_has_a_wrong_certificate),
        FAULTS_TEST(test_faults_share_hits_a_part),
        FAULTS_TEST(test_faults_share_of_a_count_is_used_up),
        cmocka_unit_test(test_latency_follows_its_distribution),
        FAULTS_TEST(test_latency_is_waited),
        FAULTS_TEST(test_scenario_is_replayed_by_posts_and_time),
        cmocka_unit_test(test_scenario_error_names_line_and_member),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
