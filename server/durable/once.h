#ifndef HERALD_DURABLE_ONCE_H
#define HERALD_DURABLE_ONCE_H

#include "herald/schema.h"
#include "server/durable/idempotency_store.h"

#include <stdbool.h>

/*
 * ONCE methods. A handler is one line, once_run(), around a body that does the work and lets its business transaction
 * store the reply:
 *
 *     TASK_FN static enum herald_code create(void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
 *                                            struct once *once, struct herald_error *reterr) {
 *         … fill *response …
 *         const struct idempotency_row *row = NULL;
 *         code = once_reply(once, response, &row, reterr);
 *         return code == HERALD_OK ? event_store_create(db, &draft, row, reterr) : code;
 *     }
 *
 * A body whose first effect comes before that transaction claims the key with it, by once_claim() or by giving
 * once_claim_row() to a store, and not before its own checks have passed: from then on the key is this request's,
 * whether the call succeeds or not, and another request under it is refused.
 *
 * The key belongs to the method and to whoever calls: the acting user, and the caller too where its credential proves
 * it. Errors are not stored: a call that has failed may be repeated, and resumes what its first attempt has left.
 */
struct once {
    bool keyed;                 /* the call carries an idempotency key */
    bool claimed;               /* once_claim() has succeeded */
    bool stored;                /* the row is stored, or the transaction that it was given to stores it */
    struct idempotency_row row; /* row.reply is empty until once_reply() */
};

/** Does the work. On HERALD_OK the response is filled, and stored by once_run() unless the body has seen to it. */
typedef enum herald_code once_body_fn(void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                      struct once *once, struct herald_error *reterr);

/**
 * Carries out the running ONCE call, or answers it with the reply stored under its idempotency key, byte for byte. Of
 * several attempts at once the first to commit is carried out, and the others answer as it did: also one whose body
 * refuses because of what that one has changed.
 *
 * @request, @response  the handler's; @response is initialised
 * Returns:  the body's | HERALD_INVALID_ARGUMENT (reason "IDEMPOTENCY_KEY_REUSED": the key belongs to another request)
 *           | HERALD_DATA_LOSS (reason "STORED_REPLY_UNREADABLE") | HERALD_RESOURCE_EXHAUSTED | a store's error
 */
TASK_FN enum herald_code once_run(struct db *db, const struct herald_method_schema *method, once_body_fn *body,
                                  void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                  struct herald_error *reterr);

/**
 * Binds the key to this request before the body's first effect, if that is not in a transaction of ours.
 *
 * Returns:  HERALD_OK, also without a key and when another attempt of this call has claimed it
 *           | HERALD_ALREADY_EXISTS: as once_check() | a store's error
 */
TASK_FN enum herald_code once_claim(struct db *db, struct once *once, struct herald_error *reterr);
/** The claim for a store, whose transaction makes it together with the first effect. NULL: there is no key. */
const struct idempotency_row *once_claim_row(const struct once *once);
/**
 * Packs the reply for a store, whose transaction is committed when the body returns HERALD_OK.
 *
 * @once     NULL for work that is no call
 * @ret_row  NULL when there is no key
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code once_reply(struct once *once, const ProtobufCMessage *response, const struct idempotency_row **ret_row,
                            struct herald_error *reterr);
/** Says that the transaction has changed nothing after all, and so has not stored the row. */
void once_reply_unstored(struct once *once);
/** Stores the reply by itself. Returns: HERALD_OK | HERALD_ALREADY_EXISTS: as once_check() | as once_reply()
 *  | a store's error */
TASK_FN enum herald_code once_store(struct db *db, struct once *once, const ProtobufCMessage *response,
                                    struct herald_error *reterr);
/** For a body that waits for others. Returns: HERALD_OK | HERALD_ALREADY_EXISTS: another attempt of this call has been
 *  answered meanwhile, or the key belongs to another request; the body must return this, and the call is answered like
 *  that attempt, or refused | a store's error */
TASK_FN enum herald_code once_check(struct db *db, const struct once *once, struct herald_error *reterr);
/**
 * Key for the ONCE call that this one makes in turn: the same for each attempt, and unlike any key of a client, which
 * may call that method too.
 *
 * @ret_key  NULL when the call has no key; in the arena
 */
enum herald_code once_downstream_key(const struct once *once, const char **ret_key, struct herald_error *reterr);

#endif
