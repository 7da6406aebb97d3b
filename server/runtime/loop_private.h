#ifndef HERALD_RUNTIME_LOOP_PRIVATE_H
#define HERALD_RUNTIME_LOOP_PRIVATE_H

/* Shared by loop.c, timers.c, task.c, relief.c, call_current.c and completion.c; for server/runtime only. */
#include "server/runtime/coroutine.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdatomic.h>
#include <uv.h>

enum task_state { TASK_READY, TASK_RUNNING, TASK_WAITING };

struct task {
    struct coroutine coroutine;
    struct loop *loop;
    struct call *call; /* NULL: none */
    struct task_group *group;
    const char *name;
    task_body_fn *body;
    void *arg;
    enum task_state state;
    bool interruptible;                 /* task_cancel_call() ends the present wait */
    bool is_trimmed;                    /* its stack has given back what the present wait does not need */
    const char *waits_for;              /* of the present wait; static */
    uint64_t since_us;                  /* when it became ready, began to run or to wait */
    uint64_t wake_us;                   /* valid while in the loop's timers */
    size_t timer_index;                 /* in the loop's timers; TIMER_NONE: not there */
    struct task *ready_next;            /* in the loop's ready queue; in the pool: the next free one */
    struct task *prev, *next;           /* all tasks of the loop */
    struct task *call_prev, *call_next; /* all tasks of the call */
};

#define TIMER_NONE ((size_t)-1)

/* Mapping a stack costs about ten microseconds, a hundred times an ordinary start, so a burst should find its stacks in
 * the pool. Afterwards the pool shrinks to TASK_POOL_KEPT (relief.c). */
#define TASK_POOL_MAX  4096u
#define TASK_POOL_KEPT 32u

/* Binary min-heap of waiting tasks by wake_us, on one uv_timer. */
struct timers {
    struct task **heap;
    size_t count, capacity;
    uint64_t armed_us; /* when the uv_timer fires; UINT64_MAX: it is not set */
    uv_timer_t uv;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;     /* posted work, stop; keeps the loop alive until it has to end */
    uv_prepare_t before; /* ready tasks run before and after the poll … */
    uv_check_t after;
    uv_idle_t hurry; /* … which does not block while this is active: while tasks are ready or a turn has to end */
    struct timers timers;
    unsigned index;
    bool dispatching;
    struct task *running;
    struct task *ready_head, *ready_tail;
    struct task *tasks;
    struct task *pool; /* ended tasks, kept for reuse with their stacks */
    unsigned pool_count;
    unsigned pool_low;  /* fewest in the pool since the last step of the relief */
    uv_timer_t relief;  /* active while there may be memory to give back */
    bool relief_is_due; /* memory was freed that malloc may still hold */
    uint64_t freed_ms;  /* when a large block was freed last, by uv_now() */
    struct loop_relief *reliefs;
    struct loop_turn *turns; /* to be run when the present turn ends */
    struct loop_ending *endings;
    atomic_uint task_count;
    atomic_bool runs;
    atomic_bool stopping;
    _Atomic(struct loop_work *) posted; /* latest first */
};

/* loop.c */
/** Puts a task at the end of the ready queue. */
void loop_make_ready(struct loop *loop, struct task *task);
/** Lets the loop end if it is stopping and has no tasks; otherwise keeps it alive. */
void loop_update_alive(struct loop *loop);

/* timers.c */
void timers_init(struct timers *timers, uv_loop_t *uv);
/** The uv_timer must be closed. */
void timers_fini(struct timers *timers);
/** Makes room for @count tasks at once, so that timers_add() cannot fail. Returns false without memory. */
bool timers_reserve(struct timers *timers, size_t count);
void timers_add(struct timers *timers, struct task *task, uint64_t wake_us);
/** Removes a task; does nothing if it has no timer. */
void timers_remove(struct timers *timers, struct task *task);

/* task.c */
/** Runs one ready task until it waits or ends. */
void task_run(struct task *task);
/** Ends the task's wait; a task that does not wait is left alone. */
void task_wake(struct task *task);
/**
 * Suspends the running task until task_wake().
 * @wake_us  wakes it by then; 0: never  @interruptible  task_cancel_call() wakes it
 */
TASK_FN void task_suspend(const char *waits_for, uint64_t wake_us, bool interruptible);
/** Detaches a task from its call; it runs on without one. */
void task_leave_call(struct task *task);
/** Deadline of the task's call; 0: none. */
static inline uint64_t task_deadline_us(const struct task *task) {
    return task->call != NULL ? task->call->deadline_us : 0;
}
/** Frees @count pooled stacks, or all. */
void task_pool_shrink(struct loop *loop, unsigned count);
/** Frees the pooled stacks. */
void task_pool_fini(struct loop *loop);

/* relief.c */
void relief_init(struct loop *loop);
/** Many tasks wait or have ended: looks for memory to give back, in the background. The loop's thread. */
void relief_want(struct loop *loop);

#endif
