#ifndef HERALD_RUNTIME_FAILPOINT_H
#define HERALD_RUNTIME_FAILPOINT_H

/*
 * Failpoints: places in the code where a fault can be provoked. HERALD_FAILPOINT=name:action[,name:action] sets them
 * when a program starts, Introspection/SetFailpoint while it runs.
 *
 * Release builds compile them out (HERALD_FAILPOINTS=0): a point is then HERALD_OK at compile time, and its name is not
 * in the program. Otherwise a point that is off costs a relaxed load.
 *
 * An action is "off", "error(CODE)", "delay(MS)", "drop" or "kill". "3*error(ABORTED)" acts the next three times and
 * then turns off; "20%drop" acts one time in five, at random; "3*20%kill" combines both.
 *
 *   FAILPOINT_IN_TASK   error, delay, kill: where a task runs, which a delay suspends
 *   FAILPOINT_OF_REPLY  drop, kill: on any thread, nng's too, where nothing may wait
 */
#include "herald/error.h"
#include "server/runtime/task.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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
 * Each room lists its points, X(name, "room.name", FAILPOINT_IN_TASK or FAILPOINT_OF_REPLY, "where it is"), in a
 * header <room>_failpoints.h, which declares them. <room>_failpoints.c defines them and their table. server/programs has
 * the list of the tables. A point is an array of one, so that code can write failpoint_hit(FAILPOINT_NAME, reterr).
 */
#define FAILPOINT_DECLARE_ROW(name, text, allowed, about) extern struct failpoint FAILPOINT_##name[1];
#define FAILPOINTS_DECLARE(LIST)                          LIST(FAILPOINT_DECLARE_ROW)

/** Longest action as text, with the terminator. */
#define FAILPOINT_ACTION_BYTES 64u

#if HERALD_FAILPOINTS

#define FAILPOINT_DEFINE_ROW(name_, text_, allowed_, about_)                                                           \
    struct failpoint FAILPOINT_##name_[1] = {{.name = (text_), .about = (about_), .allowed = (allowed_)}};
#define FAILPOINT_TABLE_ROW(name, text, allowed, about) FAILPOINT_##name,
/** Defines the points of a list, and @table, which lists them and ends with NULL. */
#define FAILPOINTS_DEFINE(table, LIST)                                                                                 \
    LIST(FAILPOINT_DEFINE_ROW) struct failpoint *const table[] = {LIST(FAILPOINT_TABLE_ROW) NULL};

static inline bool failpoint_is_set(const struct failpoint *point) {
    return atomic_load_explicit(&point->state, memory_order_relaxed) != 0;
}
/** Carries out the action of a point that is set. Private: use failpoint_hit(). Returns: as failpoint_hit() */
TASK_FN enum herald_code failpoint_act(struct failpoint *point, struct herald_error *reterr);
/** Carries out the action of a point that is set. Private: use failpoint_drops(). */
bool failpoint_act_drop(struct failpoint *point);

/** Hits a point of FAILPOINT_IN_TASK. Returns: HERALD_OK | the code of its action (reason "FAILPOINT") | after a delay,
 *  as task_sleep() */
TASK_FN static inline enum herald_code failpoint_hit(struct failpoint *point, struct herald_error *reterr) {
    return __builtin_expect(failpoint_is_set(point), false) ? failpoint_act(point, reterr) : HERALD_OK;
}
/** Hits a point of FAILPOINT_OF_REPLY. True: drop the reply. Any thread. */
static inline bool failpoint_drops(struct failpoint *point) {
    return __builtin_expect(failpoint_is_set(point), false) && failpoint_act_drop(point);
}

#else

#define FAILPOINTS_DEFINE(table, LIST)
#define failpoint_hit(point, reterr) ((void)sizeof(point), (void)(reterr), HERALD_OK)
#define failpoint_drops(point)       ((void)sizeof(point), false)

#endif

/** Sets the tables of points, @tables, which ends with NULL and is static. Before other threads begin. */
void failpoint_use(struct failpoint *const *const *tables);
/** Number of points: 0 when they are compiled out. */
unsigned failpoint_count(void);
/** Describes a point: its name and where it is, both static, and its present action. @index  below failpoint_count() */
void failpoint_describe(unsigned index, const char **ret_name, const char **ret_about,
                        char ret_action[FAILPOINT_ACTION_BYTES]);
/**
 * Sets a point. Any thread.
 *
 * @ret_previous  NULL: not wanted
 * Returns: HERALD_OK | HERALD_NOT_FOUND (reason "UNKNOWN_FAILPOINT"; the message lists the names) |
 *          HERALD_INVALID_ARGUMENT (reason "NO_ACTION"; "ACTION_NOT_HERE": not one of this point's) |
 *          HERALD_UNIMPLEMENTED (reason "COMPILED_OUT")
 */
enum herald_code failpoint_set(const char *name, const char *action, char ret_previous[FAILPOINT_ACTION_BYTES],
                               struct herald_error *reterr);
/** Sets the points as HERALD_FAILPOINT says; without it, or compiled out, does nothing. The parts before a wrong one
 *  stay set. Returns: as failpoint_set() | HERALD_INVALID_ARGUMENT (reason "HERALD_FAILPOINT": a part is no
 *  name:action) */
enum herald_code failpoint_set_from_environment(struct herald_error *reterr);
/** Tells each part of HERALD_FAILPOINT that failpoint_set_from_environment() would refuse, and sets nothing. */
void failpoint_check_environment(void (*tell)(void *user, enum herald_code code, const struct herald_error *problem),
                                 void *user);

#endif
