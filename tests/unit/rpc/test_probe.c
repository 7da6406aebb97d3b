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
    struct fixture *fixture = calloc(1, sizeof(*fixture));
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
    if (!json) {
        fail_msg("the answer to \"%s\" is no JSON: %s", text, answer);
    }
    free(answer);
    return json;
}

static const char *text_at(json_t *json, const char *first, const char *second) {
    json_t *value = json_object_get(json_object_get(json, first), second);
    return json_is_string(value) ? json_string_value(value) : "(no text)";
}

static void assert_ok(void **state, const char *text) {
    json_t *json = ask(state, text);
    if (json_object_get(json, "error")) {
        fail_msg("\"%s\" got %s: %s", text, text_at(json, "error", "code"), text_at(json, "error", "message"));
    }
    assert_string_equal(text_at(json, "job", "jobId"), TEST_JOB_ID);
    json_decref(json);
}

static void assert_error(void **state, const char *text, const char *code, const char *reason, const char *part) {
    json_t *json = ask(state, text);
    assert_string_equal(text_at(json, "error", "code"), code);
    assert_string_equal(text_at(json, "error", "reason"), reason);
    if (!strstr(text_at(json, "error", "message"), part)) {
        fail_msg("\"%s\" does not hold \"%s\"", text_at(json, "error", "message"), part);
    }
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
}

static void assert_malformed(void **state, const char *text, const char *part) {
    assert_error(state, text, "INVALID_ARGUMENT", "MALFORMED_PROBE", part);
}

static void test_probe_object_wrong_member_says_which_and_what_it_must_be(void **state) {
    assert_malformed(state, "{\"method\":7}", "\"method\" must be text");
    assert_malformed(state, "{\"method\":null}", "\"method\" must be text");
    assert_malformed(state, "{\"method\":\"\"}", "\"method\" names no method");
    assert_malformed(state, "{\"method\":\"x\",\"wait\":1}", "\"wait\" is no member of a probe");
    assert_malformed(state, "{\"method\":\"x\",\"w\\u001b\xc2\x9bt\":1}", "\"w???t\" is no member");
    assert_malformed(state, "{\"method\":\"x\",\"method\":\"y\"}", "\"method\" is given twice");
    assert_malformed(state, "{\"method\":\"x\",\"request\":{},\"request\":{}}", "\"request\" is given twice");
    assert_malformed(state, "{\"method\":\"x\",\"request\":[]}", "\"request\" must be an object");
    assert_malformed(state, "{\"method\":\"x\",\"request\":null}", "\"request\" must be an object");
    static const char *const timeouts[] = {"-1", "600001", "7.0", "7e2", "\"7\"", "99999999999999999999", "true", "{}"};
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"timeoutMs\" : %s , \"method\":\"x\"}", timeouts[i]);
        assert_malformed(state, text, "\"timeoutMs\" must be a whole number, 0 to 600000");
    }
    static const char *const auths[] = {"7",
                                        "{}",
                                        "\"t\"",
                                        "{\"bearer\":7}",
                                        "{\"bearer\":\"t\",\"x\":1}",
                                        "{\"bearer\":\"t\",\"bearer\":\"t\"}",
                                        "{\"bearerxx\":\"t\"}"};
    for (size_t i = 0; i < sizeof(auths) / sizeof(auths[0]); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"method\":\"x\",\"auth\":%s}", auths[i]);
        assert_malformed(state, text, "\"auth\" must be {\"bearer\": text}");
    }
    assert_malformed(state, "{\"method\":\"x\",\"idempotencyKey\":\"a b\"}",
                     "\"idempotencyKey\" must be text of at most");
}

#define CANCEL   "herald.rpc.v1.Calls/Cancel"
#define WAIT_JOB "herald.job.v1.JobService/WaitJob"

