/* The fake Instagram: containers, the quota, tokens, and errors in Meta's form. */
#include "server/runtime/call.h"
#include "tests/unit/outgoing/fakes_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ACCOUNT "/graph/v21.0/17841400000000001"
#define BEARER  "authorization: Bearer IGAAsecret"

static const struct fakes_options options = {.instagram_token = "IGAAsecret", .instagram_quota = 2, .container_ms = 1};

static int start_instagram(void **state) {
    exchange_start(options);
    *state = calloc(1, sizeof(struct exchange));
    return 0;
}

static int stop_instagram(void **state) {
    exchange_stop();
    free(*state);
    return 0;
}

static long graph(struct exchange *exchange, const char *method, const char *path, const char *body) {
    *exchange =
        (struct exchange){.method = method, .path = path, .body = body, .headers = {BEARER, "x-herald-event: e-1"}};
    exchange_perform(exchange);
    return exchange->status;
}

/* Keeps the id of the answer. */
static void keep_id(const struct exchange *exchange, char id[32]) {
    json_t *answer = exchange_json(exchange);
    assert_int_equal(exchange->status, 200);
    snprintf(id, 32, "%s", json_string_value(json_object_get(answer, "id")));
    assert_int_equal(strlen(id), 17);
    json_decref(answer);
}

static void make(struct exchange *exchange, char id[32]) {
    graph(exchange, "POST", ACCOUNT "/media", "image_url=https%3A%2F%2Fx.test%2Fa.jpg&caption=a+%26+b&alt_text=c");
    keep_id(exchange, id);
}

static long publish(struct exchange *exchange, const char *container) {
    char body[64];
    snprintf(body, sizeof(body), "creation_id=%s", container);
    return graph(exchange, "POST", ACCOUNT "/media_publish", body);
}

static const char *status_of(struct exchange *exchange, const char *container) {
    char path[96];
    snprintf(path, sizeof(path), "/graph/v21.0/%s?fields=status_code,status", container);
    assert_int_equal(graph(exchange, "GET", path, NULL), 200);
    static char status[32];
    json_t *answer = exchange_json(exchange);
    snprintf(status, sizeof(status), "%s", json_string_value(json_object_get(answer, "status_code")));
    assert_string_equal(json_string_value(json_object_get(answer, "id")), container);
    json_decref(answer);
    return status;
}

static void wait_for_status(struct exchange *exchange, const char *container, const char *status) {
    uint64_t patience_us = clock_now_us() + 10000000;
    while (strcmp(status_of(exchange, container), status) != 0) {
        assert_true(clock_now_us() < patience_us);
    }
}

static void make_ready(struct exchange *exchange, char id[32]) {
    make(exchange, id);
    wait_for_status(exchange, id, "FINISHED");
}

