#include "server/durable/outbox_relay.h"
#include "server/store/postgres/batch.h"
#include "tests/integration/db/db_test.h"
#include "tests/integration/store/kafka_fixture.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS     20
#define LEASE_MS    1000
#define DELIVERY_MS 500
#define LONG_MS     3600000

/* The stage of one test. cmocka's tests run one after another, so that there is one. */
static struct stage {
    const char *bootstrap;
    bool with_mock;
    struct mock mock;
    struct kafka_producer *kafka;
    struct redis *redis;
    struct outbox_relay *relay;
    char topic[64], owner[80];
    unsigned errors;
    struct herald_error last_error;
    unsigned refused; /* records that were parked */
    struct herald_error refusal;
    uint64_t parked; /* as last counted */
    char parked_topic[64];
} stage;

static void on_error(void *user, const struct herald_error *error) {
    (void)user;
    stage.errors++;
    herald_error_copy(&stage.last_error, error);
}

static void on_refused(void *user, const struct outbox_row *row, const struct herald_error *error) {
    (void)user;
    assert_string_equal(row->topic, stage.topic);
    stage.refused++;
    herald_error_copy(&stage.refusal, error);
}

static void on_parked(void *user, const struct outbox_parked *parked) {
    (void)user;
    stage.parked = parked->count;
    snprintf(stage.parked_topic, sizeof(stage.parked_topic), "%s", parked->topic);
}

static void start_relay(struct db_env *env, uint32_t poll_ms) {
    assert_ok(env, outbox_relay_start(
                       &(struct outbox_relay_options){
                           .owner = stage.owner,
                           .loop = env->loop,
                           .db = env->db,
                           .kafka = stage.kafka,
                           .redis = stage.redis,
                           .poll_ms = poll_ms,
                           .lease_ms = LEASE_MS,
                           .on_error = on_error,
                           .on_refused = on_refused,
                           .on_parked = on_parked,
                       },
                       &stage.relay, &env->error));
}

static void stop_relay(void) {
    outbox_relay_stop(stage.relay);
    stage.relay = NULL;
}

static void run_stage(bool with_mock, uint32_t delivery_ms, db_body_fn *body) {
    stage = (struct stage){.with_mock = with_mock};
    if (with_mock) {
        mock_start(&stage.mock);
        stage.bootstrap = stage.mock.bootstrap;
    } else {
        stage.bootstrap = need_env("HERALD_KAFKA_BOOTSTRAP");
    }
    new_topic(stage.topic);
    snprintf(stage.owner, sizeof(stage.owner), "owner-%s", stage.topic);
    struct kafka_producer_options options = {
        .bootstrap = stage.bootstrap,
        .client_id = "test",
        .delivery_timeout_ms = delivery_ms,
    };
    assert_int_equal(kafka_producer_open(&options, &stage.kafka, NULL), HERALD_OK);
    db_env_run(schema_dsn(), 4, body);
    kafka_producer_close(stage.kafka, 0);
    if (with_mock) {
        mock_stop(&stage.mock);
    }
}

#define STAGE_TEST(name, with_mock, delivery_ms)                                                                       \
    static void name##_body(struct db_env *env);                                                                       \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        run_stage(with_mock, delivery_ms, name##_body);                                                                \
    }                                                                                                                  \
    static void name##_body(struct db_env *env)
#define CLUSTER_TEST(name) STAGE_TEST(name, false, 10 * DELIVERY_MS)
#define MOCK_TEST(name)    STAGE_TEST(name, true, DELIVERY_MS)
/* Where a record that comes too late would be another fault than the one looked at. */
#define PATIENT_MOCK_TEST(name) STAGE_TEST(name, true, 20 * DELIVERY_MS)

/* @delay_ms as the business transaction writes it. */
static void insert_row(const char *id, const char *key, const char *value, uint32_t delay_ms) {
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, "
            "next_try_at) VALUES ('%s', 'KAFKA', '%s', '%s', '%s', 'herald.test.v1.Thing', '/herald/test', "
            "'application/json', '2026-05-09 07:29:33.186042+00', convert_to('%s', 'UTF8'), now() + %u * interval "
            "'1 ms')",
            id, stage.owner, stage.topic, key, value, delay_ms);
}

