/* Cleaning: hostile and multilingual texts, and what holds for any text. */
#include "herald/utf8.h"
#include "random_text.h"
#include "server/text/post_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *clean(const char *text, enum text_kind kind) {
    char *cleaned = NULL;
    assert_int_equal(post_text_clean(text, kind, &cleaned, NULL), HERALD_OK);
    return cleaned;
}

static void assert_cleaned(const char *text, enum text_kind kind, const char *expected) {
    char *cleaned = clean(text, kind);
    if (strcmp(cleaned, expected) != 0) {
        fail_msg("\"%s\" became \"%s\", not \"%s\"", text, cleaned, expected);
    }
    free(cleaned);
}

struct row {
    const char *text, *expected;
};

static void assert_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_cleaned(rows[i].text, TEXT_PARAGRAPHS, rows[i].expected ? rows[i].expected : rows[i].text);
    }
}

#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_post_text_invisible_characters_are_gone(void **state) {
    (void)state;
    static const struct row ROWS[] = {
        {"\u200B", ""},
        {"\u3164", ""},
        {"   ", ""},
        {"\u2800\u2003\u3000", ""},
        {"\u200D\uFE0F\u2060\uFEFF\u00AD\u034F\u115F\u1160\uFFA0", ""},
        {"\u202Eabc\u202C \u2066d\u2069\u200F\u200E\u061C", "abc d"},
        {"a\x01\x02\x7F\xC2\x80"
         "z",
         "az"},
        {"a\uE000\U000F0000\U00100000z", "az"},
        {"a\uFFFE\uFFFF\uFDD0\U0001FFFE\U0010FFFFz", "az"},
        {"a\uFFF9b\uFFFBc\uFFFC", "abc"},
        {"a\U000E0001\U000E0041\U000E007Fz", "az"},
        {"행\u200B사\u2060", "행사"},
        {"a\u2065\uFFF0\U000E0000\U000E0080\U000E0FFFz", "az"}, /* ignorable, though not assigned */
    };
    ASSERT_ROWS(ROWS);
}

static void test_post_text_what_emoji_need_stays(void **state) {
    (void)state;
    static const struct row ROWS[] = {
        {"\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466", NULL},
        {"\U0001F468\U0001F3FD\u200D\U0001F4BB", NULL},
        {"\u2764\uFE0F\u200D\U0001F525", NULL},
        {"\u2764\uFE0F \u2764\uFE0E", NULL},
        {"1\uFE0F\u20E3+1\uFE0F\u20E3 \uD589\uC0AC", NULL},
        {"#\uFE0F\u20E3 *\uFE0F\u20E3 5\u20E3", NULL},
        {"\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", NULL},
        {"\U0001F1F0\U0001F1F7", NULL},
        {"\U0001FAE8", NULL}, /* Unicode 15 */
        {"1\uFE0F 2\uFE0E", "1 2"},
        {"a\uFE0F\u200Db", "ab"},
        {"\U0001F389\u200D", "\U0001F389"},
        {"\U0001F389\u200D\u200D\U0001F389", "\U0001F389\u200D\U0001F389"},
        {"\U0001F3F4\U000E0067\U000E0062", "\U0001F3F4"},
        {"\U0001F389\U000E0067\U000E007F", "\U0001F389"},
    };
    ASSERT_ROWS(ROWS);
}

static void test_post_text_what_scripts_need_stays(void **state) {
    (void)state;
    static const struct row ROWS[] = {
        {"\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645", NULL}, /* Persian */
        {"\u0915\u094D\u200D\u0937 \u0915\u094D\u200C\u0937", NULL},
        {"\u0DC1\u0DCA\u200D\u0DBB\u0DD3", NULL},
        {"\u1820\u180B\u1821", NULL},
        {"\u8FBB\U000E0100 \u6F22\uFE00", NULL},
        {"\u0E01\u0E49\u0E33", NULL},
        {"\u05D0\u05B8", NULL},
        {"가\u200C나\u200D다", "가나다"},
        {"a\u180Bb\U000E0100", "ab"},
        {"大박 세일 新메뉴 無料", NULL},
    };
    ASSERT_ROWS(ROWS);
}

static void test_post_text_is_composed(void **state) {
    (void)state;
    static const struct row ROWS[] = {
        {"\u1100\u1161\u11A8", "각"},      {"e\u0301", "\u00E9"},      {"\u304B\u3099", "\u304C"},
        {"e\u034F\u0301", "\u00E9"},       {"\u0958", "\u0915\u093C"}, {"\u212B", "\u00C5"},
        {"a\u0301\u0323", "\u1EA1\u0301"}, {"\uFB01 \u2460", NULL}, /* no compatibility forms */
    };
    ASSERT_ROWS(ROWS);
}

static void test_post_text_line_breaks_become_one_kind(void **state) {
    (void)state;
    static const char MIXED[] = "a\r\nb\rc\nd\u2028e\u2029f\xC2\x85"
                                "g\vh\fi\tj\r\n";
    assert_cleaned(MIXED, TEXT_PARAGRAPHS, "a\nb\nc\nd\ne\nf\ng\nh\ni\tj");
    assert_cleaned(MIXED, TEXT_LINE, "a b c d e f g h i j");
    assert_cleaned("a \r\n\r\n b", TEXT_LINE, "a  b");
    assert_cleaned("\n\n", TEXT_LINE, "");
}

static void test_post_text_no_utf8_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char *cleaned = NULL;
        struct herald_error error;
        assert_int_equal(post_text_clean(BAD[i], TEXT_LINE, &cleaned, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_UTF8");
        assert_null(cleaned);
    }
}

static void test_post_text_plain_text_needs_no_cleaning(void **state) {
    (void)state;
    static const char *const PLAIN[] = {"", "a", "Grand opening, 50% off!", "~"};
    static const char *const OTHER[] = {" a", "a ", "a\n", "a\x7F", "\u00E9", "\t"};
    for (size_t i = 0; i < sizeof(PLAIN) / sizeof(PLAIN[0]); i++) {
        assert_true(post_text_is_plain(PLAIN[i]));
        assert_cleaned(PLAIN[i], TEXT_LINE, PLAIN[i]);
    }
    for (size_t i = 0; i < sizeof(OTHER) / sizeof(OTHER[0]); i++) {
        assert_false(post_text_is_plain(OTHER[i]));
    }
}

/* For any text: the result is UTF-8, and cleaning it again, as either kind, adds nothing. */
static void test_post_text_cleaning_twice_is_cleaning_once(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 60000; seed++) {
        char text[256];
        random_text(seed, text, sizeof(text));
        for (int kind = TEXT_LINE; kind <= TEXT_PARAGRAPHS; kind++) {
            char *once = clean(text, (enum text_kind)kind);
            assert_true(herald_utf8_valid(once, strlen(once), NULL));
            assert_cleaned(once, (enum text_kind)kind, once);
            free(once);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_text_invisible_characters_are_gone),
        cmocka_unit_test(test_post_text_what_emoji_need_stays),
        cmocka_unit_test(test_post_text_what_scripts_need_stays),
        cmocka_unit_test(test_post_text_is_composed),
        cmocka_unit_test(test_post_text_line_breaks_become_one_kind),
        cmocka_unit_test(test_post_text_no_utf8_is_refused),
        cmocka_unit_test(test_post_text_plain_text_needs_no_cleaning),
        cmocka_unit_test(test_post_text_cleaning_twice_is_cleaning_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
