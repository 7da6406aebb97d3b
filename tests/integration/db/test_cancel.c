/* Cancelling what the server runs for a task that has left. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/relay.h"
#include "tests/integration/db/side.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* Statements are not given up by themselves while a test runs. */
static void run_patient(const char *dsn, uint32_t connections, db_body_fn *body) {
    db_env_run_unready(dsn, connections, 120000, body);
}

/* ---- one at a time ---- */

static void running_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), other = make_draft(env), got;
    PGconn *pg = block_row(draft.id);
    struct side *stuck = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-cancel", 1));
    struct side *behind[10];
    for (int i = 0; i < 10; i++) {
        behind[i] = start_side(env, &other, i % 2 ? WORK_READ : WORK_WRITE, 0);
    }
    WAIT_UNTIL(env->db->connections[0].sent.length == 11);
    cancel_side(stuck);
    assert_int_equal(stuck->code, HERALD_OUTCOME_UNKNOWN);
    for (int i = 0; i < 10; i++) {
        end_side(behind[i]); /* while the row is still blocked */
        assert_int_equal(behind[i]->code, HERALD_OK);
        assert_true(behind[i]->right);
    }
    assert_true(blocked("herald-test-cancel", 0));
    unblock(pg);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, draft.objective);
    assert_int_equal(env->reports, 1); /* on the same connection */
}

static void test_cancel_running_statement_ends_and_those_behind_it_succeed(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-cancel"), 1, running_body);
}

static void behind_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), first = make_draft(env);
    PGconn *pg_first = block_row(first.id), *pg = block_row(draft.id);
    struct side *head = start_side(env, &first, WORK_WRITE, 0), *stuck = start_side(env, &draft, WORK_WRITE, 0);
    struct side *last = start_side(env, &draft, WORK_READ, 0);
    WAIT_UNTIL(blocked("herald-test-behind", 1));
    cancel_side(stuck);
    unblock(pg_first); /* now the server comes to it */
    end_side(head);
    assert_int_equal(head->code, HERALD_OK); /* it was not cancelled in its place */
    end_side(last);
    assert_int_equal(last->code, HERALD_OK);
    unblock(pg);
}

static void test_cancel_waits_until_the_abandoned_request_is_the_one_that_runs(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-behind"), 1, behind_body);
}

static void many_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    enum { MANY = 12 };
    struct event_draft draft = make_draft(env);
    PGconn *pg = block_row(draft.id);
    struct side *sides[MANY];
    for (int i = 0; i < MANY; i++) {
        sides[i] = start_side(env, &draft, WORK_WRITE, 300);
    }
    for (int i = 0; i < MANY; i++) {
        end_side(sides[i]);
    }
    struct side *last = start_side(env, &draft, WORK_READ, 0);
    end_side(last); /* all before it on its connection were cancelled in turn */
    assert_int_equal(last->code, HERALD_OK);
    unblock(pg);
}

static void test_cancel_of_many_on_one_connection_ends_them_in_turn(void **state) {
    (void)state;
    run_patient(schema_dsn(), 1, many_body);
}

/* ---- hits that were not meant ---- */

static void hit(const char *application) {
    assert_int_equal(sql_number("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity "
                                "WHERE application_name = '%s'",
                                application),
                     1);
}

static void innocent_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = block_row(draft.id);
    struct side *innocent = start_side(env, &draft, WORK_WRITE, 0);
    for (unsigned hits = 0; hits < 2; hits++) {
        WAIT_UNTIL(blocked("herald-test-innocent", 1));
        struct db_request *request = env->db->connections[0].sent.head;
        assert_int_equal(request->hits, hits);
        request->exposed = true; /* as if a cancel of another request were on its way */
        hit("herald-test-innocent");
        WAIT_UNTIL(env->db->connections[0].sent.head && env->db->connections[0].sent.head->hits == hits + 1);
    }
    assert_false(innocent->done);
    unblock(pg);
    end_side(innocent);
    assert_int_equal(innocent->code, HERALD_OK);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, 4);
}

