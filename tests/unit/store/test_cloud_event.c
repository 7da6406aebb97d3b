#include "server/store/kafka/cloud_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_header(const rd_kafka_headers_t *headers, const char *name, const char *expected) {
    const void *value = NULL;
    size_t length = 0;
    assert_int_equal(rd_kafka_header_get_last(headers, name, &value, &length), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(value, expected, length);
}

static void assert_time(int64_t time_us, const char *expected) {
    char text[CLOUD_EVENT_TIME_BYTES];
    cloud_event_time(time_us, text);
    assert_string_equal(text, expected);
}

static void test_cloud_event_time_is_rfc3339_utc_with_microseconds(void **state) {
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000000Z");
    assert_time(1778311773186042, "2026-05-09T07:29:33.186042Z");
    assert_time(-1, "1969-12-31T23:59:59.999999Z");
    assert_time(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
}

static void test_cloud_event_headers_hold_the_binary_mode_attributes(void **state) {
    (void)state;
    const struct cloud_event event = {
        .topic = "event-topic",
        .key = "k",
        .id = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e",
        .type = "herald.event.v1.EventCreated",
        .source = "/herald/event",
        .content_type = "application/json",
        .time_us = 1778311773186042,
        .value = "{}",
        .value_bytes = 2,
    };
    rd_kafka_headers_t *headers = cloud_event_headers(&event);
    assert_int_equal(rd_kafka_header_cnt(headers), 6);
    assert_header(headers, "ce_id", "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e");
    assert_header(headers, "ce_type", "herald.event.v1.EventCreated");
    assert_header(headers, "ce_source", "/herald/event");
    assert_header(headers, "ce_specversion", "1.0");
    assert_header(headers, "ce_time", "2026-05-09T07:29:33.186042Z");
    assert_header(headers, "content-type", "application/json");
    rd_kafka_headers_destroy(headers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cloud_event_time_is_rfc3339_utc_with_microseconds),
        cmocka_unit_test(test_cloud_event_headers_hold_the_binary_mode_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
