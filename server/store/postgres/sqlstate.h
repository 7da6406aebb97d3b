#ifndef HERALD_POSTGRES_SQLSTATE_H
#define HERALD_POSTGRES_SQLSTATE_H

#include <libpq-fe.h>
#include <stdbool.h>

/* What errors of the server say: https://www.postgresql.org/docs/15/errcodes-appendix.html */

#define DB_SQLSTATE_CANCELLED "57014" /* on request, or by statement_timeout */

/** Whether a result is an error with this SQLSTATE. */
bool db_has_sqlstate(const PGresult *result, const char *sqlstate);
/** Whether a result is an error with which the server ends the connection. */
bool db_is_fatal(const PGresult *result);
/** Whether the connection's prepared statements must be made anew: the tables have changed under them. */
bool db_is_stale(const PGresult *result);
/** Whether an object is missing, as when the schema is older than the queries. */
bool db_is_missing_object(const PGresult *result);
/** Whether a statement that ended so did nothing and may succeed later. @sqlstate  five characters */
bool db_is_passing(const char *sqlstate);

#endif
