/*
 * Prepares the statements of db/queries, so that a wrong one shows at start.
 *
 * The stores read columns in the places that embed_sql.cmake found. The server's own description is compared with those
 * places: if the embedding were wrong, no connection would take requests.
 */
#include "server/store/postgres/prepare.h"

#include "server/store/postgres/session.h"
#include "server/store/postgres/sqlstate.h"

#include <stdio.h>
#include <string.h>

bool db_prepare_send(PGconn *pg, bool keep) {
    bool sent = PQsetnonblocking(pg, 1) == 0 && PQenterPipelineMode(pg);
    for (int query = 0; query < DB_QUERY_COUNT && sent; query++) {
        const struct db_query_text *text = &db_query_texts[query];
        const char *name = keep ? text->name : "";
        sent = PQsendPrepare(pg, name, text->sql, 0, NULL) && PQsendDescribePrepared(pg, name);
    }
    return sent && db_session_ask(pg, keep);
}

bool db_prepare_check_described(const struct db_query_text *text, const PGresult *described, char *why, size_t size) {
    const struct db_row_columns *columns = &db_row_columns[text->row];
    if (PQnparams(described) != (int)text->params || PQnfields(described) != (int)columns->count) {
        (void)snprintf(why, size, "db/queries/%s.sql: %d parameters and %d columns, not %u and %u as embedded",
                       text->name, PQnparams(described), PQnfields(described), text->params, columns->count);
        return false;
    }
    for (int i = 0; i < (int)columns->count; i++) {
        if (strcmp(PQfname(described, i), columns->names[i]) != 0) {
            (void)snprintf(why, size, "db/queries/%s.sql: column %d is %s, not %s as embedded", text->name, i + 1,
                           PQfname(described, i), columns->names[i]);
            return false;
        }
    }
    return true;
}

static void explain_error(const struct db_query_text *text, const PGresult *result, char *why, size_t size) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    unsigned line = db_sql_line(text->sql, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION));
    if (db_is_of_pooler(sqlstate)) {
        (void)snprintf(why, size, "%s (%s, SQLSTATE %s)", DB_POOLER_REMEDY, message ? message : "", sqlstate);
        return;
    }
    (void)snprintf(why, size, "db/queries/%s.sql:%u: %s (SQLSTATE %s)%s", text->name, line,
                   message ? message : PQresultErrorMessage(result), sqlstate ? sqlstate : "unknown",
                   db_is_missing_object(result) ? "; the schema is missing or old: run heraldctl migrate" : "");
}

bool db_prepare_check(unsigned index, const PGresult *result, char *why, size_t size) {
    const struct db_query_text *text = &db_query_texts[index / 2 % DB_QUERY_COUNT];
    bool is_description = index % 2 == 1;
    switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
        explain_error(text, result, why, size);
        return false;
    case PGRES_COMMAND_OK:
        return !is_description || db_prepare_check_described(text, result, why, size);
    default: /* the result of the Sync, or of a statement after a failure */
        return true;
    }
}