static long unsent(void) {
    return sql_number("SELECT count(*) FROM outbox WHERE owner = '%s' AND sent_at IS NULL", stage.owner);
}

/* --- Sending --- */

CLUSTER_TEST(test_outbox_relay_due_row_is_sent_with_its_id_and_bytes) {
    const char *id = new_id(), *later = new_id();
    insert_row(id, "key-1", "{\"name\":\"가게\"}", 0);
    insert_row(later, "key-2", "{}", LONG_MS);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 1);
    struct raw_record record;
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, &record, 1), 1);
    assert_string_equal(record.ce_id, id);
    assert_string_equal(record.key, "key-1");
    assert_string_equal(record.value, "{\"name\":\"가게\"}");
    assert_string_equal(record.ce_type, "herald.test.v1.Thing");
    assert_string_equal(record.ce_source, "/herald/test");
    assert_string_equal(record.ce_time, "2026-05-09T07:29:33.186042Z");
    assert_string_equal(record.content_type, "application/json");
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), 1);
    assert_int_equal(stage.errors, 0);
    stop_relay();
}

CLUSTER_TEST(test_outbox_relay_rows_of_a_key_keep_their_order) {
    enum { KEYS = 10, ROWS = 300 };
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value, "
            "next_try_at) SELECT gen_random_uuid(), 'KAFKA', '%s', '%s', 'key-' || i %% %d, 'herald.test.v1.Thing', "
            "'/herald/test', 'application/json', now(), convert_to(i::text, 'UTF8'), now() "
            "FROM generate_series(0, %d) AS i ORDER BY i",
            stage.owner, stage.topic, KEYS, ROWS - 1);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 0);
    static struct raw_record records[ROWS];
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, records, ROWS), ROWS);
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), ROWS);
    int last[KEYS];
    memset(last, -1, sizeof(last));
    for (int i = 0; i < ROWS; i++) {
        int lane = atoi(records[i].key + 4), number = atoi(records[i].value);
        assert_true(number > last[lane]);
        last[lane] = number;
    }
    stop_relay();
}

static struct redis *open_redis(void) {
    struct redis *redis = NULL;
    struct redis_options options = {.url = need_env("HERALD_REDIS_URL"), .timeout_ms = 1000};
    assert_int_equal(redis_open(loop_current(), &options, &redis, NULL), HERALD_OK);
    return redis;
}

CLUSTER_TEST(test_outbox_relay_cache_delete_removes_the_key) {
    const char *id = new_id();
    char key[64], *value = NULL;
    size_t bytes = 0;
    stage.redis = open_redis();
    snprintf(key, sizeof(key), "test:%s", id);
    assert_ok(env, redis_set(stage.redis, key, "v", 1, 60, &env->error));
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, value, next_try_at) "
            "VALUES ('%s', 'CACHE_DELETE', '%s', '', '%s', '', '', '', '', now())",
            id, stage.owner, key);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 0);
    assert_code(env, redis_get(stage.redis, key, &value, &bytes, &env->error), HERALD_NOT_FOUND);
    stop_relay();
    task_yield();
    redis_close(stage.redis);
}

CLUSTER_TEST(test_outbox_relay_old_sent_rows_are_pruned) {
    const char *old = new_id(), *young = new_id(), *waiting = new_id();
    insert_row(old, "k", "{}", 0);
    insert_row(young, "k", "{}", 0);
    insert_row(waiting, "k2", "{}", LONG_MS);
    sql_run("UPDATE outbox SET sent_at = now() - interval '25 hours' WHERE id = '%s'", old);
    sql_run("UPDATE outbox SET sent_at = now() - interval '23 hours' WHERE id = '%s'", young);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM outbox WHERE id = '%s'", old) == 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE owner = '%s'", stage.owner), 2);
    stop_relay();
}

