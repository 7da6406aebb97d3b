#include "server/runtime/loop.h"
#include "server/runtime/task.h"
#include "tests/unit/runtime/run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

static struct loop *make_loop(void) {
    struct loop *loop = NULL;
    assert_int_equal(loop_new(3, &loop, NULL), HERALD_OK);
    assert_int_equal(loop_index(loop), 3);
    return loop;
}

static void test_loop_free_of_null_and_unused_is_allowed(void **state) {
    (void)state;
    loop_free(NULL);
    loop_free(make_loop());
}

static void test_loop_run_after_stop_returns_and_can_run_again(void **state) {
    (void)state;
    struct loop *loop = make_loop();
    assert_null(loop_current());
    for (int i = 0; i < 3; i++) {
        loop_stop(loop);
        loop_run(loop);
    }
    assert_null(loop_current());
    loop_free(loop);
}

/* ---- posting ---- */

#define POSTERS 4
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define POSTS 20000
#else
#define POSTS 200000
#endif

struct storm;
struct post {
    struct loop_work work;
    struct storm *storm;
    unsigned poster, number;
};
struct storm {
    struct loop *loop;
    unsigned next[POSTERS]; /* the number expected next */
    unsigned seen;
    bool in_order;
};
struct poster {
    pthread_t thread;
    struct storm *storm;
    unsigned index;
};

static void on_post(struct loop_work *work) {
    struct post *post = (struct post *)work;
    struct storm *storm = post->storm;
    storm->in_order = storm->in_order && post->number == storm->next[post->poster] && loop_current() == storm->loop;
    storm->next[post->poster]++;
    if (++storm->seen == POSTERS * POSTS) {
        loop_stop(storm->loop);
    }
    free(post);
}

static void *run_poster(void *arg) {
    struct poster *poster = arg;
    for (unsigned i = 0; i < POSTS; i++) {
        struct post *post = malloc(sizeof(*post));
        *post = (struct post){{.run = on_post}, poster->storm, poster->index, i};
        loop_post(poster->storm->loop, &post->work);
    }
    return NULL;
}

static void test_loop_post_storm_keeps_order_of_each_poster(void **state) {
    (void)state;
    struct storm storm = {.loop = make_loop(), .in_order = true};
    struct poster posters[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.storm = &storm, .index = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, run_poster, &posters[i]), 0);
    }
    loop_run(storm.loop);
    for (unsigned i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
    }
    assert_int_equal(storm.seen, POSTERS * POSTS);
    assert_true(storm.in_order);
    loop_free(storm.loop);
}

struct chain {
    struct loop_work work;
    struct loop *loop;
    int left;
};

static void on_chain(struct loop_work *work) {
    struct chain *chain = (struct chain *)work;
    if (--chain->left > 0) {
        loop_post(chain->loop, work);
    }
}

static void test_loop_post_from_posted_work_after_stop_still_runs(void **state) {
    (void)state;
    struct loop *loop = make_loop();
    struct chain chain = {{.run = on_chain}, loop, 10};
    loop_post(loop, &chain.work);
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(chain.left, 0);
    loop_free(loop);
}

static void test_loop_free_runs_what_was_posted_after_run(void **state) {
    (void)state;
    struct loop *loop = make_loop();
    loop_stop(loop);
    loop_run(loop);
    struct chain chain = {{.run = on_chain}, loop, 5};
    loop_post(loop, &chain.work);
    loop_free(loop);
    assert_int_equal(chain.left, 0);
}

/* ---- stop ---- */

struct owner {
    struct loop *loop;
    uv_timer_t timer;
    bool closed;
    bool task_ended;
};

static void on_owner_closed(uv_handle_t *handle) {
    struct owner *owner = handle->data;
    owner->closed = true;
}

static void on_owner_timer(uv_timer_t *timer) {
    uv_close((uv_handle_t *)timer, on_owner_closed);
}

static void sleep_a_little(void *arg) {
    struct owner *owner = arg;
    assert_int_equal(task_sleep(20, NULL), HERALD_OK);
    owner->task_ended = true;
}

