#ifndef HERALD_KAFKA_CLOUD_EVENT_H
#define HERALD_KAFKA_CLOUD_EVENT_H

/* CloudEvents 1.0, Kafka protocol binding, binary content mode: attributes are headers, the value is the data. */

#include "server/store/kafka/kafka.h"

#include <librdkafka/rdkafka.h>

#define CLOUD_EVENT_TIME_BYTES 32

/** Writes @time_us (since 1970 UTC) as RFC 3339 with microseconds: "2026-05-09T07:29:33.186000Z". */
void cloud_event_time(int64_t time_us, char ret_text[CLOUD_EVENT_TIME_BYTES]);
/** Makes the headers of a record; free them with rd_kafka_headers_destroy() unless librdkafka took them over. */
rd_kafka_headers_t *cloud_event_headers(const struct cloud_event *event);
/**
 * Reads the headers that a consumer needs into @record. A header that is missing, too long or holds a NUL becomes
 * empty.
 */
void cloud_event_read_headers(const rd_kafka_message_t *message, struct kafka_record *record);

#endif
