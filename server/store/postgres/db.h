#ifndef HERALD_POSTGRES_DB_H
#define HERALD_POSTGRES_DB_H

/*
 * A loop's pool of Postgres connections in pipeline mode.
 *
 * One request is one or more prepared statements and one Sync: one implicit transaction. Connections are made and
 * remade in the background, with backoff. All statements of db/queries are prepared on each connection before it takes
 * requests, so a wrong statement shows at start.
 *
 * A statement that waits for a lock holds up no other tenant's (pool.c). A connection that is silent, or cannot write, is
 * made anew (connection.h, pool.c).
 *
 * If a task leaves before its answer has come, its statement is cancelled (cancel.h).
 *
 * Only the stores (event_store.h, …) call db_run(), with batch.h and row.h.
 */

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_batch;
struct db_reply;

struct db_options {
    const char *dsn;
    uint32_t connections;
    uint32_t statement_timeout_ms;
    uint32_t lock_timeout_ms; /* longest wait for a lock */
    bool transaction_pooling; /* a pooler in transaction mode is between: nothing is prepared */
    /** Called when the pool's health changes: @error is NULL when it is healthy. On the loop's thread. */
    void (*on_health)(void *user, const struct herald_error *error);
    /**
     * While it is healthy: what the promise lacks has changed; "" nothing, as after on_health. NULL is allowed. On the
     * loop's thread.
     */
    void (*on_warning)(void *user, const char *warning);
    void *user;
};

/**
 * Opens a pool; connecting goes on in the background.
 *
 * @options  copied, its strings too
 * @ret_db   close it with db_close()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_HANDLES)
 * Context:  the loop's thread
 */
enum herald_code db_open(struct loop *loop, const struct db_options *options, struct db **ret_db,
                         struct herald_error *reterr);
/**
 * Closes the pool: requests in flight end with UNAVAILABLE or OUTCOME_UNKNOWN. The memory is freed once the handles are
 * closed and no task is in db_run(). NULL is allowed.
 *
 * Context: the loop's thread
 */
void db_close(struct db *db);

/**
 * Runs the statements of a batch as one transaction on a connection of the pool.
 *
 * @ret_reply  the results; db_reply_fini() frees them
 * Returns:    HERALD_OK: committed
 *             | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the idempotency key is taken; rolled back
 *             | HERALD_UNAVAILABLE (DATABASE_UNAVAILABLE): no connection within 2 s, a lock not within lock_timeout_ms,
 *             or another transient error; rolled back
 *             | HERALD_OUTCOME_UNKNOWN (DATABASE_OUTCOME_UNKNOWN): a writing statement was in flight when the
 *             connection was lost or the call had to end; read the row again
 *             | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call had to end; nothing was sent, or no statement
 *             writes
 *             | HERALD_RESOURCE_EXHAUSTED (DATABASE_QUEUE_FULL, OUT_OF_MEMORY)
 *             | HERALD_INTERNAL (DATABASE_ERROR): an error of SQL; the origin is the SQLSTATE
 * Context:    suspends the task; the pool's loop
 */
TASK_FN enum herald_code db_run(struct db *db, const struct db_batch *batch, struct db_reply *ret_reply,
                                struct herald_error *reterr);

/*
 * The contracts of the stores' functions have this in common:
 *
 * Returns:  "as db_run()" stands for all its results but ALREADY_EXISTS. Where a function reads rows, it includes
 *           HERALD_RESOURCE_EXHAUSTED (ARENA_FULL): the call's arena is full
 * On error: outputs untouched; nothing written, unless the outcome is unknown
 * Context:  suspends the task; the pool's loop
 * The values that they read live in the running call's arena. Times are microseconds since 1970 UTC, 0 for NULL.
 */

#endif
