/* Reads by key that come in one turn of the loop share a transaction; what becomes of one is nothing to the others. */
#include "server/durable/once.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/pool.h"
#include "server/store/postgres/row.h"
#include "side.h"

#define READERS 4

/* A read of the database's clock and of an event, in a task of its own. */
struct reader {
    struct db_env *env;
    const char *id, *user_id;
    enum herald_code code;
    int64_t now_us;
    bool found; /* it was the right one */
};

TASK_FN static void read_in_task(void *arg) {
    struct reader *reader = arg;
    struct db_batch batch;
    struct event_draft got;
    db_batch_init(&batch);
    once_add_clock(&batch);
    event_store_add_load(&batch, reader->id, reader->user_id);
    DB_REPLY struct db_reply reply = {0};
    reader->code = db_run(reader->env->db, &batch, &reply, NULL);
    if (reader->code == HERALD_OK) {
        reader->code = once_take_clock(&reply, 0, &reader->now_us, NULL);
        reader->found = event_store_read_load(&reply, 1, &got, NULL) == HERALD_OK && strcmp(got.id, reader->id) == 0;
    }
}

TASK_FN static void write_in_task(void *arg) {
    struct reader *writer = arg;
    struct event_draft got;
    writer->code = event_store_set_objective(writer->env->db, writer->id, writer->user_id, 3, &got, NULL);
}

/* Runs readers in one turn, and a write of the first one's event beside them. */
TASK_FN static void read_together(struct reader *readers, struct reader *writer) {
    struct db_env *env = readers[0].env;
    struct task_group group;
    task_group_init(&group);
    for (unsigned i = 0; i < READERS; i++) {
        assert_ok(env, task_group_spawn(&group, "read", read_in_task, &readers[i], &env->error));
        if (i == 0 && writer) {
            assert_ok(env, task_group_spawn(&group, "write", write_in_task, writer, &env->error));
        }
    }
    task_group_join(&group);
}

TASK_FN static void make_readers(struct db_env *env, struct reader *readers) {
    for (unsigned i = 0; i < READERS; i++) {
        struct event_draft draft = make_draft(env);
        readers[i] = (struct reader){.env = env, .id = draft.id, .user_id = draft.user_id};
    }
}

static void assert_found(const struct reader *reader) {
    assert_int_equal(reader->code, HERALD_OK);
    assert_true(reader->found);
}

DB_TEST(test_reads_of_one_turn_share_a_transaction) {
    struct reader readers[READERS];
    make_readers(env, readers);
    WAIT_UNTIL(env->db->ready_count == env->db->connection_count);
    read_together(readers, NULL);
    for (unsigned i = 0; i < READERS; i++) {
        assert_found(&readers[i]);
        assert_true(readers[i].now_us == readers[0].now_us); /* the time of a transaction is that of its beginning */
    }
    int64_t before_us = readers[0].now_us;
    read_in_task(&readers[0]);
    assert_true(readers[0].now_us > before_us);
}

DB_TEST(test_a_read_that_fails_takes_no_other_with_it) {
    for (unsigned wrong = 0; wrong < READERS; wrong++) {
        struct reader readers[READERS];
        make_readers(env, readers);
        WAIT_UNTIL(env->db->ready_count == env->db->connection_count);
        readers[wrong].id = "no UUID";
        read_together(readers, NULL);
        for (unsigned i = 0; i < READERS; i++) {
            if (i != wrong) {
                assert_found(&readers[i]);
            }
        }
        assert_int_equal(readers[wrong].code, HERALD_INTERNAL);
        assert_int_equal(env->reports, 1); /* no connection was lost */
    }
}

DB_TEST(test_a_write_between_reads_has_its_own_transaction) {
    struct reader readers[READERS];
    make_readers(env, readers);
    WAIT_UNTIL(env->db->ready_count == env->db->connection_count);
    struct reader writer = readers[0];
    readers[3].id = "no UUID";
    read_together(readers, &writer);
    assert_int_equal(writer.code, HERALD_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_found(&readers[i]);
    }
    assert_int_equal(readers[3].code, HERALD_INTERNAL);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND objective = 'SALES'", writer.id),
                     1);
}

/* With one connection all of them share it: a pool without lanes. */
static void crowded_body(struct db_env *env) {
    struct reader readers[READERS];
    make_readers(env, readers);
    struct reader writer = readers[0];
    readers[1].id = "no UUID";
    read_together(readers, &writer);
    assert_int_equal(writer.code, HERALD_OK);
    assert_found(&readers[0]);
    assert_found(&readers[2]);
    assert_found(&readers[3]);
    assert_int_equal(readers[1].code, HERALD_INTERNAL);
    assert_int_equal(env->reports, 1);
    long written_us =
        sql_number("SELECT extract(epoch FROM updated_at) * 1000000 FROM event_drafts WHERE id = '%s'", writer.id);
    assert_true(written_us > readers[0].now_us && written_us != readers[2].now_us);
}

static void test_on_one_connection_reads_and_writes_stay_apart(void **state) {
    (void)state;
    db_env_run(schema_dsn(), 1, crowded_body);
}

/* ---- one that nobody waits for any more ---- */

TASK_FN static void read_clock(void *arg) {
    struct reader *reader = arg;
    struct db_batch batch;
    db_batch_init(&batch);
    once_add_clock(&batch);
    DB_REPLY struct db_reply reply = {0};
    reader->code = db_run(reader->env->db, &batch, &reply, NULL);
    reader->found = true;
}

/* The server withholds the answer to the first read until the second ends, for which a table is locked: for 10 s if nobody cancels it.
 */
static void given_up_body(struct db_env *env) {
    struct event_draft draft = make_draft(env);
    struct reader reader = {.env = env};
    struct task_group group;
    PGconn *pg = block_table();
    task_group_init(&group);
    assert_ok(env, task_group_spawn(&group, "clock", read_clock, &reader, &env->error));
    struct side *left = start_side(env, &draft, WORK_READ, 100);
    uint64_t began_us = clock_now_us();
    end_side(left);
    assert_int_equal(left->code, HERALD_DEADLINE_EXCEEDED);
    WAIT_UNTIL(reader.found);
    assert_true(clock_now_us() - began_us < 9000000);
    assert_int_equal(reader.code, HERALD_OK);
    task_group_join(&group);
    unblock(pg);
}

static void test_a_read_that_is_given_up_is_cancelled_for_those_that_share_its_transaction(void **state) {
    (void)state;
    db_env_run(schema_dsn(), 1, given_up_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_of_one_turn_share_a_transaction),
        cmocka_unit_test(test_a_read_that_fails_takes_no_other_with_it),
        cmocka_unit_test(test_a_write_between_reads_has_its_own_transaction),
        cmocka_unit_test(test_on_one_connection_reads_and_writes_stay_apart),
        cmocka_unit_test(test_a_read_that_is_given_up_is_cancelled_for_those_that_share_its_transaction),
    };
    return cmocka_run_group_tests_name("integration.db.sharing", tests, schema_setup, schema_teardown);
}
