/* Command lines against a server that answers from a script: what is asked, what is printed, the exit status. */
#include "deploy/ctl/ctl.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/event/v1/event.schema.h"
#include "herald/job/v1/job.schema.h"
#include "herald/rpc/v1/health.schema.h"
#include "herald/rpc/v1/reflection.schema.h"
#include "tests/unit/ctl/run_ctl.h"
#include "tests/unit/ctl/scripted_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GET_EVENT    herald_event_v1_event_service_get_event_method
#define WAIT_JOB     herald_job_v1_job_service_wait_job_method
#define DISTRIBUTION herald_distribution_v1_distribution_service_get_distribution_method
#define HEALTH       herald_rpc_v1_health_check_method
#define LIST         herald_rpc_v1_reflection_list_services_method

/* Starts a server for all three and points the settings at it. */
static struct scripted_server *start(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = scripted_server_start(answers, count);
    assert_non_null(server);
    setenv("HERALD_EVENT_URL", scripted_server_url(server), 1);
    setenv("HERALD_JOB_URL", scripted_server_url(server), 1);
    setenv("HERALD_DISTRIBUTION_URL", scripted_server_url(server), 1);
    setenv("HERALD_CONTENT_RPC_URL", scripted_server_url(server), 1);
    return server;
}

#define START(answers) start(answers, sizeof(answers) / sizeof((answers)[0]))

static void test_call_that_succeeds_prints_the_response_and_exits_0(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT, .response = "{\"event\":{\"title\":\"가을\"}}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("call", "GetEvent", "-v", "-d", "{\"userId\":\"u1\",\"event_draft_id\":\"e1\"}"), CTL_OK);
    assert_non_null(strstr(said, "\"title\": \"가을\""));
    assert_non_null(strstr(complained, "OK, outcome EXECUTED, call id "));
    assert_string_equal(scripted_server_last_request(server), "{\"eventDraftId\":\"e1\",\"userId\":\"u1\"}");
    assert_int_equal(RUN("-o", "json", "call", "GetEvent"), CTL_OK);
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    assert_string_equal(complained, "");
    scripted_server_stop(server);
}

static void test_call_that_fails_prints_each_field_and_exits_1(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT,
                                               .code = HERALD_INVALID_ARGUMENT,
                                               .reason = "INVALID_FIELD",
                                               .message = "the request is not valid",
                                               .field = "userId"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("call", "GetEvent"), CTL_FAILED);
    assert_string_equal(said, "");
    assert_string_equal(complained, "heraldctl: herald.event.v1.EventService/GetEvent: INVALID_ARGUMENT "
                                    "(INVALID_FIELD): the request is not valid\n"
                                    "  userId: REQUIRED: is missing\n");
    scripted_server_stop(server);
}

static void test_call_that_succeeds_without_room_for_its_output_exits_6(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT, .response = "{}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN_WITHOUT_ROOM("call", "GetEvent"), CTL_UNWRITTEN);
    assert_string_equal(complained, "heraldctl: cannot write to standard output: No space left on device\n"
                                    "  the call was OK; only its output could not be written\n");
    assert_int_equal(scripted_server_calls(server, GET_EVENT), 1);
    assert_int_equal(RUN("call", "GetEvent"), CTL_OK);
    scripted_server_stop(server);
}

static void test_call_of_which_the_server_does_not_know_what_became_exits_4(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT,
                                               .code = HERALD_UNKNOWN,
                                               .reason = "DATABASE_OUTCOME_UNKNOWN",
                                               .message = "the connection was lost while it committed"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("call", "GetEvent"), CTL_MAYBE);
    assert_non_null(strstr(complained, "UNKNOWN (DATABASE_OUTCOME_UNKNOWN): the connection was lost"));
    assert_non_null(strstr(complained, "the server does not know what became of it; repeating it is safe (call id "));
    scripted_server_stop(server);
}

