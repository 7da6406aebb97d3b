#include "herald/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* herald_reply_may_repeat() for every outcome, effect and code, with a key and without. */

#define EFFECTS 3 /* READ, IDEMPOTENT, ONCE */

/* What a row of the table is about: how the call ended, as far as its code does not say. */
enum end { UNSENT, NOT_BEGUN, TOLD, LOST, NOT_KNOWN, ENDS };

struct expected {
    enum end end;
    const char *codes[EFFECTS]; /* a letter for each code, 0 to 16: N no, Y yes, K with the same key, else no */
};

/* clang-format off */
static const struct expected table[ENDS] = {
    /*            READ                 IDEMPOTENT           ONCE
     *            0 OK             16  0 OK             16  0 OK             16 */
    {UNSENT,    {"NYNNYNNNYNYNNNYNN", "NYNNYNNNYNYNNNYNN", "NYNNYNNNYNYNNNYNN"}},
    {NOT_BEGUN, {"NYNNYNNNYNYNNNYNN", "NYNNYNNNYNYNNNYNN", "NYNNYNNNYNYNNNYNN"}},
    {TOLD,      {"NYNNYNNNYNYNNNYNN", "NYNNYNNNYNYNNNYNN", "NKNNKNNNKNKNNNKNN"}},
    {LOST,      {"NYYYYYYYYYYYYYYYY", "NYYYYYYYYYYYYYYYY", "NKKKKKKKKKKKKKKKK"}},
    {NOT_KNOWN, {"NYYYYYYYYYYYYYYYY", "NYYYYYYYYYYYYYYYY", "NKKKKKKKKKKKKKKKK"}},
};
/* clang-format on */

static struct herald_reply reply_of(enum end end, enum herald_effect effect, enum herald_code code, bool keyed) {
    struct herald_reply reply = {.effect = effect};
    reply.error.code = code;
    reply.outcome = end == UNSENT                     ? HERALD_NOT_SENT
                    : end == LOST || end == NOT_KNOWN ? HERALD_MAYBE_EXECUTED
                                                      : HERALD_EXECUTED;
    reply.done = end == NOT_BEGUN   ? HERALD_DONE_NOTHING
                 : end == NOT_KNOWN ? HERALD_DONE_NOT_KNOWN
                                    : HERALD_DONE_AS_TOLD;
    if (keyed) {
        (void)snprintf(reply.idempotency_key, sizeof(reply.idempotency_key), "k-1");
    }
    return reply;
}

static enum herald_repeat wanted(char letter, bool keyed) {
    return letter == 'Y' ? HERALD_REPEAT_YES : letter == 'K' && keyed ? HERALD_REPEAT_SAME_KEY : HERALD_REPEAT_NO;
}

static void test_repeat_of_each_end_effect_and_code_is_as_the_table_says(void **state) {
    (void)state;
    for (int end = 0; end < ENDS; end++) {
        assert_int_equal(table[end].end, end);
        for (int effect = 0; effect < EFFECTS; effect++) {
            const char *codes = table[end].codes[effect];
            assert_int_equal(strlen(codes), HERALD_UNAUTHENTICATED + 1);
            for (int code = 0; code <= HERALD_UNAUTHENTICATED; code++) {
                for (int keyed = 0; keyed <= 1; keyed++) {
                    const struct herald_reply reply =
                        reply_of((enum end)end, (enum herald_effect)(effect + 1), (enum herald_code)code, keyed != 0);
                    if (herald_reply_may_repeat(&reply) != wanted(codes[code], keyed != 0)) {
                        fail_msg("end %d, effect %d, %s, %s key: %s", end, effect + 1, herald_code_name(code),
                                 keyed ? "a" : "no", herald_repeat_name(herald_reply_may_repeat(&reply)));
                    }
                }
            }
        }
    }
}

static enum herald_repeat repeat_after(enum herald_outcome outcome, enum herald_code code, const char *reason) {
    struct herald_reply reply = {.outcome = outcome, .effect = HERALD_EFFECT_ONCE};
    herald_error_set_code(&reply.error, code, reason, "for a test");
    (void)snprintf(reply.idempotency_key, sizeof(reply.idempotency_key), "k-1");
    return herald_reply_may_repeat(&reply);
}

/* An older server does not say what was done; its word does. */
static void test_repeat_after_a_refusal_by_its_word_is_free(void **state) {
    (void)state;
    assert_int_equal(repeat_after(HERALD_EXECUTED, HERALD_UNAVAILABLE, "DRAINING"), HERALD_REPEAT_YES);
    assert_int_equal(repeat_after(HERALD_EXECUTED, HERALD_RESOURCE_EXHAUSTED, "QUEUE_TIMEOUT"), HERALD_REPEAT_YES);
    assert_int_equal(repeat_after(HERALD_EXECUTED, HERALD_UNAVAILABLE, "DOWNSTREAM_DRAINING"), HERALD_REPEAT_SAME_KEY);
    /* an attempt before may have begun */
    assert_int_equal(repeat_after(HERALD_MAYBE_EXECUTED, HERALD_UNAVAILABLE, "DRAINING"), HERALD_REPEAT_SAME_KEY);
}

static void test_repeat_of_what_is_too_large_does_not_help(void **state) {
    (void)state;
    static const char *const words[] = {"MESSAGE_TOO_LARGE", "MESSAGE_TOO_BIG", "PAYLOAD_TOO_COMPLEX", "JSON_TOO_LONG",
                                        "ARENA_FULL"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(repeat_after(HERALD_EXECUTED, HERALD_RESOURCE_EXHAUSTED, words[i]), HERALD_REPEAT_NO);
        assert_int_equal(repeat_after(HERALD_NOT_SENT, HERALD_RESOURCE_EXHAUSTED, words[i]), HERALD_REPEAT_NO);
    }
    assert_int_equal(repeat_after(HERALD_EXECUTED, HERALD_RESOURCE_EXHAUSTED, "NO_STACK"), HERALD_REPEAT_SAME_KEY);
}

static void test_repeat_has_a_name(void **state) {
    (void)state;
    assert_string_equal(herald_repeat_name(HERALD_REPEAT_NO), "NO");
    assert_string_equal(herald_repeat_name(HERALD_REPEAT_YES), "YES");
    assert_string_equal(herald_repeat_name(HERALD_REPEAT_SAME_KEY), "SAME_KEY");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeat_of_each_end_effect_and_code_is_as_the_table_says),
        cmocka_unit_test(test_repeat_after_a_refusal_by_its_word_is_free),
        cmocka_unit_test(test_repeat_of_what_is_too_large_does_not_help),
        cmocka_unit_test(test_repeat_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
