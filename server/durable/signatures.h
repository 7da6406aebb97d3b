#ifndef HERALD_DURABLE_SIGNATURES_H
#define HERALD_DURABLE_SIGNATURES_H

/*
 * The signatures of writing calls, so that all processes together take each once (db/migrations/0014_signatures.sql).
 * The memory of a process (server/auth/replay.h) has refused a repeat at the same process before.
 */
#include "server/rpc/rpc_call.h"
#include "server/store/postgres/db.h"

/** How long a signature is kept. Two servers take it for 60 s together, plus the difference of their clocks. */
#define SIGNATURES_KEEP_S 120u

/**
 * Takes a signature in a transaction of its own, which is no effect of the call (call_note_effect()).
 *
 * Returns: HERALD_OK: it is new
 *          | HERALD_UNAUTHENTICATED (REPLAYED): it was taken before
 *          | HERALD_UNAVAILABLE (SIGNED_BEFORE_START): the memory of signatures began after it was made; retry_after_ms says
 *          when a new one is old enough
 *          | HERALD_UNAVAILABLE (DATABASE_UNAVAILABLE): also when nobody knows whether it is stored
 *          | as db_run() otherwise
 * Context: suspends the task; the pool's loop
 */
TASK_FN enum herald_code signatures_take(struct db *db, const struct rpc_signature *signature,
                                         struct herald_error *reterr);

#endif
