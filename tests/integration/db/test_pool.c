/* The pool: pipelining, lost connections, deadlines, health. */
#include "server/store/postgres/pool.h"
#include "server/store/postgres/prepare.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/relay.h"
#include "tests/integration/db/side.h"

/* ---- many at once ---- */

#define MANY 500

struct many {
    struct db_env *env;
    unsigned wrong, done;
};

/* Each task's results are its own: they are matched by order alone. */
TASK_FN static void create_and_load(void *arg) {
    struct many *many = arg;
    struct db_env *env = many->env;
    struct event_draft draft = ready_draft(new_user()), got;
    draft.title = draft.id;
    bool right = event_store_create(env->db, &draft, NULL, NULL) == HERALD_OK &&
                 event_store_load(env->db, draft.id, draft.user_id, &got, NULL) == HERALD_OK &&
                 strcmp(got.title, draft.id) == 0 &&
                 event_store_load(env->db, new_id(), draft.user_id, &got, NULL) == HERALD_NOT_FOUND &&
                 event_store_load(env->db, "bad", draft.user_id, &got, NULL) == HERALD_INTERNAL &&
                 event_store_set_objective(env->db, draft.id, draft.user_id, 1, &got, NULL) == HERALD_OK &&
                 got.objective == 1 && strcmp(got.id, draft.id) == 0;
    many->wrong += !right;
    many->done++;
}

