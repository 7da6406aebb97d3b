/* The lease of a process, with the claims of events. */
#include "client/base/clock.h"
#include "server/durable/instance.h"
#include "tests/integration/db/db_test.h"

#define LEASE_MS 1000
#define LONG_MS  600000
#define LOSING   "herald-test-losing" /* application name */

static struct instance *start_instance(struct db_env *env, uint32_t lease_ms) {
    const struct instance_options options = {
        .service = "event", .lease_ms = lease_ms, .bury = DB_QUERY_EVENT_BURY, .release = DB_QUERY_EVENT_RELEASE};
    struct instance *instance = NULL;
    assert_ok(env, instance_new(&options, &instance, &env->error));
    assert_false(instance_holds(instance, 0));
    assert_ok(env, instance_start(instance, env->loop, env->db, &env->error));
    return instance;
}

static long row_count_of(const char *id) {
    return sql_number("SELECT count(*) FROM instances WHERE id = '%s'", id);
}

static long held_count(const char *holder) {
    return sql_number("SELECT count(*) FROM event_drafts WHERE holder = '%s'", holder);
}

static bool is_released(const struct event_draft *event) {
    return sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND holder IS NULL AND attend_at <= now()",
                      event->id) == 1;
}

static void insert_instance(const char *id, const char *service, int alive_ms) {
    sql_run("INSERT INTO instances (id, service, alive_until) VALUES ('%s', '%s', now() + %d * interval '1 ms')", id,
            service, alive_ms);
}

/* instance_release() blocks, so that it runs on another thread. */
static void release_on_thread(void *arg) {
    instance_release(arg, 30000);
}

static void end_instance(struct db_env *env, struct instance *instance) {
    assert_ok(env, task_offload(release_on_thread, instance, &env->error));
    instance_free(instance);
}

#if HERALD_FAILPOINTS
static int64_t database_us(void) {
    return (int64_t)sql_number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
}

static int64_t hour_behind(void) {
    return -INT64_C(3600000000);
}

