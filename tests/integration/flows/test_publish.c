/* Flow A, step by step, seen from outside: Postgres, Redis, Kafka and the channels. */
#include "stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PUBLISH    "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":" WEBHOOK_CHANNELS "}"
#define PUBLISH_TO "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[%s]}"

STACK_FIXTURE

static int calm_channels(void **state) {
    (void)state;
    const char *const channels[] = {"WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV"};
    for (size_t i = 0; i < WEBHOOK_COUNT; i++) {
        stack_channel_behaves(stack, channels[i], "{\"mode\":\"ok\"}");
    }
    return 0;
}

static long long member_ms(const json_t *post, const char *name) {
    return (long long)json_number_value(json_object_get(post, name));
}

/* All posts were on their way at the same moment: each began before any ended. */
static void assert_overlapping(const json_t *posts) {
    long long last_received = 0, first_answered = 0;
    for (size_t i = 0; i < json_array_size(posts); i++) {
        const json_t *post = json_array_get(posts, i);
        long long received = member_ms(post, "received_ms"), answered = member_ms(post, "answered_ms");
        last_received = received > last_received ? received : last_received;
        first_answered = first_answered == 0 || answered < first_answered ? answered : first_answered;
    }
    assert_true(last_received <= first_answered);
}

/* Each of @count channels was posted to once. */
static void assert_posted_once(const char *event_id, size_t count) {
    json_t *posts = stack_posts(stack, event_id);
    assert_int_equal(json_array_size(posts), count);
    json_t *channels = json_object();
    for (size_t i = 0; i < count; i++) {
        const json_t *post = json_array_get(posts, i);
        const char *channel = json_string_value(json_object_get(post, "channel"));
        assert_null(json_object_get(channels, channel));
        json_object_set_new(channels, channel, json_true());
        assert_true(strlen(json_string_value(json_object_get(post, "idempotency_key"))) > 8);
    }
    json_decref(channels);
    json_decref(posts);
}

static const char *header(const json_t *records, size_t i, const char *name) {
    const char *text = json_string_value(json_object_get(json_object_get(json_array_get(records, i), "headers"), name));
    return text ? text : "";
}