/* --- Faults --- */

MOCK_TEST(test_outbox_relay_broker_away_row_is_sent_later_unchanged) {
    const char *id = new_id();
    struct raw_record record;
    rd_kafka_mock_broker_set_down(stage.mock.cluster, MOCK_BROKER);
    insert_row(id, "key-1", "{\"a\":1}", 0);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(stage.errors >= 2); /* so that it was taken more than once */
    assert_string_equal(stage.last_error.reason, "KAFKA_UNAVAILABLE");
    assert_int_equal(unsent(), 1);
    rd_kafka_mock_broker_set_up(stage.mock.cluster, MOCK_BROKER);
    WAIT_UNTIL(unsent() == 0);
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, &record, 1), 1);
    assert_string_equal(record.ce_id, id);
    assert_string_equal(record.key, "key-1");
    assert_string_equal(record.value, "{\"a\":1}");
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), 1);
    stop_relay();
}

MOCK_TEST(test_outbox_relay_lost_answer_repeats_with_the_same_id) {
    /* librdkafka looks for what is overdue once a second; a machine that is busy is later still. */
    enum { RTT_MS = 10 * DELIVERY_MS, MOST = 32 };
    const char *id = new_id();
    struct raw_record records[MOST];
    insert_row(new_id(), "key-1", "{}", 0); /* of the same partition, so that all is set up */
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 0);
    rd_kafka_mock_broker_set_rtt(stage.mock.cluster, MOCK_BROKER, RTT_MS);
    insert_row(id, "key-1", "{\"a\":1}", 0);
    WAIT_UNTIL(stage.errors >= 1);
    assert_string_equal(stage.last_error.reason, "KAFKA_OUTCOME_UNKNOWN");
    rd_kafka_mock_broker_set_rtt(stage.mock.cluster, MOCK_BROKER, 0);
    WAIT_UNTIL(unsent() == 0);
    size_t count = (size_t)raw_count(stage.bootstrap, stage.topic);
    assert_in_range(count, 2, MOST);
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, records, count), count);
    unsigned copies = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].value, "{\"a\":1}") == 0) {
            assert_string_equal(records[i].ce_id, id);
            copies++;
        }
    }
    assert_int_equal(copies, count - 1);
    stop_relay();
}

MOCK_TEST(test_outbox_relay_stop_ends_it_in_the_middle_of_sending) {
    unsigned tasks = loop_task_count(env->loop);
    rd_kafka_mock_broker_set_down(stage.mock.cluster, MOCK_BROKER);
    insert_row(new_id(), "k", "{}", 0);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(loop_task_count(env->loop) == tasks + 2); /* the relay and a lane */
    stop_relay();
    WAIT_UNTIL(loop_task_count(env->loop) == tasks);
    assert_int_equal(unsent(), 1);
    assert_int_equal(stage.errors, 0);
}

/* --- Records that Kafka refuses for good --- */

#define PRODUCE_API 0

/* Asserts that the topic holds these values of one key, in this order. */
static void assert_records(const char *const *values, size_t count) {
    struct raw_record records[4];
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, records, count), count);
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(records[i].value, values[i]);
    }
}

static void refuse_next_record(void) {
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    rd_kafka_mock_push_request_errors_array(stage.mock.cluster, PRODUCE_API, 1, &err);
}

static void try_now(const char *id) {
    sql_run("UPDATE outbox SET next_try_at = now() WHERE id = '%s'", id);
}

