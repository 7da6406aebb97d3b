#ifndef HERALD_POSTGRES_DB_H
#define HERALD_POSTGRES_DB_H

#include "herald/error.h"
#include "server/runtime/arena.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A loop's pool of Postgres connections in pipeline mode. One request = one or more prepared statements and one Sync =
 * one implicit transaction. Connections are made and remade in the background, with backoff; all statements of
 * db/queries are prepared on each before it takes requests, so that a wrong one shows at start.
 *
 * A task that leaves before its answer has come does not leave its statement running: it is cancelled (cancel.c).
 *
 * The stores (event_store.h …) are the only callers of db_run().
 */
struct db;

struct db_options {
    const char *dsn;
    uint32_t connections;
    uint32_t statement_timeout_ms;
    /** Told when the pool's ability to serve changes: @error is NULL when it serves. On the loop's thread. */
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;
};

/** Opens a pool; connecting goes on in the background. Context: the loop's thread. */
enum herald_code db_open(struct loop *loop, const struct db_options *options, struct db **ret_db,
                         struct herald_error *reterr);
/** Closes it: requests in flight end with UNAVAILABLE or OUTCOME_UNKNOWN; memory goes when handles are closed. NULL is
 * allowed. */
void db_close(struct db *db);

/**
 * Applies all migrations that are missing, under an advisory lock, one transaction each. Blocks; needs no loop.
 * A migration whose checksum differs from the one applied is FAILED_PRECONDITION and names it.
 *
 * @ret_applied  how many were applied now; @ret_version  number of the last one
 */
enum herald_code db_migrate(const char *dsn, unsigned *ret_applied, unsigned *ret_version, struct herald_error *reterr);
/** Reads whether the schema is at this build's version, without changing it. Blocks. */
enum herald_code db_migrate_check(const char *dsn, unsigned *ret_version, unsigned *ret_wanted,
                                  struct herald_error *reterr);

/*
 * Results of all stores' functions, besides their own:
 * HERALD_UNAVAILABLE (reason "DATABASE_UNAVAILABLE": no connection within 2 s; nothing happened),
 * HERALD_OUTCOME_UNKNOWN (reason "DATABASE_OUTCOME_UNKNOWN": the connection was lost or the deadline came with a
 * writing statement in flight; read back), HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED (nothing was sent),
 * HERALD_RESOURCE_EXHAUSTED (queue full, arena full), HERALD_INTERNAL (SQL error; origin holds the SQLSTATE).
 * What they return lives in the running call's arena. Times are microseconds since 1970 UTC, 0 for NULL.
 */

#endif
