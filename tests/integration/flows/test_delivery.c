/*
 * What becomes of deliveries at webhooks, seen from outside: by the channels' logs, Postgres and Kafka.
 *
 * GENIE_TV is a fake under a base URL that ends with two slashes, RINGO_BIZ a fake behind a way that can be shut,
 * WOORIDONGNE_TV a channel whose answers the test writes.
 */
#include "deliveries.h"
#include "forwarder.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define OF_USER  "{\"eventId\":\"%s\",\"userId\":\"%s\"}"
#define RESOLVE  "{\"eventId\":\"%s\",\"channel\":\"GENIE_TV\",\"resolution\":\"%s\",\"remoteId\":\"%s\"}"
#define CONTROL  "{\"channel\":\"%s\",\"action\":\"%s\",\"note\":\"a test\"}"
#define SCHEDULE "{\"eventId\":\"%s\",\"timeZone\":\"Asia/Seoul\",\"scheduledAt\":\"%s\"}"
#define AT_LOCAL "{\"eventId\":\"%s\",\"timeZone\":\"%s\",\"localTime\":\"%s\"}"

static struct stack *stack;
static struct forwarder *way; /* to RINGO_BIZ */
static bool way_is_open;
static struct scripted *scripted;

static void open_way(void) {
    if (!way_is_open) {
        forwarder_open(way);
    }
    way_is_open = true;
}

static void shut_way(void) {
    if (way_is_open) {
        forwarder_shut(way);
    }
    way_is_open = false;
}

static void set_channels(void) {
    char host[64];
    int port = 0;
    const char *fakes = stack_setting(stack, "HERALD_CHANNELS_URL") + strlen("http://");
    assert_int_equal(sscanf(fakes, "%63[^:]:%d", host, &port), 2);
    way = forwarder_new(host, port);
    scripted = scripted_start();
    stack_set(stack, "HERALD_CHANNELS_URL=http://%s:%d//", host, port);
    stack_set(stack, "HERALD_RINGO_BIZ_URL=http://127.0.0.1:%d/channels/RINGO_BIZ/posts", forwarder_port(way));
    stack_set(stack, "HERALD_WOORIDONGNE_TV_URL=%s", scripted_url(scripted));
}

static int start(void **state) {
    (void)state;
    stack = stack_start((const char *const[]){
        "HERALD_CHANNELS_BACKOFF_MIN_MS=50", "HERALD_CHANNELS_BACKOFF_MAX_MS=400", "HERALD_CHANNELS_POLL_MS=50",
        "HERALD_CHANNELS_REPORT_MS=100", "HERALD_CHANNELS_BREAKER_WINDOW_CALLS=1000",
        "HERALD_CHANNELS_BREAKER_MINIMUM_CALLS=1000", "HERALD_GENIE_TV_IN_FLIGHT=16", NULL});
    set_channels();
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    forwarder_free(way);
    scripted_stop(scripted);
    return 0;
}

static int calm(void **state) {
    (void)state;
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\",\"delayMs\":0}");
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"ok\",\"delayMs\":0}");
    scripted_answers(scripted, SCRIPTED_OK);
    open_way();
    return 0;
}

static void assert_result(const struct answer *answer, size_t index, const char *state, const char *outlook) {
    char path[64];
    snprintf(path, sizeof(path), "results.%zu.state", index);
    assert_string_equal(answer_text(answer, path), state);
    snprintf(path, sizeof(path), "results.%zu.outlook", index);
    assert_string_equal(answer_text(answer, path), outlook);
}

static void control(const char *channel, const char *action) {
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "ControlChannel", CONTROL, channel, action);
    answer_clear(&answer);
}

/* The member of a channel in ListChannels. */
static void assert_channel(const char *channel, const char *member, const char *expected) {
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "ListChannels", "{}");
    const json_t *channels = answer_at(&answer, "channels");
    const char *found = NULL;
    for (size_t i = 0; i < json_array_size(channels); i++) {
        const json_t *info = json_array_get(channels, i);
        if (strcmp(json_string_value(json_object_get(info, "channel")), channel) == 0) {
            found = json_string_value(json_object_get(info, member));
        }
    }
    assert_string_equal(found ? found : "", expected);
    answer_clear(&answer);
}

/* ---- what an answer means ---- */

