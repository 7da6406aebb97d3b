/* db_run(): one transaction as its task sees it, and the translation of its errors for the caller. */
#include "server/store/postgres/batch.h"
#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/pool.h"
#include "server/store/postgres/row.h"
#include "server/store/postgres/sqlstate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names a batch in messages: the file of its first statement. */
static const char *batch_name(const struct db_batch *batch) {
    return db_query_texts[batch->statements[0].query].name;
}

static enum herald_code outcome_unknown(const struct db_batch *batch, const char *why, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_DATABASE_OUTCOME_UNKNOWN, "%s may have been committed: %s",
                            batch_name(batch), why);
}

static enum herald_code unavailable(struct herald_error *reterr, const char *why, const char *cause) {
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE,
                                             "the database is not available: %s%s%s", why, cause[0] ? ": " : "", cause);
    if (reterr) {
        reterr->retry_after_ms = 1000;
    }
    return code;
}

/* ---- errors of the server ---- */

static bool is_repeated_key(const PGresult *result, const char *sqlstate) {
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    return strcmp(sqlstate, "23505") == 0 && constraint && strcmp(constraint, "idempotency_key") == 0;
}

static enum herald_code classify(const PGresult *result, const char *name, const char *sqlstate,
                                 struct herald_error *reterr) {
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    message = message ? message : "";
    if (is_repeated_key(result, sqlstate)) {
        return herald_error_set(reterr, HERALD_REASON_IDEMPOTENCY_KEY_EXISTS,
                                "the idempotency key is taken by another request, or answered");
    }
    if (db_meaning_of(sqlstate)->is_passing) {
        return unavailable(reterr, "a statement was given up", message);
    }
    return herald_error_set(reterr, HERALD_REASON_DATABASE_ERROR, "db/queries/%s.sql: %s", name, message);
}

static enum herald_code statement_error(const struct db_request *request, const struct db_batch *batch,
                                        struct herald_error *reterr) {
    const PGresult *result = request->results[request->failed];
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *name = db_query_texts[batch->statements[request->failed].query].name;
    if (!sqlstate) { /* libpq's own error: it could not store the result, and the transaction went on */
        return request->writes ? outcome_unknown(batch, "no memory for the answer", reterr)
                               : herald_error_no_memory(reterr, "the answer to %s", name);
    }
    enum herald_code code = request->writes && db_meaning_of(sqlstate)->is_unknown
                                ? outcome_unknown(batch, "the server does not know", reterr)
                                : classify(result, name, sqlstate, reterr);
    if (reterr) {
        (void)snprintf(reterr->origin, sizeof(reterr->origin), "%s", sqlstate);
    }
    return code;
}

/* ---- the end of a request ---- */

static enum herald_code locked(const struct db *db, const struct db_batch *batch, struct herald_error *reterr) {
    char why[160];
    (void)snprintf(why, sizeof(why), "%s waited for %u ms for a row that another transaction has locked",
                   batch_name(batch), db->lock_timeout_ms);
    enum herald_code code = unavailable(reterr, why, "");
    if (reterr) {
        (void)snprintf(reterr->origin, sizeof(reterr->origin), "%s", DB_SQLSTATE_LOCKED);
    }
    return code;
}

static enum herald_code result_of(struct db *db, struct db_request *request, const struct db_batch *batch,
                                  struct db_reply *ret_reply, struct herald_error *reterr) {
    switch (request->end) {
    case DB_END_NO_CONNECTION:
        return unavailable(reterr, "no connection in time", db->serving ? db->cause : db->health.message);
    case DB_END_LOCKED:
        return locked(db, batch, reterr);
    case DB_END_CLOSED:
        return unavailable(reterr, "the server is shutting down", "");
    case DB_END_LOST:
        return request->writes ? outcome_unknown(batch, "the connection was lost", reterr)
                               : unavailable(reterr, "the connection was lost", db->cause);
    case DB_END_UNCONFIRMED:
        return outcome_unknown(batch, "it was committed, and no longer waits for the standby", reterr);
    case DB_END_ANSWERED:
        break;
    }
    if (request->failed >= 0) {
        return statement_error(request, batch, reterr);
    }
    for (unsigned i = 0; i < request->count; i++) {
        ret_reply->results[i] = request->results[i];
        ret_reply->queries[i] = batch->statements[i].query;
        request->results[i] = NULL;
    }
    return HERALD_OK;
}

/* The call must end with @code before the answer has come. */
static enum herald_code leave(struct db *db, struct db_request *request, const struct db_batch *batch,
                              enum herald_code code, struct herald_error *reterr) {
    bool writes = request->writes;
    bool was_sent = db_abandon(db, request);
    return was_sent && writes ? outcome_unknown(batch, "the call ended before the answer came", reterr) : code;
}

/* Submits a request, takes ownership of it, and waits for its end. */
TASK_FN static enum herald_code carry_out(struct db *db, struct db_request *request, const struct db_batch *batch,
                                          struct db_reply *ret_reply, struct herald_error *reterr) {
    if (!db_submit(db, request)) {
        db_request_free(request);
        return herald_error_set(reterr, HERALD_REASON_DATABASE_QUEUE_FULL, "too many statements wait for the database");
    }
    enum herald_code code = completion_wait(&request->completion, reterr);
    if (code != HERALD_OK) {
        return leave(db, request, batch, code, reterr);
    }
    code = result_of(db, request, batch, ret_reply, reterr);
    db_request_free(request);
    return code;
}

TASK_FN enum herald_code db_run(struct db *db, const struct db_batch *batch, struct db_reply *ret_reply,
                                struct herald_error *reterr) {
    assert(batch->statement_count > 0 && db_batch_is_complete(batch));
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (db->closing) {
        return unavailable(reterr, "the server is shutting down", "");
    }
    const struct call *call = call_current();
    struct db_request *request = db_request_new(batch);
    if (!request || !db_waiting_join(&db->waiting, request, call ? call_tenant(call) : "")) {
        free(request);
        return herald_error_no_memory(reterr, "a statement");
    }
    db->refs++; /* db_close() may come while the task waits */
    code = carry_out(db, request, batch, ret_reply, reterr);
    if (code == HERALD_OK && db_batch_writes(batch)) {
        call_note_effect();
    }
    db_unref(db);
    return code;
}
