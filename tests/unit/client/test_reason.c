#include "herald/error.h"
#include "herald/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum herald_reason reason_at(int number) {
    return (enum herald_reason)number;
}

/* The next number that a reason has; HERALD_REASON_LAST + 1 after the last one. */
static int next_used(int number) {
    do {
        number++;
    } while (number <= HERALD_REASON_LAST && *herald_reason_name(reason_at(number)) == '\0');
    return number;
}

/* proto/WIRE.md, 9: after these, and no others, a client may repeat any call. */
static const char *const refusals[] = {
    "DRAINING",      "TOO_MANY_CALLS", "TOO_MANY_CALLS_OF_METHOD", "TOO_MANY_CALLS_OF_CALLER",
    "QUEUE_TIMEOUT", "LIMIT_REACHED",  "TOO_MANY_CONNECTIONS",     "SIGNED_BEFORE_START",
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static bool is_listed(const char *word) {
    for (size_t i = 0; i < REFUSALS; i++) {
        if (strcmp(refusals[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void test_reason_of_its_word_is_found(void **state) {
    (void)state;
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        assert_int_equal(herald_reason_find(herald_reason_name(reason_at(i))), i);
    }
    assert_int_equal(herald_reason_find("DRAINING"), HERALD_REASON_DRAINING);
}

static void test_reason_numbers_in_use_are_as_many_as_the_table_has_rows(void **state) {
    (void)state;
    int count = 0;
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        count++;
    }
    assert_int_equal(count, HERALD_REASON_COUNT);
    assert_string_not_equal(herald_reason_name(reason_at(HERALD_REASON_LAST)), "");
}

static void test_reason_of_an_unknown_word_is_none(void **state) {
    (void)state;
    static const char *const words[] = {"", "A", "DRAININ", "DRAINING_", "draining", "DOWNSTREAM_", "ZZZ"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(herald_reason_find(words[i]), HERALD_REASON_NONE);
    }
    assert_int_equal(herald_reason_find(NULL), HERALD_REASON_NONE);
}

static void test_reason_none_and_numbers_outside_are_empty(void **state) {
    (void)state;
    const enum herald_reason none[] = {HERALD_REASON_NONE, reason_at(-1), reason_at(HERALD_REASON_LAST + 1)};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_string_equal(herald_reason_name(none[i]), "");
        assert_string_equal(herald_reason_meaning(none[i]), "");
        assert_int_equal(herald_reason_code(none[i]), HERALD_OK);
        assert_int_equal(herald_reason_stage(none[i]), HERALD_STAGE_EITHER);
        assert_false(herald_reason_is_refusal(none[i]));
    }
}

static void test_reason_words_fit_errors_and_have_a_meaning(void **state) {
    (void)state;
    struct herald_error error;
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        const char *word = herald_reason_name(reason_at(i));
        assert_in_range(strlen(word), 1, sizeof(error.details[0].reason) - 1);
        assert_int_equal(strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), strlen(word));
        assert_true(strlen(herald_reason_meaning(reason_at(i))) > 0);
    }
}

static void test_reason_has_a_code_unless_it_is_of_details(void **state) {
    (void)state;
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        bool detail = herald_reason_stage(reason_at(i)) == HERALD_STAGE_DETAIL;
        assert_int_equal(herald_reason_code(reason_at(i)) == HERALD_OK, detail);
    }
    assert_int_equal(herald_reason_code(HERALD_REASON_DRAINING), HERALD_UNAVAILABLE);
    assert_int_equal(herald_reason_code(HERALD_REASON_DATABASE_OUTCOME_UNKNOWN), HERALD_OUTCOME_UNKNOWN);
}

static void test_reason_refusals_are_those_of_the_wire_page(void **state) {
    (void)state;
    int count = 0;
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        bool refusal = herald_reason_is_refusal(reason_at(i));
        assert_int_equal(refusal, is_listed(herald_reason_name(reason_at(i))));
        count += refusal ? 1 : 0;
    }
    assert_int_equal(count, REFUSALS);
    assert_int_equal(herald_reason_stage(HERALD_REASON_UNKNOWN_METHOD), HERALD_STAGE_BEFORE);
    assert_false(herald_reason_is_refusal(HERALD_REASON_UNKNOWN_METHOD));
}

static void test_reason_of_a_refusal_is_passed_on_as_none(void **state) {
    (void)state;
    for (int i = 0; i <= HERALD_REASON_LAST + 1; i++) {
        enum herald_reason passed_on = herald_reason_downstream(reason_at(i));
        assert_int_equal(passed_on != HERALD_REASON_NONE, herald_reason_is_refusal(reason_at(i)));
        if (passed_on == HERALD_REASON_NONE) {
            continue;
        }
        char word[64];
        snprintf(word, sizeof(word), "DOWNSTREAM_%s", herald_reason_name(reason_at(i)));
        assert_string_equal(herald_reason_name(passed_on), word);
        assert_int_equal(herald_reason_code(passed_on), herald_reason_code(reason_at(i)));
        assert_int_equal(herald_reason_stage(passed_on), HERALD_STAGE_BEGUN);
    }
}

static void test_error_set_takes_code_and_word_from_the_table(void **state) {
    (void)state;
    struct herald_error error;
    memset(&error, 0x5a, sizeof(error));
    for (int i = next_used(0); i <= HERALD_REASON_LAST; i = next_used(i)) {
        enum herald_code code = herald_reason_code(reason_at(i));
        if (code == HERALD_OK) {
            continue;
        }
        assert_int_equal(herald_error_set(&error, reason_at(i), "number %d", i), code);
        assert_int_equal(error.code, code);
        assert_string_equal(error.reason, herald_reason_name(reason_at(i)));
        assert_true(herald_error_is(&error, reason_at(i)));
        assert_int_equal(herald_error_set(NULL, reason_at(i), "nowhere"), code);
    }
}

static void test_error_set_code_takes_any_word_with_any_code(void **state) {
    (void)state;
    struct herald_error error;
    assert_int_equal(herald_error_set_code(&error, HERALD_ABORTED, "OF_A_PEER", "number %d", 7), HERALD_ABORTED);
    assert_int_equal(error.code, HERALD_ABORTED);
    assert_string_equal(error.reason, "OF_A_PEER");
    assert_string_equal(error.message, "number 7");
    assert_int_equal(herald_reason_find(error.reason), HERALD_REASON_NONE);
    assert_false(herald_error_is(&error, HERALD_REASON_CANCELLED));
    assert_false(herald_error_is(&error, HERALD_REASON_NONE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reason_of_its_word_is_found),
        cmocka_unit_test(test_reason_numbers_in_use_are_as_many_as_the_table_has_rows),
        cmocka_unit_test(test_reason_of_an_unknown_word_is_none),
        cmocka_unit_test(test_reason_none_and_numbers_outside_are_empty),
        cmocka_unit_test(test_reason_words_fit_errors_and_have_a_meaning),
        cmocka_unit_test(test_reason_has_a_code_unless_it_is_of_details),
        cmocka_unit_test(test_reason_refusals_are_those_of_the_wire_page),
        cmocka_unit_test(test_reason_of_a_refusal_is_passed_on_as_none),
        cmocka_unit_test(test_error_set_takes_code_and_word_from_the_table),
        cmocka_unit_test(test_error_set_code_takes_any_word_with_any_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
