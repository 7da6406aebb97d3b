#ifndef HERALD_POSTGRES_PREPARE_H
#define HERALD_POSTGRES_PREPARE_H

#include "server/store/postgres/embedded_sql.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * Asks the server, on a new connection, to prepare and to describe all statements of db/queries, in pipeline mode.
 * Two results come for each, in the order of enum db_query, and then that of the Sync.
 *
 * Returns: false: libpq could not send; PQerrorMessage() says why
 */
bool db_prepare_send(PGconn *pg);
/**
 * Checks result number @index, from 0, of those.
 *
 * @why     set on failure: file, line and what does not fit, cut off at @size bytes
 * Returns: false: the statement is wrong, or is not what the build took it for. Results after it say nothing.
 */
bool db_prepare_check(unsigned index, const PGresult *result, char *why, size_t size);
/** Checks a statement's description against what the build has embedded: its parameters and its columns' names. */
bool db_prepare_check_described(const struct db_query_text *text, const PGresult *described, char *why, size_t size);

#endif