PATIENT_MOCK_TEST(test_outbox_relay_refused_record_is_parked_and_sent_when_the_limit_is_raised) {
    static const char *const values[] = {"second", "third", "first"};
    const char *id = new_id();
    insert_row(id, "key-1", "first", 0);
    insert_row(new_id(), "key-1", "second", 0);
    insert_row(new_id(), "key-1", "third", 0);
    refuse_next_record();
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 1 && stage.parked == 1);
    assert_records(values, 2);
    assert_int_equal(stage.refused, 1);
    assert_string_equal(stage.refusal.reason, "KAFKA_RECORD_REFUSED");
    assert_string_equal(stage.parked_topic, stage.topic);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE id = '%s' AND parked_why LIKE '%%too large%%' AND "
                                "next_try_at - now() BETWEEN interval '290 s' AND interval '600 s'",
                                id),
                     1);
    refuse_next_record(); /* nobody has raised it yet */
    try_now(id);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM outbox WHERE id = '%s' AND tries = 2 AND next_try_at > now() + "
                          "interval '1 minute'",
                          id) == 1);
    try_now(id);
    WAIT_UNTIL(unsent() == 0 && stage.parked == 0);
    assert_records(values, 3);
    assert_int_equal(stage.refused, 1); /* told once */
    assert_int_equal(stage.errors, 0);
    stop_relay();
}

/* The client itself refuses what is larger than its own message.max.bytes. */
CLUSTER_TEST(test_outbox_relay_record_that_the_client_refuses_is_parked) {
    static const char *const values[] = {"second"};
    const char *id = new_id();
    insert_row(id, "key-1", "", 0);
    sql_run("UPDATE outbox SET value = convert_to(repeat('x', 2000000), 'UTF8') WHERE id = '%s'", id);
    insert_row(new_id(), "key-1", "second", 0);
    start_relay(env, POLL_MS);
    WAIT_UNTIL(unsent() == 1 && stage.parked == 1);
    assert_records(values, 1);
    assert_int_equal(stage.refused, 1);
    assert_int_equal(stage.errors, 0);
    stop_relay();
}

/* --- The inline path --- */

static struct outbox_row row_in_hand(const char *id) {
    return (struct outbox_row){
        .id = id,
        .kind = OUTBOX_KAFKA,
        .owner = stage.owner,
        .topic = stage.topic,
        .key = "key-1",
        .ce_type = "herald.test.v1.Thing",
        .ce_source = "/herald/test",
        .content_type = "application/json",
        .ce_time_us = 1778311773186042,
        .value = (const uint8_t *)"{}",
        .value_bytes = 2,
    };
}

CLUSTER_TEST(test_outbox_send_now_sends_once_and_deletes_the_row) {
    const char *id = new_id();
    struct outbox_row row = row_in_hand(id);
    struct raw_record record;
    start_relay(env, POLL_MS);
    insert_row(id, "key-1", "{}", 5000);
    assert_ok(env, outbox_send_now(stage.relay, &row, 5000, &env->error));
    WAIT_UNTIL(unsent() == 0);
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, &record, 1), 1);
    assert_string_equal(record.ce_id, id);
    assert_string_equal(record.ce_time, "2026-05-09T07:29:33.186042Z");
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), 1);
    stop_relay();
}

MOCK_TEST(test_outbox_send_now_broker_away_leaves_it_to_the_relay) {
    const char *id = new_id();
    struct outbox_row row = row_in_hand(id);
    struct raw_record record;
    rd_kafka_mock_broker_set_down(stage.mock.cluster, MOCK_BROKER);
    start_relay(env, POLL_MS);
    insert_row(id, "key-1", "{}", 2000);
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "KAFKA_UNAVAILABLE");
    assert_int_equal(unsent(), 1);
    rd_kafka_mock_broker_set_up(stage.mock.cluster, MOCK_BROKER);
    WAIT_UNTIL(unsent() == 0);
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, &record, 1), 1);
    assert_string_equal(record.ce_id, id);
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), 1);
    stop_relay();
}

