/* heraldctl channels and channel, and the words with which channels are shown. */
#include "deploy/ctl/channel_text.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/doctor.h"
#include "deploy/ctl/words.h"
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

#define LIST    herald_distribution_v1_distribution_service_list_channels_method
#define CONTROL herald_distribution_v1_distribution_service_control_channel_method
#define COLUMNS 80

/* Channels with each trouble, at the widest that is usual. */
static const char troubled_channels[] =
    "{\"channels\":["
    "{\"channel\":\"WOORIDONGNE_TV\",\"adapter\":\"webhook\",\"configured\":true,\"breakerState\":\"CLOSED\","
    "\"failureRate\":12.4,\"slowRate\":-1,\"inFlight\":3,\"maxInFlight\":128,\"waiting\":\"12345\"},"
    "{\"channel\":\"RINGO_BIZ\",\"adapter\":\"webhook\",\"configured\":true,\"breakerState\":\"OPEN\","
    "\"failureRate\":60,\"slowRate\":0,\"maxInFlight\":128,\"breakerUntil\":\"2100-01-01T00:00:00Z\"},"
    "{\"channel\":\"GENIE_TV\",\"adapter\":\"webhook\",\"configured\":true,\"breakerState\":\"FORCED_OPEN\","
    "\"failureRate\":-1,\"slowRate\":-1,\"maxInFlight\":128,\"unknown\":\"1\"},"
    "{\"channel\":\"INSTAGRAM\",\"adapter\":\"instagram\",\"configured\":true,\"breakerState\":\"DISABLED\","
    "\"failureRate\":-1,\"slowRate\":-1,\"maxInFlight\":128,\"quotaUsed\":50,\"quotaTotal\":50},"
    "{\"channel\":\"NAVER_BLOG\",\"adapter\":\"naver\",\"configured\":false,\"breakerState\":\"CLOSED\","
    "\"failureRate\":-1,\"slowRate\":-1,\"maxInFlight\":128},"
    "{\"channel\":\"KAKAO_CHANNEL\",\"adapter\":\"kakao\",\"configured\":true,\"pause\":\"PAUSED_FOR_CREDENTIAL\","
    "\"pauseText\":\"HTTP\\u001bstatus 401\",\"breakerState\":\"CLOSED\",\"failureRate\":-1,\"slowRate\":-1,"
    "\"maxInFlight\":128}]}";

static struct scripted_server *serve(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = scripted_server_start(answers, count);
    assert_non_null(server);
    setenv("HERALD_DISTRIBUTION_URL", scripted_server_url(server), 1);
    return server;
}

static size_t widest_row(const char *text) {
    size_t widest = 0;
    for (const char *row = text; row[0] != '\n' && row[0] != '\0'; row += strcspn(row, "\n") + 1) {
        size_t columns = strcspn(row, "\n");
        widest = columns > widest ? columns : widest;
    }
    return widest;
}

static void test_channels_fit_a_screen_and_say_what_is_wrong_and_what_to_do(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = LIST, .response = troubled_channels}};
    struct scripted_server *server = serve(answers, 1);
    assert_int_equal(RUN("channels"), CTL_OK);
    assert_in_range(widest_row(said), 1, COLUMNS);
    assert_non_null(strstr(said, "\nWOORIDONGNE_TV  CLOSED       12/0%      3/128  12345    0        -\n"));
    assert_non_null(strstr(said, "\nRINGO_BIZ       OPEN         60/0%      0/128  0        0        -\n"));
    assert_non_null(strstr(said, "\nINSTAGRAM       DISABLED     -          0/128  0        0        50/50\n"));
    assert_non_null(strstr(said, "\nNAVER_BLOG      UNSET        -"));
    assert_non_null(strstr(said, "\nKAKAO_CHANNEL   PAUSED       -"));
    assert_non_null(strstr(said, "\nRINGO_BIZ: its breaker is OPEN until 2100-01-01 00:00:00 (in "));
    assert_non_null(strstr(said, "\nGENIE_TV: an operator keeps its breaker open: nothing is sent\n"
                                 "  -> heraldctl channel auto GENIE_TV\n"
                                 "GENIE_TV: 1 delivery whose outcome only a person can find out\n"
                                 "  -> heraldctl deliveries --unknown --channel GENIE_TV\n"));
    assert_non_null(strstr(said, "\nINSTAGRAM: its quota of 50 posts is used up"));
    assert_non_null(strstr(said, "\nNAVER_BLOG: not configured: deliveries to it wait\n"
                                 "  -> complete [naver_blog] in the settings"));
    assert_non_null(
        strstr(said, "\nKAKAO_CHANNEL: paused, because the channel refuses the credential: HTTP status 401\n"));
    assert_null(strstr(said, "\nWOORIDONGNE_TV:"));
    scripted_server_stop(server);
}

