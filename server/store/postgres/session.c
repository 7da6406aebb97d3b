/* What a session is: writable or not, covered by its standbys or not, behind a pooler or not. */
#include "server/store/postgres/session.h"

#include "server/store/postgres/embedded_sql.h"

#include <stdlib.h>
#include <string.h>

const char DB_POOLER_REMEDY[] = "a pooler in transaction mode is between Herald and Postgres: set [pg] pooling = "
                                "transaction (HERALD_PG_POOLING), or the pooler's pool_mode = session";
const char DB_REFUSED_OPTIONS_REMEDY[] = "a pooler between Herald and Postgres refuses the settings that Herald begins "
                                         "its sessions with: set [pg] pooling = transaction (HERALD_PG_POOLING), "
                                         "whatever its mode";

/* In the order of the query. */
enum column { READ_ONLY, STANDBY, PID, TIMEOUT, SYNCHRONOUS_COMMIT, STANDBYS, UNCOVERED, COLUMN_COUNT };

bool db_session_ask(PGconn *pg, bool is_prepared) {
    const struct db_query_text *text = &db_query_texts[DB_QUERY_SESSION_CHECK];
    int sent = is_prepared ? PQsendQueryPrepared(pg, text->name, 0, NULL, NULL, NULL, 0)
                           : PQsendQueryParams(pg, text->sql, 0, NULL, NULL, NULL, NULL, 0);
    return sent && PQpipelineSync(pg);
}

static unsigned session_number(const PGresult *result, enum column column) {
    return (unsigned)strtoul(PQgetvalue(result, 0, (int)column), NULL, 10);
}

bool db_session_read(const PGresult *result, struct db_session *ret_session) {
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 || PQnfields(result) != COLUMN_COUNT) {
        return false;
    }
    const char *synchronous_commit = PQgetvalue(result, 0, SYNCHRONOUS_COMMIT);
    bool is_local = strcmp(synchronous_commit, "local") == 0, is_off = strcmp(synchronous_commit, "off") == 0;
    *ret_session = (struct db_session){
        .is_standby = PQgetvalue(result, 0, STANDBY)[0] == 't',
        .server_pid = (int)session_number(result, PID),
        .is_unlimited = strcmp(PQgetvalue(result, 0, TIMEOUT), "0") == 0,
        .commits_late = is_off,
        .standbys = session_number(result, STANDBYS),
        .uncovered = session_number(result, is_local || is_off ? STANDBYS : UNCOVERED),
    };
    ret_session->is_read_only = ret_session->is_standby || PQgetvalue(result, 0, READ_ONLY)[0] == 't';
    return true;
}

const char *db_session_warning(const struct db_session *session, bool is_set_later) {
    if (session->is_unlimited && !is_set_later) {
        return "statement_timeout is off: a pooler drops the settings that Herald begins its sessions with; make it "
               "pass "
               "the startup parameter options, or set [pg] pooling = transaction";
    }
    if (session->commits_late) {
        return "synchronous_commit is off: what was acknowledged is lost if Postgres crashes; set it to on";
    }
    if (session->uncovered > 0) {
        return "a standby is attached that commits do not wait for: if it takes over, what was acknowledged may be "
               "lost "
               "and posts may be repeated; name it in synchronous_standby_names, with synchronous_commit = on";
    }
    return "";
}

bool db_is_refused_option(const char *message) {
    return strstr(message, "unsupported startup parameter") != NULL;
}

bool db_is_of_pooler(const char *sqlstate) {
    /* A statement that another session has prepared, or that this one has and does not find. */
    return sqlstate && (strcmp(sqlstate, "42P05") == 0 || strcmp(sqlstate, "26000") == 0);
}
