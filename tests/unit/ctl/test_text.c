/* What heraldctl prints: tables, errors, progress lines; and the URLs and requests that it reads. */
#include "deploy/ctl/input.h"
#include "deploy/ctl/progress.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "deploy/ctl/url.h"
#include "deploy/ctl/watch_job.h"
#include "deploy/ctl/watch_publish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A stream into memory. */
static struct {
    char *text;
    size_t length;
    FILE *file;
} out;

static int open_out(void **state) {
    (void)state;
    out.file = open_memstream(&out.text, &out.length);
    return out.file == NULL;
}

static int close_out(void **state) {
    (void)state;
    if (out.file != NULL) {
        fclose(out.file);
    }
    free(out.text);
    memset(&out, 0, sizeof(out));
    return 0;
}

static const char *printed(void) {
    fflush(out.file);
    return out.text;
}

static void test_table_with_hangul_lines_up_by_columns_of_the_terminal(void **state) {
    (void)state;
    struct table table = {.columns = 3};
    table_add(&table, (const char *[]){"NAME", "N", "REST"});
    table_add(&table, (const char *[]){"우리동네TV", "1", "a\nb"});
    table_add(&table, (const char *[]){"x", NULL, ""});
    table_print(&table, out.file);
    table_fini(&table);
    assert_string_equal(printed(), "NAME        N  REST\n"
                                   "우리동네TV  1  a b\n"
                                   "x              \n");
}

static void test_text_columns_of_invalid_utf8_ends(void **state) {
    (void)state;
    assert_int_equal(table_text_columns("한글"), 4);
    assert_int_equal(table_text_columns("é"), 1);
    assert_int_equal(table_text_columns("\xe3"), 1);
    assert_int_equal(table_text_columns("\xf0\x9f"), 1);
    assert_int_equal(table_text_columns(""), 0);
}

static void fill_error(struct herald_error *error) {
    herald_error_set(error, HERALD_REASON_NOT_PUBLISH_READY, "the draft is not complete");
    herald_error_add_detail(error, "objective", HERALD_REASON_REQUIRED, "choose an objective");
    herald_error_add_detail(error, "", HERALD_REASON_NONE, "no field");
    strcpy(error->details[1].reason, "OTHER"); /* of a newer server */
    error->retry_after_ms = 500;
}

static void test_report_of_an_executed_call_has_a_line_for_each_field(void **state) {
    (void)state;
    struct herald_reply reply = {.outcome = HERALD_EXECUTED};
    fill_error(&reply.error);
    report_reply(out.file, CTL_TABLE, "EventService/PublishEvent", &reply);
    assert_string_equal(printed(),
                        "heraldctl: EventService/PublishEvent: FAILED_PRECONDITION (NOT_PUBLISH_READY): the draft is "
                        "not complete\n"
                        "  objective: REQUIRED: choose an objective\n"
                        "  OTHER: no field\n"
                        "  try again in 500 ms\n");
}

static void test_report_gives_the_terminal_nothing_to_obey(void **state) {
    (void)state;
    struct herald_error error = {0};
    herald_error_set_code(&error, HERALD_INTERNAL, "A\x1b[2J",
                          "b\xc2\x9b"
                          "2J한\x7f\n.");
    herald_error_add_detail(&error, "f\x07", HERALD_REASON_NONE, "m\b");
    strcpy(error.details[0].reason, "R\r");
    report_error(out.file, CTL_TABLE, "m", &error);
    assert_string_equal(printed(), "heraldctl: m: INTERNAL (A [2J): b  2J한  .\n  f : R : m \n");
}

static void test_report_as_json_gives_the_terminal_nothing_to_obey(void **state) {
    (void)state;
    struct herald_error error = {0};
    herald_error_set_code(&error, HERALD_INTERNAL, "A\x1b[2J",
                          "b\xc2\x9b"
                          "2J한\x7f\n.");
    report_error(out.file, CTL_JSON, "m\xc2\x80", &error);
    assert_string_equal(printed(), "{\"error\":{\"what\":\"m\\u0080\",\"code\":\"INTERNAL\",\"reason\":\"A\\u001B[2J\","
                                   "\"message\":\"b\\u009b2J한\\u007f\\n.\",\"retryAfterMs\":0,\"details\":[]}}\n");
}