static void test_cancel_that_hits_another_request_is_invisible_to_its_task(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-innocent"), 1, innocent_body);
}

/* While the cancel is on its way its statement ends, and the next one of the connection runs. */
TASK_FN static void let_cancel_come_late(struct db_env *env, const struct event_draft *draft,
                                         const struct event_draft *other) {
    unsigned cancels = env->db->connections[0].canceller.begun_count;
    PGconn *pg = block_row(draft->id), *pg_other = block_row(other->id);
    struct side *stuck = start_side(env, draft, WORK_WRITE, 0), *innocent = start_side(env, other, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-late", 1));
    cancel_side(stuck);
    uint64_t limit_us = clock_now_us() + 10000000;
    while (env->db->connections[0].canceller.begun_count == cancels) { /* a pause would make us late ourselves */
        assert_true(clock_now_us() < limit_us);
        task_yield();
    }
    unblock(pg);
    WAIT_UNTIL(!env->db->connections[0].canceller.under_way);
    assert_false(innocent->done);
    unblock(pg_other);
    end_side(innocent);
    assert_int_equal(innocent->code, HERALD_OK);
    assert_true(innocent->right);
}

static void late_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), other = make_draft(env);
    for (int round = 0; env->db->hit_count < 3; round++) {
        assert_in_range(round, 0, 200);
        let_cancel_come_late(env, &draft, &other);
    }
    assert_int_equal(env->reports, 1);
}

static void test_cancel_that_comes_late_hits_nobody_for_good(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-late"), 1, late_body);
}

static void by_hand_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env);
    PGconn *pg = block_row(draft.id);
    struct side *write = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-by-hand", 1));
    hit("herald-test-by-hand");
    end_side(write);
    assert_int_equal(write->code, HERALD_UNAVAILABLE);
    assert_string_equal(write->error.origin, "57014");
    unblock(pg);
}

static void test_cancel_by_an_operator_is_reported(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-by-hand"), 1, by_hand_body);
}

static void shielded_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), other = make_draft(env);
    PGconn *pg = block_row(draft.id);
    struct side *stuck = start_side(env, &draft, WORK_WRITE, 0), *weary = start_side(env, &other, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-shield", 1));
    struct db_connection *connection = &env->db->connections[0];
    connection->sent.head->next->hits = 3;
    cancel_side(stuck);
    assert_int_equal(task_sleep(300, NULL), HERALD_OK); /* six times the wait before a cancel */
    assert_int_equal(connection->sent.head->cancels, 0);
    connection->sent.head->next->hits = 2;
    end_side(weary);
    assert_int_equal(weary->code, HERALD_OK);
    unblock(pg);
}

static void test_cancel_spares_a_request_that_was_hit_often(void **state) {
    (void)state;
    run_patient(schema_dsn_named("herald-test-shield"), 1, shielded_body);
}

/* ---- a storm ---- */

#define INNOCENTS 12
#define DOOMED    12
#define ROUNDS    40

struct storm {
    struct db_env *env;
    struct event_draft contested;
    unsigned wrong, done, doomed_wrong;
    PGconn *pg; /* the blocker's */
    atomic_bool over;
    bool failed; /* as the blocker says */
};

/* The row is blocked and let go in turns about as long as an abandoned statement lives, so that cancels come late. An assert
 * would end the test on this thread, so it only says what went wrong. */
