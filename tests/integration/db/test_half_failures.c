/* What lies between up and down: paths that carry nothing, sessions that cannot write, a server that is full. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/relay.h"
#include "tests/integration/db/side.h"

#include <unistd.h>

#define STATEMENT_TIMEOUT_MS 1000
#define CONNECTIONS          4

static struct relay *relay;

static void run_behind_relay(bool open, db_body_fn *body) {
    relay = relay_new();
    if (open) {
        relay_open(relay);
    }
    db_env_run_unready(schema_dsn_at(relay_port(relay)), CONNECTIONS, STATEMENT_TIMEOUT_MS, body);
    relay_free(relay);
}

static bool all_up(const struct db_env *env) {
    bool up = true;
    for (unsigned i = 0; i < env->db->connection_count; i++) {
        up = up && db_connection_is_up(&env->db->connections[i]);
    }
    return up;
}

static bool all_can_write(const struct db_env *env) {
    bool can = true;
    for (unsigned i = 0; i < env->db->connection_count; i++) {
        can = can && !env->db->connections[i].session.is_read_only;
    }
    return can;
}

/* ---- a path that carries nothing ---- */

static void frozen_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && all_up(env));
    struct event_draft draft = make_draft(env), got;
    relay_freeze(relay);
    struct side *write = start_side(env, &draft, WORK_WRITE, 0), *read = start_side(env, &draft, WORK_READ, 0);
    WAIT_UNTIL(!env->serving); /* before the connections are given up */
    assert_non_null(strstr(env->message, "nothing is heard"));
    end_side(write);
    end_side(read);
    assert_int_equal(write->code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(write->error.reason, "DATABASE_OUTCOME_UNKNOWN");
    assert_int_equal(read->code, HERALD_UNAVAILABLE);
    WAIT_UNTIL(env->serving && all_up(env)); /* all of them, also those that carried nothing */
    assert_ok(env, event_store_set_objective(env->db, draft.id, draft.user_id, 3, &got, &env->error));
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, 3);
}

static void test_path_that_carries_nothing_is_named_and_its_connections_made_anew(void **state) {
    (void)state;
    run_behind_relay(true, frozen_body);
}

static void idle_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && all_up(env));
    relay_freeze(relay);
    WAIT_UNTIL(!env->serving); /* nobody calls */
    assert_non_null(strstr(env->message, "nothing is heard"));
    WAIT_UNTIL(env->serving && all_up(env));
}

static void test_path_that_carries_nothing_is_noticed_when_nobody_calls(void **state) {
    (void)state;
    run_behind_relay(true, idle_body);
}

static void silent_at_start_body(struct db_env *env) {
    relay_stall(relay, true);
    relay_open(relay);
    struct event_draft draft = ready_draft(new_user()), got;
    WAIT_UNTIL(strstr(env->message, "no answer within"));
    assert_false(env->serving);
    assert_code(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error), HERALD_UNAVAILABLE);
    relay_stall(relay, false);
    WAIT_UNTIL(env->serving);
}

static void test_server_that_is_silent_while_connecting_is_named_and_tried_again(void **state) {
    (void)state;
    run_behind_relay(false, silent_at_start_body);
}

/* ---- one silent host of two ---- */

static void second_host_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

static void test_silent_host_before_another_one_does_not_keep_it_from_its_turn(void **state) {
    (void)state;
    struct relay *good = relay_new();
    relay_open(good);
    relay = relay_new();
    relay_open(relay);
    relay_stall(relay, true);
    db_env_run_unready(schema_dsn_at_two(relay_port(relay), relay_port(good)), 1, 10000, second_host_body);
    relay_free(relay);
    relay_free(good);
}

/* ---- sessions that cannot write ---- */

static char role[64];

static void make_role(void) {
    (void)snprintf(role, sizeof(role), "herald_half_%d", (int)getpid());
    sql_run("CREATE ROLE %s LOGIN SUPERUSER PASSWORD 'half'", role);
}

static void drop_role(void) {
    sql_run("DROP ROLE %s", role);
}

