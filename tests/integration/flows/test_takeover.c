/*
 * What a server leaves when it is killed another one of its kind finishes at once, long before the lease of the dead is
 * over. What a server left that stood still, and has a lease again, it does not send.
 */
#include "deliveries.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FAILPOINT   "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}"
#define SET_POINT   "herald.rpc.v1.Introspection/SetFailpoint"
#define PUBLISH     "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"GENIE_TV\",\"RINGO_BIZ\"]}"
#define TAKEOVER_MS 10000 /* the lease lasts a minute */

static struct stack *stack;

static int start_with_lease(const char *lease) {
    stack =
        stack_start((const char *const[]){lease, "HERALD_CHANNELS_BACKOFF_MIN_MS=50", "HERALD_OUTBOX_LEASE_MS=600000",
                                          "HERALD_KAFKA_DELIVERY_TIMEOUT_MS=60000", NULL});
    stack_run(stack, STACK_EVENT_2);
    stack_run(stack, STACK_DISTRIBUTION_2);
    stack_wait_serving(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_DISTRIBUTION_2);
    return 0;
}

static int start_long(void **state) {
    (void)state;
    return start_with_lease("HERALD_CLAIMS_LEASE_MS=60000");
}

static int start_short(void **state) {
    (void)state;
    return start_with_lease("HERALD_CLAIMS_LEASE_MS=2000");
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

static void set_point(enum stack_program program, const char *point, const char *action) {
    struct answer answer = stack_call_at(stack, program, SET_POINT, FAILPOINT, point, action);
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
}

/* Asserts that the first cell becomes @expected within TAKEOVER_MS of @since_ms. */
static void becomes_soon(long long since_ms, const char *expected, const char *sql, const char *id) {
    bool equal = false;
    while (!equal) {
        char *value = stack_sql(stack, sql, id);
        equal = value && strcmp(value, expected) == 0;
        free(value);
        if (!equal && !wait_again(since_ms + TAKEOVER_MS)) {
            fail_msg("%s of %s did not become %s within %d ms", sql, id, expected, TAKEOVER_MS);
        }
    }
}

#define EVENT_STATUS "SELECT status FROM event_drafts WHERE id = '%s'"
#define STATE_OF(channel)                                                                                              \
    "SELECT state FROM deliveries WHERE event_id = '%s' AND channel = '" channel "' AND holder IS NULL"

struct publish {
    pthread_t thread;
    char id[37], user[64];
    struct answer answer;
};

static void *publish_body(void *arg) {
    struct publish *publish = arg;
    publish->answer = stack_call_at(stack, STACK_EVENT, EVENTS "PublishEvent", PUBLISH, publish->id, publish->user);
    return NULL;
}

/* Begins a distribution that stops at a point of the first server, its two deliveries claimed. */
static void distribute_until(struct caller *caller, const char *point, const char *action) {
    set_point(STACK_DISTRIBUTION, point, action);
    caller_start(caller, stack, "\"GENIE_TV\",\"KAKAO_CHANNEL\"");
    stack_sql_becomes(stack, "2", "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND state = 'COMMITTING'",
                      caller->id);
}

static void run_again(enum stack_program program) {
    stack_run(stack, program);
    stack_wait_serving(stack, program);
}

static void test_event_server_killed_its_events_are_published_long_before_its_lease_ends(void **state) {
    (void)state;
    struct publish publish = {0};
    fresh_user(publish.user);
    make_ready_draft(stack, publish.user, publish.id);
    set_point(STACK_EVENT, "event.after_approve", "1*delay(600000)");
    assert_int_equal(pthread_create(&publish.thread, NULL, publish_body, &publish), 0);
    stack_sql_becomes(stack, "APPROVED", EVENT_STATUS, publish.id);
    long long killed_ms = now_ms();
    stack_kill(stack, STACK_EVENT, SIGKILL);
    becomes_soon(killed_ms, "ACTIVE", EVENT_STATUS, publish.id);
    becomes_soon(killed_ms, "0", "SELECT count(*) FROM outbox WHERE key = '%s' AND topic LIKE 'event-%%'", publish.id);
    pthread_join(publish.thread, NULL);
    answer_clear(&publish.answer);
    assert_posts(stack, publish.id, "GENIE_TV", 1);
    assert_posts(stack, publish.id, "RINGO_BIZ", 1);
    json_t *records = stack_records(stack, "HERALD_KAFKA_EVENT_TOPIC", publish.id, 1);
    json_decref(records);
    run_again(STACK_EVENT);
}

static void test_distribution_server_killed_its_posts_are_taken_up_long_before_its_lease_ends(void **state) {
    (void)state;
    struct caller caller = {0};
    distribute_until(&caller, "distribution.before_post", "2*delay(600000)");
    long long killed_ms = now_ms();
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    becomes_soon(killed_ms, "PUBLISHED", STATE_OF("KAKAO_CHANNEL"), caller.id);
    becomes_soon(killed_ms, "OUTCOME_UNKNOWN", STATE_OF("GENIE_TV"), caller.id); /* it cannot be asked */
    caller_join(&caller);
    answer_clear(&caller.answer);
    assert_posts(stack, caller.id, "KAKAO_CHANNEL", 1);
    assert_posts(stack, caller.id, "GENIE_TV", 0);
    run_again(STACK_DISTRIBUTION);
}

static void test_server_that_stood_still_sends_nothing_that_others_took(void **state) {
    (void)state;
    struct caller caller = {0};
    distribute_until(&caller, "distribution.claimed", "1*delay(1500)");
    stack_signal(stack, STACK_DISTRIBUTION, SIGSTOP); /* its sessions stay open: the lease decides */
    delivery_becomes(stack, caller.id, "KAKAO_CHANNEL", "PUBLISHED");
    delivery_becomes(stack, caller.id, "GENIE_TV", "OUTCOME_UNKNOWN");
    stack_signal(stack, STACK_DISTRIBUTION, SIGCONT);
    caller_join(&caller);
    answer_clear(&caller.answer);
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM); /* all that it drives has ended */
    assert_posts(stack, caller.id, "KAKAO_CHANNEL", 1);
    assert_posts(stack, caller.id, "GENIE_TV", 0);
    stack_sql_is(stack, "2",
                 "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND settled AND "
                 "state IN ('PUBLISHED', 'OUTCOME_UNKNOWN')",
                 caller.id);
    run_again(STACK_DISTRIBUTION);
}

int main(void) {
    const struct CMUnitTest long_lease[] = {
        cmocka_unit_test(test_event_server_killed_its_events_are_published_long_before_its_lease_ends),
        cmocka_unit_test(test_distribution_server_killed_its_posts_are_taken_up_long_before_its_lease_ends),
    };
    const struct CMUnitTest short_lease[] = {
        cmocka_unit_test(test_server_that_stood_still_sends_nothing_that_others_took),
    };
    int failed = cmocka_run_group_tests(long_lease, start_long, stop);
    return failed + cmocka_run_group_tests(short_lease, start_short, stop);
}
