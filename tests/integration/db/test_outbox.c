/* The outbox: order, leases, concurrent relays. */
#include "server/store/postgres/embedded_sql.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/db/side.h"

#include <stdlib.h>

TASK_FN static enum herald_code delete_sent(struct db_env *env, const char *id) {
    char ids[1][OUTBOX_ID_BYTES];
    struct outbox_row *rows = NULL;
    size_t count = 0;
    (void)snprintf(ids[0], sizeof(ids[0]), "%s", id);
    return outbox_store_delete_and_take(env->db, (const char(*)[OUTBOX_ID_BYTES])ids, 1, "nobody", 1, 1000, NULL, &rows,
                                        &count, &env->error);
}

/* Inserts a row that belongs to @owner, by way of a job's transaction. */
TASK_FN static const char *insert(struct db_env *env, const char *owner, const char *key, uint32_t delay_ms) {
    struct outbox_row row = outbox_row_for(owner, key);
    row.delay_ms = delay_ms;
    struct job_row job = {.id = new_id(), .event_draft_id = new_id(), .user_id = "u", .created_at_us = 1};
    assert_ok(env, job_store_create(env->db, &job, &row, NULL, 60000, NULL, &env->error));
    return row.id;
}

struct batch {
    struct outbox_row *rows;
    size_t count;
};

TASK_FN static struct batch take(struct db_env *env, const char *owner, unsigned limit, uint32_t lease_ms) {
    struct batch batch = {0};
    assert_ok(env, outbox_store_take(env->db, owner, limit, lease_ms, &batch.rows, &batch.count, &env->error));
    return batch;
}

DB_TEST(test_outbox_take_gives_the_row_as_it_was_written) {
    const char *owner = new_id(), *key = new_id();
    const char *id = insert(env, owner, key, 0);
    struct batch batch = take(env, owner, 10, 60000);
    assert_int_equal(batch.count, 1);
    struct outbox_row want = outbox_row_for(owner, key), *got = &batch.rows[0];
    assert_string_equal(got->id, id);
    assert_int_equal(got->kind, OUTBOX_KAFKA);
    assert_string_equal(got->owner, owner);
    assert_string_equal(got->topic, want.topic);
    assert_string_equal(got->key, key);
    assert_string_equal(got->ce_type, want.ce_type);
    assert_string_equal(got->ce_source, want.ce_source);
    assert_string_equal(got->content_type, want.content_type);
    assert_true(got->ce_time_us == want.ce_time_us);
    assert_int_equal(got->value_bytes, want.value_bytes);
    assert_memory_equal(got->value, want.value, want.value_bytes);
}

DB_TEST(test_outbox_take_gives_only_the_owners_due_unsent_rows_oldest_first) {
    const char *owner = new_id();
    const char *first = insert(env, owner, "a", 0);
    const char *sent = insert(env, owner, "b", 0);
    (void)insert(env, owner, "c", 60000);
    (void)insert(env, new_id(), "d", 0);
    const char *last = insert(env, owner, "e", 0);
    assert_ok(env, delete_sent(env, sent));
    struct batch batch = take(env, owner, 10, 60000);
    assert_int_equal(batch.count, 2);
    assert_string_equal(batch.rows[0].id, first);
    assert_string_equal(batch.rows[1].id, last);
    assert_int_equal(take(env, owner, 10, 60000).count, 0);
}

DB_TEST(test_outbox_take_after_the_lease_gives_the_row_again) {
    const char *owner = new_id();
    const char *id = insert(env, owner, "k", 0);
    assert_int_equal(take(env, owner, 10, 0).count, 1);
    struct batch batch = take(env, owner, 10, 60000);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.rows[0].id, id);
}

DB_TEST(test_outbox_take_keeps_the_order_of_a_key) {
    const char *owner = new_id(), *key = new_id();
    const char *first = insert(env, owner, key, 0);
    const char *second = insert(env, owner, key, 0);
    struct batch batch = take(env, owner, 1, 60000);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.rows[0].id, first);
    assert_int_equal(take(env, owner, 10, 60000).count, 0); /* the second waits for the first */
    assert_ok(env, delete_sent(env, first));
    batch = take(env, owner, 10, 60000);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.rows[0].id, second);
}

DB_TEST(test_outbox_take_a_delayed_row_holds_back_its_key_but_no_other) {
    const char *owner = new_id(), *key = new_id();
    (void)insert(env, owner, key, 60000);
    for (int i = 0; i < 5; i++) {
        (void)insert(env, owner, key, 0);
    }
    const char *other = insert(env, owner, "other", 0);
    struct batch batch = take(env, owner, 1, 60000);
    assert_int_equal(batch.count, 1);
    assert_string_equal(batch.rows[0].id, other);
}

