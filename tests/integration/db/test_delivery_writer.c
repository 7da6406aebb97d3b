/* The writer of an engine: what it gathers, what it hurries, and what it does while Postgres refuses. Its reports. */
#include "server/distribution/engine.h"
#include "server/distribution/look.h"
#include "server/distribution/round.h"
#include "server/distribution/writer.h"
#include "server/programs/settings.h"
#include "server/store/kafka/kafka.h"
#include "tests/integration/db/delivery_rows.h"

#define NOT_IN_THIS_TEST_MS 600000
#define APPLICATION         "herald-test-writer"

/* An engine that takes nothing by itself. cmocka's tests run one after another, so that there is one. */
static struct stage {
    struct settings settings;
    struct engine_process process;
    struct engine engine;
} stage;

/* There is no Kafka at its port: what is sent at once is left to the relay. */
static struct kafka_producer *kafka;

TASK_FN static void start_engine(struct db_env *env, uint32_t gather_ms) {
    const struct instance_options options = {.service = "distribution",
                                             .lease_ms = NOT_IN_THIS_TEST_MS,
                                             .bury = DB_QUERY_DISTRIBUTION_BURY,
                                             .release = DB_QUERY_DISTRIBUTION_RELEASE};
    stage = (struct stage){.process = {.draining = true}};
    assert_ok(env, settings_load(&stage.settings, NULL, &env->error));
    stage.settings.channels_gather_ms = gather_ms;
    stage.settings.channels_report_ms = NOT_IN_THIS_TEST_MS;
    stage.settings.kafka_delivery_timeout_ms = 10;
    assert_ok(env, channel_states_new(&stage.settings, &stage.process.channels, &env->error));
    assert_ok(env, instance_new(&options, &stage.process.instances[0], &env->error));
    assert_ok(env, instance_start(stage.process.instances[0], env->loop, env->db, &env->error));
    WAIT_UNTIL(instance_holds(stage.process.instances[0], 500));
    stage.engine = (struct engine){.process = &stage.process,
                                   .instance = stage.process.instances[0],
                                   .settings = &stage.settings,
                                   .loop = env->loop,
                                   .db = env->db};
    assert_ok(env, outbox_relay_start(&(struct outbox_relay_options){.owner = "nobody",
                                                                     .loop = env->loop,
                                                                     .db = env->db,
                                                                     .kafka = kafka,
                                                                     .poll_ms = NOT_IN_THIS_TEST_MS,
                                                                     .lease_ms = 1000},
                                      &stage.engine.outbox, &env->error));
    assert_ok(env, engine_start(&stage.engine, &env->error));
}

TASK_FN static void stop_engine(struct db_env *env) {
    engine_stop(&stage.engine);
    WAIT_UNTIL(stage.engine.rounds == NULL);
    outbox_relay_stop(stage.engine.outbox);
    instance_stop(stage.process.instances[0]);
    WAIT_UNTIL(loop_task_count(env->loop) == 1);
    instance_free(stage.process.instances[0]);
    channel_states_free(stage.process.channels);
    settings_fini(&stage.settings);
}

#define WRITER_TEST(name, gather_ms)                                                                                   \
    TASK_FN static void name##_in_engine(struct db_env *env);                                                          \
    static void name##_body(struct db_env *env) {                                                                      \
        start_engine(env, gather_ms);                                                                                  \
        name##_in_engine(env);                                                                                         \
        stop_engine(env);                                                                                              \
    }                                                                                                                  \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        db_env_run(schema_dsn_named(APPLICATION), 4, name##_body);                                                     \
    }                                                                                                                  \
    TASK_FN static void name##_in_engine(struct db_env *env)

