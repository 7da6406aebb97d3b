#include "server/runtime/task.h"
#include "tests/unit/runtime/run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define WITH_TSAN 1
#endif

#ifdef WITH_TSAN
#define MANY_TASKS 2000 /* TSan has room for about 8,000 threads and fibers */
#else
#define MANY_TASKS 10000
#endif

/* ---- spawning ---- */

struct trace {
    char text[64];
};

static void mark(struct trace *trace, char c) {
    size_t length = strlen(trace->text);
    assert_true(length + 1 < sizeof(trace->text));
    trace->text[length] = c;
}

static void body_b(void *arg) {
    mark(arg, 'b');
    task_yield();
    mark(arg, 'B');
}

static void body_a(void *arg) {
    mark(arg, 'a');
    assert_int_equal(task_spawn(loop_current(), NULL, "b", body_b, arg, NULL), HERALD_OK);
    mark(arg, '1'); /* the new task has not run inside task_spawn() */
    task_yield();
    mark(arg, '2');
    task_yield();
    mark(arg, '3');
}

/*  a: a spawn(b) 1 |   2 |   3
 *  b:              | b   | B     */
static void test_task_spawn_runs_later_and_yield_takes_turns(void **state) {
    (void)state;
    struct trace trace = {0};
    run_task(NULL, body_a, &trace);
    assert_string_equal(trace.text, "a1b2B3");
    assert_null(task_current());
}

static void body_stack(void *arg) {
    uintptr_t *address = arg;
    char local = 0;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) + (uintptr_t)local;
    if (*address == 0) {
        *address = here;
    } else {
        assert_int_equal(here, *address);
    }
}

static void body_spawn_in_turn(void *arg) {
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(task_spawn(loop_current(), NULL, "in turn", body_stack, arg, NULL), HERALD_OK);
        task_yield();
        task_yield();
        assert_int_equal(loop_task_count(loop_current()), 1);
    }
}

static void test_task_ended_gives_its_stack_to_the_next(void **state) {
    (void)state;
    uintptr_t address = 0;
    run_task(NULL, body_spawn_in_turn, &address);
    assert_int_not_equal(address, 0);
}

static int use_stack(int depth) {
    volatile char frame[1024];
    memset((char *)frame, depth, sizeof(frame));
    return depth == 0 ? frame[5] : use_stack(depth - 1) + frame[1000] - frame[999];
}

static void body_deep(void *arg) {
    *(int *)arg = use_stack(150);
}

static void test_task_stack_holds_150_kib(void **state) {
    (void)state;
    int result = -1;
    run_task(NULL, body_deep, &result);
    assert_int_equal(result, 0);
}

/* ---- completions ---- */

struct pair {
    struct completion completion;
    struct trace trace;
    struct call *call;
    enum herald_code code;
    struct herald_error error;
};

static void body_complete(void *arg) {
    struct pair *pair = arg;
    mark(&pair->trace, 'c');
    completion_complete(&pair->completion);
    completion_complete(&pair->completion);
    mark(&pair->trace, 'd'); /* the waiter has not run inside completion_complete() */
}

static void body_wait(void *arg) {
    struct pair *pair = arg;
    completion_init(&pair->completion);
    assert_int_equal(task_spawn(loop_current(), NULL, "completer", body_complete, pair, NULL), HERALD_OK);
    mark(&pair->trace, 'w');
    assert_int_equal(completion_wait(&pair->completion, NULL), HERALD_OK);
    mark(&pair->trace, 'W');
    assert_int_equal(completion_wait(&pair->completion, NULL), HERALD_OK); /* done stays done */
}

static void test_completion_complete_makes_waiter_ready(void **state) {
    (void)state;
    struct pair pair = {0};
    run_task(NULL, body_wait, &pair);
    assert_string_equal(pair.trace.text, "wcdW");
}

static void body_wait_done_but_spent(void *arg) {
    struct pair *pair = arg;
    completion_init(&pair->completion);
    completion_complete(&pair->completion);
    pair->call->end_code = HERALD_CANCELLED;
    assert_int_equal(completion_wait(&pair->completion, &pair->error), HERALD_OK);
    assert_int_equal(completion_wait_for(&pair->completion, 0, &pair->error), HERALD_OK);
    assert_int_equal(pair->error.code, HERALD_OK);
}

