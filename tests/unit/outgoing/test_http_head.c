/* The head of an HTTP answer: above all, when the peer wants to be asked again. */
#include "server/outgoing/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S  INT64_C(1700000000) /* Tue, 14 Nov 2023 22:13:20 GMT */
#define NOW_US (NOW_S * 1000000)
#define YEAR_S INT64_C(31622400) /* 366 days */

static void read_line(struct http_head *head, const char *line) {
    assert_true(http_head_line(head, line, strlen(line)));
}

/* Seconds from now; -1: not said. @date  NULL: no Date */
static int64_t wait_of(const char *retry_after, const char *date) {
    char line[256];
    struct http_head head = {0};
    read_line(&head, "HTTP/1.1 429 Too Many Requests\r\n");
    if (date != NULL) {
        snprintf(line, sizeof(line), "Date: %s\r\n", date);
        read_line(&head, line);
    }
    snprintf(line, sizeof(line), "Retry-After: %s\r\n", retry_after);
    read_line(&head, line);
    read_line(&head, "\r\n");
    assert_true(head.done);
    int64_t at_us = http_head_retry_at_us(&head, NOW_US);
    return at_us == 0 ? -1 : (at_us - NOW_US) / 1000000;
}

static void test_http_head_retry_after_is_read_in_each_form(void **state) {
    (void)state;
    static const struct {
        const char *retry_after, *date;
        int64_t wait_s;
    } cases[] = {
        {"0", NULL, 0},
        {"120", NULL, 120},
        {"  86400\t", NULL, 86400},
        {"604800", NULL, 604800},
        {"1.5", NULL, 2},
        {"31622400", NULL, YEAR_S},
        {"31622401", NULL, YEAR_S},
        {"99999999999999999999999999", NULL, YEAR_S},
        {"Tue, 14 Nov 2023 22:23:20 GMT", NULL, 600},
        {"Tuesday, 14-Nov-23 22:23:20 GMT", NULL, 600},
        {"Tue Nov 14 22:23:20 2023", NULL, 600},
        {"Thu, 16 Nov 2023 22:13:20 GMT", NULL, 172800},
        {"Tue, 14 Nov 2023 22:13:19 GMT", NULL, 0}, /* past */
        {"Sun, 06 Nov 1994 08:49:37 GMT", NULL, 0}, /* past */
        {"Fri, 31 Dec 9999 23:59:59 GMT", NULL, YEAR_S},
        /* Either clock is wrong; the difference counts. */
        {"Sun, 06 Nov 1994 08:59:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 600},
        {"Tue, 14 Nov 2023 22:23:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT", 600},
        {"Wed, 15 Nov 2023 08:23:20 GMT", "Wed, 15 Nov 2023 08:13:20 GMT", 600},
        {"Wed, 15 Nov 2023 08:03:20 GMT", "Wed, 15 Nov 2023 08:13:20 GMT", 0},
        {"120", "Sun, 06 Nov 1994 08:49:37 GMT", 120},
        /* A Date that is none, or that no clock shows. */
        {"Tue, 14 Nov 2023 22:23:20 GMT", "yesterday", 600},
        {"Tue, 14 Nov 2023 22:23:20 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", 600},
        /* No statement. */
        {"", NULL, -1},
        {"-5", NULL, -1},
        {"soon", NULL, -1},
        {"5 minutes", NULL, -1},
        {"12x", NULL, -1},
        {"2023-11-14", NULL, -1},
        {"Tue, 14 Nov 2023 22:23:20 GMT and a text that is far longer than any date", NULL, -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t wait_s = wait_of(cases[i].retry_after, cases[i].date);
        if (wait_s != cases[i].wait_s) {
            fail_msg("%s: %lld s", cases[i].retry_after, (long long)wait_s);
        }
    }
}

static void test_http_head_without_retry_after_says_nothing(void **state) {
    (void)state;
    struct http_head head = {0};
    read_line(&head, "HTTP/1.1 200 OK");
    read_line(&head, "X-Retry-After: 5");
    read_line(&head, "");
    assert_int_equal(http_head_retry_at_us(&head, NOW_US), 0);
    assert_false(head.date_said);
}

static void test_http_head_of_a_hint_is_forgotten(void **state) {
    (void)state;
    static const char *const wanted[] = {"link", NULL};
    struct http_head head = {.wanted = wanted};
    read_line(&head, "HTTP/1.1 103 Early Hints");
    read_line(&head, "link: a");
    read_line(&head, "retry-after: 5");
    read_line(&head, "date: Sun, 06 Nov 1994 08:49:37 GMT");
    read_line(&head, "");
    assert_false(head.done);
    assert_string_equal(head.values[0], "a");
    read_line(&head, "HTTP/1.1 200 OK");
    read_line(&head, "");
    assert_true(head.done);
    assert_int_equal(head.status, 200);
    assert_null(head.values[0]);
    assert_false(head.date_said);
    assert_int_equal(http_head_retry_at_us(&head, NOW_US), 0);
}

static void test_http_head_first_of_a_name_counts_and_trailers_do_not(void **state) {
    (void)state;
    static const char *const wanted[] = {"etag", "x-late", NULL};
    struct http_head head = {.wanted = wanted};
    read_line(&head, "HTTP/1.1 503 Away");
    read_line(&head, "Retry-After: 7");
    read_line(&head, "Retry-After: 9");
    read_line(&head, "ETag: one");
    read_line(&head, "etag: two");
    read_line(&head, "");
    read_line(&head, "x-late: trailer");
    read_line(&head, "HTTP/1.1 200 OK");
    read_line(&head, "");
    assert_int_equal(head.status, 503);
    assert_int_equal(http_head_retry_at_us(&head, NOW_US), NOW_US + 7000000);
    assert_string_equal(head.values[0], "one");
    assert_null(head.values[1]);
    http_head_clear(&head);
    assert_null(head.values[0]);
}

static void test_http_head_that_is_none_is_refused(void **state) {
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 101 Switching Protocols", "HTTP/1.1 099 Low", "HTTP/1.1",
                                        "HTTP/1.1 OK"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct http_head head = {0};
        assert_false(http_head_line(&head, lines[i], strlen(lines[i])));
    }
}

static void test_http_head_beyond_its_limit_is_refused(void **state) {
    (void)state;
    struct http_head head = {0};
    size_t taken = 0;
    read_line(&head, "HTTP/1.1 200 OK");
    while (taken < 5000 && http_head_line(&head, "a-header: of-31-characters-here", 31)) {
        taken++;
    }
    assert_int_equal(taken, (65536 - 15) / 31);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_head_retry_after_is_read_in_each_form),
        cmocka_unit_test(test_http_head_without_retry_after_says_nothing),
        cmocka_unit_test(test_http_head_of_a_hint_is_forgotten),
        cmocka_unit_test(test_http_head_first_of_a_name_counts_and_trailers_do_not),
        cmocka_unit_test(test_http_head_that_is_none_is_refused),
        cmocka_unit_test(test_http_head_beyond_its_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
