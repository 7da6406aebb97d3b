#ifndef HERALD_POSTGRES_DB_INTERNAL_H
#define HERALD_POSTGRES_DB_INTERNAL_H

#include "server/store/postgres/db.h"
#include "server/store/postgres/db_query.h"
#include "server/store/postgres/names.h"

#include <libpq-fe.h>

/*
 * What the stores share: a batch of statements with their parameters, running it, and reading the rows.
 *
 *     struct db_batch batch;
 *     db_batch_init(&batch);
 *     db_add(&batch, DB_QUERY_EVENT_LOAD);
 *     db_put_text(&batch, id);
 *     db_put_text(&batch, user_id);
 *     DB_REPLY struct db_reply reply = {0};
 *     code = db_run(db, &batch, &reply, reterr);
 */
#define DB_STATEMENTS_MAX 8
#define DB_PARAMS_MAX     64

/* 2000-01-01, from which Postgres counts microseconds, in ours. */
#define DB_EPOCH_US (946684800LL * 1000000)

struct db_batch_statement {
    enum db_query query;
    unsigned first, count; /* of the parameters */
};

/** Statements of one transaction. It borrows what the parameters point at; lives at least as long as db_run(). */
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
/** Text, uuid, or a name of server/store/postgres/names.h. NULL gives NULL. */
void db_put_text(struct db_batch *batch, const char *text);
/** The same; the empty text gives NULL. */
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
/** text[] of names; numbers without a name are left out. Returns false without memory in the arena. */
bool db_put_names(struct db_batch *batch, struct arena *arena, const struct db_names *names, const int *numbers,
                  size_t count);

/** One result for each statement of the batch. */
struct db_reply {
    PGresult *results[DB_STATEMENTS_MAX];
    enum db_row_type rows[DB_STATEMENTS_MAX]; /* what each holds */
};
void db_reply_fini(struct db_reply *reply);
#define DB_REPLY __attribute__((cleanup(db_reply_fini)))

/**
 * Runs the statements as one transaction on a connection of the pool.
 *
 * @ret_reply  set only on success; db_reply_fini() frees it
 * Returns:    HERALD_OK: committed | the results of all stores in db.h
 *             | HERALD_ALREADY_EXISTS (reason "IDEMPOTENCY_KEY_EXISTS"): the idempotency key is taken
 */
TASK_FN enum herald_code db_run(struct db *db, const struct db_batch *batch, struct db_reply *ret_reply,
                                struct herald_error *reterr);

/** Rows that statement number @index returned. */
int db_row_count(const struct db_reply *reply, unsigned index);
/** Rows that statement number @index inserted, changed or deleted. */
uint64_t db_changed_count(const struct db_reply *reply, unsigned index);

/**
 * Reads one row, by the names of its columns: DB_<row type>__<column> of db_query.h, which the build takes from the
 * queries. A column of another row type is asserted against. What is read lives in the arena.
 */
struct db_row {
    const PGresult *result;
    enum db_row_type type;
    int row;
    struct arena *arena;
    bool out_of_memory; /* set by any function that could not copy */
};
/** Row @row of statement number @index. */
struct db_row db_row_of(const struct db_reply *reply, unsigned index, int row, struct arena *arena);
/** HERALD_OK, or HERALD_RESOURCE_EXHAUSTED when something could not be copied. */
enum herald_code db_row_end(const struct db_row *row, struct herald_error *reterr);

bool db_get_null(const struct db_row *row, enum db_column column);
/** Never NULL: "" for NULL. */
const char *db_get_text(struct db_row *row, enum db_column column);
/** boolean, smallint, integer, bigint; 0 for NULL. */
int64_t db_get_int(const struct db_row *row, enum db_column column);
/** timestamptz in microseconds since 1970; 0 for NULL. */
int64_t db_get_time(const struct db_row *row, enum db_column column);
/** bytea; NULL for NULL. */
const uint8_t *db_get_bytes(struct db_row *row, enum db_column column, size_t *ret_bytes);
/** Number of a name; 0 for NULL and for an unknown one. */
int db_get_name(const struct db_row *row, enum db_column column, const struct db_names *names);
/** Numbers of a comma-separated list of names. */
const int *db_get_names(struct db_row *row, enum db_column column, const struct db_names *names, size_t *ret_count);

/** HERALD_RESOURCE_EXHAUSTED: the call's arena is full. */
enum herald_code db_out_of_memory(struct herald_error *reterr);

#endif