CLUSTER_TEST(test_outbox_send_soon_sends_each_once_and_deletes_the_rows) {
    enum { ROWS = 300 };
    static char ids[ROWS][OUTBOX_ID_BYTES];
    sql_run("INSERT INTO outbox (id, kind, owner, topic, key, ce_type, ce_source, content_type, value, next_try_at) "
            "SELECT gen_random_uuid(), 'KAFKA', '%s', '%s', 'key-1', 'herald.test.v1.Thing', '/herald/test', "
            "'application/json', '{}', now() + interval '1 hour' FROM generate_series(1, %d)",
            stage.owner, stage.topic, ROWS);
    PGconn *pg = admin_open();
    const char *owners[] = {stage.owner};
    PGresult *rows = PQexecParams(pg, "SELECT id FROM outbox WHERE owner = $1", 1, NULL, owners, NULL, NULL, 0);
    assert_int_equal(PQntuples(rows), ROWS);
    start_relay(env, POLL_MS);
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%s", PQgetvalue(rows, i, 0));
        char key[] = "key-1", value[] = "{}";
        struct outbox_row row = row_in_hand(ids[i]);
        row.key = key;
        row.value = (const uint8_t *)value;
        outbox_send_soon(stage.relay, &row);
        memset(key, 'x', sizeof(key) - 1); /* it has its own copy */
        memset(value, 'x', sizeof(value) - 1);
    }
    PQclear(rows);
    PQfinish(pg);
    WAIT_UNTIL(unsent() == 0);
    static struct raw_record records[ROWS];
    assert_int_equal(raw_read(stage.bootstrap, stage.topic, records, ROWS), ROWS);
    assert_int_equal(raw_count(stage.bootstrap, stage.topic), ROWS);
    for (int i = 0; i < ROWS; i++) {
        assert_string_equal(records[i].key, "key-1");
        assert_string_equal(records[i].value, "{}");
    }
    stop_relay();
}

CLUSTER_TEST(test_outbox_relay_settle_deletes_at_once) {
    const char *id = new_id();
    struct outbox_row row = row_in_hand(id);
    start_relay(env, 60000);
    insert_row(id, "key-1", "{}", LONG_MS);
    outbox_send_soon(stage.relay, &row);
    assert_false(outbox_relay_is_settled(stage.relay));
    outbox_relay_settle(stage.relay);
    WAIT_UNTIL(outbox_relay_is_settled(stage.relay));
    assert_int_equal(unsent(), 0);
    stop_relay();
}

/* A broker that keeps its connections and answers nothing. */
MOCK_TEST(test_outbox_send_now_waits_once_for_a_broker_that_is_frozen) {
    struct outbox_row row = row_in_hand(new_id());
    start_relay(env, 60000);
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_OK);
    rd_kafka_mock_broker_set_rtt(stage.mock.cluster, MOCK_BROKER, 10 * DELIVERY_MS);
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_OUTCOME_UNKNOWN);
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_non_null(strstr(env->error.message, "in the background"));
    rd_kafka_mock_broker_set_rtt(stage.mock.cluster, MOCK_BROKER, 0);
    stop_relay();
}

/* The second does not wait: its refusal comes without a record having been tried. */
MOCK_TEST(test_outbox_send_now_waits_once_for_a_broker_that_is_away) {
    struct outbox_row row = row_in_hand(new_id());
    rd_kafka_mock_broker_set_down(stage.mock.cluster, MOCK_BROKER);
    start_relay(env, 60000);
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_null(strstr(env->error.message, "in the background"));
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_string_equal(env->error.reason, "KAFKA_UNAVAILABLE");
    assert_non_null(strstr(env->error.message, "in the background"));
    rd_kafka_mock_broker_set_up(stage.mock.cluster, MOCK_BROKER);
    /* one goes through again after a while; from then on all do */
    WAIT_UNTIL(outbox_send_now(stage.relay, &row, 5000, NULL) == HERALD_OK);
    assert_ok(env, outbox_send_now(stage.relay, &row, 5000, &env->error));
    stop_relay();
}

