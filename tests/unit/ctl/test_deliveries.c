/* heraldctl deliveries: what is asked, what is printed, the exit status. */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/delivery_text.h"
#include "deploy/ctl/moment.h"
#include "herald/distribution/v1/distribution.schema.h"
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

#define OF(name) herald_distribution_v1_distribution_service_##name##_method

static struct scripted_server *answer_with(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = scripted_server_start(answers, count);
    assert_non_null(server);
    setenv("HERALD_DISTRIBUTION_URL", scripted_server_url(server), 1);
    return server;
}

#define ANSWER_WITH(answers) answer_with(answers, sizeof(answers) / sizeof((answers)[0]))

static void test_deliveries_show_what_follows_why_and_what_a_person_does(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(get_distribution),
         .response =
             "{\"results\":["
             "{\"channel\":\"GENIE_TV\",\"state\":\"PUBLISHED\",\"outlook\":\"DONE\",\"remoteId\":\"g-1\",\"postUrl\":"
             "\"http://g/1\",\"attempts\":1},"
             "{\"channel\":\"RINGO_BIZ\",\"state\":\"READY\",\"outlook\":\"GOES_ON\",\"attempts\":2,\"reason\":"
             "\"CHANNEL_UNAVAILABLE\",\"message\":\"out of\\u001bservice\",\"ownerTextEn\":\"You need do nothing.\","
             "\"nextAttemptAt\":\"2100-01-01T00:00:00Z\",\"expiresAt\":\"2100-01-02T00:00:00Z\"},"
             "{\"channel\":\"WOORIDONGNE_TV\",\"state\":\"OUTCOME_UNKNOWN\",\"outlook\":\"NEEDS_PERSON\",\"reason\":"
             "\"CHANNEL_LOST\",\"attempts\":1},"
             "{\"channel\":\"NAVER_BLOG\",\"state\":\"AWAITING_OPERATOR\",\"outlook\":\"NEEDS_PERSON\",\"ownerTextEn\":"
             "\"It is ready.\",\"attempts\":1},"
             "{\"channel\":\"INSTAGRAM\",\"state\":\"EXPIRED\",\"outlook\":\"REFUSED\",\"reason\":\"EXPIRED\"}],"
             "\"scheduledAt\":\"2100-01-01T00:00:00Z\",\"timeZone\":\"Asia/Seoul\"}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries", "e1", "--user", "u1"), CTL_OK);
    assert_string_equal(scripted_server_last_request(server), "{\"eventId\":\"e1\",\"userId\":\"u1\"}");
    assert_non_null(strstr(said, "\nGENIE_TV        PUBLISHED          1         g-1  http://g/1\n"));
    assert_non_null(strstr(said, "2         goes on by itself at 2100-01-01 00:00:00 (in "));
    assert_non_null(strstr(said, " days), gives up at 2100-01-02 00:00:00\n"));
    assert_non_null(strstr(said, "\nRINGO_BIZ: CHANNEL_UNAVAILABLE: out of service\n  You need do nothing.\n"));
    assert_non_null(strstr(said, "  -> heraldctl deliveries e1 resolve WOORIDONGNE_TV published|again|give-up\n"));
    assert_non_null(strstr(said, "     heraldctl deliveries e1 confirm NAVER_BLOG URL\n"));
    assert_non_null(strstr(said, "  -> heraldctl deliveries e1 retry INSTAGRAM\n"));
    assert_null(strstr(said, "retry RINGO_BIZ"));
    assert_non_null(strstr(said, "\nNothing is sent before 2100-01-01 00:00:00 (in "));
    assert_non_null(strstr(said, " days); its owner chose the time in Asia/Seoul.\n"));
    assert_null(strstr(said, "BEGAN"));
    scripted_server_stop(server);
}

static void test_deliveries_with_attempts_ask_for_their_log_and_show_it(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(get_distribution),
         .response = "{\"attempts\":[{\"channel\":\"GENIE_TV\",\"attempt\":2,\"state\":\"READY\",\"reason\":"
                     "\"CHANNEL_TIMEOUT\",\"message\":\"no answer\",\"startedAt\":\"2026-01-02T03:04:05Z\","
                     "\"finishedAt\":\"2026-01-02T03:04:05.250Z\"}]}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries", "e1", "--attempts"), CTL_OK);
    assert_string_equal(scripted_server_last_request(server), "{\"eventId\":\"e1\",\"withAttempts\":true}");
    assert_non_null(
        strstr(said, "\n2026-01-02 03:04:05  250.0 ms  GENIE_TV  2        READY  CHANNEL_TIMEOUT  no answer\n"));
    scripted_server_stop(server);
}

