/* The lease of a process, with the claims of events. */
#include "server/durable/instance.h"
#include "tests/integration/db/db_test.h"

#define LEASE_MS 1000
#define LONG_MS  600000

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instance_releases_the_claims_of_processes_that_have_died),
        cmocka_unit_test(test_instance_that_cannot_renew_loses_its_lease_and_gets_it_back),
        cmocka_unit_test(test_instance_release_frees_its_claims_at_once),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
