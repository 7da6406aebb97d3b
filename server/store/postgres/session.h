#ifndef HERALD_POSTGRES_SESSION_H
#define HERALD_POSTGRES_SESSION_H

/* What db/queries/session_check.sql tells of a session, and how sessions are set up. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_session {
    bool is_read_only; /* it was set so, or the server is a standby */
    bool is_standby;
    int server_pid;    /* of the server process that has answered */
    bool is_unlimited; /* statement_timeout is off: what was set at the start of the session was dropped */
    bool commits_late; /* synchronous_commit is off: a commit that is acknowledged may be lost with the server */
    unsigned standbys, uncovered; /* attached, and of these those that a commit does not wait for */
};

/** Asks; one result comes, and then that of a Sync. @is_prepared  the statement is. Returns: false: not sent */
bool db_session_ask(PGconn *pg, bool is_prepared);
/** Returns: false: the result is none of the query; @ret_session untouched. */
bool db_session_read(const PGresult *result, struct db_session *ret_session);
/** What the promise lacks, in one sentence, or "". Static. @is_set_later  limits are set in each transaction */
const char *db_session_warning(const struct db_session *session, bool is_set_later);

/** Whether an error of connecting comes of a pooler, of either mode, that refuses our settings. */
bool db_is_refused_option(const char *message);
/** Whether an error of preparing comes of a pooler in transaction mode, which shares server processes. */
bool db_is_of_pooler(const char *sqlstate);
/** What to do about each. */
extern const char DB_REFUSED_OPTIONS_REMEDY[], DB_POOLER_REMEDY[];

#endif
