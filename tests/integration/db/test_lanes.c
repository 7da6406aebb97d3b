/* Lanes: what waits for a lock, and one tenant's flood, hold up nobody else. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/side.h"

#define WAITERS 24
#define FLOOD   500

/* A tenant's statements beside the test's task. */
struct tenant {
    struct db_env *env;
    struct call call;
    const struct event_draft *draft;
    struct task_group group;
    unsigned started, done, failed;
};

static void begin_tenant(struct tenant *tenant, struct db_env *env, const struct event_draft *draft) {
    *tenant = (struct tenant){.env = env, .draft = draft};
    call_init(&tenant->call, "tenant", NULL, 0, 0);
    (void)snprintf(tenant->call.tenant, sizeof(tenant->call.tenant), "%s", draft->user_id);
}

TASK_FN static void write_once(void *arg) {
    struct tenant *tenant = arg;
    struct event_draft got;
    enum herald_code code =
        event_store_set_objective(tenant->env->db, tenant->draft->id, tenant->draft->user_id, 4, &got, NULL);
    tenant->failed += code != HERALD_OK;
    tenant->done++;
}

static void start_writes(struct tenant *tenant, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_ok(tenant->env,
                  task_spawn(tenant->env->loop, &tenant->call, "write", write_once, tenant, &tenant->env->error));
        tenant->started++;
    }
}

TASK_FN static void end_tenant(struct tenant *tenant) {
    WAIT_UNTIL(tenant->done == tenant->started && !tenant->call.tasks);
    call_fini(&tenant->call);
}

/* The running task's own statements are another tenant's. */
TASK_FN static void work_as_another(struct db_env *env, const struct event_draft *draft) {
    struct event_draft got;
    (void)snprintf(env->call->tenant, sizeof(env->call->tenant), "%s", draft->user_id);
    for (int i = 0; i < 50; i++) {
        assert_ok(env, event_store_load(env->db, draft->id, draft->user_id, &got, &env->error));
        assert_ok(env, event_store_set_objective(env->db, draft->id, draft->user_id, 1 + i % 4, &got, &env->error));
    }
    assert_int_equal(got.objective, 1 + 49 % 4);
    env->call->tenant[0] = '\0';
}

/* ---- locks ---- */

static void locked_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && env->db->ready_count == env->db->connection_count);
    struct event_draft draft = make_draft(env), other = make_draft(env), got;
    PGconn *pg = block_row(draft.id);
    struct tenant waiters;
    begin_tenant(&waiters, env, &draft);
    start_writes(&waiters, WAITERS);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'herald-test-lanes' "
                          "AND wait_event_type = 'Lock'") > 0);
    work_as_another(env, &other); /* while the row is locked */
    work_as_another(env, &(struct event_draft){.id = other.id, .user_id = other.user_id});
    assert_int_equal(waiters.done, 0);
    unblock(pg);
    end_tenant(&waiters);
    assert_int_equal(waiters.failed, 0); /* what was rolled back for the others was done after */
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, 4);
    assert_int_equal(env->reports, 1); /* no connection was lost */
}

static void test_lanes_a_locked_row_holds_up_no_other_tenant(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn_named("herald-test-lanes"), 8, 60000, locked_body);
}

static void two_locked_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && env->db->ready_count == env->db->connection_count);
    struct event_draft draft = make_draft(env), other = make_draft(env);
    PGconn *pg = block_row(draft.id), *pg_other = block_row(other.id);
    struct tenant first, second;
    begin_tenant(&first, env, &draft);
    begin_tenant(&second, env, &other);
    start_writes(&first, WAITERS);
    start_writes(&second, 1);
    WAIT_UNTIL(second.done == 0 && env->db->waiting.lengths[DB_LANE_WRITE] < WAITERS);
    unblock(pg_other);
    end_tenant(&second); /* its turn comes though the first one has many before it */
    assert_int_equal(second.failed, 0);
    assert_int_equal(first.done, 0);
    unblock(pg);
    end_tenant(&first);
    assert_int_equal(first.failed, 0);
}

static void test_lanes_tenants_that_wait_for_locks_take_turns(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn(), 8, 60000, two_locked_body);
}

static void bound_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && env->db->ready_count == env->db->connection_count);
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = block_row(draft.id);
    struct tenant waiters;
    begin_tenant(&waiters, env, &draft);
    start_writes(&waiters, WAITERS);
    assert_code(env, event_store_set_objective(env->db, draft.id, draft.user_id, 4, &got, &env->error),
                HERALD_UNAVAILABLE);
    assert_string_equal(env->error.origin, "55P03");
    assert_true(env->error.retry_after_ms > 0);
    end_tenant(&waiters); /* the row is still locked */
    assert_int_equal(waiters.failed, WAITERS);
    unblock(pg);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, draft.objective);
    assert_int_equal(env->reports, 1);
}

static void test_lanes_a_wait_for_a_lock_ends_within_its_bound(void **state) {
    (void)state;
    db_env_run_options(
        &(struct db_options){
            .dsn = schema_dsn(), .connections = 8, .statement_timeout_ms = 60000, .lock_timeout_ms = 1000},
        bound_body);
}

/* ---- floods ---- */

static void flood_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && env->db->ready_count == env->db->connection_count);
    struct event_draft draft = make_draft(env), other = make_draft(env), got;
    struct tenant flood;
    begin_tenant(&flood, env, &draft);
    start_writes(&flood, FLOOD);
    while (env->db->waiting.lengths[DB_LANE_WRITE] < FLOOD / 2) {
        task_yield();
    }
    (void)snprintf(env->call->tenant, sizeof(env->call->tenant), "%s", other.user_id);
    for (int i = 0; i < 5; i++) {
        assert_ok(env, event_store_set_objective(env->db, other.id, other.user_id, 1 + i % 4, &got, &env->error));
    }
    assert_true(flood.done < FLOOD / 2); /* in line it would have come after all of them */
    end_tenant(&flood);
    assert_int_equal(flood.failed, 0);
    env->call->tenant[0] = '\0';
}

static void test_lanes_one_tenants_flood_does_not_come_before_others(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn(), 8, 60000, flood_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_a_locked_row_holds_up_no_other_tenant),
        cmocka_unit_test(test_lanes_tenants_that_wait_for_locks_take_turns),
        cmocka_unit_test(test_lanes_a_wait_for_a_lock_ends_within_its_bound),
        cmocka_unit_test(test_lanes_one_tenants_flood_does_not_come_before_others),
    };
    return cmocka_run_group_tests_name("integration.db.lanes", tests, schema_setup, schema_teardown);
}