DB_TEST(test_outbox_take_leaves_a_key_whose_older_row_another_transaction_holds) {
    const char *owner = new_id(), *key = new_id();
    const char *first = insert(env, owner, key, 0);
    (void)insert(env, owner, key, 0);
    PGconn *pg = admin_open();
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "BEGIN; SELECT FROM outbox WHERE id = '%s' FOR UPDATE", first);
    admin_run(pg, sql);
    assert_int_equal(take(env, owner, 10, 60000).count, 0);
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
    assert_int_equal(take(env, owner, 10, 60000).count, 2);
}

/* ---- several relays at once ---- */

#define RELAYS      8
#define KEYS        10
#define ROWS_OF_KEY 12

struct relays {
    struct db_env *env;
    const char *owner;
    const char *ids[KEYS][ROWS_OF_KEY];
    int next[KEYS];  /* row of the key that must be sent next */
    bool busy[KEYS]; /* some relay holds rows of the key */
    unsigned sent, disorder;
};

static void find(const struct relays *relays, const char *id, int *ret_key, int *ret_row) {
    for (int key = 0; key < KEYS; key++) {
        for (int row = 0; row < ROWS_OF_KEY; row++) {
            if (strcmp(relays->ids[key][row], id) == 0) {
                *ret_key = key;
                *ret_row = row;
            }
        }
    }
}

TASK_FN static void send_rows(struct relays *relays, struct batch batch) {
    for (size_t i = 0; i < batch.count; i++) {
        int key = 0, row = 0;
        find(relays, batch.rows[i].id, &key, &row);
        relays->disorder += row != relays->next[key] || relays->busy[key];
        relays->busy[key] = true;
        task_yield(); /* others run while it is being sent */
        relays->next[key] = row + 1;
        relays->busy[key] = false;
        /* the next row of the key may be taken as soon as this is committed, before it returns here */
        assert_ok(relays->env, delete_sent(relays->env, batch.rows[i].id));
        relays->sent++;
    }
}

TASK_FN static void run_relay(void *arg) {
    struct relays *relays = arg;
    while (relays->sent < KEYS * ROWS_OF_KEY && call_check(NULL) == HERALD_OK) {
        send_rows(relays, take(relays->env, relays->owner, 7, 60000));
        task_yield();
    }
}

DB_TEST(test_outbox_take_by_many_relays_gives_each_row_once_and_in_order) {
    struct relays *relays = arena_calloc(call_arena(), 1, sizeof(*relays));
    relays->env = env;
    relays->owner = new_id();
    for (int row = 0; row < ROWS_OF_KEY; row++) {
        for (int key = 0; key < KEYS; key++) {
            relays->ids[key][row] =
                insert(env, relays->owner, arena_printf(call_arena(), "%s-%d", relays->owner, key), 0);
        }
    }
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < RELAYS; i++) {
        assert_ok(env, task_group_spawn(&group, "relay", run_relay, relays, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(relays->sent, KEYS * ROWS_OF_KEY);
    assert_int_equal(relays->disorder, 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE owner = '%s'", relays->owner), 0);
}

/* ---- the rest ---- */

DB_TEST(test_outbox_delete_and_take_deletes_and_frees_later_rows_of_the_key) {
    const char *owner = new_id(), *key = new_id();
    char ids[3][OUTBOX_ID_BYTES];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%s",
                       i < 2 ? insert(env, owner, key, 0) : new_id()); /* one is missing */
    }
    const char *left = insert(env, owner, key, 0);
    assert_int_equal(take(env, owner, 2, 60000).count, 2);
    assert_int_equal(take(env, owner, 2, 60000).count, 0); /* the last one waits for its key */
    struct outbox_row *rows = NULL;
    size_t count = 0;
    assert_ok(env, outbox_store_delete_and_take(env->db, (const char(*)[OUTBOX_ID_BYTES])ids, 3, owner, 2, 60000, NULL,
                                                &rows, &count, &env->error));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].id, left);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE owner = '%s'", owner), 1);
}

/* A deletion that is lost is made again after the record has come twice, as it may at any time. */
DB_TEST(test_outbox_delete_waits_for_no_disk) {
    const char *owner = new_id(), *sent = insert(env, owner, "a", 0);
    struct outbox_row *rows = NULL;
    size_t count = 0;
    char ids[1][OUTBOX_ID_BYTES];
    (void)snprintf(ids[0], sizeof(ids[0]), "%s", sent);
    sql_run("CREATE TABLE noted (setting text);"
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN OLD; END $$;"
            "CREATE TRIGGER note BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION note()");
    enum herald_code code = outbox_store_delete_and_take(env->db, (const char(*)[OUTBOX_ID_BYTES])ids, 1, owner, 2,
                                                         1000, NULL, &rows, &count, &env->error);
    long off = sql_number("SELECT count(*) FROM noted WHERE setting = 'off'");
    sql_run("DROP TRIGGER note ON outbox; DROP FUNCTION note; DROP TABLE noted");
    assert_ok(env, code);
    assert_int_equal(off, 1);
}