static void test_report_as_json_is_one_object_on_a_line(void **state) {
    (void)state;
    struct herald_reply reply = {.outcome = HERALD_EXECUTED, .call_id = "c1"};
    fill_error(&reply.error);
    report_reply(out.file, CTL_JSON, "m", &reply);
    assert_string_equal(printed(),
                        "{\"error\":{\"what\":\"m\",\"code\":\"FAILED_PRECONDITION\",\"reason\":\"NOT_PUBLISH_READY\","
                        "\"message\":\"the draft is not complete\",\"retryAfterMs\":500,\"details\":["
                        "{\"field\":\"objective\",\"reason\":\"REQUIRED\",\"message\":\"choose an objective\"},"
                        "{\"field\":\"\",\"reason\":\"OTHER\",\"message\":\"no field\"}],"
                        "\"outcome\":\"EXECUTED\",\"mayRepeat\":\"NO\",\"callId\":\"c1\"}}\n");
}

static void test_report_of_calls_without_an_answer_says_whether_repeating_is_safe(void **state) {
    (void)state;
    struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
    herald_error_set_code(&reply.error, HERALD_UNAVAILABLE, "NO_CONNECTION", "refused");
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(strstr(printed(), "outcome NOT_SENT: no server saw the call; repeating it is safe"));
    reply.outcome = HERALD_MAYBE_EXECUTED;
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(strstr(printed(), "outcome MAYBE_EXECUTED: sent, and no answer came; look before repeating it"));
    reply.done = HERALD_DONE_NOT_KNOWN;
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(
        strstr(printed(), "outcome MAYBE_EXECUTED: the server does not know what became of it; look before"));
    reply.effect = HERALD_EFFECT_IDEMPOTENT;
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(strstr(printed(), "what became of it; repeating it is safe"));
    reply.effect = HERALD_EFFECT_ONCE;
    reply.done = HERALD_DONE_AS_TOLD;
    strcpy(reply.idempotency_key, "key-1");
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(strstr(printed(), "no answer came; the same call with -k key-1 repeats it safely"));
    report_reply(out.file, CTL_JSON, "m", &reply);
    assert_non_null(strstr(printed(), "\"idempotencyKey\":\"key-1\""));
    assert_non_null(strstr(printed(), "\"mayRepeat\":\"SAME_KEY\""));
    reply.outcome = HERALD_EXECUTED;
    report_reply(out.file, CTL_TABLE, "m", &reply);
    assert_non_null(strstr(printed(), "it failed for the moment; the same call with -k key-1 repeats it safely"));
}

static void test_report_status_tells_the_outcomes_apart(void **state) {
    (void)state;
    struct herald_reply reply = {.outcome = HERALD_EXECUTED};
    assert_int_equal(report_status(&reply), CTL_OK);
    reply.error.code = HERALD_NOT_FOUND;
    assert_int_equal(report_status(&reply), CTL_FAILED);
    reply.error.code = HERALD_UNAVAILABLE;
    reply.outcome = HERALD_NOT_SENT;
    assert_int_equal(report_status(&reply), CTL_NOT_SENT);
    reply.error.code = HERALD_INVALID_ARGUMENT; /* refused here: a loop that repeats on 3 would never end */
    assert_int_equal(report_status(&reply), CTL_USAGE);
    reply.outcome = HERALD_EXECUTED;
    assert_int_equal(report_status(&reply), CTL_FAILED);
    reply.outcome = HERALD_MAYBE_EXECUTED;
    assert_int_equal(report_status(&reply), CTL_MAYBE);
}

static void test_report_worse_puts_first_what_must_be_mended_first(void **state) {
    (void)state;
    static const int rising[] = {CTL_OK, CTL_FAILED, CTL_NOT_SENT, CTL_MAYBE, CTL_USAGE};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            assert_int_equal(report_worse(rising[i], rising[k]), rising[i > k ? i : k]);
        }
    }
}

