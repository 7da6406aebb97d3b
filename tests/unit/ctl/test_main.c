/* Whole command lines that need no server: what is printed and the exit status. */
#include "deploy/ctl/ctl.h"
#include "tests/unit/ctl/run_ctl.h"
#include "tests/unit/rpc/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_version_and_help_exit_0(void **state) {
    (void)state;
    assert_int_equal(RUN("--version"), CTL_OK);
    assert_string_equal(said, "heraldctl " HERALD_VERSION "\n");
    assert_int_equal(RUN("--help"), CTL_OK);
    assert_non_null(strstr(said, "Exit status:"));
    for (size_t i = 0; i < ctl_command_count; i++) {
        assert_int_equal(RUN(ctl_commands[i].name, "--help"), CTL_OK);
        assert_non_null(strstr(said, ctl_commands[i].summary));
    }
}

static void test_output_that_cannot_be_written_exits_6(void **state) {
    (void)state;
    assert_int_equal(RUN_WITHOUT_ROOM("ls", "--offline"), CTL_UNWRITTEN);
    assert_string_equal(complained, "heraldctl: cannot write to standard output: No space left on device\n"
                                    "  all else was OK; only the output could not be written\n");
    assert_int_equal(RUN_WITHOUT_ROOM("--help"), CTL_UNWRITTEN);
    assert_int_equal(RUN_WITHOUT_ROOM("health", "--url", "tcp://127.0.0.1:1", "-t", "300"), CTL_UNHEALTHY);
    assert_non_null(strstr(complained, "cannot write to standard output"));
    assert_null(strstr(complained, "OK"));
}

