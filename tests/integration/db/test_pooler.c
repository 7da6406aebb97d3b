/* Behind pgbouncer, as it is packaged. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/side.h"
#include "tests/support/loopback.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS 40

/* ---- the pooler ---- */

static char folder[] = "/tmp/herald-pooler-XXXXXX";
static char config[64];
static pid_t pooler;
static unsigned pooler_port;

/* Sessions of the pooler find the program's schema by its connect_query: clients cannot say so. */
static void write_config(const char *mode, const char *more) {
    PGconn *pg = admin_open();
    FILE *file = fopen(config, "we");
    assert_non_null(file);
    PGresult *path = PQexec(pg, "SHOW search_path");
    (void)fprintf(file,
                  "[databases]\nherald = host=%s port=%s dbname=%s user=%s password=%s "
                  "connect_query='SET search_path TO %s'\n"
                  "[pgbouncer]\nlisten_addr = %s\nlisten_port = %u\nunix_socket_dir =\nauth_type = any\n"
                  "pool_mode = %s\n%s",
                  PQhost(pg), PQport(pg), PQdb(pg), PQuser(pg), PQpass(pg), PQgetvalue(path, 0, 0), loopback_address(),
                  pooler_port, mode, more);
    PQclear(path);
    PQfinish(pg);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(config, 0644), 0);
}

