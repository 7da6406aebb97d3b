/* What becomes of a delivery: every meaning in every step. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name)   HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define OUTLOOK(name) HERALD__DISTRIBUTION__V1__OUTLOOK__##name

#define MIN_MS  500u
#define MAX_MS  300000u
#define SOON_MS 50u
#define LOOK_MS 1000u
#define LONG_MS 60000u

enum flags { SETTLED = 1, DROPS = 2, GOES_ON = 4, HEALS = 8, THROTTLES = 16 };

/* What a meaning leads to in prepare and commit. */
static const struct expected {
    enum meaning meaning;
    int state;
    unsigned flags;
    uint32_t first_ms; /* bound of the first wait */
    enum breaker_outcome outcome;
    int pause;
} EXPECTED[] = {
    {MEANS_UNSET, STATE(READY), 0, MIN_MS, BREAKER_IGNORED, PAUSE(NOT_PAUSED)},
    {MEANS_ACCEPTED, STATE(PUBLISHED), SETTLED | HEALS, 0, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_HANDED, STATE(AWAITING_OPERATOR), SETTLED | HEALS, 0, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_PREPARED, STATE(COMMITTING), GOES_ON | HEALS, 0, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_NOT_YET, STATE(PREPARING), HEALS, LOOK_MS, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_NOT_THERE, STATE(READY), HEALS, SOON_MS, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_RETRY, STATE(READY), THROTTLES, MIN_MS, BREAKER_FAILURE, PAUSE(NOT_PAUSED)},
    {MEANS_THROTTLE, STATE(READY), THROTTLES, MIN_MS, BREAKER_IGNORED, PAUSE(NOT_PAUSED)},
    {MEANS_QUOTA, STATE(DEFERRED), 0, LONG_MS, BREAKER_IGNORED, PAUSE(NOT_PAUSED)},
    {MEANS_QUIET, STATE(DEFERRED), 0, LONG_MS, BREAKER_IGNORED, PAUSE(NOT_PAUSED)},
    {MEANS_RENEW, STATE(READY), DROPS, MIN_MS, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_REAUTH, STATE(NEEDS_AUTH), 0, LONG_MS, BREAKER_IGNORED, PAUSE(PAUSED_FOR_CREDENTIAL)},
    {MEANS_CLOCK, STATE(DEFERRED), 0, LONG_MS, BREAKER_IGNORED, PAUSE(PAUSED_FOR_CLOCK)},
    {MEANS_DISABLED, STATE(DEFERRED), 0, LONG_MS, BREAKER_IGNORED, PAUSE(PAUSED_FOR_DISABLED)},
    {MEANS_REJECT, STATE(REJECTED), SETTLED, 0, BREAKER_SUCCESS, PAUSE(NOT_PAUSED)},
    {MEANS_UNKNOWN, STATE(OUTCOME_UNKNOWN), 0, LOOK_MS, BREAKER_FAILURE, PAUSE(NOT_PAUSED)},
    {MEANS_OWN_WANT, STATE(READY), 0, MIN_MS, BREAKER_IGNORED, PAUSE(NOT_PAUSED)},
};
_Static_assert(sizeof(EXPECTED) / sizeof(EXPECTED[0]) == MEANING_COUNT, "each meaning has one row");

static struct decision_input input_of(enum delivery_step step, enum meaning meaning) {
    return (struct decision_input){
        .step = step,
        .meaning = meaning,
        .can_look_up = true,
        .backoff_min_ms = MIN_MS,
        .backoff_max_ms = MAX_MS,
    };
}

static struct decision decide_with(enum delivery_step step, enum meaning meaning) {
    struct decision_input input = input_of(step, meaning);
    return decide(&input);
}

/* The random number that gives the longest wait of a bound. */
static uint64_t longest(uint32_t bound_ms) {
    return bound_ms;
}

static void assert_decision(const struct decision *decision, const struct expected *expected) {
    assert_int_equal(decision->state, expected->state);
    assert_int_equal(decision->settled, (expected->flags & SETTLED) != 0);
    assert_int_equal(decision->drops_step, (expected->flags & DROPS) != 0);
    assert_int_equal(decision->goes_on, (expected->flags & GOES_ON) != 0);
    assert_int_equal(decision->heals, (expected->flags & HEALS) != 0);
    assert_int_equal(decision->pause, expected->pause);
    assert_int_equal(decision->outcome, expected->outcome);
    assert_int_equal(decision->failures, (expected->flags & (SETTLED | GOES_ON)) != 0 ? 0 : 1);
}

