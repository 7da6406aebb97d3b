#include "client/src/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A channel's throttle, with a clock and random numbers of the test's own. */

#define PERCENT   110u
#define START_MS  4500000 /* a slot begins */
#define WINDOW_MS (HERALD_THROTTLE_SLOTS * HERALD_THROTTLE_SLOT_MS)
#define REFUSED   HERALD_REASON_LIMIT_REACHED

/* The random number with which a call is turned away if there is any chance of it. */
#define UNLUCKY 0u

static bool admits(struct herald_throttle *throttle, int64_t now_ms, uint64_t random) {
    struct herald_throttle copy = *throttle; /* what is turned away counts */
    return herald_throttle_admit(&copy, PERCENT, now_ms, random);
}

static void refuse(struct herald_throttle *throttle, unsigned count, int64_t now_ms) {
    for (unsigned i = 0; i < count; i++) {
        herald_throttle_refused(throttle, now_ms, REFUSED, 100);
    }
}

static void take(struct herald_throttle *throttle, unsigned count, int64_t now_ms) {
    for (unsigned i = 0; i < count; i++) {
        herald_throttle_taken(throttle, now_ms);
    }
}

static void test_throttle_without_refusals_admits_all(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    assert_true(admits(&throttle, START_MS, UNLUCKY));
    take(&throttle, 100000, START_MS);
    assert_true(admits(&throttle, START_MS, UNLUCKY));
}

static void test_throttle_turns_away_beyond_a_share_of_what_is_taken(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    refuse(&throttle, HERALD_THROTTLE_FREE, START_MS);
    assert_true(admits(&throttle, START_MS, UNLUCKY));
    refuse(&throttle, 1, START_MS);
    assert_false(admits(&throttle, START_MS, UNLUCKY));
    take(&throttle, 20, START_MS); /* a tenth of them may be refused besides */
    refuse(&throttle, 1, START_MS);
    assert_true(admits(&throttle, START_MS, UNLUCKY));
    refuse(&throttle, 1, START_MS);
    assert_false(admits(&throttle, START_MS, UNLUCKY));
}

static void test_throttle_turns_away_as_many_as_are_too_many(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    take(&throttle, 100, START_MS);
    refuse(&throttle, 900, START_MS);
    /* Of 1000 calls 110 and the free ones may be sent: chances are counted in hundredths of a call. */
    const uint64_t away = 100000 - 11000 - HERALD_THROTTLE_FREE * 100;
    assert_false(admits(&throttle, START_MS, away - 1));
    assert_true(admits(&throttle, START_MS, away));
    assert_true(admits(&throttle, START_MS, 99999));
    assert_false(admits(&throttle, START_MS, 100000));
}

static void test_throttle_counts_calls_that_it_turns_away(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    refuse(&throttle, HERALD_THROTTLE_FREE + 1, START_MS);
    for (unsigned i = 0; i < 93; i++) {
        assert_false(herald_throttle_admit(&throttle, PERCENT, START_MS, UNLUCKY));
    }
    const uint64_t offered = HERALD_THROTTLE_FREE + 1 + 93;
    assert_false(admits(&throttle, START_MS, (offered - HERALD_THROTTLE_FREE) * 100 - 1));
    assert_true(admits(&throttle, START_MS, (offered - HERALD_THROTTLE_FREE) * 100));
}

static void test_throttle_sends_more_while_less_is_refused_than_is_allowed(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    refuse(&throttle, 1000, START_MS);
    for (int i = 0; i < 900; i++) {
        assert_false(herald_throttle_admit(&throttle, PERCENT, START_MS + HERALD_THROTTLE_SLOT_MS, UNLUCKY));
    }
    const int64_t now_ms = START_MS + WINDOW_MS; /* the refusals are forgotten */
    take(&throttle, 100, now_ms);
    const uint64_t offered = 900 + 100;
    const uint64_t most = offered * 100 - 100 * HERALD_THROTTLE_ROOM_PERCENT - HERALD_THROTTLE_FREE * 100;
    assert_false(admits(&throttle, now_ms, most - 1));
    assert_true(admits(&throttle, now_ms, most));
    refuse(&throttle, 10 + HERALD_THROTTLE_FREE, now_ms); /* as many as are allowed */
    const uint64_t usual = (offered + 10 + HERALD_THROTTLE_FREE) * 100 - 100 * PERCENT - HERALD_THROTTLE_FREE * 100;
    assert_false(admits(&throttle, now_ms, usual - 1));
    assert_true(admits(&throttle, now_ms, usual));
}