static void assert_graph_error(const struct exchange *exchange, long status, int code, int subcode) {
    assert_int_equal(exchange->status, status);
    json_t *answer = exchange_json(exchange), *error = json_object_get(answer, "error");
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_int_equal(json_integer_value(json_object_get(error, "error_subcode")), subcode);
    assert_string_equal(json_string_value(json_object_get(error, "type")), "OAuthException");
    assert_true(json_is_boolean(json_object_get(error, "is_transient")));
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    assert_true(json_string_length(json_object_get(error, "error_user_title")) > 0);
    assert_true(json_string_length(json_object_get(error, "error_user_msg")) > 0);
    assert_true(json_string_length(json_object_get(error, "fbtrace_id")) > 0);
    json_decref(answer);
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void test_instagram_publishes_in_three_steps(void **state) {
    struct exchange *exchange = *state;
    char container[32], media[32], path[96];
    make_ready(exchange, container);
    assert_int_equal(exchange_count_lines("/log", ""), 0); /* a container is no post */
    publish(exchange, container);
    keep_id(exchange, media);
    assert_string_equal(status_of(exchange, container), "PUBLISHED");
    snprintf(path, sizeof(path), "/graph/v21.0/%s?fields=permalink", media);
    assert_int_equal(graph(exchange, "GET", path, NULL), 200);
    assert_non_null(strstr(exchange->answer, "\"permalink\":\"https://www.instagram.com/p/"));

    assert_int_equal(exchange_get(exchange, "/log"), 200);
    json_t *line = exchange_json(exchange);
    assert_string_equal(json_string_value(json_object_get(line, "channel")), "INSTAGRAM");
    assert_string_equal(json_string_value(json_object_get(line, "event_id")), "e-1");
    assert_string_equal(json_string_value(json_object_get(line, "remote_id")), media);
    assert_string_equal(json_string_value(json_object_get(line, "container")), container);
    assert_string_equal(json_string_value(json_object_get(line, "ig_id")), "17841400000000001");
    assert_string_equal(json_string_value(json_object_get(line, "image_url")), "https://x.test/a.jpg");
    assert_string_equal(json_string_value(json_object_get(line, "caption")), "a & b");
    assert_true(json_is_false(json_object_get(line, "duplicate")));
    json_decref(line);
}

static void test_instagram_container_is_published_once(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    make_ready(exchange, container);
    assert_int_equal(publish(exchange, container), 200);
    publish(exchange, container);
    assert_graph_error(exchange, 400, 9007, 2207027);
    assert_string_equal(status_of(exchange, container), "PUBLISHED");
    assert_int_equal(exchange_count_lines("/log", ""), 1);
}

static void test_instagram_container_takes_time(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    exchange_behave("INSTAGRAM", "{\"mode\":\"container_slow\",\"step\":\"media\",\"delayMs\":0}");
    make(exchange, container);
    assert_string_equal(status_of(exchange, container), "IN_PROGRESS");
    publish(exchange, container);
    assert_graph_error(exchange, 400, 9007, 2207027);
    char path[64];
    snprintf(path, sizeof(path), "/containers/%s", container);
    assert_int_equal(exchange_send(exchange, "PUT", path, "{\"status\":\"FINISHED\"}"), 200);
    assert_int_equal(publish(exchange, container), 200);
}

static void test_instagram_container_ends_as_told(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    exchange_behave("INSTAGRAM", "{\"mode\":\"container_error\",\"count\":1,\"delayMs\":0}");
    make(exchange, container);
    wait_for_status(exchange, container, "ERROR");
    publish(exchange, container);
    assert_graph_error(exchange, 400, -1, 2207032);
    exchange_behave("INSTAGRAM", "{\"mode\":\"container_expired\",\"delayMs\":0}");
    make(exchange, container);
    wait_for_status(exchange, container, "EXPIRED");
    publish(exchange, container);
    assert_graph_error(exchange, 400, -2, 2207020);
    publish(exchange, "17000000000000000");
    assert_graph_error(exchange, 400, 24, 2207008);
    graph(exchange, "GET", "/graph/v21.0/17000000000000000?fields=status_code", NULL);
    assert_graph_error(exchange, 400, 100, 33);
    assert_int_equal(exchange_count_lines("/log", ""), 0);
}

static void test_instagram_quota_is_counted_and_shown(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    for (int i = 0; i < 2; i++) {
        make_ready(exchange, container);
        assert_int_equal(publish(exchange, container), 200);
    }
    graph(exchange, "GET", ACCOUNT "/content_publishing_limit?fields=config,quota_usage", NULL);
    assert_string_equal(exchange->answer,
                        "{\"data\":[{\"quota_usage\":2,\"config\":{\"quota_total\":2,\"quota_duration\":86400}}]}");
    make_ready(exchange, container);
    publish(exchange, container);
    assert_graph_error(exchange, 400, 9, 2207042);
    assert_int_equal(exchange_send(exchange, "PUT", "/instagram", "{\"quotaUsage\":0}"), 200);
    assert_int_equal(publish(exchange, container), 200);
    assert_int_equal(exchange_send(exchange, "PUT", "/instagram", "{\"quotaUsage\":-1}"), 400);
}

static void test_instagram_quota_is_full_when_told(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    make_ready(exchange, container);
    exchange_behave("INSTAGRAM", "{\"mode\":\"quota_full\",\"delayMs\":0}");
    publish(exchange, container);
    assert_graph_error(exchange, 400, 9, 2207042);
    graph(exchange, "GET", ACCOUNT "/content_publishing_limit?fields=config,quota_usage", NULL);
    assert_non_null(strstr(exchange->answer, "\"quota_usage\":2,"));
    make(exchange, container); /* which the mode does not mean */
}

static void test_instagram_bad_pictures_are_refused(void **state) {
    struct exchange *exchange = *state;
    char *body = malloc(32768), *at = body;
    graph(exchange, "POST", ACCOUNT "/media", "caption=a");
    assert_graph_error(exchange, 400, 100, 0);
    graph(exchange, "POST", ACCOUNT "/media", "image_url=file:%2F%2F%2Fa.jpg");
    assert_graph_error(exchange, 400, 9004, 2207052);
    graph(exchange, "POST", ACCOUNT "/media", "image_url=https://x.test/a.PNG?b=c");
    assert_graph_error(exchange, 400, 36001, 2207005);
    graph(exchange, "POST", ACCOUNT "/media", "image_url=https://x.test/a.jpg&caption=@a+@b+@c+mail@d");
    assert_int_equal(exchange->status, 200);
    graph(exchange, "POST", ACCOUNT "/media", "image_url=https://x.test/a.jpg&caption=@a+@b+@c+@d");
    assert_graph_error(exchange, 400, 36004, 2207010);
    at += sprintf(at, "image_url=https://x.test/a.jpg&caption=");
    for (int i = 0; i < 31; i++) {
        at += sprintf(at, "%%23a%d+", i);
    }
    graph(exchange, "POST", ACCOUNT "/media", body);
    assert_graph_error(exchange, 400, 36004, 2207010);
    at = body + sprintf(body, "image_url=https://x.test/a.jpg&caption=");
    for (int i = 0; i < 2200; i++) {
        at += sprintf(at, "%%EA%%B0%%80");
    }
    assert_int_equal(graph(exchange, "POST", ACCOUNT "/media", body), 200);
    strcpy(at, "b");
    graph(exchange, "POST", ACCOUNT "/media", body);
    assert_graph_error(exchange, 400, 36004, 2207010);
    free(body);
}

static void test_instagram_needs_its_token(void **state) {
    struct exchange *exchange = *state;
    exchange_send(exchange, "POST", ACCOUNT "/media", "image_url=https://x.test/a.jpg");
    assert_graph_error(exchange, 400, 190, 0);
    *exchange = (struct exchange){
        .method = "GET", .path = ACCOUNT "/content_publishing_limit", .headers = {"authorization: Bearer other"}};
    exchange_perform(exchange);
    assert_graph_error(exchange, 400, 190, 0);
    assert_int_equal(exchange_get(exchange, ACCOUNT "/content_publishing_limit?access_token=IGAAsecret"), 200);
    exchange_behave("INSTAGRAM", "{\"mode\":\"token_expired\",\"count\":1,\"delayMs\":0}");
    graph(exchange, "GET", ACCOUNT "/content_publishing_limit", NULL);
    assert_graph_error(exchange, 400, 190, 463);
    assert_int_equal(graph(exchange, "GET", ACCOUNT "/content_publishing_limit", NULL), 200);
}

static long limit_with_token(struct exchange *exchange, const char *token) {
    char path[512];
    snprintf(path, sizeof(path), ACCOUNT "/content_publishing_limit?access_token=%s", token);
    return exchange_get(exchange, path);
}

static void refresh(struct exchange *exchange, char token[128]) {
    assert_int_equal(graph(exchange, "GET", "/graph/refresh_access_token?grant_type=ig_refresh_token", NULL), 200);
    json_t *answer = exchange_json(exchange);
    assert_int_equal(json_integer_value(json_object_get(answer, "expires_in")), 5184000);
    assert_string_equal(json_string_value(json_object_get(answer, "token_type")), "bearer");
    snprintf(token, 128, "%s", json_string_value(json_object_get(answer, "access_token")));
    json_decref(answer);
}

static void test_instagram_token_is_refreshed(void **state) {
    struct exchange *exchange = *state;
    char token[128];
    refresh(exchange, token);
    assert_int_equal(limit_with_token(exchange, token), 200);
    token[strlen(token) - 1] ^= 1;
    assert_int_equal(limit_with_token(exchange, token), 400);
    graph(exchange, "GET", "/graph/refresh_access_token?grant_type=other", NULL);
    assert_graph_error(exchange, 400, 100, 0);
}

static void test_instagram_token_outlives_a_restart(void **state) {
    struct exchange *exchange = *state;
    char token[128], next[128];
    refresh(exchange, token);
    refresh(exchange, next);
    assert_string_not_equal(token, next);
    exchange_stop();
    exchange_start(options);
    assert_int_equal(limit_with_token(exchange, token), 200);
    assert_int_equal(limit_with_token(exchange, next), 200);
    exchange_stop();
    exchange_start((struct fakes_options){.instagram_token = "IGAAother"});
    assert_int_equal(limit_with_token(exchange, token), 400);
}

/* Each code that Herald classifies, as Instagram says it. */
static void test_instagram_fails_with_the_error_told(void **state) {
    static const struct {
        int code, subcode;
        bool transient;
    } ERRORS[] = {
        {4, 0, true},         {17, 0, true},       {32, 0, true},           {613, 0, true},
        {4, 2207051, false},  {-1, 2207001, true}, {-2, 2207003, true},     {-2, 2207020, false},
        {-1, 2207032, false}, {190, 0, false},     {36000, 2207004, false}, {36003, 2207009, false},
        {9, 2207042, false},  {99, 7, false},
    };
    struct exchange *exchange = *state;
    char body[128];
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        snprintf(body, sizeof(body), "{\"step\":\"media\",\"error\":{\"code\":%d,\"subcode\":%d},\"delayMs\":0}",
                 ERRORS[i].code, ERRORS[i].subcode);
        exchange_behave("INSTAGRAM", body);
        graph(exchange, "POST", ACCOUNT "/media", "image_url=https://x.test/a.jpg");
        assert_graph_error(exchange, 400, ERRORS[i].code, ERRORS[i].subcode);
        assert_int_equal(strstr(exchange->answer, "\"is_transient\":true") != NULL, ERRORS[i].transient);
    }
    assert_int_equal(graph(exchange, "GET", ACCOUNT "/content_publishing_limit", NULL), 200); /* another step */
    exchange_behave("INSTAGRAM", "{\"step\":\"limit\",\"error\":{\"code\":4},\"status\":403,\"delayMs\":0}");
    graph(exchange, "GET", ACCOUNT "/content_publishing_limit", NULL);
    assert_graph_error(exchange, 403, 4, 0);
}

