#include "client/json/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* JSON text by itself, where what is read by a schema does not show it. */

/* Asserts that the text, around its member "in", is right and that the member is @member; NULL: there is none. */
static void assert_right_around(const char *json, const char *member) {
    const char *at = "unset";
    struct json_problem problem = {.what = "unset"};
    if (!json_text_check_around(json, strlen(json), "in", &at, &problem)) {
        fail_msg("%s: line %zu, column %zu: %s", json, problem.line, problem.column, problem.what);
    }
    assert_string_equal(problem.what, "unset");
    if (!member) {
        assert_null(at);
        return;
    }
    assert_memory_equal(at, member, strlen(member));
    assert_ptr_equal(json_brackets_end(at, json + strlen(json)), at + strlen(member));
}

static void assert_wrong_around(const char *json, size_t column, const char *what) {
    const char *at = "unset";
    struct json_problem problem;
    assert_false(json_text_check_around(json, strlen(json), "in", &at, &problem));
    assert_int_equal(problem.line, 1);
    assert_int_equal(problem.column, column);
    if (!strstr(problem.what, what)) {
        fail_msg("%s: \"%s\" lacks \"%s\"", json, problem.what, what);
    }
}

static void test_check_around_passes_over_what_is_wrong_inside(void **state) {
    (void)state;
    assert_right_around("{}", NULL);
    assert_right_around("{\"in\":{}}", "{}");
    assert_right_around("{\"a\":1,\"in\" : {\"b\":[01,]} , \"c\":\"}\"}", "{\"b\":[01,]}");
    assert_right_around("{\"in\":{\"}\\\"}\\\\\":\"\\ud800\xff\"}}", "{\"}\\\"}\\\\\":\"\\ud800\xff\"}");
    assert_right_around("{\"\\u0069n\":{tru}}", "{tru}");
}

static void test_check_around_reads_all_else(void **state) {
    (void)state;
    assert_wrong_around("{\"in\":[01]}", 8, "no JSON number");
    assert_wrong_around("{\"a\":{\"in\":{01}}}", 13, "a name in quotes");
    assert_wrong_around("{\"inn\":{01}}", 9, "a name in quotes");
    assert_wrong_around("{\"in\":{01},}", 12, "a name in quotes");
    assert_wrong_around("{\"in\":{01}} x", 13, "something follows");
    assert_right_around("{\"a\":{\"in\":{}}}", NULL);
    assert_right_around("{\"in\":7}", NULL);
}

static void test_check_around_of_what_nothing_closes_says_where_it_began(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"in\":{\"a\":[1}}", "{\"in\":{\"a\":\"b}}", "{\"in\":{", "{\"in\":{\"a\\"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *at = NULL, *end = texts[i] + strlen(texts[i]);
        struct json_problem problem;
        assert_false(json_text_check_around(texts[i], strlen(texts[i]), "in", &at, &problem));
        assert_string_equal(problem.what, "a ',' or '}' is missing");
        assert_ptr_equal(at, texts[i] + 6);
        assert_ptr_equal(json_brackets_end(at, end), end);
    }
}

static void test_escape_controls_leaves_equal_json(void **state) {
    (void)state;
    char *json = json_escape_controls("{\"a\x7f\":\"\xc2\x9b"
                                      "2J\\n\xc2\xa0한\xc2\x80\x7f\"}");
    assert_string_equal(json, "{\"a\\u007f\":\"\\u009b2J\\n\xc2\xa0한\\u0080\\u007f\"}");
    free(json);
    json = json_escape_controls("");
    assert_string_equal(json, "");
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_around_passes_over_what_is_wrong_inside),
        cmocka_unit_test(test_check_around_reads_all_else),
        cmocka_unit_test(test_check_around_of_what_nothing_closes_says_where_it_began),
        cmocka_unit_test(test_escape_controls_leaves_equal_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