static void test_completion_done_is_ok_even_when_call_has_ended(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    struct pair pair = {.call = &call};
    run_task(&call, body_wait_done_but_spent, &pair);
    call_fini(&call);
}

static void body_wait_for_never(void *arg) {
    struct pair *pair = arg;
    completion_init(&pair->completion);
    pair->completion.what = "a reply";
    pair->code = completion_wait_for(&pair->completion, 20, &pair->error);
    assert_null(pair->completion.waiter);
    completion_complete(&pair->completion); /* later, with nobody waiting */
}

static void test_completion_own_limit_first_is_wait_timeout(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 60000, 0);
    struct pair pair = {.call = &call};
    uint64_t start_us = clock_now_us();
    run_task(&call, body_wait_for_never, &pair);
    assert_true(clock_now_us() - start_us >= 20000);
    assert_int_equal(pair.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(pair.error.reason, "WAIT_TIMEOUT");
    assert_non_null(strstr(pair.error.message, "a reply"));
    call_fini(&call);
}

static void test_completion_own_limit_without_call_is_wait_timeout(void **state) {
    (void)state;
    struct pair pair = {0};
    run_task(NULL, body_wait_for_never, &pair);
    assert_int_equal(pair.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(pair.error.reason, "WAIT_TIMEOUT");
}

static void test_completion_call_deadline_first_is_deadline_exceeded(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 5, 0);
    struct pair pair = {.call = &call};
    run_task(&call, body_wait_for_never, &pair);
    assert_int_equal(pair.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(pair.error.reason, "DEADLINE_EXCEEDED");
    call_fini(&call);
}

static void body_wait_never(void *arg) {
    struct pair *pair = arg;
    completion_init(&pair->completion);
    pair->code = completion_wait(&pair->completion, &pair->error);
}

static void test_completion_wait_with_spent_deadline_does_not_suspend(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    call.deadline_us = 1;
    struct pair pair = {.call = &call};
    run_task(&call, body_wait_never, &pair);
    assert_int_equal(pair.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(pair.error.reason, "DEADLINE_EXCEEDED");
    call_fini(&call);
}

/* ---- sleep ---- */

static void body_sleep(void *arg) {
    struct pair *pair = arg;
    pair->code = task_sleep(30, &pair->error);
}

static void test_task_sleep_lasts_at_least_its_time(void **state) {
    (void)state;
    struct pair pair = {.code = HERALD_INTERNAL};
    uint64_t start_us = clock_now_us();
    run_task(NULL, body_sleep, &pair);
    assert_int_equal(pair.code, HERALD_OK);
    assert_true(clock_now_us() - start_us >= 30000);
}

static void test_task_sleep_beyond_deadline_ends_at_deadline(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 5, 0);
    struct pair pair = {.call = &call};
    run_task(&call, body_sleep, &pair);
    assert_int_equal(pair.code, HERALD_DEADLINE_EXCEEDED);
    assert_string_equal(pair.error.reason, "DEADLINE_EXCEEDED");
    call_fini(&call);
}

#define SLEEPERS 300
struct sleeper {
    struct sleepers *all;
    uint32_t ms;
};
struct sleepers {
    struct sleeper each[SLEEPERS];
    uint32_t last_ms;
    unsigned ended;
};

static void body_sleeper(void *arg) {
    struct sleeper *sleeper = arg;
    uint64_t wake_us = clock_now_us() + sleeper->ms * 1000u;
    assert_int_equal(task_sleep(sleeper->ms, NULL), HERALD_OK);
    assert_true(clock_now_us() >= wake_us);
    sleeper->all->ended++;
}

static void body_sleepers(void *arg) {
    struct sleepers *all = arg;
    for (unsigned i = 0; i < SLEEPERS; i++) {
        all->each[i] = (struct sleeper){all, (i * 7919u) % 97u};
        assert_int_equal(task_spawn(loop_current(), NULL, "sleeper", body_sleeper, &all->each[i], NULL), HERALD_OK);
    }
}

static void test_task_sleep_many_different_times_none_is_early_or_lost(void **state) {
    (void)state;
    struct sleepers all = {.last_ms = 0};
    run_task(NULL, body_sleepers, &all);
    assert_int_equal(all.ended, SLEEPERS);
}

/* ---- cancellation ---- */

struct cancelled {
    struct call *call;
    enum herald_code sleep_code, wait_code, wait_for_code, later_code;
    struct herald_error error;
    bool always_done;
    struct completion completion;
};

static void body_cancelled_sleep(void *arg) {
    struct cancelled *all = arg;
    all->sleep_code = task_sleep(60000, &all->error);
    all->later_code = task_sleep(1, NULL);
}

static void body_cancelled_wait(void *arg) {
    struct cancelled *all = arg;
    struct completion never;
    completion_init(&never);
    all->wait_code = completion_wait(&never, NULL);
    all->wait_for_code = completion_wait_for(&never, 60000, NULL);
}

static void body_always(void *arg) {
    struct cancelled *all = arg;
    completion_wait_always(&all->completion);
    assert_int_equal(all->call->end_code, HERALD_CANCELLED);
    all->always_done = true;
}

static void body_canceller(void *arg) {
    struct cancelled *all = arg;
    struct loop *loop = loop_current();
    completion_init(&all->completion);
    assert_int_equal(task_spawn(loop, all->call, "sleeps", body_cancelled_sleep, all, NULL), HERALD_OK);
    assert_int_equal(task_spawn(loop, all->call, "waits", body_cancelled_wait, all, NULL), HERALD_OK);
    assert_int_equal(task_spawn(loop, all->call, "always", body_always, all, NULL), HERALD_OK);
    task_yield();
    task_cancel_call(loop, all->call, HERALD_CANCELLED);
    task_cancel_call(loop, all->call, HERALD_UNAVAILABLE); /* the first reason stays */
    assert_int_equal(all->sleep_code, HERALD_OK);          /* nobody has run inside */
    task_yield();
    task_yield();
    assert_int_equal(loop_task_count(loop), 2); /* this one and "always" */
    completion_complete(&all->completion);
}

static void test_task_cancel_call_ends_waits_of_its_tasks_but_not_always(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    struct cancelled all = {.call = &call};
    run_task(NULL, body_canceller, &all);
    assert_int_equal(all.sleep_code, HERALD_CANCELLED);
    assert_string_equal(all.error.reason, "CANCELLED");
    assert_int_equal(all.later_code, HERALD_CANCELLED);
    assert_int_equal(all.wait_code, HERALD_CANCELLED);
    assert_int_equal(all.wait_for_code, HERALD_CANCELLED);
    assert_true(all.always_done);
    call_fini(&call);
}

static void body_race(void *arg) {
    struct pair *pair = arg;
    assert_int_equal(task_spawn(loop_current(), pair->call, "waiter", body_wait_never, pair, NULL), HERALD_OK);
    task_yield();
    task_cancel_call(loop_current(), pair->call, HERALD_CANCELLED);
    completion_complete(&pair->completion); /* before the waiter runs */
}

static void test_completion_done_and_cancelled_in_one_turn_is_ok(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    struct pair pair = {.call = &call, .code = HERALD_INTERNAL};
    run_task(NULL, body_race, &pair);
    assert_int_equal(pair.code, HERALD_OK);
    call_fini(&call);
}

static void body_end_own_call(void *arg) {
    struct call *call = arg;
    assert_int_equal(task_sleep(1, NULL), HERALD_OK);
    call_fini(call);
    memset(call, 0xa5, sizeof(*call));
    free(call);
    assert_null(call_current());
    assert_int_equal(task_sleep(1, NULL), HERALD_OK);
}

static void test_task_may_end_its_own_call(void **state) {
    (void)state;
    struct call *call = malloc(sizeof(*call));
    call_init(call, "m", NULL, 60000, 0);
    run_task(call, body_end_own_call, call);
}

/* ---- groups ---- */

struct tree {
    unsigned *leaves;
    unsigned depth;
    struct call *call;
};

static void body_tree(void *arg) {
    struct tree *tree = arg;
    assert_ptr_equal(call_current(), tree->call);
    if (tree->depth == 0) {
        assert_int_equal(task_sleep(1, NULL), HERALD_OK);
        ++*tree->leaves;
        return;
    }
    struct tree child = {tree->leaves, tree->depth - 1, tree->call};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(task_group_spawn(&group, "child", body_tree, &child, NULL), HERALD_OK);
    }
    task_group_join(&group);
    assert_int_equal(group.running, 0);
    task_group_join(&group); /* nothing runs: returns at once */
}