static void test_loop_run_after_stop_waits_for_handles_and_tasks(void **state) {
    (void)state;
    struct owner owner = {.loop = make_loop()};
    uv_timer_init(loop_uv(owner.loop), &owner.timer);
    owner.timer.data = &owner;
    uv_timer_start(&owner.timer, on_owner_timer, 40, 0);
    assert_int_equal(task_spawn(owner.loop, NULL, "sleeper", sleep_a_little, &owner, NULL), HERALD_OK);
    loop_stop(owner.loop);
    loop_run(owner.loop);
    assert_true(owner.closed);
    assert_true(owner.task_ended);
    loop_free(owner.loop);
}

static void *stop_from_thread(void *arg) {
    loop_stop(arg);
    return NULL;
}

static void test_loop_stop_from_other_thread_ends_run(void **state) {
    (void)state;
    struct loop *loop = make_loop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, loop), 0);
    loop_run(loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    loop_free(loop);
}

/* A close callback runs after the phases in which tasks do: what it completes must not wait for the next event. */
static void on_close_complete(uv_handle_t *handle) {
    completion_complete(handle->data);
}

static void wait_for_close(void *arg) {
    (void)arg;
    uv_timer_t timer;
    struct completion closed;
    completion_init(&closed);
    uv_timer_init(loop_uv(loop_current()), &timer);
    timer.data = &closed;
    uv_close((uv_handle_t *)&timer, on_close_complete);
    assert_int_equal(completion_wait_for(&closed, 5000, NULL), HERALD_OK);
}

static void test_loop_completion_in_close_callback_wakes_task(void **state) {
    (void)state;
    uint64_t start_us = clock_now_us();
    run_task(NULL, wait_for_close, NULL);
    assert_true(clock_now_us() - start_us < 4000000);
}

/* ---- the end of a turn ---- */

struct turn_log {
    struct loop_turn turn; /* first */
    unsigned runs, again;
};

static void on_turn(struct loop_turn *turn) {
    struct turn_log *log = (struct turn_log *)turn;
    log->runs++;
    if (log->again > 0) {
        log->again--;
        loop_at_turn_end(loop_current(), turn);
    }
}

static void ask_for_turns(void *arg) {
    struct turn_log *log = arg;
    loop_at_turn_end(loop_current(), &log->turn);
    loop_at_turn_end(loop_current(), &log->turn);
    assert_int_equal(log->runs, 0); /* not inside */
    (void)task_sleep(20, NULL);
    assert_int_equal(log->runs, 1);
    uint64_t start_us = clock_now_us();
    log->again = 1000;
    loop_at_turn_end(loop_current(), &log->turn);
    (void)task_sleep(1000, NULL);
    assert_int_equal(log->runs, 1002); /* the loop has not waited in between */
    assert_true(clock_now_us() - start_us < 4000000);
    loop_at_turn_end(loop_current(), &log->turn);
    loop_turn_cancel(loop_current(), &log->turn);
    (void)task_sleep(20, NULL);
    assert_int_equal(log->runs, 1002);
}

static void test_loop_turn_end_runs_once_however_often_it_was_asked_for(void **state) {
    (void)state;
    struct turn_log log = {.turn.run = on_turn};
    run_task(NULL, ask_for_turns, &log);
    assert_int_equal(log.runs, 1002);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_free_of_null_and_unused_is_allowed),
        cmocka_unit_test(test_loop_run_after_stop_returns_and_can_run_again),
        cmocka_unit_test(test_loop_post_storm_keeps_order_of_each_poster),
        cmocka_unit_test(test_loop_post_from_posted_work_after_stop_still_runs),
        cmocka_unit_test(test_loop_free_runs_what_was_posted_after_run),
        cmocka_unit_test(test_loop_run_after_stop_waits_for_handles_and_tasks),
        cmocka_unit_test(test_loop_stop_from_other_thread_ends_run),
        cmocka_unit_test(test_loop_completion_in_close_callback_wakes_task),
        cmocka_unit_test(test_loop_turn_end_runs_once_however_often_it_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