/* Makes a round of six deliveries that this engine holds, @driven of which are driven. @event_id  NULL: a new one, stored */
TASK_FN static struct round *new_round(struct db_env *env, const char *event_id, unsigned driven) {
    const char *id = event_id ? event_id : new_id();
    struct round *round = NULL;
    assert_ok(env, round_new(&stage.engine, id, new_id(), "user-1", (const uint8_t *)"", 0, 6, &round, &env->error));
    round->driven = driven;
    for (int i = 0; i < 6; i++) {
        round->deliveries[i].channel = channel_find(TV + i);
        round->deliveries[i].row = ended(TV + i, STATE(PUBLISHED), true);
    }
    if (!event_id) {
        struct delivery_plan plans[6];
        for (int i = 0; i < 6; i++) {
            plans[i] = plan_claimed(TV + i);
        }
        struct distribution_row row = new_distribution(round->event_id);
        row.id = round->distribution_id;
        bool made = false;
        assert_ok(env, delivery_store_open(env->db, &row, plans, 6, instance_id(stage.engine.instance), NULL, &made,
                                           NULL, &env->error));
        assert_true(made);
    }
    return round;
}

/* Ends the drive of a delivery: what a task does as its last steps. */
static void end_drive(struct delivery *delivery) {
    writer_put(stage.engine.writer, delivery, 0);
    delivery->round->driven--;
    writer_kick(stage.engine.writer);
}

TASK_FN static void end_in_task(void *arg) {
    struct delivery *delivery = arg;
    for (int i = 0; i < delivery->row.channel; i++) {
        task_yield();
    }
    end_drive(delivery);
}

/* How many transactions have written the event's deliveries. */
static long transactions(const struct round *round) {
    return sql_number("SELECT count(DISTINCT xmin::text) FROM deliveries WHERE event_id = '%s'", round->event_id);
}

WRITER_TEST(test_writer_results_of_a_round_share_one_commit, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 6);
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 6; i++) {
        assert_ok(env, task_group_spawn(&group, "delivery", end_in_task, &round->deliveries[i], &env->error));
    }
    task_group_join(&group);
    assert_ok(env, completion_wait(&round->done, &env->error)); /* at once, since the round is over */
    assert_int_equal(round->version, 2);
    assert_int_equal(load_distribution(env, round->event_id).version, 2);
    assert_int_equal(load_distribution(env, round->event_id).unsettled, 0);
    assert_int_equal(transactions(round), 1);
    assert_int_equal(attempts_told(), 6);
    for (int i = 0; i < 6; i++) {
        assert_true(round->deliveries[i].changed);
    }
    round_unref(round);
    assert_counters_right();
}

WRITER_TEST(test_writer_results_of_several_rounds_share_one_commit, NOT_IN_THIS_TEST_MS) {
    struct round *first = new_round(env, NULL, 2), *second = new_round(env, NULL, 1);
    end_drive(&first->deliveries[0]);
    end_drive(&second->deliveries[0]);
    assert_int_equal(task_sleep(50, NULL), HERALD_OK);
    assert_int_equal(first->pending + second->pending, 2); /* the first round's other result may still come */
    end_drive(&first->deliveries[5]);
    WAIT_UNTIL(first->pending + second->pending == 0);
    assert_int_equal(sql_number("SELECT count(DISTINCT xmin::text) FROM deliveries WHERE settled"), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE settled"), 3);
    round_unref(first);
    round_unref(second);
}

WRITER_TEST(test_writer_result_does_not_wait_for_others_for_long, 1) {
    struct round *round = new_round(env, NULL, 6); /* the others never end */
    end_drive(&round->deliveries[0]);
    WAIT_UNTIL(round->pending == 0);
    assert_true(load_delivery(env, round->event_id, TV).settled);
    round_unref(round);
}

/* A step of a delivery that goes on: it is about to be committed. */
static struct delivery *step(struct round *round, int channel) {
    struct delivery *delivery = &round->deliveries[channel - TV];
    delivery->row.state = STATE(COMMITTING);
    delivery->row.settled = false;
    delivery->row.step_id = "container-1";
    delivery->row.finished_at_us = 0;
    return delivery;
}

WRITER_TEST(test_writer_change_that_is_waited_for_takes_others_along, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 6);
    end_drive(&round->deliveries[0]);
    assert_int_equal(task_sleep(50, NULL), HERALD_OK);
    assert_int_equal(round->pending, 1);
    assert_ok(env, writer_put_and_wait(stage.engine.writer, step(round, INSTAGRAM), &env->error));
    assert_int_equal(round->pending, 0);
    assert_int_equal(load_distribution(env, round->event_id).version, 2);
    assert_true(load_delivery(env, round->event_id, TV).settled);
    assert_string_equal(load_delivery(env, round->event_id, INSTAGRAM).step_id, "container-1");
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s' AND channel = 'INSTAGRAM'",
                                instance_id(stage.engine.instance)),
                     1);
    round_unref(round);
    assert_counters_right();
}

