/* Waiting for a distribution's next change. */
#include "server/distribution/watch.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <string.h>

#define EVENT "0191d5f2-aaaa-7bcd-8000-00000000abcd"
#define UPPER "0191D5F2-AAAA-7BCD-8000-00000000ABCD"
#define OTHER "0191d5f2-aaaa-7bcd-8000-00000000abce"
#define LONG  60000u

struct waiting {
    struct watch *watch;
    const char *event_id;
    uint64_t version;
    uint32_t ms;
    bool done;
    enum herald_code code;
    struct herald_error error;
};

TASK_FN static void wait_in_task(void *arg) {
    struct waiting *waiting = arg;
    waiting->code = watch_wait(waiting->watch, waiting->event_id, waiting->version, waiting->ms, &waiting->error);
    waiting->done = true;
}

static struct watch watch;
static atomic_uint watching;
static struct task_group group;

/* Starts a watcher, and lets it begin to wait. */
TASK_FN static void start_waiting(struct waiting *waiting) {
    waiting->watch = &watch;
    size_t before = watch.count;
    assert_int_equal(task_group_spawn(&group, "watcher", wait_in_task, waiting, NULL), HERALD_OK);
    while (watch.count == before) {
        task_yield();
    }
}

static void run_watch(task_body_fn *body) {
    struct call call;
    call_init(&call, "test", NULL, 60000, 0);
    watch_init(&watch, &watching);
    run_task(&call, body, NULL);
    call_fini(&call);
    assert_int_equal(watch.count, 0);
    assert_int_equal(atomic_load(&watching), 0);
}

#define WATCH_TEST(name)                                                                                               \
    TASK_FN static void name##_body(void *arg);                                                                        \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        run_watch(name##_body);                                                                                        \
    }                                                                                                                  \
    TASK_FN static void name##_body(void *arg)

WATCH_TEST(test_watch_newer_version_wakes_all_of_the_event) {
    (void)arg;
    task_group_init(&group);
    struct waiting first = {.event_id = EVENT, .version = 3, .ms = LONG}, second = first, ahead = first, other = first;
    second.event_id = UPPER;
    ahead.version = 9;
    ahead.ms = 1;
    other.event_id = OTHER;
    other.ms = 1;
    start_waiting(&first);
    start_waiting(&second);
    watch_tell(&watch, EVENT, 3); /* they know it */
    watch_tell(&watch, OTHER, 8);
    task_yield();
    assert_false(first.done || second.done);
    start_waiting(&ahead);
    start_waiting(&other);
    watch_tell(&watch, EVENT, 4);
    task_group_join(&group);
    assert_int_equal(first.code, HERALD_OK);
    assert_int_equal(second.code, HERALD_OK);
    assert_int_equal(ahead.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(ahead.error.reason, "WAIT_TIMEOUT");
    assert_int_equal(other.code, HERALD_DEADLINE_EXCEEDED);
}

WATCH_TEST(test_watch_without_watchers_tells_nobody) {
    (void)arg;
    watch_tell(&watch, EVENT, 4);
    const char *events[1];
    assert_int_equal(watch_list(&watch, events, 1), 0);
    struct waiting waiting = {.watch = &watch, .event_id = EVENT, .version = 3, .ms = 1};
    wait_in_task(&waiting); /* what was told before is not remembered */
    assert_int_equal(waiting.code, HERALD_DEADLINE_EXCEEDED);
}

#define MANY 300

static unsigned heard[MANY];

/* Lists at most @most, and counts each that is listed. */
static size_t list_some(size_t most) {
    const char *events[MANY];
    size_t count = watch_list(&watch, events, most);
    for (size_t i = 0; i < count; i++) {
        unsigned number = 0;
        assert_int_equal(sscanf(events[i], "event-%u", &number), 1);
        heard[number]++;
    }
    return count;
}

WATCH_TEST(test_watch_lists_reach_all_where_they_are_too_many_for_one) {
    (void)arg;
    static struct waiting waiting[MANY];
    static char names[MANY][16];
    task_group_init(&group);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "event-%u", i);
        waiting[i] = (struct waiting){.event_id = names[i], .ms = LONG};
        start_waiting(&waiting[i]);
    }
    memset(heard, 0, sizeof(heard));
    assert_int_equal(list_some(MANY), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(heard[i], 1);
    }
    memset(heard, 0, sizeof(heard));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(list_some(MANY / 5), MANY / 5);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_in_range(heard[i], 1, 10);
        watch_tell(&watch, names[i], 1);
    }
    task_group_join(&group);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_newer_version_wakes_all_of_the_event),
        cmocka_unit_test(test_watch_without_watchers_tells_nobody),
        cmocka_unit_test(test_watch_lists_reach_all_where_they_are_too_many_for_one),
    };
    return cmocka_run_group_tests_name("distribution.watch", tests, NULL, NULL);
}
