#ifndef HERALD_TESTS_INTEGRATION_STORE_FIXTURE_H
#define HERALD_TESTS_INTEGRATION_STORE_FIXTURE_H

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* What the tests against real services share. Test bodies run as tasks on a loop of their own. */

/** The variable's value; without it the test fails and says how to run it. */
const char *need_env(const char *name);
/** Runs @body as a task with a call of its own (deadline 120 s) until it and all that it left on the loop have ended.
 */
void run_body(task_body_fn *body, void *arg);
/** Waits up to 30 s until @condition(@arg) holds, looking every few milliseconds. Inside a task. */
TASK_FN bool eventually(bool (*condition)(void *arg), void *arg);

/** Records what an on_health callback says, with health_note() as the callback and this as its user; any thread. */
struct health {
    pthread_mutex_t lock;
    unsigned ups, downs;
    bool serving;
    struct herald_error last; /* of the last bad report */
};
void health_init(struct health *health);
void health_note(void *user, const struct herald_error *error);
/** Conditions for eventually(), on a struct health. */
bool health_is_up(void *user);
bool health_is_down(void *user);
/** A copy of the last bad report. */
struct herald_error health_last(struct health *health);
/** Waits as eventually() until health is bad and says @text; else the test fails. Inside a task. */
TASK_FN void health_assert_names(struct health *health, const char *text);

/** A redis-server of this test's own, which ends with the test program. */
struct own_redis {
    unsigned port;
    pid_t pid; /* 0: does not run */
    char url[128];
};
/** Picks the port, does not start. @password may be NULL. */
void own_redis_init(struct own_redis *redis);
void own_redis_start(struct own_redis *redis, const char *password);
/** Starts it with more arguments, "--name", "value", …, NULL. Its folder is /tmp unless they say another. */
void own_redis_run(struct own_redis *redis, const char *const *arguments);
/** Starts it with a file of its own, which it may rewrite, and arguments, as a sentinel. */
void own_redis_run_file(struct own_redis *redis, const char *file, const char *const *arguments);
/** kill(2) and, for SIGKILL, wait. */
void own_redis_signal(struct own_redis *redis, int number);

#endif
