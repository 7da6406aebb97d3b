#ifndef HERALD_POSTGRES_DB_H
#define HERALD_POSTGRES_DB_H

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdint.h>

/*
 * A loop's pool of Postgres connections in pipeline mode. One request is one or more prepared statements and one Sync:
 * one implicit transaction. Connections are made and remade in the background, with backoff. All statements of
 * db/queries are prepared on each before it takes requests, so that a wrong one shows at start.
 *
 * When a task leaves before its answer has come, its statement does not go on running: it is cancelled (cancel.h).
 *
 * Only the stores (event_store.h, …) call db_run(), with batch.h and row.h.
 */
struct db;
struct db_batch;
struct db_reply;

struct db_options {
    const char *dsn;
    uint32_t connections;
    uint32_t statement_timeout_ms;
    /** Told when the pool's ability to serve changes: @error is NULL when it serves. On the loop's thread. */
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;
};

/**
 * Opens a pool; connecting goes on in the background.
 *
 * @options  copied, what it points at too
 * @ret_db   db_close() ends it
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_HANDLES)
 * Context:  the loop's thread
 */
enum herald_code db_open(struct loop *loop, const struct db_options *options, struct db **ret_db,
                         struct herald_error *reterr);
/**
 * Closes it: requests in flight end with UNAVAILABLE or OUTCOME_UNKNOWN. The memory goes when the handles are closed
 * and no task is in db_run(). NULL is allowed. Context: the loop's thread.
 */
void db_close(struct db *db);

/**
 * Runs the statements of a batch as one transaction on a connection of the pool.
 *
 * @ret_reply  what they returned; db_reply_fini() frees it
 * Returns:    HERALD_OK: committed
 *             | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the idempotency key is taken
 *             | HERALD_UNAVAILABLE (DATABASE_UNAVAILABLE): no connection within 2 s, or a passing error; rolled back
 *             | HERALD_OUTCOME_UNKNOWN (DATABASE_OUTCOME_UNKNOWN): the connection was lost, or the call had to end,
 *             with a writing statement in flight; read back
 *             | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call had to end; nothing was sent, or none writes
 *             | HERALD_RESOURCE_EXHAUSTED (DATABASE_QUEUE_FULL, OUT_OF_MEMORY)
 *             | HERALD_INTERNAL (DATABASE_ERROR): an error of SQL; origin holds the SQLSTATE
 * Context:    suspends the task; the pool's loop
 */
TASK_FN enum herald_code db_run(struct db *db, const struct db_batch *batch, struct db_reply *ret_reply,
                                struct herald_error *reterr);

/*
 * The contracts of the stores' functions have this in common:
 *
 * Returns:  "as db_run()" stands for all its results but ALREADY_EXISTS, and for HERALD_RESOURCE_EXHAUSTED
 *           (ARENA_FULL) where a function reads rows: the call's arena is full
 * On error: outputs untouched; nothing written, unless the outcome is unknown
 * Context:  suspends the task; the pool's loop
 * What they read lives in the running call's arena. Times are microseconds since 1970 UTC, 0 for NULL.
 */

#endif