static void test_wrong_usage_exits_2_and_says_why(void **state) {
    (void)state;
    assert_int_equal(RUN("fly"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: unknown command \"fly\"; see heraldctl --help\n");
    assert_string_equal(said, "");
    assert_int_equal(RUN("watch", "event", "x"), CTL_USAGE);
    assert_non_null(strstr(complained, "watch needs job JOB_ID or publish EVENT_ID USER_ID"));
}

static void test_call_of_an_unknown_method_exits_2(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetEvnt"), CTL_USAGE);
    assert_non_null(
        strstr(complained, "heraldctl: method: NOT_FOUND (METHOD_NOT_FOUND): there is no method \"GetEvnt\""));
}

static void test_call_with_json_that_does_not_fit_names_the_field_and_calls_nothing(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetEvent", "--url", "tcp://127.0.0.1:1", "-d", "{\"userIdd\":\"u\"}"), CTL_USAGE);
    assert_non_null(strstr(complained, "INVALID_ARGUMENT (INVALID_JSON)"));
    assert_non_null(strstr(complained, "userIdd"));
}

static void test_call_of_a_server_that_is_away_exits_3(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetJob", "--url", "tcp://127.0.0.1:1", "-t", "300", "-v"), CTL_NOT_SENT);
    assert_non_null(strstr(complained, "outcome NOT_SENT: no server saw the call; repeating it is safe"));
    assert_non_null(strstr(complained, "herald.job.v1.JobService/GetJob on tcp://127.0.0.1:1: "));
}

static void test_an_url_that_is_none_exits_2_and_is_named(void **state) {
    (void)state;
    static const char *const bad[] = {"nonsense", "", "tcp://", "tcp://127.0.0.1:99999", "http://127.0.0.1:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char quoted[64];
        snprintf(quoted, sizeof(quoted), "\"%s\" is no URL to call", bad[i]);
        assert_int_equal(RUN("call", "GetJob", "-u", bad[i]), CTL_USAGE);
        assert_non_null(strstr(complained, quoted));
        assert_null(strstr(complained, "repeating it is safe"));
        assert_int_equal(RUN("ls", "-u", bad[i]), CTL_USAGE);
        assert_int_equal(RUN("health", "-u", bad[i]), CTL_USAGE);
        assert_int_equal(RUN("top", "--once", "-u", bad[i]), CTL_USAGE);
        assert_int_equal(RUN("failpoints", "-u", bad[i]), CTL_USAGE);
        assert_int_equal(RUN("bench", "GetJob", "-u", bad[i]), CTL_USAGE);
    }
}

static void test_tls_files_that_are_missing_exit_2(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetJob", "-u", "tls+tcp://127.0.0.1:1"), CTL_USAGE);
    assert_non_null(strstr(complained, "needs [tls] ca_file (HERALD_TLS_CA_FILE)"));
    setenv("HERALD_TLS_CA_FILE", "/nope", 1);
    assert_int_equal(RUN("call", "GetJob", "-u", "tls+tcp://127.0.0.1:1"), CTL_USAGE);
    assert_non_null(strstr(complained, "/nope"));
    setenv("HERALD_TLS_KEY_FILE", "/nope", 1);
    assert_int_equal(RUN("call", "GetJob", "-u", "tls+tcp://127.0.0.1:1"), CTL_USAGE);
    assert_non_null(strstr(complained, "[tls] key_file is set and cert_file (HERALD_TLS_CERT_FILE) is not"));
    unsetenv("HERALD_TLS_KEY_FILE");
    setenv("HERALD_JOB_URL", "tls+tcp://127.0.0.1:1", 1);
    unsetenv("HERALD_TLS_CA_FILE");
    assert_int_equal(RUN("watch", "job", "j1"), CTL_USAGE);
    assert_non_null(strstr(complained, "[tls] ca_file"));
    unsetenv("HERALD_JOB_URL");
}

static void test_tls_without_a_client_certificate_that_does_not_connect_names_it(void **state) {
    (void)state;
    certificates_init();
    make_ca("ca");
    make_leaf(&(struct leaf){.name = "operator", .ca = "ca"});
    setenv("HERALD_TLS_CA_FILE", certificate_path("ca", ".pem"), 1);
    assert_int_equal(RUN("call", "GetJob", "-u", "tls+tcp://127.0.0.1:1", "-t", "300"), CTL_NOT_SENT);
    assert_non_null(strstr(complained, "[tls] cert_file: NOT_SET: the server may want a client's certificate"));
    assert_int_equal(RUN("health", "-u", "tls+tcp://127.0.0.1:1", "-t", "300"), CTL_UNHEALTHY);
    assert_non_null(strstr(said, "; [tls] cert_file: the server may want a client's certificate"));
    assert_int_equal(RUN("call", "GetJob", "-u", "tcp://127.0.0.1:1", "-t", "300"), CTL_NOT_SENT);
    assert_null(strstr(complained, "cert_file"));
    setenv("HERALD_TLS_CERT_FILE", certificate_path("operator", ".pem"), 1);
    setenv("HERALD_TLS_KEY_FILE", certificate_path("operator", ".key"), 1);
    assert_int_equal(RUN("call", "GetJob", "-u", "tls+tcp://127.0.0.1:1", "-t", "300"), CTL_NOT_SENT);
    assert_null(strstr(complained, "cert_file"));
    unsetenv("HERALD_TLS_CERT_FILE");
    unsetenv("HERALD_TLS_KEY_FILE");
    unsetenv("HERALD_TLS_CA_FILE");
    certificates_fini();
}

static void test_a_request_above_the_limit_exits_2(void **state) {
    (void)state;
    static char request[300000] = "{\"jobId\":\"";
    size_t bytes = strlen(request);
    memset(request + bytes, 'x', sizeof(request) - bytes - 3);
    strcpy(request + sizeof(request) - 3, "\"}");
    assert_int_equal(RUN("call", "GetJob", "-u", "tcp://127.0.0.1:1", "-d", request), CTL_USAGE);
    assert_non_null(strstr(complained, "MESSAGE_TOO_BIG"));
}

static void test_print_nngcat_of_a_read_is_a_probe_of_one_line(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetJob", "--url", "tcp://h:1", "--print-nngcat", "-d", "{\"job_id\": \"it's\"}"),
                     CTL_OK);
    assert_string_equal(said, "printf %s 'herald.job.v1.JobService/GetJob {\"jobId\":\"it'\\''s\"}' |\n"
                              "    nngcat --req --dial tcp://h:1 --file - --raw --recv-timeout 6 && echo\n");
    assert_string_equal(complained, "");
}

