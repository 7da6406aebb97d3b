/* Patterns as the generator compiles them and the client library matches them, against the C library's regexec(). */
#include "client/message/pattern.h"
#include "gen/plugin/pattern.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const char *pattern_text, const char *text) {
    struct pool pool = {0};
    struct pattern pattern;
    const char *problem = "";
    if (!pattern_compile(&pool, pattern_text, &pattern, &problem)) {
        fail_msg("%s: %s", pattern_text, problem);
    }
    bool result = herald_pattern_matches(&pattern.table, text);
    pool_fini(&pool);
    return result;
}

static void test_pattern_matches_the_whole_text_only(void **state) {
    (void)state;
    assert_true(matches("b+", "bb"));
    assert_false(matches("b+", "abb"));
    assert_false(matches("b+", "bba"));
    assert_false(matches("b+", ""));
    assert_true(matches("b*", ""));
    assert_true(matches("a|bc", "bc"));
    assert_false(matches("a|bc", "ac"));
    assert_true(matches("(a|b)c", "ac"));
}

static void test_pattern_counts_characters_not_bytes(void **state) {
    (void)state;
    assert_true(matches(".{2}", "한글"));
    assert_false(matches(".{2}", "한"));
    assert_true(matches("[^a]", "😀"));
    assert_true(matches("a.b", "aéb"));
    assert_false(matches("[a-z]+", "é"));
    assert_false(matches("[[:alpha:]]", "é"));
}

static void test_pattern_counts_repeats_exactly(void **state) {
    (void)state;
    struct pool pool = {0};
    struct pattern range, either;
    const char *problem;
    char text[300];
    assert_true(pattern_compile(&pool, "a{3,250}", &range, &problem));
    assert_true(pattern_compile(&pool, "(ab?){2}|a{5,}", &either, &problem));
    for (size_t count = 0; count < 254; count++) {
        memset(text, 'a', count);
        text[count] = '\0';
        assert_int_equal(herald_pattern_matches(&range.table, text), count >= 3 && count <= 250);
        assert_int_equal(herald_pattern_matches(&either.table, text), count == 2 || count >= 5);
    }
    pool_fini(&pool);
}

static void test_pattern_that_backtracking_cannot_match_is_matched_at_once(void **state) {
    (void)state;
    char *text = malloc(1000002);
    memset(text, 'a', 1000000);
    strcpy(text + 1000000, "!");
    assert_false(matches("(a*)*b|(a|aa)+|((a+)+)+c", text));
    free(text);
}

static uint64_t next_random(uint64_t *seed) {
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Appends a random expression to @to, which has room for it. */
static void random_expression(uint64_t *seed, unsigned depth, char *to) {
    static const char *const atoms[] = {"a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "\\.", "[]a]", "[[:digit:]b]",
                                        "-"};
    static const char *const repeats[] = {"", "", "", "?", "*", "+", "{2}", "{1,3}", "{0,1}", "{2,}", "{0}"};
    uint64_t parts = 1 + next_random(seed) % 3;
    for (uint64_t i = 0; i < parts; i++) {
        if (i > 0 && next_random(seed) % 3 == 0) {
            strcat(to, "|");
        }
        if (depth > 0 && next_random(seed) % 3 == 0) {
            strcat(to, "(");
            random_expression(seed, depth - 1, to);
            strcat(to, ")");
        } else {
            strcat(to, atoms[next_random(seed) % (sizeof(atoms) / sizeof(atoms[0]))]);
        }
        strcat(to, repeats[next_random(seed) % (sizeof(repeats) / sizeof(repeats[0]))]);
    }
}

static void random_text(uint64_t *seed, char *to) {
    static const char letters[] = "aaabbc.-]7";
    size_t length = next_random(seed) % 8;
    for (size_t i = 0; i < length; i++) {
        to[i] = letters[next_random(seed) % (sizeof(letters) - 1)];
    }
    to[length] = '\0';
}

static void test_pattern_agrees_with_regexec(void **state) {
    (void)state;
    uint64_t seed = 5;
    int matched = 0, compiled = 0;
    for (int round = 0; round < 1000; round++) {
        char expression[2048] = "", anchored[2100], text[16];
        struct pool pool = {0};
        struct pattern pattern;
        const char *problem;
        regex_t regex;
        random_expression(&seed, 3, expression);
        snprintf(anchored, sizeof(anchored), "^(%s)$", expression);
        if (pattern_compile(&pool, expression, &pattern, &problem)) {
            compiled++;
            assert_int_equal(regcomp(&regex, anchored, REG_EXTENDED | REG_NOSUB), 0);
            for (int i = 0; i < 30; i++) {
                random_text(&seed, text);
                bool expected = regexec(&regex, text, 0, NULL, 0) == 0;
                if (herald_pattern_matches(&pattern.table, text) != expected) {
                    fail_msg("\"%s\" and \"%s\": should be %d", expression, text, expected);
                }
                matched += expected;
            }
            regfree(&regex);
        } else {
            assert_non_null(strstr(problem, "too big"));
        }
        pool_fini(&pool);
    }
    assert_true(compiled > 800);
    assert_true(matched > 1500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_matches_the_whole_text_only),
        cmocka_unit_test(test_pattern_counts_characters_not_bytes),
        cmocka_unit_test(test_pattern_counts_repeats_exactly),
        cmocka_unit_test(test_pattern_that_backtracking_cannot_match_is_matched_at_once),
        cmocka_unit_test(test_pattern_agrees_with_regexec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
