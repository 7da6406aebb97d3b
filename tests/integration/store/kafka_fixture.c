#include "tests/integration/store/kafka_fixture.h"

#include "herald/uuid.h"
#include "server/store/kafka/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MS     20000
#define FLUSH_MS    20000
#define METADATA_MS 10000

static rd_kafka_t *raw_client(rd_kafka_type_t type, const char *bootstrap, const struct kafka_setting *settings,
                              size_t count) {
    rd_kafka_conf_t *conf = NULL;
    char text[256] = "";
    assert_int_equal(kafka_client_conf(bootstrap, "test", settings, count, &conf, NULL), HERALD_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    if (!client) {
        fail_msg("rd_kafka_new: %s", text);
    }
    return client;
}

void mock_start(struct mock *mock) {
    mock->handle = raw_client(RD_KAFKA_PRODUCER, "127.0.0.1:1", NULL, 0);
    mock->cluster = rd_kafka_mock_cluster_new(mock->handle, 1);
    assert_non_null(mock->cluster);
    mock->bootstrap = rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

void mock_stop(struct mock *mock) {
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->handle);
}

void new_topic(char topic[64]) {
    char id[37];
    herald_uuid7(id);
    snprintf(topic, 64, "test-%s", id);
}

void raw_produce(const char *bootstrap, const char *topic, int32_t partition, int first, int count) {
    const struct kafka_setting settings[] = {{"partitioner", "murmur2_random"}};
    rd_kafka_t *client = raw_client(RD_KAFKA_PRODUCER, bootstrap, settings, 1);
    for (int i = first; i < first + count; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "key-%d", i);
        snprintf(value, sizeof(value), "value-%d", i);
        rd_kafka_resp_err_t err = rd_kafka_producev(
            client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, strlen(key)),
            RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        assert_int_equal(err, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_flush(client, FLUSH_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(client);
}

static void copy_text(char *to, size_t size, const void *from, size_t length) {
    assert_true(length < size);
    if (length) {
        memcpy(to, from, length);
    }
    to[length] = '\0';
}

static void copy_header(const rd_kafka_headers_t *headers, const char *name, char *to, size_t size) {
    const void *value = NULL;
    size_t length = 0;
    if (headers && rd_kafka_header_get_last(headers, name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        copy_text(to, size, value, length);
    }
}

static void copy_message(const rd_kafka_message_t *message, struct raw_record *record) {
    rd_kafka_headers_t *headers = NULL;
    memset(record, 0, sizeof(*record));
    record->partition = message->partition;
    record->offset = message->offset;
    copy_text(record->key, sizeof(record->key), message->key, message->key_len);
    copy_text(record->value, sizeof(record->value), message->payload, message->len);
    (void)rd_kafka_message_headers(message, &headers);
    copy_header(headers, "ce_id", record->ce_id, sizeof(record->ce_id));
    copy_header(headers, "ce_type", record->ce_type, sizeof(record->ce_type));
    copy_header(headers, "ce_source", record->ce_source, sizeof(record->ce_source));
    copy_header(headers, "ce_specversion", record->ce_specversion, sizeof(record->ce_specversion));
    copy_header(headers, "ce_time", record->ce_time, sizeof(record->ce_time));
    copy_header(headers, "content-type", record->content_type, sizeof(record->content_type));
}

static void add_partitions(rd_kafka_t *client, const char *topic, rd_kafka_topic_partition_list_t *list) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    assert_int_equal(rd_kafka_metadata(client, 0, handle, &metadata, METADATA_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(metadata->topic_cnt, 1);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        rd_kafka_topic_partition_list_add(list, topic, metadata->topics[0].partitions[i].id)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

/* All partitions of a topic, from their beginnings; a real broker makes a topic when its first record comes. */
static rd_kafka_topic_partition_list_t *partitions_of(rd_kafka_t *client, const char *topic) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    uint64_t until_us = clock_now_us() + READ_MS * UINT64_C(1000);
    add_partitions(client, topic, list);
    while (list->cnt == 0 && clock_now_us() < until_us) {
        rd_kafka_poll(client, 100);
        add_partitions(client, topic, list);
    }
    return list;
}

static rd_kafka_t *raw_consumer(const char *bootstrap) {
    const struct kafka_setting settings[] = {{"group.id", "test-reader"}, {"enable.auto.commit", "false"}};
    return raw_client(RD_KAFKA_CONSUMER, bootstrap, settings, 2);
}

size_t raw_read(const char *bootstrap, const char *topic, struct raw_record *records, size_t count) {
    rd_kafka_t *client = raw_consumer(bootstrap);
    rd_kafka_topic_partition_list_t *list = partitions_of(client, topic);
    assert_int_equal(rd_kafka_assign(client, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    size_t got = 0;
    uint64_t until_us = clock_now_us() + READ_MS * UINT64_C(1000);
    while (got < count && clock_now_us() < until_us) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (message && !message->err) {
            copy_message(message, &records[got++]);
        }
        if (message) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return got;
}

static rd_kafka_t *raw_member(const char *bootstrap, const char *group) {
    const struct kafka_setting settings[] = {{"group.id", group}, {"enable.auto.commit", "false"}};
    return raw_client(RD_KAFKA_CONSUMER, bootstrap, settings, 2);
}

int64_t raw_committed(const char *bootstrap, const char *group, const char *topic, int32_t partition) {
    rd_kafka_t *client = raw_member(bootstrap, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    assert_int_equal(rd_kafka_committed(client, list, METADATA_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return offset;
}

void raw_commit(const char *bootstrap, const char *group, const char *topic, int32_t partition, int64_t offset) {
    rd_kafka_t *client = raw_member(bootstrap, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    assert_int_equal(rd_kafka_commit(client, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

int64_t raw_count(const char *bootstrap, const char *topic) {
    rd_kafka_t *client = raw_consumer(bootstrap);
    rd_kafka_topic_partition_list_t *list = partitions_of(client, topic);
    int64_t sum = 0;
    for (int i = 0; i < list->cnt; i++) {
        int64_t low = 0, high = 0;
        assert_int_equal(
            rd_kafka_query_watermark_offsets(client, topic, list->elems[i].partition, &low, &high, METADATA_MS),
            RD_KAFKA_RESP_ERR_NO_ERROR);
        sum += high - low;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return sum;
}
