#ifndef HERALD_RUNTIME_TASK_H
#define HERALD_RUNTIME_TASK_H

/*
 * Tasks: stackful coroutines of a loop. A task runs until it waits; waiting suspends the task, never the thread.
 * Tasks of a loop never run at the same time, so between two waits a task has the loop's state for itself.
 */
#include "client/base/task_fn.h"
#include "herald/error.h"
#include "server/runtime/call.h"
#include "server/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;
typedef void task_body_fn(void *arg);

/**
 * Starts a task. It begins to run in the loop's next dispatch, never inside this function.
 *
 * @call  its context, which must outlive the task, or be ended by the task with call_fini(); NULL: no deadline, no
 *        cancellation, no arena
 * @name  for introspection; static
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "NO_STACK": no memory for a stack)
 * Context: the loop's thread
 */
enum herald_code task_spawn(struct loop *loop, struct call *call, const char *name, task_body_fn *body, void *arg,
                            struct herald_error *reterr);
/** The running task; NULL outside one. */
struct task *task_current(void);
/** Ends all present and future waits of the tasks of @call with @code (CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE).
 *  Context: the loop's thread. */
void task_cancel_call(struct loop *loop, struct call *call, enum herald_code code);
/** Suspends for @ms milliseconds. Returns: as call_check() */
TASK_FN enum herald_code task_sleep(uint32_t ms, struct herald_error *reterr);
/** Lets other ready tasks of the loop run. */
TASK_FN void task_yield(void);

/**
 * Runs @work(@arg) on a thread of libuv's pool and waits for its end, whatever the deadline. So @arg stays valid and
 * has one owner at a time. For work that computes or blocks (pictures, files).
 *
 * Returns: HERALD_OK: it ran, even if the call has to end | HERALD_RESOURCE_EXHAUSTED (reason "OFFLOAD"): it did not
 *          run
 */
TASK_FN enum herald_code task_offload(void (*work)(void *arg), void *arg, struct herald_error *reterr);

/* A group: tasks that run side by side and are joined. The members share the spawner's call context. */
struct task_group {
    unsigned running;
    struct task *joiner;
};
void task_group_init(struct task_group *group);
/** Starts a member. @arg must live until the join. On failure the group is unchanged. Returns: as task_spawn() */
enum herald_code task_group_spawn(struct task_group *group, const char *name, task_body_fn *body, void *arg,
                                  struct herald_error *reterr);
/** Waits until every member has ended. Cancellation does not end this wait: cancelled members end soon by
 *  themselves. */
TASK_FN void task_group_join(struct task_group *group);

/*
 * A completion: one event for which one task waits. The state that completes it must outlive the wait. If the waiter
 * leaves early it abandons the operation, which finishes later by itself.
 */
struct completion {
    struct task *waiter;
    bool done;
    const char *what; /* for introspection and messages: "a reply of Redis"; static; NULL: not said */
};
void completion_init(struct completion *completion);
/** Marks it done and makes the waiter ready. Repeating it does nothing. Context: the loop's thread, inside or outside
 *  tasks. */
void completion_complete(struct completion *completion);
/**
 * Waits until it is done. Returns HERALD_OK if it is done already, even if the call has to end: an error always means
 * "not done".
 *
 * Returns:  HERALD_OK: it is done | as call_check(): the call has to end; the wait is over, and the caller must abandon
 *           or cancel the operation behind it
 */
TASK_FN enum herald_code completion_wait(struct completion *completion, struct herald_error *reterr);
/** The same, with a limit of its own besides the call's deadline. Returns: as completion_wait() |
 *  HERALD_DEADLINE_EXCEEDED (reason "WAIT_TIMEOUT"): the limit has passed, and the call may go on */
TASK_FN enum herald_code completion_wait_for(struct completion *completion, uint32_t timeout_ms,
                                             struct herald_error *reterr);
/** Waits until it is done, whatever the deadline and cancellation. For operations that cannot be abandoned. */
TASK_FN void completion_wait_always(struct completion *completion);

/* A task as the introspection shows it. */
struct task_info {
    const char *name;
    const char *waits_for;   /* "sleep", "members", "its turn", …; never NULL */
    uint64_t since_us;       /* on clock_now_us(), to about a millisecond */
    const struct call *call; /* NULL: none */
};
/** Calls @visit for every task of the loop, the newest first; it must not spawn or wait. Context: the loop's thread. */
void loop_tasks_visit(struct loop *loop, void (*visit)(void *user, const struct task_info *info), void *user);

#endif