static void test_answer_2xx_with_unreadable_body_is_published_by_one_post(void **state) {
    (void)state;
    const char *const modes[] = {"huge", "cut", "bad_chunk", "drip", "not_json", "no_id"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        char behaviour[64], id[37];
        snprintf(behaviour, sizeof(behaviour), "{\"mode\":\"%s\",\"delayMs\":0}", modes[i]);
        stack_channel_behaves(stack, "GENIE_TV", behaviour);
        struct answer answer = distribute_new(stack, "\"GENIE_TV\"", id);
        assert_result(&answer, 0, "PUBLISHED", "DONE");
        assert_true(json_is_true(answer_at(&answer, "completed")));
        assert_int_equal(json_integer_value(answer_at(&answer, "results.0.attempts")), 1);
        answer_clear(&answer);
        assert_posts(stack, id, "GENIE_TV", 1);
    }
}

static void test_answer_id_of_any_length_is_kept_with_all_its_digits(void **state) {
    (void)state;
    char letters[201], quoted[256];
    memset(letters, 'x', 200);
    letters[200] = '\0';
    snprintf(quoted, sizeof(quoted), "\"%s\"", letters);
    const char *const cases[][2] = {{"17895695668004550", "17895695668004550"},
                                    {"98765432109876543210", "98765432109876543210"},
                                    {quoted, letters}};
    for (size_t i = 0; i < 3; i++) {
        char response[512], id[37];
        snprintf(response, sizeof(response),
                 "HTTP/1.1 201 Created\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n{\"id\":%s}",
                 strlen(cases[i][0]) + 7, cases[i][0]);
        scripted_answers(scripted, response);
        struct answer answer = distribute_new(stack, "\"WOORIDONGNE_TV\"", id);
        assert_result(&answer, 0, "PUBLISHED", "DONE");
        assert_string_equal(answer_text(&answer, "results.0.remoteId"), cases[i][1]);
        answer_clear(&answer);
    }
}

static void test_answer_too_early_is_delivered_later(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":425,\"count\":2}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\"", id);
    assert_result(&answer, 0, "PUBLISHED", "DONE");
    assert_int_equal(json_integer_value(answer_at(&answer, "results.0.attempts")), 3);
    answer_clear(&answer);
    assert_posts(stack, id, "GENIE_TV", 1);
}

/* Asserts that a delivery is next due in @seconds, but for some. */
static void assert_due_in(const char *id, const char *channel, int seconds) {
    stack_sql_is(stack, "t",
                 "SELECT next_at BETWEEN now() + interval '%d s' AND now() + interval '%d s' FROM deliveries "
                 "WHERE event_id = '%s' AND channel = '%s'",
                 seconds - 20, seconds + 5, id, channel);
}

static void test_answer_asks_for_hours_row_keeps_the_time(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":600}");
    stack_channel_behaves(stack, "RINGO_BIZ",
                          "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":7200,"
                          "\"retryAfterForm\":\"date\"}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", id);
    assert_result(&answer, 0, "READY", "GOES_ON");
    assert_result(&answer, 1, "READY", "GOES_ON");
    assert_true(strlen(answer_text(&answer, "results.0.nextAttemptAt")) > 0);
    answer_clear(&answer);
    assert_due_in(id, "GENIE_TV", 600);
    assert_due_in(id, "RINGO_BIZ", 7200);
}

/* ---- partial failures ---- */

static void test_channels_fail_for_a_while_each_is_delivered_by_itself_once(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":503}");
    shut_way();
    struct answer answer = distribute_briefly(stack, "\"WOORIDONGNE_TV\",\"GENIE_TV\",\"RINGO_BIZ\"", id);
    char distribution[37];
    snprintf(distribution, sizeof(distribution), "%s", answer_text(&answer, "distributionId"));
    assert_result(&answer, 0, "PUBLISHED", "DONE");
    for (size_t i = 1; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof(path), "results.%zu.outlook", i);
        assert_string_equal(answer_text(&answer, path), "GOES_ON");
    }
    assert_null(answer_at(&answer, "completed"));
    answer_clear(&answer);
    assert_true(count_records(stack, id, "DistributionProgressed", 1) >= 1);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 0), 0);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":500,\"count\":2}");
    open_way();
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    delivery_becomes(stack, id, "RINGO_BIZ", "PUBLISHED");
    assert_posts(stack, id, "GENIE_TV", 1);
    assert_posts(stack, id, "RINGO_BIZ", 1);
    assert_int_equal(scripted_posts(scripted, id), 1);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    answer = stack_call_ok(stack, DISTRIBUTION "GetDistribution", OF_EVENT, id);
    assert_string_equal(answer_text(&answer, "distributionId"), distribution);
    assert_true(json_is_true(answer_at(&answer, "completed")));
    answer_clear(&answer);
}