static void fail_over_body(struct db_env *env) {
    WAIT_UNTIL(!env->serving && env->reports > 0 && strstr(env->message, "25006"));
    WAIT_UNTIL(env->db->ready_count == CONNECTIONS);
    struct event_draft draft = ready_draft(new_user()), got;
    assert_code(env, event_store_create(env->db, &draft, NULL, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "DATABASE_UNAVAILABLE");
    assert_non_null(strstr(env->error.message, "read-only"));
    assert_code(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error),
                HERALD_NOT_FOUND);                                      /* reads */
    sql_run("ALTER ROLE %s RESET default_transaction_read_only", role); /* new sessions can write, those there cannot */
    WAIT_UNTIL(env->serving);
    assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    WAIT_UNTIL(all_up(env) && all_can_write(env));
}

static void test_read_only_sessions_are_named_and_replaced_once_others_can_write(void **state) {
    (void)state;
    make_role();
    sql_run("ALTER ROLE %s SET default_transaction_read_only = on", role);
    db_env_run_unready(schema_dsn_as(role, "half"), CONNECTIONS, 10000, fail_over_body);
    drop_role();
}

/* The first session that tries refuses, as one does of which nobody knows yet that it is read-only. */
static void refused_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && all_up(env));
    struct event_draft draft = ready_draft(new_user());
    sql_run("CREATE SEQUENCE tries");
    sql_run("CREATE FUNCTION refuse_first() RETURNS trigger LANGUAGE plpgsql AS "
            "$f$ BEGIN IF nextval('tries') = 1 THEN RAISE read_only_sql_transaction; END IF; RETURN NEW; END $f$");
    sql_run("CREATE TRIGGER refuse_first BEFORE INSERT ON event_drafts FOR EACH ROW EXECUTE FUNCTION refuse_first()");
    enum herald_code code = event_store_create(env->db, &draft, NULL, &env->error);
    sql_run("DROP TRIGGER refuse_first ON event_drafts");
    sql_run("DROP FUNCTION refuse_first()");
    long tries = sql_number("SELECT last_value FROM tries");
    sql_run("DROP SEQUENCE tries");
    assert_int_equal(code, HERALD_OK);
    assert_int_equal(tries, 2);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s'", draft.id), 1);
    WAIT_UNTIL(all_up(env) && all_can_write(env));
}

static void test_write_that_a_read_only_session_refused_goes_on_with_another(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn(), CONNECTIONS, 10000, refused_body);
}

/* ---- errors of the server that concern its health ---- */

static void full_body(struct db_env *env) {
    WAIT_UNTIL(all_up(env));
    struct event_draft draft = make_draft(env), got;
    sql_run("CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS "
            "$f$ BEGIN RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device'; END $f$");
    sql_run("CREATE TRIGGER fill BEFORE UPDATE ON event_drafts FOR EACH ROW EXECUTE FUNCTION fill()");
    enum herald_code code = event_store_set_objective(env->db, draft.id, draft.user_id, 3, &got, &env->error);
    bool served = env->serving;
    sql_run("DROP TRIGGER fill ON event_drafts");
    sql_run("DROP FUNCTION fill()");
    assert_int_equal(code, HERALD_UNAVAILABLE);
    assert_string_equal(env->error.origin, "53100");
    assert_false(served);
    assert_non_null(strstr(env->message, "disk is full"));
    assert_ok(env, event_store_set_objective(env->db, draft.id, draft.user_id, 3, &got, &env->error));
    assert_true(env->serving); /* by a write that succeeds */
    assert_int_equal(env->db->ready_count, CONNECTIONS);
}

static void test_full_disk_is_named_until_a_write_succeeds(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn(), CONNECTIONS, 10000, full_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_that_carries_nothing_is_named_and_its_connections_made_anew),
        cmocka_unit_test(test_path_that_carries_nothing_is_noticed_when_nobody_calls),
        cmocka_unit_test(test_server_that_is_silent_while_connecting_is_named_and_tried_again),
        cmocka_unit_test(test_silent_host_before_another_one_does_not_keep_it_from_its_turn),
        cmocka_unit_test(test_read_only_sessions_are_named_and_replaced_once_others_can_write),
        cmocka_unit_test(test_write_that_a_read_only_session_refused_goes_on_with_another),
        cmocka_unit_test(test_full_disk_is_named_until_a_write_succeeds),
    };
    return cmocka_run_group_tests_name("integration.db.half_failures", tests, schema_setup, schema_teardown);
}
