#ifndef HERALD_POSTGRES_BATCH_H
#define HERALD_POSTGRES_BATCH_H

/*
 * The statements of one transaction, with their parameters:
 *
 *     struct db_batch batch;
 *     db_batch_init(&batch);
 *     db_add(&batch, DB_QUERY_EVENT_LOAD);
 *     db_put_text(&batch, id);
 *     db_put_text(&batch, user_id);
 *     DB_REPLY struct db_reply reply = {0};
 *     code = db_run(db, &batch, &reply, reterr);
 *
 * Invariant: parameters belong to the statement added last, in the order of $1, $2, …
 */

#include "server/runtime/arena.h"
#include "server/store/postgres/db_query.h"
#include "server/store/postgres/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_STATEMENTS_MAX 8
#define DB_PARAMS_MAX     64

/* 2000-01-01, where Postgres begins to count microseconds, as microseconds since 1970. */
#define DB_EPOCH_US (946684800LL * 1000000)

struct db_batch_statement {
    enum db_query query;
    unsigned first, count; /* of the parameters */
};

/** The parameters are borrowed: what they point at must live until db_run() returns. */
struct db_batch {
    struct db_batch_statement statements[DB_STATEMENTS_MAX];
    unsigned statement_count, param_count;
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
    uint64_t numbers[DB_PARAMS_MAX]; /* binary values, in network order */
};

void db_batch_init(struct db_batch *batch);
/** Begins a statement; the db_put_…() after it give its parameters in order. */
void db_add(struct db_batch *batch, enum db_query query);
/** Text, uuid, or a name of db_name_of(). NULL gives NULL. */
void db_put_text(struct db_batch *batch, const char *text);
/** As db_put_text(); the empty text gives NULL. */
void db_put_text_or_null(struct db_batch *batch, const char *text);
/** integer. */
void db_put_int(struct db_batch *batch, int32_t value);
/** bigint. */
void db_put_bigint(struct db_batch *batch, int64_t value);
/** timestamptz from microseconds since 1970; 0 gives NULL. */
void db_put_time(struct db_batch *batch, int64_t us);
/** bytea; NULL gives NULL, unless @bytes is 0: then it is empty. */
void db_put_bytes(struct db_batch *batch, const uint8_t *data, size_t bytes);
void db_put_null(struct db_batch *batch);
/** text[] of the names of @numbers; numbers without a name are left out. Returns: false: no memory in the arena. */
bool db_put_names(struct db_batch *batch, struct arena *arena, const ProtobufCEnumDescriptor *values,
                  const int *numbers, size_t count);

/** Whether each statement has as many parameters as its query takes. */
bool db_batch_is_complete(const struct db_batch *batch);
/** Whether any statement writes: then its outcome may become unknown. */
bool db_batch_writes(const struct db_batch *batch);
/** Whether all of its statements read what stands under one key. */
bool db_batch_reads_by_key(const struct db_batch *batch);

#endif
