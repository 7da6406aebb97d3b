/* The HTTP client against peers that fail in every way that matters: was the request sent, and did an answer come? */
#include "peer.h"
#include "server/outgoing/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK_ANSWER "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

/* One or more requests by one task; results are looked at when its loop has ended. */
struct exchange {
    struct http_request request;
    unsigned times;           /* how often it is sent */
    uint32_t call_timeout_ms; /* 0: none */
    bool cancel;              /* the call, once the peer has the request */
    bool close;               /* the client, likewise */
    struct peer *peer;

    struct loop *loop;
    struct http *http;
    struct call call;
    enum herald_code code;
    struct herald_error error;
    struct http_response response; /* body: a copy */
};

static void exchange_body(void *arg) {
    struct exchange *exchange = arg;
    for (unsigned i = 0; i < exchange->times; i++) {
        exchange->code = http_send(exchange->http, &exchange->request, &exchange->response, &exchange->error);
    }
    if (exchange->code == HERALD_OK) {
        char *copy = malloc(exchange->response.body_bytes + 1);
        memcpy(copy, exchange->response.body, exchange->response.body_bytes + 1);
        exchange->response.body = copy;
    }
    if (!exchange->close) {
        http_close(exchange->http);
    }
}

/* The other task: interferes while the first one waits. */
static void meddler_body(void *arg) {
    struct exchange *exchange = arg;
    while (peer_requests(exchange->peer) == 0) {
        if (task_sleep(1, NULL) != HERALD_OK) {
            return;
        }
    }
    if (exchange->cancel) {
        task_cancel_call(exchange->loop, &exchange->call, HERALD_CANCELLED);
    }
    if (exchange->close) {
        http_close(exchange->http);
    }
}

static void run_exchange(struct exchange *exchange) {
    struct call meddler;
    if (exchange->times == 0) {
        exchange->times = 1;
    }
    assert_int_equal(loop_new(0, &exchange->loop, NULL), HERALD_OK);
    assert_int_equal(http_open(exchange->loop, &exchange->http, NULL), HERALD_OK);
    call_init(&exchange->call, "test", NULL, exchange->call_timeout_ms, 0);
    call_init(&meddler, "meddler", NULL, 5000, 0);
    assert_int_equal(task_spawn(exchange->loop, &exchange->call, "exchange", exchange_body, exchange, NULL), HERALD_OK);
    if (exchange->cancel || exchange->close) {
        assert_int_equal(task_spawn(exchange->loop, &meddler, "meddler", meddler_body, exchange, NULL), HERALD_OK);
    }
    loop_stop(exchange->loop);
    loop_run(exchange->loop);
    loop_free(exchange->loop);
    call_fini(&exchange->call);
    call_fini(&meddler);
}

static void post_to(struct exchange *exchange, int port, char url[64]) {
    snprintf(url, 64, "http://127.0.0.1:%d/posts", port);
    exchange->request.method = "POST";
    exchange->request.url = url;
    exchange->request.body = "{\"a\":1}";
    exchange->request.body_bytes = 7;
    if (exchange->request.timeout_ms == 0) {
        exchange->request.timeout_ms = 5000;
    }
}

