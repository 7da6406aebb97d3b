#include "herald/uuid.h"
#include "server/durable/reply_pruner.h"
#include "server/durable/signatures.h"
#include "server/rpc/auth.h"
#include "server/runtime/call.h"
#include "tests/integration/db/db_test.h"

#include <string.h>

/* A signature that is @age_ms old. */
static struct rpc_signature signature_of_age(int64_t age_ms) {
    struct rpc_signature signature = {.time_ms = clock_wall_us() / 1000 - age_ms};
    char random[37];
    herald_uuid7(random);
    memcpy(signature.id, random + 37 - 1 - sizeof(signature.id), sizeof(signature.id));
    return signature;
}

/* As the migration leaves it, an hour later. */
static void remember_for_an_hour(void) {
    sql_run("UPDATE signature_memory SET began_at = now() - interval '1 hour'");
}

/* As a crash or a fail-over of the database leaves unlogged tables. */
static void forget(void) {
    sql_run("TRUNCATE signatures, signature_memory");
}

DB_TEST(test_signature_is_taken_once_by_all_processes) {
    remember_for_an_hour();
    struct rpc_signature one = signature_of_age(20000), other = signature_of_age(20000);
    assert_ok(env, signatures_take(env->db, &one, &env->error));
    assert_ok(env, signatures_take(env->db, &other, &env->error));
    assert_code(env, signatures_take(env->db, &one, &env->error), HERALD_UNAUTHENTICATED);
    assert_string_equal(env->error.reason, "REPLAYED");
    assert_false(env->call->has_effect); /* a call that fails after it may be repeated */
}

DB_TEST(test_signature_from_before_the_memory_was_lost_is_refused_until_it_is_made_anew) {
    remember_for_an_hour();
    struct rpc_signature taken = signature_of_age(0);
    assert_ok(env, signatures_take(env->db, &taken, &env->error));
    forget();
    assert_code(env, signatures_take(env->db, &taken, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "SIGNED_BEFORE_START");
    assert_in_range(env->error.retry_after_ms, 1, AUTH_AGAIN_MOST_MS);
    struct rpc_signature untaken = signature_of_age(5000);
    assert_code(env, signatures_take(env->db, &untaken, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "SIGNED_BEFORE_START");
    assert_int_equal(env->error.retry_after_ms, AUTH_AGAIN_MOST_MS);
    enum herald_code code = HERALD_UNAVAILABLE;
    for (int i = 0; i < 20 && code == HERALD_UNAVAILABLE; i++) { /* as a client does */
        struct rpc_signature anew = signature_of_age(0);
        code = signatures_take(env->db, &anew, &env->error);
        assert_int_equal(task_sleep(code == HERALD_OK ? 1 : env->error.retry_after_ms, NULL), HERALD_OK);
    }
    assert_int_equal(code, HERALD_OK);
}

DB_TEST(test_signature_memory_that_began_in_the_future_begins_anew) {
    sql_run("UPDATE signature_memory SET began_at = now() + interval '1 hour'"); /* the clock was set back */
    struct rpc_signature signature = signature_of_age(0);
    assert_code(env, signatures_take(env->db, &signature, &env->error), HERALD_UNAVAILABLE);
    assert_int_equal(sql_number("SELECT count(*) FROM signature_memory WHERE began_at <= now()"), 1);
}

DB_TEST(test_signature_without_a_database_is_refused_as_not_done) {
    struct rpc_signature signature = signature_of_age(0);
    db_close(env->db);
    env->closed = true;
    assert_code(env, signatures_take(env->db, &signature, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "DATABASE_UNAVAILABLE");
    assert_false(env->call->has_effect);
}

struct lost_answer {
    struct db_env *env;
    enum herald_code code;
};

TASK_FN static void take_one(void *arg) {
    struct lost_answer *lost = arg;
    struct rpc_signature signature = signature_of_age(0);
    lost->code = signatures_take(lost->env->db, &signature, &lost->env->error);
}

/* The statement waits for another process's, and its session ends: nobody knows whether it was stored. */
DB_TEST(test_signature_whose_answer_is_lost_is_refused_as_not_done) {
    remember_for_an_hour();
    struct lost_answer lost = {.env = env};
    struct task_group group;
    PGconn *other = admin_open();
    admin_run(other, "BEGIN; LOCK TABLE signatures IN EXCLUSIVE MODE");
    task_group_init(&group);
    assert_ok(env, task_group_spawn(&group, "take", take_one, &lost, &env->error));
    WAIT_UNTIL(sql_number("SELECT count(pg_terminate_backend(pid)) FROM pg_locks "
                          "WHERE relation = 'signatures'::regclass AND NOT granted") == 1);
    task_group_join(&group);
    PQfinish(other);
    assert_int_equal(lost.code, HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "DATABASE_UNAVAILABLE");
    assert_false(env->call->has_effect);
}

static void count_error(void *user, const struct herald_error *error) {
    (void)error;
    ++*(unsigned *)user;
}

DB_TEST(test_signatures_are_deleted_when_no_process_takes_them_any_more) {
    unsigned errors = 0;
    struct reply_pruner *pruner = NULL;
    const struct reply_pruner_options options = {
        .loop = env->loop, .db = env->db, .interval_ms = 20, .on_error = count_error, .user = &errors};
    forget();
    sql_run("INSERT INTO signatures (signature, taken_at) SELECT decode(lpad(to_hex(i), 32, '0'), 'hex'), now() - "
            "CASE WHEN i <= 2500 THEN interval '125 s' ELSE interval '60 s' END FROM generate_series(1, 2507) AS i");
    assert_ok(env, reply_pruner_start(&options, &pruner, &env->error));
    WAIT_UNTIL(sql_number("SELECT count(*) FROM signatures") == 7);
    reply_pruner_stop(pruner);
    assert_int_equal(errors, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature_is_taken_once_by_all_processes),
        cmocka_unit_test(test_signature_from_before_the_memory_was_lost_is_refused_until_it_is_made_anew),
        cmocka_unit_test(test_signature_memory_that_began_in_the_future_begins_anew),
        cmocka_unit_test(test_signature_without_a_database_is_refused_as_not_done),
        cmocka_unit_test(test_signature_whose_answer_is_lost_is_refused_as_not_done),
        cmocka_unit_test(test_signatures_are_deleted_when_no_process_takes_them_any_more),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
