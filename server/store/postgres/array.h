#ifndef HERALD_POSTGRES_ARRAY_H
#define HERALD_POSTGRES_ARRAY_H

/*
 * Array parameters, for statements that change several rows at once: one array for each column, all of one length.
 *
 *     struct db_array ids = db_array_begin(call_arena());
 *     db_array_add_text(&ids, "…");
 *     complete = db_put_array(&batch, &ids);
 *
 * The elements are sent as text; the statement casts the array: unnest($1::uuid[], $2::bigint[]).
 */

#include "server/runtime/arena.h"
#include "server/store/postgres/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_array {
    struct arena *arena;
    char *text;
    size_t bytes, room;
    bool is_full; /* an element did not fit into the arena */
};

struct db_array db_array_begin(struct arena *arena);
/** Any type that Postgres reads from text. NULL adds NULL. */
void db_array_add_text(struct db_array *array, const char *text);
void db_array_add_bigint(struct db_array *array, int64_t value);
void db_array_add_bool(struct db_array *array, bool value);
/** bytea; NULL adds NULL. */
void db_array_add_bytes(struct db_array *array, const uint8_t *data, size_t bytes);
void db_array_add_null(struct db_array *array);
/** Adds the array as the next parameter. Returns: false: no memory in the arena; the batch must not be run. */
bool db_put_array(struct db_batch *batch, struct db_array *array);

#endif
