#ifndef HERALD_POSTGRES_SQLSTATE_H
#define HERALD_POSTGRES_SQLSTATE_H

/* The meaning of the server's errors: https://www.postgresql.org/docs/15/errcodes-appendix.html */

#include <libpq-fe.h>
#include <stdbool.h>

#define DB_SQLSTATE_CANCELLED "57014" /* on request, or by statement_timeout */
#define DB_SQLSTATE_LOCKED    "55P03" /* by lock_timeout */
#define DB_SQLSTATE_READ_ONLY "25006"

/** What an error means for its statement, its connection and the pool's health. */
struct db_meaning {
    const char *sqlstate; /* its first characters; the first row that fits counts */
    bool is_passing;      /* the statement did nothing, and may succeed later */
    bool is_unknown;      /* the server does not know itself whether it was committed */
    bool retires;         /* the connection takes no more requests, and is made anew */
    const char *trouble;  /* what health says until a statement succeeds; NULL: health is not concerned */
};

/** The row of an error; never NULL. @sqlstate  five characters */
const struct db_meaning *db_meaning_of(const char *sqlstate);
/** The row of a result; NULL: it is no error of the server. */
const struct db_meaning *db_meaning_of_result(const PGresult *result);

/** Whether a result is an error with this SQLSTATE. */
bool db_has_sqlstate(const PGresult *result, const char *sqlstate);
/** Whether a result is an error after which the server ends the connection. */
bool db_is_fatal(const PGresult *result);
/** Whether an object is missing, as when the schema is older than the queries. */
bool db_is_missing_object(const PGresult *result);

#endif
