#include "server/gateway/request_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct request_head head;

static void give(enum http_header header, const char *value) {
    head = (struct request_head){.keeps_alive = true};
    head.headers[header] = span_of(value);
}

static void test_key_is_taken_with_quotes_or_without(void **state) {
    char key[OPTIONS_KEY_MAX + 1];
    static const char *const BAD[] = {"", "\"\"", "a b", "a\"b", "\"a", "a\\b", "a\xC3\xA9"};
    (void)state;
    give(HTTP_HEADER_IDEMPOTENCY_KEY, "\"k-1\"");
    assert_true(options_idempotency_key(&head, key));
    assert_string_equal(key, "k-1");
    give(HTTP_HEADER_IDEMPOTENCY_KEY, "k-1");
    assert_true(options_idempotency_key(&head, key));
    assert_string_equal(key, "k-1");
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        give(HTTP_HEADER_IDEMPOTENCY_KEY, BAD[i]);
        assert_false(options_idempotency_key(&head, key));
    }
}

static void test_timeout_is_read_in_both_units(void **state) {
    uint32_t ms;
    static const char *const BAD[] = {"0", "0.0001", "1e3", "-1", "", ".", ".5", "1.2.3", "61", "99999999999999999999"};
    (void)state;
    give(HTTP_HEADER_REQUEST_TIMEOUT, "2.5");
    assert_true(options_timeout(&head, 60000, &ms));
    assert_int_equal(ms, 2500);
    give(HTTP_HEADER_X_REQUEST_TIMEOUT_MS, "60000");
    assert_true(options_timeout(&head, 60000, &ms));
    assert_int_equal(ms, 60000);
    give(HTTP_HEADER_X_REQUEST_TIMEOUT_MS, "60001");
    assert_false(options_timeout(&head, 60000, &ms));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        give(HTTP_HEADER_REQUEST_TIMEOUT, BAD[i]);
        assert_false(options_timeout(&head, 60000, &ms));
    }
    give(HTTP_HEADER_ACCEPT, "*/*");
    assert_true(options_timeout(&head, 60000, &ms));
    assert_int_equal(ms, 0);
}

static void test_bearer_is_the_only_kind(void **state) {
    struct span token;
    (void)state;
    give(HTTP_HEADER_AUTHORIZATION, "bearer  a.b.c ");
    assert_true(options_bearer(&head, &token));
    assert_true(span_is(token, "a.b.c"));
    give(HTTP_HEADER_AUTHORIZATION, "Basic dTpw");
    assert_false(options_bearer(&head, &token));
    give(HTTP_HEADER_AUTHORIZATION, "Bearer a b");
    assert_false(options_bearer(&head, &token));
    give(HTTP_HEADER_ACCEPT, "*/*");
    assert_true(options_bearer(&head, &token));
    assert_null(token.at);
}

static void test_traceparent_is_of_version_00(void **state) {
    (void)state;
    assert_true(options_is_traceparent(span_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
    assert_false(options_is_traceparent(span_of("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
    assert_false(options_is_traceparent(span_of("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
    assert_false(options_is_traceparent(span_of("")));
}

static void test_types_are_compared_without_parameters(void **state) {
    (void)state;
    assert_true(options_is_json(span_of("Application/JSON; charset=utf-8")));
    assert_true(options_is_json(span_of("application/merge-patch+json")));
    assert_false(options_is_json(span_of("text/json")));
    assert_false(options_is_json(span_of("application/jsonp")));
    give(HTTP_HEADER_ACCEPT, "text/html, application/*;q=0.8");
    assert_true(options_accepts(&head, "application/json"));
    give(HTTP_HEADER_ACCEPT, "text/html");
    assert_false(options_accepts(&head, "application/json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_is_taken_with_quotes_or_without),
        cmocka_unit_test(test_timeout_is_read_in_both_units),
        cmocka_unit_test(test_bearer_is_the_only_kind),
        cmocka_unit_test(test_traceparent_is_of_version_00),
        cmocka_unit_test(test_types_are_compared_without_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
