#ifndef HERALD_STORE_KAFKA_KAFKA_SETTINGS_H
#define HERALD_STORE_KAFKA_KAFKA_SETTINGS_H

#include "server/settings/part.h"

#define KAFKA_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                             \
    STRING(kafka, bootstrap, "127.0.0.1:9092", "Comma-separated host:port.")                                           \
    STRING(kafka, event_topic, "event-topic", "Topic of EventCreated.")                                                \
    STRING(kafka, distribution_topic, "distribution-topic", "Topic of DistributionCompleted.")                         \
    STRING(kafka, image_job_topic, "image-job-topic", "Topic of ImageJob.")                                            \
    STRING(kafka, dead_letter_topic, "image-job-topic.dlq", "Topic of records that no worker can use.")                \
    STRING(kafka, group, "herald-content", "Consumer group of the content workers.")                                   \
    UINT(kafka, delivery_timeout_ms, 5000, 500, 300000, "Longest wait for an acknowledgement, ms.")                    \
    UINT(kafka, stall_ms, 30000, 10000, 600000,                                                                        \
         "A consumer that gets nothing for so long, while Kafka serves and records wait, is opened anew, ms.")         \
    CHOICE(kafka, encoding, "json", "json|protobuf", "Encoding of record values.")                                     \
    STRING(kafka, property, "", "A property of librdkafka for all of Herald's clients: TLS, SASL, sizes, times.")
SETTINGS_PART(kafka, KAFKA_SETTINGS)
void kafka_settings_check(struct settings_reading *reading, const void *part);

#endif