static void test_http_answer_comes_as_it_was_sent(void **state) {
    (void)state;
    char url[64];
    const char *const headers[] = {"content-type: application/json", "webhook-id: evt_1", NULL};
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    struct exchange exchange = {.request = {.headers = headers}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.status, 200);
    assert_int_equal(exchange.response.body_bytes, 5);
    assert_string_equal(exchange.response.body, "hello");
    assert_int_equal(exchange.response.retry_after_s, 0);
    assert_non_null(strstr(peer_last_request(peer), "POST /posts HTTP/1.1\r\n"));
    assert_non_null(strstr(peer_last_request(peer), "webhook-id: evt_1\r\n"));
    assert_non_null(strstr(peer_last_request(peer), "content-type: application/json\r\n"));
    assert_non_null(strstr(peer_last_request(peer), "\r\n\r\n{\"a\":1}"));
    assert_null(strcasestr(peer_last_request(peer), "expect:"));
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_error_status_is_an_answer(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, "HTTP/1.1 503 Away\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.status, 503);
    assert_int_equal(exchange.response.retry_after_s, 7);
    assert_string_equal(exchange.response.body, "");
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_redirect_is_not_followed(void **state) {
    (void)state;
    char url[64], answer[256];
    struct peer *target = peer_start(PEER_ANSWERS, OK_ANSWER);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n", peer_port(target));
    struct peer *peer = peer_start(PEER_ANSWERS, answer);
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.status, 302);
    assert_int_equal(peer_requests(target), 0);
    free(exchange.response.body);
    peer_stop(peer);
    peer_stop(target);
}

static void test_http_refused_connection_is_unavailable(void **state) {
    (void)state;
    char url[64];
    struct exchange exchange = {0};
    post_to(&exchange, 1, url); /* nobody listens there */
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_UNAVAILABLE);
    assert_string_equal(exchange.error.reason, "HTTP_UNREACHABLE");
    assert_non_null(strstr(exchange.error.message, url));
}

static void test_http_other_schemes_are_unavailable(void **state) {
    (void)state;
    static const char *const URLS[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "not a url"};
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        struct exchange exchange = {.request = {.method = "GET", .url = URLS[i], .timeout_ms = 2000}};
        run_exchange(&exchange);
        assert_int_equal(exchange.code, HERALD_UNAVAILABLE);
        assert_string_equal(exchange.error.reason, "HTTP_UNREACHABLE");
    }
}

static void test_http_unknown_host_is_unavailable(void **state) {
    (void)state;
    struct exchange exchange = {
        .request = {.method = "POST", .url = "http://no-such-host.invalid/", .timeout_ms = 5000}};
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_UNAVAILABLE);
    assert_string_equal(exchange.error.reason, "HTTP_UNREACHABLE");
}

static void test_http_closed_after_request_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_READS_THEN_CLOSES, "");
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_LOST");
    assert_int_equal(peer_requests(peer), 1);
    peer_stop(peer);
}

static void test_http_no_answer_in_time_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_READS_AND_HANGS, "");
    struct exchange exchange = {.request = {.timeout_ms = 150}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_TIMEOUT");
    assert_int_equal(peer_requests(peer), 1);
    peer_stop(peer);
}

static void test_http_half_an_answer_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_LOST");
    peer_stop(peer);
}

static void test_http_nonsense_answer_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_LOST");
    peer_stop(peer);
}

static void test_http_too_big_answer_is_resource_exhausted(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    struct exchange exchange = {.request = {.max_response_bytes = 4}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(exchange.error.reason, "HTTP_RESPONSE_TOO_BIG");
    peer_stop(peer);
}

static void test_http_too_many_headers_is_resource_exhausted(void **state) {
    (void)state;
    char url[64], *answer = calloc(1, 90000);
    strcpy(answer, "HTTP/1.1 200 OK\r\n");
    for (size_t at = strlen(answer); at < 80000; at += 1002) {
        memset(answer + at, 'x', 1000);
        memcpy(answer + at + 2, ": ", 2);
        memcpy(answer + at + 1000, "\r\n", 2);
    }
    strcat(answer, "\r\n");
    struct peer *peer = peer_start(PEER_ANSWERS, answer);
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(exchange.error.reason, "HTTP_RESPONSE_TOO_BIG");
    peer_stop(peer);
    free(answer);
}

static void test_http_deadline_of_the_call_after_sending_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_READS_AND_HANGS, "");
    struct exchange exchange = {.call_timeout_ms = 200};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_TIMEOUT");
    assert_int_equal(peer_requests(peer), 1);
    peer_stop(peer);
}

