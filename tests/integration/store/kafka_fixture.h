#ifndef HERALD_TESTS_INTEGRATION_STORE_KAFKA_FIXTURE_H
#define HERALD_TESTS_INTEGRATION_STORE_KAFKA_FIXTURE_H

#include "tests/integration/store/fixture.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/* A cluster in this process, for faults on demand; and plain clients, which block, for looking from outside. */
struct mock {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    const char *bootstrap;
};
#define MOCK_BROKER 1
void mock_start(struct mock *mock);
void mock_stop(struct mock *mock);

/** A topic name that nobody uses. */
void new_topic(char topic[64]);
/** Produces @count records "value-<n>" with key "key-<n>" to partition 0 (UA: by key) and waits for them. */
void raw_produce(const char *bootstrap, const char *topic, int32_t partition, int first, int count);

/** Reads a whole topic from the beginning until @count records have come or 20 s are over; blocks. */
struct raw_record {
    int32_t partition;
    int64_t offset;
    char key[128], value[256];
    char ce_id[64], ce_type[128], ce_source[64], ce_specversion[8], ce_time[40], content_type[64];
};
size_t raw_read(const char *bootstrap, const char *topic, struct raw_record *records, size_t count);
/** A group's offset of a partition; below 0: it has none. */
int64_t raw_committed(const char *bootstrap, const char *group, const char *topic, int32_t partition);
/** Sets it, while the group has no members. */
void raw_commit(const char *bootstrap, const char *group, const char *topic, int32_t partition, int64_t offset);
/** Records of a topic now. */
int64_t raw_count(const char *bootstrap, const char *topic);

#endif
