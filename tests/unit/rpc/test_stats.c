#include "cmocka_headers.h"
#include "server/rpc/stats.h"

static void test_stats_bucket_bounds_hold_their_values(void **state) {
    (void)state;
    for (uint64_t us = 0; us < 100000; us++) {
        unsigned bucket = stats_bucket(us);
        assert_true(us <= stats_bucket_bound_us(bucket));
        if (bucket > 0) {
            assert_true(us > stats_bucket_bound_us(bucket - 1));
        }
    }
}

static void test_stats_bucket_bounds_grow_by_a_quarter_at_most(void **state) {
    (void)state;
    for (unsigned i = 4; i < STATS_BUCKET_COUNT; i++) {
        uint64_t before = stats_bucket_bound_us(i - 1), bound = stats_bucket_bound_us(i);
        assert_true(bound > before);
        assert_true((bound - before) * 4 <= bound);
    }
}

static void test_stats_bucket_longest_call_fits(void **state) {
    (void)state;
    assert_true(stats_bucket_bound_us(STATS_BUCKET_COUNT - 1) >= 600u * 1000000u);
    assert_int_equal(stats_bucket(UINT64_MAX), STATS_BUCKET_COUNT - 1);
}

static void test_stats_end_counts_code_and_latency(void **state) {
    static struct method_stats stats;
    (void)state;
    method_stats_begin(&stats);
    method_stats_begin(&stats);
    assert_int_equal(stats.in_flight, 2);
    method_stats_end(&stats, HERALD_NOT_FOUND, 10);
    method_stats_end(&stats, HERALD_OUTCOME_UNKNOWN, 10);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.codes[HERALD_NOT_FOUND], 1);
    assert_int_equal(stats.codes[HERALD_UNKNOWN], 1);
    assert_int_equal(stats.latency[stats_bucket(10)], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_bucket_bounds_hold_their_values),
        cmocka_unit_test(test_stats_bucket_bounds_grow_by_a_quarter_at_most),
        cmocka_unit_test(test_stats_bucket_longest_call_fits),
        cmocka_unit_test(test_stats_end_counts_code_and_latency),
    };
    return cmocka_run_group_tests_name("rpc.stats", tests, NULL, NULL);
}
