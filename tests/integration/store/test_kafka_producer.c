#include "herald/uuid.h"
#include "server/store/kafka/kafka.h"
#include "tests/integration/store/kafka_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELIVERY_MS       5000
#define SHORT_DELIVERY_MS 800
#define SLOW_MS           3000
#define PRODUCE_API       0

static struct kafka_producer *open_at(const char *bootstrap, uint32_t delivery_ms, struct health *health,
                                      const char *topic) {
    struct kafka_producer *producer = NULL;
    struct herald_error error = {0};
    struct kafka_producer_options options = {
        .bootstrap = bootstrap,
        .client_id = "test",
        .delivery_timeout_ms = delivery_ms,
        .topics = {topic},
        .on_health = health ? health_note : NULL,
        .user = health,
    };
    if (kafka_producer_open(&options, &producer, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return producer;
}

static struct cloud_event event_for(const char *topic, const char *key, const char *id, const char *value) {
    return (struct cloud_event){
        .topic = topic,
        .key = key,
        .id = id,
        .type = "herald.test.v1.Thing",
        .source = "/herald/test",
        .content_type = "application/json",
        .time_us = 1778311773186042,
        .value = value,
        .value_bytes = strlen(value),
    };
}

static enum herald_code produce(struct kafka_producer *producer, const char *topic, const char *key, uint32_t wait_ms,
                                struct herald_error *reterr) {
    char id[37];
    herald_uuid7(id);
    struct cloud_event event = event_for(topic, key, id, "{}");
    return kafka_produce(producer, &event, wait_ms, reterr);
}

/* One test: a producer and the body that uses it inside a task. The producer is closed when the loop has ended. */
struct setup {
    const char *bootstrap;
    struct mock mock; /* of tests with faults */
    struct kafka_producer *producer;
    struct health health;
    char topic[64];
    const struct refusal *refusal; /* of its tests */
};

static void run_with_cluster(task_body_fn *body) {
    struct setup setup = {.bootstrap = need_env("HERALD_KAFKA_BOOTSTRAP")};
    new_topic(setup.topic);
    health_init(&setup.health);
    setup.producer = open_at(setup.bootstrap, DELIVERY_MS, &setup.health, setup.topic);
    run_body(body, &setup);
    kafka_producer_close(setup.producer, 1000);
}

static void run_refused(task_body_fn *body, const struct refusal *refusal) {
    struct setup setup = {.refusal = refusal};
    mock_start(&setup.mock);
    setup.bootstrap = setup.mock.bootstrap;
    new_topic(setup.topic);
    health_init(&setup.health);
    setup.producer = open_at(setup.bootstrap, SHORT_DELIVERY_MS, &setup.health, setup.topic);
    run_body(body, &setup);
    kafka_producer_close(setup.producer, 0);
    mock_stop(&setup.mock);
}

static void run_with_mock(task_body_fn *body) {
    run_refused(body, NULL);
}

/* --- Against the cluster --- */

static void acknowledged_body(void *arg) {
    struct setup *setup = arg;
    char id[37];
    herald_uuid7(id);
    struct cloud_event event = event_for(setup->topic, "key-1", id, "{\"a\":\"값\"}");
    struct herald_error error = {0};
    if (kafka_produce(setup->producer, &event, 0, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    struct raw_record record;
    assert_int_equal(raw_read(setup->bootstrap, setup->topic, &record, 1), 1);
    assert_string_equal(record.key, "key-1");
    assert_string_equal(record.value, "{\"a\":\"값\"}");
    assert_string_equal(record.ce_id, id);
    assert_string_equal(record.ce_type, "herald.test.v1.Thing");
    assert_string_equal(record.ce_source, "/herald/test");
    assert_string_equal(record.ce_specversion, "1.0");
    assert_string_equal(record.ce_time, "2026-05-09T07:29:33.186042Z");
    assert_string_equal(record.content_type, "application/json");
    assert_true(eventually(health_is_up, &setup->health));
}

static void test_kafka_produce_acknowledged_is_there_with_headers(void **state) {
    (void)state;
    run_with_cluster(acknowledged_body);
}

static void partition_body(void *arg) {
    struct setup *setup = arg;
    /* Java's Utils.murmur2("21") is -973932308. */
    enum { JAVA_HASH = -973932308, RECORDS = 20, PARTITIONS = 4 };
    for (int i = 0; i < RECORDS; i++) {
        char id[37], value[16];
        snprintf(id, sizeof(id), "id-%d", i);
        snprintf(value, sizeof(value), "%d", i);
        struct cloud_event event = event_for(setup->topic, "21", id, value);
        assert_int_equal(kafka_produce(setup->producer, &event, 0, NULL), HERALD_OK);
    }
    struct raw_record records[RECORDS];
    assert_int_equal(raw_read(setup->bootstrap, setup->topic, records, RECORDS), RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        assert_int_equal(records[i].partition, (JAVA_HASH & 0x7fffffff) % PARTITIONS);
        assert_int_equal(atoi(records[i].value), i);
    }
}

static void test_kafka_produce_same_key_keeps_order_in_javas_partition(void **state) {
    (void)state;
    run_with_cluster(partition_body);
}

static void too_big_body(void *arg) {
    struct setup *setup = arg;
    enum { BYTES = 3 << 20 };
    char *value = malloc(BYTES + 1);
    assert_non_null(value);
    memset(value, 'x', BYTES);
    value[BYTES] = '\0';
    struct cloud_event event = event_for(setup->topic, "k", "id", value);
    struct herald_error error = {0};
    assert_int_equal(kafka_produce(setup->producer, &event, 0, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "KAFKA_RECORD_REFUSED");
    free(value);
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
}

static void test_kafka_produce_too_big_is_refused(void **state) {
    (void)state;
    run_with_cluster(too_big_body);
}

#define PRODUCERS 200

static void produce_one(void *arg) {
    struct setup *setup = arg;
    assert_int_equal(produce(setup->producer, setup->topic, "many", 0, NULL), HERALD_OK);
}

static void many_body(void *arg) {
    struct setup *setup = arg;
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(task_group_spawn(&group, "producer", produce_one, setup, NULL), HERALD_OK);
    }
    task_group_join(&group);
    assert_int_equal(raw_count(setup->bootstrap, setup->topic), PRODUCERS);
}

static void test_kafka_produce_many_at_once_all_arrive_once(void **state) {
    (void)state;
    run_with_cluster(many_body);
}

/* --- Faults --- */

static void away_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_true(eventually(health_is_up, &setup->health));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    assert_true(eventually(health_is_down, &setup->health));
    struct herald_error told = health_last(&setup->health);
    assert_string_equal(told.reason, "KAFKA_UNAVAILABLE");
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "KAFKA_UNAVAILABLE");
    assert_string_equal(error.origin, "_MSG_TIMED_OUT");
    rd_kafka_mock_broker_set_up(setup->mock.cluster, MOCK_BROKER);
    assert_true(eventually(health_is_up, &setup->health));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    assert_int_equal(raw_count(setup->bootstrap, setup->topic), 2);
}

static void test_kafka_produce_broker_away_is_unavailable_until_back(void **state) {
    (void)state;
    run_with_mock(away_body);
}

static void absent_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_int_equal(produce(setup->producer, "t", "k", 0, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "KAFKA_UNAVAILABLE");
    assert_true(eventually(health_is_down, &setup->health));
    assert_int_equal(setup->health.ups, 0);
}

static void test_kafka_produce_no_cluster_from_the_start_is_unavailable(void **state) {
    (void)state;
    struct setup setup = {0};
    health_init(&setup.health);
    setup.producer = open_at("127.0.0.1:1", SHORT_DELIVERY_MS, &setup.health, NULL);
    run_body(absent_body, &setup);
    kafka_producer_close(setup.producer, 0);
}

static bool mock_has_one(void *arg) {
    struct setup *setup = arg;
    return raw_count(setup->bootstrap, setup->topic) == 1;
}

static void short_wait_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_true(eventually(health_is_up, &setup->health));
    rd_kafka_mock_broker_set_rtt(setup->mock.cluster, MOCK_BROKER, SLOW_MS);
    uint64_t start_us = clock_now_us();
    assert_int_equal(produce(setup->producer, setup->topic, "k", 20, &error), HERALD_OUTCOME_UNKNOWN);
    assert_true(clock_now_us() - start_us < SLOW_MS * UINT64_C(1000));
    assert_string_equal(error.reason, "KAFKA_OUTCOME_UNKNOWN");
    rd_kafka_mock_broker_set_rtt(setup->mock.cluster, MOCK_BROKER, 0);
    assert_true(eventually(mock_has_one, setup)); /* the record went on by itself */
}

static void test_kafka_produce_wait_over_is_unknown_and_the_record_goes_on(void **state) {
    (void)state;
    run_with_mock(short_wait_body);
}

static void deadline_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_true(eventually(health_is_up, &setup->health));
    rd_kafka_mock_broker_set_rtt(setup->mock.cluster, MOCK_BROKER, SLOW_MS); /* one that is down may be known to be */
    call_current()->deadline_us = clock_now_us() + 500000;
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, &error), HERALD_OUTCOME_UNKNOWN);
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, &error), HERALD_DEADLINE_EXCEEDED);
}