static void test_task_group_nested_joins_all_and_shares_call(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    unsigned leaves = 0;
    struct tree tree = {&leaves, 4, &call};
    run_task(&call, body_tree, &tree);
    assert_int_equal(leaves, 81);
    call_fini(&call);
}

static void body_group_member(void *arg) {
    struct pair *pair = arg;
    pair->code = task_sleep(60000, &pair->error);
}

static void body_group_cancelled(void *arg) {
    struct pair *members = arg;
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(task_group_spawn(&group, "member", body_group_member, &members[i], NULL), HERALD_OK);
    }
    task_group_join(&group);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(members[i].code, HERALD_DEADLINE_EXCEEDED);
    }
}

static void test_task_group_members_end_at_the_deadline_and_are_joined(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 20, 0);
    struct pair members[6] = {0};
    run_task(&call, body_group_cancelled, members);
    call_fini(&call);
}

/* ---- many ---- */

struct crowd {
    struct completion *gates;
    unsigned ended;
};
struct member {
    struct crowd *crowd;
    unsigned index;
};

static void body_member(void *arg) {
    struct member *member = arg;
    assert_int_equal(completion_wait_for(&member->crowd->gates[member->index], 60000, NULL), HERALD_OK);
    member->crowd->ended++;
}

static void body_count(void *arg) {
    ++*(unsigned *)arg;
}

