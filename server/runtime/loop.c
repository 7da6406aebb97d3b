/*
 * Ready tasks run in the prepare and check phases, before and after libuv's poll. So a task that a callback of the poll
 * makes ready runs right after the poll. The idle handle is active while tasks are ready outside of a dispatch, or work
 * waits for the end of a turn; it keeps the poll from blocking. A turn ends in the prepare phase, after the tasks.
 *
 * Posted work is a stack. Any thread pushes on it; the loop takes it as a whole and reverses it, which restores the
 * order of posting. Only the push on an empty stack wakes the loop, since the loop empties it after each wake.
 */
#include "server/runtime/loop_private.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

/* Rounds of ready tasks, each made ready by the one before, until the loop polls its descriptors again. */
#define DISPATCH_ROUNDS 16

static _Thread_local struct loop *current_loop;

struct loop *loop_current(void) {
    return current_loop;
}

struct uv_loop_s *loop_uv(struct loop *loop) {
    return &loop->uv;
}

unsigned loop_index(const struct loop *loop) {
    return loop->index;
}

unsigned loop_task_count(const struct loop *loop) {
    return atomic_load_explicit(&loop->task_count, memory_order_relaxed);
}

static void on_idle(uv_idle_t *idle) {
    (void)idle;
}

void loop_make_ready(struct loop *loop, struct task *task) {
    task->ready_next = NULL;
    if (loop->ready_head == NULL) {
        loop->ready_head = task;
    } else {
        loop->ready_tail->ready_next = task;
    }
    loop->ready_tail = task;
    if (!loop->dispatching) {
        (void)uv_idle_start(&loop->hurry, on_idle);
    }
}

void loop_at_turn_end(struct loop *loop, struct loop_turn *turn) {
    if (turn->queued) {
        return;
    }
    turn->queued = true;
    LL_APPEND(loop->turns, turn);
    (void)uv_idle_start(&loop->hurry, on_idle);
}

void loop_turn_cancel(struct loop *loop, struct loop_turn *turn) {
    if (turn->queued) {
        turn->queued = false;
        LL_DELETE(loop->turns, turn);
    }
}

void loop_add_ending(struct loop *loop, struct loop_ending *ending) {
    DL_APPEND(loop->endings, ending);
}

void loop_remove_ending(struct loop *loop, struct loop_ending *ending) {
    DL_DELETE(loop->endings, ending);
}

static void run_endings(struct loop *loop) {
    struct loop_ending *ending;
    while ((ending = loop->endings) != NULL) {
        DL_DELETE(loop->endings, ending);
        ending->run(ending);
    }
}

void loop_update_alive(struct loop *loop) {
    if (atomic_load_explicit(&loop->stopping, memory_order_acquire) && loop_task_count(loop) == 0) {
        run_endings(loop);
        uv_unref((uv_handle_t *)&loop->wake);
    } else {
        uv_ref((uv_handle_t *)&loop->wake);
    }
}

static void run_loop_round(struct loop *loop) {
    struct task *task = loop->ready_head;
    loop->ready_head = loop->ready_tail = NULL;
    while (task != NULL) {
        struct task *next = task->ready_next;
        task_run(task);
        task = next;
    }
}

static void dispatch(struct loop *loop) {
    if (loop->ready_head == NULL) {
        return;
    }
    loop->dispatching = true;
    for (int round = 0; round < DISPATCH_ROUNDS && loop->ready_head != NULL; round++) {
        run_loop_round(loop);
    }
    loop->dispatching = false;
}

static void update_hurry(struct loop *loop) {
    if (loop->ready_head == NULL && loop->turns == NULL) {
        (void)uv_idle_stop(&loop->hurry);
    } else {
        (void)uv_idle_start(&loop->hurry, on_idle);
    }
}

/* Runs what waits for the end of the turn. Those that ask again meanwhile come after the ones that are there. */
static void end_turn(struct loop *loop) {
    unsigned count = 0;
    struct loop_turn *turn;
    LL_COUNT(loop->turns, turn, count);
    for (; count > 0 && loop->turns != NULL; count--) {
        turn = loop->turns;
        loop_turn_cancel(loop, turn);
        turn->run(turn);
    }
}

static void on_before(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    dispatch(loop);
    end_turn(loop);
    update_hurry(loop);
}

static void on_after(uv_check_t *check) {
    dispatch(check->data);
}

void loop_post(struct loop *loop, struct loop_work *work) {
    struct loop_work *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        work->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->posted, &head, work, memory_order_release, memory_order_relaxed));
    if (head == NULL) {
        (void)uv_async_send(&loop->wake);
    }
}

static struct loop_work *take_posted(struct loop *loop) {
    struct loop_work *latest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    struct loop_work *first = NULL;
    while (latest != NULL) {
        struct loop_work *next = latest->next;
        latest->next = first;
        first = latest;
        latest = next;
    }
    return first;
}

