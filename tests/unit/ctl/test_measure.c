/* What top and bench compute, without servers. */
#include "deploy/ctl/histogram.h"
#include "deploy/ctl/screen.h"
#include "deploy/ctl/top.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_histogram_bounds_hold_their_values_to_a_32nd(void **state) {
    (void)state;
    for (uint64_t us = 0; us < 2000000; us += us < 5000 ? 1 : 97) {
        size_t bucket = histogram_bucket(us);
        uint64_t bound = histogram_bound(bucket);
        assert_true(us <= bound);
        assert_true(bucket == 0 || us > histogram_bound(bucket - 1));
        assert_true((bound - us) * 32 <= us);
    }
}

static void test_histogram_largest_values_share_the_last_bucket(void **state) {
    (void)state;
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_true(histogram_bound(HISTOGRAM_BUCKETS - 1) >= UINT64_C(24) * 3600 * 1000000);
}

static void test_histogram_quantiles_are_exact_to_a_bucket(void **state) {
    (void)state;
    static struct histogram histogram;
    memset(&histogram, 0, sizeof(histogram));
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t us = 1; us <= 10000; us++) {
        histogram_record(&histogram, us);
    }
    assert_int_equal(histogram.count, 10000);
    assert_int_equal(histogram.max_us, 10000);
    assert_in_range(histogram_quantile(&histogram, 0.5), 5000, 5000 + 5000 / 32);
    assert_in_range(histogram_quantile(&histogram, 0.99), 9900, 10000);
    assert_int_equal(histogram_quantile(&histogram, 1), 10000); /* the largest, not its bucket's bound */
    assert_int_equal(histogram_quantile(&histogram, 0), 1);
    assert_true(histogram_mean(&histogram) > 5000 && histogram_mean(&histogram) < 5001);
}

/* Statistics of a method: OK and NOT_FOUND counts, and two buckets. */
struct sample {
    Herald__Rpc__V1__MethodStats stats;
    Herald__Rpc__V1__CodeCount codes[2], *code_pointers[2];
    Herald__Rpc__V1__LatencyBucket buckets[2], *bucket_pointers[2];
};

static const Herald__Rpc__V1__MethodStats *sample(struct sample *sample, uint64_t ok, uint64_t missing, uint64_t quick,
                                                  uint64_t slow) {
    herald__rpc__v1__method_stats__init(&sample->stats);
    for (size_t i = 0; i < 2; i++) {
        herald__rpc__v1__code_count__init(&sample->codes[i]);
        herald__rpc__v1__latency_bucket__init(&sample->buckets[i]);
        sample->code_pointers[i] = &sample->codes[i];
        sample->bucket_pointers[i] = &sample->buckets[i];
    }
    sample->codes[0].count = ok;
    sample->codes[1].code = HERALD__RPC__V1__CODE__NOT_FOUND;
    sample->codes[1].count = missing;
    sample->buckets[0].le_us = 100;
    sample->buckets[0].count = quick;
    sample->buckets[1].le_us = 5000;
    sample->buckets[1].count = slow;
    sample->stats.method = (char *)"s.S/Do";
    sample->stats.codes = sample->code_pointers;
    sample->stats.latency = sample->bucket_pointers;
    sample->stats.n_codes = sample->stats.n_latency = 2;
    sample->stats.in_flight = 3;
    return &sample->stats;
}

static void test_compare_counts_only_what_came_since_the_last_look(void **state) {
    (void)state;
    struct sample before, now;
    struct top_method method = {0};
    /* Before: all slow. Since: 98 quick ones and 2 slow ones. */
    top_compare(sample(&before, 1000, 5, 0, 1005), sample(&now, 1090, 15, 98, 1007), &method);
    assert_int_equal(method.calls, 100);
    assert_int_equal(method.failed, 10);
    assert_int_equal(method.codes[HERALD_NOT_FOUND], 10);
    assert_int_equal(method.total, 1105);
    assert_int_equal(method.in_flight, 3);
    assert_int_equal(method.p50_us, 100);
    assert_int_equal(method.p99_us, 5000);
}