/* Requests, as they are read in words and in an object. */
static const struct {
    const char *method, *request, *field; /* field  NULL: it is right; else where it is wrong, as INVALID_JSON */
} alike[] = {
    {CANCEL, "{\"ticket\":18446744073709551615}", NULL},
    {CANCEL, "{\"ticket\":1.8446744073709551615e19}", NULL},
    {CANCEL, "{\"ticket\":\"9223372036854775808\"}", NULL},
    {CANCEL, "{ \"tick\\u0065t\" : \"7\"\n}", NULL},
    {WAIT_JOB, "{\"version\":18446744073709551616}", "version"},
    {WAIT_JOB, "{\"version\":1e-400}", "version"},
    {WAIT_JOB, "{\"version\":-1}", "version"},
    {WAIT_JOB, "{\"version\":1,\"version\":1}", "version"},
    {WAIT_JOB, "{\"jobId\":\"a\",\"job_id\":\"a\"}", "jobId"},
    {WAIT_JOB, "{\"jobId\":7}", "jobId"},
    {WAIT_JOB, "{\"nothing\":[{}]}", "nothing"},
    {WAIT_JOB, "{\"jobId\":\"a\\u0000b\"}", ""},
    {WAIT_JOB, "{\"jobId\":\"\\ud800\"}", ""},
    {WAIT_JOB, "{\"jobId\":\"a\tb\"}", ""},
    {WAIT_JOB, "{\"jobId\":\"\\x\"}", ""},
    {WAIT_JOB, "{\"version\":01}", ""},
    {WAIT_JOB, "{\"version\":tru}", ""},
    {WAIT_JOB, "{\"version\":1,}", ""},
    {WAIT_JOB, "{\"version\":[1}", ""},
    {WAIT_JOB, "{version:1}", ""},
    {WAIT_JOB, "{\n\"version\" 1}", ""},
};

/* The answer to @format, with the method for %m and the request for %r. */
static json_t *ask_in(void **state, const char *format, const char *method, const char *request) {
    char text[1000];
    size_t used = 0;
    for (const char *at = format; *at; at++) {
        if (at[0] == '%') {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", *++at == 'm' ? method : request);
        } else {
            text[used++] = *at;
        }
    }
    text[used] = '\0';
    return ask(state, text);
}

/* Whatever is in a request, the object says the same of it as the words do, to the letter. */
static void test_probe_object_reads_request_as_words_do(void **state) {
    static const char *const forms[] = {
        "{\"method\":\"%m\",\"request\":%r}",
        "{\"method\":\"%m\",\n \"request\" : %r , \"timeoutMs\":0}",
        "{\"\\u0072equest\":%r,\"method\":\"%m\"}",
    };
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        json_t *words = ask_in(state, "%m %r", alike[i].method, alike[i].request);
        const char *wrong = alike[i].field ? "INVALID_JSON" : "(no text)";
        if (strcmp(text_at(words, "error", "reason"), wrong) != 0) {
            fail_msg("%s: %s", alike[i].request, text_at(words, "error", "message"));
        }
        json_t *detail = json_array_get(json_object_get(json_object_get(words, "error"), "details"), 0);
        json_t *field = json_object_get(detail, "field");
        assert_string_equal(field ? json_string_value(field) : "", alike[i].field ? alike[i].field : "");
        /* The last form needs the end of the request to find the method. */
        bool closed = strcmp(alike[i].request, "{\"version\":[1}") != 0;
        for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]) - (closed ? 0 : 1); form++) {
            json_t *object = ask_in(state, forms[form], alike[i].method, alike[i].request);
            if (!json_equal(object, words)) {
                fail_msg("%s in form %zu: %s", alike[i].request, form, text_at(object, "error", "message"));
            }
            json_decref(object);
        }
        json_decref(words);
    }
}

static void test_probe_object_cut_is_laid_to_what_is_wrong(void **state) {
    assert_malformed(state, "{\"method\":\"" GET_JOB "\",\"request\":{}", "a ',' or '}' is missing");
    assert_malformed(state, "{\"method\":\"" GET_JOB "\",\"request\":{} x}", "a ',' or '}' is missing");
    assert_malformed(state, "{\"request\":{\"jobId\":\"a},\"method\":\"" GET_JOB "\"}", "line 1, column 26: ");
    assert_error(state, "{\"method\":\"" GET_JOB "\",\"request\":{\"jobId\":\"a}}", "INVALID_ARGUMENT", "INVALID_JSON",
                 "GetJobRequest: line 1, column 14: a string is not closed");
    assert_error(state, "{\"method\":\"" GET_JOB "\",\"request\":{\"jobId\":", "INVALID_ARGUMENT", "INVALID_JSON",
                 "GetJobRequest: line 1, column 10: a value is missing");
    assert_error(state, "{\"method\":\"" GET_JOB "\",\"request\":{\"jobId\":01},\"timeoutMs\":}", "INVALID_ARGUMENT",
                 "INVALID_JSON", "GetJobRequest: line 1, column 10: this is no JSON number");
    assert_malformed(state, "{\"method\":\"a\\u0000\"}", "\\u0000 cannot be in a string");
    assert_malformed(state, "{\"method\":\"" GET_JOB "\",\"request\":{}} x", "something follows");
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
    assert_error(state, text, "INVALID_ARGUMENT", "INVALID_JSON", "nested deeper than 32 levels");
    strcpy(text, "{\"method\":\"" GET_JOB "\",\"x\":");
    memset(text + strlen(text), '[', 15000);
    assert_malformed(state, text, "nested deeper than 32 levels");
    for (int levels = 31; levels <= 32; levels++) { /* and the request's own */
        char deep[200] = "{\"method\":\"" GET_JOB "\",\"request\":{\"nothing\":";
        memset(deep + strlen(deep), '[', (size_t)levels);
        memset(deep + strlen(deep), ']', (size_t)levels);
        strcat(deep, "}}");
        assert_error(state, deep, "INVALID_ARGUMENT", "INVALID_JSON", levels == 31 ? "no such field" : "32 levels");
    }
}