static void test_publish_ready_draft_reaches_all_channels_and_leaves_its_record(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
    assert_string_equal(answer_text(&answer, "objective"), "SALES");
    answer_clear(&answer);

    answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_string_equal(answer_text(&answer, "eventId"), id);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_int_equal(json_array_size(answer_at(&answer, "distributionResults")), WEBHOOK_COUNT);
    for (size_t i = 0; i < WEBHOOK_COUNT; i++) {
        const json_t *result = json_array_get(answer_at(&answer, "distributionResults"), i);
        assert_string_equal(json_string_value(json_object_get(result, "state")), "PUBLISHED");
        assert_true(json_is_true(json_object_get(result, "accepted")));
        assert_non_null(json_object_get(result, "remoteId"));
        assert_int_equal(json_integer_value(json_object_get(result, "attempts")), 1);
    }
    answer_clear(&answer);

    stack_sql_is(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    stack_sql_is(stack, "t",
                 "SELECT approved_at IS NOT NULL AND published_at >= approved_at FROM event_drafts WHERE id = '%s'",
                 id);
    assert_posted_once(id, WEBHOOK_COUNT);
    json_t *posts = stack_posts(stack, id);
    assert_overlapping(posts);
    json_decref(posts);

    char key[128];
    snprintf(key, sizeof(key), "purpose:%s", user);
    assert_null(stack_redis_get(stack, key));
}

static void test_publish_records_follow_cloudevents_and_come_once(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    answer_clear(&answer);

    json_t *created = stack_records(stack, "HERALD_KAFKA_EVENT_TOPIC", id, 1);
    assert_int_equal(json_array_size(created), 1);
    assert_string_equal(header(created, 0, "ce_type"), "herald.event.v1.EventCreated");
    assert_string_equal(header(created, 0, "ce_specversion"), "1.0");
    assert_string_equal(header(created, 0, "ce_source"), "/herald/event");
    assert_string_equal(header(created, 0, "content-type"), "application/json");
    assert_int_equal(strlen(header(created, 0, "ce_id")), 36);
    assert_true(strlen(header(created, 0, "ce_time")) >= 20);
    const json_t *value = json_object_get(json_array_get(created, 0), "value");
    assert_string_equal(json_string_value(json_object_get(value, "eventId")), id);
    assert_string_equal(json_string_value(json_object_get(value, "userId")), user);
    assert_string_equal(json_string_value(json_object_get(value, "title")), "가을맞이 치킨 반값 이벤트");
    assert_string_equal(json_string_value(json_object_get(value, "objective")), "SALES");
    assert_non_null(json_object_get(value, "createdAt"));
    json_decref(created);

    json_t *completed = stack_records(stack, "HERALD_KAFKA_DISTRIBUTION_TOPIC", id, 1);
    assert_int_equal(json_array_size(completed), 1);
    assert_string_equal(header(completed, 0, "ce_type"), "herald.distribution.v1.DistributionCompleted");
    value = json_object_get(json_array_get(completed, 0), "value");
    assert_string_equal(json_string_value(json_object_get(value, "distributionId")), header(completed, 0, "ce_id"));
    assert_int_equal(json_integer_value(json_object_get(value, "acceptedCount")), WEBHOOK_COUNT);
    assert_int_equal(json_array_size(json_object_get(value, "results")), WEBHOOK_COUNT);
    json_decref(completed);
    stack_sql_becomes(stack, "0", "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND key LIKE '%%%s%%'", id);
}

static void test_publish_of_another_user_is_not_found_like_one_that_does_not_exist(void **state) {
    (void)state;
    char user[64], other[64], id[37];
    fresh_user(user);
    fresh_user(other);
    make_ready_draft(stack, user, id);
    struct answer theirs = stack_call(stack, EVENTS "PublishEvent", PUBLISH, id, other);
    struct answer nobodys =
        stack_call(stack, EVENTS "PublishEvent", PUBLISH, "0190d1c8-0000-7000-8000-000000000000", other);
    assert_int_equal(theirs.code, HERALD_NOT_FOUND);
    assert_int_equal(theirs.outcome, HERALD_EXECUTED);
    assert_int_equal(nobodys.code, HERALD_NOT_FOUND);
    assert_string_equal(theirs.error.reason, nobodys.error.reason);
    assert_string_equal(theirs.error.message, nobodys.error.message);
    assert_int_equal(theirs.error.detail_count, nobodys.error.detail_count);
    stack_sql_is(stack, "DRAFT", "SELECT status FROM event_drafts WHERE id = '%s'", id);
}

static void test_publish_not_ready_lists_all_that_is_missing(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "");
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "NOT_PUBLISH_READY");
    assert_int_equal(answer.error.detail_count, 4);
    const char *const fields[] = {"objective", "recommendation", "content", "selectedChannels"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(answer.error.details[i].field, fields[i]);
    }
    stack_sql_is(stack, "DRAFT", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    stack_sql_is(stack, "0", "SELECT count(*) FROM outbox WHERE key = '%s'", id);
}

static void test_publish_unknown_channel_is_refused_by_name(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "1,99");
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(answer.error.details[0].field, "selectedChannels[1]");
}

static void test_publish_again_returns_the_stored_result(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct herald_call_options options = {.idempotency_key = "publish-once"};
    struct answer first = stack_call_with(stack, &options, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_int_equal(first.code, HERALD_OK);
    for (int i = 0; i < 10; i++) { /* with the same key and with new ones */
        struct answer again = stack_call_with(stack, i % 2 ? &options : NULL, EVENTS "PublishEvent", PUBLISH, id, user);
        assert_int_equal(again.code, HERALD_OK);
        assert_int_equal(again.payload_bytes, first.payload_bytes);
        assert_memory_equal(again.payload, first.payload, first.payload_bytes);
        answer_clear(&again);
    }
    struct answer other = stack_call_with(stack, &options, EVENTS "PublishEvent", PUBLISH_TO, id, user, "1");
    assert_int_equal(other.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(other.error.reason, "IDEMPOTENCY_KEY_REUSED");
    answer_clear(&first);
    assert_posted_once(id, WEBHOOK_COUNT);
}

struct racer {
    pthread_t thread;
    const char *id, *user;
    struct answer answer;
};

static void *race(void *arg) {
    struct racer *racer = arg;
    racer->answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH, racer->id, racer->user);
    return NULL;
}

static void test_publish_raced_by_many_callers_happens_once(void **state) {
    (void)state;
    enum { RACERS = 16 };
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct racer racers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.id = id, .user = user};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(racers[i].answer.code, HERALD_OK);
        assert_int_equal(racers[i].answer.payload_bytes, racers[0].answer.payload_bytes);
        assert_memory_equal(racers[i].answer.payload, racers[0].answer.payload, racers[0].answer.payload_bytes);
    }
    for (int i = 0; i < RACERS; i++) {
        answer_clear(&racers[i].answer);
    }
    assert_posted_once(id, WEBHOOK_COUNT);
    json_t *created = stack_records(stack, "HERALD_KAFKA_EVENT_TOPIC", id, 1);
    assert_int_equal(json_array_size(created), 1);
    json_decref(created);
}