static void test_compare_with_a_server_that_started_anew_counts_from_zero(void **state) {
    (void)state;
    struct sample before, now;
    struct top_method method = {0}, first = {0};
    top_compare(sample(&before, 1000, 5, 0, 1005), sample(&now, 7, 0, 7, 0), &method);
    assert_int_equal(method.calls, 7);
    assert_int_equal(method.p99_us, 100);
    top_compare(NULL, &now.stats, &first);
    assert_int_equal(first.calls, 7);
}

static void test_compare_without_calls_has_no_latency(void **state) {
    (void)state;
    struct sample before, now;
    struct top_method method = {0};
    top_compare(sample(&before, 10, 0, 10, 0), sample(&now, 10, 0, 10, 0), &method);
    assert_int_equal(method.calls, 0);
    assert_int_equal(method.p50_us, 0);
}

static void test_clip_counts_columns_and_never_cuts_a_character(void **state) {
    (void)state;
    assert_int_equal(screen_clip("abc", 3, 80), 3);
    assert_int_equal(screen_clip("abc", 3, 2), 2);
    assert_int_equal(screen_clip("abc", 3, 0), 0);
    assert_int_equal(screen_clip("가나", 6, 4), 6);
    assert_int_equal(screen_clip("가나", 6, 3), 3); /* each fills two columns */
    assert_int_equal(screen_clip("가나", 6, 1), 0);
}

static void test_divide_gives_each_section_as_many_rows_as_the_others(void **state) {
    (void)state;
    struct top_section sections[] = {
        {.wanted = 30, .around = 2}, {.wanted = 2, .around = 3}, {.wanted = 15, .around = 3}};
    top_divide(18, sections, 3);
    assert_int_equal(sections[0].rows, 4);
    assert_int_equal(sections[1].rows, 2);
    assert_int_equal(sections[2].rows, 4);
    top_divide(100, sections, 3);
    assert_int_equal(sections[0].rows, 30);
    assert_int_equal(sections[2].rows, 15);
    top_divide(6, sections, 3); /* a section that has no room for its heading has none for rows */
    assert_int_equal(sections[0].rows, 4);
    assert_int_equal(sections[1].rows, 0);
    sections[0].wanted = 0;
    top_divide(3, sections, 3);
    assert_int_equal(sections[0].rows + sections[1].rows + sections[2].rows, 0);
}

static void assert_cut(char *cut, const char *wanted) {
    assert_string_equal(cut, wanted);
    free(cut);
}

static void test_cut_methods_keep_their_own_names_longest(void **state) {
    (void)state;
    assert_cut(top_cut_method("herald.job.v1.JobService/GetJob", 17), "JobService/GetJob");
    assert_cut(top_cut_method("herald.job.v1.JobService/GetJob", 16), "JobServi…/GetJob");
    assert_cut(top_cut_method("herald.job.v1.JobService/GetJob", 9), "J…/GetJob");
    assert_cut(top_cut_method("herald.job.v1.JobService/GetJob", 8), "GetJob");
    assert_cut(top_cut_method("herald.job.v1.JobService/GetJob", 5), "GetJ…");
    assert_cut(top_cut_method("outbox", 4), "out…");
    assert_cut(top_cut("abc", 0), "");
    assert_cut(top_cut("가나다", 4), "가…"); /* each fills two columns */
    assert_cut(top_cut_server("herald-job", 80), "job");
    assert_cut(top_cut_server("server", 80), "server");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_bounds_hold_their_values_to_a_32nd),
        cmocka_unit_test(test_histogram_largest_values_share_the_last_bucket),
        cmocka_unit_test(test_histogram_quantiles_are_exact_to_a_bucket),
        cmocka_unit_test(test_compare_counts_only_what_came_since_the_last_look),
        cmocka_unit_test(test_compare_with_a_server_that_started_anew_counts_from_zero),
        cmocka_unit_test(test_compare_without_calls_has_no_latency),
        cmocka_unit_test(test_clip_counts_columns_and_never_cuts_a_character),
        cmocka_unit_test(test_divide_gives_each_section_as_many_rows_as_the_others),
        cmocka_unit_test(test_cut_methods_keep_their_own_names_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