static void body_crowd(void *arg) {
    struct crowd *crowd = arg;
    crowd->gates = calloc(MANY_TASKS, sizeof(*crowd->gates));
    struct member *members = calloc(MANY_TASKS, sizeof(*members));
    struct task_group group;
    task_group_init(&group);
    for (unsigned i = 0; i < MANY_TASKS; i++) {
        members[i] = (struct member){crowd, i};
        assert_int_equal(task_group_spawn(&group, "member", body_member, &members[i], NULL), HERALD_OK);
    }
    task_yield();
    assert_int_equal(loop_task_count(loop_current()), MANY_TASKS + 1);
    assert_int_equal(crowd->ended, 0);
    for (unsigned i = 0; i < MANY_TASKS; i++) {
        completion_complete(&crowd->gates[(i * 7919u) % MANY_TASKS]);
    }
    task_group_join(&group);
    free(members);
    free(crowd->gates);
}

static void test_task_ten_thousand_wait_at_once_and_all_end(void **state) {
    (void)state;
    struct crowd crowd = {0};
    run_task(NULL, body_crowd, &crowd);
    assert_int_equal(crowd.ended, MANY_TASKS);
}

#if !defined(WITH_TSAN) && !defined(WITH_ASAN) /* which need all the address space there is */
static void body_exhaust(void *arg) {
    unsigned *ended = arg;
    struct rlimit old, low;
    struct herald_error error = {0};
    struct task_group group;
    task_group_init(&group);
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    low = (struct rlimit){(rlim_t)256 << 20, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && group.running < 100000) {
        code = task_group_spawn(&group, "member", body_count, ended, &error);
    }
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    unsigned running = group.running;
    task_group_join(&group);
    assert_int_equal(code, HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "NO_STACK");
    assert_int_equal(*ended, running);
    assert_int_equal(task_group_spawn(&group, "member", body_count, ended, NULL), HERALD_OK);
    task_group_join(&group);
    assert_int_equal(*ended, running + 1);
}

static void test_task_spawn_without_memory_is_refused_and_the_rest_goes_on(void **state) {
    (void)state;
    unsigned ended = 0;
    run_task(NULL, body_exhaust, &ended);
    assert_true(ended > 100);
}
#endif

