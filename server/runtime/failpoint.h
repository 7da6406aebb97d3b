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
 */
#define FAILPOINT_ERROR    1
#define FAILPOINT_DELAY    2
#define FAILPOINT_DROP     4
#define FAILPOINT_KILL     8
#define FAILPOINT_IN_TASK  (FAILPOINT_ERROR | FAILPOINT_DELAY | FAILPOINT_KILL)
#define FAILPOINT_OF_REPLY (FAILPOINT_DROP | FAILPOINT_KILL)

/** One point; its members are private. */
struct failpoint {
    const char *name, *about;
    unsigned allowed;
    _Atomic uint64_t state; /* 0: off */
};

/*
 * Each room has the list of its points, X(name, "room.name", FAILPOINT_IN_TASK or FAILPOINT_OF_REPLY, "where it is"),
 * in a header <room>_failpoints.h, which declares them; <room>_failpoints.c defines them and their table. server/all
 * has the list of the tables. An array of one, so that code can say failpoint_hit(FAILPOINT_NAME, reterr).
 */
#define FAILPOINT_DECLARE_ROW(name, text, allowed, about) extern struct failpoint FAILPOINT_##name[1];
#define FAILPOINTS_DECLARE(LIST)                          LIST(FAILPOINT_DECLARE_ROW)

/** Longest action as text, with its end. */
#define FAILPOINT_ACTION_BYTES 64u

#if HERALD_FAILPOINTS

#define FAILPOINT_DEFINE_ROW(name_, text_, allowed_, about_)                                                           \
    struct failpoint FAILPOINT_##name_[1] = {{.name = (text_), .about = (about_), .allowed = (allowed_)}};
#define FAILPOINT_TABLE_ROW(name, text, allowed, about) FAILPOINT_##name,
/** Defines the points of a list, and @table of them, which ends with NULL. */
#define FAILPOINTS_DEFINE(table, LIST)                                                                                 \
    LIST(FAILPOINT_DEFINE_ROW) struct failpoint *const table[] = {LIST(FAILPOINT_TABLE_ROW) NULL};

static inline bool failpoint_is_set(const struct failpoint *point) {
    return atomic_load_explicit(&point->state, memory_order_relaxed) != 0;
}
/** Does what a point that is set shall do. Private: use failpoint_hit() and failpoint_drops(). */
TASK_FN enum herald_code failpoint_act(struct failpoint *point, struct herald_error *reterr);
bool failpoint_act_drop(struct failpoint *point);

/** Hits a point of FAILPOINT_IN_TASK. Returns: HERALD_OK | what it shall return, reason "FAILPOINT" | what a delay ends
 *  with when the call has to end. */
TASK_FN static inline enum herald_code failpoint_hit(struct failpoint *point, struct herald_error *reterr) {
    return __builtin_expect(failpoint_is_set(point), false) ? failpoint_act(point, reterr) : HERALD_OK;
}
/** Hits a point of FAILPOINT_OF_REPLY: whether to drop. Any thread. */
static inline bool failpoint_drops(struct failpoint *point) {
    return __builtin_expect(failpoint_is_set(point), false) && failpoint_act_drop(point);
}

#else

#define FAILPOINTS_DEFINE(table, LIST)
#define failpoint_hit(point, reterr) ((void)sizeof(point), (void)(reterr), HERALD_OK)
#define failpoint_drops(point)       ((void)sizeof(point), false)

#endif

/** Says which points there are: tables of them, @tables ends with NULL and stays. Before other threads begin. */
void failpoint_use(struct failpoint *const *const *tables);
/** How many there are: 0 when they are compiled out. */
unsigned failpoint_count(void);
/** A point's name and where it is, static; and what it does now. @index  below failpoint_count() */
void failpoint_describe(unsigned index, const char **ret_name, const char **ret_about,
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