static void test_deliveries_of_unknown_outcome_come_from_all_pages(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(list_unknown_deliveries),
         .response = "{\"deliveries\":[{\"eventId\":\"e1\",\"userId\":\"u1\",\"key\":\"k1\",\"result\":{\"channel\":"
                     "\"GENIE_TV\",\"startedAt\":\"2026-01-02T03:04:05Z\"}}],\"nextPageToken\":\"p2\"}"},
        {.method = OF(list_unknown_deliveries),
         .response = "{\"deliveries\":[{\"eventId\":\"e2\",\"key\":\"k2\",\"result\":{\"channel\":\"GENIE_TV\"}}]}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries", "--unknown", "--channel", "genie_tv"), CTL_OK);
    assert_int_equal(scripted_server_calls(server, OF(list_unknown_deliveries)), 2);
    assert_string_equal(scripted_server_last_request(server),
                        "{\"channel\":\"GENIE_TV\",\"pageSize\":100,\"pageToken\":\"p2\"}");
    assert_non_null(strstr(said, "\ne1        GENIE_TV  2026-01-02 03:04:05  k1   u1\n"));
    assert_non_null(strstr(said, "\ne2        GENIE_TV                       k2   \n"));
    scripted_server_stop(server);
}

static void test_deliveries_of_unknown_outcome_are_lines_of_json(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(list_unknown_deliveries),
         .response = "{\"deliveries\":[{\"eventId\":\"e1\"},{\"eventId\":\"e2\"}]}"},
        {.method = OF(list_unknown_deliveries), .response = "{}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("-o", "json", "deliveries", "--unknown"), CTL_OK);
    assert_non_null(strstr(said, "{\"eventId\":\"e1\","));
    assert_non_null(strstr(said, "}\n{\"eventId\":\"e2\","));
    assert_int_equal(RUN("deliveries", "--unknown"), CTL_OK);
    assert_string_equal(said, "No delivery waits for a person to find out its outcome.\n");
    scripted_server_stop(server);
}

/* Runs an action that succeeds and compares the request. */
#define ASSERT_ASKS(wanted, ...)                                                                                       \
    do {                                                                                                               \
        assert_int_equal(RUN("deliveries", "e1", __VA_ARGS__), CTL_OK);                                                \
        assert_string_equal(scripted_server_last_request(server), wanted);                                             \
    } while (0)

static void test_deliveries_actions_say_to_the_server_what_the_words_say(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(retry_delivery), .response = "{\"retried\":2}"},
        {.method = OF(cancel_distribution), .response = "{\"cancelled\":1}"},
        {.method = OF(resolve_delivery), .response = "{\"result\":{\"channel\":\"GENIE_TV\"}}"},
        {.method = OF(confirm_assisted_publish), .response = "{}"},
        {.method = OF(schedule_distribution), .response = "{\"scheduledAt\":\"2100-01-01T00:00:00Z\"}"},
    };
    struct scripted_server *server = ANSWER_WITH(answers);
    ASSERT_ASKS("{\"eventId\":\"e1\"}", "retry");
    assert_non_null(strstr(said, "2 begin anew or go on now\n"));
    ASSERT_ASKS("{\"eventId\":\"e1\",\"userId\":\"u1\",\"channel\":\"GENIE_TV\"}", "retry", "genie_tv", "--user", "u1");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"channel\":\"GENIE_TV\"}", "cancel", "GENIE_TV");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"channel\":\"GENIE_TV\",\"resolution\":\"WAS_PUBLISHED\",\"remoteId\":\"7\","
                "\"url\":\"http://g/7\"}",
                "resolve", "GENIE_TV", "published", "--id", "7", "--post-url", "http://g/7");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"channel\":\"GENIE_TV\",\"resolution\":\"SEND_AGAIN\"}", "resolve", "GENIE_TV",
                "again");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"channel\":\"GENIE_TV\",\"resolution\":\"GIVE_UP\"}", "resolve", "GENIE_TV",
                "give-up");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"channel\":\"NAVER_BLOG\",\"url\":\"http://b/1\"}", "confirm", "NAVER_BLOG",
                "http://b/1");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"localTime\":\"2100-01-01T09:00\",\"timeZone\":\"Asia/Seoul\"}", "schedule",
                "2100-01-01T09:00", "--zone", "Asia/Seoul");
    ASSERT_ASKS("{\"eventId\":\"e1\",\"scheduledAt\":\"2100-01-01T00:00:00Z\",\"timeZone\":\"Asia/Seoul\"}", "schedule",
                "2100-01-01T09:00:00+09:00", "--zone", "Asia/Seoul");
    assert_non_null(strstr(said, "Nothing is sent before 2100-01-01 00:00:00 (in "));
    scripted_server_stop(server);
}

static void test_deliveries_preview_shows_requests_text_pictures_and_problems(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = OF(get_delivery_preview),
         .response = "{\"requests\":[{\"purpose\":\"publish the post\",\"method\":\"POST\",\"url\":\"http://g/\","
                     "\"headers\":[\"a: b\"],\"body\":\"one\\ntwo\"}],\"caption\":\"text\",\"pictureUrls\":[\"p\"],"
                     "\"html\":\"<p>\",\"problems\":[{\"field\":\"content.text\",\"reason\":\"TEXT_TOO_LONG\","
                     "\"textEn\":\"too long\"}]}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries", "e1", "preview", "GENIE_TV"), CTL_OK);
    assert_string_equal(said, "The channel would refuse it: content.text: TEXT_TOO_LONG: too long\n"
                              "publish the post\n  POST http://g/\n  a: b\n\n  one\n  two\n\n"
                              "The text as the public sees it:\n  text\nPicture: p\nTo paste, as HTML:\n  <p>\n");
    scripted_server_stop(server);
}

