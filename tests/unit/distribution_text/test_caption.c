/* Captions: composed of their parts, cut only where the channel's row allows it, and never inside a grapheme. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/utf8.h"
#include "server/distribution/text/caption.h"
#include "server/text/post_text.h"
#include "tests/unit/text/random_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMITS(name) content_limits_find(HERALD__DISTRIBUTION__V1__CHANNEL__##name)

static const char *const HASHTAGS[] = {"빵집", "#오픈 3주년", "!!", "##sale"};
static const struct caption WHOLE = {
    .title = "오픈 3주년\n감사 이벤트 ",
    .prize = "크루아상 세트",
    .text = "첫 줄\r\n둘째 줄",
    .store_name = "달콤한 하루",
    .store_address = "서울 마포구",
    .store_phone = "02-123-4567",
    .hashtags = HASHTAGS,
    .hashtag_count = 4,
    .has_picture = true,
};

static char *compose(const struct content_limits *limits, const struct caption *caption,
                     struct content_problems *problems) {
    char *text = NULL;
    assert_int_equal(caption_compose(limits, caption, &text, problems, NULL), HERALD_OK);
    assert_true(herald_utf8_valid(text, strlen(text), NULL));
    return text;
}

static void test_caption_has_all_parts(void **state) {
    (void)state;
    struct content_problems problems = {0};
    char *text = compose(LIMITS(INSTAGRAM), &WHOLE, &problems);
    assert_string_equal(text,
                        "오픈 3주년 감사 이벤트\n\n경품: 크루아상 세트\n\n첫 줄\n둘째 줄\n\n달콤한 하루\n서울 마포구\n"
                        "02-123-4567\n\n#빵집 #오픈3주년 #sale");
    assert_int_equal(problems.count, 0);
    free(text);
}

static void test_caption_without_parts_has_no_empty_lines(void **state) {
    (void)state;
    struct content_problems problems = {0};
    char *text = compose(LIMITS(INSTAGRAM), &(struct caption){.title = "행사", .has_picture = true}, &problems);
    assert_string_equal(text, "행사");
    free(text);
    text = compose(LIMITS(INSTAGRAM), &(struct caption){.hashtags = HASHTAGS, .hashtag_count = 1, .has_picture = true},
                   &problems);
    assert_string_equal(text, "#빵집");
    assert_int_equal(problems.count, 0);
    free(text);
    text = compose(LIMITS(INSTAGRAM), &(struct caption){.title = "\u200B", .has_picture = true}, &problems);
    assert_string_equal(text, "");
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.list[0].reason, HERALD_REASON_REQUIRED);
    free(text);
}

static void test_caption_too_long_is_a_problem_where_nothing_may_be_cut(void **state) {
    (void)state;
    struct content_problems problems = {0};
    struct caption caption = WHOLE;
    char *words = calloc(2500 + 1, 1);
    memset(words, 'a', 2500);
    caption.text = words;
    char *text = compose(LIMITS(INSTAGRAM), &caption, &problems);
    assert_non_null(strstr(text, words));
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.list[0].reason, HERALD_REASON_TOO_LONG);
    free(text);
    free(words);
}

static void test_caption_too_long_is_cut_where_the_row_allows_it(void **state) {
    (void)state;
    struct content_problems problems = {0};
    struct caption caption = WHOLE;
    char words[1200] = "";
    for (int i = 0; i < 40; i++) {
        strcat(words, "\U0001F468\u200D\U0001F469\u200D\U0001F467 ");
    }
    for (int picture = 0; picture < 2; picture++) {
        caption.text = words;
        caption.has_picture = picture == 1;
        char *text = compose(LIMITS(KAKAO_CHANNEL), &caption, &problems);
        assert_int_equal(problems.count, 0);
        size_t length = text_count(text, TEXT_CODE_POINTS);
        if (picture) {
            assert_true(length <= 300 && length > 290);
            assert_non_null(strstr(text, "\u200D\U0001F467…\n\n달콤한 하루"));
        } else {
            assert_null(strstr(text, "…"));
        }
        assert_non_null(strstr(text, "#빵집 #오픈3주년 #sale"));
        free(text);
    }
}

static void test_caption_whose_other_parts_are_too_long_is_a_problem(void **state) {
    (void)state;
    struct content_problems problems = {0};
    char title[400];
    memset(title, 'a', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    struct caption caption = {.title = title, .text = "b", .has_picture = true};
    char *text = compose(LIMITS(KAKAO_CHANNEL), &caption, &problems);
    assert_string_equal(text, title);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].english,
                        "The text has 399 characters; Kakao Channel takes 300. Shorten it by 99.");
    free(text);
}

static void test_caption_no_utf8_is_refused(void **state) {
    (void)state;
    struct content_problems problems = {0};
    static const char *const BAD[] = {"\xFF"};
    char *text = NULL;
    struct caption all[] = {{.title = "\xFF"}, {.store_phone = "\xFF"}, {.hashtags = BAD, .hashtag_count = 1}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_int_equal(caption_compose(LIMITS(INSTAGRAM), &all[i], &text, &problems, NULL), HERALD_INVALID_ARGUMENT);
        assert_null(text);
    }
}

/* For any text and limit: the caption fits or a problem says that it does not, and what is kept of the text is a
 * beginning of it, whole graphemes long. */
static void test_caption_of_any_text_fits_or_says_so(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 20000; seed++) {
        struct content_problems problems = {0};
        struct content_limit limit = {seed % 40, (enum text_unit)(seed / 7 % 4)};
        struct content_limits limits = *LIMITS(KAKAO_CHANNEL);
        char words[256], *cleaned = NULL;
        random_text(seed, words, sizeof(words));
        limits.text = limit;
        char *text = compose(&limits, &(struct caption){.text = words}, &problems);
        assert_int_equal(post_text_clean(words, TEXT_PARAGRAPHS, &cleaned, NULL), HERALD_OK);
        assert_true(problems.count > 0 || limit.max == 0 || text_count(text, limit.unit) <= limit.max);
        if (strcmp(text, cleaned) != 0 && text[0] != '\0') {
            size_t kept = strlen(text) - strlen("…");
            assert_string_equal(text + kept, "…");
            assert_memory_equal(text, cleaned, kept);
            size_t graphemes = text_count(cleaned, TEXT_GRAPHEMES);
            char *rest = cleaned + kept, saved = *rest;
            *rest = '\0';
            size_t before = text_count(cleaned, TEXT_GRAPHEMES);
            *rest = saved;
            assert_int_equal(before + text_count(rest, TEXT_GRAPHEMES), graphemes);
        }
        free(cleaned);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caption_has_all_parts),
        cmocka_unit_test(test_caption_without_parts_has_no_empty_lines),
        cmocka_unit_test(test_caption_too_long_is_a_problem_where_nothing_may_be_cut),
        cmocka_unit_test(test_caption_too_long_is_cut_where_the_row_allows_it),
        cmocka_unit_test(test_caption_whose_other_parts_are_too_long_is_a_problem),
        cmocka_unit_test(test_caption_no_utf8_is_refused),
        cmocka_unit_test(test_caption_of_any_text_fits_or_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
