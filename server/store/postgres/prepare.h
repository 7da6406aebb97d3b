#ifndef HERALD_POSTGRES_PREPARE_H
#define HERALD_POSTGRES_PREPARE_H

#include "server/store/postgres/embedded_sql.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * Asks the server, on a new connection, to prepare and describe all statements of db/queries, in pipeline mode, and then
 * what session_check.sql asks. The server sends two results for each, in the order of enum db_query, then that of
 * session_check, then the result of the Sync.
 *
 * @keep    false: each takes the place of the one before, so they are checked only
 * Returns: false: libpq could not send; PQerrorMessage() says why
 */
bool db_prepare_send(PGconn *pg, bool keep);
/**
 * Checks result number @index, from 0, of those.
 *
 * @why     set on failure: file, line and mismatch, cut off at @size bytes
 * Returns: false: the statement is wrong, or differs from what the build embedded. Later results say nothing.
 */
bool db_prepare_check(unsigned index, const PGresult *result, char *why, size_t size);
/** Compares a statement's description with what the build embedded: its parameters and its columns' names. */
bool db_prepare_check_described(const struct db_query_text *text, const PGresult *described, char *why, size_t size);

#endif
