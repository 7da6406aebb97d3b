#ifndef HERALD_RUNTIME_LOOP_H
#define HERALD_RUNTIME_LOOP_H

#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A loop: one thread with a libuv loop on which tasks run. What belongs to a loop (tasks, database pool, Redis
 * connection, HTTP client) is touched on its thread only; loop_post() is the one door from other threads.
 */
struct uv_loop_s;
struct loop;

/** Work posted to a loop; embed it first in the state it carries. run() owns the work from then on. */
struct loop_work {
    struct loop_work *next; /* private */
    void (*run)(struct loop_work *work);
};

enum herald_code loop_new(unsigned index, struct loop **ret_loop, struct herald_error *reterr);
/** Frees a loop that does not run, after running what was posted to it since; all handles on it must be closed, all
 * tasks ended (asserted). No other thread may be posting or stopping any more. NULL is allowed. */
void loop_free(struct loop *loop);
/** Runs the loop on the calling thread until loop_stop() and until its tasks have ended and handles are closed. */
void loop_run(struct loop *loop);
/** Asks loop_run() to return: handles of the loop's own machinery close; others must be closed by their owners. Any
 * thread. */
void loop_stop(struct loop *loop);
/** Runs @work on the loop's thread, soon, in order of posting from one thread. Lock-free. Any thread. */
void loop_post(struct loop *loop, struct loop_work *work);

struct uv_loop_s *loop_uv(struct loop *loop);
/** 0.. in the order of creation, as given to loop_new(). */
unsigned loop_index(const struct loop *loop);
/** The loop whose thread this is; NULL on other threads. */
struct loop *loop_current(void);
/** Tasks that exist on the loop now. Any thread. */
unsigned loop_task_count(const struct loop *loop);

#endif
