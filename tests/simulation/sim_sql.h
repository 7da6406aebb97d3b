#ifndef HERALD_TESTS_SIMULATION_SIM_SQL_H
#define HERALD_TESTS_SIMULATION_SIM_SQL_H

/*
 * One statement of db/queries while the simulated database runs it: its parameters, and its result. Each statement that
 * the simulation knows is a function, named after its file; sim_sql.c lists them. A function that raises a conflict does so
 * before it changes anything, and a transaction has one such statement at most.
 */
#include "server/store/postgres/row.h"
#include "tests/simulation/sim.h"

struct sim_statement {
    const struct db_batch *batch;
    const struct db_batch_statement *parameters;
    const struct sim_life *session;
    PGresult *result;
    int row;       /* that is filled; -1: none so far */
    bool conflict; /* the idempotency key is taken: the transaction is rolled back */
};
typedef void sim_statement_fn(struct sim_statement *statement);

/* Parameters, as @number says: $1, $2, … Text is NULL for NULL; a time is in µs since 1970, 0 for NULL. */
const char *sim_text(const struct sim_statement *statement, unsigned number);
int64_t sim_number(const struct sim_statement *statement, unsigned number);
int64_t sim_time(const struct sim_statement *statement, unsigned number);
const uint8_t *sim_bytes(const struct sim_statement *statement, unsigned number, size_t *ret_bytes);

/* The result: rows with their columns (what is not put is NULL), or how many rows were changed. */
void sim_add_row(struct sim_statement *statement);
/** NULL and "" give NULL. */
void sim_put_text(struct sim_statement *statement, enum db_column column, const char *text);
void sim_put_number(struct sim_statement *statement, enum db_column column, int64_t number);
/** 0 gives NULL. */
void sim_put_time(struct sim_statement *statement, enum db_column column, int64_t us);
void sim_put_bytes(struct sim_statement *statement, enum db_column column, const uint8_t *bytes, size_t count);
void sim_set_changed(struct sim_statement *statement, unsigned count);

/** Copies a text, cut to @bytes; NULL gives "". */
void sim_copy_text(char *to, size_t bytes, const char *text);
#define SIM_PUT(field, text) sim_copy_text(field, sizeof(field), text)
/** A copy on the heap in the place of @to, which is freed. */
void sim_copy_bytes(uint8_t **to, size_t *ret_bytes, const uint8_t *from, size_t bytes);

/* sim_events.c */
sim_statement_fn sim_event_load, sim_event_approve, sim_event_activate, sim_event_due, sim_event_take, sim_event_claim,
    sim_event_unclaim, sim_event_make_due, sim_event_end_due, sim_clock, sim_commit_late;
/* sim_keys.c */
sim_statement_fn sim_idempotency_find, sim_idempotency_claim, sim_idempotency_answer;
/**
 * Binds the key of parameters @first to @first + 3 to its request, as the trigger idempotency_keep allows.
 *
 * @reply  number of the parameter with the reply; 0: a claim
 * Returns: false: it is taken; nothing was changed
 */
bool sim_write_key(const struct sim_statement *statement, unsigned first, unsigned reply);
/** Whether sim_write_key() would. True without a key. */
bool sim_may_write_key(const struct sim_statement *statement, unsigned first);
/* sim_outbox.c */
sim_statement_fn sim_outbox_take, sim_outbox_delete_sent, sim_outbox_prune;
/** Inserts the outbox row of the parameters from @first on. */
void sim_insert_promise(const struct sim_statement *statement, unsigned first);
/* sim_leases.c */
sim_statement_fn sim_instance_renew, sim_event_bury, sim_event_release, sim_distribution_bury, sim_distribution_release;

#endif
