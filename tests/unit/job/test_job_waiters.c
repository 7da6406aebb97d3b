#include "server/job/job_waiters.h"
#include "tests/unit/rpc/cmocka_headers.h"

/* Who reads a job again, and who hears of it. */

#define EVERY_US 3600000000u /* no test lasts so long */

static const char JOB[] = "0190d1c8-0000-7000-8000-00000000000a";
static const char THE_SAME_JOB[] = "0190D1C8-0000-7000-8000-00000000000A";
static const char ANOTHER_JOB[] = "0190d1c8-0000-7000-8000-00000000000b";

static struct job_waiters waiters;
static struct job_waiter first, second, other;

static int set_up(void **state) {
    (void)state;
    job_waiters_init(&waiters);
    job_waiters_add(&waiters, &first, JOB);
    job_waiters_add(&waiters, &second, THE_SAME_JOB);
    job_waiters_add(&waiters, &other, ANOTHER_JOB);
    first.seen_version = second.seen_version = other.seen_version = 1;
    return 0;
}

static bool takes_look(struct job_waiter *waiter) {
    return job_waiters_take_look(&waiters, waiter, EVERY_US);
}

static void test_job_waiters_take_one_look_at_each_job(void **state) {
    (void)state;
    assert_false(takes_look(&first)); /* it reads the job when it is added */
    first.looked_us -= EVERY_US;
    second.looked_us -= EVERY_US;
    other.looked_us -= EVERY_US;
    assert_true(takes_look(&second));
    assert_false(takes_look(&first));
    assert_false(takes_look(&second));
    assert_true(takes_look(&other));
}

static void test_job_waiters_who_leave_leave_the_look_to_others(void **state) {
    (void)state;
    first.looked_us -= EVERY_US;
    second.looked_us -= EVERY_US;
    job_waiters_remove(&first);
    assert_true(takes_look(&second));
}

static void test_job_waiters_hear_of_a_version_that_they_have_not_seen(void **state) {
    (void)state;
    job_waiters_tell(&waiters, &first, 1);
    assert_false(second.woken.done);
    first.seen_version = 2;
    job_waiters_tell(&waiters, &first, 2);
    assert_true(second.woken.done);
    assert_false(first.woken.done);
    assert_false(other.woken.done);
}

/* It may have missed the change that the looker saw when it was added. */
static void test_job_waiters_hear_of_it_also_from_one_that_has_seen_it_before(void **state) {
    (void)state;
    second.seen_version = 2;
    job_waiters_tell(&waiters, &second, 2);
    assert_true(first.woken.done);
}

static void test_job_waiters_are_woken_by_job_and_all_at_once(void **state) {
    (void)state;
    job_waiters_wake(&waiters, ANOTHER_JOB);
    assert_true(other.woken.done);
    assert_false(first.woken.done || second.woken.done);
    job_waiters_wake(&waiters, NULL);
    assert_true(first.woken.done && second.woken.done);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_job_waiters_take_one_look_at_each_job),
        TEST(test_job_waiters_who_leave_leave_the_look_to_others),
        TEST(test_job_waiters_hear_of_a_version_that_they_have_not_seen),
        TEST(test_job_waiters_hear_of_it_also_from_one_that_has_seen_it_before),
        TEST(test_job_waiters_are_woken_by_job_and_all_at_once),
    };
    return cmocka_run_group_tests_name("job.waiters", tests, NULL, NULL);
}
