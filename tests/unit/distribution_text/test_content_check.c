/* What each channel takes: all problems at once, with numbers, in both languages. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/utf8.h"
#include "server/distribution/text/content_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMITS(name) content_limits_find(HERALD__DISTRIBUTION__V1__CHANNEL__##name)

/* @unit, @count times; caller frees. */
static char *times(const char *unit, size_t count) {
    char *text = calloc(count * strlen(unit) + 1, 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * strlen(unit), unit, strlen(unit));
    }
    return text;
}

static void test_content_check_long_caption_says_by_how_much(void **state) {
    (void)state;
    struct content_problems problems = {0};
    char *text = times("가", 2431);
    assert_false(content_check(LIMITS(INSTAGRAM), &(struct content){.text = text, .has_picture = true}, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].field, "content.text");
    assert_int_equal(problems.list[0].reason, HERALD_REASON_TOO_LONG);
    assert_string_equal(problems.list[0].korean,
                        "인스타그램: 사진 설명이 2,200자를 넘습니다 (2,431자). 231자를 줄여 주세요.");
    assert_string_equal(problems.list[0].english,
                        "The caption has 2,431 characters; Instagram takes 2,200. Shorten it by 231.");
    free(text);
}

static void test_content_check_limit_is_taken_and_one_more_is_not(void **state) {
    (void)state;
    static const struct {
        int channel;
        bool picture;
        size_t max;
    } ROWS[] = {
        {HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM, true, 2200},
        {HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL, false, 400},
        {HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL, true, 300},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        for (size_t over = 0; over <= 1; over++) {
            struct content_problems problems = {0};
            char *text = times("\U0001F389", ROWS[i].max + over);
            struct content content = {.text = text, .has_picture = ROWS[i].picture};
            assert_int_equal(content_check(content_limits_find(ROWS[i].channel), &content, &problems), over == 0);
            free(text);
        }
    }
}

static void test_content_check_finds_all_problems(void **state) {
    (void)state;
    struct content_problems problems = {0};
    char *tags = times("#행사 ", 34), *text = times("@shop ", 4);
    char *both = calloc(strlen(tags) + strlen(text) + 1, 1);
    strcat(strcpy(both, tags), text);
    assert_false(content_check(LIMITS(INSTAGRAM), &(struct content){.text = both}, &problems));
    assert_int_equal(problems.count, 3);
    assert_string_equal(problems.list[0].field, "content.jpegUrl");
    assert_int_equal(problems.list[0].reason, HERALD_REASON_REQUIRED);
    assert_int_equal(problems.list[1].reason, HERALD_REASON_TOO_MANY);
    assert_string_equal(problems.list[1].korean,
                        "인스타그램: 해시태그는 30개까지 쓸 수 있습니다 (34개). 4개를 빼 주세요.");
    assert_string_equal(problems.list[1].english, "There are 34 hashtags; Instagram takes 30. Remove 4.");
    assert_string_equal(problems.list[2].english, "There are 4 mentions; Instagram takes 3. Remove 1.");
    free(tags);
    free(text);
    free(both);
}

static void test_content_check_buttons_and_payload(void **state) {
    (void)state;
    static const char *const BUTTONS[] = {"지금 예약하기", "지금 바로 예약하기"};
    struct content_problems problems = {0};
    struct content content = {.text = "행사", .buttons = BUTTONS, .button_count = 2};
    assert_false(content_check(LIMITS(KAKAO_CHANNEL), &content, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].field, "content.buttons[1].name");
    assert_string_equal(problems.list[0].korean,
                        "카카오톡 채널: 버튼 이름이 8자를 넘습니다 (10자). 2자를 줄여 주세요.");
    content = (struct content){.text = "행사", .payload_bytes = 19999};
    problems.count = 0;
    assert_true(content_check(LIMITS(GENIE_TV), &content, &problems));
    content.payload_bytes = 20480;
    assert_false(content_check(LIMITS(GENIE_TV), &content, &problems));
    assert_string_equal(problems.list[0].field, "content");
    assert_string_equal(problems.list[0].english,
                        "The whole post has 20,480 bytes; Genie TV takes 19,999. Shorten the text.");
}

static void test_content_check_more_problems_than_room_are_left_out(void **state) {
    (void)state;
    const char *buttons[40];
    struct content_problems problems = {0};
    for (size_t i = 0; i < 40; i++) {
        buttons[i] = "아주아주아주 긴 이름";
    }
    struct content content = {.text = "", .buttons = buttons, .button_count = 40};
    assert_false(content_check(LIMITS(KAKAO_CHANNEL), &content, &problems));
    assert_int_equal(problems.count, CONTENT_PROBLEMS_MAX);
}

/* The sentences fit their room with the greatest numbers, for each channel. */
static void test_content_check_sentences_are_whole(void **state) {
    (void)state;
    static const char *const BUTTONS[] = {"아주아주아주 긴 이름"};
    char *text = times("@a #b ", 50000);
    for (size_t i = 0; i < HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1; i++) {
        struct content_problems problems = {0};
        struct content content = {.text = text, .buttons = BUTTONS, .button_count = 1, .payload_bytes = 4000000000u};
        content_check(content_limits_find((int)i + 1), &content, &problems);
        for (size_t j = 0; j < problems.count; j++) {
            const struct content_problem *problem = &problems.list[j];
            assert_true(herald_utf8_valid(problem->korean, strlen(problem->korean), NULL));
            assert_int_equal(problem->korean[strlen(problem->korean) - 1], '.');
            assert_int_equal(problem->english[strlen(problem->english) - 1], '.');
        }
    }
    free(text);
}

static void test_content_number_groups_digits(void **state) {
    (void)state;
    char text[28];
    assert_string_equal(content_number(0, text), "0");
    assert_string_equal(content_number(999, text), "999");
    assert_string_equal(content_number(1000, text), "1,000");
    assert_string_equal(content_number(SIZE_MAX, text), "18,446,744,073,709,551,615");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_check_long_caption_says_by_how_much),
        cmocka_unit_test(test_content_check_limit_is_taken_and_one_more_is_not),
        cmocka_unit_test(test_content_check_finds_all_problems),
        cmocka_unit_test(test_content_check_buttons_and_payload),
        cmocka_unit_test(test_content_check_more_problems_than_room_are_left_out),
        cmocka_unit_test(test_content_check_sentences_are_whole),
        cmocka_unit_test(test_content_number_groups_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
