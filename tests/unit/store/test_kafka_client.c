#include "server/store/kafka/kafka_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_result(rd_kafka_resp_err_t err, rd_kafka_msg_status_t status, enum herald_code code,
                          const char *reason) {
    struct herald_error error = {0};
    assert_int_equal(kafka_delivery_result(err, status, "t", &error), code);
    assert_int_equal(error.code, code);
    assert_string_equal(error.reason, reason);
    assert_string_equal(error.origin, rd_kafka_err2name(err));
    assert_int_equal(kafka_delivery_result(err, status, "t", NULL), code);
}

static void test_kafka_delivery_result_acknowledged_is_ok(void **state) {
    (void)state;
    struct herald_error error = {0};
    assert_int_equal(kafka_delivery_result(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_MSG_STATUS_PERSISTED, "t", &error),
                     HERALD_OK);
    assert_int_equal(error.code, HERALD_OK);
}

static void test_kafka_delivery_result_never_sent_is_unavailable(void **state) {
    (void)state;
    assert_result(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, HERALD_UNAVAILABLE,
                  "KAFKA_UNAVAILABLE");
    assert_result(RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, HERALD_UNAVAILABLE,
                  "KAFKA_UNAVAILABLE");
    assert_result(RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, HERALD_UNAVAILABLE,
                  "KAFKA_QUEUE_FULL");
}

static void test_kafka_delivery_result_sent_without_answer_is_unknown(void **state) {
    (void)state;
    assert_result(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED, HERALD_OUTCOME_UNKNOWN,
                  "KAFKA_OUTCOME_UNKNOWN");
    assert_result(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED, HERALD_OUTCOME_UNKNOWN,
                  "KAFKA_OUTCOME_UNKNOWN");
}

static void test_kafka_delivery_result_refused_record_is_invalid(void **state) {
    (void)state;
    assert_result(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, HERALD_INVALID_ARGUMENT,
                  "KAFKA_RECORD_REFUSED");
}

static void test_kafka_client_conf_bad_setting_is_named(void **state) {
    (void)state;
    const struct kafka_setting settings[] = {{"delivery.timeout.ms", "soon"}};
    rd_kafka_conf_t *conf = NULL;
    struct herald_error error = {0};
    assert_int_equal(kafka_client_conf("127.0.0.1:9092", "test", settings, 1, &conf, &error), HERALD_INVALID_ARGUMENT);
    assert_null(conf);
    assert_string_equal(error.reason, "KAFKA_SETTING");
    assert_non_null(strstr(error.message, "delivery.timeout.ms"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_delivery_result_acknowledged_is_ok),
        cmocka_unit_test(test_kafka_delivery_result_never_sent_is_unavailable),
        cmocka_unit_test(test_kafka_delivery_result_sent_without_answer_is_unknown),
        cmocka_unit_test(test_kafka_delivery_result_refused_record_is_invalid),
        cmocka_unit_test(test_kafka_client_conf_bad_setting_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