static void test_kafka_produce_call_deadline_abandons_the_delivery(void **state) {
    (void)state;
    run_with_mock(deadline_body);
}

static void lost_answer_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    rd_kafka_mock_broker_set_rtt(setup->mock.cluster, MOCK_BROKER, 3 * SHORT_DELIVERY_MS);
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, &error), HERALD_OUTCOME_UNKNOWN);
    assert_string_equal(error.reason, "KAFKA_OUTCOME_UNKNOWN");
    assert_string_equal(error.origin, "_MSG_TIMED_OUT");
    rd_kafka_mock_broker_set_rtt(setup->mock.cluster, MOCK_BROKER, 0);
}

static void test_kafka_produce_answer_too_late_is_unknown(void **state) {
    (void)state;
    run_with_mock(lost_answer_body);
}

static void topic_missing_body(void *arg) {
    struct setup *setup = arg;
    rd_kafka_mock_topic_set_error(setup->mock.cluster, setup->topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_true(eventually(health_is_down, &setup->health));
    struct herald_error told = health_last(&setup->health);
    assert_string_equal(told.reason, "KAFKA_TOPIC_UNAVAILABLE");
    assert_non_null(strstr(told.message, setup->topic));
    rd_kafka_mock_topic_set_error(setup->mock.cluster, setup->topic, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(eventually(health_is_up, &setup->health));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
}

static void test_kafka_producer_topic_missing_is_not_healthy(void **state) {
    (void)state;
    run_with_mock(topic_missing_body);
}

/* The broker answers questions, and takes no records. */
struct refusal {
    rd_kafka_resp_err_t err;
    const char *named;
    unsigned records; /* that must fail before health says so */
};

static const struct refusal REFUSALS[] = {
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "authorization failed", 1},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "timed out", 1}, /* librdkafka repeats it until the time is over */
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too large", 3},
};