static void test_decide_each_meaning_of_prepare_and_commit(void **state) {
    (void)state;
    for (int step = STEP_PREPARE; step <= STEP_COMMIT; step++) {
        for (size_t i = 0; i < MEANING_COUNT; i++) {
            const struct expected *expected = &EXPECTED[i];
            if (step == STEP_COMMIT && expected->meaning == MEANS_PREPARED) {
                continue; /* a programming error */
            }
            struct decision_input input = input_of((enum delivery_step)step, expected->meaning);
            input.random = longest(expected->first_ms);
            input.retry_in_ms = 1;
            struct decision decision = decide(&input);
            assert_decision(&decision, expected);
            assert_int_equal(decision.throttle_ms, (expected->flags & THROTTLES) != 0 ? 1 : 0);
            if (expected->first_ms > 0) {
                assert_int_equal(decision.next_in_ms, expected->first_ms);
            }
        }
    }
}

/* A look-up ends only by an answer about the post. What an answer says about the channel counts in any case. */
static void test_decide_each_meaning_of_a_look_up(void **state) {
    (void)state;
    for (size_t i = 0; i < MEANING_COUNT; i++) {
        enum meaning meaning = EXPECTED[i].meaning;
        struct decision_input input = input_of(STEP_LOOK_UP, meaning);
        input.retry_in_ms = 1;
        struct decision decision = decide(&input);
        assert_int_equal(decision.pause, EXPECTED[i].pause);
        assert_int_equal(decision.outcome, EXPECTED[i].outcome);
        assert_int_equal(decision.throttle_ms, (EXPECTED[i].flags & THROTTLES) != 0 ? 1 : 0);
        if (meaning == MEANS_ACCEPTED || meaning == MEANS_NOT_THERE || meaning == MEANS_RENEW ||
            meaning == MEANS_REJECT) {
            assert_decision(&decision, &EXPECTED[i]);
            continue;
        }
        assert_int_equal(decision.state, STATE(OUTCOME_UNKNOWN));
        assert_false(decision.settled || decision.drops_step || decision.goes_on);
        assert_int_equal(decision.heals, (EXPECTED[i].flags & HEALS) != 0);
    }
}

/* A spent container that was not published is prepared anew; one that can still be published is kept. */
static void test_decide_look_up_drops_only_what_is_spent(void **state) {
    (void)state;
    assert_true(decide_with(STEP_LOOK_UP, MEANS_RENEW).drops_step);
    assert_int_equal(decide_with(STEP_LOOK_UP, MEANS_RENEW).state, STATE(READY));
    assert_false(decide_with(STEP_LOOK_UP, MEANS_NOT_THERE).drops_step);
    assert_int_equal(decide_with(STEP_LOOK_UP, MEANS_NOT_THERE).state, STATE(READY));
}

static void test_decide_expired_ends_what_would_go_on(void **state) {
    (void)state;
    for (int step = STEP_PREPARE; step <= STEP_LOOK_UP; step++) {
        for (size_t i = 0; i < MEANING_COUNT; i++) {
            if (step == STEP_COMMIT && EXPECTED[i].meaning == MEANS_PREPARED) {
                continue;
            }
            struct decision_input input = input_of((enum delivery_step)step, EXPECTED[i].meaning);
            struct decision decision = decide(&input);
            int goes_to = decision.state == STATE(OUTCOME_UNKNOWN) ? STATE(OUTCOME_UNKNOWN) : STATE(EXPIRED);
            input.expired = true;
            struct decision expired = decide(&input);
            if (decision.settled || decision.goes_on) {
                assert_int_equal(expired.state, decision.state);
                assert_int_equal(expired.settled, decision.settled);
            } else {
                assert_int_equal(expired.state, goes_to);
                assert_true(expired.settled);
                assert_int_equal(expired.pause, decision.pause);
            }
        }
    }
}

/* A lost answer of a channel that cannot be asked waits for a person, and is never sent again. */
static void test_decide_unknown_without_look_up_is_settled(void **state) {
    (void)state;
    struct decision_input input = input_of(STEP_COMMIT, MEANS_UNKNOWN);
    assert_false(decide(&input).settled);
    input.can_look_up = false;
    struct decision decision = decide(&input);
    assert_int_equal(decision.state, STATE(OUTCOME_UNKNOWN));
    assert_true(decision.settled);
    assert_int_equal(delivery_outlook(decision.state, decision.settled), OUTLOOK(NEEDS_PERSON));
}

/* The wait of a meaning after @failures, at its longest and at its shortest. */
static void assert_waits(enum delivery_step step, enum meaning meaning, uint32_t failures, uint64_t shortest_ms,
                         uint32_t longest_ms) {
    struct decision_input input = input_of(step, meaning);
    input.failures = failures;
    input.random = longest(longest_ms);
    assert_int_equal(decide(&input).next_in_ms, longest_ms);
    assert_int_equal(decide(&input).failures, failures + 1);
    input.random = longest_ms + 1ull; /* 0 modulo the bound */
    assert_int_equal(decide(&input).next_in_ms, shortest_ms);
}