/* ---- unknown outcomes ---- */

static void test_answer_lost_after_acceptance_is_unknown_and_never_posted_again(void **state) {
    (void)state;
    const char *const modes[] = {"hang", "reset_after"};
    for (size_t i = 0; i < 2; i++) {
        char behaviour[64], id[37];
        snprintf(behaviour, sizeof(behaviour), "{\"mode\":\"%s\",\"delayMs\":0,\"count\":1}", modes[i]);
        stack_channel_behaves(stack, "GENIE_TV", behaviour);
        struct answer answer = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", id);
        assert_result(&answer, 0, "OUTCOME_UNKNOWN", "NEEDS_PERSON");
        assert_result(&answer, 1, "PUBLISHED", "DONE");
        answer_clear(&answer);
        assert_listed(stack, id, "GENIE_TV", true);
        assert_listed(stack, id, "RINGO_BIZ", false);
        answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", OF_EVENT, id);
        assert_null(answer_at(&answer, "retried"));
        answer_clear(&answer);
        assert_posts(stack, id, "GENIE_TV", 1);
        assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    }
}

/* A delivery of which the channel says 409. */
static void make_unknown(char ret_id[37]) {
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":409,\"count\":1}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\"", ret_id);
    assert_result(&answer, 0, "OUTCOME_UNKNOWN", "NEEDS_PERSON");
    answer_clear(&answer);
    assert_listed(stack, ret_id, "GENIE_TV", true);
}

static void test_unknown_delivery_resolved_by_a_person(void **state) {
    (void)state;
    char published[37], again[37], given_up[37];
    make_unknown(published);
    make_unknown(again);
    make_unknown(given_up);
    struct answer answer =
        stack_call_ok(stack, DISTRIBUTION "ResolveDelivery", RESOLVE, published, "WAS_PUBLISHED", "seen-1");
    assert_string_equal(answer_text(&answer, "result.state"), "PUBLISHED");
    assert_string_equal(answer_text(&answer, "result.remoteId"), "seen-1");
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "ResolveDelivery", RESOLVE, given_up, "GIVE_UP", "");
    assert_string_equal(answer_text(&answer, "result.state"), "REJECTED");
    assert_string_equal(answer_text(&answer, "result.reason"), "GIVEN_UP");
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "ResolveDelivery", RESOLVE, again, "SEND_AGAIN", "");
    answer_clear(&answer);
    delivery_becomes(stack, again, "GENIE_TV", "PUBLISHED");
    assert_posts(stack, again, "GENIE_TV", 1);
    assert_posts(stack, published, "GENIE_TV", 0);
    assert_posts(stack, given_up, "GENIE_TV", 0);
    assert_listed(stack, again, "GENIE_TV", false);
    assert_listed(stack, published, "GENIE_TV", false);
    answer = stack_call(stack, DISTRIBUTION "ResolveDelivery", RESOLVE, published, "SEND_AGAIN", "");
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "OUTCOME_KNOWN");
}

/* ---- pauses ---- */

/* A channel that is paused for a cause: what comes waits, others are not touched, and all of it goes when it is mended. */
static void assert_heals(const char *channel, const char *pause, const char *paused_state, const char *first_id,
                         bool (*was_posted)(const char *event_id), void (*mend)(void)) {
    char names[64], later[37];
    assert_channel(channel, "pause", pause);
    snprintf(names, sizeof(names), "\"%s\",\"RINGO_BIZ\"", channel);
    stack_sql_is(stack, paused_state, "SELECT state FROM deliveries WHERE event_id = '%s' AND channel = '%s'", first_id,
                 channel);
    struct answer answer = distribute_new(stack, names, later);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_PAUSED");
    assert_result(&answer, 1, "PUBLISHED", "DONE");
    answer_clear(&answer);
    assert_false(was_posted(later));
    mend();
    make_probe_due(stack, channel);
    delivery_becomes(stack, first_id, channel, "PUBLISHED");
    delivery_becomes(stack, later, channel, "PUBLISHED");
    assert_channel(channel, "pause", "");
    assert_true(was_posted(later));
}

