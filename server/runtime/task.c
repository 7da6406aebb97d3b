/*
 * A task is READY (in its loop's ready queue), RUNNING (the loop's `running`) or WAITING. Only task_wake() ends a wait,
 * and it only makes the task ready: a task never runs inside the function that woke or spawned it. The waiter itself
 * finds out why its wait ended: it checks the event, its call and the clock.
 *
 * The loop's pool keeps an ended task with its stack for reuse.
 */
#include "server/runtime/task.h"

#include "server/runtime/loop_private.h"

#include <assert.h>
#include <stdlib.h>

struct task *task_current(void) {
    struct loop *loop = loop_current();
    return loop == NULL ? NULL : loop->running;
}

/* ---- life ---- */

static struct task *task_take(struct loop *loop) {
    struct task *task = loop->pool;
    if (task != NULL) {
        loop->pool = task->ready_next;
        loop->pool_count--;
        loop->pool_low = loop->pool_count < loop->pool_low ? loop->pool_count : loop->pool_low;
        return task;
    }
    task = calloc(1, sizeof(*task));
    if (task != NULL && !coroutine_init(&task->coroutine)) {
        free(task);
        return NULL;
    }
    return task;
}

static void task_free(struct task *task) {
    coroutine_fini(&task->coroutine);
    free(task);
}

static void task_give_back(struct loop *loop, struct task *task) {
    if (loop->pool_count >= TASK_POOL_MAX) {
        loop->relief_is_due = true;
        task_free(task);
        return;
    }
    task->ready_next = loop->pool;
    loop->pool = task;
    loop->pool_count++;
    relief_want(loop);
}

void task_pool_shrink(struct loop *loop, unsigned count) {
    for (; count > 0 && loop->pool != NULL; count--) {
        struct task *task = loop->pool;
        loop->pool = task->ready_next;
        loop->pool_count--;
        task_free(task);
    }
}

void task_pool_fini(struct loop *loop) {
    task_pool_shrink(loop, loop->pool_count);
}

static void task_link(struct task *task) {
    struct loop *loop = task->loop;
    task->prev = NULL;
    task->next = loop->tasks;
    if (loop->tasks != NULL) {
        loop->tasks->prev = task;
    }
    loop->tasks = task;

    if (task->call == NULL) {
        return;
    }
    task->call_prev = NULL;
    task->call_next = task->call->tasks;
    if (task->call->tasks != NULL) {
        task->call->tasks->call_prev = task;
    }
    task->call->tasks = task;
}

void task_leave_call(struct task *task) {
    if (task->call_next != NULL) {
        task->call_next->call_prev = task->call_prev;
    }
    if (task->call_prev != NULL) {
        task->call_prev->call_next = task->call_next;
    } else {
        task->call->tasks = task->call_next;
    }
    task->call = NULL;
}

static void task_unlink(struct task *task) {
    if (task->next != NULL) {
        task->next->prev = task->prev;
    }
    if (task->prev != NULL) {
        task->prev->next = task->next;
    } else {
        task->loop->tasks = task->next;
    }
    if (task->call != NULL) {
        task_leave_call(task);
    }
}

/* The first function on the task's own stack. */
static void task_enter(void *arg) {
    struct task *task = arg;
    task->body(task->arg);
}

static enum herald_code spawn(struct loop *loop, struct call *call, struct task_group *group, const char *name,
                              task_body_fn *body, void *arg, struct herald_error *reterr) {
    assert(loop_current() == NULL || loop_current() == loop);
    unsigned count = loop_task_count(loop) + 1;
    struct task *task = timers_reserve(&loop->timers, count) ? task_take(loop) : NULL;
    if (task == NULL) {
        return herald_error_set(reterr, HERALD_REASON_NO_STACK,
                                "no memory for the stack of task \"%s\": %u tasks exist (see vm.max_map_count)", name,
                                count - 1);
    }
    task->loop = loop;
    task->call = call;
    task->group = group;
    task->name = name;
    task->body = body;
    task->arg = arg;
    task->state = TASK_READY;
    task->waits_for = NULL;
    task->since_us = uv_now(&loop->uv) * 1000;
    task->timer_index = TIMER_NONE;
    task->is_trimmed = false;
    coroutine_start(&task->coroutine, task_enter, task);
    task_link(task);
    atomic_store_explicit(&loop->task_count, count, memory_order_relaxed);
    if (count == 1) {
        loop_update_alive(loop);
    }
    loop_make_ready(loop, task);
    relief_want(loop);
    return HERALD_OK;
}