static void test_http_cancelled_after_sending_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_READS_AND_HANGS, "");
    struct exchange exchange = {.cancel = true, .peer = peer};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_LOST");
    peer_stop(peer);
}

static void test_http_cancelled_before_sending_is_unavailable(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    struct exchange exchange = {.times = 1};
    post_to(&exchange, peer_port(peer), url);
    assert_int_equal(loop_new(0, &exchange.loop, NULL), HERALD_OK);
    assert_int_equal(http_open(exchange.loop, &exchange.http, NULL), HERALD_OK);
    call_init(&exchange.call, "test", NULL, 0, 0);
    assert_int_equal(task_spawn(exchange.loop, &exchange.call, "exchange", exchange_body, &exchange, NULL), HERALD_OK);
    task_cancel_call(exchange.loop, &exchange.call, HERALD_CANCELLED);
    loop_stop(exchange.loop);
    loop_run(exchange.loop);
    loop_free(exchange.loop);
    call_fini(&exchange.call);
    assert_int_equal(exchange.code, HERALD_UNAVAILABLE);
    assert_string_equal(exchange.error.reason, "HTTP_UNREACHABLE");
    assert_int_equal(peer_requests(peer), 0);
    peer_stop(peer);
}

static void test_http_client_closed_after_sending_is_unknown(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_READS_AND_HANGS, "");
    struct exchange exchange = {.close = true, .peer = peer};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(exchange.error.reason, "HTTP_LOST");
    peer_stop(peer);
}

/* libcurl repeats a request by itself when a kept-alive connection is closed under it: a post would be made twice. */
static void test_http_post_on_a_kept_connection_that_closes_is_not_repeated(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_KEEPS_THEN_CLOSES, OK_ANSWER);
    struct exchange exchange = {.times = 2};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(peer_requests(peer), 2); /* one for each, each on a connection of its own */
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_get_has_no_body(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    struct exchange exchange = {.request = {.method = "GET", .timeout_ms = 5000}};
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/posts/1", peer_port(peer));
    exchange.request.url = url;
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_non_null(strstr(peer_last_request(peer), "GET /posts/1 HTTP/1.1\r\n"));
    assert_null(strcasestr(peer_last_request(peer), "content-length"));
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_chunked_answer_up_to_the_limit_is_whole(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                                                 "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    struct exchange exchange = {.request = {.max_response_bytes = 5}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.body_bytes, 5);
    assert_string_equal(exchange.response.body, "abcde");
    free(exchange.response.body);
    peer_stop(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_answer_comes_as_it_was_sent),
        cmocka_unit_test(test_http_error_status_is_an_answer),
        cmocka_unit_test(test_http_redirect_is_not_followed),
        cmocka_unit_test(test_http_refused_connection_is_unavailable),
        cmocka_unit_test(test_http_other_schemes_are_unavailable),
        cmocka_unit_test(test_http_unknown_host_is_unavailable),
        cmocka_unit_test(test_http_closed_after_request_is_unknown),
        cmocka_unit_test(test_http_no_answer_in_time_is_unknown),
        cmocka_unit_test(test_http_half_an_answer_is_unknown),
        cmocka_unit_test(test_http_nonsense_answer_is_unknown),
        cmocka_unit_test(test_http_too_big_answer_is_resource_exhausted),
        cmocka_unit_test(test_http_too_many_headers_is_resource_exhausted),
        cmocka_unit_test(test_http_deadline_of_the_call_after_sending_is_unknown),
        cmocka_unit_test(test_http_cancelled_after_sending_is_unknown),
        cmocka_unit_test(test_http_cancelled_before_sending_is_unavailable),
        cmocka_unit_test(test_http_client_closed_after_sending_is_unknown),
        cmocka_unit_test(test_http_post_on_a_kept_connection_that_closes_is_not_repeated),
        cmocka_unit_test(test_http_get_has_no_body),
        cmocka_unit_test(test_http_chunked_answer_up_to_the_limit_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