static void begin_pooler(const char *mode, const char *more) {
    pooler_port = loopback_port();
    write_config(mode, more);
    pooler = fork();
    assert_true(pooler >= 0);
    if (pooler == 0) {
        const struct passwd *nobody = geteuid() == 0 ? getpwnam("nobody") : NULL; /* it refuses to run as root */
        if (nobody && (setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0)) {
            _exit(126);
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to end_pooler() */
        (void)freopen("/dev/null", "w", stdout);
        (void)freopen("/dev/null", "w", stderr);
        (void)execlp("pgbouncer", "pgbouncer", "-q", config, (char *)NULL);
        (void)execl("/usr/sbin/pgbouncer", "pgbouncer", "-q", config, (char *)NULL);
        _exit(127);
    }
}

static void end_pooler(void) {
    int status = 0;
    assert_int_equal(kill(pooler, SIGTERM), 0); /* it must not have ended by itself */
    assert_int_equal(waitpid(pooler, &status, 0), pooler);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

static const char *pooler_dsn(void) {
    static char dsn[128];
    (void)snprintf(dsn, sizeof(dsn), "host=%s port=%u dbname=herald user=herald sslmode=disable", loopback_address(),
                   pooler_port);
    return dsn;
}

static int make_folder(void **state) {
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    (void)snprintf(config, sizeof(config), "%s/pgbouncer.ini", folder);
    return schema_setup(state);
}

static int remove_folder(void **state) {
    (void)unlink(config);
    (void)rmdir(folder);
    return schema_teardown(state);
}

static void run_behind_pooler(bool transaction_pooling, db_body_fn *body) {
    db_env_run_options(&(struct db_options){.dsn = pooler_dsn(),
                                            .connections = 8,
                                            .statement_timeout_ms = 10000,
                                            .lock_timeout_ms = 1000,
                                            .transaction_pooling = transaction_pooling},
                       body);
}

/* ---- sessions behind a pooler that shares them out by transaction ---- */

static void expect_refusal(struct db_env *env, const char *why) {
    WAIT_UNTIL(strstr(env->message, why));
    WAIT_UNTIL(!env->serving && env->db->ready_count == 0);
    assert_non_null(strstr(env->message, "HERALD_PG_POOLING"));
    struct event_draft draft = ready_draft(new_user());
    assert_code(env, event_store_create(env->db, &draft, NULL, &env->error), HERALD_UNAVAILABLE);
    assert_non_null(strstr(env->error.message, why));
}

/* As it is packaged, in either mode: that its mode were wrong would be a guess, and another mode no cure. */
static void refused_options_body(struct db_env *env) {
    expect_refusal(env, "a pooler between Herald and Postgres refuses the settings");
    assert_null(strstr(env->message, "pool_mode"));
}

static void test_pooler_that_refuses_our_options_is_named(void **state) {
    (void)state;
    const char *const modes[] = {"transaction", "session"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        begin_pooler(modes[i], "");
        run_behind_pooler(false, refused_options_body);
        end_pooler();
    }
}

static void shared_body(struct db_env *env) {
    expect_refusal(env, "a pooler in transaction mode");
}

static void test_pooler_that_drops_our_options_and_shares_sessions_is_named(void **state) {
    (void)state;
    begin_pooler("transaction", "ignore_startup_parameters = options\ndefault_pool_size = 4\n");
    run_behind_pooler(false, shared_body);
    end_pooler();
}

/* ---- a pooler that gives each client a session ---- */

static void session_body(struct db_env *env) {
    WAIT_UNTIL(env->serving && strstr(env->warning, "statement_timeout is off"));
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

static void test_pooler_by_session_works_and_what_it_drops_is_named(void **state) {
    (void)state;
    begin_pooler("session", "ignore_startup_parameters = options\ndefault_pool_size = 20\n");
    run_behind_pooler(false, session_body);
    end_pooler();
}

static void plain_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_string_equal(env->warning, "");
}

static void test_pooler_by_session_works_with_the_setting(void **state) {
    (void)state;
    begin_pooler("session", "default_pool_size = 20\n");
    run_behind_pooler(true, plain_body);
    end_pooler();
}

/* ---- the setting ---- */

struct worker {
    struct db_env *env;
    unsigned wrong;
};

TASK_FN static void work_on(void *arg) {
    struct worker *work = arg;
    struct db *db = work->env->db;
    struct event_draft draft = ready_draft(new_user()), got;
    work->wrong += event_store_create(db, &draft, NULL, NULL) != HERALD_OK;
    for (int i = 0; i < 30; i++) {
        work->wrong += event_store_load(db, draft.id, draft.user_id, &got, NULL) != HERALD_OK;
        work->wrong += event_store_set_objective(db, draft.id, draft.user_id, 1 + i % 4, &got, NULL) != HERALD_OK ||
                       got.objective != 1 + i % 4;
        (void)task_sleep(50, NULL);
    }
}

static void setting_body(struct db_env *env) {
    WAIT_UNTIL(env->serving);
    unsigned reports = env->reports;
    struct worker work = {.env = env};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < TASKS; i++) {
        assert_ok(env, task_group_spawn(&group, "work", work_on, &work, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(work.wrong, 0);
    assert_int_equal(env->reports, reports);
    assert_string_equal(env->warning, "");
    struct event_draft draft = make_draft(env), got;
    PGconn *pg = block_row(draft.id); /* the limits hold without a session of our own */
    assert_code(env, event_store_set_objective(env->db, draft.id, draft.user_id, 1, &got, &env->error),
                HERALD_UNAVAILABLE);
    assert_string_equal(env->error.origin, "55P03");
    unblock(pg);
    assert_plans_by_index(env);
}

static void test_pooler_by_transaction_works_with_the_setting(void **state) {
    (void)state;
    begin_pooler("transaction", "default_pool_size = 4\nserver_lifetime = 1\n"); /* servers come and go meanwhile */
    run_behind_pooler(true, setting_body);
    end_pooler();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pooler_that_refuses_our_options_is_named),
        cmocka_unit_test(test_pooler_that_drops_our_options_and_shares_sessions_is_named),
        cmocka_unit_test(test_pooler_by_session_works_and_what_it_drops_is_named),
        cmocka_unit_test(test_pooler_by_session_works_with_the_setting),
        cmocka_unit_test(test_pooler_by_transaction_works_with_the_setting),
    };
    return cmocka_run_group_tests_name("integration.db.pooler", tests, make_folder, remove_folder);
}
