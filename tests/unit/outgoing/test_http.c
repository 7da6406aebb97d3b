/* The HTTP client against peers that fail in every way that matters: was the request sent, and did an answer come? */
#include "peer.h"
#include "server/outgoing/http.h"
#include "tests/unit/rpc/certificates.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define DEAD_FDS  5
#define OK_ANSWER "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

/* One or more requests by one task; results are looked at when its loop has ended. */
struct exchange {
    struct http_request request;
    unsigned times;           /* how often it is sent */
    uint32_t call_timeout_ms; /* 0: none */
    bool no_descriptors;      /* none is left while it is sent first */
    bool cancel;              /* the call, once the peer has the request */
    bool close;               /* the client, likewise */
    const char *dead_url;     /* asked before, three times: it takes no connection */
    uint32_t rest_ms;         /* pause after the last request, with the client open */
    struct peer *peer;

    struct loop *loop;
    struct http *http;
    struct call call;
    enum herald_code code, first_code;
    struct herald_error error;
    struct http_response response; /* body: a copy; wanted: only whether it is there */
    char wanted[2][64];            /* the first of the wanted headers; "" for none */
    uv_prepare_t prepare;
    unsigned turns; /* of the loop during the pause */
};

/* Leaves the process no descriptor, or gives it back what it had. */
static void limit_descriptors(bool limited) {
    static rlim_t earlier;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limited) {
        int lowest = dup(STDIN_FILENO);
        assert_true(lowest >= 0);
        close(lowest);
        earlier = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)lowest;
    } else {
        limit.rlim_cur = earlier;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void count_turn(uv_prepare_t *prepare) {
    struct exchange *exchange = prepare->data;
    exchange->turns++;
}

/* Counts how often the loop looks around while nothing is to be done. */
static void rest(struct exchange *exchange) {
    assert_int_equal(uv_prepare_init(loop_uv(exchange->loop), &exchange->prepare), 0);
    exchange->prepare.data = exchange;
    assert_int_equal(uv_prepare_start(&exchange->prepare, count_turn), 0);
    assert_int_equal(task_sleep(exchange->rest_ms, NULL), HERALD_OK);
    uv_close((uv_handle_t *)&exchange->prepare, NULL);
}

static void ask_dead_url(struct exchange *exchange) {
    struct http_request request = exchange->request;
    request.url = exchange->dead_url;
    request.timeout_ms = 200;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_send(exchange->http, &request, &exchange->response, NULL), HERALD_UNAVAILABLE);
    }
}