static bool was_posted_to_genie(const char *event_id) {
    json_t *posts = stack_posts(stack, event_id);
    bool posted = json_array_size(posts) > 1;
    json_decref(posts);
    return posted;
}

static void mend_genie(void) {
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\",\"delayMs\":0}");
}

static bool was_posted_to_scripted(const char *event_id) {
    return scripted_posts(scripted, event_id) > 0;
}

static void mend_scripted(void) {
    scripted_answers(scripted, SCRIPTED_OK);
}

static void test_credential_refused_channel_pauses_and_heals_by_itself(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":401}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\"", id);
    assert_result(&answer, 0, "NEEDS_AUTH", "NEEDS_PERSON");
    answer_clear(&answer);
    assert_heals("GENIE_TV", "PAUSED_FOR_CREDENTIAL", "NEEDS_AUTH", id, was_posted_to_genie, mend_genie);
    assert_posts(stack, id, "GENIE_TV", 1);
}

static void test_clock_refused_channel_pauses_for_it_and_heals_by_itself(void **state) {
    (void)state;
    char id[37];
    scripted_answers(scripted, "HTTP/1.1 401 Unauthorized\r\ndate: Wed, 01 Jan 2020 00:00:00 GMT\r\n"
                               "content-length: 0\r\nconnection: close\r\n\r\n");
    struct answer answer = distribute_new(stack, "\"WOORIDONGNE_TV\"", id);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CLOCK_SKEW");
    answer_clear(&answer);
    assert_heals("WOORIDONGNE_TV", "PAUSED_FOR_CLOCK", "DEFERRED", id, was_posted_to_scripted, mend_scripted);
}

static void test_webhook_disabled_channel_pauses_until_an_operator_resumes_it(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":410}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\"", id);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_DISABLED");
    answer_clear(&answer);
    assert_channel("GENIE_TV", "pause", "PAUSED_FOR_DISABLED");
    stack_sql_is(stack, "t",
                 "SELECT probe_at > now() + interval '1 minute' FROM channel_controls WHERE channel = 'GENIE_TV'");
    mend_genie();
    control("GENIE_TV", "RESUME");
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    assert_channel("GENIE_TV", "pause", "");
    assert_posts(stack, id, "GENIE_TV", 1);
}

static void test_operator_pauses_and_resumes_a_channel(void **state) {
    (void)state;
    char id[37];
    control("GENIE_TV", "PAUSE");
    assert_channel("GENIE_TV", "pause", "PAUSED_BY_OPERATOR");
    assert_channel("GENIE_TV", "pauseText", "a test");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", id);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_result(&answer, 1, "PUBLISHED", "DONE");
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", OF_EVENT, id); /* a retry does not pass a pause */
    answer_clear(&answer);
    time_t asked = time(NULL); /* what a pause holds back is due, and no caller waits for it tens of seconds */
    answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\",\"RINGO_BIZ\"", "");
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_true(time(NULL) - asked < 8);
    answer_clear(&answer);
    assert_posts(stack, id, "GENIE_TV", 0);
    control("GENIE_TV", "RESUME");
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    assert_posts(stack, id, "GENIE_TV", 1);
}

static void test_operator_forces_a_breaker_open_and_lets_it_decide_again(void **state) {
    (void)state;
    char id[37];
    control("GENIE_TV", "BREAKER_FORCE_OPEN");
    assert_channel("GENIE_TV", "breakerState", "FORCED_OPEN");
    struct answer answer = distribute_briefly(stack, "\"GENIE_TV\"", id);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_FAILING");
    answer_clear(&answer);
    assert_posts(stack, id, "GENIE_TV", 0);
    control("GENIE_TV", "BREAKER_AUTOMATIC");
    assert_channel("GENIE_TV", "breakerState", "CLOSED");
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    assert_posts(stack, id, "GENIE_TV", 1);
}

/* ---- repeats, dry runs, owners ---- */

