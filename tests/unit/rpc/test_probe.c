#include "cmocka_headers.h"
#include "fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls in plain text, as nngcat sends them. */

#define GET_JOB      "herald.job.v1.JobService/GetJob"
#define GET_JOB_ARGS "{\"jobId\":\"" TEST_JOB_ID "\"}"

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture_init(fixture);
    fixture_listen(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    return 0;
}

/* The answer as JSON; it must be an object on one line. */
static json_t *ask(void **state, const char *text) {
    const struct fixture *fixture = *state;
    json_error_t wrong;
    char *answer = probe(fixture->url, text);
    json_t *json = json_loads(answer, JSON_REJECT_DUPLICATES, &wrong);
    if (!json)
        fail_msg("the answer to \"%s\" is no JSON: %s", text, answer);
    free(answer);
    return json;
}

static const char *text_at(json_t *json, const char *first, const char *second) {
    json_t *value = json_object_get(json_object_get(json, first), second);
    return json_is_string(value) ? json_string_value(value) : "(no text)";
}

static void assert_ok(void **state, const char *text) {
    json_t *json = ask(state, text);
    if (json_object_get(json, "error"))
        fail_msg("\"%s\" got %s: %s", text, text_at(json, "error", "code"), text_at(json, "error", "message"));
    assert_string_equal(text_at(json, "job", "jobId"), TEST_JOB_ID);
    json_decref(json);
}

static void assert_error(void **state, const char *text, const char *code, const char *reason, const char *part) {
    json_t *json = ask(state, text);
    assert_string_equal(text_at(json, "error", "code"), code);
    assert_string_equal(text_at(json, "error", "reason"), reason);
    if (!strstr(text_at(json, "error", "message"), part))
        fail_msg("\"%s\" does not hold \"%s\"", text_at(json, "error", "message"), part);
    json_decref(json);
}

static void test_probe_method_alone_is_called_with_empty_request(void **state) {
    json_t *json = ask(state, "herald.rpc.v1.Health/Check");
    assert_string_equal(json_string_value(json_object_get(json, "status")), "SERVING");
    assert_int_equal(json_array_size(json_object_get(json, "services")), 5);
    json_decref(json);
}

static void test_probe_method_and_json_is_called(void **state) {
    assert_ok(state, GET_JOB " " GET_JOB_ARGS);
    assert_ok(state, GET_JOB GET_JOB_ARGS);
    assert_ok(state, GET_JOB "\t\n " GET_JOB_ARGS "\r\n"); /* what echo and --file=- add */
}

static void test_probe_object_is_called(void **state) {
    assert_ok(state, "{\"method\":\"" GET_JOB "\",\"request\":" GET_JOB_ARGS "}");
    assert_ok(state, "{ \"request\": " GET_JOB_ARGS ", \"timeoutMs\": 700, \"method\": \"" GET_JOB "\" }\n");
}

static void test_probe_timeout_is_deadline(void **state) {
    json_t *json = ask(state, "{\"method\":\"" GET_JOB "\",\"request\":" GET_JOB_ARGS ",\"timeoutMs\":700}");
    assert_in_range(atoi(text_at(json, "job", "version")), 1, 700);
    json_decref(json);
}

static void test_probe_answer_shows_defaults(void **state) {
    json_t *json = ask(state, GET_JOB " " GET_JOB_ARGS);
    json_t *percent = json_object_get(json_object_get(json, "job"), "progressPercent");
    assert_true(json_is_integer(percent));
    json_decref(json);
}

#define CREATE_ARGS                                                                                                    \
    "{\"eventDraftId\":\"" TEST_JOB_ID "\",\"userId\":\"u1\",\"title\":\"봄 축제\",\"storeInfo\":{\"name\":\"빵집\"}}"

static void test_probe_once_method_gets_a_key(void **state) {
    json_t *json = ask(state, "herald.job.v1.JobService/CreateImageJob " CREATE_ARGS);
    assert_int_equal(strlen(json_string_value(json_object_get(json, "jobId"))), 36);
    json_decref(json);
}