static void test_call_verbose_tells_where_the_time_went(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT, .response = "{}"}};
    struct scripted_server *server = START(answers);
    char attempt[128];
    assert_int_equal(RUN("call", "GetEvent", "-v"), CTL_OK);
    assert_non_null(
        strstr(complained, "  queue 0.250 ms, handler 1.500 ms (downstream 1.250 ms), network and connecting "));
    snprintf(attempt, sizeof(attempt), "\n  1 attempt at %s\n", scripted_server_url(server));
    assert_non_null(strstr(complained, attempt));
    assert_int_equal(RUN("call", "GetEvent", "-v", "-o", "json"), CTL_OK);
    assert_non_null(strstr(complained,
                           "{\"call\":{\"method\":\"herald.event.v1.EventService/GetEvent\",\"code\":\"OK\","
                           "\"outcome\":\"EXECUTED\""));
    assert_non_null(strstr(complained, "\"timings\":{\"queueUs\":250,\"handlerUs\":1500,\"downstreamUs\":1250,"));
    assert_int_equal(RUN("call", "GetEvent"), CTL_OK);
    assert_string_equal(complained, "");
    scripted_server_stop(server);
}

static void test_watch_job_that_completes_prints_the_pictures_and_exits_0(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = WAIT_JOB, .response = "{\"job\":{\"status\":\"PENDING\",\"version\":\"1\"},\"changed\":true}"},
        {.method = WAIT_JOB,
         .response = "{\"job\":{\"status\":\"RUNNING\",\"version\":\"2\",\"progressPercent\":33},\"changed\":true}"},
        {.method = WAIT_JOB,
         .response = "{\"job\":{\"status\":\"COMPLETED\",\"version\":\"3\",\"progressPercent\":100,\"pictures\":"
                     "[{\"style\":\"SIMPLE\",\"pngUrl\":\"http://c/s.png\"}]},\"changed\":true}"},
    };
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "job", "j1"), CTL_OK);
    assert_non_null(strstr(said, " s  PENDING     0 %  0 of 3 pictures\n"));
    assert_non_null(strstr(said, " s  RUNNING    33 %  0 of 3 pictures\n"));
    assert_non_null(strstr(said, " s  COMPLETED 100 %  1 of 3 pictures\n"));
    assert_non_null(strstr(said, "SIMPLE  http://c/s.png"));
    assert_int_equal(scripted_server_calls(server, WAIT_JOB), 3);
    assert_string_equal(scripted_server_last_request(server), "{\"jobId\":\"j1\",\"version\":\"2\",\"waitMs\":1000}");
    scripted_server_stop(server);
}

static void test_watch_job_that_fails_says_why_and_exits_1(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = WAIT_JOB,
         .response = "{\"job\":{\"status\":\"FAILED\",\"failure\":\"no disk\",\"version\":\"4\"}}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "job", "j1"), CTL_FAILED);
    assert_non_null(strstr(said, "failed: no disk\n"));
    assert_int_equal(RUN("watch", "job", "j1", "-o", "json"), CTL_FAILED);
    assert_int_equal(said[0], '{');
    assert_non_null(strstr(said, "\"failure\":\"no disk\""));
    scripted_server_stop(server);
}

static void test_watch_job_through_an_error_that_passes_goes_on(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = WAIT_JOB, .code = HERALD_UNAVAILABLE, .reason = "REDIS_UNAVAILABLE", .message = "redis is away"},
        {.method = WAIT_JOB, .response = "{\"job\":{\"status\":\"COMPLETED\",\"version\":\"3\"}}"},
    };
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "job", "j1"), CTL_OK);
    assert_non_null(strstr(said, "waiting for the server: UNAVAILABLE (REDIS_UNAVAILABLE)"));
    scripted_server_stop(server);
}

static void test_watch_job_that_does_not_exist_exits_1_at_once(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = WAIT_JOB, .code = HERALD_NOT_FOUND, .reason = "JOB_NOT_FOUND", .message = "there is no such job"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "job", "j1"), CTL_FAILED);
    assert_non_null(strstr(complained, "NOT_FOUND (JOB_NOT_FOUND): there is no such job"));
    assert_int_equal(scripted_server_calls(server, WAIT_JOB), 1);
    scripted_server_stop(server);
}