static void test_decide_waits_double_up_to_their_bound(void **state) {
    (void)state;
    assert_waits(STEP_COMMIT, MEANS_RETRY, 0, 0, MIN_MS);
    assert_waits(STEP_COMMIT, MEANS_RETRY, 3, 0, MIN_MS * 8);
    assert_waits(STEP_COMMIT, MEANS_RETRY, 40, 0, MAX_MS);
    assert_waits(STEP_LOOK_UP, MEANS_NOT_YET, 0, LOOK_MS / 2, LOOK_MS);
    assert_waits(STEP_LOOK_UP, MEANS_UNKNOWN, 2, LOOK_MS / 2, LOOK_MS * 4);
    assert_waits(STEP_LOOK_UP, MEANS_UNKNOWN, 4000000000u, LOOK_MS / 2, MAX_MS);
    assert_waits(STEP_PREPARE, MEANS_QUOTA, 0, LONG_MS / 2, LONG_MS);
    assert_waits(STEP_PREPARE, MEANS_QUOTA, 9, LONG_MS / 2, MAX_MS);
}

/* A bound that is less than the first wait of a look does not shorten it. */
static void test_decide_looks_wait_though_the_bound_is_small(void **state) {
    (void)state;
    struct decision_input input = input_of(STEP_LOOK_UP, MEANS_UNKNOWN);
    input.backoff_max_ms = 10;
    input.random = longest(LOOK_MS);
    assert_int_equal(decide(&input).next_in_ms, LOOK_MS);
}

static void test_decide_the_channels_own_time_counts_where_it_is_later(void **state) {
    (void)state;
    struct decision_input input = input_of(STEP_COMMIT, MEANS_THROTTLE);
    input.random = longest(MIN_MS);
    input.retry_in_ms = 26ull * 3600 * 1000; /* beyond all bounds of the settings */
    assert_int_equal(decide(&input).next_in_ms, input.retry_in_ms);
    assert_int_equal(decide(&input).throttle_ms, input.retry_in_ms);
    input.retry_in_ms = MIN_MS - 1;
    assert_int_equal(decide(&input).next_in_ms, MIN_MS);
}

static void test_decide_post_that_is_not_there_is_sent_soon_but_once(void **state) {
    (void)state;
    struct decision_input input = input_of(STEP_LOOK_UP, MEANS_NOT_THERE);
    input.random = longest(MIN_MS);
    assert_int_equal(decide(&input).next_in_ms, SOON_MS);
    input.failures = 1;
    input.random = longest(2 * MIN_MS);
    assert_int_equal(decide(&input).next_in_ms, 2 * MIN_MS);
}

static void test_decide_outlooks(void **state) {
    (void)state;
    assert_int_equal(delivery_outlook(STATE(PUBLISHED), true), OUTLOOK(DONE));
    assert_int_equal(delivery_outlook(STATE(AWAITING_OPERATOR), true), OUTLOOK(NEEDS_PERSON));
    assert_int_equal(delivery_outlook(STATE(NEEDS_AUTH), false), OUTLOOK(NEEDS_PERSON));
    assert_int_equal(delivery_outlook(STATE(REJECTED), true), OUTLOOK(REFUSED));
    assert_int_equal(delivery_outlook(STATE(EXPIRED), true), OUTLOOK(REFUSED));
    assert_int_equal(delivery_outlook(STATE(CANCELLED), true), OUTLOOK(REFUSED));
    assert_int_equal(delivery_outlook(STATE(READY), false), OUTLOOK(GOES_ON));
    assert_int_equal(delivery_outlook(STATE(OUTCOME_UNKNOWN), false), OUTLOOK(GOES_ON));
    assert_true(delivery_accepted(STATE(PUBLISHED)) && delivery_accepted(STATE(AWAITING_OPERATOR)));
    assert_false(delivery_accepted(STATE(OUTCOME_UNKNOWN)) || delivery_accepted(STATE(COMMITTING)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decide_each_meaning_of_prepare_and_commit),
        cmocka_unit_test(test_decide_each_meaning_of_a_look_up),
        cmocka_unit_test(test_decide_look_up_drops_only_what_is_spent),
        cmocka_unit_test(test_decide_expired_ends_what_would_go_on),
        cmocka_unit_test(test_decide_unknown_without_look_up_is_settled),
        cmocka_unit_test(test_decide_waits_double_up_to_their_bound),
        cmocka_unit_test(test_decide_looks_wait_though_the_bound_is_small),
        cmocka_unit_test(test_decide_the_channels_own_time_counts_where_it_is_later),
        cmocka_unit_test(test_decide_post_that_is_not_there_is_sent_soon_but_once),
        cmocka_unit_test(test_decide_outlooks),
    };
    return cmocka_run_group_tests_name("distribution.decide", tests, NULL, NULL);
}
