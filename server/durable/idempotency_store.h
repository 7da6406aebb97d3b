#ifndef HERALD_DURABLE_IDEMPOTENCY_STORE_H
#define HERALD_DURABLE_IDEMPOTENCY_STORE_H

/*
 * Replies of ONCE methods, stored in the business transaction; and claims, which bind a key to a request before its
 * reply is known. A key has one request and one reply; a second request or reply conflicts
 * (db/migrations/0006_idempotency_claims.sql).
 */

#include "server/store/postgres/db.h"

struct db_batch;
struct db_reply;

struct idempotency_row {
    const char *method;          /* full name */
    const char *caller;          /* owner of the key: user id, or "caller user" */
    const char *key;             /* not empty */
    const uint8_t *request_hash; /* SHA-256 of the packed request: 32 bytes */
    const uint8_t *reply;        /* packed response */
    size_t reply_bytes;
    bool answered; /* of a row that was read. false: a claim, without a reply */
};

/**
 * Reads the stored row of (method, caller, key). Returns: HERALD_OK | HERALD_NOT_FOUND (NO_STORED_REPLY) | as db_run()
 */
TASK_FN enum herald_code idempotency_store_find(struct db *db, const char *method, const char *caller, const char *key,
                                                struct idempotency_row *ret_row, struct herald_error *reterr);
/** Adds the statement that reads the row of (method, caller, key), of which @row has these. */
void idempotency_store_add_find(struct db_batch *batch, const struct idempotency_row *row);
/**
 * Reads the stored row from statement number @index of a reply. @row  as given to idempotency_store_add_find()
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (NO_STORED_REPLY) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code idempotency_store_read_find(const struct db_reply *reply, unsigned index,
                                             const struct idempotency_row *row, struct idempotency_row *ret_row,
                                             struct herald_error *reterr);
/**
 * Claims the row's key for its request, in a transaction of its own.
 *
 * Returns: HERALD_OK, also when it is claimed for this request already
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the key belongs to another request, or is answered
 *          | as db_run()
 */
TASK_FN enum herald_code idempotency_store_claim(struct db *db, const struct idempotency_row *row,
                                                 struct herald_error *reterr);
/**
 * Stores a reply in a transaction of its own, in the claim of its request if there is one.
 *
 * Returns: HERALD_OK
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): as for a claim
 *          | as db_run()
 */
TASK_FN enum herald_code idempotency_store_answer(struct db *db, const struct idempotency_row *row,
                                                  struct herald_error *reterr);
#define IDEMPOTENCY_PRUNE_ROWS 1000
/**
 * Deletes rows older than @age_s, at most IDEMPOTENCY_PRUNE_ROWS; a claim only once no call that may have made it can
 * still run.
 *
 * Returns: HERALD_OK | as db_run()
 */
TASK_FN enum herald_code idempotency_store_prune(struct db *db, uint32_t age_s, unsigned *ret_deleted,
                                                 struct herald_error *reterr);

/** Parameters of a claim: method, caller, key, request_hash; all NULL for NULL. */
void idempotency_store_put_claim(struct db_batch *batch, const struct idempotency_row *row);
/** Parameters of an idempotency row: method, caller, key, request_hash, reply; all NULL for NULL. */
void idempotency_store_put(struct db_batch *batch, const struct idempotency_row *row);

#endif
