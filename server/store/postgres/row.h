#ifndef HERALD_POSTGRES_ROW_H
#define HERALD_POSTGRES_ROW_H

/*
 * The results of a batch.
 *
 * Columns are read by name: DB_<row type>__<column> of db_query.h, which the build generates from the queries. A
 * column of another row type is read as NULL, and db_row_end() then fails.
 */

#include "herald/error.h"
#include "server/runtime/arena.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/db_query.h"
#include "server/store/postgres/names.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One result for each statement of the batch. */
struct db_reply {
    PGresult *results[DB_STATEMENTS_MAX];
    enum db_query queries[DB_STATEMENTS_MAX]; /* which gave each result */
};
/** Frees the results. A second call, or a zeroed reply, does nothing. */
void db_reply_fini(struct db_reply *reply);
#define DB_REPLY __attribute__((cleanup(db_reply_fini)))

/** How many rows statement number @index returned. */
int db_row_count(const struct db_reply *reply, unsigned index);
/** How many rows statement number @index inserted, changed or deleted. */
uint64_t db_changed_count(const struct db_reply *reply, unsigned index);

/** Reads one row. The values live in the arena. */
struct db_row {
    const PGresult *result;
    enum db_query query;
    int row;
    struct arena *arena;
    bool out_of_memory;     /* set by any function that could not copy */
    bool is_misread;        /* set by any function that was asked for a column of another row type */
    enum db_column misread; /* the first such column */
};
/** Row @row of statement number @index. */
struct db_row db_row_of(const struct db_reply *reply, unsigned index, int row, struct arena *arena);
/**
 * Ends the reading of a row. Every function that reads one calls it before it uses the values.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL): a value could not be copied | HERALD_INTERNAL
 *          (DATABASE_ERROR): a column of another row type was read; the message names query and column
 */
enum herald_code db_row_end(const struct db_row *row, struct herald_error *reterr);
/** Reads one number of the first row of statement number @index, as db_get_int(). Returns: as db_row_end() */
enum herald_code db_read_int(const struct db_reply *reply, unsigned index, enum db_column column, int64_t *ret_value,
                             struct herald_error *reterr);

bool db_get_null(struct db_row *row, enum db_column column);
/** Never NULL: "" for NULL. */
const char *db_get_text(struct db_row *row, enum db_column column);
/** boolean, smallint, integer, bigint; 0 for NULL. */
int64_t db_get_int(struct db_row *row, enum db_column column);
/** timestamptz in microseconds since 1970; 0 for NULL. */
int64_t db_get_time(struct db_row *row, enum db_column column);
/** bytea; NULL for NULL. */
const uint8_t *db_get_bytes(struct db_row *row, enum db_column column, size_t *ret_bytes);
/** Number of a value by its name; 0 for NULL and for an unknown name. */
int db_get_name(struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values);
/** Numbers of a comma-separated list of names; unknown names are left out. */
const int *db_get_names(struct db_row *row, enum db_column column, const ProtobufCEnumDescriptor *values,
                        size_t *ret_count);

#endif