/* ---- offload ---- */

struct offloaded {
    pthread_t loop_thread, work_thread;
    unsigned sum;
};

static void sum_up(void *arg) {
    struct offloaded *offloaded = arg;
    offloaded->work_thread = pthread_self();
    for (unsigned i = 0; i < 1000; i++) {
        offloaded->sum += i;
    }
}

static void body_offload(void *arg) {
    struct offloaded *offloaded = arg;
    offloaded->loop_thread = pthread_self();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(task_offload(sum_up, offloaded, NULL), HERALD_OK);
    }
}

static void test_task_offload_runs_on_another_thread(void **state) {
    (void)state;
    struct offloaded offloaded = {.sum = 0};
    run_task(NULL, body_offload, &offloaded);
    assert_int_equal(offloaded.sum, 20 * 499500);
    assert_false(pthread_equal(offloaded.loop_thread, offloaded.work_thread));
}

static void test_task_offload_with_spent_deadline_still_runs_to_its_end(void **state) {
    (void)state;
    struct call call;
    call_init(&call, "m", NULL, 0, 0);
    call.deadline_us = 1;
    struct offloaded offloaded = {.sum = 0};
    run_task(&call, body_offload, &offloaded);
    assert_int_equal(offloaded.sum, 20 * 499500);
    call_fini(&call);
}

/* ---- the pool ---- */

static void body_burst(void *arg) {
    struct task_group group;
    for (unsigned round = 0; round < 3; round++) {
        task_group_init(&group);
        for (unsigned i = 0; i < MANY_TASKS / 2; i++) {
            assert_int_equal(task_group_spawn(&group, "member", body_count, arg, NULL), HERALD_OK);
        }
        task_group_join(&group);
    }
}

static void test_task_bursts_beyond_the_pool_run_all(void **state) {
    (void)state;
    unsigned ended = 0;
    run_task(NULL, body_burst, &ended);
    assert_int_equal(ended, 3 * (MANY_TASKS / 2));
}

static unsigned count_mappings(void) {
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    for (int letter = getc(maps); letter != EOF; letter = getc(maps)) {
        count += letter == '\n' ? 1 : 0;
    }
    (void)fclose(maps);
    return count;
}

static void body_burst_then_quiet(void *arg) {
    struct task_group group;
    unsigned quiet = count_mappings(), ended = 0;
    task_group_init(&group);
    for (unsigned i = 0; i < MANY_TASKS; i++) {
        assert_int_equal(task_group_spawn(&group, "member", body_count, &ended, NULL), HERALD_OK);
    }
    task_group_join(&group);
    *(unsigned *)arg = ended;
    for (unsigned i = 0; i < 1500 && count_mappings() > quiet + MANY_TASKS / 2; i++) {
        assert_int_equal(task_sleep(20, NULL), HERALD_OK);
    }
    assert_in_range(count_mappings(), 1, quiet + MANY_TASKS / 2);
}

static void test_task_stacks_of_a_burst_are_given_back_afterwards(void **state) {
    (void)state;
    unsigned ended = 0;
    run_task(NULL, body_burst_then_quiet, &ended);
    assert_int_equal(ended, MANY_TASKS);
}

/* ---- introspection ---- */

struct seen {
    unsigned sleeping, waiting, running;
    struct completion completion;
    struct call call; /* of the task that sleeps */
};

static void on_visit(void *user, const struct task_info *info) {
    struct seen *seen = user;
    seen->sleeping += strcmp(info->name, "sleeps") == 0 && strcmp(info->waits_for, "sleep") == 0;
    seen->waiting += strcmp(info->name, "waits") == 0 && strcmp(info->waits_for, "the gate") == 0;
    seen->running += strcmp(info->name, "test") == 0 && strcmp(info->waits_for, "nothing") == 0;
    assert_true(info->since_us <= clock_now_us());
}

static void body_long_sleep(void *arg) {
    (void)arg;
    assert_int_equal(task_sleep(60000, NULL), HERALD_CANCELLED);
}

static void body_gate(void *arg) {
    struct seen *seen = arg;
    assert_int_equal(completion_wait(&seen->completion, NULL), HERALD_OK);
}

