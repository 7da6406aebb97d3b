/* A publication is finished or says why, whichever program dies in the middle; and no channel is posted twice. */
#include "stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PUBLISH "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":" WEBHOOK_CHANNELS "}"

STACK_FIXTURE

/* The number of records of a topic about an event, but for those of progress; all of them have one id. */
static size_t count_told(const char *topic, const char *id) {
    json_t *records = stack_records(stack, topic, id, 1);
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *headers = json_object_get(json_array_get(records, i), "headers");
        const char *ce_id = json_string_value(json_object_get(headers, "ce_id"));
        if (!strstr(json_string_value(json_object_get(headers, "ce_type")), "Progressed")) {
            first = first ? first : ce_id;
            assert_string_equal(ce_id, first);
            count++;
        }
    }
    json_decref(records);
    return count;
}

/* EventCreated and DistributionCompleted are told, each under one id. */
static void assert_told_once(const char *id) {
    long long deadline_ms = now_ms() + 30000;
    while (count_told("HERALD_KAFKA_EVENT_TOPIC", id) == 0 || count_told("HERALD_KAFKA_DISTRIBUTION_TOPIC", id) == 0) {
        assert_true(wait_again(deadline_ms));
    }
}

/* One accepted post for each channel, and each record once. */
static void assert_published_once(const char *id) {
    json_t *posts = stack_posts(stack, id);
    assert_int_equal(json_array_size(posts), WEBHOOK_COUNT);
    json_decref(posts);
    assert_told_once(id);
}

/* The publish is accepted and goes on: the same reply whatever kept it from ending. Clears it. */
static void assert_goes_on(struct answer *answer, const char *id, const char *reason) {
    assert_string_equal(answer_text(answer, "eventId"), id);
    assert_string_equal(answer_text(answer, "status"), "APPROVED");
    assert_true(json_is_true(answer_at(answer, "goesOn")));
    assert_true(json_integer_value(answer_at(answer, "lookAgainMs")) > 0);
    assert_int_equal(json_array_size(answer_at(answer, "distributionResults")), 0);
    assert_string_equal(answer_text(answer, "reason"), reason);
    assert_non_null(strstr(answer_text(answer, "message"), "will be finished in the background"));
    answer_clear(answer);
}

struct publisher {
    pthread_t thread;
    char user[64], id[37];
    struct answer answer;
};

static void *publish(void *arg) {
    struct publisher *publisher = arg;
    publisher->answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH, publisher->id, publisher->user);
    return NULL;
}

static void publish_in_background(struct publisher *publisher) {
    fresh_user(publisher->user);
    make_ready_draft(stack, publisher->user, publisher->id);
    assert_int_equal(pthread_create(&publisher->thread, NULL, publish, publisher), 0);
}

static void test_distribution_away_event_stays_approved_and_is_reconciled(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_goes_on(&answer, id, "DISTRIBUTION_UNAVAILABLE");
    stack_sql_is(stack, "APPROVED", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    json_t *posts = stack_posts(stack, id);
    assert_int_equal(json_array_size(posts), 0);
    json_decref(posts);
    stack_run(stack, STACK_DISTRIBUTION);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    assert_published_once(id);
    answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_int_equal(json_array_size(answer_at(&answer, "distributionResults")), WEBHOOK_COUNT);
    answer_clear(&answer);
}

static void test_distribution_away_for_long_opens_the_breaker(void **state) {
    (void)state;
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    bool opened = false;
    long long deadline_ms = now_ms() + 60000;
    while (!opened && now_ms() < deadline_ms) {
        struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user);
        opened = strcmp(answer_text(&answer, "reason"), "BREAKER_OPEN") == 0;
        assert_goes_on(&answer, id, opened ? "BREAKER_OPEN" : "DISTRIBUTION_UNAVAILABLE");
    }
    assert_true(opened);
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    assert_published_once(id);
}

static void test_event_killed_while_channels_are_posted_event_is_finished_once(void **state) {
    (void)state;
    struct publisher publisher = {0};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1200,\"count\":1}");
    publish_in_background(&publisher);
    stack_sql_becomes(stack, "t", "SELECT count(*) > 0 FROM deliveries WHERE event_id = '%s'", publisher.id);
    stack_kill(stack, STACK_EVENT, SIGKILL);
    pthread_join(publisher.thread, NULL);
    assert_int_equal(publisher.answer.code, HERALD_UNAVAILABLE);
    assert_int_equal(publisher.answer.outcome, HERALD_MAYBE_EXECUTED);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", publisher.id);
    assert_published_once(publisher.id);
}

