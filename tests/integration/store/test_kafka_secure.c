/* Producer, consumer and plain questions to an Apache Kafka with TLS and SASL; kafka-secure-test starts it. */
#include "server/settings/settings_map.h"
#include "server/store/kafka/kafka.h"
#include "server/store/kafka/kafka_client.h"
#include "tests/integration/store/kafka_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELIVERY_MS 4000

struct way {
    const char *bootstrap;
    const char *wrong; /* NULL: it is let in; else what health names */
    struct health produced;
    struct kafka_producer *producer;
    struct kafka_consumer *consumer;
    unsigned records;
};

static void use(const char *const *properties) {
    char *map = NULL;
    for (; *properties; properties += 2) {
        assert_true(settings_map_put(&map, properties[0], properties[1]));
    }
    struct herald_error error = {0};
    if (map && kafka_properties_check(map, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(kafka_client_use(map, NULL), HERALD_OK);
    free(map);
}

static void on_record(void *user, struct kafka_record *record) {
    struct way *way = user;
    way->records++;
    kafka_record_done(way->consumer, record);
}

static bool has_record(void *arg) {
    return ((struct way *)arg)->records > 0;
}

static enum herald_code produce_one(struct way *way, const char *topic) {
    const struct cloud_event event = {.topic = topic,
                                      .key = "k",
                                      .id = "id",
                                      .type = "t",
                                      .source = "/s",
                                      .content_type = "application/json",
                                      .value = "{}",
                                      .value_bytes = 2};
    return kafka_produce(way->producer, &event, 0, NULL);
}

static void way_body(void *arg) {
    struct way *way = arg;
    if (way->wrong) {
        assert_true(eventually(health_is_down, &way->produced));
        struct herald_error told = health_last(&way->produced);
        if (!strstr(told.message, way->wrong)) {
            fail_msg("health does not name '%s'; it says: %s", way->wrong, told.message);
        }
        assert_null(strstr(told.message, "s3cret"));
        return;
    }
    char group[64];
    new_topic(group);
    const struct kafka_consumer_options options = {.bootstrap = way->bootstrap,
                                                   .client_id = "test",
                                                   .group = group,
                                                   .topic = "secure",
                                                   .max_in_flight = 1000,
                                                   .loop = loop_current(),
                                                   .on_record = on_record,
                                                   .user = way};
    assert_int_equal(produce_one(way, "secure"), HERALD_OK);
    assert_true(eventually(health_is_up, &way->produced));
    assert_int_equal(kafka_consumer_open(&options, &way->consumer, NULL), HERALD_OK);
    assert_true(eventually(has_record, way));
    kafka_consumer_stop(way->consumer);
    kafka_consumer_close(way->consumer);
}

static void run_way(const char *bootstrap, const char *wrong, const char *const *properties) {
    struct way way = {.bootstrap = bootstrap, .wrong = wrong};
    use(properties);
    health_init(&way.produced);
    const struct kafka_producer_options options = {.bootstrap = bootstrap,
                                                   .client_id = "test",
                                                   .delivery_timeout_ms = DELIVERY_MS,
                                                   .topics = {"secure"},
                                                   .on_health = health_note,
                                                   .user = &way.produced};
    assert_int_equal(kafka_producer_open(&options, &way.producer, NULL), HERALD_OK);
    run_body(way_body, &way);
    kafka_producer_close(way.producer, 0);
    assert_int_equal(kafka_client_use(NULL, NULL), HERALD_OK);
}

static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", need_env("HERALD_TEST_KAFKA_FOLDER"), name);
    return path;
}

static void test_kafka_tls_is_spoken_by_producer_and_consumer(void **state) {
    (void)state;
    run_way(need_env("HERALD_TEST_KAFKA_SSL"), NULL,
            (const char *const[]){"security.protocol", "ssl", "ssl.ca.location", in_folder("ca.pem"), NULL});
}

static void test_kafka_tls_of_a_stranger_is_refused(void **state) {
    (void)state;
    run_way(need_env("HERALD_TEST_KAFKA_SSL"), "SSL handshake failed",
            (const char *const[]){"security.protocol", "ssl", "ssl.ca.location", in_folder("other.pem"), NULL});
}

static void test_kafka_sasl_logs_in(void **state) {
    (void)state;
    run_way(need_env("HERALD_TEST_KAFKA_SASL"), NULL,
            (const char *const[]){"security.protocol", "sasl_plaintext", "sasl.mechanism", "PLAIN", "sasl.username",
                                  "herald", "sasl.password", "s3cret", NULL});
}

static void test_kafka_sasl_wrong_password_is_named(void **state) {
    (void)state;
    run_way(need_env("HERALD_TEST_KAFKA_SASL"), "uthentication failed",
            (const char *const[]){"security.protocol", "sasl_plaintext", "sasl.mechanism", "PLAIN", "sasl.username",
                                  "herald", "sasl.password", "wrong", NULL});
}

/* --- A topic that takes no records --- */

static void set_record_bytes(const char *value) {
    char text[256] = "";
    rd_kafka_conf_t *conf = NULL;
    assert_int_equal(kafka_client_conf(need_env("HERALD_TEST_KAFKA_PLAIN"), "test", NULL, 0, &conf, NULL), HERALD_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(client);
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, "other");
    assert_int_equal(rd_kafka_ConfigResource_set_config(resource, "max.message.bytes", value), 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AlterConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_destroy(client);
}

static bool takes_records(void *arg) {
    return produce_one(arg, "other") == HERALD_OK;
}

static bool refusal_is_told(void *arg) {
    struct way *way = arg;
    return !takes_records(way) && health_is_down(&way->produced);
}

static void refusing_body(void *arg) {
    struct way *way = arg;
    assert_true(eventually(takes_records, way));
    assert_true(eventually(health_is_up, &way->produced));
    set_record_bytes("1");
    assert_true(eventually(refusal_is_told, way));
    struct herald_error told = health_last(&way->produced);
    if (!strstr(told.message, "topic 'other'") || !strstr(told.message, "too large")) {
        fail_msg("health says: %s", told.message);
    }
    set_record_bytes("1048588");
    assert_true(eventually(takes_records, way));
    assert_true(eventually(health_is_up, &way->produced));
}

static void test_kafka_topic_that_refuses_all_is_named(void **state) {
    (void)state;
    struct way way = {.bootstrap = need_env("HERALD_TEST_KAFKA_PLAIN")};
    health_init(&way.produced);
    const struct kafka_producer_options options = {.bootstrap = way.bootstrap,
                                                   .client_id = "test",
                                                   .delivery_timeout_ms = DELIVERY_MS,
                                                   .topics = {"other"},
                                                   .on_health = health_note,
                                                   .user = &way.produced};
    assert_int_equal(kafka_producer_open(&options, &way.producer, NULL), HERALD_OK);
    run_body(refusing_body, &way);
    kafka_producer_close(way.producer, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_tls_is_spoken_by_producer_and_consumer),
        cmocka_unit_test(test_kafka_tls_of_a_stranger_is_refused),
        cmocka_unit_test(test_kafka_sasl_logs_in),
        cmocka_unit_test(test_kafka_sasl_wrong_password_is_named),
        cmocka_unit_test(test_kafka_topic_that_refuses_all_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