static void *block_in_turns(void *arg) {
    struct storm *storm = arg;
    char block[128];
    (void)snprintf(block, sizeof(block), "BEGIN; SELECT FROM event_drafts WHERE id = '%s' FOR UPDATE",
                   storm->contested.id);
    for (long turn = 0; !atomic_load(&storm->over); turn++) {
        PGresult *result = PQexec(storm->pg, block);
        storm->failed |= PQresultStatus(result) != PGRES_TUPLES_OK;
        PQclear(result);
        const struct timespec pause = {.tv_nsec = 40000000 + turn % 7 * 10000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        result = PQexec(storm->pg, "ROLLBACK");
        storm->failed |= PQresultStatus(result) != PGRES_COMMAND_OK;
        PQclear(result);
    }
    return NULL;
}

TASK_FN static void be_innocent(void *arg) {
    struct storm *storm = arg;
    struct db *db = storm->env->db;
    struct event_draft draft = ready_draft(new_user()), got;
    storm->wrong += event_store_create(db, &draft, NULL, NULL) != HERALD_OK;
    for (int i = 0; i < ROUNDS; i++) {
        int objective = 1 + i % 4;
        bool right = event_store_set_objective(db, draft.id, draft.user_id, objective, &got, NULL) == HERALD_OK &&
                     event_store_load(db, draft.id, draft.user_id, &got, NULL) == HERALD_OK &&
                     strcmp(got.id, draft.id) == 0 && got.objective == objective;
        storm->wrong += !right;
        (void)task_sleep(10, NULL);
    }
    storm->done++;
}

TASK_FN static void be_doomed(void *arg) {
    struct storm *storm = arg;
    struct event_draft *draft = &storm->contested;
    while (storm->done < INNOCENTS) {
        struct side side; /* one after the other, as many as there is time for */
        begin_side(&side, storm->env, draft, WORK_WRITE, 10);
        end_side(&side);
        storm->doomed_wrong +=
            side.code != HERALD_OK && side.code != HERALD_OUTCOME_UNKNOWN && side.code != HERALD_DEADLINE_EXCEEDED;
    }
}

static void storm_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct storm storm = {.env = env, .contested = make_draft(env), .pg = admin_open()};
    pthread_t blocker;
    assert_int_equal(pthread_create(&blocker, NULL, block_in_turns, &storm), 0);
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < INNOCENTS; i++) {
        assert_ok(env, task_group_spawn(&group, "innocent", be_innocent, &storm, &env->error));
    }
    for (int i = 0; i < DOOMED; i++) {
        assert_ok(env, task_group_spawn(&group, "doomed", be_doomed, &storm, &env->error));
    }
    task_group_join(&group);
    atomic_store(&storm.over, true);
    assert_int_equal(pthread_join(blocker, NULL), 0);
    PQfinish(storm.pg);
    assert_false(storm.failed);
    assert_int_equal(storm.wrong, 0);
    assert_int_equal(storm.doomed_wrong, 0);
    assert_true(env->db->connections[0].canceller.begun_count + env->db->connections[1].canceller.begun_count > 0);
    assert_int_equal(env->reports, 1); /* no connection was lost */
}

static void test_cancel_storm_loses_no_innocent_request(void **state) {
    (void)state;
    run_patient(schema_dsn(), 2, storm_body);
}

/* ---- servers that do not answer ---- */

static struct relay *relay;

static void run_behind_relay(db_body_fn *body) {
    relay = relay_new();
    relay_open(relay);
    db_env_run(schema_dsn_at(relay_port(relay)), 1, body);
    relay_free(relay);
}

/* A write on a row that @env's only connection waits for, abandoned once it was sent. */
TASK_FN static PGconn *abandon_blocked_write(struct db_env *env, const struct event_draft *draft) {
    const struct db_connection *connection = &env->db->connections[0];
    PGconn *pg = block_row(draft->id);
    struct side *stuck = start_side(env, draft, WORK_WRITE, 0);
    WAIT_UNTIL(connection->sent.head && connection->sent.head->writes);
    cancel_side(stuck);
    assert_int_equal(stuck->code, HERALD_OUTCOME_UNKNOWN);
    return pg;
}

/* Such a write whose cancel is under way and will not be answered. */
TASK_FN static PGconn *begin_stalled_cancel(struct db_env *env, const struct event_draft *draft) {
    relay_stall(relay, true);
    PGconn *pg = abandon_blocked_write(env, draft);
    WAIT_UNTIL(env->db->connections[0].canceller.begun_count > 0);
    return pg;
}

