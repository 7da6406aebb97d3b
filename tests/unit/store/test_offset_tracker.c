#include "server/store/kafka/offset_tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_offset_tracker_done_in_order_moves_each_time(void **state) {
    (void)state;
    struct offset_tracker tracker;
    offset_tracker_init(&tracker);
    int64_t next = -1;
    for (int64_t offset = 7; offset < 40; offset++) {
        assert_true(offset_tracker_add(&tracker, offset));
        assert_true(offset_tracker_done(&tracker, offset, &next));
        assert_int_equal(next, offset + 1);
    }
    assert_int_equal(offset_tracker_count(&tracker), 0);
    offset_tracker_fini(&tracker);
}

static void test_offset_tracker_later_done_first_does_not_move(void **state) {
    (void)state;
    struct offset_tracker tracker;
    offset_tracker_init(&tracker);
    int64_t next = -1;
    assert_true(offset_tracker_add(&tracker, 10));
    assert_true(offset_tracker_add(&tracker, 11));
    assert_true(offset_tracker_add(&tracker, 15)); /* offsets may have gaps */
    assert_false(offset_tracker_done(&tracker, 15, &next));
    assert_false(offset_tracker_done(&tracker, 11, &next));
    assert_int_equal(next, -1);
    assert_int_equal(offset_tracker_count(&tracker), 3);
    assert_true(offset_tracker_done(&tracker, 10, &next));
    assert_int_equal(next, 16);
    assert_int_equal(offset_tracker_count(&tracker), 0);
    offset_tracker_fini(&tracker);
}

static void test_offset_tracker_unknown_offset_is_ignored(void **state) {
    (void)state;
    struct offset_tracker tracker;
    offset_tracker_init(&tracker);
    int64_t next = -1;
    assert_false(offset_tracker_done(&tracker, 5, &next));
    assert_true(offset_tracker_add(&tracker, 5));
    assert_false(offset_tracker_done(&tracker, 4, &next));
    assert_false(offset_tracker_done(&tracker, 6, &next));
    assert_int_equal(offset_tracker_count(&tracker), 1);
    assert_true(offset_tracker_done(&tracker, 5, &next));
    assert_false(offset_tracker_done(&tracker, 5, &next));
    offset_tracker_fini(&tracker);
}

static void test_offset_tracker_backward_offset_is_refused(void **state) {
    (void)state;
    struct offset_tracker tracker;
    offset_tracker_init(&tracker);
    assert_true(offset_tracker_add(&tracker, 5));
    assert_false(offset_tracker_add(&tracker, 5));
    assert_false(offset_tracker_add(&tracker, 4));
    assert_int_equal(offset_tracker_count(&tracker), 1);
    offset_tracker_fini(&tracker);
}

/* Whatever the order, the point to commit is the least offset that is not done. */
static void test_offset_tracker_any_order_commits_only_what_is_contiguous(void **state) {
    (void)state;
    enum { RECORDS = 500, ROUNDS = 50 };
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        struct offset_tracker tracker;
        bool done[RECORDS] = {false};
        int64_t committed = 0, added = 0, left = RECORDS;
        srand(seed);
        offset_tracker_init(&tracker);
        while (left > 0) {
            if (added < RECORDS && rand() % 3 != 0) {
                assert_true(offset_tracker_add(&tracker, added++));
            }
            int64_t pick = added ? rand() % added : 0;
            if (added == 0 || done[pick]) {
                continue;
            }
            done[pick] = true;
            left--;
            bool moved = offset_tracker_done(&tracker, pick, &committed);
            int64_t expected = 0;
            while (expected < RECORDS && done[expected]) {
                expected++;
            }
            assert_int_equal(committed, expected);
            assert_int_equal(moved, pick < expected);
        }
        assert_int_equal(offset_tracker_count(&tracker), 0);
        offset_tracker_fini(&tracker);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset_tracker_done_in_order_moves_each_time),
        cmocka_unit_test(test_offset_tracker_later_done_first_does_not_move),
        cmocka_unit_test(test_offset_tracker_unknown_offset_is_ignored),
        cmocka_unit_test(test_offset_tracker_backward_offset_is_refused),
        cmocka_unit_test(test_offset_tracker_any_order_commits_only_what_is_contiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