WRITER_TEST(test_writer_step_of_a_delivery_that_was_taken_over_is_refused, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 1);
    sql_run("UPDATE deliveries SET holder = '%s' WHERE channel = 'INSTAGRAM'", new_id());
    assert_code(env, writer_put_and_wait(stage.engine.writer, step(round, INSTAGRAM), &env->error), HERALD_ABORTED);
    assert_string_equal(env->error.reason, "DELIVERY_MOVED");
    round_unref(round);
}

struct watcher_task {
    const struct round *round;
    enum herald_code code;
    struct herald_error error;
};

TASK_FN static void watch_in_task(void *arg) {
    struct watcher_task *task = arg;
    task->code = watch_wait(&stage.engine.watch, task->round->event_id, 1, NOT_IN_THIS_TEST_MS, &task->error);
}

WRITER_TEST(test_writer_tells_those_who_wait, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 1);
    struct watcher_task watcher = {.round = round, .code = HERALD_INTERNAL};
    struct task_group group;
    task_group_init(&group);
    assert_ok(env, task_group_spawn(&group, "watcher", watch_in_task, &watcher, &env->error));
    WAIT_UNTIL(stage.engine.watch.count == 1);
    end_drive(&round->deliveries[0]);
    task_group_join(&group);
    assert_int_equal(watcher.code, HERALD_OK);
    round_unref(round);
}

/* ---- completion ---- */

WRITER_TEST(test_writer_completes_a_whole_round_with_its_record, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 6);
    round->whole = true;
    for (int i = 0; i < 6; i++) {
        end_drive(&round->deliveries[i]);
    }
    assert_ok(env, completion_wait(&round->done, &env->error));
    assert_true(load_distribution(env, round->event_id).completed_at_us > 0);
    assert_int_equal(report_due_ms(round->event_id), -1);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE id = '%s' AND key = '%s' AND ce_type LIKE "
                                "'%%DistributionCompleted' AND position(convert_to('remote-1', 'UTF8') IN value) > 0",
                                round->distribution_id, round->event_id),
                     1);
    round_unref(round);
}

WRITER_TEST(test_writer_leaves_completion_to_the_last_of_a_whole_round, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 6);
    round->whole = true;
    round->deliveries[5].row.settled = false;
    round->deliveries[5].row.state = STATE(READY);
    for (int i = 0; i < 6; i++) {
        end_drive(&round->deliveries[i]);
    }
    assert_ok(env, completion_wait(&round->done, &env->error));
    assert_int_equal(load_distribution(env, round->event_id).unsettled, 1);
    assert_int_equal(load_distribution(env, round->event_id).completed_at_us, 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 0);
    round_unref(round);
}

static long records_of(const char *event_id, const char *type) {
    return sql_number("SELECT count(*) FROM outbox WHERE key = '%s' AND ce_type LIKE '%%.%s'", event_id, type);
}

