/* The outbox's rows: added to transactions of other stores, leased and deleted by the relay. */
#include "server/durable/outbox_store.h"

#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <string.h>

#define PRUNE_LIMIT 1000

/* Names of the kinds in the database. */
static const char *const kind_names[] = {[OUTBOX_KAFKA] = "KAFKA", [OUTBOX_CACHE_DELETE] = "CACHE_DELETE"};

/* 0: this build does not know the name. */
static enum outbox_kind kind_of(const char *name) {
    if (strcmp(name, kind_names[OUTBOX_KAFKA]) == 0) {
        return OUTBOX_KAFKA;
    }
    return strcmp(name, kind_names[OUTBOX_CACHE_DELETE]) == 0 ? OUTBOX_CACHE_DELETE : 0;
}

static void read_row(struct db_row *row, const char *owner, struct outbox_row *out) {
    out->id = db_get_text(row, DB_OUTBOX_TAKE__ID);
    out->kind = kind_of(db_get_text(row, DB_OUTBOX_TAKE__KIND));
    out->owner = owner;
    out->topic = db_get_text(row, DB_OUTBOX_TAKE__TOPIC);
    out->key = db_get_text(row, DB_OUTBOX_TAKE__KEY);
    out->ce_type = db_get_text(row, DB_OUTBOX_TAKE__CE_TYPE);
    out->ce_source = db_get_text(row, DB_OUTBOX_TAKE__CE_SOURCE);
    out->content_type = db_get_text(row, DB_OUTBOX_TAKE__CONTENT_TYPE);
    out->ce_time_us = db_get_time(row, DB_OUTBOX_TAKE__CE_TIME);
    out->value = db_get_bytes(row, DB_OUTBOX_TAKE__VALUE, &out->value_bytes);
    out->parked = db_get_int(row, DB_OUTBOX_TAKE__PARKED) != 0;
}

static enum herald_code read_rows(const struct db_reply *reply, unsigned index, const char *owner,
                                  struct outbox_row **ret_rows, size_t *ret_count, struct herald_error *reterr) {
    struct arena *arena = call_arena();
    int count = db_row_count(reply, index);
    struct outbox_row *rows = arena_calloc(arena, (size_t)count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the outbox records");
    }
    for (int i = 0; i < count; i++) {
        struct db_row row = db_row_of(reply, index, i, arena);
        read_row(&row, owner, &rows[i]);
        enum herald_code code = db_row_end(&row, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    *ret_rows = rows;
    *ret_count = (size_t)count;
    return HERALD_OK;
}

/* The ids as the text of an array of Postgres; NULL without memory. */
static char *array_of_ids(const char (*ids)[OUTBOX_ID_BYTES], size_t count) {
    char *text = arena_alloc(call_arena(), count * OUTBOX_ID_BYTES + 3);
    if (!text) {
        return NULL;
    }
    char *at = text;
    *at++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            *at++ = ',';
        }
        memcpy(at, ids[i], OUTBOX_ID_BYTES - 1);
        at += OUTBOX_ID_BYTES - 1;
    }
    *at++ = '}';
    *at = '\0';
    return text;
}

TASK_FN enum herald_code outbox_store_delete_and_take(struct db *db, const char (*ids)[OUTBOX_ID_BYTES],
                                                      size_t id_count, const char *owner, unsigned limit,
                                                      uint32_t lease_ms, const struct outbox_rider *const *carried,
                                                      struct outbox_row **ret_rows, size_t *ret_count,
                                                      struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_COMMIT_LATE);
    if (id_count > 0) {
        const char *array = array_of_ids(ids, id_count);
        if (!array) {
            return arena_full(reterr, "the ids of sent records");
        }
        db_add(&batch, DB_QUERY_OUTBOX_DELETE_SENT); /* first: later rows of the same keys are then free */
        db_put_text(&batch, array);
    }
    const struct outbox_rider *rider = carried ? *carried : NULL;
    bool rides = rider && rider->add(rider->self, &batch);
    unsigned take = batch.statement_count; /* number of the statement */
    db_add(&batch, DB_QUERY_OUTBOX_TAKE);
    db_put_text(&batch, owner);
    db_put_bigint(&batch, limit);
    db_put_bigint(&batch, lease_ms);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (rides && *carried == rider) {
        rider->end(rider->self, code);
    }
    return code == HERALD_OK ? read_rows(&reply, take, owner, ret_rows, ret_count, reterr) : code;
}

TASK_FN enum herald_code outbox_store_take(struct db *db, const char *owner, unsigned limit, uint32_t lease_ms,
                                           struct outbox_row **ret_rows, size_t *ret_count,
                                           struct herald_error *reterr) {
    return outbox_store_delete_and_take(db, NULL, 0, owner, limit, lease_ms, NULL, ret_rows, ret_count, reterr);
}

TASK_FN enum herald_code outbox_store_park(struct db *db, const char *id, const char *why,
                                           struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_OUTBOX_PARK);
    db_put_text(&batch, id);
    db_put_text(&batch, why);
    db_put_bigint(&batch, OUTBOX_PARK_S);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

TASK_FN enum herald_code outbox_store_parked(struct db *db, const char *owner, struct outbox_parked *ret_parked,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_OUTBOX_PARKED);
    db_put_text(&batch, owner);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct outbox_parked parked = {.topic = "", .why = ""};
    if (db_row_count(&reply, 0) > 0) {
        struct db_row row = db_row_of(&reply, 0, 0, call_arena());
        parked.count = (uint64_t)db_get_int(&row, DB_OUTBOX_PARKED__ROWS);
        parked.topic = db_get_text(&row, DB_OUTBOX_PARKED__TOPIC);
        parked.bytes = (uint64_t)db_get_int(&row, DB_OUTBOX_PARKED__BYTES);
        parked.why = db_get_text(&row, DB_OUTBOX_PARKED__WHY);
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_parked = parked;
    }
    return code;
}

TASK_FN enum herald_code outbox_store_prune(struct db *db, uint32_t age_s, unsigned *ret_deleted,
                                            struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_OUTBOX_PRUNE);
    db_put_bigint(&batch, age_s);
    db_put_bigint(&batch, PRUNE_LIMIT);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        *ret_deleted = (unsigned)db_changed_count(&reply, 0);
    }
    return code;
}

void outbox_store_put(struct db_batch *batch, const struct outbox_row *row) {
    db_put_text(batch, row->id);
    db_put_text(batch, kind_names[row->kind]);
    db_put_text(batch, row->owner);
    db_put_text(batch, row->topic ? row->topic : "");
    db_put_text(batch, row->key);
    db_put_text(batch, row->ce_type ? row->ce_type : "");
    db_put_text(batch, row->ce_source ? row->ce_source : "");
    db_put_text(batch, row->content_type ? row->content_type : "");
    db_put_time(batch, row->ce_time_us);
    db_put_bytes(batch, row->value, row->value_bytes);
    db_put_bigint(batch, row->delay_ms);
}