static void test_publish_with_one_refusing_channel_is_active_with_its_reason(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "WOORIDONGNE_TV", "{\"mode\":\"reject\"}");
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user,
                                         "\"RINGO_BIZ\",\"WOORIDONGNE_TV\",\"GENIE_TV\"");
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_string_equal(answer_text(&answer, "distributionResults.0.channel"), "RINGO_BIZ");
    assert_string_equal(answer_text(&answer, "distributionResults.0.state"), "PUBLISHED");
    assert_string_equal(answer_text(&answer, "distributionResults.1.state"), "REJECTED");
    assert_string_equal(answer_text(&answer, "distributionResults.1.reason"), "CHANNEL_REJECTED");
    assert_null(answer_at(&answer, "distributionResults.1.accepted"));
    assert_string_equal(answer_text(&answer, "distributionResults.2.state"), "PUBLISHED");
    answer_clear(&answer);
    assert_posted_once(id, 2);
}

static void test_publish_with_a_slow_channel_does_not_delay_the_others(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1500}");
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    answer_clear(&answer);
    json_t *posts = stack_posts(stack, id);
    assert_int_equal(json_array_size(posts), WEBHOOK_COUNT);
    long long slow_answered = 0, last_other = 0;
    for (size_t i = 0; i < WEBHOOK_COUNT; i++) {
        const json_t *post = json_array_get(posts, i);
        long long answered = member_ms(post, "answered_ms");
        if (strcmp(json_string_value(json_object_get(post, "channel")), "GENIE_TV") == 0) {
            slow_answered = answered;
        } else {
            last_other = answered > last_other ? answered : last_other;
        }
    }
    assert_true(last_other < slow_answered);
    json_decref(posts);
}

static void test_publish_refused_by_all_stays_approved_and_resumes(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"fail\",\"status\":503}");
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"reject\"}");
    struct answer answer =
        stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\",\"GENIE_TV\"");
    assert_string_equal(answer_text(&answer, "status"), "APPROVED");
    assert_string_equal(answer_text(&answer, "distributionResults.0.reason"), "CHANNEL_UNAVAILABLE");
    assert_string_equal(answer_text(&answer, "distributionResults.1.reason"), "CHANNEL_REJECTED");
    answer_clear(&answer);
    stack_sql_is(stack, "APPROVED", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    assert_posted_once(id, 0);

    answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"WOORIDONGNE_TV\"");
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "CHANNELS_FIXED");
    calm_channels(NULL);
    answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", "{\"eventId\":\"%s\"}", id);
    assert_int_equal(json_integer_value(answer_at(&answer, "retried")), 2);
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\",\"GENIE_TV\"");
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_string_equal(answer_text(&answer, "distributionResults.0.state"), "PUBLISHED");
    assert_string_equal(answer_text(&answer, "distributionResults.1.state"), "PUBLISHED");
    answer_clear(&answer);
    assert_posted_once(id, 2);
    json_t *created = stack_records(stack, "HERALD_KAFKA_EVENT_TOPIC", id, 1);
    assert_int_equal(json_array_size(created), 1);
    json_decref(created);
}

static void test_publish_transient_failure_is_tried_again(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"fail\",\"status\":503,\"count\":1}");
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\"");
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_int_equal(json_integer_value(answer_at(&answer, "distributionResults.0.attempts")), 2);
    answer_clear(&answer);
    assert_posted_once(id, 1);
    answer = stack_call_ok(stack, "herald.distribution.v1.DistributionService/GetDistribution",
                           "{\"eventId\":\"%s\",\"userId\":\"%s\",\"withAttempts\":true}", id, user);
    assert_int_equal(json_array_size(answer_at(&answer, "attempts")), 2);
    answer_clear(&answer);
}