static void run_posted(struct loop *loop) {
    struct loop_work *work = take_posted(loop);
    while (work != NULL) {
        struct loop_work *next = work->next; /* run() may free the work */
        work->run(work);
        work = next;
    }
}

static void on_wake(uv_async_t *wake) {
    struct loop *loop = wake->data;
    run_posted(loop);
    loop_update_alive(loop);
}

void loop_stop(struct loop *loop) {
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    (void)uv_async_send(&loop->wake);
}

/* True: this thread is the loop's from now on. */
static bool begin_running(struct loop *loop) {
    bool runs = false;
    if (!atomic_compare_exchange_strong(&loop->runs, &runs, true)) {
        return false;
    }
    current_loop = loop;
    return true;
}

static void end_running(struct loop *loop) {
    current_loop = NULL;
    atomic_store(&loop->runs, false);
}

bool loop_run_posted(struct loop *loop) {
    assert(current_loop == NULL);
    if (!begin_running(loop)) {
        return false;
    }
    run_posted(loop);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    end_running(loop);
    return true;
}

static bool loop_has_work(struct loop *loop) {
    return uv_loop_alive(&loop->uv) || loop_task_count(loop) != 0 || loop->turns != NULL ||
           atomic_load_explicit(&loop->posted, memory_order_relaxed) != NULL;
}

void loop_run(struct loop *loop) {
    assert(current_loop == NULL);
    while (!begin_running(loop)) { /* another thread is in loop_run_posted() */
        (void)sched_yield();
    }
    loop_update_alive(loop);
    do {
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        run_posted(loop);
        end_turn(loop);
        loop_update_alive(loop);
    } while (loop_has_work(loop));
    atomic_store_explicit(&loop->stopping, false, memory_order_relaxed);
    end_running(loop);
}

/* Opens the loop's own handles. On failure none is open. */
static int open_loop_handles(struct loop *loop) {
    int status = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (status != 0) {
        return status;
    }
    loop->wake.data = loop->before.data = loop->after.data = loop;
    /* These three cannot fail. */
    (void)uv_prepare_init(&loop->uv, &loop->before);
    (void)uv_check_init(&loop->uv, &loop->after);
    (void)uv_idle_init(&loop->uv, &loop->hurry);
    (void)uv_prepare_start(&loop->before, on_before);
    (void)uv_check_start(&loop->after, on_after);
    uv_unref((uv_handle_t *)&loop->before);
    uv_unref((uv_handle_t *)&loop->after);
    uv_unref((uv_handle_t *)&loop->hurry);
    return 0;
}

static void close_handles(struct loop *loop) {
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->before, NULL);
    uv_close((uv_handle_t *)&loop->after, NULL);
    uv_close((uv_handle_t *)&loop->hurry, NULL);
    uv_close((uv_handle_t *)&loop->timers.uv, NULL);
    uv_close((uv_handle_t *)&loop->relief, NULL);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
}

enum herald_code loop_new(unsigned index, struct loop **ret_loop, struct herald_error *reterr) {
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return herald_error_no_memory(reterr, "a loop");
    }
    loop->index = index;
    int status = uv_loop_init(&loop->uv);
    if (status != 0) {
        free(loop);
        return herald_error_set(reterr, HERALD_REASON_LOOP_INIT, "cannot make a loop: %s", uv_strerror(status));
    }
    status = open_loop_handles(loop);
    if (status != 0) {
        (void)uv_loop_close(&loop->uv);
        free(loop);
        return herald_error_set(reterr, HERALD_REASON_LOOP_INIT, "cannot make a loop's wake-up: %s",
                                uv_strerror(status));
    }
    timers_init(&loop->timers, &loop->uv);
    relief_init(loop);
    *ret_loop = loop;
    return HERALD_OK;
}

static void report_open_handle(uv_handle_t *handle, void *user) {
    (void)user;
    fprintf(stderr, "loop_free: a handle of type %s was not closed by its owner\n",
            uv_handle_type_name(uv_handle_get_type(handle)));
}

void loop_free(struct loop *loop) {
    if (loop == NULL) {
        return;
    }
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed) != NULL) {
        atomic_store_explicit(&loop->stopping, true, memory_order_relaxed);
        loop_run(loop);
    }
    assert(loop_task_count(loop) == 0);
    close_handles(loop);
    task_pool_fini(loop);
    timers_fini(&loop->timers);
    if (uv_loop_close(&loop->uv) != 0) {
        uv_walk(&loop->uv, report_open_handle, NULL);
        assert(0 && "loop_free() with open handles");
        return; /* a leak is better than handles that point into freed memory */
    }
    free(loop);
}