static void test_throttle_forgets_after_its_window(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    refuse(&throttle, 1000, START_MS);
    assert_false(admits(&throttle, START_MS + WINDOW_MS - 1, UNLUCKY));
    assert_true(admits(&throttle, START_MS + WINDOW_MS, UNLUCKY));
}

static void test_throttle_that_is_off_admits_all(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    refuse(&throttle, 1000, START_MS);
    assert_true(herald_throttle_admit(&throttle, HERALD_THROTTLE_OFF, START_MS, UNLUCKY));
}

static void test_throttle_keeps_what_the_last_refusal_said(void **state) {
    (void)state;
    struct herald_throttle throttle = {.retry_after_ms = 0};
    herald_throttle_refused(&throttle, START_MS, HERALD_REASON_QUEUE_TIMEOUT, 100);
    herald_throttle_refused(&throttle, START_MS, REFUSED, 250);
    assert_int_equal(throttle.reason, REFUSED);
    assert_int_equal(throttle.retry_after_ms, 250);
    herald_throttle_refused(&throttle, START_MS, HERALD_REASON_NONE, 1);
    assert_int_equal(throttle.reason, HERALD_REASON_TOO_MANY_CALLS);
}

/* ---- a channel before a server with so many places a millisecond ---- */

struct scene {
    struct herald_throttle throttle;
    int64_t now_ms;
    uint64_t random;
    unsigned sent, taken;
};

static uint64_t next_random(uint64_t *random) {
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *random >> 20;
}

/* For @ms, each with so many calls that come and so many that the server takes. */
static void play(struct scene *scene, int ms, unsigned come, unsigned capacity) {
    scene->sent = scene->taken = 0;
    for (int i = 0; i < ms; i++, scene->now_ms++) {
        unsigned sent = 0;
        for (unsigned c = 0; c < come; c++) {
            sent += herald_throttle_admit(&scene->throttle, PERCENT, scene->now_ms, next_random(&scene->random));
        }
        unsigned taken = sent < capacity ? sent : capacity;
        take(&scene->throttle, taken, scene->now_ms);
        refuse(&scene->throttle, sent - taken, scene->now_ms);
        scene->sent += sent;
        scene->taken += taken;
    }
}

static void test_throttle_under_ten_times_the_capacity_keeps_the_server_full(void **state) {
    (void)state;
    struct scene scene = {.now_ms = START_MS, .random = 1};
    play(&scene, 1000, 400, 40); /* it learns that the server is full */
    play(&scene, 10000, 400, 40);
    assert_in_range(scene.taken, 10000 * 40 * 95 / 100, 10000 * 40);
    assert_in_range(scene.sent - scene.taken, 1, 10000 * 40 * 15 / 100);
}

static void test_throttle_lets_all_through_once_the_load_has_fallen(void **state) {
    (void)state;
    struct scene scene = {.now_ms = START_MS, .random = 2};
    play(&scene, 5000, 400, 40);
    play(&scene, 1000, 20, 40);
    play(&scene, 1000, 20, 40);
    assert_int_equal(scene.sent, 1000 * 20);
}

static void test_throttle_finds_room_that_the_server_has_again(void **state) {
    (void)state;
    struct scene scene = {.now_ms = START_MS, .random = 3};
    play(&scene, 5000, 100, 0);
    assert_in_range(scene.sent, 1, 5000 * 2 / WINDOW_MS * (HERALD_THROTTLE_FREE + 2) + 60);
    play(&scene, 4000, 100, 100);
    play(&scene, 1000, 100, 100);
    assert_int_equal(scene.sent, 1000 * 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throttle_without_refusals_admits_all),
        cmocka_unit_test(test_throttle_turns_away_beyond_a_share_of_what_is_taken),
        cmocka_unit_test(test_throttle_turns_away_as_many_as_are_too_many),
        cmocka_unit_test(test_throttle_counts_calls_that_it_turns_away),
        cmocka_unit_test(test_throttle_sends_more_while_less_is_refused_than_is_allowed),
        cmocka_unit_test(test_throttle_forgets_after_its_window),
        cmocka_unit_test(test_throttle_that_is_off_admits_all),
        cmocka_unit_test(test_throttle_keeps_what_the_last_refusal_said),
        cmocka_unit_test(test_throttle_under_ten_times_the_capacity_keeps_the_server_full),
        cmocka_unit_test(test_throttle_lets_all_through_once_the_load_has_fallen),
        cmocka_unit_test(test_throttle_finds_room_that_the_server_has_again),
    };
    return cmocka_run_group_tests_name("client.throttle", tests, NULL, NULL);
}