static void test_progress_elsewhere_than_on_a_terminal_prints_changes_only(void **state) {
    (void)state;
    char line[64];
    FILE *file = tmpfile();
    struct progress progress;
    assert_non_null(file);
    progress_init(&progress, file, false);
    progress_show(&progress, "PENDING");
    progress_show(&progress, "PENDING");
    progress_show(&progress, "RUNNING");
    progress_end(&progress);
    rewind(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, " s  PENDING\n"));
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, " s  RUNNING\n"));
    assert_null(fgets(line, sizeof(line), file));
    fclose(file);
}

static void test_job_line_shows_status_progress_and_pictures(void **state) {
    (void)state;
    Herald__Job__V1__Job job = HERALD__JOB__V1__JOB__INIT;
    char line[128];
    job.status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    job.progress_percent = 66;
    job.n_pictures = 2;
    watch_job_line(&job, line, sizeof(line));
    assert_string_equal(line, "RUNNING    66 %  2 of 3 pictures");
}

static void test_publish_line_counts_what_goes_on_and_what_needs_a_person(void **state) {
    (void)state;
    Herald__Event__V1__EventDraft event = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    Herald__Distribution__V1__ChannelResult first = HERALD__DISTRIBUTION__V1__CHANNEL_RESULT__INIT;
    Herald__Distribution__V1__ChannelResult second = HERALD__DISTRIBUTION__V1__CHANNEL_RESULT__INIT;
    Herald__Distribution__V1__ChannelResult *results[] = {&first, &second};
    Herald__Distribution__V1__GetDistributionResponse distribution =
        HERALD__DISTRIBUTION__V1__GET_DISTRIBUTION_RESPONSE__INIT;
    char line[256], tiny[20];
    event.status = HERALD__EVENT__V1__EVENT_STATUS__APPROVED;
    watch_publish_line(&event, NULL, line, sizeof(line));
    assert_string_equal(line, "APPROVED");
    first.accepted = 1;
    first.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__DONE;
    second.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__GOES_ON;
    distribution.results = results;
    distribution.n_results = 2;
    watch_publish_line(&event, &distribution, line, sizeof(line));
    assert_string_equal(line, "APPROVED  1 of 2 accepted, 1 goes on");
    watch_publish_line(&event, &distribution, tiny, sizeof(tiny));
    assert_string_equal(tiny, "APPROVED  1 of 2 ac");
    first.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON;
    watch_publish_line(&event, &distribution, line, sizeof(line));
    assert_string_equal(line, "APPROVED  1 of 2 accepted, 1 goes on, 1 needs a person");
}

static void test_channel_line_says_why_it_waits_in_80_columns(void **state) {
    (void)state;
    Herald__Distribution__V1__ChannelResult result = HERALD__DISTRIBUTION__V1__CHANNEL_RESULT__INIT;
    Google__Protobuf__Timestamp next = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char line[WATCH_CHANNEL_BYTES];
    setenv("TZ", "UTC", 1);
    result.channel = HERALD__DISTRIBUTION__V1__CHANNEL__WOORIDONGNE_TV;
    result.state = HERALD__DISTRIBUTION__V1__DELIVERY_STATE__READY;
    result.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__GOES_ON;
    result.next_attempt_at = &next;
    result.reason = (char *)"CHANNEL_TIMEOUT";
    watch_channel_line(&result, 0, line);
    assert_string_equal(line, "WOORIDONGNE_TV READY, next at 00:00:00: CHANNEL_TIMEOUT");
    result.state = HERALD__DISTRIBUTION__V1__DELIVERY_STATE__OUTCOME_UNKNOWN;
    result.reason = (char *)"A_REASON_OF_THIRTY_CHARACTERS\n";
    watch_channel_line(&result, 0, line);
    assert_string_equal(line, "WOORIDONGNE_TV OUTCOME_UNKNOWN, next at 00:00:00:\n"
                              "             A_REASON_OF_THIRTY_CHARACTERS ");
    result.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__NEEDS_PERSON;
    result.reason = (char *)"";
    watch_channel_line(&result, 0, line);
    assert_string_equal(line, "WOORIDONGNE_TV OUTCOME_UNKNOWN, needs a person");
}

