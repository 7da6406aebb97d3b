/* When a channel with quiet hours takes posts again: 20:50 to 08:00 in Korea, which is 11:50 to 23:00 UTC. */
#include "herald/distribution/v1/distribution.schema.h"
#include "server/distribution/channels.h"
#include "tests/unit/runtime/run.h"

#include <time.h>

#define SECOND_US 1000000LL
#define DAY_US    (86400 * SECOND_US)

/* Microseconds of a wall-clock time in Korea. */
static int64_t kst_us(int year, int month, int day, int hour, int minute, int second) {
    struct tm when = {
        .tm_year = year - 1900,
        .tm_mon = month - 1,
        .tm_mday = day,
        .tm_hour = hour - 9,
        .tm_min = minute,
        .tm_sec = second,
    };
    return (int64_t)timegm(&when) * SECOND_US;
}

static int64_t kakao_until(int64_t now_us) {
    return channel_quiet_until_us(channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__KAKAO_CHANNEL), now_us);
}

static void assert_open(int64_t now_us) {
    assert_int_equal(kakao_until(now_us), now_us);
}

static void test_quiet_hours_begin_at_20_50_sharp(void **state) {
    (void)state;
    int64_t morning_us = kst_us(2026, 5, 21, 8, 0, 0);
    assert_open(kst_us(2026, 5, 20, 20, 49, 59));
    assert_open(kst_us(2026, 5, 20, 20, 50, 0) - 1);
    assert_int_equal(kakao_until(kst_us(2026, 5, 20, 20, 50, 0)), morning_us);
    assert_int_equal(kakao_until(kst_us(2026, 5, 20, 20, 50, 1)), morning_us);
}

static void test_quiet_hours_end_at_8_sharp(void **state) {
    (void)state;
    int64_t morning_us = kst_us(2026, 5, 21, 8, 0, 0);
    assert_int_equal(kakao_until(kst_us(2026, 5, 21, 7, 59, 59)), morning_us);
    assert_int_equal(kakao_until(morning_us - 1), morning_us);
    assert_open(morning_us);
    assert_open(kst_us(2026, 5, 21, 8, 0, 1));
    assert_open(kst_us(2026, 5, 21, 12, 0, 0));
}

static void test_quiet_hours_go_over_midnights_of_both_places(void **state) {
    (void)state;
    int64_t morning_us = kst_us(2026, 5, 21, 8, 0, 0);
    assert_int_equal(kakao_until(kst_us(2026, 5, 20, 23, 59, 59)), morning_us);
    assert_int_equal(kakao_until(kst_us(2026, 5, 21, 0, 0, 0)), morning_us);
    /* 09:00 in Korea is midnight of UTC, outside. */
    assert_open(kst_us(2026, 5, 21, 9, 0, 0) - 1);
    assert_open(kst_us(2026, 5, 21, 9, 0, 0));
}

static void test_quiet_hours_go_over_the_ends_of_months_and_years(void **state) {
    (void)state;
    assert_int_equal(kakao_until(kst_us(2026, 12, 31, 21, 0, 0)), kst_us(2027, 1, 1, 8, 0, 0));
    assert_int_equal(kakao_until(kst_us(2027, 1, 1, 3, 0, 0)), kst_us(2027, 1, 1, 8, 0, 0));
    assert_int_equal(kakao_until(kst_us(2028, 2, 28, 22, 0, 0)), kst_us(2028, 2, 29, 8, 0, 0));
    assert_int_equal(kakao_until(kst_us(2028, 2, 29, 22, 0, 0)), kst_us(2028, 3, 1, 8, 0, 0));
    assert_int_equal(kakao_until(kst_us(2027, 2, 28, 22, 0, 0)), kst_us(2027, 3, 1, 8, 0, 0));
}