static void test_channels_without_trouble_are_a_table_with_their_adapters(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = LIST,
         .response = "{\"channels\":[{\"channel\":\"INSTAGRAM\",\"adapter\":\"instagram\",\"configured\":true,"
                     "\"breakerState\":\"CLOSED\",\"failureRate\":-1,\"slowRate\":-1,\"maxInFlight\":8}]}"}};
    struct scripted_server *server = serve(answers, 1);
    assert_int_equal(RUN("channels", "--watch"), CTL_OK); /* no terminal: one look */
    assert_string_equal(said, "CHANNEL    ADAPTER    STATE   FAIL/SLOW  CALLS  WAITING  UNKNOWN  QUOTA\n"
                              "INSTAGRAM  instagram  CLOSED  -          0/8    0        0        -\n");
    assert_int_equal(RUN("channels", "-o", "json"), CTL_OK);
    assert_non_null(strstr(said, "{\"channels\":[{\"channel\":\"INSTAGRAM\""));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    scripted_server_stop(server);
}

static void test_channels_of_a_server_that_is_away_exits_3(void **state) {
    (void)state;
    assert_int_equal(RUN("channels", "-u", "tcp://127.0.0.1:1", "-t", "300"), CTL_NOT_SENT);
}

static void test_channel_says_each_action_to_the_server(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"pause", "PAUSE"},
                                          {"resume", "RESUME"},
                                          {"open", "BREAKER_FORCE_OPEN"},
                                          {"close", "BREAKER_DISABLE"},
                                          {"auto", "BREAKER_AUTOMATIC"}};
    const struct scripted_answer answers[] = {
        {.method = CONTROL,
         .response = "{\"channel\":{\"channel\":\"GENIE_TV\",\"configured\":true,\"breakerState\":\"CLOSED\"}}"}};
    struct scripted_server *server = serve(answers, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char request[200];
        snprintf(request, sizeof(request), "{\"channel\":\"GENIE_TV\",\"action\":\"%s\",\"note\":\"why\"}", rows[i][1]);
        assert_int_equal(RUN("channel", rows[i][0], "genie-tv", "--note", "why"), CTL_OK);
        assert_string_equal(scripted_server_last_request(server), request);
        assert_non_null(strstr(said, "\nGENIE_TV  "));
    }
    scripted_server_stop(server);
}