static void exchange_body(void *arg) {
    struct exchange *exchange = arg;
    if (exchange->dead_url != NULL) {
        ask_dead_url(exchange);
    }
    for (unsigned i = 0; i < exchange->times; i++) {
        bool limited = exchange->no_descriptors && i == 0;
        if (limited) {
            limit_descriptors(true);
        }
        exchange->code = http_send(exchange->http, &exchange->request, &exchange->response, &exchange->error);
        if (limited) {
            limit_descriptors(false);
        }
        exchange->first_code = i == 0 ? exchange->code : exchange->first_code;
    }
    if (exchange->code == HERALD_OK) {
        char *copy = malloc(exchange->response.body_bytes + 1);
        memcpy(copy, exchange->response.body, exchange->response.body_bytes + 1);
        exchange->response.body = copy;
        for (size_t i = 0; i < 2; i++) {
            const char *value = exchange->response.wanted[i];
            snprintf(exchange->wanted[i], sizeof(exchange->wanted[i]), "%s", value != NULL ? value : "");
        }
    }
    if (exchange->rest_ms > 0) {
        rest(exchange);
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
    assert_true(exchange.response.body_is_whole);
    assert_false(exchange.response.body_cut);
    assert_false(exchange.response.date_said);
    assert_int_equal(exchange.response.retry_at_us, 0);
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
    int64_t before_us = clock_wall_us();
    run_exchange(&exchange);
    int64_t after_us = clock_wall_us();
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.status, 503);
    assert_in_range(exchange.response.retry_at_us, before_us + 7000000, after_us + 7000000);
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

/* --- the status line decides ------------------------------------------------------------------------------------- */

/* An answer as it is sent, and what must come of it. */
struct answer_case {
    const char *answer;
    enum peer_fault fault;
    int status; /* 0: no answer came, HTTP_LOST */
    bool whole;
    const char *body;
};

static void check_answer(const struct answer_case *expected) {
    char url[64];
    struct peer *peer = peer_start(expected->fault, expected->answer);
    struct exchange exchange = {.request = {.timeout_ms = 60000}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(peer_requests(peer), 1);
    if (expected->status == 0) {
        assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
        assert_string_equal(exchange.error.reason, "HTTP_LOST");
    } else {
        assert_int_equal(exchange.code, HERALD_OK);
        assert_int_equal(exchange.response.status, expected->status);
        assert_int_equal(exchange.response.body_is_whole, expected->whole);
        assert_false(exchange.response.body_cut);
        assert_string_equal(exchange.response.body, expected->body);
        free(exchange.response.body);
    }
    peer_stop(peer);
}

#define CHUNKED "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

static void test_http_status_counts_whatever_the_body_is(void **state) {
    (void)state;
    static const struct answer_case cases[] = {
        {"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", PEER_ANSWERS, 200, false, "half"},
        {"HTTP/1.1 201 OK\r\ncontent-length: 100\r\n\r\nhalf", PEER_ANSWERS_AND_RESETS, 201, false, "half"},
        {CHUNKED "5\r\nabcde\r\n", PEER_ANSWERS, 200, false, "abcde"},
        {CHUNKED "5\r\nabcde\r\nzz\r\n", PEER_ANSWERS, 200, false, "abcde"},
        {CHUNKED "5\r\nab", PEER_ANSWERS, 200, false, "ab"},
        {CHUNKED "2\r\nab\r\n0\r\nretry-after: 5\r\n\r\n", PEER_ANSWERS, 200, true, "ab"},
        {CHUNKED "2\r\nab\r\n0\r\nHTTP/1.1 500 no\r\n\r\n", PEER_ANSWERS, 200, false, "ab"},
        {"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone", PEER_ANSWERS, 200, true, "none"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n", PEER_ANSWERS, 200, false,
         ""},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: nonsense\r\n\r\nx", PEER_ANSWERS, 200, false, ""},
        {"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nx", PEER_ANSWERS, 200, false, ""},
        {"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx", PEER_ANSWERS, 200, false, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", PEER_ANSWERS, 204, true, ""},
        {"HTTP/1.0 200 OK\r\n\r\nold", PEER_ANSWERS, 200, true, "old"},
        {"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", PEER_ANSWERS, 200, true, "ok"},
        {"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", PEER_ANSWERS, 200, true, "ok"},
        {"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Go on\r\n\r\n"
         "HTTP/1.1 422 No\r\ncontent-length: 2\r\n\r\nno",
         PEER_ANSWERS, 422, true, "no"},
        {"HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n", PEER_ANSWERS, 999, true, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_answer(&cases[i]);
    }
}

static void test_http_no_whole_head_is_unknown(void **state) {
    (void)state;
    static const struct answer_case cases[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 OK\r\n\r\n", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 99 Low\r\n\r\n", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 20", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 200 OK\r\ncontent-le", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 200 OK\r\n", PEER_ANSWERS_AND_RESETS, 0, false, ""},
        {"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", PEER_ANSWERS, 0, false, ""},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nserver:", PEER_ANSWERS, 0, false, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_answer(&cases[i]);
    }
}

static void test_http_headers_beyond_the_limit_are_unknown(void **state) {
    (void)state;
    char *answer = calloc(1, 90000);
    strcpy(answer, "HTTP/1.1 200 OK\r\n");
    for (size_t at = strlen(answer); at < 80000; at += 1002) {
        memset(answer + at, 'x', 1000);
        memcpy(answer + at + 2, ": ", 2);
        memcpy(answer + at + 1000, "\r\n", 2);
    }
    strcat(answer, "\r\n");
    check_answer(&(struct answer_case){answer, PEER_ANSWERS, 0, false, ""});
    free(answer);
}

/* The head is there; the body would come for ever. */
static void test_http_body_that_does_not_come_is_waited_for_briefly(void **state) {
    (void)state;
    uint64_t begun_us = clock_now_us();
    check_answer(&(struct answer_case){"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", PEER_ANSWERS_AND_HANGS,
                                       200, false, "half"});
    check_answer(&(struct answer_case){"HTTP/1.1 200 OK\r\n\r\n", PEER_ANSWERS_AND_HANGS, 200, false, ""});
    assert_true(clock_now_us() - begun_us < 60000000); /* the request's own time-out */
}

static void test_http_deadline_of_the_call_after_the_head_is_an_answer(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS_AND_HANGS, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    struct exchange exchange = {.call_timeout_ms = 1000};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(exchange.response.status, 200);
    assert_false(exchange.response.body_is_whole);
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_too_long_body_is_cut(void **state) {
    (void)state;
    static const char *const answers[] = {OK_ANSWER, CHUNKED "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
                                          "HTTP/1.0 200 OK\r\n\r\nhello"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char url[64];
        struct peer *peer = peer_start(PEER_ANSWERS, answers[i]);
        struct exchange exchange = {.request = {.max_response_bytes = 4}};
        post_to(&exchange, peer_port(peer), url);
        run_exchange(&exchange);
        assert_int_equal(exchange.code, HERALD_OK);
        assert_int_equal(exchange.response.status, 200);
        assert_true(exchange.response.body_cut);
        assert_false(exchange.response.body_is_whole);
        assert_string_equal(exchange.response.body, "hell");
        assert_int_equal(exchange.response.body_bytes, 4);
        free(exchange.response.body);
        peer_stop(peer);
    }
}

static void test_http_wanted_headers_are_those_of_the_final_answer(void **state) {
    (void)state;
    char url[64];
    static const char *const wanted[] = {"X-Request-Id", "location", NULL};
    struct peer *peer = peer_start(PEER_ANSWERS, "HTTP/1.1 103 Early\r\nlocation: early\r\nx-request-id: 0\r\n\r\n"
                                                 "HTTP/1.1 200 OK\r\nx-request-ID:  a b \r\nx-request-id: second\r\n"
                                                 "x-request-id-2: no\r\ncontent-length: 0\r\n\r\n");
    struct exchange exchange = {.request = {.wanted_headers = wanted}};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_string_equal(exchange.wanted[0], "a b");
    assert_null(exchange.response.wanted[1]);
    free(exchange.response.body);
    peer_stop(peer);
}

/* The peer's clock is wrong by days; ten minutes are ten minutes. */
static void test_http_retry_after_counts_from_the_peers_own_date(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, "HTTP/1.1 429 Slow\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                                 "retry-after: Sun, 06 Nov 1994 08:59:37 GMT\r\n"
                                                 "content-length: 0\r\n\r\n");
    struct exchange exchange = {0};
    post_to(&exchange, peer_port(peer), url);
    int64_t before_us = clock_wall_us();
    run_exchange(&exchange);
    int64_t after_us = clock_wall_us();
    assert_int_equal(exchange.response.status, 429);
    assert_in_range(exchange.response.retry_at_us, before_us + 600000000, after_us + 600000000);
    assert_true(exchange.response.date_said);
    int64_t date_ms = INT64_C(784111777000);
    assert_true(exchange.response.clock_ahead_ms <= date_ms - before_us / 1000);
    assert_true(exchange.response.clock_ahead_ms >= date_ms - after_us / 1000 - 1);
    free(exchange.response.body);
    peer_stop(peer);
}

/* --- a post is never repeated ------------------------------------------------------------------------------------ */

static void run_two_posts(struct exchange *exchange, struct peer *peer, const char *method, bool empty) {
    char url[64];
    *exchange = (struct exchange){.times = 2, .request = {.reuse = true}};
    post_to(exchange, peer_port(peer), url);
    exchange->request.method = method;
    exchange->request.body_bytes = empty ? 0 : exchange->request.body_bytes;
    run_exchange(exchange);
    exchange->request.url = NULL;
}

/* libcurl by itself repeats a request when a kept connection ends under it: a post would be made twice. */
static void test_http_request_on_a_kept_connection_that_ends_is_not_repeated(void **state) {
    (void)state;
    static const enum peer_fault faults[] = {PEER_KEEPS_THEN_CLOSES, PEER_KEEPS_THEN_RESETS};
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < 16; i++) {
        struct exchange exchange;
        struct peer *peer = peer_start(faults[i % 2], OK_ANSWER);
        run_two_posts(&exchange, peer, methods[i / 4], i / 2 % 2 == 1);
        assert_int_equal(exchange.first_code, HERALD_OK);
        assert_int_equal(exchange.code, HERALD_OUTCOME_UNKNOWN);
        assert_string_equal(exchange.error.reason, "HTTP_LOST");
        assert_int_equal(peer_connections(peer), 1);
        assert_int_equal(peer_requests(peer), 2); /* each once */
        peer_stop(peer);
    }
}

static void test_http_get_on_a_kept_connection_that_ends_is_repeated(void **state) {
    (void)state;
    struct exchange exchange;
    struct peer *peer = peer_start(PEER_KEEPS_THEN_CLOSES, OK_ANSWER);
    run_two_posts(&exchange, peer, "GET", true);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(peer_requests(peer), 3);
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_posts_with_reuse_share_a_connection(void **state) {
    (void)state;
    struct exchange exchange;
    struct peer *peer = peer_start(PEER_KEEPS, OK_ANSWER);
    run_two_posts(&exchange, peer, "POST", false);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(peer_requests(peer), 2);
    assert_int_equal(peer_connections(peer), 1);
    free(exchange.response.body);
    peer_stop(peer);
}

static void test_http_post_finds_a_kept_connection_closed_and_makes_another(void **state) {
    (void)state;
    struct exchange exchange;
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER); /* closes after each answer without saying so */
    run_two_posts(&exchange, peer, "POST", false);
    assert_int_equal(exchange.first_code, HERALD_OK);
    if (exchange.code == HERALD_OK) {
        assert_int_equal(peer_connections(peer), 2);
        assert_int_equal(peer_requests(peer), 2);
        free(exchange.response.body);
    } else { /* the close came after the look whether the connection is alive */
        assert_true(exchange.code == HERALD_UNAVAILABLE || exchange.code == HERALD_OUTCOME_UNKNOWN);
        assert_int_equal(peer_requests(peer), 1);
    }
    peer_stop(peer);
}

static void test_http_kept_connection_that_ends_leaves_the_loop_at_rest(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    struct exchange exchange = {.request.reuse = true, .rest_ms = 200};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_in_range(exchange.turns, 1, 20);
    free(exchange.response.body);
    peer_stop(peer);
}

/* A listener whose queue is full: the kernel answers no more of those who connect. Fills @ret_fds, to be closed. */
static int open_dead_port(int ret_fds[DEAD_FDS]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(ret_fds[0], (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(ret_fds[0], 0), 0);
    assert_int_equal(getsockname(ret_fds[0], (struct sockaddr *)&address, &bytes), 0);
    for (int i = 1; i < DEAD_FDS; i++) {
        ret_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(ret_fds[i], (struct sockaddr *)&address, bytes);
    }
    return ntohs(address.sin_port);
}

/* libcurl closes a socket that never was connected without a word. The next ones have its number: those of the look-up of a
 * name, and the one of the connection. */
static void test_http_socket_that_was_not_connected_leaves_nothing_behind(void **state) {
    (void)state;
    int fds[DEAD_FDS];
    char dead[64], url[64];
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    snprintf(dead, sizeof(dead), "http://127.0.0.1:%d/posts", open_dead_port(fds));
    struct exchange exchange = {.dead_url = dead, .times = 4};
    post_to(&exchange, peer_port(peer), url);
    snprintf(url, sizeof(url), "http://localhost:%d/posts", peer_port(peer));
    run_exchange(&exchange); /* asserts that the loop has no handle left */
    assert_int_equal(exchange.first_code, HERALD_OK);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(peer_requests(peer), 4);
    free(exchange.response.body);
    for (int i = 0; i < DEAD_FDS; i++) {
        close(fds[i]);
    }
    peer_stop(peer);
}

static void test_http_posts_without_reuse_have_connections_of_their_own(void **state) {
    (void)state;
    char url[64];
    struct peer *peer = peer_start(PEER_KEEPS_THEN_CLOSES, OK_ANSWER);
    struct exchange exchange = {.times = 2};
    post_to(&exchange, peer_port(peer), url);
    run_exchange(&exchange);
    assert_int_equal(exchange.code, HERALD_OK);
    assert_int_equal(peer_requests(peer), 2);
    assert_int_equal(peer_connections(peer), 2);
    free(exchange.response.body);
    peer_stop(peer);
}

/* --- nothing was sent -------------------------------------------------------------------------------------------- */

/* A server with libssl and a certificate that nobody trusts; one connection. */
struct tls_server {
    int listener, port;
    SSL_CTX *context;
    pthread_t thread;
    bool shaken; /* the client has accepted the certificate */
};

static void *serve_tls(void *arg) {
    struct tls_server *server = arg;
    char byte;
    int fd = accept(server->listener, NULL, NULL);
    SSL *ssl = SSL_new(server->context);
    SSL_set_fd(ssl, fd);
    server->shaken = SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void tls_server_start(struct tls_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    certificates_init();
    make_ca("ca");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:localhost,IP:127.0.0.1"});
    *server = (struct tls_server){.context = SSL_CTX_new(TLS_server_method()),
                                  .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(
        SSL_CTX_use_certificate_file(server->context, certificate_path("server", ".pem"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(server->context, certificate_path("server", ".key"), SSL_FILETYPE_PEM),
                     1);
    assert_int_equal(pthread_create(&server->thread, NULL, serve_tls, server), 0);
}

static void test_http_untrusted_certificate_is_tls_failed(void **state) {
    (void)state;
    char url[64];
    struct tls_server server;
    struct exchange exchange = {0};
    tls_server_start(&server);
    post_to(&exchange, server.port, url);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/posts", server.port);
    run_exchange(&exchange);
    pthread_join(server.thread, NULL);
    assert_int_equal(exchange.code, HERALD_UNAVAILABLE);
    assert_string_equal(exchange.error.reason, "HTTP_TLS_FAILED");
    assert_non_null(strstr(exchange.error.message, "certificate"));
    assert_false(server.shaken);
    SSL_CTX_free(server.context);
    close(server.listener);
    certificates_fini();
}

/* The first request finds no descriptor, the second has them again. @first_url  NULL: the peer's */
static void check_want_of_descriptors(const char *first_url, struct peer *peer) {
    char url[64];
    struct exchange exchange = {.no_descriptors = true, .times = first_url == NULL ? 2 : 1};
    post_to(&exchange, peer_port(peer), url);
    exchange.request.url = first_url != NULL ? first_url : url;
    run_exchange(&exchange);
    assert_int_equal(exchange.first_code, HERALD_UNAVAILABLE);
    assert_string_equal(exchange.error.reason, "HTTP_NO_DESCRIPTORS");
    assert_int_equal(exchange.code, first_url != NULL ? HERALD_UNAVAILABLE : HERALD_OK);
    free(exchange.response.body);
}

static void test_http_without_descriptors_does_not_blame_the_peer(void **state) {
    (void)state;
    struct peer *peer = peer_start(PEER_ANSWERS, OK_ANSWER);
    check_want_of_descriptors(NULL, peer);
    assert_int_equal(peer_requests(peer), 1);
    check_want_of_descriptors("http://no-such-host.invalid/", peer);
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
        cmocka_unit_test(test_http_deadline_of_the_call_after_sending_is_unknown),
        cmocka_unit_test(test_http_cancelled_after_sending_is_unknown),
        cmocka_unit_test(test_http_cancelled_before_sending_is_unavailable),
        cmocka_unit_test(test_http_client_closed_after_sending_is_unknown),
        cmocka_unit_test(test_http_get_has_no_body),
        cmocka_unit_test(test_http_chunked_answer_up_to_the_limit_is_whole),
        cmocka_unit_test(test_http_status_counts_whatever_the_body_is),
        cmocka_unit_test(test_http_no_whole_head_is_unknown),
        cmocka_unit_test(test_http_headers_beyond_the_limit_are_unknown),
        cmocka_unit_test(test_http_body_that_does_not_come_is_waited_for_briefly),
        cmocka_unit_test(test_http_deadline_of_the_call_after_the_head_is_an_answer),
        cmocka_unit_test(test_http_too_long_body_is_cut),
        cmocka_unit_test(test_http_wanted_headers_are_those_of_the_final_answer),
        cmocka_unit_test(test_http_retry_after_counts_from_the_peers_own_date),
        cmocka_unit_test(test_http_request_on_a_kept_connection_that_ends_is_not_repeated),
        cmocka_unit_test(test_http_get_on_a_kept_connection_that_ends_is_repeated),
        cmocka_unit_test(test_http_posts_with_reuse_share_a_connection),
        cmocka_unit_test(test_http_post_finds_a_kept_connection_closed_and_makes_another),
        cmocka_unit_test(test_http_kept_connection_that_ends_leaves_the_loop_at_rest),
        cmocka_unit_test(test_http_socket_that_was_not_connected_leaves_nothing_behind),
        cmocka_unit_test(test_http_posts_without_reuse_have_connections_of_their_own),
        cmocka_unit_test(test_http_untrusted_certificate_is_tls_failed),
        cmocka_unit_test(test_http_without_descriptors_does_not_blame_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