static void test_distribute_again_is_the_same_or_refused(void **state) {
    (void)state;
    char id[37];
    struct answer first = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", id);
    struct answer again =
        stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\",\"RINGO_BIZ\"", "");
    assert_int_equal(again.payload_bytes, first.payload_bytes);
    assert_memory_equal(again.payload, first.payload, first.payload_bytes);
    answer_clear(&again);
    again = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"RINGO_BIZ\",\"GENIE_TV\"", "");
    assert_string_equal(answer_text(&again, "distributionId"), answer_text(&first, "distributionId"));
    assert_string_equal(answer_text(&again, "results.0.channel"), "RINGO_BIZ"); /* in the order asked */
    answer_clear(&again);
    const char *const others[] = {"\"WOORIDONGNE_TV\"", "\"GENIE_TV\"",
                                  "\"GENIE_TV\",\"RINGO_BIZ\",\"WOORIDONGNE_TV\""};
    for (size_t i = 0; i < 3; i++) {
        again = stack_call(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, others[i], "");
        assert_int_equal(again.code, HERALD_FAILED_PRECONDITION);
        assert_string_equal(again.error.reason, "CHANNELS_FIXED");
    }
    again = stack_call(stack, DISTRIBUTION "Distribute",
                       "{\"eventId\":\"%s\",\"channels\":[\"GENIE_TV\",\"RINGO_BIZ\"],\"content\":{\"title\":\"other\","
                       "\"storeInfo\":{\"name\":\"s\"},\"pngUrl\":\"https://a/1\",\"jpegUrl\":\"https://a/2\"}}",
                       id);
    assert_int_equal(again.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(again.error.reason, "CONTENT_FIXED");
    answer_clear(&first);
    assert_posts(stack, id, "GENIE_TV", 1);
    assert_posts(stack, id, "RINGO_BIZ", 1);
}

static void test_dry_run_sends_and_stores_nothing(void **state) {
    (void)state;
    char id[37];
    fresh_event(id);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\",\"RINGO_BIZ\"",
                                         ",\"dryRun\":true");
    assert_string_equal(answer_text(&answer, "distributionId"), "");
    assert_int_equal(json_array_size(answer_at(&answer, "results")), 2);
    answer_clear(&answer);
    answer = stack_call(stack, DISTRIBUTION "GetDistribution", OF_EVENT, id);
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    stack_sql_is(stack, "0", "SELECT count(*) FROM deliveries WHERE event_id = '%s'", id);
    assert_posts(stack, id, "GENIE_TV", 0);
}

static void assert_same_refusal(const struct answer *theirs, const struct answer *nobodys) {
    assert_int_equal(theirs->code, HERALD_NOT_FOUND);
    assert_int_equal(nobodys->code, HERALD_NOT_FOUND);
    assert_int_equal(theirs->outcome, nobodys->outcome);
    assert_string_equal(theirs->error.reason, nobodys->error.reason);
    assert_string_equal(theirs->error.message, nobodys->error.message);
    assert_int_equal(theirs->error.detail_count, nobodys->error.detail_count);
    assert_int_equal(theirs->error.retry_after_ms, nobodys->error.retry_after_ms);
}

static void test_stranger_gets_the_answer_of_an_unknown_event(void **state) {
    (void)state;
    const struct {
        const char *method, *more;
    } cases[] = {
        {DISTRIBUTION "GetDistribution", ""},
        {DISTRIBUTION "GetDistribution", ",\"withAttempts\":true"},
        {DISTRIBUTION "WaitDistribution", ",\"afterVersion\":\"1\",\"waitMs\":1"},
        {DISTRIBUTION "RetryDelivery", ""},
        {DISTRIBUTION "RetryDelivery", ",\"channel\":\"RINGO_BIZ\""},
        {DISTRIBUTION "ScheduleDistribution", ",\"timeZone\":\"Asia/Seoul\",\"localTime\":\"2026-12-24T09:00\""},
        {DISTRIBUTION "CancelDistribution", ""},
        {DISTRIBUTION "CancelDistribution", ",\"channel\":\"GENIE_TV\""},
        {DISTRIBUTION "ConfirmAssistedPublish", ",\"channel\":\"GENIE_TV\",\"url\":\"https://a/1\""},
        {DISTRIBUTION "GetDeliveryPreview", ",\"channel\":\"GENIE_TV\""},
    };
    char id[37], unknown[37], owner[64], stranger[64], member[96];
    fresh_event(id);
    fresh_event(unknown);
    fresh_user(owner);
    fresh_user(stranger);
    snprintf(member, sizeof(member), ",\"userId\":\"%s\"", owner);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\"", member);
    answer_clear(&answer);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer theirs =
            stack_call(stack, cases[i].method, "{\"eventId\":\"%s\",\"userId\":\"%s\"%s}", id, stranger, cases[i].more);
        struct answer nobodys = stack_call(stack, cases[i].method, "{\"eventId\":\"%s\",\"userId\":\"%s\"%s}", unknown,
                                           stranger, cases[i].more);
        assert_same_refusal(&theirs, &nobodys);
    }
    answer = stack_call_ok(stack, DISTRIBUTION "GetDistribution", OF_USER, id, owner);
    assert_result(&answer, 0, "PUBLISHED", "DONE");
    answer_clear(&answer);
}