static void close_body(struct db_env *env) {
    struct event_draft draft = make_draft(env);
    PGconn *pg = begin_stalled_cancel(env, &draft);
    db_close(env->db);
    env->closed = true;
    unblock(pg);
}

static void test_cancel_under_way_does_not_hold_up_closing(void **state) {
    (void)state;
    run_behind_relay(close_body);
}

static void unanswered_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), other = make_draft(env), got;
    PGconn *pg = begin_stalled_cancel(env, &draft);
    struct side *waiting = start_side(env, &other, WORK_WRITE, 0);
    WAIT_UNTIL(env->db->connections[0].retiring);
    assert_false(waiting->done); /* it was not put where the cancel may hit it */
    relay_stall(relay, false);
    unblock(pg);
    end_side(waiting); /* it was served within its two seconds, or was told */
    assert_true(waiting->code == HERALD_OK || waiting->code == HERALD_UNAVAILABLE);
    WAIT_UNTIL(env->serving && !env->db->connections[0].retiring);
    assert_ok(env, event_store_load(env->db, other.id, other.user_id, &got, &env->error));
    assert_int_equal(got.objective, waiting->code == HERALD_OK ? 4 : other.objective);
}

static void test_cancel_that_is_not_answered_gives_its_connection_up(void **state) {
    (void)state;
    run_behind_relay(unanswered_body);
}

static void lost_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = begin_stalled_cancel(env, &draft);
    relay_stall(relay, false);
    relay_cut(relay);
    WAIT_UNTIL(env->reports > 1 && env->serving); /* it was lost, and made anew */
    assert_null(env->db->connections[0].canceller.under_way);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    unblock(pg);
}

static void test_cancel_of_a_connection_that_is_lost_is_forgotten(void **state) {
    (void)state;
    run_behind_relay(lost_body);
}

static void refused_body(struct db_env *env) {
    const struct db_canceller *canceller = &env->db->connections[0].canceller;
    struct event_draft draft = make_draft(env), got;
    relay_bar(relay);
    PGconn *pg = abandon_blocked_write(env, &draft);
    WAIT_UNTIL(canceller->begun_count > 0 && !canceller->under_way);
    unblock(pg);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, 4); /* as nobody has told the server to stop */
    assert_int_equal(env->reports, 1);  /* on the same connection */
}

static void test_cancel_that_is_refused_does_no_harm(void **state) {
    (void)state;
    run_behind_relay(refused_body);
}

static void gone_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = abandon_blocked_write(env, &draft);
    relay_shut(relay); /* the server has gone: before, while or after it is asked */
    WAIT_UNTIL(env->reports > 1);
    unblock(pg);
    relay_open(relay);
    WAIT_UNTIL(env->serving);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

static void test_cancel_at_a_dead_server_does_no_harm(void **state) {
    (void)state;
    run_behind_relay(gone_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_running_statement_ends_and_those_behind_it_succeed),
        cmocka_unit_test(test_cancel_waits_until_the_abandoned_request_is_the_one_that_runs),
        cmocka_unit_test(test_cancel_of_many_on_one_connection_ends_them_in_turn),
        cmocka_unit_test(test_cancel_that_hits_another_request_is_invisible_to_its_task),
        cmocka_unit_test(test_cancel_that_comes_late_hits_nobody_for_good),
        cmocka_unit_test(test_cancel_by_an_operator_is_reported),
        cmocka_unit_test(test_cancel_spares_a_request_that_was_hit_often),
        cmocka_unit_test(test_cancel_storm_loses_no_innocent_request),
        cmocka_unit_test(test_cancel_under_way_does_not_hold_up_closing),
        cmocka_unit_test(test_cancel_that_is_not_answered_gives_its_connection_up),
        cmocka_unit_test(test_cancel_of_a_connection_that_is_lost_is_forgotten),
        cmocka_unit_test(test_cancel_that_is_refused_does_no_harm),
        cmocka_unit_test(test_cancel_at_a_dead_server_does_no_harm),
    };
    return cmocka_run_group_tests_name("integration.db.cancel", tests, schema_setup, schema_teardown);
}
