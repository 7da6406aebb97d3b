#ifndef HERALD_RUNTIME_FAILPOINT_H
#define HERALD_RUNTIME_FAILPOINT_H

#include "herald/error.h"
#include "server/runtime/task.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Places in the code where a fault can be provoked: by HERALD_FAILPOINT=name:action[,name:action] when a program
 * starts, or by Introspection/SetFailpoint while it runs. Compiled out with HERALD_FAILPOINTS=0, which is what Release
 * builds have: then a point is HERALD_OK at compile time and no name of one is in the program. One that is off costs a
 * relaxed load.
 *
 * An action is "off", "error(CODE)", "delay(MS)", "drop" or "kill"; "3*error(ABORTED)" does it the next three times and
 * is off then, "20%drop" one time in five at random, "3*20%kill" both.
 *
 *   FAILPOINT_IN_TASK   error, delay, kill: where a task runs, which a delay suspends
 *   FAILPOINT_OF_REPLY  drop, kill: on any thread, nng's too, where nothing may wait
 *
 * The rpc.* points leave herald.rpc.v1 alone, so that a point can be set back and health still be asked.
 */
#define FAILPOINT_ERROR    1
#define FAILPOINT_DELAY    2
#define FAILPOINT_DROP     4
#define FAILPOINT_KILL     8
#define FAILPOINT_IN_TASK  (FAILPOINT_ERROR | FAILPOINT_DELAY | FAILPOINT_KILL)
#define FAILPOINT_OF_REPLY (FAILPOINT_DROP | FAILPOINT_KILL)

#define FAILPOINTS(X)                                                                                                  \
    X(RPC_BEFORE_HANDLER, "rpc.before_handler", FAILPOINT_IN_TASK, "a call is decoded, its handler has not begun")     \
    X(RPC_AFTER_HANDLER, "rpc.after_handler", FAILPOINT_IN_TASK, "the handler has ended well, its reply is not sent")  \
    X(RPC_REPLY, "rpc.reply", FAILPOINT_OF_REPLY, "the reply is ready, and is not sent if dropped")                    \
    X(EVENT_AFTER_APPROVE, "event.after_approve", FAILPOINT_IN_TASK,                                                   \
      "APPROVED and the promise of EventCreated are committed, the record is not sent")                                \
    X(EVENT_BEFORE_DISTRIBUTE, "event.before_distribute", FAILPOINT_IN_TASK,                                           \
      "the event is APPROVED, the distribution server is not called")                                                  \
    X(EVENT_BEFORE_ACTIVATE, "event.before_activate", FAILPOINT_IN_TASK,                                               \
      "the channels' results are there, the event is not ACTIVE")                                                      \
    X(DISTRIBUTION_BEFORE_POST, "distribution.before_post", FAILPOINT_IN_TASK,                                         \
      "a delivery is claimed, its post is not sent")                                                                   \
    X(DISTRIBUTION_AFTER_POST, "distribution.after_post", FAILPOINT_IN_TASK,                                           \
      "the channel has answered, its answer is not stored")                                                            \
    X(JOB_AFTER_CREATE, "job.after_create", FAILPOINT_IN_TASK,                                                         \
      "the job's row is committed, neither Redis nor Kafka have heard of it")                                          \
    X(OUTBOX_AFTER_SEND, "outbox.after_send", FAILPOINT_IN_TASK,                                                       \
      "the relay's record is acknowledged, its row is not marked as sent")

enum failpoint {
#define FAILPOINT_ENUM(name, text, allowed, about) FAILPOINT_##name,
    FAILPOINTS(FAILPOINT_ENUM)
#undef FAILPOINT_ENUM
        FAILPOINT_COUNT
};

/** Longest action as text, with its end. */
#define FAILPOINT_ACTION_BYTES 64u

#if HERALD_FAILPOINTS

/** Set points; 0: off. Private. */
extern _Atomic uint64_t failpoint_states[FAILPOINT_COUNT];

static inline bool failpoint_is_set(enum failpoint point) {
    return atomic_load_explicit(&failpoint_states[point], memory_order_relaxed) != 0;
}
/** Does what a point that is set shall do. Private: use failpoint_hit() and failpoint_drops(). */
TASK_FN enum herald_code failpoint_act(enum failpoint point, struct herald_error *reterr);
bool failpoint_act_drop(enum failpoint point);

/** Hits a point of FAILPOINT_IN_TASK. Returns: HERALD_OK | what it shall return, reason "FAILPOINT" | what a delay ends
 *  with when the call has to end. */
TASK_FN static inline enum herald_code failpoint_hit(enum failpoint point, struct herald_error *reterr) {
    return __builtin_expect(failpoint_is_set(point), false) ? failpoint_act(point, reterr) : HERALD_OK;
}
/** Hits a point of FAILPOINT_OF_REPLY: whether to drop. Any thread. */
static inline bool failpoint_drops(enum failpoint point) {
    return __builtin_expect(failpoint_is_set(point), false) && failpoint_act_drop(point);
}

#else

TASK_FN static inline enum herald_code failpoint_hit(enum failpoint point, struct herald_error *reterr) {
    (void)point;
    (void)reterr;
    return HERALD_OK;
}
static inline bool failpoint_drops(enum failpoint point) {
    (void)point;
    return false;
}

#endif

/** How many there are: FAILPOINT_COUNT, or 0 when they are compiled out. */
unsigned failpoint_count(void);
/** A point's name and where it is, static; and what it does now. @point  below failpoint_count() */
void failpoint_describe(unsigned point, const char **ret_name, const char **ret_about,
                        char ret_action[FAILPOINT_ACTION_BYTES]);
/**
 * Sets a point. Any thread.
 *
 * @ret_previous  NULL: not wanted
 * Returns: HERALD_OK | HERALD_NOT_FOUND (lists the names) | HERALD_INVALID_ARGUMENT (no action, or none that this point
 *          takes) | HERALD_UNIMPLEMENTED (compiled out)
 */
enum herald_code failpoint_set(const char *name, const char *action, char ret_previous[FAILPOINT_ACTION_BYTES],
                               struct herald_error *reterr);
/** Sets what HERALD_FAILPOINT says; without it, or compiled out, does nothing. Returns as failpoint_set(); what came
 *  before a wrong part is set. */
enum herald_code failpoint_set_from_environment(struct herald_error *reterr);

#endif