/* Each loop has a relay; they have one producer. */
MOCK_TEST(test_outbox_send_now_of_another_loop_does_not_wait_for_a_broker_that_is_away) {
    struct outbox_row row = row_in_hand(new_id());
    rd_kafka_mock_broker_set_down(stage.mock.cluster, MOCK_BROKER);
    start_relay(env, 60000);
    struct outbox_relay *first = stage.relay;
    start_relay(env, 60000);
    assert_code(env, outbox_send_now(first, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_null(strstr(env->error.message, "in the background"));
    assert_code(env, outbox_send_now(stage.relay, &row, 5000, &env->error), HERALD_UNAVAILABLE);
    assert_non_null(strstr(env->error.message, "in the background"));
    rd_kafka_mock_broker_set_up(stage.mock.cluster, MOCK_BROKER);
    WAIT_UNTIL(outbox_send_now(first, &row, 5000, NULL) == HERALD_OK);
    assert_ok(env, outbox_send_now(stage.relay, &row, 5000, &env->error));
    outbox_relay_stop(first);
    stop_relay();
}

/* --- A rider --- */

struct passenger {
    struct outbox_rider rider;
    unsigned added, ended;
};

/* Any statement will do. */
static bool add_passenger(void *self, struct db_batch *batch) {
    struct passenger *passenger = self;
    passenger->added++;
    db_add(batch, DB_QUERY_OUTBOX_PARKED);
    db_put_text(batch, stage.owner);
    return true;
}

static void end_passenger(void *self, enum herald_code code) {
    struct passenger *passenger = self;
    assert_int_equal(code, HERALD_OK);
    passenger->ended++;
}

static void see_sent(void *self, const struct outbox_row *row) {
    (void)self;
    (void)row;
}

static PGconn *lock_outbox(void) {
    PGconn *pg = admin_open();
    admin_run(pg, "BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE");
    return pg;
}

static void unlock_outbox(PGconn *pg) {
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
}

CLUSTER_TEST(test_outbox_relay_rider_that_leaves_during_the_statement_is_not_called) {
    struct passenger passenger = {
        .rider = {.self = &passenger, .add = add_passenger, .end = end_passenger, .sent = see_sent}};
    start_relay(env, POLL_MS);
    outbox_relay_carry(stage.relay, &passenger.rider);
    WAIT_UNTIL(passenger.ended > 0);
    PGconn *pg = lock_outbox();
    WAIT_UNTIL(passenger.added > passenger.ended); /* its statement waits for the lock */
    unsigned ended = passenger.ended;
    outbox_relay_carry(stage.relay, NULL);
    passenger.rider = (struct outbox_rider){0};
    unlock_outbox(pg);
    insert_row(new_id(), "key", "{}", 0);
    WAIT_UNTIL(unsent() == 0); /* by a later round */
    assert_int_equal(passenger.ended, ended);
    stop_relay();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_relay_due_row_is_sent_with_its_id_and_bytes),
        cmocka_unit_test(test_outbox_relay_rows_of_a_key_keep_their_order),
        cmocka_unit_test(test_outbox_relay_cache_delete_removes_the_key),
        cmocka_unit_test(test_outbox_relay_old_sent_rows_are_pruned),
        cmocka_unit_test(test_outbox_relay_broker_away_row_is_sent_later_unchanged),
        cmocka_unit_test(test_outbox_relay_lost_answer_repeats_with_the_same_id),
        cmocka_unit_test(test_outbox_relay_stop_ends_it_in_the_middle_of_sending),
        cmocka_unit_test(test_outbox_relay_refused_record_is_parked_and_sent_when_the_limit_is_raised),
        cmocka_unit_test(test_outbox_relay_record_that_the_client_refuses_is_parked),
        cmocka_unit_test(test_outbox_send_now_sends_once_and_deletes_the_row),
        cmocka_unit_test(test_outbox_send_soon_sends_each_once_and_deletes_the_rows),
        cmocka_unit_test(test_outbox_relay_settle_deletes_at_once),
        cmocka_unit_test(test_outbox_relay_rider_that_leaves_during_the_statement_is_not_called),
        cmocka_unit_test(test_outbox_send_now_waits_once_for_a_broker_that_is_away),
        cmocka_unit_test(test_outbox_send_now_of_another_loop_does_not_wait_for_a_broker_that_is_away),
        cmocka_unit_test(test_outbox_send_now_waits_once_for_a_broker_that_is_frozen),
        cmocka_unit_test(test_outbox_send_now_broker_away_leaves_it_to_the_relay),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
