/* heraldctl timeline, jobs and requeue: what is asked, what is printed, the exit status. */
#include "deploy/ctl/ctl.h"
#include "herald/event/v1/event.schema.h"
#include "herald/job/v1/job.schema.h"
#include "tests/unit/ctl/run_ctl.h"
#include "tests/unit/ctl/scripted_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define EVENT_OF(name) herald_event_v1_event_service_##name##_method
#define JOB_OF(name)   herald_job_v1_job_service_##name##_method

static struct scripted_server *answer_with(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = scripted_server_start(answers, count);
    assert_non_null(server);
    setenv("HERALD_EVENT_URL", scripted_server_url(server), 1);
    setenv("HERALD_JOB_URL", scripted_server_url(server), 1);
    return server;
}

#define ANSWER_WITH(answers) answer_with(answers, sizeof(answers) / sizeof((answers)[0]))

static void assert_said(const char *text) {
    if (strstr(said, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, said);
    }
}

static void test_timeline_shows_arrows_times_and_what_follows(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = EVENT_OF(get_event_timeline),
         .response =
             "{\"entries\":["
             "{\"position\":\"1\",\"step\":\"APPROVED\",\"from\":\"EVENT_SERVICE\",\"to\":\"DATABASE\",\"state\":"
             "\"SUCCEEDED\",\"at\":\"2026-01-02T03:04:05.006Z\",\"endedAt\":\"2026-01-02T03:04:05.008500Z\"},"
             "{\"position\":\"2\",\"step\":\"POSTED\",\"from\":\"DISTRIBUTION_SERVICE\",\"to\":\"CHANNEL_PARTY\","
             "\"channel\":\"GENIE_TV\",\"attempt\":2,\"state\":\"FAILED_STEP\",\"reason\":\"CHANNEL_TIMEOUT\","
             "\"message\":\"no\\u001banswer\",\"at\":\"2026-01-02T03:04:06Z\"},"
             "{\"position\":\"3\",\"step\":\"WAITED\",\"from\":\"DISTRIBUTION_SERVICE\",\"to\":"
             "\"DISTRIBUTION_SERVICE\",\"channel\":\"GENIE_TV\",\"attempt\":3,\"state\":\"WAITS\",\"reason\":"
             "\"CHANNEL_TIMEOUT\",\"at\":\"2026-01-02T03:04:07Z\",\"nextAttemptAt\":\"2100-01-01T00:00:00Z\"},"
             "{\"position\":\"4\",\"step\":\"RESOLVED\",\"from\":\"PERSON\",\"to\":\"DISTRIBUTION_SERVICE\","
             "\"channel\":\"RINGO_BIZ\",\"state\":\"WAITS\",\"at\":\"2026-01-02T03:04:08Z\"}"
             "],\"deliveriesMissing\":true}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("timeline", "e1", "--user", "u1"), CTL_OK);
    assert_string_equal(scripted_server_last_request(server), "{\"eventDraftId\":\"e1\",\"userId\":\"u1\"}");
    assert_said("\n2026-01-02 03:04:05.006  2.5 ms  event -> database         APPROVED            ");
    assert_said("distribution -> GENIE_TV  POSTED 2");
    assert_said("FAILED  CHANNEL_TIMEOUT: no answer\n");
    assert_said("WAITED 3  GENIE_TV   waits   CHANNEL_TIMEOUT; goes on at 2100-01-01 00:00:00 (in ");
    assert_said("person -> distribution    RESOLVED  RINGO_BIZ  waits   a person must act\n");
    assert_said("\nIt goes on.\nThe distribution service did not answer");
    scripted_server_stop(server);
}

static void test_timeline_of_a_draft_says_that_it_has_none(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = EVENT_OF(get_event_timeline), .response = "{}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("timeline", "e1"), CTL_OK);
    assert_string_equal(said, "The event was not published yet: its timeline begins with PublishEvent.\n");
    scripted_server_stop(server);
}

static void test_jobs_that_failed_come_from_all_pages(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = JOB_OF(list_jobs),
         .response = "{\"jobs\":[{\"jobId\":\"j1\",\"eventDraftId\":\"e1\",\"status\":\"FAILED\",\"attempts\":3,"
                     "\"failure\":\"the disk\\nis full\",\"deadLetter\":true,\"createdAt\":\"2026-01-02T03:04:05Z\"}],"
                     "\"nextPageToken\":\"p2\"}"},
        {.method = JOB_OF(list_jobs), .response = "{\"jobs\":[{\"jobId\":\"j2\",\"status\":\"FAILED\"}]}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("jobs", "--failed", "--user", "u1", "--draft", "d1"), CTL_OK);
    assert_int_equal(scripted_server_calls(server, JOB_OF(list_jobs)), 2);
    assert_string_equal(
        scripted_server_last_request(server),
        "{\"eventDraftId\":\"d1\",\"deadLetters\":true,\"pageSize\":100,\"pageToken\":\"p2\",\"userId\":"
        "\"u1\"}");
    assert_said("\nj1      FAILED  0 %       3         2026-01-02 03:04:05  e1     the disk is full\n");
    assert_said("\n  -> heraldctl requeue JOB_ID\n");
    scripted_server_stop(server);
}

static void test_jobs_are_one_page_and_lines_of_json(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = JOB_OF(list_jobs),
         .response = "{\"jobs\":[{\"jobId\":\"j1\"},{\"jobId\":\"j2\"}],\"nextPageToken\":\"p\"}"},
        {.method = JOB_OF(list_jobs), .response = "{}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("-o", "json", "jobs"), CTL_OK);
    assert_int_equal(scripted_server_calls(server, JOB_OF(list_jobs)), 1);
    assert_said("{\"jobId\":\"j1\",");
    assert_said("}\n{\"jobId\":\"j2\",");
    assert_int_equal(RUN("jobs", "--failed"), CTL_OK);
    assert_string_equal(said, "No failed job can begin anew.\n");
    scripted_server_stop(server);
}

static void test_requeue_says_how_to_watch_the_job_or_why_not(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = JOB_OF(requeue_job), .response = "{\"job\":{\"jobId\":\"j1\",\"status\":\"PENDING\"}}"},
        {.method = JOB_OF(requeue_job),
         .code = HERALD_FAILED_PRECONDITION,
         .reason = "JOB_NOT_FAILED",
         .message = "the job is RUNNING"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("requeue", "j1"), CTL_OK);
    assert_string_equal(scripted_server_last_request(server), "{\"jobId\":\"j1\"}");
    assert_string_equal(said, "j1 begins anew. To watch it:\n  -> heraldctl watch job j1\n");
    assert_int_equal(RUN("requeue", "j1"), CTL_FAILED);
    assert_non_null(strstr(complained, "JOB_NOT_FAILED"));
    assert_int_equal(RUN("requeue"), CTL_USAGE);
    scripted_server_stop(server);
}

int main(void) {
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeline_shows_arrows_times_and_what_follows),
        cmocka_unit_test(test_timeline_of_a_draft_says_that_it_has_none),
        cmocka_unit_test(test_jobs_that_failed_come_from_all_pages),
        cmocka_unit_test(test_jobs_are_one_page_and_lines_of_json),
        cmocka_unit_test(test_requeue_says_how_to_watch_the_job_or_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