/* Its time lies between two looks at the database's clock, apart from the time that a renewal takes. */
DB_TEST(test_instance_now_is_the_time_of_the_database) {
    struct instance *instance = start_instance(env, LEASE_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    atomic_store(&herald_wall_shift, hour_behind);
    int64_t before_us = database_us();
    int64_t now_us = instance_now_us(instance);
    int64_t after_us = database_us();
    int64_t wall_us = instance_now_us(NULL);
    atomic_store(&herald_wall_shift, NULL);
    assert_true(now_us > before_us - INT64_C(60000000));
    assert_true(now_us < after_us + INT64_C(60000000));
    assert_true(wall_us < now_us - INT64_C(3000000000));
    end_instance(env, instance);
}
#endif

DB_TEST(test_instance_releases_the_claims_of_processes_that_have_died) {
    const char *dead = new_id(), *alive = new_id(), *unknown = new_id(), *other = new_id();
    struct event_draft of_dead[3];
    for (int i = 0; i < 3; i++) {
        of_dead[i] = make_held(env, dead);
    }
    struct event_draft of_unknown = make_held(env, unknown); /* claimed after its process was buried */
    (void)make_held(env, alive);
    insert_instance(dead, "event", -1);
    insert_instance(alive, "event", LONG_MS);
    insert_instance(other, "distribution", -1);
    struct instance *instance = start_instance(env, LEASE_MS);
    struct event_draft mine = make_held(env, instance_id(instance));
    WAIT_UNTIL(is_released(&of_dead[0]));
    for (int i = 1; i < 3; i++) {
        assert_true(is_released(&of_dead[i]));
    }
    assert_true(is_released(&of_unknown));
    assert_int_equal(row_count_of(dead), 0);
    assert_int_equal(row_count_of(other), 1); /* of another service: not ours to bury */
    assert_int_equal(held_count(alive), 1);
    assert_false(is_released(&mine));
    end_instance(env, instance);
}

DB_TEST(test_instance_that_cannot_renew_loses_its_lease_and_gets_it_back) {
    struct instance *instance = start_instance(env, LEASE_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    assert_false(instance_holds(instance, LEASE_MS));
    PGconn *pg = admin_open();
    admin_run(pg, "BEGIN");
    admin_run(pg, "LOCK TABLE instances IN EXCLUSIVE MODE");
    WAIT_UNTIL(!instance_holds(instance, 0));
    admin_run(pg, "COMMIT");
    PQfinish(pg);
    WAIT_UNTIL(instance_holds(instance, 0));
    end_instance(env, instance);
}

DB_TEST(test_instance_release_frees_its_claims_at_once) {
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    const char *id = instance_id(instance), *other = new_id();
    insert_instance(other, "event", LONG_MS); /* else the next renewal would release its claim */
    struct event_draft mine = make_held(env, id);
    (void)make_held(env, other);
    assert_int_equal(row_count_of(id), 1);
    assert_ok(env, task_offload(release_on_thread, instance, &env->error));
    assert_true(is_released(&mine));
    assert_int_equal(row_count_of(id), 0);
    assert_int_equal(held_count(other), 1);
    assert_false(instance_holds(instance, 0));
    assert_ok(env, task_offload(release_on_thread, instance, &env->error)); /* again: nothing */
    instance_free(instance);
}

/* A process as another one sees it: with the session of @pg, and a long lease. */
static void insert_with_session(const char *id, PGconn *pg, int sure_ms) {
    sql_run("INSERT INTO instances (id, service, alive_until, sure_until, backend_pid, backend_start) "
            "SELECT '%s', 'event', now() + interval '1 h', now() + %d * interval '1 ms', pid, backend_start "
            "FROM pg_stat_get_activity(%d)",
            id, sure_ms, PQbackendPID(pg));
}

static void count_release(void *user) {
    unsigned *count = user;
    (*count)++;
}

DB_TEST(test_instance_buries_a_process_whose_session_has_ended_long_before_its_lease) {
    const char *dead = new_id(), *alive = new_id();
    PGconn *of_dead = admin_open(), *of_alive = admin_open();
    struct event_draft held = make_held(env, dead);
    (void)make_held(env, alive);
    insert_with_session(dead, of_dead, -1);
    insert_with_session(alive, of_alive, -1);
    struct instance *instance = NULL;
    const struct instance_options options = {
        .service = "event", .lease_ms = LONG_MS, .bury = DB_QUERY_EVENT_BURY, .release = DB_QUERY_EVENT_RELEASE};
    unsigned releases = 0;
    assert_ok(env, instance_new(&options, &instance, &env->error));
    instance_on_release(instance, count_release, &releases);
    assert_ok(env, instance_start(instance, env->loop, env->db, &env->error));
    WAIT_UNTIL(instance_holds(instance, 0));
    assert_false(is_released(&held)); /* its session is open: it only stands still */
    PQfinish(of_dead);
    WAIT_UNTIL(is_released(&held));
    WAIT_UNTIL(releases > 0); /* one may be of what other tests have left */
    assert_int_equal(row_count_of(dead), 0);
    assert_int_equal(held_count(alive), 1);
    PQfinish(of_alive);
    WAIT_UNTIL(row_count_of(alive) == 0);
    end_instance(env, instance);
}

/* Holds up the renewals of an instance until its lease is over, and ends the session of another process meanwhile.
 * @restart  the instance's own sessions end too */
static void lose_the_lease(struct instance *instance, PGconn *of_other, bool restart) {
    PGconn *pg = admin_open();
    admin_run(pg, "BEGIN");
    admin_run(pg, "LOCK TABLE instances IN EXCLUSIVE MODE");
    WAIT_UNTIL(!instance_holds(instance, 0));
    admin_run(pg, "UPDATE instances SET sure_until = now() WHERE sure_until > now() + interval '1 min'");
    PQfinish(of_other);
    if (restart) {
        sql_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" LOSING "'");
    }
    admin_run(pg, "COMMIT");
    PQfinish(pg);
    WAIT_UNTIL(instance_holds(instance, 0));
}

/* How long an instance that could not renew in time leaves another one alone whose session has ended. */
static long burial_ms(struct db_env *env, bool restart) {
    const char *other = new_id();
    PGconn *of_other = admin_open();
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    insert_with_session(other, of_other, LONG_MS);
    (void)make_held(env, other);
    lose_the_lease(instance, of_other, restart);
    long back_ms = sql_number("SELECT extract(epoch FROM clock_timestamp()) * 1000");
    WAIT_UNTIL(held_count(other) == 0);
    long ms = sql_number("SELECT extract(epoch FROM clock_timestamp()) * 1000") - back_ms;
    end_instance(env, instance);
    return ms;
}

static void losing_body(struct db_env *env) {
    assert_true(burial_ms(env, true) > 2000);
    /* At once, unless the machine stands still meanwhile: the fastest of some tries tells. */
    long fastest_ms = LONG_MS;
    for (int i = 0; i < 5 && fastest_ms >= 2000; i++) {
        long ms = burial_ms(env, false);
        fastest_ms = ms < fastest_ms ? ms : fastest_ms;
    }
    assert_true(fastest_ms < 2000);
}

static void test_instance_judges_nobody_by_sessions_only_after_all_have_ended(void **state) {
    (void)state;
    db_env_run(schema_dsn_named(LOSING), 4, losing_body);
}

DB_TEST(test_instance_leaves_a_process_alone_that_may_believe_in_its_lease) {
    const char *other = new_id();
    PGconn *pg = admin_open();
    (void)make_held(env, other);
    insert_with_session(other, pg, LONG_MS);
    PQfinish(pg);
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    WAIT_UNTIL(sql_number("SELECT count(*) FROM instances WHERE id = '%s' AND sure_until > started_at + "
                          "interval '1700 ms'",
                          instance_id(instance)) == 1); /* renewed some times */
    assert_int_equal(held_count(other), 1);
    assert_int_equal(row_count_of(other), 1);
    end_instance(env, instance);
}

DB_TEST(test_instance_that_was_buried_keeps_no_claim_of_before) {
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    uint64_t era = instance_era(instance);
    assert_true(instance_keeps(instance, era, 0));
    sql_run("DELETE FROM instances WHERE id = '%s'", instance_id(instance));
    WAIT_UNTIL(row_count_of(instance_id(instance)) == 1);
    WAIT_UNTIL(instance_era(instance) == era + 1);
    assert_true(instance_wait(instance, 0, 30000));
    assert_false(instance_keeps(instance, era, 0));
    assert_true(instance_keeps(instance, era + 1, 0));
    end_instance(env, instance);
}

/* As if the answer of the renewal that made the row anew were lost: the next one only finds it. */
DB_TEST(test_instance_whose_row_was_made_anew_unseen_keeps_no_claim_of_before) {
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(instance_holds(instance, 0));
    uint64_t era = instance_era(instance);
    sql_run("UPDATE instances SET started_at = started_at + interval '1 ms' WHERE id = '%s'", instance_id(instance));
    WAIT_UNTIL(instance_era(instance) == era + 1);
    assert_false(instance_keeps(instance, era, 0));
    end_instance(env, instance);
}

DB_TEST(test_instance_that_buries_makes_records_of_the_dead_due) {
    const char *dead = new_id();
    insert_instance(dead, "event", -1);
    sql_run("TRUNCATE outbox");
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, value, next_try_at) "
            "SELECT gen_random_uuid(), kind, owner, 't', 'k', '', '', '', '', now() + interval '1 h' "
            "FROM (VALUES ('KAFKA', 'event'), ('CACHE_DELETE', 'event'), ('KAFKA', 'job')) AS row (kind, owner)");
    struct instance *instance = start_instance(env, LONG_MS);
    WAIT_UNTIL(row_count_of(dead) == 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE next_try_at <= now()"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE next_try_at <= now() AND kind = 'KAFKA' AND "
                                "owner = 'event'"),
                     1);
    end_instance(env, instance);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if HERALD_FAILPOINTS
        cmocka_unit_test(test_instance_now_is_the_time_of_the_database),
#endif
        cmocka_unit_test(test_instance_releases_the_claims_of_processes_that_have_died),
        cmocka_unit_test(test_instance_that_cannot_renew_loses_its_lease_and_gets_it_back),
        cmocka_unit_test(test_instance_release_frees_its_claims_at_once),
        cmocka_unit_test(test_instance_buries_a_process_whose_session_has_ended_long_before_its_lease),
        cmocka_unit_test(test_instance_judges_nobody_by_sessions_only_after_all_have_ended),
        cmocka_unit_test(test_instance_leaves_a_process_alone_that_may_believe_in_its_lease),
        cmocka_unit_test(test_instance_that_was_buried_keeps_no_claim_of_before),
        cmocka_unit_test(test_instance_whose_row_was_made_anew_unseen_keeps_no_claim_of_before),
        cmocka_unit_test(test_instance_that_buries_makes_records_of_the_dead_due),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