/* ---- what an owner does ---- */

/* The present, so many seconds ahead, as JSON. */
static void time_ahead(int seconds, char ret_text[32]) {
    struct tm parts;
    time_t at = time(NULL) + seconds;
    gmtime_r(&at, &parts);
    strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static struct answer distribute_at(const char *channels, int seconds_ahead, char ret_id[37]) {
    char at[32], member[64];
    time_ahead(seconds_ahead, at);
    snprintf(member, sizeof(member), ",\"scheduledAt\":\"%s\"", at);
    fresh_event(ret_id);
    return stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, ret_id, channels, member);
}

static void assert_sent_after_its_time(const char *id) {
    stack_sql_is(stack, "t",
                 "SELECT bool_and(started_at >= scheduled_at) FROM deliveries JOIN distributions USING (event_id) "
                 "WHERE event_id = '%s'",
                 id);
}

static void test_scheduled_distribution_is_sent_at_its_time(void **state) {
    (void)state;
    char id[37], moved[37], at[32];
    /* a call waits for what is due within 2 s */
    struct answer answer = distribute_at("\"GENIE_TV\",\"RINGO_BIZ\"", 6, id);
    assert_result(&answer, 0, "DEFERRED", "GOES_ON");
    assert_string_equal(answer_text(&answer, "results.1.reason"), "SCHEDULED");
    answer_clear(&answer);
    answer = distribute_at("\"GENIE_TV\"", 3600, moved);
    answer_clear(&answer);
    time_ahead(2, at);
    answer = stack_call_ok(stack, DISTRIBUTION "ScheduleDistribution", SCHEDULE, moved, at);
    assert_string_equal(answer_text(&answer, "scheduledAt"), at);
    answer_clear(&answer);
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    delivery_becomes(stack, id, "RINGO_BIZ", "PUBLISHED");
    delivery_becomes(stack, moved, "GENIE_TV", "PUBLISHED");
    assert_sent_after_its_time(id);
    assert_sent_after_its_time(moved);
    assert_posts(stack, id, "GENIE_TV", 1);
    assert_posts(stack, moved, "GENIE_TV", 1);
    answer = stack_call(stack, DISTRIBUTION "ScheduleDistribution", SCHEDULE, moved, at);
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "NOTHING_LEFT_TO_SEND");
}

static void assert_bad_local_time(const char *id, const char *zone, const char *local, const char *field) {
    struct answer answer = stack_call(stack, DISTRIBUTION "ScheduleDistribution", AT_LOCAL, id, zone, local);
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(answer.error.details[0].field, field);
}

/* The first and the last Sunday when New York changes its clocks within a year from now, as dates. */
static void find_clock_changes(char ret_forward[16], char ret_back[16]) {
    char *forward = stack_sql(stack, "SELECT day::date::text FROM generate_series(now() + interval '2 day', now() + "
                                     "interval '360 day', interval '1 day') AS day WHERE extract(dow FROM day) = 0 AND "
                                     "extract(month FROM day) = 3 AND extract(day FROM day) BETWEEN 8 AND 14");
    char *back = stack_sql(stack, "SELECT day::date::text FROM generate_series(now() + interval '2 day', now() + "
                                  "interval '360 day', interval '1 day') AS day WHERE extract(dow FROM day) = 0 AND "
                                  "extract(month FROM day) = 11 AND extract(day FROM day) BETWEEN 1 AND 7");
    snprintf(ret_forward, 16, "%s", forward ? forward : "");
    snprintf(ret_back, 16, "%s", back ? back : "");
    free(forward);
    free(back);
}