static void test_deliveries_with_wrong_operands_call_nothing(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = OF(resolve_delivery), .response = "{}"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries"), CTL_USAGE);
    assert_non_null(strstr(complained, "deliveries needs EVENT_ID or --unknown, one of them"));
    assert_int_equal(RUN("deliveries", "e1", "--unknown"), CTL_USAGE);
    assert_int_equal(RUN("deliveries", "e1", "resolv", "GENIE_TV", "published"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no action \"resolv\": did you mean resolve?\n");
    assert_int_equal(RUN("deliveries", "e1", "resolve", "GENIE_TV"), CTL_USAGE);
    assert_non_null(strstr(complained, "it is deliveries EVENT_ID resolve CHANNEL published|again|give-up;"));
    assert_int_equal(RUN("deliveries", "e1", "resolve", "GENIE_TV", "publish"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no resolution \"publish\": did you mean published?\n");
    assert_int_equal(RUN("deliveries", "e1", "schedule", "2100-01-01T09:00"), CTL_USAGE);
    assert_non_null(strstr(complained, "it is deliveries EVENT_ID schedule TIME --zone ZONE;"));
    assert_int_equal(RUN("deliveries", "e1", "schedule", "2100-13-01T09:00Z", "--zone", "Asia/Seoul"), CTL_USAGE);
    assert_int_equal(RUN("deliveries", "--unknown", "--channel", "genie"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no channel \"genie\": did you mean GENIE_TV?\n");
    assert_int_equal(scripted_server_calls(server, OF(resolve_delivery)), 0);
    scripted_server_stop(server);
}

static void test_deliveries_of_an_event_never_distributed_exit_1(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = OF(get_distribution),
                                               .code = HERALD_NOT_FOUND,
                                               .reason = "DISTRIBUTION_NOT_FOUND",
                                               .message = "the event was never distributed"}};
    struct scripted_server *server = ANSWER_WITH(answers);
    assert_int_equal(RUN("deliveries", "e1"), CTL_FAILED);
    assert_non_null(strstr(complained, "NOT_FOUND (DISTRIBUTION_NOT_FOUND)"));
    scripted_server_stop(server);
}

static void test_what_follows_of_a_delivery_that_nobody_takes_is_the_channel(void **state) {
    (void)state;
    Herald__Distribution__V1__ChannelResult result = HERALD__DISTRIBUTION__V1__CHANNEL_RESULT__INIT;
    Google__Protobuf__Timestamp next = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char text[FOLLOWS_BYTES];
    result.outlook = HERALD__DISTRIBUTION__V1__OUTLOOK__GOES_ON;
    delivery_follows(&result, 60000000, text);
    assert_string_equal(text, "is under way");
    next.seconds = 58;
    result.next_attempt_at = &next;
    delivery_follows(&result, 60000000, text);
    assert_string_equal(text, "goes on by itself at 00:00:58 (now)");
    next.seconds = 50;
    delivery_follows(&result, 60000000, text);
    assert_string_equal(text, "goes on when the channel takes calls, due since 00:00:50");
}

static void test_moment_says_how_far_away_it_is(void **state) {
    (void)state;
    static const struct {
        int64_t away_s;
        const char *wanted;
    } rows[] = {{0, "00:00:10 (now)"},
                {-9, "00:00:01 (now)"},
                {4, "00:00:14 (in 4 s)"},
                {119, "00:02:09 (in 119 s)"},
                {120, "00:02:10 (in 2 min)"},
                {7200, "02:00:10 (in 2 h)"},
                {86400, "1970-01-02 00:00:10 (in 24 h)"},
                {172800, "1970-01-03 00:00:10 (in 2 days)"}};
    char text[MOMENT_BYTES];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Google__Protobuf__Timestamp moment = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        moment.seconds = 10 + rows[i].away_s;
        moment_text(&moment, 10000000, text);
        assert_string_equal(text, rows[i].wanted);
    }
    moment_text(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void) {
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deliveries_show_what_follows_why_and_what_a_person_does),
        cmocka_unit_test(test_deliveries_with_attempts_ask_for_their_log_and_show_it),
        cmocka_unit_test(test_deliveries_of_unknown_outcome_come_from_all_pages),
        cmocka_unit_test(test_deliveries_of_unknown_outcome_are_lines_of_json),
        cmocka_unit_test(test_deliveries_actions_say_to_the_server_what_the_words_say),
        cmocka_unit_test(test_deliveries_preview_shows_requests_text_pictures_and_problems),
        cmocka_unit_test(test_deliveries_with_wrong_operands_call_nothing),
        cmocka_unit_test(test_deliveries_of_an_event_never_distributed_exit_1),
        cmocka_unit_test(test_what_follows_of_a_delivery_that_nobody_takes_is_the_channel),
        cmocka_unit_test(test_moment_says_how_far_away_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