static void test_watch_that_cannot_be_sent_exits_2_at_once(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = GET_EVENT, .response = "{}"}};
    struct scripted_server *server = START(answers);
    static char too_long[300000];
    memset(too_long, 'e', sizeof(too_long) - 1);
    assert_int_equal(RUN("watch", "publish", too_long, "u1", "--timeout", "5000"), CTL_USAGE);
    assert_non_null(strstr(complained, "MESSAGE_TOO_BIG"));
    assert_int_equal(scripted_server_calls(server, GET_EVENT), 0);
    scripted_server_stop(server);
}

static void test_watch_job_that_takes_too_long_ends_with_the_timeout(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = WAIT_JOB, .response = "{\"job\":{\"status\":\"RUNNING\"}}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "job", "j1", "--timeout", "50"), CTL_FAILED);
    assert_string_equal(complained, "heraldctl: watch: not finished after 50 ms\n");
    scripted_server_stop(server);
}

static void test_watch_publish_follows_until_no_delivery_goes_on(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = GET_EVENT, .response = "{\"event\":{\"eventDraftId\":\"e1\",\"status\":\"DRAFT\"}}"},
        {.method = GET_EVENT, .response = "{\"event\":{\"eventDraftId\":\"e1\",\"status\":\"APPROVED\"}}"},
        {.method = GET_EVENT, .response = "{\"event\":{\"eventDraftId\":\"e1\",\"status\":\"ACTIVE\"}}"},
        {.method = DISTRIBUTION, .code = HERALD_NOT_FOUND, .reason = "NOT_DISTRIBUTED", .message = "never"},
        {.method = DISTRIBUTION,
         .response = "{\"results\":[{\"channel\":\"INSTAGRAM\",\"state\":\"COMMITTING\",\"outlook\":\"GOES_ON\"}]}"},
        {.method = DISTRIBUTION,
         .response =
             "{\"results\":[{\"channel\":\"INSTAGRAM\",\"state\":\"PUBLISHED\",\"accepted\":true,\"outlook\":\"DONE\"},"
             "{\"channel\":\"GENIE_TV\",\"state\":\"READY\",\"outlook\":\"GOES_ON\",\"reason\":\"CHANNEL_TIMEOUT\"}]}"},
        {.method = DISTRIBUTION,
         .response = "{\"completed\":true,\"results\":[{\"channel\":\"INSTAGRAM\",\"state\":\"PUBLISHED\","
                     "\"accepted\":true,\"remoteId\":\"r9\",\"attempts\":1,\"outlook\":\"DONE\"},"
                     "{\"channel\":\"GENIE_TV\",\"state\":\"OUTCOME_UNKNOWN\",\"outlook\":\"NEEDS_PERSON\"}]}"},
    };
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "publish", "e1", "u1"), CTL_OK);
    assert_non_null(strstr(said, " s  DRAFT\n"));
    assert_non_null(strstr(said, " s  INSTAGRAM COMMITTING\n"));
    assert_non_null(strstr(said, " s  APPROVED  0 of 1 accepted, 1 goes on\n"));
    assert_non_null(strstr(said, " s  GENIE_TV READY: CHANNEL_TIMEOUT\n"));
    assert_non_null(strstr(said, " s  ACTIVE    1 of 2 accepted, 1 goes on\n"));
    assert_non_null(strstr(said, " s  GENIE_TV OUTCOME_UNKNOWN, needs a person\n"));
    assert_non_null(strstr(said, "INSTAGRAM  PUBLISHED        1         r9"));
    scripted_server_stop(server);
}