static void test_probe_given_key_is_used(void **state) {
    json_t *json = ask(state, "{\"method\":\"herald.job.v1.JobService/CreateImageJob\",\"request\":" CREATE_ARGS
                              ",\"idempotencyKey\":\"my-key-1\"}");
    assert_string_equal(json_string_value(json_object_get(json, "jobId")), "my-key-1");
    json_decref(json);
}

static void test_probe_help_lists_services_and_usage(void **state) {
    json_t *json = ask(state, "help");
    assert_string_equal(json_string_value(json_object_get(json, "server")), "test-server");
    assert_true(json_array_size(json_object_get(json, "usage")) >= 4);
    json_t *job = json_array_get(json_object_get(json, "services"), 4);
    assert_string_equal(json_string_value(json_object_get(job, "name")), "herald.job.v1.JobService");
    assert_string_equal(text_at(job, "methods", GET_JOB), "Reads a job.");
    json_decref(json);
}

static void test_probe_describe_shows_schema(void **state) {
    json_t *json = ask(state, "describe GetJobRequest");
    assert_string_equal(json_string_value(json_object_get(json, "name")), "herald.job.v1.GetJobRequest");
    assert_non_null(strstr(json_string_value(json_object_get(json, "text")), "job_id"));
    json_decref(json);
}

static void test_probe_describe_unknown_name_is_not_found(void **state) {
    json_t *json = ask(state, "describe GetJobb");
    assert_string_equal(text_at(json, "error", "code"), "NOT_FOUND");
    json_decref(json);
}

static void test_probe_describe_without_name_says_usage(void **state) {
    assert_error(state, "describe", "INVALID_ARGUMENT", "MALFORMED_PROBE", "describe needs the name");
    assert_error(state, "describe  \n", "INVALID_ARGUMENT", "MALFORMED_PROBE", "describe needs the name");
}

static void test_probe_unknown_method_names_near_ones(void **state) {
    assert_error(state, "health", "UNIMPLEMENTED", "UNKNOWN_METHOD", "herald.rpc.v1.Health/Check");
    assert_error(state, "herald.job.v1.JobService/getjob", "UNIMPLEMENTED", "UNKNOWN_METHOD", GET_JOB);
    assert_error(state, "quit", "UNIMPLEMENTED", "UNKNOWN_METHOD", "help");
}