static void test_schedule_by_local_time_refuses_what_clocks_skip_or_repeat(void **state) {
    (void)state;
    char id[37], forward[16], back[16], local[64];
    struct answer answer = distribute_at("\"GENIE_TV\"", 3600, id);
    answer_clear(&answer);
    find_clock_changes(forward, back);
    if (forward[0] != '\0') { /* within a year, but for some days */
        snprintf(local, sizeof(local), "%sT02:30", forward);
        assert_bad_local_time(id, "America/New_York", local, "localTime");
        snprintf(local, sizeof(local), "%sT03:30", forward);
        answer = stack_call_ok(stack, DISTRIBUTION "ScheduleDistribution", AT_LOCAL, id, "America/New_York", local);
        answer_clear(&answer);
    }
    if (back[0] != '\0') {
        snprintf(local, sizeof(local), "%sT01:30", back);
        assert_bad_local_time(id, "America/New_York", local, "localTime");
    }
    assert_bad_local_time(id, "Mars/Olympus", "2027-01-01T09:00", "timeZone");
    answer = stack_call_ok(stack, DISTRIBUTION "CancelDistribution", OF_EVENT, id);
    answer_clear(&answer);
}

static void test_cancelled_distribution_is_not_sent_and_completes(void **state) {
    (void)state;
    char id[37], at[32];
    struct answer answer = distribute_at("\"GENIE_TV\",\"RINGO_BIZ\"", 3600, id);
    answer_clear(&answer);
    answer =
        stack_call_ok(stack, DISTRIBUTION "CancelDistribution", "{\"eventId\":\"%s\",\"channel\":\"GENIE_TV\"}", id);
    assert_int_equal(json_integer_value(answer_at(&answer, "cancelled")), 1);
    answer_clear(&answer);
    time_ahead(1, at);
    answer = stack_call_ok(stack, DISTRIBUTION "ScheduleDistribution", SCHEDULE, id, at); /* the other one */
    answer_clear(&answer);
    delivery_becomes(stack, id, "RINGO_BIZ", "PUBLISHED");
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    assert_posts(stack, id, "GENIE_TV", 0);
    answer = stack_call_ok(stack, DISTRIBUTION "GetDistribution", OF_EVENT, id);
    assert_result(&answer, 0, "CANCELLED", "REFUSED");
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "CancelDistribution", OF_EVENT, id);
    assert_null(answer_at(&answer, "cancelled")); /* nothing is left */
    answer_clear(&answer);
}

static void test_retry_of_a_refused_delivery_begins_anew(void **state) {
    (void)state;
    char id[37];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"reject\"}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", id);
    assert_result(&answer, 0, "REJECTED", "REFUSED");
    assert_true(strlen(answer_text(&answer, "results.0.ownerTextKo")) > 0);
    answer_clear(&answer);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    calm(NULL);
    answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", OF_EVENT, id);
    assert_int_equal(json_integer_value(answer_at(&answer, "retried")), 1);
    answer_clear(&answer);
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    assert_true(count_records(stack, id, "DistributionProgressed", 1) >= 1);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    assert_posts(stack, id, "GENIE_TV", 1);
    assert_posts(stack, id, "RINGO_BIZ", 1);
    answer = stack_call_ok(stack, DISTRIBUTION "GetDistribution", "{\"eventId\":\"%s\",\"withAttempts\":true}", id);
    assert_int_equal(json_array_size(answer_at(&answer, "attempts")), 3);
    assert_string_equal(answer_text(&answer, "attempts.0.state"), "PUBLISHED");
    answer_clear(&answer);
}

static void test_delivery_is_not_sent_after_its_time(void **state) {
    (void)state;
    char id[37];
    fresh_event(id);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\"",
                                         ",\"expiresAt\":\"2026-01-01T00:00:00Z\"");
    assert_result(&answer, 0, "EXPIRED", "REFUSED");
    answer_clear(&answer);
    assert_posts(stack, id, "GENIE_TV", 0);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
}

