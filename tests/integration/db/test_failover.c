/* A primary that dies and a standby that takes over, beside tests/integration/db/failover. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/side.h"

#include <stdlib.h>

#define WRITERS 20

static void command(const char *what) {
    char text[512];
    (void)snprintf(text, sizeof(text), "\"$HERALD_TEST_FAILOVER\" %s", what);
    assert_int_equal(system(text), 0);
}

/* What heraldctl doctor says of Postgres. */
static bool doctor_says(const char *text) {
    /* its first check: the others wait for servers that are not there */
    FILE *doctor =
        popen("bash -c 'exec 3< <(\"$HERALD_TEST_CTL\" doctor); grep -m 1 \" postgres \" <&3; kill $!'", "re");
    char line[1024];
    bool found = false;
    assert_non_null(doctor);
    while (fgets(line, sizeof(line), doctor)) {
        found = found || strstr(line, text);
    }
    (void)pclose(doctor);
    return found;
}

/* ---- writers ---- */

struct writers {
    struct db_env *env;
    bool stop;
    unsigned acknowledged, lost, told_wrong;
    uint64_t last_us;
};

TASK_FN static bool is_there(struct db_env *env, const struct event_draft *draft) {
    struct event_draft got;
    enum herald_code code;
    while ((code = event_store_load(env->db, draft->id, draft->user_id, &got, NULL)) == HERALD_UNAVAILABLE) {
        (void)task_sleep(20, NULL);
    }
    return code == HERALD_OK;
}

/* Drafts, one after the other. What was acknowledged must be there after, and what was told as not done must not be. */
TASK_FN static void write_on(void *arg) {
    struct writers *writers = arg;
    struct db_env *env = writers->env;
    while (!writers->stop) {
        struct event_draft draft = ready_draft(new_user());
        enum herald_code code = event_store_create(env->db, &draft, NULL, NULL);
        bool is_wanted = code == HERALD_OK;
        writers->acknowledged += is_wanted;
        writers->last_us = is_wanted ? clock_now_us() : writers->last_us;
        if (code != HERALD_OUTCOME_UNKNOWN && is_there(env, &draft) != is_wanted) {
            writers->lost += is_wanted;
            writers->told_wrong += !is_wanted;
        }
        (void)task_sleep(5, NULL);
    }
}

/* ---- a commit that the standby has not confirmed ---- */

#define WAITS_FOR_STANDBY "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

static void unconfirmed_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    command("cover");
    WAIT_UNTIL(env->warning[0] == '\0');
    struct event_draft draft = make_draft(env);
    command("deafen");
    struct side *writer = start_side(env, &draft, WORK_WRITE, 0);
    WAIT_UNTIL(sql_number("SELECT count(*) " WAITS_FOR_STANDBY) == 1);
    assert_int_equal(sql_number("SELECT count(pg_cancel_backend(pid)) " WAITS_FOR_STANDBY), 1);
    end_side(writer);
    assert_int_equal(writer->code, HERALD_OUTCOME_UNKNOWN);
    command("wake");
    command("uncover");
}

static void test_failover_commit_whose_wait_was_cancelled_is_not_acknowledged(void **state) {
    (void)state;
    db_env_run(schema_dsn(), 1, unconfirmed_body);
}

/* ---- the primary dies ---- */

static void fail_over_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && strstr(env->warning, "synchronous_standby_names"));
    assert_true(doctor_says("synchronous_standby_names"));
    command("cover");
    WAIT_UNTIL(env->warning[0] == '\0');
    assert_false(doctor_says("synchronous_standby_names"));
    struct writers writers = {.env = env};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < WRITERS; i++) {
        assert_ok(env, task_group_spawn(&group, "writer", write_on, &writers, &env->error));
    }
    WAIT_UNTIL(writers.acknowledged > 10 * WRITERS);
    struct event_draft before = make_draft(env);
    command("kill");
    WAIT_UNTIL(!env->serving);
    command("promote");
    uint64_t promoted_us = clock_now_us();
    WAIT_UNTIL(env->serving);
    unsigned seen = writers.acknowledged;
    WAIT_UNTIL(writers.acknowledged > seen + WRITERS);
    print_message("writes went on %u ms after the promotion\n", (unsigned)((writers.last_us - promoted_us) / 1000));
    writers.stop = true;
    task_group_join(&group);
    assert_true(is_there(env, &before));
    assert_int_equal(writers.lost, 0);
    assert_int_equal(writers.told_wrong, 0);
}

static void test_failover_loses_nothing_that_a_covering_standby_has(void **state) {
    (void)state;
    assert_int_equal(setenv("HERALD_PG_DSN", schema_dsn(), 1), 0); /* for heraldctl: the schema is the program's own */
    db_env_run(schema_dsn(), 8, fail_over_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failover_commit_whose_wait_was_cancelled_is_not_acknowledged),
        cmocka_unit_test(test_failover_loses_nothing_that_a_covering_standby_has),
    };
    return cmocka_run_group_tests_name("integration.db.failover", tests, schema_setup, schema_teardown);
}
