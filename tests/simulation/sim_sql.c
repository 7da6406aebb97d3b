/*
 * db_run(): the transactions of the real stores, run on rows in memory, and their results in the form of libpq. What a
 * statement does is in the function of its name; how a transaction ends, in sim_outcome.c. A transaction whose answer is
 * lost may also take effect later: the server executes it after its connection was lost.
 */
#include "tests/simulation/sim_sql.h"

#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/postgres_settings.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_PERCENT 30 /* of the statements whose answer is lost */

char *__wrap_PQcmdTuples(PGresult *result);

static sim_statement_fn *const statements[DB_QUERY_COUNT] = {
    [DB_QUERY_CLOCK] = sim_clock,
    [DB_QUERY_COMMIT_LATE] = sim_commit_late,
    [DB_QUERY_DISTRIBUTION_BURY] = sim_distribution_bury,
    [DB_QUERY_DISTRIBUTION_RELEASE] = sim_distribution_release,
    [DB_QUERY_EVENT_ACTIVATE] = sim_event_activate,
    [DB_QUERY_EVENT_APPROVE] = sim_event_approve,
    [DB_QUERY_EVENT_BURY] = sim_event_bury,
    [DB_QUERY_EVENT_CLAIM] = sim_event_claim,
    [DB_QUERY_EVENT_DUE] = sim_event_due,
    [DB_QUERY_EVENT_END_DUE] = sim_event_end_due,
    [DB_QUERY_EVENT_LOAD] = sim_event_load,
    [DB_QUERY_EVENT_MAKE_DUE] = sim_event_make_due,
    [DB_QUERY_EVENT_RELEASE] = sim_event_release,
    [DB_QUERY_EVENT_TAKE] = sim_event_take,
    [DB_QUERY_EVENT_UNCLAIM] = sim_event_unclaim,
    [DB_QUERY_IDEMPOTENCY_ANSWER] = sim_idempotency_answer,
    [DB_QUERY_IDEMPOTENCY_CLAIM] = sim_idempotency_claim,
    [DB_QUERY_IDEMPOTENCY_FIND] = sim_idempotency_find,
    [DB_QUERY_INSTANCE_RENEW] = sim_instance_renew,
    [DB_QUERY_OUTBOX_DELETE_SENT] = sim_outbox_delete_sent,
    [DB_QUERY_OUTBOX_PRUNE] = sim_outbox_prune,
    [DB_QUERY_OUTBOX_TAKE] = sim_outbox_take,
};

/* ---- parameters ---- */

static unsigned index_of(const struct sim_statement *statement, unsigned number) {
    return statement->parameters->first + number - 1;
}

const char *sim_text(const struct sim_statement *statement, unsigned number) {
    return statement->batch->values[index_of(statement, number)];
}

int64_t sim_number(const struct sim_statement *statement, unsigned number) {
    unsigned index = index_of(statement, number);
    return statement->batch->values[index] ? (int64_t)be64toh(statement->batch->numbers[index]) : 0;
}

int64_t sim_time(const struct sim_statement *statement, unsigned number) {
    return sim_text(statement, number) ? sim_number(statement, number) + DB_EPOCH_US : 0;
}

const uint8_t *sim_bytes(const struct sim_statement *statement, unsigned number, size_t *ret_bytes) {
    *ret_bytes = (size_t)statement->batch->lengths[index_of(statement, number)];
    return (const uint8_t *)sim_text(statement, number);
}

/* ---- results ---- */

void sim_add_row(struct sim_statement *statement) {
    statement->row++;
    (void)PQsetvalue(statement->result, statement->row, 0, NULL, -1);
}

static void put_value(struct sim_statement *statement, enum db_column column, const void *bytes, size_t count) {
    (void)PQsetvalue(statement->result, statement->row, (int)(column % DB_ROW_COLUMNS_MAX), (char *)(uintptr_t)bytes,
                     bytes ? (int)count : -1);
}

void sim_put_text(struct sim_statement *statement, enum db_column column, const char *text) {
    put_value(statement, column, text && text[0] != '\0' ? text : NULL, text ? strlen(text) : 0);
}

void sim_put_number(struct sim_statement *statement, enum db_column column, int64_t number) {
    uint64_t value = htobe64((uint64_t)number);
    put_value(statement, column, &value, sizeof(value));
}

void sim_put_time(struct sim_statement *statement, enum db_column column, int64_t us) {
    if (us != 0) {
        sim_put_number(statement, column, us - DB_EPOCH_US);
    }
}

void sim_put_bytes(struct sim_statement *statement, enum db_column column, const uint8_t *bytes, size_t count) {
    put_value(statement, column, bytes, count);
}

/* A result of a change has one row with one value, which __wrap_PQcmdTuples() reads. */
void sim_set_changed(struct sim_statement *statement, unsigned count) {
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", count);
    (void)PQsetvalue(statement->result, 0, 0, text, (int)strlen(text));
}

