#include "server/gateway/request_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HOST "Host: a.example\r\n"

static struct request_head head;
static char what[HTTP_WHAT_BYTES];

static enum http_problem read_text(const char *text) {
    return request_head_read(text, strlen(text), &head, what);
}

static void assert_span(struct span span, const char *expected) {
    assert_int_equal(span.bytes, strlen(expected));
    assert_memory_equal(span.at, expected, span.bytes);
}

static void test_head_plain_is_taken_apart(void **state) {
    (void)state;
    assert_int_equal(read_text("GET /a/b?c=d HTTP/1.1\r\n" HOST "If-None-Match:\t\"x\" \r\nX-Other: 1\r\n\r\n"),
                     HTTP_PROBLEM_NONE);
    assert_span(head.method, "GET");
    assert_span(head.path, "/a/b");
    assert_span(head.query, "c=d");
    assert_span(head.host, "a.example");
    assert_span(head.headers[HTTP_HEADER_IF_NONE_MATCH], "\"x\"");
    assert_true(head.keeps_alive);
    assert_false(head.is_chunked);
    assert_int_equal(head.content_length, 0);
}

static void test_head_whole_url_names_the_host(void **state) {
    (void)state;
    assert_int_equal(read_text("GET http://b.example:8/x HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROBLEM_NONE);
    assert_span(head.host, "b.example:8");
    assert_span(head.path, "/x");
    assert_null(head.query.at);
}

static void test_head_connection_close_ends(void **state) {
    (void)state;
    assert_int_equal(read_text("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n"), HTTP_PROBLEM_NONE);
    assert_false(head.keeps_alive);
    assert_int_equal(read_text("GET / HTTP/1.0\r\n\r\n"), HTTP_PROBLEM_NONE);
    assert_false(head.keeps_alive);
}

static void test_head_ambiguous_is_refused(void **state) {
    static const struct {
        const char *lines;
        enum http_problem problem;
    } CASES[] = {
        {HOST "Content-Length: 1\r\nContent-Length: 1\r\n", HTTP_PROBLEM_DUPLICATE_HEADER},
        {HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", HTTP_PROBLEM_BAD_LENGTH},
        {HOST "Content-Length: 1 1\r\n", HTTP_PROBLEM_BAD_LENGTH},
        {HOST "Content-Length: -1\r\n", HTTP_PROBLEM_BAD_LENGTH},
        {HOST "Content-Length : 1\r\n", HTTP_PROBLEM_BAD_HEADER},
        {HOST " folded\r\n", HTTP_PROBLEM_BAD_HEADER},
        {HOST "X: a\nY: b\r\n", HTTP_PROBLEM_BAD_HEADER},
        {HOST "Transfer-Encoding: identity\r\n", HTTP_PROBLEM_ENCODING_UNKNOWN},
        {HOST HOST, HTTP_PROBLEM_DUPLICATE_HEADER},
        {"", HTTP_PROBLEM_BAD_HOST},
        {"Host: a b\r\n", HTTP_PROBLEM_BAD_HOST},
        {"Host: a@b\r\n", HTTP_PROBLEM_BAD_HOST},
        {"Host:\r\n", HTTP_PROBLEM_BAD_HOST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%s\r\n", CASES[i].lines);
        assert_int_equal(read_text(text), CASES[i].problem);
        assert_true(what[0] != '\0');
    }
}

static void test_head_end_is_found_across_reads(void **state) {
    static const char TEXT[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    (void)state;
    size_t end = sizeof(TEXT) - 1 - 4;
    for (size_t seen = 0; seen <= end; seen++) {
        size_t found = request_head_end(TEXT, end, seen < end ? seen : end - 1);
        assert_int_equal(found, end);
        assert_int_equal(request_head_end(TEXT, seen < end ? seen : end - 1, 0), 0);
    }
}

/* Reads a chunked body in pieces of @step bytes. Returns: the body's bytes, or -1: refused. */
static int read_chunks(const char *text, size_t step, char ret_body[64], size_t *ret_used) {
    struct http_chunks chunks = {.left = 0};
    size_t bytes = strlen(text), body = 0, at = 0;
    while (at < bytes && chunks.state != CHUNK_DONE) {
        const char *from = text + at, *start = from, *end = from + (step < bytes - at ? step : bytes - at);
        while (from < end && chunks.state != CHUNK_DONE) {
            struct span data;
            if (!http_chunks_read(&chunks, &from, end, &data)) {
                return -1;
            }
            memcpy(ret_body + body, data.at, data.bytes);
            body += data.bytes;
        }
        at += (size_t)(from - start);
    }
    *ret_used = at;
    return chunks.state == CHUNK_DONE ? (int)body : -2;
}

static void test_chunks_are_joined_however_they_come(void **state) {
    static const char TEXT[] = "4\r\nWiki\r\n5;a=\"b;c\"; d\r\npedia\r\n0;e\r\nX: y\r\n\r\nGET";
    (void)state;
    for (size_t step = 1; step < sizeof(TEXT); step++) {
        char body[64];
        size_t used;
        assert_int_equal(read_chunks(TEXT, step, body, &used), 9);
        assert_memory_equal(body, "Wikipedia", 9);
        assert_int_equal(used, sizeof(TEXT) - 1 - 3);
    }
}

static void test_chunks_malformed_are_refused(void **state) {
    static const char *const CASES[] = {"g\r\n",         "\r\n",     "1;x\na\r\n",  "1;x\ry\r\n",
                                        "1;\x01\r\n",    ";x\r\n",   "1\na",        "1\r\nab\r\n",
                                        "000000001\r\n", "0\r\na\n", "1 \r\na\r\n", "0\r\n\x01: a\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char body[64];
        size_t used;
        assert_int_equal(read_chunks(CASES[i], 64, body, &used), -1);
    }
}

static void test_chunk_extensions_have_a_limit(void **state) {
    char text[640], body[64];
    size_t used;
    (void)state;
    for (int bytes = 255; bytes <= 257; bytes++) {
        snprintf(text, sizeof(text), "1;%0*d\r\na\r\n1;%0*d\r\nb\r\n0\r\n\r\n", bytes, 0, bytes, 0);
        assert_int_equal(read_chunks(text, 64, body, &used), bytes <= 256 ? 2 : -1);
    }
}

static void test_head_with_a_bare_line_feed_is_broken(void **state) {
    static const char GOOD[] = "GET / HTTP/1.1\r\nhost: a\r\n", BAD[] = "GET / HTTP/1.1\r\nhost: a\n";
    (void)state;
    for (size_t from = 0; from < sizeof(GOOD) - 1; from++) {
        assert_false(request_head_is_broken(GOOD, sizeof(GOOD) - 1, from));
    }
    for (size_t from = 0; from < sizeof(BAD) - 1; from++) {
        assert_true(request_head_is_broken(BAD, sizeof(BAD) - 1, from));
    }
    assert_true(request_head_is_broken("\n", 1, 0));
    assert_false(request_head_is_broken("", 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_plain_is_taken_apart),
        cmocka_unit_test(test_head_whole_url_names_the_host),
        cmocka_unit_test(test_head_connection_close_ends),
        cmocka_unit_test(test_head_ambiguous_is_refused),
        cmocka_unit_test(test_head_end_is_found_across_reads),
        cmocka_unit_test(test_chunks_are_joined_however_they_come),
        cmocka_unit_test(test_chunks_malformed_are_refused),
        cmocka_unit_test(test_chunk_extensions_have_a_limit),
        cmocka_unit_test(test_head_with_a_bare_line_feed_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