static void test_channel_with_a_wrong_word_calls_nothing_and_says_what_was_meant(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = CONTROL, .response = "{}"}};
    struct scripted_server *server = serve(answers, 1);
    assert_int_equal(RUN("channel", "puase", "GENIE_TV"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no action \"puase\": did you mean pause?\n");
    assert_int_equal(RUN("channel", "pause", "kakao"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no channel \"kakao\": did you mean KAKAO_CHANNEL?\n");
    assert_int_equal(RUN("channel", "pause", "facebook"), CTL_USAGE);
    assert_string_equal(complained, "heraldctl: there is no channel \"facebook\": there are WOORIDONGNE_TV, RINGO_BIZ, "
                                    "GENIE_TV, INSTAGRAM, NAVER_BLOG and KAKAO_CHANNEL\n");
    assert_int_equal(scripted_server_calls(server, CONTROL), 0);
    scripted_server_stop(server);
}

static struct channel_trouble only_trouble(int64_t left_us) {
    Herald__Distribution__V1__ChannelInfo info = HERALD__DISTRIBUTION__V1__CHANNEL_INFO__INIT;
    Google__Protobuf__Timestamp ends = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    const int64_t now_us = INT64_C(1800000000000000);
    struct channel_trouble troubles[CHANNEL_TROUBLES_MAX];
    info.channel = HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM;
    info.configured = true;
    info.breaker_state = (char *)"CLOSED";
    info.token_expires_at = &ends;
    ends.seconds = (now_us + left_us) / 1000000;
    size_t count = channel_troubles(&info, now_us, troubles);
    assert_in_range(count, 0, 1);
    return troubles[0];
}

static void test_channel_troubles_warn_of_a_token_that_ends_within_a_week(void **state) {
    (void)state;
    const int64_t day_us = INT64_C(86400000000);
    assert_string_equal(only_trouble(7 * day_us + 1000000).problem, "");
    struct channel_trouble trouble = only_trouble(7 * day_us);
    assert_ptr_equal(strstr(trouble.problem, "its credential ends at 2027-01-"), trouble.problem);
    assert_non_null(strstr(trouble.remedy, "[instagram] of the settings"));
    trouble = only_trouble(-day_us);
    assert_ptr_equal(strstr(trouble.problem, "its credential has ended at 2027-01-"), trouble.problem);
}

static void test_words_near_are_those_that_begin_alike_or_differ_in_few_letters(void **state) {
    (void)state;
    static const char *const words[] = {"retry", "cancel", "give-up"};
    assert_string_equal(words_near(words, 3, "RETR"), "retry");
    assert_string_equal(words_near(words, 3, "cancle"), "cancel");
    assert_string_equal(words_near(words, 3, "giveup"), "give-up");
    assert_null(words_near(words, 3, "publish"));
    assert_null(words_near(words, 3, ""));
    assert_null(words_near(words, 3, "x"));
    assert_int_equal(words_find(words, 3, "Give_Up"), 2);
    assert_int_equal(words_find(words, 3, "give"), 3);
}

/* Findings of doctor, a line each: "warning|good CHECK: MESSAGE -> REMEDY". */
static char findings[4096];

static void note_finding(void *user, const char *name, const struct finding *finding) {
    size_t length = strlen(findings);
    (void)user;
    snprintf(findings + length, sizeof(findings) - length, "%s%s %s: %s -> %s\n", finding->warning ? "warning" : "",
             finding->good ? "|good" : "", name, finding->message, finding->remedy);
}

static void test_doctor_warns_of_each_trouble_of_a_channel_and_is_well_without(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = LIST, .response = troubled_channels},
        {.method = LIST,
         .response = "{\"channels\":[{\"channel\":\"GENIE_TV\",\"configured\":true,\"breakerState\":"
                     "\"CLOSED\"}]}"},
        {.method = LIST, .code = HERALD_UNAUTHENTICATED, .reason = "NO_CREDENTIAL", .message = "who are you?"},
    };
    struct scripted_server *server = serve(answers, sizeof(answers) / sizeof(answers[0]));
    struct settings settings = {0};
    struct herald_error error;
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_OK);
    findings[0] = '\0';
    doctor_channel_states(&settings, note_finding, NULL);
    assert_non_null(strstr(findings, "warning|good channels' states: GENIE_TV: an operator keeps its breaker open: "
                                     "nothing is sent -> heraldctl channel auto GENIE_TV\n"));
    assert_non_null(strstr(findings, "GENIE_TV: 1 delivery whose outcome"));
    assert_null(strstr(findings, "WOORIDONGNE_TV"));
    findings[0] = '\0';
    doctor_channel_states(&settings, note_finding, NULL);
    assert_string_equal(findings, "|good channels' states: 1 channel: none is paused, all breakers are closed, no "
                                  "outcome is unknown -> \n");
    findings[0] = '\0';
    doctor_channel_states(&settings, note_finding, NULL);
    assert_non_null(strstr(findings, "warning|good channels' states: not known: who are you? -> "));
    settings_fini(&settings);
    scripted_server_stop(server);
}

int main(void) {
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_fit_a_screen_and_say_what_is_wrong_and_what_to_do),
        cmocka_unit_test(test_channels_without_trouble_are_a_table_with_their_adapters),
        cmocka_unit_test(test_channels_of_a_server_that_is_away_exits_3),
        cmocka_unit_test(test_channel_says_each_action_to_the_server),
        cmocka_unit_test(test_channel_with_a_wrong_word_calls_nothing_and_says_what_was_meant),
        cmocka_unit_test(test_channel_troubles_warn_of_a_token_that_ends_within_a_week),
        cmocka_unit_test(test_words_near_are_those_that_begin_alike_or_differ_in_few_letters),
        cmocka_unit_test(test_doctor_warns_of_each_trouble_of_a_channel_and_is_well_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
