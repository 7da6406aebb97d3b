#include "server/gateway/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;
static struct uri_path path;
static const char *why;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_fini(&arena);
    return 0;
}

static bool read_path(const char *text) {
    return uri_path_read(span_of(text), &arena, &path, &why);
}

static void test_path_parts_are_decoded(void **state) {
    (void)state;
    assert_true(read_path("/api/a%20b/%EA%B0%80"));
    assert_int_equal(path.count, 3);
    assert_string_equal(path.segments[0].at, "api");
    assert_string_equal(path.segments[1].at, "a b");
    assert_string_equal(path.segments[2].at, "가");
    assert_false(path.ends_with_slash);
    assert_true(read_path("/"));
    assert_int_equal(path.count, 0);
    assert_true(read_path("/api/"));
    assert_int_equal(path.count, 1);
    assert_true(path.ends_with_slash);
}

static void test_path_tricks_are_refused(void **state) {
    static const char *const CASES[] = {"//",
                                        "/a//b",
                                        "/.",
                                        "/a/../b",
                                        "/%2e%2E",
                                        "/a%2Fb",
                                        "/a%5cb",
                                        "/%00",
                                        "/%1f",
                                        "/%7f",
                                        "/%",
                                        "/%4",
                                        "/%4g",
                                        "/%ff",
                                        "/%c0%80",
                                        "/%ed%a0%80",
                                        "/a/b/c/d/e/f/g/h/i/j/k/l/m"};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        why = NULL;
        assert_false(read_path(CASES[i]));
        assert_non_null(why);
    }
}

static void test_query_parameters_come_one_by_one(void **state) {
    struct span rest = span_of("a=1&&b=x+y%26&c&d=");
    static const char *const EXPECTED[][2] = {{"a", "1"}, {"b", "x y&"}, {"c", ""}, {"d", ""}};
    struct uri_parameter parameter;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(uri_query_next(&rest, &arena, &parameter, &why));
        assert_string_equal(parameter.name, EXPECTED[i][0]);
        assert_string_equal(parameter.value, EXPECTED[i][1]);
    }
    assert_true(uri_query_next(&rest, &arena, &parameter, &why));
    assert_null(parameter.name);
    rest = span_of("a=%00");
    assert_false(uri_query_next(&rest, &arena, &parameter, &why));
    rest = span_of("%f=a");
    assert_false(uri_query_next(&rest, &arena, &parameter, &why));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_path_parts_are_decoded, begin, end),
        cmocka_unit_test_setup_teardown(test_path_tricks_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_query_parameters_come_one_by_one, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
