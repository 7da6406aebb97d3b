#ifndef HERALD_TESTS_INTEGRATION_DB_DB_TEST_H
#define HERALD_TESTS_INTEGRATION_DB_DB_TEST_H

#include "herald/uuid.h"
#include "server/distribution/delivery_store.h"
#include "server/event/event_store.h"
#include "server/job/job_store.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * Tests against a real Postgres, named by HERALD_PG_DSN. Each test program works in a schema of its own, made and
 * migrated by schema_setup() and dropped by schema_teardown(), so that programs run side by side.
 */

int schema_setup(void **state);
int schema_teardown(void **state);
/** Connection string of the program's schema. */
const char *schema_dsn(void);
/** The same at a port of loopback_address(), with an own application name, or another schema. In a static buffer each. */
const char *schema_dsn_at(uint16_t port);
const char *schema_dsn_named(const char *application_name);
const char *schema_dsn_in(const char *other_schema);
/** The same with two such ports, to be tried in this order. */
const char *schema_dsn_at_two(uint16_t first_port, uint16_t second_port);
/** The same for another role. */
const char *schema_dsn_as(const char *role, const char *password);

/** A blocking connection to the schema, for looking and for standing in the way. */
PGconn *admin_open(void);
/** Runs statements; they must succeed. */
void admin_run(PGconn *pg, const char *sql);
/** Opens a connection, reads the first value of the first row as a number, and closes. */
long sql_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sql_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What a test's body works with; its task's call has a deadline of 60 s. */
struct db_env {
    struct loop *loop;
    struct db *db;
    struct call *call;
    struct herald_error error; /* for reterr */
    bool serving;
    unsigned reports;  /* of health */
    char message[512]; /* the last one while not serving */
    char warning[512]; /* the last one */
    bool closed;       /* the body has closed the pool itself */
};
typedef void db_body_fn(struct db_env *env);

/** Opens a pool of @connections on @dsn, and runs the body in a task on a loop; first waits until it serves. */
void db_env_run(const char *dsn, uint32_t connections, db_body_fn *body);
/** The same without waiting, and with a limit on a statement. */
void db_env_run_unready(const char *dsn, uint32_t connections, uint32_t statement_timeout_ms, db_body_fn *body);

/** The same with all options but those of the test itself. */
void db_env_run_options(const struct db_options *options, db_body_fn *body);

/** Declares a cmocka test whose body runs in a task, with a pool of 4 connections that serves. */
#define DB_TEST(name)                                                                                                  \
    static void name##_body(struct db_env *env);                                                                       \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        db_env_run(schema_dsn(), 4, name##_body);                                                                      \
    }                                                                                                                  \
    static void name##_body(struct db_env *env)

/** Waits until a condition holds, at most 60 s, letting the loop run. */
#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        uint64_t wait_until_us = clock_now_us() + 60000000;                                                            \
        while (!(condition)) {                                                                                         \
            if (clock_now_us() > wait_until_us) {                                                                      \
                fail_msg("never came true: %s", #condition);                                                           \
            }                                                                                                          \
            assert_int_equal(task_sleep(2, NULL), HERALD_OK);                                                          \
        }                                                                                                              \
    } while (0)

#define assert_code(env, call, expected)                                                                               \
    do {                                                                                                               \
        (env)->error = (struct herald_error){0};                                                                       \
        enum herald_code assert_code_got = (call);                                                                     \
        if (assert_code_got != (expected)) {                                                                           \
            fail_msg("%s: %s, not %s: %s [%s]", #call, herald_code_name((int)assert_code_got),                         \
                     herald_code_name((int)(expected)), (env)->error.message, (env)->error.origin);                    \
        }                                                                                                              \
    } while (0)
#define assert_ok(env, call) assert_code(env, call, HERALD_OK)

/* Rows. What they hold lives in the running call's arena. */

/** A fresh UUID. */
const char *new_id(void);
/** A user that nobody else has. */
const char *new_user(void);
/** A draft that can be published. */
struct event_draft ready_draft(const char *user_id);
/** Its outbox row. */
struct outbox_row outbox_row_for(const char *owner, const char *key);
struct idempotency_row idempotency_row_for(const char *caller, const char *key);
/** Stores a ready draft. */
struct event_draft make_draft(struct db_env *env);
/** Stores an APPROVED event that nobody holds and that is due. */
struct event_draft make_approved(struct db_env *env);
/** Stores an APPROVED event that a process holds. */
struct event_draft make_held(struct db_env *env, const char *holder);
/** Approves it for Instagram and Naver Blog. @holder  NULL: nobody holds it, and it is never due */
enum herald_code approve(struct db_env *env, const struct event_draft *draft, const char *holder);

/** Checks that the pool's sessions plan statements by indexes, as a trigger sees them. */
TASK_FN void assert_plans_by_index(struct db_env *env);

#endif