/* U+009B is ESC [ to a terminal. */
static void test_probe_control_characters_are_read_in_strings_only(void **state) {
    static const char *const controls[] = {"\x7f", "\xc2\x80", "\xc2\x85", "\xc2\x9b", "\xc2\x9f"};
    static const char *const outside[] = {"herald.rpc.v1.Health/Check%r",
                                          "herald.rpc.v1.Health/Check %r{}",
                                          "herald.rpc.v1.Health/Check\"%r\"",
                                          "herald.rpc.v1.Health/Check {}%r",
                                          "herald.rpc.v1.Health/Check {\"service\":\"\"%r}",
                                          "herald.rpc.v1.Health/Check {\"service\":\"\\\\\"%r}",
                                          "bearer a%r help",
                                          "describe Job%r",
                                          "describe {\"%r\"}",
                                          "{%r\"method\":\"herald.rpc.v1.Health/Check\"}"};
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        for (size_t j = 0; j < sizeof(outside) / sizeof(outside[0]); j++) {
            json_t *json = ask_in(state, outside[j], "", controls[i]);
            if (strcmp(text_at(json, "error", "reason"), "MALFORMED_PROBE") != 0) {
                fail_msg("control %zu in form %zu got %s", i, j, text_at(json, "error", "message"));
            }
            json_decref(json);
        }
        json_t *words = ask_in(state, "%m {\"jobId\":\"\\\"%r\"}", GET_JOB, controls[i]);
        json_t *object = ask_in(state, "{\"method\":\"%m\",\"request\":{\"jobId\":\"\\\"%r\"}}", GET_JOB, controls[i]);
        assert_string_equal(text_at(words, "error", "reason"), "INVALID_FIELD"); /* no UUID: it was read */
        assert_true(json_equal(words, object));
        json_decref(words);
        json_decref(object);
    }
    assert_error(state, "herald.rpc.v1.Health/Check\xc2\xa0", "UNIMPLEMENTED", "UNKNOWN_METHOD", "Health/Check");
}

static void test_probe_answers_hold_no_control_characters(void **state) {
    struct fixture *fixture = *state;
    fixture->mode = GET_JOB_FAILS;
    char *answer = probe(fixture->url, GET_JOB " {\"\x7f\xc2\x9b\xc2\x9fJ\":1}");
    assert_non_null(strstr(answer, "\\u007f\\u009b\\u009fJ"));
    assert_null(strchr(answer, 0x7f));
    assert_null(strstr(answer, "\xc2\x9b"));
    free(answer);
}

static void test_probe_oversized_answer_names_limit(void **state) {
    struct fixture *fixture = *state;
    fixture->mode = GET_JOB_BIG;
    assert_error(state, GET_JOB " " GET_JOB_ARGS, "RESOURCE_EXHAUSTED", "RESPONSE_TOO_LARGE",
                 "rpc.max_message_bytes = 262144");
}

static int set_up_without_probes(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
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
        TEST(test_probe_object_wrong_member_says_which_and_what_it_must_be),
        TEST(test_probe_object_reads_request_as_words_do),
        TEST(test_probe_object_cut_is_laid_to_what_is_wrong),
        TEST(test_probe_wrong_fields_are_all_listed),
        TEST(test_probe_handlers_error_is_shown_whole),
        TEST(test_probe_not_utf8_is_refused),
        TEST(test_probe_oversized_names_limit),
        TEST(test_probe_deep_json_is_refused),
        TEST(test_probe_control_characters_are_read_in_strings_only),
        TEST(test_probe_answers_hold_no_control_characters),
        TEST(test_probe_oversized_answer_names_limit),
        cmocka_unit_test_setup_teardown(test_probe_switched_off_says_so, set_up_without_probes, tear_down),
    };
    return cmocka_run_group_tests_name("rpc.probe", tests, NULL, NULL);
}
