/* CloudEvents as headers of Kafka records, written and read. */
#include "server/store/kafka/cloud_event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void cloud_event_time(int64_t time_us, char ret_text[CLOUD_EVENT_TIME_BYTES]) {
    int64_t seconds = time_us / 1000000, rest_us = time_us % 1000000;
    if (rest_us < 0) {
        rest_us += 1000000;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm utc;
    char date[24] = "";
    if (gmtime_r(&when, &utc)) {
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(ret_text, CLOUD_EVENT_TIME_BYTES, "%.22s.%06dZ", date, (int)rest_us);
}

rd_kafka_headers_t *cloud_event_headers(const struct cloud_event *event) {
    char time_text[CLOUD_EVENT_TIME_BYTES];
    cloud_event_time(event->time_us, time_text);
    const char *const headers[][2] = {
        {"ce_id", event->id},      {"ce_type", event->type}, {"ce_source", event->source},
        {"ce_specversion", "1.0"}, {"ce_time", time_text},   {"content-type", event->content_type},
    };
    size_t count = sizeof(headers) / sizeof(headers[0]);
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_header_add(list, headers[i][0], -1, headers[i][1], -1);
    }
    if (event->reason) {
        rd_kafka_header_add(list, "ce_reason", -1, event->reason, -1);
    }
    return list;
}

static void read_record_header(const rd_kafka_headers_t *headers, const char *name, char *to, size_t size) {
    const void *value = NULL;
    size_t length = 0;
    to[0] = '\0';
    if (rd_kafka_header_get_last(headers, name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR && value &&
        length < size && !memchr(value, '\0', length)) {
        memcpy(to, value, length);
        to[length] = '\0';
    }
}

void cloud_event_read_headers(const rd_kafka_message_t *message, struct kafka_record *record) {
    rd_kafka_headers_t *headers = NULL;
    record->ce_id[0] = record->ce_type[0] = record->content_type[0] = '\0';
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    read_record_header(headers, "ce_id", record->ce_id, sizeof(record->ce_id));
    read_record_header(headers, "ce_type", record->ce_type, sizeof(record->ce_type));
    read_record_header(headers, "content-type", record->content_type, sizeof(record->content_type));
}
