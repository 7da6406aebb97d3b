#ifndef HERALD_POSTGRES_SQLSTATE_H
#define HERALD_POSTGRES_SQLSTATE_H

/* The meaning of the server's errors: https://www.postgresql.org/docs/15/errcodes-appendix.html */

#include <libpq-fe.h>
#include <stdbool.h>

#define DB_SQLSTATE_CANCELLED "57014" /* on request, or by statement_timeout */

/** Whether a result is an error with this SQLSTATE. */
bool db_has_sqlstate(const PGresult *result, const char *sqlstate);
/** Whether a result is an error after which the server ends the connection. */
bool db_is_fatal(const PGresult *result);
/**
 * Whether the connection's prepared statements are stale, because the tables have changed: they must be prepared again.
 */
bool db_is_stale(const PGresult *result);
/** Whether an object is missing, as when the schema is older than the queries. */
bool db_is_missing_object(const PGresult *result);
/** Whether a statement with this error did nothing and may succeed later. @sqlstate  five characters */
bool db_is_passing(const char *sqlstate);

#endif