WRITER_TEST(test_engine_reports_completion_that_no_round_has_seen, 0) {
    const char *event_id = make_claimed(env, instance_id(stage.engine.instance));
    for (int channel = TV; channel <= KAKAO; channel++) {
        settle(env, event_id, channel, channel == TV ? STATE(REJECTED) : STATE(PUBLISHED));
    }
    WAIT_UNTIL(load_distribution(env, event_id).completed_at_us > 0);
    assert_int_equal(report_due_ms(event_id), -1);
    assert_int_equal(records_of(event_id, "DistributionCompleted"), 1);
    assert_int_equal(records_of(event_id, "DistributionProgressed"), 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE id = '%s'", load_distribution(env, event_id).id), 1);
}

WRITER_TEST(test_engine_reports_progress_when_it_is_due, 0) {
    const char *event_id = make_claimed(env, instance_id(stage.engine.instance));
    settle(env, event_id, TV, STATE(PUBLISHED));
    sql_run("UPDATE distributions SET report_at = now()");
    WAIT_UNTIL(records_of(event_id, "DistributionProgressed") == 1);
    assert_int_equal(report_due_ms(event_id), -1);
    assert_int_equal(load_distribution(env, event_id).completed_at_us, 0);
    assert_int_equal(records_of(event_id, "DistributionCompleted"), 0);
}

/* ---- what Postgres refuses ---- */

static long end_blocked_backends(void) {
    return sql_number("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '%s' AND "
                      "wait_event_type = 'Lock'",
                      APPLICATION);
}

WRITER_TEST(test_writer_keeps_results_while_postgres_fails, 0) {
    struct round *round = new_round(env, NULL, 2);
    PGconn *pg = admin_open();
    admin_run(pg, "BEGIN; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE");
    end_drive(&round->deliveries[0]);
    long ended_count = 0;
    WAIT_UNTIL((ended_count += end_blocked_backends()) >= 3);
    end_drive(&round->deliveries[1]);
    assert_int_equal(round->pending, 2);
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
    WAIT_UNTIL(round->pending == 0);
    assert_true(round->deliveries[0].changed && round->deliveries[1].changed);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE settled"), 2);
    assert_int_equal(attempts_told(), 2);
    round_unref(round);
    assert_counters_right();
}

WRITER_TEST(test_writer_stores_a_result_without_words_that_are_no_text, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 3);
    round->deliveries[1].row.message = "cut in the mid\xEB\x93";
    round->deliveries[2].row.remote_id = "\xFF";
    for (int i = 0; i < 3; i++) {
        end_drive(&round->deliveries[i]);
    }
    assert_ok(env, completion_wait(&round->done, &env->error));
    struct delivery_row first = load_delivery(env, round->event_id, TV);
    struct delivery_row second = load_delivery(env, round->event_id, BIZ);
    struct delivery_row third = load_delivery(env, round->event_id, GENIE);
    assert_true(first.settled && second.settled && third.settled);
    assert_string_equal(first.message, "말");
    assert_string_equal(second.message, "what the channel said is no text that can be stored");
    assert_string_equal(second.remote_id, "remote-1");
    assert_string_equal(third.message, "말");
    assert_string_equal(third.remote_id, "");
    assert_int_equal(load_distribution(env, round->event_id).version, 2);
    round_unref(round);
    assert_counters_right();
}

/* A constraint that refuses a text which is one. */
WRITER_TEST(test_writer_stores_a_result_without_words_that_a_constraint_refuses, NOT_IN_THIS_TEST_MS) {
    sql_run("ALTER TABLE deliveries ADD CONSTRAINT test_words CHECK (post_url <> 'https://example.com/forbidden')");
    struct round *round = new_round(env, NULL, 3);
    round->deliveries[1].row.post_url = "https://example.com/forbidden";
    for (int i = 0; i < 3; i++) {
        end_drive(&round->deliveries[i]);
    }
    assert_ok(env, completion_wait(&round->done, &env->error));
    assert_string_equal(load_delivery(env, round->event_id, TV).remote_id, "remote-1");
    struct delivery_row row = load_delivery(env, round->event_id, BIZ);
    assert_int_equal(row.state, STATE(PUBLISHED));
    assert_string_equal(row.post_url, "");
    round_unref(round);
    sql_run("ALTER TABLE deliveries DROP CONSTRAINT test_words");
    assert_counters_right();
}