static void test_url_split_takes_all_parts(void **state) {
    (void)state;
    struct url_parts parts;
    assert_true(url_split("redis://:se:cret@127.0.0.1:6390/2", &parts));
    assert_string_equal(parts.scheme, "redis");
    assert_string_equal(parts.password, "se:cret");
    assert_string_equal(parts.host, "127.0.0.1");
    assert_string_equal(parts.port, "6390");
    assert_string_equal(parts.path, "2");
    assert_true(url_split("http://[::1]:80", &parts));
    assert_string_equal(parts.host, "::1");
    assert_string_equal(parts.port, "80");
    assert_true(url_split("https://example.com/a/b?c", &parts));
    assert_string_equal(parts.port, "");
    assert_string_equal(parts.path, "a/b?c");
}

static void test_url_split_of_what_is_none_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",         "redis",       "://h",    "http://",    "http://:80",
                                      "http://[", "http://[::1", "a://h:x", "http://[]:1"};
    struct url_parts parts;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(url_split(bad[i], &parts));
    }
    char longer[400] = "http://";
    memset(longer + 7, 'h', 300);
    assert_false(url_split(longer, &parts));
}

static void test_input_given_as_text_file_or_nothing_is_read(void **state) {
    (void)state;
    char path[] = "/tmp/herald-ctl-XXXXXX", data[64];
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(input_read(NULL, &text, &bytes, NULL), HERALD_OK);
    assert_string_equal(text, "{}");
    free(text);
    assert_int_equal(input_read("{\"a\":1}", &text, &bytes, NULL), HERALD_OK);
    assert_int_equal(bytes, 7);
    free(text);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"b\":2}\n", 8), 8);
    close(fd);
    snprintf(data, sizeof(data), "@%s", path);
    assert_int_equal(input_read(data, &text, &bytes, NULL), HERALD_OK);
    assert_string_equal(text, "{\"b\":2}\n");
    free(text);
    unlink(path);
}

static void test_input_file_that_cannot_be_read_is_named(void **state) {
    (void)state;
    struct herald_error error;
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(input_read("@/nonexistent/request.json", &text, &bytes, &error), HERALD_NOT_FOUND);
    assert_string_equal(error.message, "cannot open /nonexistent/request.json: No such file or directory");
    assert_int_equal(input_read("@/tmp", &text, &bytes, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.message, "cannot read /tmp: Is a directory");
    assert_int_equal(input_read("@/dev/zero", &text, &bytes, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.message, "/dev/zero is longer than 4194304 bytes");
    assert_null(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table_with_hangul_lines_up_by_columns_of_the_terminal, open_out,
                                        close_out),
        cmocka_unit_test(test_text_columns_of_invalid_utf8_ends),
        cmocka_unit_test_setup_teardown(test_report_of_an_executed_call_has_a_line_for_each_field, open_out, close_out),
        cmocka_unit_test_setup_teardown(test_report_gives_the_terminal_nothing_to_obey, open_out, close_out),
        cmocka_unit_test_setup_teardown(test_report_as_json_gives_the_terminal_nothing_to_obey, open_out, close_out),
        cmocka_unit_test_setup_teardown(test_report_as_json_is_one_object_on_a_line, open_out, close_out),
        cmocka_unit_test_setup_teardown(test_report_of_calls_without_an_answer_says_whether_repeating_is_safe, open_out,
                                        close_out),
        cmocka_unit_test(test_report_status_tells_the_outcomes_apart),
        cmocka_unit_test(test_report_worse_puts_first_what_must_be_mended_first),
        cmocka_unit_test(test_progress_elsewhere_than_on_a_terminal_prints_changes_only),
        cmocka_unit_test(test_job_line_shows_status_progress_and_pictures),
        cmocka_unit_test(test_publish_line_counts_what_goes_on_and_what_needs_a_person),
        cmocka_unit_test(test_channel_line_says_why_it_waits_in_80_columns),
        cmocka_unit_test(test_url_split_takes_all_parts),
        cmocka_unit_test(test_url_split_of_what_is_none_is_refused),
        cmocka_unit_test(test_input_given_as_text_file_or_nothing_is_read),
        cmocka_unit_test(test_input_file_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