/* A webhook cannot be asked: whatever became of the post, it is not sent again. */
static void test_publish_unanswered_post_is_unknown_and_never_repeated(void **state) {
    (void)state;
    const char *const behaviours[] = {
        "{\"mode\":\"hang\",\"count\":1}", /* accepted */
        "{\"mode\":\"drop\",\"count\":1}", /* not accepted */
        "{\"mode\":\"slow\",\"delayMs\":4000,\"count\":1}",
    };
    for (size_t i = 0; i < 3; i++) {
        char user[64], id[37];
        fresh_user(user);
        make_ready_draft(stack, user, id);
        stack_channel_behaves(stack, "RINGO_BIZ", behaviours[i]);
        struct answer answer =
            stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\",\"GENIE_TV\"");
        assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
        assert_string_equal(answer_text(&answer, "distributionResults.0.state"), "OUTCOME_UNKNOWN");
        assert_string_equal(answer_text(&answer, "distributionResults.0.outlook"), "NEEDS_PERSON");
        assert_string_equal(answer_text(&answer, "distributionResults.1.state"), "PUBLISHED");
        answer_clear(&answer);
        json_t *posts = stack_posts(stack, id);
        assert_true(json_array_size(posts) <= 2);
        json_decref(posts);
        stack_sql_is(stack, "1", "SELECT attempts FROM deliveries WHERE event_id = '%s' AND channel = 'RINGO_BIZ'", id);
    }
}

/* The caller learns that nothing was tried, and why; the event is finished soon; many such callers leave the breaker
 * closed. */
static void test_publish_with_too_little_time_is_a_time_out_and_finished_soon(void **state) {
    (void)state;
    char user[64], id[37], other[37], key[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    make_ready_draft(stack, user, other);
    herald_uuid7(key);
    const struct herald_call_options hasty = {.timeout_ms = 300, .idempotency_key = key},
                                     patient = {.idempotency_key = key};
    struct answer answer = stack_call_with(stack, &hasty, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\"");
    assert_int_equal(answer.code, HERALD_OK);
    assert_string_equal(answer_text(&answer, "status"), "APPROVED");
    assert_string_equal(answer_text(&answer, "reason"), "DISTRIBUTION_TIMEOUT");
    assert_true(json_is_true(answer_at(&answer, "goesOn")));
    answer_clear(&answer);
    for (int i = 0; i < 40; i++) {
        answer = stack_call_with(stack, &hasty, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\"");
        answer_clear(&answer);
    }
    answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, other, user, "\"RINGO_BIZ\"");
    assert_string_not_equal(answer_text(&answer, "reason"), "BREAKER_OPEN");
    answer_clear(&answer);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", other);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    answer = stack_call_with(stack, &patient, EVENTS "PublishEvent", PUBLISH_TO, id, user, "\"RINGO_BIZ\"");
    assert_int_equal(answer.code, HERALD_OK);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_string_equal(answer_text(&answer, "distributionResults.0.state"), "PUBLISHED");
    answer_clear(&answer);
    assert_posted_once(id, 1);
}

static void test_end_event_only_when_active(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer =
        stack_call(stack, EVENTS "EndEvent", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}", id, user);
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "WRONG_STATE");
    answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "1");
    answer_clear(&answer);
    answer = stack_call(stack, EVENTS "DeleteEvent", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}", id, user);
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    for (int i = 0; i < 2; i++) {
        answer = stack_call_ok(stack, EVENTS "EndEvent", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}", id, user);
        assert_string_equal(answer_text(&answer, "event.status"), "ENDED");
        answer_clear(&answer);
    }
    answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH_TO, id, user, "1");
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, calm_channels)
    const struct CMUnitTest tests[] = {
        TEST(test_publish_ready_draft_reaches_all_channels_and_leaves_its_record),
        TEST(test_publish_records_follow_cloudevents_and_come_once),
        TEST(test_publish_of_another_user_is_not_found_like_one_that_does_not_exist),
        TEST(test_publish_not_ready_lists_all_that_is_missing),
        TEST(test_publish_unknown_channel_is_refused_by_name),
        TEST(test_publish_again_returns_the_stored_result),
        TEST(test_publish_raced_by_many_callers_happens_once),
        TEST(test_publish_with_one_refusing_channel_is_active_with_its_reason),
        TEST(test_publish_with_a_slow_channel_does_not_delay_the_others),
        TEST(test_publish_refused_by_all_stays_approved_and_resumes),
        TEST(test_publish_transient_failure_is_tried_again),
        TEST(test_publish_unanswered_post_is_unknown_and_never_repeated),
        TEST(test_publish_with_too_little_time_is_a_time_out_and_finished_soon),
        TEST(test_end_event_only_when_active),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
