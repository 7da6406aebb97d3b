#include "client/base/backoff.h"
#include "client/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAITS 16

static const struct {
    uint32_t min_ms, max_ms, doublings, bound_ms;
} BOUNDS[] = {
    {20, 2000, 0, 20},
    {20, 2000, 1, 40},
    {20, 2000, 6, 1280},
    {20, 2000, 7, 2000},
    {20, 2000, UINT32_MAX, 2000},
    {50, 50, 3, 50},
    {100, 50, 0, 50}, /* the cap is the cap */
    {0, 2000, 9, 0},
    {1, UINT32_MAX, 31, 1u << 31},
    {1, UINT32_MAX, 32, UINT32_MAX},
    {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
};

static void test_backoff_bound_doubles_up_to_the_most(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(BOUNDS) / sizeof(BOUNDS[0]); i++) {
        assert_int_equal(herald_backoff_bound_ms(BOUNDS[i].min_ms, BOUNDS[i].max_ms, BOUNDS[i].doublings),
                         BOUNDS[i].bound_ms);
    }
}

static void test_backoff_wait_is_anything_from_0_to_the_bound(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(BOUNDS) / sizeof(BOUNDS[0]); i++) {
        uint32_t min_ms = BOUNDS[i].min_ms, max_ms = BOUNDS[i].max_ms, doublings = BOUNDS[i].doublings;
        uint64_t bound_ms = BOUNDS[i].bound_ms;
        assert_int_equal(herald_backoff_ms(min_ms, max_ms, doublings, 0), 0);
        assert_int_equal(herald_backoff_ms(min_ms, max_ms, doublings, bound_ms / 2), bound_ms / 2);
        assert_int_equal(herald_backoff_ms(min_ms, max_ms, doublings, bound_ms), bound_ms);
        assert_int_equal(herald_backoff_ms(min_ms, max_ms, doublings, bound_ms + 1), 0);
    }
}

static void test_backoff_counts_failures_until_a_success(void **state) {
    (void)state;
    struct herald_backoff backoff = {.min_ms = 4, .max_ms = 10};
    static const uint32_t BOUND_MS[] = {4, 8, 10, 10};
    for (uint32_t i = 0; i < 4; i++) {
        assert_in_range(herald_backoff_failed(&backoff), 0, BOUND_MS[i]);
        assert_int_equal(backoff.failures, i + 1);
    }
    herald_backoff_succeeded(&backoff);
    assert_int_equal(backoff.failures, 0);
    assert_int_equal(backoff.min_ms, 4);
    assert_int_equal(backoff.max_ms, 10);
    backoff.failures = UINT32_MAX;
    assert_in_range(herald_backoff_failed(&backoff), 0, 10);
    assert_int_equal(backoff.failures, UINT32_MAX);
}

static void draw_waits(uint32_t waits[WAITS]) {
    struct herald_backoff backoff = {.min_ms = 1000000, .max_ms = 1000000};
    for (size_t i = 0; i < WAITS; i++) {
        waits[i] = herald_backoff_failed(&backoff);
    }
}

/* What a process made now draws first. */
static void waits_of_child(uint32_t waits[WAITS]) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        draw_waits(waits);
        _exit(write(fds[1], waits, WAITS * sizeof(*waits)) == (ssize_t)(WAITS * sizeof(*waits)) ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(fds[0], waits, WAITS * sizeof(*waits)), WAITS * sizeof(*waits));
    close(fds[0]);
    close(fds[1]);
}

static void test_backoff_of_two_processes_differs(void **state) {
    (void)state;
    uint32_t own[WAITS], first[WAITS], second[WAITS];
    (void)herald_random(); /* there are bytes in store that the children must not use */
    waits_of_child(first);
    waits_of_child(second);
    draw_waits(own);
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_not_equal(first, own, sizeof(first));
    assert_memory_not_equal(second, own, sizeof(second));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_bound_doubles_up_to_the_most),
        cmocka_unit_test(test_backoff_wait_is_anything_from_0_to_the_bound),
        cmocka_unit_test(test_backoff_counts_failures_until_a_success),
        cmocka_unit_test(test_backoff_of_two_processes_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
