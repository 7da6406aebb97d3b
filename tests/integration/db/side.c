#include "tests/integration/db/side.h"

TASK_FN static void run_side(void *arg) {
    struct side *side = arg;
    const struct event_draft *draft = side->draft;
    struct event_draft got;
    if (side->timeout_ms > 0) { /* a busy machine may take longer to come here */
        side->call.deadline_us = clock_now_us() + side->timeout_ms * UINT64_C(1000);
    }
    if (side->work == WORK_READ) {
        side->code = event_store_load(side->env->db, draft->id, draft->user_id, &got, &side->error);
    } else {
        side->code = event_store_set_objective(side->env->db, draft->id, draft->user_id, 4, &got, &side->error);
    }
    side->right = side->code == HERALD_OK && strcmp(got.id, draft->id) == 0;
    side->done = true;
}

void begin_side(struct side *side, struct db_env *env, const struct event_draft *draft, enum work work,
                uint32_t timeout_ms) {
    *side = (struct side){.env = env, .draft = draft, .work = work, .timeout_ms = timeout_ms};
    call_init(&side->call, "side", NULL, 0, 0);
    assert_ok(env, task_spawn(env->loop, &side->call, "side", run_side, side, &env->error));
}

struct side *start_side(struct db_env *env, const struct event_draft *draft, enum work work, uint32_t timeout_ms) {
    struct side *side = arena_alloc(call_arena(), sizeof(*side));
    assert_non_null(side);
    begin_side(side, env, draft, work, timeout_ms);
    return side;
}

TASK_FN void end_side(struct side *side) {
    WAIT_UNTIL(side->done);
    while (side->call.tasks) { /* the task itself ends after its last line */
        task_yield();
    }
    call_fini(&side->call);
}

TASK_FN void cancel_side(struct side *side) {
    task_cancel_call(side->env->loop, &side->call, HERALD_CANCELLED);
    end_side(side);
}

PGconn *block_table(void) {
    PGconn *pg = admin_open();
    admin_run(pg, "BEGIN; LOCK TABLE event_drafts IN ACCESS EXCLUSIVE MODE");
    return pg;
}

PGconn *block_row(const char *id) {
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "BEGIN; SELECT FROM event_drafts WHERE id = '%s' FOR UPDATE", id);
    PGconn *pg = admin_open();
    admin_run(pg, sql);
    return pg;
}

void unblock(PGconn *pg) {
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
}

/* Not on the blocking connection: what a transaction sees of pg_stat_activity stays as it was at its first look. */
bool blocked(const char *application, long count) {
    return sql_number(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s' AND wait_event_type = 'Lock'",
               application) == count;
}
