/*
 * Gives memory back when a burst is over, or while many tasks wait for long.
 *
 * A task that waits has its frames at the high end of its stack; what deeper calls have touched below them is of no use
 * until it runs on. The pool keeps stacks for the next burst; those that nothing needed for a while are freed. At last
 * malloc gives back what it holds free. Each step does a bounded piece of work, so that no call waits for it.
 */
#include "server/runtime/loop_private.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define STEP_MS         100u
#define QUIET_MS        1000u /* without a large block freed, a burst of them is over */
#define WAITS_LONG_US   1000000u
#define STACKS_A_STEP   200u /* a few microseconds each */
#define TASKS_AT_LEAST  256u /* fewer hold little */
#define TASKS_LEFT      16u  /* of the server's own */
#define POOL_FREED_PART 2u   /* of the unneeded stacks, a step */

/* Whether many tasks are left whose stacks are not trimmed. Each new task asks for the relief again. */
static bool trim_waiting(struct loop *loop, uint64_t now_us) {
    unsigned trimmed = 0, left = 0;
    for (struct task *task = loop->tasks; task != NULL && trimmed < STACKS_A_STEP; task = task->next) {
        if (task->is_trimmed) {
            continue;
        }
        left++;
        if (task->state == TASK_WAITING && now_us > task->since_us + WAITS_LONG_US) {
            coroutine_trim(&task->coroutine);
            task->is_trimmed = true;
            trimmed++;
        }
    }
    return left > TASKS_LEFT;
}

/* Frees pooled stacks that nothing has needed since the last step. Returns: whether more are to be freed. */
static bool shrink_pool(struct loop *loop) {
    unsigned unneeded = loop->pool_low > TASK_POOL_KEPT ? loop->pool_low - TASK_POOL_KEPT : 0;
    unsigned count = unneeded / POOL_FREED_PART + (unneeded > 0 ? 1 : 0);
    task_pool_shrink(loop, count < STACKS_A_STEP ? count : STACKS_A_STEP);
    loop->relief_is_due = loop->relief_is_due || count > 0;
    loop->pool_low = loop->pool_count;
    return loop->pool_count > TASK_POOL_KEPT;
}

/* Whether a pool has more to give. */
static bool shrink_others(struct loop *loop) {
    bool more = false;
    for (struct loop_relief *relief = loop->reliefs; relief != NULL; relief = relief->next) {
        more = relief->give_back(relief) || more;
    }
    loop->relief_is_due = loop->relief_is_due || more;
    return more;
}

static bool is_freeing(const struct loop *loop) {
    return loop->freed_ms != 0 && uv_now(&loop->uv) - loop->freed_ms < QUIET_MS;
}

static void on_relief(uv_timer_t *timer) {
    struct loop *loop = timer->data;
    bool many = loop_task_count(loop) > TASKS_AT_LEAST;
    bool waits = many && trim_waiting(loop, uv_now(&loop->uv) * 1000);
    bool others = shrink_others(loop);
    if (shrink_pool(loop) || waits || others || is_freeing(loop)) {
        return;
    }
#ifdef __GLIBC__
    if (loop->relief_is_due && !many) {
        loop->relief_is_due = false;
        (void)malloc_trim(0);
    }
#endif
    (void)uv_timer_stop(timer);
}

void loop_add_relief(struct loop *loop, struct loop_relief *relief) {
    relief->next = loop->reliefs;
    loop->reliefs = relief;
}

void relief_init(struct loop *loop) {
    (void)uv_timer_init(&loop->uv, &loop->relief);
    loop->relief.data = loop;
    uv_unref((uv_handle_t *)&loop->relief);
}

static void begin_relief(struct loop *loop) {
    if (!uv_is_active((uv_handle_t *)&loop->relief)) {
        loop->pool_low = loop->pool_count;
        (void)uv_timer_start(&loop->relief, on_relief, STEP_MS, STEP_MS);
    }
}

void relief_want(struct loop *loop) {
    if (loop->pool_count > TASK_POOL_KEPT || loop_task_count(loop) > TASKS_AT_LEAST) {
        begin_relief(loop);
    }
}

void loop_note_freed(struct loop *loop) {
    loop->freed_ms = uv_now(&loop->uv);
    loop->relief_is_due = true;
    begin_relief(loop);
}