static void test_watch_publish_that_no_channel_accepts_exits_1(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = GET_EVENT, .response = "{\"event\":{\"eventDraftId\":\"e1\",\"status\":\"APPROVED\"}}"},
        {.method = DISTRIBUTION,
         .response = "{\"completed\":true,\"results\":[{\"channel\":\"INSTAGRAM\",\"state\":\"REJECTED\","
                     "\"reason\":\"BAD_PICTURE\",\"outlook\":\"REFUSED\"}]}"},
    };
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("watch", "publish", "e1", "u1", "-o", "json"), CTL_FAILED);
    assert_non_null(strstr(said, "{\"eventId\":\"e1\",\"status\":\"APPROVED\",\"distribution\":{"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one change, one line */
    scripted_server_stop(server);
}

static void test_health_of_all_servers_serving_exits_0_and_else_5(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = HEALTH, .response = "{\"status\":\"SERVING\",\"services\":[]}"},
        {.method = HEALTH, .response = "{\"status\":\"SERVING\",\"services\":[]}"},
        {.method = HEALTH, .response = "{\"status\":\"SERVING\",\"services\":[]}"},
        {.method = HEALTH, .response = "{\"status\":\"SERVING\",\"services\":[]}"},
        {.method = HEALTH,
         .response = "{\"status\":\"NOT_SERVING\",\"services\":[{\"service\":\"s.S\",\"status\":\"NOT_SERVING\","
                     "\"components\":[{\"name\":\"kafka\",\"status\":\"NOT_SERVING\",\"message\":\"no broker\"}]}]}"},
    };
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("health"), CTL_OK);
    assert_int_equal(scripted_server_calls(server, HEALTH), 4);
    assert_int_equal(RUN("health"), CTL_UNHEALTHY);
    assert_non_null(strstr(said, "kafka      NOT_SERVING  no broker\n"));
    assert_int_equal(RUN("-o", "json", "health"), CTL_UNHEALTHY);
    assert_non_null(strstr(said, "\"message\": \"no broker\""));
    scripted_server_stop(server);
}

static void test_ls_asks_each_server_and_tells_when_one_does_not_answer(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = LIST,
         .response = "{\"services\":[{\"name\":\"s.S\",\"methods\":[{\"name\":\"s.S/Do\",\"effect\":\"READ\","
                     "\"deadlineMs\":7,\"caller\":\"ANYONE\",\"summary\":\"Does it.\"}]}]}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("ls"), CTL_OK);
    assert_int_equal(scripted_server_calls(server, LIST), 4);
    assert_non_null(strstr(said, "s.S/Do  READ    7 ms      ANYONE  Does it.\n"));
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:1", 1);
    assert_int_equal(RUN("ls", "-t", "300"), CTL_NOT_SENT);
    assert_non_null(strstr(complained, "herald-job at tcp://127.0.0.1:1"));
    assert_non_null(strstr(said, "s.S/Do"));
    scripted_server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_that_succeeds_prints_the_response_and_exits_0),
        cmocka_unit_test(test_call_that_fails_prints_each_field_and_exits_1),
        cmocka_unit_test(test_call_that_succeeds_without_room_for_its_output_exits_6),
        cmocka_unit_test(test_call_of_which_the_server_does_not_know_what_became_exits_4),
        cmocka_unit_test(test_call_verbose_tells_where_the_time_went),
        cmocka_unit_test(test_watch_job_that_completes_prints_the_pictures_and_exits_0),
        cmocka_unit_test(test_watch_job_that_fails_says_why_and_exits_1),
        cmocka_unit_test(test_watch_job_through_an_error_that_passes_goes_on),
        cmocka_unit_test(test_watch_job_that_does_not_exist_exits_1_at_once),
        cmocka_unit_test(test_watch_that_cannot_be_sent_exits_2_at_once),
        cmocka_unit_test(test_watch_job_that_takes_too_long_ends_with_the_timeout),
        cmocka_unit_test(test_watch_publish_follows_until_no_delivery_goes_on),
        cmocka_unit_test(test_watch_publish_that_no_channel_accepts_exits_1),
        cmocka_unit_test(test_health_of_all_servers_serving_exits_0_and_else_5),
        cmocka_unit_test(test_ls_asks_each_server_and_tells_when_one_does_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