static void test_instagram_reset_after_publishing_has_published(void **state) {
    struct exchange *exchange = *state;
    char container[32];
    make_ready(exchange, container);
    exchange_behave("INSTAGRAM", "{\"mode\":\"reset_after\",\"step\":\"media_publish\",\"delayMs\":0}");
    publish(exchange, container);
    assert_int_not_equal(exchange->result, CURLE_OK);
    assert_string_equal(status_of(exchange, container), "PUBLISHED");
    assert_int_equal(exchange_count_lines("/log", "\"answered_ms\":null"), 1);
}

static void test_naver_shows_a_page(void **state) {
    struct exchange *exchange = *state;
    assert_int_equal(exchange_get(exchange, "/naver/blog/223000000001"), 200);
    assert_non_null(strstr(exchange->answer, "<!doctype html>"));
    exchange_behave("NAVER_BLOG", "{\"mode\":\"reject\",\"delayMs\":0}");
    assert_int_equal(exchange_get(exchange, "/naver/blog/223000000001"), 404);
}

#define INSTAGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, start_instagram, stop_instagram)

int main(void) {
    const struct CMUnitTest tests[] = {
        INSTAGRAM_TEST(test_instagram_publishes_in_three_steps),
        INSTAGRAM_TEST(test_instagram_container_is_published_once),
        INSTAGRAM_TEST(test_instagram_container_takes_time),
        INSTAGRAM_TEST(test_instagram_container_ends_as_told),
        INSTAGRAM_TEST(test_instagram_quota_is_counted_and_shown),
        INSTAGRAM_TEST(test_instagram_quota_is_full_when_told),
        INSTAGRAM_TEST(test_instagram_bad_pictures_are_refused),
        INSTAGRAM_TEST(test_instagram_needs_its_token),
        INSTAGRAM_TEST(test_instagram_token_is_refreshed),
        INSTAGRAM_TEST(test_instagram_token_outlives_a_restart),
        INSTAGRAM_TEST(test_instagram_fails_with_the_error_told),
        INSTAGRAM_TEST(test_instagram_reset_after_publishing_has_published),
        INSTAGRAM_TEST(test_naver_shows_a_page),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
