#ifndef HERALD_TESTS_UNIT_RUNTIME_RUN_H
#define HERALD_TESTS_UNIT_RUNTIME_RUN_H

#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Spawns one task on a new loop and runs the loop until this task and all that it started have ended. */
static inline void run_task(struct call *call, task_body_fn *body, void *arg) {
    struct loop *loop = NULL;
    assert_int_equal(loop_new(0, &loop, NULL), HERALD_OK);
    assert_int_equal(task_spawn(loop, call, "test", body, arg, NULL), HERALD_OK);
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(loop_task_count(loop), 0);
    loop_free(loop);
}

#endif
