#include "server/store/kafka/kafka_progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STALL_MS 30000
#define SECOND   UINT64_C(1000000)

static bool see_at(struct kafka_progress *progress, uint64_t second, uint64_t moves, enum kafka_sight sight) {
    return kafka_progress_see(progress, (second + 1) * SECOND, STALL_MS, moves, sight);
}

static void test_kafka_progress_trouble_that_lasts_opens_the_consumer_anew(void **state) {
    (void)state;
    static const enum kafka_sight TROUBLES[] = {KAFKA_SIGHT_OUTSIDE, KAFKA_SIGHT_BEHIND, KAFKA_SIGHT_DARK};
    for (size_t i = 0; i < sizeof(TROUBLES) / sizeof(TROUBLES[0]); i++) {
        struct kafka_progress progress = {0};
        for (uint64_t second = 0; second < 30; second++) {
            assert_false(see_at(&progress, second, 0, TROUBLES[i]));
            assert_false(progress.stalled);
        }
        assert_true(see_at(&progress, 30, 0, TROUBLES[i]));
        assert_true(progress.stalled);
    }
}

static void test_kafka_progress_consumer_that_gets_records_is_left_alone(void **state) {
    (void)state;
    struct kafka_progress progress = {0};
    for (uint64_t second = 0; second < 300; second++) {
        assert_false(see_at(&progress, second, second / 20, KAFKA_SIGHT_BEHIND));
    }
}

static void test_kafka_progress_group_that_is_rebalanced_is_left_alone(void **state) {
    (void)state;
    struct kafka_progress progress = {0};
    for (uint64_t second = 0; second < 300; second++) {
        assert_false(see_at(&progress, second, second / 20, KAFKA_SIGHT_OUTSIDE));
    }
    assert_true(see_at(&progress, 330, 299 / 20, KAFKA_SIGHT_OUTSIDE));
}

static void test_kafka_progress_each_opening_that_does_not_help_doubles_the_patience(void **state) {
    (void)state;
    struct kafka_progress progress = {0};
    uint64_t last = 0, gaps[6];
    size_t count = 0;
    for (uint64_t second = 0; count < 6; second++) {
        if (see_at(&progress, second, 0, KAFKA_SIGHT_BEHIND)) {
            gaps[count++] = second - last;
            last = second;
        }
    }
    const uint64_t expected[] = {30, 60, 120, 240, 480, 480};
    assert_memory_equal(gaps, expected, sizeof(expected));
    assert_false(see_at(&progress, last + 1, 0, KAFKA_SIGHT_FINE));
    assert_false(progress.stalled);
    assert_false(see_at(&progress, last + 2, 0, KAFKA_SIGHT_BEHIND));
    assert_true(see_at(&progress, last + 32, 0, KAFKA_SIGHT_BEHIND));
}

static void test_kafka_progress_time_without_kafka_does_not_count(void **state) {
    (void)state;
    struct kafka_progress progress = {0};
    assert_false(see_at(&progress, 0, 0, KAFKA_SIGHT_OUTSIDE));
    assert_false(see_at(&progress, 29, 0, KAFKA_SIGHT_OUTSIDE));
    kafka_progress_pardon(&progress);
    assert_false(see_at(&progress, 100, 0, KAFKA_SIGHT_OUTSIDE));
    assert_false(see_at(&progress, 129, 0, KAFKA_SIGHT_OUTSIDE));
    assert_true(see_at(&progress, 130, 0, KAFKA_SIGHT_OUTSIDE));
}

static void test_kafka_progress_topic_made_anew_needs_no_patience(void **state) {
    (void)state;
    struct kafka_progress progress = {0};
    assert_false(see_at(&progress, 0, 0, KAFKA_SIGHT_FINE));
    assert_true(see_at(&progress, 1, 1, KAFKA_SIGHT_ANEW));
    assert_false(see_at(&progress, 2, 2, KAFKA_SIGHT_ANEW)); /* but a second opening does */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_progress_trouble_that_lasts_opens_the_consumer_anew),
        cmocka_unit_test(test_kafka_progress_consumer_that_gets_records_is_left_alone),
        cmocka_unit_test(test_kafka_progress_group_that_is_rebalanced_is_left_alone),
        cmocka_unit_test(test_kafka_progress_each_opening_that_does_not_help_doubles_the_patience),
        cmocka_unit_test(test_kafka_progress_time_without_kafka_does_not_count),
        cmocka_unit_test(test_kafka_progress_topic_made_anew_needs_no_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