static void test_distribution_killed_while_channels_are_posted_no_channel_is_posted_twice(void **state) {
    (void)state;
    struct publisher publisher = {0};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1200,\"count\":1}");
    publish_in_background(&publisher);
    stack_sql_becomes(stack, "2", "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND state = 'PUBLISHED'",
                      publisher.id);
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    pthread_join(publisher.thread, NULL);
    assert_int_equal(publisher.answer.code, HERALD_OK);
    assert_goes_on(&publisher.answer, publisher.id, "DISTRIBUTION_UNAVAILABLE");
    stack_run(stack, STACK_DISTRIBUTION);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", publisher.id);
    stack_sql_becomes(stack, "OUTCOME_UNKNOWN",
                      "SELECT state FROM deliveries WHERE event_id = '%s' AND channel = 'GENIE_TV' AND settled",
                      publisher.id);
    json_t *posts = stack_posts(stack, publisher.id);
    assert_true(json_array_size(posts) <= WEBHOOK_COUNT);
    json_decref(posts);
    assert_told_once(publisher.id);
}

static void test_worker_and_job_server_killed_job_is_completed(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                                         "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":"
                                         "{\"recommendationId\":\"r\",\"title\":\"t\"}}",
                                         id, user);
    answer_clear(&answer);
    answer =
        stack_call_ok(stack, EVENTS "RequestImageGeneration", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}", id, user);
    char job_id[37];
    snprintf(job_id, sizeof(job_id), "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
    stack_kill(stack, STACK_JOB, SIGKILL);
    stack_kill(stack, STACK_CONTENT, SIGKILL);
    stack_run(stack, STACK_CONTENT);
    stack_run(stack, STACK_JOB);
    stack_sql_becomes(stack, "COMPLETED", "SELECT status FROM jobs WHERE id = '%s'", job_id);
    stack_sql_is(stack, "3", "SELECT count(*) FROM job_pictures WHERE job_id = '%s'", job_id);
}

static void test_distribution_hanging_publish_ends_at_its_budget(void **state) {
    (void)state;
    stack_kill(stack, STACK_EVENT, SIGTERM);
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    stack_set(stack, "HERALD_PUBLISH_TIMEOUT_MS=2000");   /* of 70 s */
    stack_set(stack, "HERALD_CHANNELS_TIMEOUT_MS=20000"); /* a post that waits for the stopped server is not given up */
    stack_run(stack, STACK_DISTRIBUTION);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_EVENT);
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_signal(stack, STACK_DISTRIBUTION, SIGSTOP);
    struct answer answer = stack_call(stack, EVENTS "PublishEvent", PUBLISH, id, user);
    stack_signal(stack, STACK_DISTRIBUTION, SIGCONT);
    assert_int_equal(answer.code, HERALD_OK);
    assert_goes_on(&answer, id, "DISTRIBUTION_TIMEOUT");
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    assert_published_once(id);
}

static void test_bad_settings_stop_the_server_with_the_reason(void **state) {
    (void)state;
    char command[4096], output[4096] = "";
    snprintf(command, sizeof(command),
             "HERALD_RPC_LOOPS=many HERALD_CHANNELS_SECRET=short '%s/herald-distribution' 2>&1; echo \"status $?\"",
             getenv("HERALD_BIN"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(output, 1, sizeof(output) - 1, pipe);
    output[bytes] = '\0';
    pclose(pipe);
    assert_non_null(strstr(output, "HERALD_RPC_LOOPS"));
    assert_non_null(strstr(output, "status 1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution_away_event_stays_approved_and_is_reconciled),
        cmocka_unit_test(test_distribution_away_for_long_opens_the_breaker),
        cmocka_unit_test(test_event_killed_while_channels_are_posted_event_is_finished_once),
        cmocka_unit_test(test_distribution_killed_while_channels_are_posted_no_channel_is_posted_twice),
        cmocka_unit_test(test_worker_and_job_server_killed_job_is_completed),
        cmocka_unit_test(test_distribution_hanging_publish_ends_at_its_budget),
        cmocka_unit_test(test_bad_settings_stop_the_server_with_the_reason),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
