/* What owners are told: a row for each reason of a delivery, whole sentences in both languages. */
#include "herald/reason.h"
#include "herald/utf8.h"
#include "server/distribution/text/owner_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The table of reasons in its order. */
static const enum herald_reason in_table_order[] = {
#define REASON(name, number, code, stage, meaning) HERALD_REASON_##name,
    HERALD_REASONS(REASON)
#undef REASON
};
#define REASONS (sizeof(in_table_order) / sizeof(in_table_order[0]))

/* The reasons of a delivery's result stand together, from CHANNEL_NEEDS_AUTH to the last of stage DETAIL. */
static void test_owner_text_each_reason_of_a_delivery_has_a_row(void **state) {
    (void)state;
    size_t at = 0, found = 0;
    while (at < REASONS && in_table_order[at] != HERALD_REASON_CHANNEL_NEEDS_AUTH) {
        at++;
    }
    for (; at < REASONS && herald_reason_stage(in_table_order[at]) == HERALD_STAGE_DETAIL; at++, found++) {
        const char *word = herald_reason_name(in_table_order[at]);
        if (owner_text_find(word) == NULL) {
            fail_msg("%s has no row in server/distribution/text/owner_text.c", word);
        }
    }
    assert_true(found >= 14);
}

static void test_owner_text_rows_of_states_are_there(void **state) {
    (void)state;
    static const struct {
        const char *word;
        enum owner_next next;
    } ROWS[] = {
        {"CHANNEL_TIMEOUT", OWNER_NEXT_HERALD}, {"CHANNEL_NEEDS_AUTH", OWNER_NEXT_OWNER},
        {"CHANNEL_PAUSED", OWNER_NEXT_SUPPORT}, {"CHANNEL_FAILING", OWNER_NEXT_HERALD},
        {"QUIET_HOURS", OWNER_NEXT_HERALD},     {"QUOTA", OWNER_NEXT_HERALD},
        {"OUTCOME_UNKNOWN", OWNER_NEXT_OWNER},  {"EXPIRED", OWNER_NEXT_OWNER},
        {"SCHEDULED", OWNER_NEXT_HERALD},       {"CANCELLED", OWNER_NEXT_NOBODY},
        {"CLOCK_SKEW", OWNER_NEXT_SUPPORT},     {"AWAITING_OPERATOR", OWNER_NEXT_SUPPORT},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const struct owner_text *text = owner_text_find(ROWS[i].word);
        assert_non_null(text);
        assert_int_equal(text->next, ROWS[i].next);
    }
}

static void assert_sentences(const char *text) {
    assert_true(herald_utf8_valid(text, strlen(text), NULL));
    assert_int_equal(text[strlen(text) - 1], '.');
}

static void test_owner_text_all_words_are_whole_sentences(void **state) {
    (void)state;
    for (int i = 1; i <= HERALD_REASON_COUNT; i++) {
        const struct owner_text *text = owner_text_find(herald_reason_name((enum herald_reason)i));
        for (int language = 0; text != NULL && language < OWNER_LANGUAGE_COUNT; language++) {
            assert_sentences(text->happened[language]);
            assert_sentences(text->to_do[language]);
        }
    }
}

static void test_owner_text_write_names_the_channel(void **state) {
    (void)state;
    char text[512], small[20];
    assert_string_equal(owner_text_write("CHANNEL_TIMEOUT", "인스타그램", OWNER_KOREAN, text, sizeof(text)),
                        "인스타그램: 채널이 제때 답하지 않았습니다. Herald가 자동으로 다시 시도합니다. 따로 하실 일은 "
                        "없습니다.");
    assert_string_equal(owner_text_write("CANCELLED", "Instagram", OWNER_ENGLISH, text, sizeof(text)),
                        "Instagram: It was cancelled. Nothing is sent to this channel.");
    assert_string_equal(owner_text_write("OF_NEXT_YEAR", "Instagram", OWNER_ENGLISH, text, sizeof(text)),
                        "Instagram: It is not published yet. We are looking into it. You need do nothing.");
    owner_text_write("CHANNEL_TIMEOUT", "인스타그램", OWNER_KOREAN, small, sizeof(small));
    assert_string_equal(small, "인스타그램: ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_text_each_reason_of_a_delivery_has_a_row),
        cmocka_unit_test(test_owner_text_rows_of_states_are_there),
        cmocka_unit_test(test_owner_text_all_words_are_whole_sentences),
        cmocka_unit_test(test_owner_text_write_names_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
