#include "server/auth/replay.h"
#include "tests/unit/rpc/cmocka_headers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define KEEP_MS 1000u

static enum replay_verdict take(struct replay *replay, uint64_t number, uint64_t now_ms) {
    uint8_t nonce[16] = {0};
    memcpy(nonce, &number, sizeof(number));
    return replay_take(replay, "k", nonce, sizeof(nonce), now_ms);
}

static void test_replay_second_time_is_seen(void **state) {
    (void)state;
    struct replay *replay = replay_new(1024, KEEP_MS);
    assert_int_equal(take(replay, 1, 100), REPLAY_NEW);
    assert_int_equal(take(replay, 2, 100), REPLAY_NEW);
    assert_int_equal(take(replay, 1, 100), REPLAY_SEEN);
    assert_int_equal(take(replay, 1, 100 + KEEP_MS), REPLAY_SEEN);
    replay_free(replay);
}

static void test_replay_nonces_of_other_keys_and_lengths_are_others(void **state) {
    static const uint8_t NONCE[17] = {7};
    (void)state;
    struct replay *replay = replay_new(1024, KEEP_MS);
    assert_int_equal(replay_take(replay, "a", NONCE, 16, 0), REPLAY_NEW);
    assert_int_equal(replay_take(replay, "b", NONCE, 16, 0), REPLAY_NEW);
    assert_int_equal(replay_take(replay, "a", NONCE, 17, 0), REPLAY_NEW);
    assert_int_equal(replay_take(replay, "a", NONCE, 16, 0), REPLAY_SEEN);
    replay_free(replay);
}

/* Whenever it comes: known for KEEP_MS, forgotten after twice that. */
static void test_replay_nonce_is_known_as_long_as_promised(void **state) {
    (void)state;
    for (uint64_t start_ms = 0; start_ms < 3 * KEEP_MS; start_ms += 97) {
        struct replay *replay = replay_new(1024, KEEP_MS);
        assert_int_equal(take(replay, 1, start_ms), REPLAY_NEW);
        for (uint64_t late_ms = 0; late_ms < KEEP_MS; late_ms += 111) {
            assert_int_equal(take(replay, 1, start_ms + late_ms), REPLAY_SEEN);
        }
        assert_int_equal(take(replay, 1, start_ms + 2 * KEEP_MS), REPLAY_NEW);
        replay_free(replay);
    }
}

static void test_replay_full_refuses_and_forgets_nothing(void **state) {
    enum { MAX = 4096 };
    (void)state;
    struct replay *replay = replay_new(MAX, KEEP_MS);
    uint64_t taken = 0, refused = 0;
    for (uint64_t i = 0; i < 4 * MAX; i++) {
        enum replay_verdict verdict = take(replay, i, 5);
        assert_int_not_equal(verdict, REPLAY_SEEN);
        taken += verdict == REPLAY_NEW;
        refused += verdict == REPLAY_FULL;
    }
    assert_int_equal(taken, MAX);
    assert_int_equal(refused, 3 * MAX);
    assert_int_equal(take(replay, 0, 5), REPLAY_SEEN);
    /* Later there is room again. */
    for (uint64_t i = 0; i < MAX / 2; i++) {
        assert_int_equal(take(replay, i, 5 + 2 * KEEP_MS), REPLAY_NEW);
    }
    replay_free(replay);
}

#define THREADS 4
#define RACES   2000

struct race {
    struct replay *replay;
    atomic_uint taken;
};

static void *run_race(void *arg) {
    struct race *race = arg;
    for (uint64_t i = 0; i < RACES; i++) {
        if (take(race->replay, i, 1) == REPLAY_NEW) {
            atomic_fetch_add(&race->taken, 1);
        }
    }
    return NULL;
}

static void test_replay_many_threads_take_each_nonce_once(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    struct race race = {.replay = replay_new(16 * RACES, KEEP_MS)};
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_race, &race), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&race.taken), RACES);
    replay_free(race.replay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_second_time_is_seen),
        cmocka_unit_test(test_replay_nonces_of_other_keys_and_lengths_are_others),
        cmocka_unit_test(test_replay_nonce_is_known_as_long_as_promised),
        cmocka_unit_test(test_replay_full_refuses_and_forgets_nothing),
        cmocka_unit_test(test_replay_many_threads_take_each_nonce_once),
    };
    return cmocka_run_group_tests_name("auth.replay", tests, NULL, NULL);
}
