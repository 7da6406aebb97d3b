#ifndef HERALD_RUNTIME_TASK_H
#define HERALD_RUNTIME_TASK_H

#include "client/base/task_fn.h"
#include "herald/error.h"
#include "server/runtime/call.h"
#include "server/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tasks: stackful coroutines of a loop. A task runs until it waits; waiting suspends the task, never the thread.
 * Tasks of a loop never run at the same time, so between two waits a task has the loop's state for itself.
 */

struct task;
typedef void task_body_fn(void *arg);

/**
 * Starts a task; it begins to run when the loop comes round to it, never inside this call.
 *
 * @call  its context, which must outlive it (or be ended by it, by call_fini()); NULL: no deadline, no cancellation, no
 * arena
 * @name  for introspection; static
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (no memory for a stack)
 * Context: the loop's thread
 */
enum herald_code task_spawn(struct loop *loop, struct call *call, const char *name, task_body_fn *body, void *arg,
                            struct herald_error *reterr);
/** The running task; NULL outside one. */
struct task *task_current(void);
/** Ends all present and future waits of the tasks of @call with @code (CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE).
 *  Context: the loop's thread. */
void task_cancel_call(struct loop *loop, struct call *call, enum herald_code code);
/** Suspends for @ms milliseconds. Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED | HERALD_CANCELLED. */
TASK_FN enum herald_code task_sleep(uint32_t ms, struct herald_error *reterr);
/** Lets other ready tasks of the loop run. */
TASK_FN void task_yield(void);

/**
 * Runs @work(@arg) on a thread of libuv's pool and waits for its end, whatever the deadline: @arg stays valid and in
 * one owner's hands at a time. For work that computes or blocks (pictures, files).
 *
 * Returns: HERALD_OK: it ran, even when the call has to end | HERALD_RESOURCE_EXHAUSTED: it did not run
 */
TASK_FN enum herald_code task_offload(void (*work)(void *arg), void *arg, struct herald_error *reterr);

/* A group: tasks that run side by side and are joined. The members share the spawner's call context. */
struct task_group {
    unsigned running;
    struct task *joiner;
};
void task_group_init(struct task_group *group);
/** Starts a member. @arg must live until the join. Returns as task_spawn(); on failure the group is unchanged. */
enum herald_code task_group_spawn(struct task_group *group, const char *name, task_body_fn *body, void *arg,
                                  struct herald_error *reterr);
/** Waits until every member has ended; no early end: cancelled members end by themselves, soon. */
TASK_FN void task_group_join(struct task_group *group);

/*
 * A completion: one event that one task waits for. The state that completes it outlives the wait: an operation whose
 * waiter has left early is abandoned, and finishes by itself later.
 */
struct completion {
    struct task *waiter;
    bool done;
    const char *what; /* for introspection and messages: "a reply of Redis"; static; NULL: not said */
};
void completion_init(struct completion *completion);
/** Marks it done and makes the waiter ready; again does nothing. Context: the loop's thread, inside or outside tasks.
 */
void completion_complete(struct completion *completion);
/**
 * Waits until it is done. What is done already is HERALD_OK even when the call has to end: an error means "not done".
 *
 * Returns:  HERALD_OK: it is done | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end; the completion
 *           is not waited for any more, and the operation behind it must be abandoned or cancelled by the caller
 */
TASK_FN enum herald_code completion_wait(struct completion *completion, struct herald_error *reterr);
/** The same with a limit of its own besides the call's: HERALD_DEADLINE_EXCEEDED with reason "WAIT_TIMEOUT" when it is
 *  reached while the call may go on. */
TASK_FN enum herald_code completion_wait_for(struct completion *completion, uint32_t timeout_ms,
                                             struct herald_error *reterr);
/** Waits until it is done, whatever the deadline and cancellation: for operations that cannot be abandoned. */
TASK_FN void completion_wait_always(struct completion *completion);

/* A task as the introspection shows it. */
struct task_info {
    const char *name;
    const char *waits_for;   /* "sleep", "members", "its turn", …; never NULL */
    uint64_t since_us;       /* on clock_now_us(), to about a millisecond */
    const struct call *call; /* NULL: none */
};
/** Shows every task of the loop to @visit, the newest first; it must not spawn or wait. Context: the loop's thread. */
void loop_tasks_visit(struct loop *loop, void (*visit)(void *user, const struct task_info *info), void *user);

#endif
