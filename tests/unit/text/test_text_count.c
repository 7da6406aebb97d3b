/* Lengths in the units of channels, cuts, hashtags, mentions. */
#include "herald/utf8.h"
#include "random_text.h"
#include "server/text/text_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <utf8proc.h>

#include <cmocka.h>

#define FAMILY "\U0001F468\u200D\U0001F469\u200D\U0001F467"

static void test_text_count_in_each_unit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t points, utf16, bytes, graphemes;
    } ROWS[] = {
        {"", 0, 0, 0, 0},
        {"abc", 3, 3, 3, 3},
        {"한글", 2, 2, 6, 2},
        {"\u1112\u1161\u11AB", 3, 3, 9, 1},
        {"e\u0301x", 3, 3, 4, 2},
        {FAMILY, 5, 8, 18, 1},
        {"\U0001F1F0\U0001F1F7\U0001F1FA\U0001F1F8", 4, 8, 16, 2},
        {"1\uFE0F\u20E3", 3, 3, 7, 1},
        {"a\r\nb", 4, 4, 4, 3},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        assert_int_equal(text_count(ROWS[i].text, TEXT_CODE_POINTS), ROWS[i].points);
        assert_int_equal(text_count(ROWS[i].text, TEXT_UTF16), ROWS[i].utf16);
        assert_int_equal(text_count(ROWS[i].text, TEXT_BYTES), ROWS[i].bytes);
        assert_int_equal(text_count(ROWS[i].text, TEXT_GRAPHEMES), ROWS[i].graphemes);
    }
}

static void test_text_cut_ends_before_a_grapheme_that_does_not_fit(void **state) {
    (void)state;
    assert_int_equal(text_cut("abc", 2, TEXT_CODE_POINTS), 2);
    assert_int_equal(text_cut("abc", 9, TEXT_CODE_POINTS), 3);
    assert_int_equal(text_cut("abc", 0, TEXT_BYTES), 0);
    assert_int_equal(text_cut("a" FAMILY "b", 5, TEXT_CODE_POINTS), 1);
    assert_int_equal(text_cut("a" FAMILY "b", 6, TEXT_CODE_POINTS), 19);
    assert_int_equal(text_cut("a" FAMILY "b", 2, TEXT_GRAPHEMES), 19);
    assert_int_equal(text_cut("a" FAMILY "b", 8, TEXT_UTF16), 1);
    assert_int_equal(text_cut("가나", 5, TEXT_BYTES), 3);
}

/* Whether @cut is a boundary of the graphemes of @text, found by walking all of it. */
static int is_boundary(const char *text, size_t cut) {
    utf8proc_int32_t before = 0, c = 0, break_state = 0;
    for (size_t at = 0; text[at] != '\0';) {
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at, -1, &c);
        if (at == cut) {
            return at == 0 || utf8proc_grapheme_break_stateful(before, c, &break_state);
        }
        if (at > 0) {
            utf8proc_grapheme_break_stateful(before, c, &break_state);
        }
        before = c;
        at += (size_t)step;
    }
    return strlen(text) == cut;
}

static void test_text_cut_of_any_text_keeps_graphemes_whole(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 20000; seed++) {
        char text[256];
        random_text(seed, text, sizeof(text));
        for (int unit = TEXT_CODE_POINTS; unit <= TEXT_GRAPHEMES; unit++) {
            size_t max = seed % 17, whole = text_count(text, (enum text_unit)unit);
            size_t cut = text_cut(text, max, (enum text_unit)unit);
            assert_true(is_boundary(text, cut));
            assert_true(cut == strlen(text) || whole > max);
            char kept[256];
            memcpy(kept, text, cut);
            kept[cut] = '\0';
            assert_true(herald_utf8_valid(kept, cut, NULL));
            assert_true(text_count(kept, (enum text_unit)unit) <= max);
        }
    }
}

static void test_text_count_hashtags(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } ROWS[] = {
        {"#행사 #sale\n#2주년", 3},
        {"#", 0},
        {"# 행사", 0},
        {"a#b", 0},
        {"##b", 1},
        {"#a#b", 1},
        {"(#a)", 1},
        {"#_x", 1},
        {"#\U0001F389", 1},
        {"\uFF03행사", 1},
        {"#\uFE0F\u20E3", 0},
        {"", 0},
        {"할인!#행사", 1},
        {"C# 수업", 0},
        {"#日本 #ไทย", 2},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (text_count_hashtags(ROWS[i].text) != ROWS[i].count) {
            fail_msg("\"%s\": %zu hashtags, not %zu", ROWS[i].text, text_count_hashtags(ROWS[i].text), ROWS[i].count);
        }
    }
}

static void test_text_count_mentions(void **state) {
    (void)state;
    assert_int_equal(text_count_mentions("@shop @a.b_c,@d"), 3);
    assert_int_equal(text_count_mentions("mail owner@shop.kr, x.y+z@shop.kr; @ home; @@"), 0);
    assert_int_equal(text_count_mentions("가게@shop"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_count_in_each_unit),
        cmocka_unit_test(test_text_cut_ends_before_a_grapheme_that_does_not_fit),
        cmocka_unit_test(test_text_cut_of_any_text_keeps_graphemes_whole),
        cmocka_unit_test(test_text_count_hashtags),
        cmocka_unit_test(test_text_count_mentions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