DB_TEST(test_outbox_prune_deletes_only_what_was_marked_long_ago) {
    const char *owner = new_id();
    const char *old = insert(env, owner, "a", 0), *young = insert(env, owner, "b", 0);
    (void)insert(env, owner, "c", 0);
    sql_run("UPDATE outbox SET sent_at = now() - interval '2 days' WHERE id = '%s'", old);
    sql_run("UPDATE outbox SET sent_at = now() WHERE id = '%s'", young);
    sql_run("UPDATE outbox SET created_at = now() - interval '2 days' WHERE owner = '%s'", owner);
    unsigned deleted = 0;
    assert_ok(env, outbox_store_prune(env->db, 86400, &deleted, &env->error));
    assert_int_equal(deleted, 1);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE owner = '%s'", owner), 2);
}

/* Pages that the statement reads, planned for any parameters, as it is on a connection that has used it often. */
static long pages_of_take(const char *owner) {
    PGconn *pg = admin_open();
    long hit = -1, read = 0;
    char explain[160];
    PQclear(PQprepare(pg, "take", db_query_texts[DB_QUERY_OUTBOX_TAKE].sql, 0, NULL));
    (void)snprintf(explain, sizeof(explain), "EXPLAIN (ANALYZE, BUFFERS) EXECUTE take('%s', 64, 1000)", owner);
    admin_run(pg, "SET plan_cache_mode = force_generic_plan; BEGIN");
    PGresult *plan = PQexec(pg, explain);
    for (int line = 0; line < PQntuples(plan) && hit < 0; line++) { /* the first one counts all */
        const char *at = strstr(PQgetvalue(plan, line, 0), "Buffers: shared");
        const char *hits = at ? strstr(at, "hit=") : NULL, *reads = at ? strstr(at, "read=") : NULL;
        hit = hits ? strtol(hits + 4, NULL, 10) : at ? 0 : -1;
        read = reads ? strtol(reads + 5, NULL, 10) : 0;
    }
    PQclear(plan);
    unblock(pg);
    assert_true(hit >= 0);
    return hit + read;
}

static void add_many(const char *owner, int sent, int unsent) {
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, value, next_try_at, "
            "sent_at) "
            "SELECT gen_random_uuid(), 'KAFKA', '%s', 't', 'k' || n, 'x', 'y', 'z', 'v', now() - interval '1 hour', "
            "CASE WHEN n <= %d THEN now() END FROM generate_series(1, %d) AS n",
            owner, sent, sent + unsent);
    sql_run("ANALYZE outbox");
}

/* After a long outage of Kafka, and with rows that servers of before have left. */
DB_TEST(test_outbox_take_costs_what_it_takes_beside_many_rows) {
    const char *few = new_id(), *many = new_id();
    add_many(few, 0, 64);
    long alone = pages_of_take(few);
    add_many(many, 100000, 30000);
    long beside = pages_of_take(many);
    assert_int_equal(take(env, many, 64, 1000).count, 64);
    sql_run("DELETE FROM outbox WHERE owner IN ('%s', '%s')", few, many);
    if (beside > 3 * alone) {
        fail_msg("%ld pages, and %ld with few rows", beside, alone);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_take_gives_the_row_as_it_was_written),
        cmocka_unit_test(test_outbox_take_gives_only_the_owners_due_unsent_rows_oldest_first),
        cmocka_unit_test(test_outbox_take_after_the_lease_gives_the_row_again),
        cmocka_unit_test(test_outbox_take_keeps_the_order_of_a_key),
        cmocka_unit_test(test_outbox_take_a_delayed_row_holds_back_its_key_but_no_other),
        cmocka_unit_test(test_outbox_take_leaves_a_key_whose_older_row_another_transaction_holds),
        cmocka_unit_test(test_outbox_take_by_many_relays_gives_each_row_once_and_in_order),
        cmocka_unit_test(test_outbox_delete_and_take_deletes_and_frees_later_rows_of_the_key),
        cmocka_unit_test(test_outbox_delete_waits_for_no_disk),
        cmocka_unit_test(test_outbox_take_costs_what_it_takes_beside_many_rows),
        cmocka_unit_test(test_outbox_prune_deletes_only_what_was_marked_long_ago),
    };
    return cmocka_run_group_tests_name("integration.db.outbox", tests, schema_setup, schema_teardown);
}
