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

/** A signature that a statement takes with what it does: distribution_open.sql. */
struct riding_signature {
    const uint8_t *id;
    size_t id_bytes;
    int64_t memory_before_us; /* the memory must have begun until then, on the database's clock */
};
/**
 * Prepares to take a signature with another statement, in the transaction of a first effect. Where that cannot be,
 * signatures_take() says why.
 *
 * @now_us  on the database's clock, as this process knows it: instance_now_us()
 */
struct riding_signature signatures_ride(const struct rpc_signature *signature, int64_t now_us);

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
