#include "server/store/kafka/kafka_client.h"

#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int note_plugin(struct dl_phdr_info *object, size_t size, void *found) {
    (void)size;
    *(bool *)found = *(bool *)found || strstr(object->dlpi_name, "/sasl2/") != NULL;
    return 0;
}

/* Whether a process whose clients have these properties loads plugins of Cyrus SASL. */
static bool loads_plugins(const char *properties) {
    pid_t child = fork();
    if (child == 0) {
        bool found = false;
        bool good =
            kafka_client_use(properties, NULL) == HERALD_OK && kafka_properties_check(properties, NULL) == HERALD_OK;
        (void)dl_iterate_phdr(note_plugin, &found);
        _exit(good ? found : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

static void test_kafka_client_loads_plugins_for_a_login_only(void **state) {
    (void)state;
    assert_false(loads_plugins(""));
    assert_false(loads_plugins("compression.codec=lz4"));
    assert_true(
        loads_plugins("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=p"));
    assert_true(loads_plugins("security.protocol=sasl_ssl\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=p"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka_delivery_result_acknowledged_is_ok),
        cmocka_unit_test(test_kafka_delivery_result_never_sent_is_unavailable),
        cmocka_unit_test(test_kafka_delivery_result_sent_without_answer_is_unknown),
        cmocka_unit_test(test_kafka_delivery_result_refused_record_is_invalid),
        cmocka_unit_test(test_kafka_client_conf_bad_setting_is_named),
        cmocka_unit_test(test_kafka_client_loads_plugins_for_a_login_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