DB_TEST(test_pool_500_tasks_at_once_each_get_their_own_results) {
    struct many many = {.env = env};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < MANY; i++) {
        assert_ok(env, task_group_spawn(&group, "one of many", create_and_load, &many, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(many.done, MANY);
    assert_int_equal(many.wrong, 0);
}

static void pipelines_body(struct db_env *env) {
    WAIT_UNTIL(env->db->ready_count == 2); /* preparing needs the table too */
    struct event_draft draft = make_draft(env);
    PGconn *pg = block_table();
    struct side *sides[20];
    for (int i = 0; i < 20; i++) {
        sides[i] = start_side(env, &draft, WORK_READ, 0);
    }
    WAIT_UNTIL(blocked("herald-test-pipeline", 2)); /* both connections are stuck at their first */
    assert_int_equal(env->db->connections[0].sent.length + env->db->connections[1].sent.length, 20);
    assert_int_equal(env->db->connections[0].sent.length, 10);
    unblock(pg);
    for (int i = 0; i < 20; i++) {
        end_side(sides[i]);
        assert_int_equal(sides[i]->code, HERALD_OK);
    }
}

static void test_pool_sends_many_requests_on_each_connection_without_waiting(void **state) {
    (void)state;
    db_env_run(schema_dsn_named("herald-test-pipeline"), 2, pipelines_body);
}

struct big {
    struct db_env *env;
    const char *summary;
    unsigned wrong;
};

TASK_FN static void store_big(void *arg) {
    struct big *big = arg;
    struct event_draft draft = ready_draft(new_user()), got;
    draft.recommendation_summary = big->summary;
    bool right = event_store_create(big->env->db, &draft, NULL, NULL) == HERALD_OK &&
                 event_store_load(big->env->db, draft.id, draft.user_id, &got, NULL) == HERALD_OK &&
                 strcmp(got.recommendation_summary, big->summary) == 0;
    big->wrong += !right;
}

DB_TEST(test_pool_values_larger_than_the_sockets_buffers_pass) {
    enum { BYTES = 1 << 20 };
    char *summary = arena_alloc(call_arena(), BYTES + 1);
    memset(summary, 'x', BYTES);
    summary[BYTES] = '\0';
    struct big big = {.env = env, .summary = summary};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 24; i++) {
        assert_ok(env, task_group_spawn(&group, "big", store_big, &big, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(big.wrong, 0);
}

/* ---- lost connections ---- */

/* A load while lost connections are remade is served within its two seconds, or told; one after that is served. */
TASK_FN static void load_beside_remaking(struct db_env *env, const struct event_draft *draft,
                                         struct event_draft *ret_got) {
    enum herald_code code = event_store_load(env->db, draft->id, draft->user_id, ret_got, NULL);
    assert_true(code == HERALD_OK || code == HERALD_UNAVAILABLE);
    WAIT_UNTIL(env->serving);
    assert_ok(env, event_store_load(env->db, draft->id, draft->user_id, ret_got, &env->error));
}

static void terminate_body(struct db_env *env) {
    WAIT_UNTIL(env->db->ready_count == 2); /* preparing needs the table too */
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = block_table();
    struct side *read = start_side(env, &draft, WORK_READ, 0), *write = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-kill", 2));
    assert_int_equal(sql_number("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                "WHERE application_name = 'herald-test-kill'"),
                     2);
    end_side(read);
    end_side(write);
    assert_int_equal(read->code, HERALD_UNAVAILABLE);
    assert_string_equal(read->error.reason, "DATABASE_UNAVAILABLE");
    assert_int_equal(write->code, HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(write->error.reason, "DATABASE_OUTCOME_UNKNOWN");
    assert_non_null(strstr(write->error.message, "event_set_objective"));
    unblock(pg);
    load_beside_remaking(env, &draft, &got);
    assert_int_equal(got.objective, draft.objective);
}

static void test_pool_backend_killed_in_flight_is_unknown_or_unavailable_then_recovers(void **state) {
    (void)state;
    db_env_run(schema_dsn_named("herald-test-kill"), 2, terminate_body);
}

static struct relay *relay;

static void swallow_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), got;
    relay_swallow_answers(relay, true);
    struct side *write = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND objective = 'AWARENESS'", draft.id) ==
               1);
    assert_false(write->done);
    relay_swallow_answers(relay, false);
    relay_cut(relay);
    end_side(write);
    assert_int_equal(write->code, HERALD_OUTCOME_UNKNOWN); /* and indeed it was committed */
    load_beside_remaking(env, &draft, &got);
    assert_int_equal(got.objective, 4);
}

static void test_pool_commit_whose_answer_is_lost_is_outcome_unknown(void **state) {
    (void)state;
    relay = relay_new();
    relay_open(relay);
    db_env_run(schema_dsn_at(relay_port(relay)), 1, swallow_body);
    relay_free(relay);
}

static void away_at_start_body(struct db_env *env) {
    WAIT_UNTIL(env->reports > 0);
    assert_false(env->serving);
    assert_non_null(strstr(env->message, "cannot connect"));
    assert_non_null(strstr(env->message, "refused"));
    struct event_draft draft = ready_draft(new_user()), got;
    uint64_t before_us = clock_now_us();
    assert_code(env, event_store_create(env->db, &draft, NULL, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "DATABASE_UNAVAILABLE");
    assert_non_null(strstr(env->error.message, "refused"));
    assert_true(env->error.retry_after_ms > 0);
    assert_in_range(clock_now_us() - before_us, 1900000, 8000000);
    struct side *waiting = start_side(env, &draft, WORK_READ, 0);
    task_yield();
    relay_open(relay);
    end_side(waiting); /* it was served within its two seconds, or was told */
    assert_true(waiting->code == HERALD_NOT_FOUND || waiting->code == HERALD_UNAVAILABLE);
    WAIT_UNTIL(env->serving);
    assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    relay_shut(relay);
    WAIT_UNTIL(!env->serving);
    relay_open(relay);
    WAIT_UNTIL(env->serving);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

static void test_pool_database_away_at_start_and_later_says_so_and_recovers(void **state) {
    (void)state;
    relay = relay_new();
    db_env_run_unready(schema_dsn_at(relay_port(relay)), 2, 10000, away_at_start_body);
    relay_free(relay);
}

static void queue_body(struct db_env *env) {
    struct event_draft draft = ready_draft(new_user());
    struct side *short_one = start_side(env, &draft, WORK_WRITE, 100),
                *cancelled = start_side(env, &draft, WORK_WRITE, 0);
    struct side *waiting = start_side(env, &draft, WORK_READ, 0);
    task_yield();
    assert_int_equal(db_waiting_length(&env->db->waiting), 3);
    task_cancel_call(env->loop, &cancelled->call, HERALD_CANCELLED);
    end_side(cancelled);
    end_side(short_one);
    assert_int_equal(cancelled->code, HERALD_CANCELLED); /* nothing was sent */
    assert_int_equal(short_one->code, HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(db_waiting_length(&env->db->waiting), 1);
    relay_open(relay);
    end_side(waiting); /* it was served within its two seconds, or was told */
    assert_true(waiting->code == HERALD_NOT_FOUND || waiting->code == HERALD_UNAVAILABLE);
}

static void test_pool_queued_request_leaves_at_its_deadline_or_cancellation(void **state) {
    (void)state;
    relay = relay_new();
    db_env_run_unready(schema_dsn_at(relay_port(relay)), 1, 10000, queue_body);
    relay_free(relay);
}

#define SHORT_QUEUE 500 /* the sanitizers bear that many tasks */

struct crowd {
    struct db_env *env;
    unsigned full, unavailable, other;
};

TASK_FN static void join_crowd(void *arg) {
    struct crowd *crowd = arg;
    int objective = 0;
    const char *id = NULL;
    enum herald_code code = event_store_purpose(crowd->env->db, "nobody", &objective, &id, NULL);
    crowd->full += code == HERALD_RESOURCE_EXHAUSTED;
    crowd->unavailable += code == HERALD_UNAVAILABLE;
    crowd->other += code != HERALD_RESOURCE_EXHAUSTED && code != HERALD_UNAVAILABLE;
}

static void full_queue_body(struct db_env *env) {
    struct crowd crowd = {.env = env};
    struct task_group group;
    env->db->queue_limit = SHORT_QUEUE;
    task_group_init(&group);
    for (int i = 0; i < SHORT_QUEUE + 5; i++) {
        assert_ok(env, task_group_spawn(&group, "crowd", join_crowd, &crowd, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(crowd.full, 5);
    assert_int_equal(crowd.unavailable, SHORT_QUEUE);
    assert_int_equal(crowd.other, 0);
}

static void test_pool_full_queue_refuses_at_once(void **state) {
    (void)state;
    relay = relay_new();
    db_env_run_unready(schema_dsn_at(relay_port(relay)), 1, 10000, full_queue_body);
    relay_free(relay);
}

/* ---- deadlines of what was sent ---- */

static void deadline_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), other = make_draft(env), got;
    PGconn *pg = block_table();
    struct side *read = start_side(env, &draft, WORK_READ, 150), *write = start_side(env, &draft, WORK_WRITE, 150);
    struct side *cancelled = start_side(env, &draft, WORK_READ, 0), *behind = start_side(env, &other, WORK_READ, 0);
    task_yield(); /* all are sent: looking blocks the thread, perhaps beyond their deadlines */
    WAIT_UNTIL(blocked("herald-test-deadline", 1));
    task_cancel_call(env->loop, &cancelled->call, HERALD_CANCELLED);
    end_side(read);
    end_side(write);
    end_side(cancelled);
    assert_int_equal(read->code, HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(write->code, HERALD_OUTCOME_UNKNOWN);
    assert_int_equal(cancelled->code, HERALD_CANCELLED);
    WAIT_UNTIL(env->db->connections[0].sent.length == 1); /* those were cancelled one after the other */
    assert_false(behind->done);
    unblock(pg);
    end_side(behind); /* the abandoned results before it were dropped, its own are its own */
    assert_true(behind->right);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, draft.objective); /* nothing came of the abandoned write */
    assert_int_equal(env->reports, 1);                /* on the same connection */
}

static void test_pool_sent_request_past_its_deadline_is_dropped_and_the_next_is_served(void **state) {
    (void)state;
    db_env_run(schema_dsn_named("herald-test-deadline"), 1, deadline_body);
}

DB_TEST(test_pool_call_that_is_over_sends_nothing) {
    struct event_draft draft = make_draft(env), got;
    struct side *side = start_side(env, &draft, WORK_WRITE, 0);
    task_cancel_call(env->loop, &side->call, HERALD_CANCELLED);
    end_side(side);
    assert_int_equal(side->code, HERALD_CANCELLED);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, draft.objective);
}

static void statement_timeout_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = block_table();
    struct side *write = start_side(env, &draft, WORK_WRITE, 0);
    end_side(write);
    assert_int_equal(write->code, HERALD_UNAVAILABLE);
    assert_string_equal(write->error.origin, "57014");
    unblock(pg);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.objective, draft.objective);
    assert_int_equal(env->reports, 1);
}

static void test_pool_statement_timeout_is_unavailable_and_nothing_happened(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn(), 1, 300, statement_timeout_body);
}

/* ---- statements and tables that do not fit ---- */

static void wrong_statement_body(struct db_env *env) {
    WAIT_UNTIL(env->reports > 0);
    assert_false(env->serving);
    assert_non_null(strstr(env->message, "db/queries/job_"));
    assert_non_null(strstr(env->message, ".sql:"));
    assert_non_null(strstr(env->message, "42703"));
    assert_non_null(strstr(env->message, "heraldctl migrate"));
    sql_run("ALTER TABLE jobs RENAME COLUMN progress TO progress_percent");
    WAIT_UNTIL(env->serving);
}

static void test_pool_wrong_statement_is_named_by_file_and_sqlstate(void **state) {
    (void)state;
    sql_run("ALTER TABLE jobs RENAME COLUMN progress_percent TO progress");
    db_env_run_unready(schema_dsn(), 2, 10000, wrong_statement_body);
}

/* Queries of one row type are read by one function: the build sees to the names, here are the types. */
static void test_pool_queries_of_one_row_type_have_columns_of_the_same_types(void **state) {
    (void)state;
    PGconn *pg = admin_open();
    PGresult *first[DB_ROW_TYPE_COUNT] = {0};
    for (int query = 0; query < DB_QUERY_COUNT; query++) {
        const struct db_query_text *text = &db_query_texts[query];
        char why[256] = "";
        PQclear(PQprepare(pg, text->name, text->sql, 0, NULL));
        PGresult *described = PQdescribePrepared(pg, text->name);
        assert_true(db_prepare_check_described(text, described, why, sizeof(why)));
        for (int column = 0; first[text->row] && column < PQnfields(described); column++) {
            assert_int_equal(PQftype(described, column), PQftype(first[text->row], column));
        }
        PQclear(first[text->row]);
        first[text->row] = described;
    }
    for (int row = 0; row < DB_ROW_TYPE_COUNT; row++) {
        PQclear(first[row]);
    }
    PQfinish(pg);
}

static void missing_schema_body(struct db_env *env) {
    WAIT_UNTIL(env->reports > 0);
    assert_false(env->serving);
    assert_non_null(strstr(env->message, "42P01"));
    assert_non_null(strstr(env->message, "run heraldctl migrate"));
}

static void test_pool_without_schema_says_to_migrate(void **state) {
    (void)state;
    db_env_run_unready(schema_dsn_in("pg_catalog"), 1, 10000, missing_schema_body);
}

static void changed_table_body(struct db_env *env) {
    struct event_draft draft = make_draft(env), got;
    for (int i = 0; i < 10; i++) { /* past the point where the server keeps the plan */
        assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    }
    sql_run("ALTER TABLE event_drafts ALTER COLUMN title TYPE varchar(1000)");
    assert_code(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.origin, "0A000");
    load_beside_remaking(env, &draft, &got);
    sql_run("ALTER TABLE event_drafts ALTER COLUMN title TYPE text");
}

static void test_pool_table_changed_under_its_statements_prepares_them_again(void **state) {
    (void)state;
    db_env_run(schema_dsn(), 1, changed_table_body);
}

/* ---- opening and closing ---- */

static void close_body(struct db_env *env) {
    struct event_draft draft = make_draft(env);
    PGconn *pg = block_table();
    struct side *read = start_side(env, &draft, WORK_READ, 0), *write = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(blocked("herald-test-close", 1));
    struct side *left = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(env->db->connections[0].sent.length == 3);
    cancel_side(left);
    db_close(env->db);
    env->closed = true;
    end_side(read);
    end_side(write);
    assert_int_equal(read->code, HERALD_UNAVAILABLE);
    assert_int_equal(write->code, HERALD_OUTCOME_UNKNOWN);
    assert_int_equal(left->code, HERALD_OUTCOME_UNKNOWN);
    unblock(pg);
    assert_int_equal(env->reports, 1); /* closing is not an outage */
}

static void test_pool_close_ends_requests_in_flight(void **state) {
    (void)state;
    db_env_run(schema_dsn_named("herald-test-close"), 1, close_body);
}

static void close_queued_body(struct db_env *env) {
    struct event_draft draft = ready_draft(new_user());
    struct side *queued = start_side(env, &draft, WORK_WRITE, 0);
    task_yield();
    db_close(env->db);
    env->closed = true;
    end_side(queued);
    assert_int_equal(queued->code, HERALD_UNAVAILABLE);
}

static void test_pool_close_ends_queued_requests(void **state) {
    (void)state;
    relay = relay_new();
    db_env_run_unready(schema_dsn_at(relay_port(relay)), 1, 10000, close_queued_body);
    relay_free(relay);
}

static void test_pool_bad_connection_string_is_refused_without_quoting_it(void **state) {
    (void)state;
    struct loop *loop = NULL;
    assert_int_equal(loop_new(0, &loop, NULL), HERALD_OK);
    struct db_options options = {.dsn = "host=x password = top secret", .connections = 1};
    struct db *db = NULL;
    struct herald_error error = {0};
    assert_int_equal(db_open(loop, &options, &db, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "BAD_DSN");
    assert_null(strstr(error.message, "secret"));
    assert_null(db);
    loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_500_tasks_at_once_each_get_their_own_results),
        cmocka_unit_test(test_pool_sends_many_requests_on_each_connection_without_waiting),
        cmocka_unit_test(test_pool_values_larger_than_the_sockets_buffers_pass),
        cmocka_unit_test(test_pool_backend_killed_in_flight_is_unknown_or_unavailable_then_recovers),
        cmocka_unit_test(test_pool_commit_whose_answer_is_lost_is_outcome_unknown),
        cmocka_unit_test(test_pool_database_away_at_start_and_later_says_so_and_recovers),
        cmocka_unit_test(test_pool_queued_request_leaves_at_its_deadline_or_cancellation),
        cmocka_unit_test(test_pool_full_queue_refuses_at_once),
        cmocka_unit_test(test_pool_sent_request_past_its_deadline_is_dropped_and_the_next_is_served),
        cmocka_unit_test(test_pool_call_that_is_over_sends_nothing),
        cmocka_unit_test(test_pool_statement_timeout_is_unavailable_and_nothing_happened),
        cmocka_unit_test(test_pool_wrong_statement_is_named_by_file_and_sqlstate),
        cmocka_unit_test(test_pool_queries_of_one_row_type_have_columns_of_the_same_types),
        cmocka_unit_test(test_pool_without_schema_says_to_migrate),
        cmocka_unit_test(test_pool_table_changed_under_its_statements_prepares_them_again),
        cmocka_unit_test(test_pool_close_ends_requests_in_flight),
        cmocka_unit_test(test_pool_close_ends_queued_requests),
        cmocka_unit_test(test_pool_bad_connection_string_is_refused_without_quoting_it),
    };
    return cmocka_run_group_tests_name("integration.db.pool", tests, schema_setup, schema_teardown);
}