static void body_visit(void *arg) {
    struct seen *seen = arg;
    completion_init(&seen->completion);
    seen->completion.what = "the gate";
    assert_int_equal(task_spawn(loop_current(), &seen->call, "sleeps", body_long_sleep, seen, NULL), HERALD_OK);
    assert_int_equal(task_spawn(loop_current(), NULL, "waits", body_gate, seen, NULL), HERALD_OK);
    task_yield();
    loop_tasks_visit(loop_current(), on_visit, seen);
    completion_complete(&seen->completion);
    task_cancel_call(loop_current(), &seen->call, HERALD_CANCELLED);
}

static void test_loop_tasks_visit_shows_what_each_waits_for(void **state) {
    (void)state;
    struct seen seen = {0};
    call_init(&seen.call, "m", NULL, 0, 0);
    run_task(NULL, body_visit, &seen);
    assert_int_equal(seen.sleeping, 1);
    assert_int_equal(seen.waiting, 1);
    assert_int_equal(seen.running, 1);
    call_fini(&seen.call);
}

/* ---- several loops ---- */

static void *run_loop_thread(void *arg) {
    loop_run(arg);
    return NULL;
}

static void test_task_loops_on_threads_run_their_own_tasks(void **state) {
    (void)state;
    enum { LOOPS = 3 };
    struct loop *loops[LOOPS];
    pthread_t threads[LOOPS];
    struct sleepers *all = calloc(LOOPS, sizeof(*all));
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(loop_new(i, &loops[i], NULL), HERALD_OK);
        assert_int_equal(task_spawn(loops[i], NULL, "sleepers", body_sleepers, &all[i], NULL), HERALD_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop_thread, loops[i]), 0);
        loop_stop(loops[i]);
    }
    for (unsigned i = 0; i < LOOPS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(all[i].ended, SLEEPERS);
        loop_free(loops[i]);
    }
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_spawn_runs_later_and_yield_takes_turns),
        cmocka_unit_test(test_task_ended_gives_its_stack_to_the_next),
        cmocka_unit_test(test_task_stack_holds_150_kib),
        cmocka_unit_test(test_completion_complete_makes_waiter_ready),
        cmocka_unit_test(test_completion_done_is_ok_even_when_call_has_ended),
        cmocka_unit_test(test_completion_own_limit_first_is_wait_timeout),
        cmocka_unit_test(test_completion_own_limit_without_call_is_wait_timeout),
        cmocka_unit_test(test_completion_call_deadline_first_is_deadline_exceeded),
        cmocka_unit_test(test_completion_wait_with_spent_deadline_does_not_suspend),
        cmocka_unit_test(test_task_sleep_lasts_at_least_its_time),
        cmocka_unit_test(test_task_sleep_beyond_deadline_ends_at_deadline),
        cmocka_unit_test(test_task_sleep_many_different_times_none_is_early_or_lost),
        cmocka_unit_test(test_task_cancel_call_ends_waits_of_its_tasks_but_not_always),
        cmocka_unit_test(test_completion_done_and_cancelled_in_one_turn_is_ok),
        cmocka_unit_test(test_task_may_end_its_own_call),
        cmocka_unit_test(test_task_group_nested_joins_all_and_shares_call),
        cmocka_unit_test(test_task_group_members_end_at_the_deadline_and_are_joined),
        cmocka_unit_test(test_task_ten_thousand_wait_at_once_and_all_end),
#if !defined(WITH_TSAN) && !defined(WITH_ASAN)
        cmocka_unit_test(test_task_spawn_without_memory_is_refused_and_the_rest_goes_on),
#endif
        cmocka_unit_test(test_task_offload_runs_on_another_thread),
        cmocka_unit_test(test_task_offload_with_spent_deadline_still_runs_to_its_end),
        cmocka_unit_test(test_task_bursts_beyond_the_pool_run_all),
        cmocka_unit_test(test_task_stacks_of_a_burst_are_given_back_afterwards),
        cmocka_unit_test(test_loop_tasks_visit_shows_what_each_waits_for),
        cmocka_unit_test(test_task_loops_on_threads_run_their_own_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
