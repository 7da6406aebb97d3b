/*
 * Replies of ONCE methods and claims of their keys. The table itself refuses conflicts, by its constraint
 * idempotency_key and its trigger idempotency_keep.
 */
#include "server/durable/idempotency_store.h"

#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

void idempotency_store_add_find(struct db_batch *batch, const struct idempotency_row *row) {
    db_add(batch, DB_QUERY_IDEMPOTENCY_FIND);
    db_put_text(batch, row->method);
    db_put_text(batch, row->caller);
    db_put_text(batch, row->key);
}

enum herald_code idempotency_store_read_find(const struct db_reply *reply, unsigned index,
                                             const struct idempotency_row *row, struct idempotency_row *ret_row,
                                             struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_STORED_REPLY, "no reply is stored under this key");
    }
    struct db_row columns = db_row_of(reply, index, 0, call_arena());
    struct idempotency_row stored = {.method = row->method, .caller = row->caller, .key = row->key};
    size_t hash_bytes; /* 32: a constraint of the table */
    stored.request_hash = db_get_bytes(&columns, DB_IDEMPOTENCY_FIND__REQUEST_HASH, &hash_bytes);
    stored.reply = db_get_bytes(&columns, DB_IDEMPOTENCY_FIND__REPLY, &stored.reply_bytes);
    stored.answered = db_get_int(&columns, DB_IDEMPOTENCY_FIND__ANSWERED) != 0;
    enum herald_code code = db_row_end(&columns, reterr);
    if (code == HERALD_OK) {
        *ret_row = stored;
    }
    return code;
}

TASK_FN enum herald_code idempotency_store_find(struct db *db, const char *method, const char *caller, const char *key,
                                                struct idempotency_row *ret_row, struct herald_error *reterr) {
    const struct idempotency_row row = {.method = method, .caller = caller, .key = key};
    struct db_batch batch;
    db_batch_init(&batch);
    idempotency_store_add_find(&batch, &row);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? idempotency_store_read_find(&reply, 0, &row, ret_row, reterr) : code;
}

TASK_FN enum herald_code idempotency_store_claim(struct db *db, const struct idempotency_row *row,
                                                 struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_IDEMPOTENCY_CLAIM);
    idempotency_store_put_claim(&batch, row);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

TASK_FN enum herald_code idempotency_store_answer(struct db *db, const struct idempotency_row *row,
                                                  struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_IDEMPOTENCY_ANSWER);
    idempotency_store_put(&batch, row);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

TASK_FN enum herald_code idempotency_store_prune(struct db *db, uint32_t age_s, unsigned *ret_deleted,
                                                 struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_IDEMPOTENCY_PRUNE);
    db_put_bigint(&batch, age_s);
    db_put_bigint(&batch, IDEMPOTENCY_PRUNE_ROWS);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        *ret_deleted = (unsigned)db_changed_count(&reply, 0);
    }
    return code;
}

void idempotency_store_put_claim(struct db_batch *batch, const struct idempotency_row *row) {
    if (!row) {
        for (int i = 0; i < 4; i++) {
            db_put_null(batch);
        }
        return;
    }
    db_put_text(batch, row->method);
    db_put_text(batch, row->caller);
    db_put_text(batch, row->key);
    db_put_bytes(batch, row->request_hash, 32);
}

void idempotency_store_put(struct db_batch *batch, const struct idempotency_row *row) {
    idempotency_store_put_claim(batch, row);
    if (row) {
        db_put_bytes(batch, row->reply, row->reply_bytes);
    } else {
        db_put_null(batch);
    }
}
