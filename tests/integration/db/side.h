#ifndef HERALD_TESTS_INTEGRATION_DB_SIDE_H
#define HERALD_TESTS_INTEGRATION_DB_SIDE_H

#include "tests/integration/db/db_test.h"

/* Work beside the test's task, and standing in its way. */

enum work { WORK_READ, WORK_WRITE };

/** One statement run by a task of its own, with a call of its own. */
struct side {
    struct db_env *env;
    struct call call;
    const struct event_draft *draft;
    enum work work;
    uint32_t timeout_ms;
    bool done;
    enum herald_code code;
    bool right; /* it got its own draft */
    struct herald_error error;
};

/** @timeout_ms  of the statement, from when it is sent; 0: no deadline. @side  stays until end_side() */
void begin_side(struct side *side, struct db_env *env, const struct event_draft *draft, enum work work,
                uint32_t timeout_ms);
/** The same in the memory of the calling task's call. */
struct side *start_side(struct db_env *env, const struct event_draft *draft, enum work work, uint32_t timeout_ms);
TASK_FN void end_side(struct side *side);
/** Cancels its call and waits for its end, which is soon, whatever the server does. */
TASK_FN void cancel_side(struct side *side);

/** A connection that keeps everybody from the event drafts until it is told to let go. */
PGconn *block_table(void);
/** One that keeps everybody from changing one draft. */
PGconn *block_row(const char *id);
/** Ends the blocking and the connection. */
void unblock(PGconn *pg);
/** Whether so many connections of an application wait for a lock. */
bool blocked(const char *application, long count);

#endif
