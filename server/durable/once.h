#ifndef HERALD_DURABLE_ONCE_H
#define HERALD_DURABLE_ONCE_H

/*
 * ONCE methods. A handler is one line, once_run(), around a body. The body does the work and lets its business
 * transaction store the reply:
 *
 *   TASK_FN static enum herald_code create(void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
 *                                          struct once *once, struct herald_error *reterr) {
 *       … fill *response …
 *       const struct idempotency_row *row = NULL;
 *       code = once_reply(once, response, &row, reterr);
 *       return code == HERALD_OK ? event_store_create(db, &draft, row, reterr) : code;
 *   }
 *
 * If a body's first effect comes before that transaction, it claims the key with the effect: by once_claim(), or by
 * passing once_claim_row() to a store. It claims only after its own checks have passed. From then on the key belongs to
 * this request, whether the call succeeds or not, and another request under the key is refused. If the first effect is
 * another server's ONCE call, made under once_downstream_key(), that server binds the key, and once_refuse_reuse() passes
 * its refusal on.
 *
 * The key belongs to the method and its caller: to the acting user, and also to the caller where a credential proves
 * it. Errors are not stored: a failed call may be repeated, and the repeat resumes where the first attempt ended.
 */

#include "herald/schema.h"
#include "server/durable/idempotency_store.h"

#include <stdbool.h>

struct once {
    bool keyed;                 /* the call carries an idempotency key */
    bool claimed;               /* once_claim() has succeeded */
    bool stored;                /* the row is stored, or will be by the transaction that has it */
    bool open;                  /* once_leave_open() */
    struct idempotency_row row; /* row.reply is empty until once_reply() */
    void *read;                 /* what struct once_read has read; NULL without one */
};

/** A body's own first read, made in the transaction that looks for the key. */
struct once_read {
    /** Adds one statement. */
    void (*add)(struct db_batch *batch, const ProtobufCMessage *request);
    /** Takes the result of statement number @index to once->read, in the arena. Returns: HERALD_OK | any code, with which
     *  the call ends; the body is not run then */
    enum herald_code (*take)(const struct db_reply *reply, unsigned index, void **ret_read,
                             struct herald_error *reterr);
};

/** A read of the database's clock, for bodies that put a time into a row and into their reply: once_now_us(). */
extern const struct once_read once_clock;

/** Adds the clock to the reads of a body of its own; and takes it, in microseconds since 1970. Returns: as db_row_end() */
void once_add_clock(struct db_batch *batch);
enum herald_code once_take_clock(const struct db_reply *reply, unsigned index, int64_t *ret_now_us,
                                 struct herald_error *reterr);

/** Does the work. On HERALD_OK the response is filled; once_run() stores it unless the body has done so. */
typedef enum herald_code once_body_fn(void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                      struct once *once, struct herald_error *reterr);

/**
 * Carries out the running ONCE call, or answers it with the reply stored under its idempotency key, byte for byte.
 *
 * If attempts race, the first to commit wins. All others return its stored reply, even if their own body failed because
 * the winner had already changed the event.
 *
 * @response  the handler's, initialised
 * Returns:   the body's
 *            | HERALD_INVALID_ARGUMENT (IDEMPOTENCY_KEY_REUSED): the key belongs to another request
 *            | HERALD_DATA_LOSS (STORED_REPLY_UNREADABLE) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as db_run()
 */
TASK_FN enum herald_code once_run(struct db *db, const struct herald_method_schema *method, once_body_fn *body,
                                  void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                  struct herald_error *reterr);

/** once_run() for a body that begins with a read: once->read has its result. Returns: as once_run() | as take() */
TASK_FN enum herald_code once_run_reading(struct db *db, const struct herald_method_schema *method,
                                          const struct once_read *read, once_body_fn *body, void *self,
                                          const ProtobufCMessage *request, ProtobufCMessage *response,
                                          struct herald_error *reterr);

/**
 * once_run() for a body whose only effect is one transaction that inserts the row of once_reply(): job_insert.sql. It runs without
 * a look for the key: a repeat conflicts in that transaction, which is rolled back. Returns: as once_run()
 */
TASK_FN enum herald_code once_run_at_once(struct db *db, const struct herald_method_schema *method, once_body_fn *body,
                                          void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                          struct herald_error *reterr);

/**
 * The time of the database when the call began, microseconds since 1970. All times of a row come from that one clock: this,
 * or now() in a statement.
 *
 * @once  of a body that runs with once_clock
 */
int64_t once_now_us(const struct once *once);

/**
 * Binds the key to this request, before the body's first effect, if that effect is not part of a transaction of ours.
 *
 * Returns: HERALD_OK, also without a key and when another attempt of this call has claimed it
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): as once_check() | as db_run()
 */
TASK_FN enum herald_code once_claim(struct db *db, struct once *once, struct herald_error *reterr);
/** The claim for a store, which makes it in the transaction of the first effect. NULL: there is no key. */
const struct idempotency_row *once_claim_row(const struct once *once);
/**
 * Packs the reply for a store, whose transaction is committed when the body returns HERALD_OK.
 *
 * @once     NULL: the work belongs to no call
 * @ret_row  NULL: there is no key
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code once_reply(struct once *once, const ProtobufCMessage *response, const struct idempotency_row **ret_row,
                            struct herald_error *reterr);
/** Says that the reply is not the last word: it is not stored, and a repeat runs the body again. */
void once_leave_open(struct once *once);
/** Says that the transaction has changed nothing, so it has not stored the row. */
void once_reply_unstored(struct once *once);
/**
 * Stores the reply in a transaction of its own.
 *
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): as once_check()
 *          | as once_reply() | as db_run()
 */
TASK_FN enum herald_code once_store(struct db *db, struct once *once, const ProtobufCMessage *response,
                                    struct herald_error *reterr);
/**
 * Checks the key again, for a body that has waited for another call.
 *
 * Returns: HERALD_OK
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): another attempt of this call is answered, or the key
 *          belongs to another request. The body must return this code; once_run() then answers or refuses the call
 *          | as db_run()
 */
TASK_FN enum herald_code once_check(struct db *db, const struct once *once, struct herald_error *reterr);
/**
 * Makes the key for a ONCE call that this call makes in turn. It is the same for each attempt, and differs from any key
 * of a client that calls that method directly.
 *
 * @ret_key  in the arena; NULL: the call has no key
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code once_downstream_key(const struct once *once, const char **ret_key, struct herald_error *reterr);
/** The error of a call whose key belongs to another request. Returns: HERALD_INVALID_ARGUMENT (IDEMPOTENCY_KEY_REUSED) */
enum herald_code once_refuse_reuse(const struct once *once, struct herald_error *reterr);

#endif