static void test_delivery_ends_as_expired_when_its_time_is_over(void **state) {
    (void)state;
    char id[37], at[32], member[64];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":503}");
    time_ahead(2, at);
    snprintf(member, sizeof(member), ",\"expiresAt\":\"%s\"", at);
    fresh_event(id);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\"", member);
    assert_result(&answer, 0, "EXPIRED", "REFUSED");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_UNAVAILABLE");
    assert_true(json_is_true(answer_at(&answer, "completed")));
    answer_clear(&answer);
    stack_sql_is(stack, "t", "SELECT expires_at <= now() FROM deliveries WHERE event_id = '%s'", id);
    assert_int_equal(count_records(stack, id, "DistributionCompleted", 1), 1);
    calm(NULL);
    answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", OF_EVENT, id);
    answer_clear(&answer);
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
}

/* ---- isolation ---- */

static void test_channel_hangs_with_many_callers_others_do_not_notice(void **state) {
    (void)state;
    enum {
        HANGING = 64,
        OTHERS = 10
    }; /* in turn, all within the time that a channel has: 20 s, with clients that take some */
    static struct caller callers[HANGING];
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"hang\",\"delayMs\":0,\"count\":16}");
    for (size_t i = 0; i < HANGING; i++) {
        callers[i] = (struct caller){0};
        caller_start(&callers[i], stack, "\"GENIE_TV\"");
    }
    stack_sql_becomes(stack, "16", "SELECT count(*) FROM deliveries WHERE state = 'COMMITTING'");
    for (size_t i = 0; i < OTHERS; i++) {
        char id[37];
        struct answer answer = distribute_new(stack, "\"RINGO_BIZ\"", id);
        assert_result(&answer, 0, "PUBLISHED", "DONE");
        answer_clear(&answer);
    }
    long long others_ended_ms = now_ms();
    size_t published = 0, unknown = 0;
    for (size_t i = 0; i < HANGING; i++) {
        caller_join(&callers[i]);
        assert_int_equal(callers[i].answer.code, HERALD_OK);
        assert_true(callers[i].ended_ms > others_ended_ms);
        const char *became = answer_text(&callers[i].answer, "results.0.state");
        published += strcmp(became, "PUBLISHED") == 0 ? 1 : 0;
        unknown += strcmp(became, "OUTCOME_UNKNOWN") == 0 ? 1 : 0;
        answer_clear(&callers[i].answer);
    }
    assert_int_equal(unknown, 16);
    assert_int_equal(published, HANGING - 16);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, calm, calm)
    const struct CMUnitTest tests[] = {
        TEST(test_answer_2xx_with_unreadable_body_is_published_by_one_post),
        TEST(test_answer_id_of_any_length_is_kept_with_all_its_digits),
        TEST(test_answer_too_early_is_delivered_later),
        TEST(test_channels_fail_for_a_while_each_is_delivered_by_itself_once),
        TEST(test_answer_lost_after_acceptance_is_unknown_and_never_posted_again),
        TEST(test_unknown_delivery_resolved_by_a_person),
        TEST(test_credential_refused_channel_pauses_and_heals_by_itself),
        TEST(test_clock_refused_channel_pauses_for_it_and_heals_by_itself),
        TEST(test_webhook_disabled_channel_pauses_until_an_operator_resumes_it),
        TEST(test_operator_pauses_and_resumes_a_channel),
        TEST(test_operator_forces_a_breaker_open_and_lets_it_decide_again),
        TEST(test_distribute_again_is_the_same_or_refused),
        TEST(test_dry_run_sends_and_stores_nothing),
        TEST(test_stranger_gets_the_answer_of_an_unknown_event),
        TEST(test_scheduled_distribution_is_sent_at_its_time),
        TEST(test_schedule_by_local_time_refuses_what_clocks_skip_or_repeat),
        TEST(test_cancelled_distribution_is_not_sent_and_completes),
        TEST(test_retry_of_a_refused_delivery_begins_anew),
        TEST(test_delivery_is_not_sent_after_its_time),
        TEST(test_delivery_ends_as_expired_when_its_time_is_over),
        TEST(test_channel_hangs_with_many_callers_others_do_not_notice),
        TEST(test_answer_asks_for_hours_row_keeps_the_time), /* last: the channel is left alone for half a minute */
    };
    return cmocka_run_group_tests(tests, start, stop);
}