static bool names_refusal(void *arg) {
    const struct setup *setup = arg;
    struct herald_error told = health_last((struct health *)&setup->health);
    return health_is_down((struct health *)&setup->health) && strstr(told.message, setup->refusal->named) &&
           strstr(told.message, setup->topic);
}

static bool names_refusal_of_a_new_record(void *arg) {
    struct setup *setup = arg;
    (void)produce(setup->producer, setup->topic, "k", 0, NULL);
    return names_refusal(setup);
}

static bool produces_again(void *arg);

static void refused_body(void *arg) {
    struct setup *setup = arg;
    const struct refusal *refusal = setup->refusal;
    rd_kafka_resp_err_t errs[64];
    assert_true(eventually(health_is_up, &setup->health));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
        errs[i] = refusal->err;
    }
    rd_kafka_mock_push_request_errors_array(setup->mock.cluster, PRODUCE_API, sizeof(errs) / sizeof(errs[0]), errs);
    for (unsigned i = 0; i < refusal->records; i++) {
        assert_int_not_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
        assert_true(i + 1 == refusal->records || health_is_up(&setup->health));
    }
    assert_true(eventually(names_refusal, setup));
    rd_kafka_mock_clear_request_errors(setup->mock.cluster, PRODUCE_API);
    assert_true(eventually(produces_again, setup));
    assert_true(eventually(health_is_up, &setup->health));
}