static void test_probe_bad_json_says_where(void **state) {
    assert_error(state, GET_JOB " {\"jobId\":", "INVALID_ARGUMENT", "INVALID_JSON", "");
    assert_error(state, GET_JOB " nonsense", "INVALID_ARGUMENT", "INVALID_JSON", "");
    assert_error(state, "{\"method\":", "INVALID_ARGUMENT", "MALFORMED_PROBE", "line 1, column");
    assert_error(state, "{}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "no \"method\"");
    assert_error(state, "{\"method\":7}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "\"method\" is unknown or has");
    assert_error(state, "{\"method\":\"x\",\"wait\":1}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "\"wait\"");
    assert_error(state, "{\"method\":\"x\",\"timeoutMs\":-1}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "\"timeoutMs\"");
    assert_error(state, "{\"method\":\"x\",\"method\":\"y\"}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "duplicate");
}

static void test_probe_wrong_fields_are_all_listed(void **state) {
    json_t *json = ask(state, "herald.job.v1.JobService/CreateImageJob {\"eventDraftId\":\"nonsense\"}");
    assert_string_equal(text_at(json, "error", "code"), "INVALID_ARGUMENT");
    assert_string_equal(text_at(json, "error", "reason"), "INVALID_FIELD");
    json_t *details = json_object_get(json_object_get(json, "error"), "details");
    assert_int_equal(json_array_size(details), 4); /* eventDraftId, userId, title, storeInfo */
    assert_string_equal(json_string_value(json_object_get(json_array_get(details, 0), "field")), "eventDraftId");
    json_decref(json);
}

static void test_probe_handlers_error_is_shown_whole(void **state) {
    struct fixture *fixture = *state;
    fixture->mode = GET_JOB_FAILS;
    json_t *json = ask(state, GET_JOB " " GET_JOB_ARGS);
    json_t *error = json_object_get(json, "error");
    assert_string_equal(text_at(json, "error", "code"), "FAILED_PRECONDITION");
    assert_string_equal(text_at(json, "error", "reason"), "NOT_READY");
    assert_string_equal(text_at(json, "error", "message"), "not ready: 준비되지 않음");
    assert_int_equal(json_integer_value(json_object_get(error, "retryAfterMs")), 1234);
    assert_int_equal(json_array_size(json_object_get(error, "details")), 2);
    json_decref(json);
}

static void test_probe_not_utf8_is_refused(void **state) {
    assert_error(state, "herald\xff\xfe", "INVALID_ARGUMENT", "MALFORMED_PROBE", "UTF-8");
    assert_error(state, "herald\x01", "INVALID_ARGUMENT", "MALFORMED_PROBE", "UTF-8");
    assert_error(state, "{\"method\":\"\xc3\x28\"}", "INVALID_ARGUMENT", "MALFORMED_PROBE", "UTF-8");
}

static void test_probe_oversized_names_limit(void **state) {
    struct fixture *fixture = *state;
    size_t count = fixture->settings.rpc_max_message_bytes + 1;
    char *text = malloc(count + 1);
    memset(text, 'a', count);
    text[count] = '\0';
    assert_error(state, text, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE", "rpc.max_message_bytes = 262144");
    text[count - 1] = '\0';
    assert_error(state, text, "UNIMPLEMENTED", "UNKNOWN_METHOD", "aaaa");
    free(text);
}

static void test_probe_deep_json_is_refused(void **state) {
    char text[20000] = "{\"method\":\"" GET_JOB "\",\"request\":{\"a\":";
    memset(text + strlen(text), '[', 15000);
    assert_error(state, text, "INVALID_ARGUMENT", "MALFORMED_PROBE", "");
}

static void test_probe_oversized_answer_names_limit(void **state) {
    struct fixture *fixture = *state;
    fixture->mode = GET_JOB_BIG;
    assert_error(state, GET_JOB " " GET_JOB_ARGS, "RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE",
                 "rpc.max_message_bytes = 262144");
}

static int set_up_without_probes(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture_init(fixture);
    fixture->settings.rpc_probes = false;
    fixture_listen(fixture);
    *state = fixture;
    return 0;
}

static void test_probe_switched_off_says_so(void **state) {
    struct fixture *fixture = *state;
    assert_error(state, "help", "PERMISSION_DENIED", "PROBES_OFF", "rpc.probes = false");
    assert_error(state, "{\"method\":\"" GET_JOB "\"}", "PERMISSION_DENIED", "PROBES_OFF", "rpc.probes = false");
    Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, &request);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_probe_method_alone_is_called_with_empty_request),
        TEST(test_probe_method_and_json_is_called),
        TEST(test_probe_object_is_called),
        TEST(test_probe_timeout_is_deadline),
        TEST(test_probe_answer_shows_defaults),
        TEST(test_probe_once_method_gets_a_key),
        TEST(test_probe_given_key_is_used),
        TEST(test_probe_help_lists_services_and_usage),
        TEST(test_probe_describe_shows_schema),
        TEST(test_probe_describe_unknown_name_is_not_found),
        TEST(test_probe_describe_without_name_says_usage),
        TEST(test_probe_unknown_method_names_near_ones),
        TEST(test_probe_bad_json_says_where),
        TEST(test_probe_wrong_fields_are_all_listed),
        TEST(test_probe_handlers_error_is_shown_whole),
        TEST(test_probe_not_utf8_is_refused),
        TEST(test_probe_oversized_names_limit),
        TEST(test_probe_deep_json_is_refused),
        TEST(test_probe_oversized_answer_names_limit),
        cmocka_unit_test_setup_teardown(test_probe_switched_off_says_so, set_up_without_probes, tear_down),
    };
    return cmocka_run_group_tests_name("rpc.probe", tests, NULL, NULL);
}