static bool is_known(const char *event_id) {
    for (const struct round *round = stage.engine.rounds; round; round = round->next) {
        if (strcmp(round->event_id, event_id) == 0) {
            return true;
        }
    }
    return false;
}

WRITER_TEST(test_writer_change_that_cannot_be_stored_stands_in_nobodys_way, NOT_IN_THIS_TEST_MS) {
    struct round *good = new_round(env, NULL, 2), *bad = new_round(env, "no-uuid", 1);
    end_drive(&good->deliveries[0]);
    end_drive(&bad->deliveries[0]);
    end_drive(&good->deliveries[1]);
    assert_ok(env, completion_wait(&good->done, &env->error));
    assert_ok(env, completion_wait(&bad->done, &env->error));
    assert_true(good->deliveries[0].changed && good->deliveries[1].changed);
    assert_false(bad->deliveries[0].changed);
    round_unref(bad);
    assert_true(is_known("no-uuid")); /* or its claim would be released as one that was never used */
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE settled"), 2);
    good->driven = 1;
    end_drive(&good->deliveries[2]);
    WAIT_UNTIL(good->pending == 0);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE settled"), 3);
    round_unref(good);
}

/* ---- the end ---- */

WRITER_TEST(test_writer_stores_what_it_has_when_it_stops, NOT_IN_THIS_TEST_MS) {
    struct round *round = new_round(env, NULL, 2);
    end_drive(&round->deliveries[0]);
    assert_int_equal(round->pending, 1);
    engine_stop(&stage.engine);
    WAIT_UNTIL(round->pending == 0);
    assert_true(load_delivery(env, round->event_id, TV).settled);
    round->driven--;
    round_unref(round);
    stage.engine.writer = NULL; /* the end of the test stops the rest */
}

static int setup(void **state) {
    const struct kafka_producer_options options = {
        .bootstrap = "127.0.0.1:1", .client_id = "test", .delivery_timeout_ms = 10};
    return schema_setup(state) || kafka_producer_open(&options, &kafka, NULL) != HERALD_OK;
}

static int teardown(void **state) {
    kafka_producer_close(kafka, 0);
    return schema_teardown(state);
}

#define DELIVERY_TEST(test) cmocka_unit_test_setup(test, clear_deliveries)

int main(void) {
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(test_writer_results_of_a_round_share_one_commit),
        DELIVERY_TEST(test_writer_results_of_several_rounds_share_one_commit),
        DELIVERY_TEST(test_writer_result_does_not_wait_for_others_for_long),
        DELIVERY_TEST(test_writer_change_that_is_waited_for_takes_others_along),
        DELIVERY_TEST(test_writer_step_of_a_delivery_that_was_taken_over_is_refused),
        DELIVERY_TEST(test_writer_tells_those_who_wait),
        DELIVERY_TEST(test_writer_completes_a_whole_round_with_its_record),
        DELIVERY_TEST(test_writer_leaves_completion_to_the_last_of_a_whole_round),
        DELIVERY_TEST(test_engine_reports_completion_that_no_round_has_seen),
        DELIVERY_TEST(test_engine_reports_progress_when_it_is_due),
        DELIVERY_TEST(test_writer_keeps_results_while_postgres_fails),
        DELIVERY_TEST(test_writer_stores_a_result_without_words_that_are_no_text),
        DELIVERY_TEST(test_writer_stores_a_result_without_words_that_a_constraint_refuses),
        DELIVERY_TEST(test_writer_change_that_cannot_be_stored_stands_in_nobodys_way),
        DELIVERY_TEST(test_writer_stores_what_it_has_when_it_stops),
    };
    return cmocka_run_group_tests_name("integration.db.delivery_writer", tests, setup, teardown);
}