/* librdkafka says only that the time was over; health looks up why. */
static void leaderless_body(void *arg) {
    struct setup *setup = arg;
    enum { PARTITIONS = 4 };
    static const struct refusal NO_LEADER = {.named = "has no leader"};
    setup->refusal = &NO_LEADER;
    assert_true(eventually(health_is_up, &setup->health));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(rd_kafka_mock_partition_set_leader(setup->mock.cluster, setup->topic, i, -1),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_true(eventually(names_refusal_of_a_new_record, setup));
    for (int32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(rd_kafka_mock_partition_set_leader(setup->mock.cluster, setup->topic, i, MOCK_BROKER),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_true(eventually(produces_again, setup));
    assert_true(eventually(health_is_up, &setup->health));
}

static void test_kafka_producer_partition_without_leader_is_named(void **state) {
    (void)state;
    run_with_mock(leaderless_body);
}

static void test_kafka_producer_that_takes_no_records_is_not_healthy(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        run_refused(refused_body, &REFUSALS[i]);
    }
}

static bool produces_again(void *arg) {
    struct setup *setup = arg;
    return produce(setup->producer, setup->topic, "k", 0, NULL) == HERALD_OK;
}

static void fatal_body(void *arg) {
    struct setup *setup = arg;
    struct herald_error error = {0};
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
    /* A sequence error on the first record in flight is fatal to an idempotent producer. */
    rd_kafka_mock_push_request_errors(setup->mock.cluster, PRODUCE_API, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    enum herald_code code = produce(setup->producer, setup->topic, "k", 0, &error);
    assert_true(code == HERALD_UNAVAILABLE || code == HERALD_OUTCOME_UNKNOWN);
    assert_true(eventually(produces_again, setup));
    assert_int_equal(produce(setup->producer, setup->topic, "k", 0, NULL), HERALD_OK);
}

static void test_kafka_produce_fatal_error_renews_the_producer(void **state) {
    (void)state;
    run_with_mock(fatal_body);
}

static void leave_one_body(void *arg) {
    struct setup *setup = arg;
    rd_kafka_mock_broker_set_down(setup->mock.cluster, MOCK_BROKER);
    assert_int_equal(produce(setup->producer, setup->topic, "k", 1, NULL), HERALD_OUTCOME_UNKNOWN);
}

static void test_kafka_producer_close_frees_what_is_abandoned(void **state) {
    (void)state;
    run_with_mock(leave_one_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_produce_acknowledged_is_there_with_headers),
        cmocka_unit_test(test_kafka_produce_same_key_keeps_order_in_javas_partition),
        cmocka_unit_test(test_kafka_produce_too_big_is_refused),
        cmocka_unit_test(test_kafka_produce_many_at_once_all_arrive_once),
        cmocka_unit_test(test_kafka_produce_broker_away_is_unavailable_until_back),
        cmocka_unit_test(test_kafka_produce_no_cluster_from_the_start_is_unavailable),
        cmocka_unit_test(test_kafka_produce_wait_over_is_unknown_and_the_record_goes_on),
        cmocka_unit_test(test_kafka_produce_call_deadline_abandons_the_delivery),
        cmocka_unit_test(test_kafka_produce_answer_too_late_is_unknown),
        cmocka_unit_test(test_kafka_producer_topic_missing_is_not_healthy),
        cmocka_unit_test(test_kafka_producer_partition_without_leader_is_named),
        cmocka_unit_test(test_kafka_producer_that_takes_no_records_is_not_healthy),
        cmocka_unit_test(test_kafka_produce_fatal_error_renews_the_producer),
        cmocka_unit_test(test_kafka_producer_close_frees_what_is_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