enum herald_code task_spawn(struct loop *loop, struct call *call, const char *name, task_body_fn *body, void *arg,
                            struct herald_error *reterr) {
    return spawn(loop, call, NULL, name, body, arg, reterr);
}

static void task_finish(struct task *task) {
    struct loop *loop = task->loop;
    struct task_group *group = task->group;
    task_unlink(task);
    task_give_back(loop, task);
    unsigned count = loop_task_count(loop) - 1;
    atomic_store_explicit(&loop->task_count, count, memory_order_relaxed);
    if (count == 0) {
        loop_update_alive(loop);
    }
    if (group != NULL && --group->running == 0 && group->joiner != NULL) {
        task_wake(group->joiner);
    }
}

void task_run(struct task *task) {
    struct loop *loop = task->loop;
    task->state = TASK_RUNNING;
    task->is_trimmed = false;
    task->since_us = uv_now(&loop->uv) * 1000;
    loop->running = task;
    coroutine_resume(&task->coroutine);
    loop->running = NULL;
    if (task->coroutine.ended) {
        task_finish(task);
    }
}

/* ---- waits ---- */

void task_wake(struct task *task) {
    if (task->state != TASK_WAITING) {
        return;
    }
    timers_remove(&task->loop->timers, task);
    task->state = TASK_READY;
    task->since_us = uv_now(&task->loop->uv) * 1000;
    loop_make_ready(task->loop, task);
}

void task_suspend(const char *waits_for, uint64_t wake_us, bool interruptible) {
    struct task *task = task_current();
    assert(task != NULL);
    task->state = TASK_WAITING;
    task->waits_for = waits_for;
    task->interruptible = interruptible;
    task->since_us = uv_now(&task->loop->uv) * 1000;
    if (wake_us != 0) {
        timers_add(&task->loop->timers, task, wake_us);
    }
    coroutine_suspend(&task->coroutine);
    task->waits_for = NULL;
}

void task_cancel_call(struct loop *loop, struct call *call, enum herald_code code) {
    assert(code != HERALD_OK);
    (void)loop;
    if (call->end_code == HERALD_OK) {
        call->end_code = code;
    }
    for (struct task *task = call->tasks; task != NULL; task = task->call_next) {
        assert(task->loop == loop);
        if (task->interruptible) {
            task_wake(task);
        }
    }
}

enum herald_code task_sleep(uint32_t ms, struct herald_error *reterr) {
    struct task *task = task_current();
    assert(task != NULL);
    uint64_t end_us = clock_now_us() + (uint64_t)ms * 1000;
    enum herald_code code = HERALD_OK;
    while ((code = call_check_of(task->call, reterr)) == HERALD_OK && clock_now_us() < end_us) {
        uint64_t deadline_us = task_deadline_us(task);
        task_suspend("sleep", deadline_us != 0 && deadline_us < end_us ? deadline_us : end_us, true);
    }
    return code;
}

void task_yield(void) {
    struct task *task = task_current();
    assert(task != NULL);
    task->state = TASK_READY;
    loop_make_ready(task->loop, task);
    coroutine_suspend(&task->coroutine);
}

/* ---- groups ---- */

void task_group_init(struct task_group *group) {
    *group = (struct task_group){0};
}

enum herald_code task_group_spawn(struct task_group *group, const char *name, task_body_fn *body, void *arg,
                                  struct herald_error *reterr) {
    struct task *spawner = task_current();
    assert(spawner != NULL);
    enum herald_code code = spawn(spawner->loop, spawner->call, group, name, body, arg, reterr);
    if (code == HERALD_OK) {
        group->running++;
    }
    return code;
}

void task_group_join(struct task_group *group) {
    assert(group->joiner == NULL);
    while (group->running > 0) {
        group->joiner = task_current();
        task_suspend("members", 0, false);
    }
    group->joiner = NULL;
}

/* ---- introspection ---- */

static const char *task_waits_for(const struct task *task) {
    switch (task->state) {
    case TASK_READY:
        return "its turn";
    case TASK_RUNNING:
        return "nothing";
    default:
        return task->waits_for;
    }
}

void loop_tasks_visit(struct loop *loop, void (*visit)(void *user, const struct task_info *info), void *user) {
    for (const struct task *task = loop->tasks; task != NULL; task = task->next) {
        const struct task_info info = {
            .name = task->name,
            .waits_for = task_waits_for(task),
            .since_us = task->since_us,
            .call = task->call,
        };
        visit(user, &info);
    }
}