static void test_quiet_hours_hold_before_1970_too(void **state) {
    (void)state;
    assert_int_equal(kakao_until(kst_us(1969, 7, 20, 21, 0, 0)), kst_us(1969, 7, 21, 8, 0, 0));
    assert_int_equal(kakao_until(kst_us(1969, 7, 20, 20, 50, 0)), kst_us(1969, 7, 21, 8, 0, 0));
    assert_open(kst_us(1969, 7, 20, 20, 50, 0) - 1);
    assert_open(kst_us(1969, 7, 20, 8, 0, 0));
    assert_open(kst_us(1970, 1, 1, 9, 0, 0) - 1);
    assert_open(0);
}

static void test_quiet_hours_far_away_end_within_half_a_day(void **state) {
    (void)state;
    static const int64_t FAR[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - DAY_US, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof(FAR) / sizeof(FAR[0]); i++) {
        int64_t until_us = kakao_until(FAR[i]);
        assert_true(until_us >= FAR[i]);
        assert_true((uint64_t)until_us - (uint64_t)FAR[i] <= 670ULL * 60 * SECOND_US);
    }
}

/* Each second of three days, beside a plain model of the clock on a wall in Korea. */
static void test_quiet_hours_each_second_is_as_the_wall_clock_says(void **state) {
    (void)state;
    int64_t start_us = kst_us(2026, 12, 30, 0, 0, 0);
    for (int64_t second = 0; second < 3 * 86400; second++) {
        int64_t of_day = second % 86400, quiet_from = (20 * 60 + 50) * 60, quiet_to = 8 * 3600;
        int64_t day = second / 86400;
        int64_t expected = of_day < quiet_to      ? day * 86400 + quiet_to
                           : of_day >= quiet_from ? (day + 1) * 86400 + quiet_to
                                                  : second;
        assert_int_equal(kakao_until(start_us + second * SECOND_US), start_us + expected * SECOND_US);
    }
}

static void test_quiet_hours_within_one_day_and_none_at_all(void **state) {
    (void)state;
    const struct channel_row lunch = {.quiet_from_min = 12 * 60, .quiet_to_min = 13 * 60, .quiet_offset_min = -300};
    const struct channel_row always_open = {.quiet_offset_min = 540};
    int64_t noon_us = 17 * 3600 * SECOND_US; /* 12:00, five hours west of UTC */
    assert_int_equal(channel_quiet_until_us(&lunch, noon_us - 1), noon_us - 1);
    assert_int_equal(channel_quiet_until_us(&lunch, noon_us), noon_us + 3600 * SECOND_US);
    assert_int_equal(channel_quiet_until_us(&lunch, noon_us + 3600 * SECOND_US), noon_us + 3600 * SECOND_US);
    assert_int_equal(channel_quiet_until_us(&lunch, noon_us - 10 * DAY_US * 3650),
                     noon_us - 10 * DAY_US * 3650 + 3600 * SECOND_US);
    assert_int_equal(channel_quiet_until_us(&always_open, kst_us(2026, 5, 20, 23, 0, 0)),
                     kst_us(2026, 5, 20, 23, 0, 0));
}

static void test_quiet_hours_rows_say_what_their_capability_says(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        const struct channel_row *row = &channel_rows[i];
        assert_int_equal(row->can.quiet_hours, row->quiet_from_min != row->quiet_to_min);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_hours_begin_at_20_50_sharp),
        cmocka_unit_test(test_quiet_hours_end_at_8_sharp),
        cmocka_unit_test(test_quiet_hours_go_over_midnights_of_both_places),
        cmocka_unit_test(test_quiet_hours_go_over_the_ends_of_months_and_years),
        cmocka_unit_test(test_quiet_hours_hold_before_1970_too),
        cmocka_unit_test(test_quiet_hours_far_away_end_within_half_a_day),
        cmocka_unit_test(test_quiet_hours_each_second_is_as_the_wall_clock_says),
        cmocka_unit_test(test_quiet_hours_within_one_day_and_none_at_all),
        cmocka_unit_test(test_quiet_hours_rows_say_what_their_capability_says),
    };
    return cmocka_run_group_tests_name("distribution.quiet_hours", tests, NULL, NULL);
}