static void test_print_nngcat_of_a_once_method_carries_an_idempotency_key(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "PublishEvent", "--print-nngcat", "-k", "key-1", "-t", "1500", "-d",
                         "{\"userId\":\"u1\"}", "--url", "tcp://h:1"),
                     CTL_OK);
    assert_string_equal(said, "printf %s '{\"method\":\"herald.event.v1.EventService/PublishEvent\",\"request\":"
                              "{\"userId\":\"u1\"},\"timeoutMs\":1500,\"idempotencyKey\":\"key-1\"}' |\n"
                              "    nngcat --req --dial tcp://h:1 --file - --raw --recv-timeout 3 && echo\n");
    assert_int_equal(RUN("call", "PublishEvent", "--print-nngcat"), CTL_OK);
    assert_non_null(strstr(said, "\"idempotencyKey\":\""));
}

static void test_describe_shows_the_schema_and_refuses_unknown_names(void **state) {
    (void)state;
    assert_int_equal(RUN("describe", "PublishEvent"), CTL_OK);
    assert_non_null(strstr(said, "herald.event.v1.EventService/PublishEvent"));
    assert_non_null(strstr(said, "Final approval: publishes an event"));
    assert_int_equal(RUN("-o", "json", "describe", "EventDraft"), CTL_OK);
    assert_non_null(strstr(said, "{\"name\":\"herald.event.v1.EventDraft\",\"file\":\"herald/event/v1/event.proto\""));
    assert_int_equal(RUN("describe", "Nothing.Like.This"), CTL_USAGE);
    assert_non_null(strstr(complained, "NOT_FOUND"));
}

static void test_ls_offline_lists_every_method_of_the_schemas(void **state) {
    (void)state;
    assert_int_equal(RUN("ls", "--offline"), CTL_OK);
    assert_non_null(strstr(said, "herald.event.v1.EventService/PublishEvent"));
    assert_non_null(strstr(said, "80000 ms"));
    assert_non_null(strstr(said, "herald.rpc.v1.Health/Check"));
    assert_int_equal(RUN("ls", "--offline", "-o", "json"), CTL_OK);
    assert_non_null(strstr(said, "\"requestType\": \"herald.event.v1.PublishEventRequest\""));
}

static void test_health_of_a_server_that_is_away_exits_5(void **state) {
    (void)state;
    assert_int_equal(RUN("health", "--url", "tcp://127.0.0.1:1", "-t", "300"), CTL_UNHEALTHY);
    assert_non_null(strstr(said, "tcp://127.0.0.1:1"));
}

static void test_settings_that_are_wrong_exit_2_and_name_the_key(void **state) {
    (void)state;
    assert_int_equal(RUN("--config", "/nonexistent/herald.ini", "health"), CTL_USAGE);
    assert_non_null(strstr(complained, "/nonexistent/herald.ini"));
    setenv("HERALD_RPC_LOOPS", "many", 1);
    assert_int_equal(RUN("ls"), CTL_USAGE);
    assert_non_null(strstr(complained, "HERALD_RPC_LOOPS"));
    unsetenv("HERALD_RPC_LOOPS");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_help_exit_0),
        cmocka_unit_test(test_output_that_cannot_be_written_exits_6),
        cmocka_unit_test(test_wrong_usage_exits_2_and_says_why),
        cmocka_unit_test(test_call_of_an_unknown_method_exits_2),
        cmocka_unit_test(test_call_with_json_that_does_not_fit_names_the_field_and_calls_nothing),
        cmocka_unit_test(test_call_of_a_server_that_is_away_exits_3),
        cmocka_unit_test(test_an_url_that_is_none_exits_2_and_is_named),
        cmocka_unit_test(test_tls_files_that_are_missing_exit_2),
        cmocka_unit_test(test_tls_without_a_client_certificate_that_does_not_connect_names_it),
        cmocka_unit_test(test_a_request_above_the_limit_exits_2),
        cmocka_unit_test(test_print_nngcat_of_a_read_is_a_probe_of_one_line),
        cmocka_unit_test(test_print_nngcat_of_a_once_method_carries_an_idempotency_key),
        cmocka_unit_test(test_describe_shows_the_schema_and_refuses_unknown_names),
        cmocka_unit_test(test_ls_offline_lists_every_method_of_the_schemas),
        cmocka_unit_test(test_health_of_a_server_that_is_away_exits_5),
        cmocka_unit_test(test_settings_that_are_wrong_exit_2_and_name_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