char *__wrap_PQcmdTuples(PGresult *result) {
    return PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : (char *)(uintptr_t)"0";
}

/* Without memory the result has no columns, and its reader fails. */
static PGresult *new_result(enum db_query query) {
    const struct db_row_columns *columns = &db_row_columns[db_query_texts[query].row];
    PGresAttDesc descriptions[DB_ROW_COLUMNS_MAX] = {{0}};
    unsigned count = columns->count > 0 ? columns->count : 1;
    for (unsigned i = 0; i < count; i++) {
        descriptions[i].name = (char *)(uintptr_t)(i < columns->count ? columns->names[i] : "changed");
        descriptions[i].format = 1;
    }
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    (void)PQsetResultAttrs(result, (int)count, descriptions);
    return result;
}

/* ---- memory of rows ---- */

void sim_copy_text(char *to, size_t bytes, const char *text) {
    (void)snprintf(to, bytes, "%s", text ? text : "");
}

void sim_copy_bytes(uint8_t **to, size_t *ret_bytes, const uint8_t *from, size_t bytes) {
    free(*to);
    *to = from ? malloc(bytes + 1) : NULL;
    *ret_bytes = *to ? bytes : 0;
    if (*to) {
        memcpy(*to, from, bytes);
        (*to)[bytes] = 0;
    }
}

/* ---- transactions ---- */

/* Returns: false: rolled back, as the key is taken. */
static bool run_batch(const struct db_batch *batch, const struct sim_life *session, struct db_reply *reply) {
    for (unsigned i = 0; i < batch->statement_count; i++) {
        struct sim_statement statement = {
            .batch = batch,
            .parameters = &batch->statements[i],
            .session = session,
            .result = new_result(batch->statements[i].query),
            .row = -1,
        };
        reply->results[i] = statement.result;
        reply->queries[i] = batch->statements[i].query;
        if (!statements[batch->statements[i].query]) {
            sim_give_up(db_query_texts[batch->statements[i].query].name);
        }
        statements[batch->statements[i].query](&statement);
        if (statement.conflict) {
            return false;
        }
    }
    return true;
}

/* A transaction that the server executes after its caller has gone. */
struct late_batch {
    struct db_batch batch;
    struct sim_life *session;
    char *values[DB_PARAMS_MAX];
};

TASK_FN static void run_late(void *arg) {
    struct late_batch *late = arg;
    sim_wait_us(sim_between(1000, pg_settings(sim.settings)->pg_statement_timeout_ms * UINT64_C(1000)));
    sim_say("process %u: %s takes effect late", late->session->number,
            db_query_texts[late->batch.statements[0].query].name);
    DB_REPLY struct db_reply reply = {0};
    (void)run_batch(&late->batch, late->session, &reply);
    for (unsigned i = 0; i < late->batch.param_count; i++) {
        free(late->values[i]);
    }
    free(late);
}

/* Returns: false: no memory. */
static bool run_later(const struct db_batch *batch, struct sim_life *session) {
    struct late_batch *late = calloc(1, sizeof(*late));
    if (!late || task_spawn(sim.loop, NULL, "late", run_late, late, NULL) != HERALD_OK) {
        free(late);
        return false;
    }
    late->batch = *batch;
    late->session = session;
    for (unsigned i = 0; i < batch->param_count; i++) {
        bool is_text = batch->formats[i] == 0;
        size_t bytes = batch->values[i] && is_text ? strlen(batch->values[i]) + 1 : (size_t)batch->lengths[i] + 1;
        late->values[i] = batch->values[i] ? calloc(1, bytes) : NULL;
        if (late->values[i]) {
            memcpy(late->values[i], batch->values[i], is_text ? bytes : bytes - 1);
        }
        late->batch.values[i] = late->values[i];
    }
    return true;
}

TASK_FN enum herald_code db_run(struct db *db, const struct db_batch *batch, struct db_reply *ret_reply,
                                struct herald_error *reterr) {
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    bool writes = db_batch_writes(batch), taken = false;
    enum sim_fate fate = sim_reach(db);
    DB_REPLY struct db_reply reply = {0};
    bool is_late = fate == SIM_LOST && writes && sim_chance(LATE_PERCENT) && run_later(batch, db->life);
    if (fate != SIM_REFUSED && !is_late) {
        taken = !run_batch(batch, db->life, &reply);
    }
    code = sim_answer(db, fate, writes, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (taken) {
        return herald_error_set(reterr, HERALD_REASON_IDEMPOTENCY_KEY_EXISTS,
                                "simulated: the idempotency key is taken by another request, or answered");
    }
    *ret_reply = reply;
    memset(&reply, 0, sizeof(reply));
    if (writes) {
        call_note_effect();
    }
    return HERALD_OK;
}
