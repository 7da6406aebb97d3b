/* Deliveries whose servers die, hang or lose their database: none is lost, none is posted twice, each unknown is listed. */
#include "deliveries.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONTROL   "{\"channel\":\"%s\",\"action\":\"%s\"}"
#define FAILPOINT "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}"
#define SET_POINT "herald.rpc.v1.Introspection/SetFailpoint"

static struct stack *stack;

static int start(void **state) {
    (void)state;
    stack = stack_start(
        (const char *const[]){"HERALD_CHANNELS_BACKOFF_MIN_MS=50", "HERALD_CHANNELS_BACKOFF_MAX_MS=400",
                              "HERALD_CHANNELS_POLL_MS=50", "HERALD_CHANNELS_REPORT_MS=100",
                              "HERALD_CHANNELS_BREAKER_WINDOW_CALLS=1000", "HERALD_CHANNELS_BREAKER_MINIMUM_CALLS=1000",
                              "HERALD_CHANNELS_KEEP_TRYING_S=3600", "HERALD_CLAIMS_LEASE_MS=2000", NULL});
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

static int calm(void **state) {
    (void)state;
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\",\"delayMs\":0}");
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"ok\",\"delayMs\":0}");
    return 0;
}

static void run_and_wait(void) {
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
}

/* Waits until no delivery is on its way or due. */
static void wait_settled(const char *event_id) {
    stack_sql_becomes(stack, "0", "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND NOT settled", event_id);
}

/* ---- restarts ---- */

static void test_restart_keeps_what_waits_and_the_times_that_channels_said(void **state) {
    (void)state;
    const char *base = stack_setting(stack, "HERALD_CHANNELS_URL");
    char throttled[37], unreachable[37];
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    stack_set(stack, "HERALD_WOORIDONGNE_TV_URL=https%s/channels/WOORIDONGNE_TV/posts", base + strlen("http"));
    run_and_wait();
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":4,\"count\":1}");
    stack_channel_behaves(
        stack, "RINGO_BIZ",
        "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":5,\"retryAfterForm\":\"date\",\"count\":1}");
    struct answer answer = distribute_new(stack, "\"GENIE_TV\",\"RINGO_BIZ\"", throttled);
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_THROTTLED");
    assert_string_equal(answer_text(&answer, "results.1.outlook"), "GOES_ON");
    answer_clear(&answer);
    answer = distribute_briefly(stack, "\"WOORIDONGNE_TV\"", unreachable);
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_UNREACHABLE"); /* no TLS there */
    assert_string_equal(answer_text(&answer, "results.0.outlook"), "GOES_ON");
    answer_clear(&answer);
    stack_sql_is(stack, "t",
                 "SELECT expires_at > now() + interval '59 min' AND expires_at < now() + interval '1 h' "
                 "FROM deliveries WHERE event_id = '%s'",
                 unreachable);
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    stack_set(stack, "HERALD_WOORIDONGNE_TV_URL=");
    run_and_wait();
    delivery_becomes(stack, unreachable, "WOORIDONGNE_TV", "PUBLISHED");
    delivery_becomes(stack, throttled, "GENIE_TV", "PUBLISHED");
    delivery_becomes(stack, throttled, "RINGO_BIZ", "PUBLISHED");
    stack_sql_is(stack, "t",
                 "SELECT bool_and(deliveries.started_at - first.finished_at >= interval '3.9 s') "
                 "FROM deliveries JOIN delivery_attempts AS first USING (event_id, channel) "
                 "WHERE event_id = '%s' AND first.attempt = 1 AND attempts = 2",
                 throttled);
    assert_posts(stack, unreachable, "WOORIDONGNE_TV", 1);
    assert_posts(stack, throttled, "GENIE_TV", 1);
    assert_posts(stack, throttled, "RINGO_BIZ", 1);
}

static void test_server_ends_while_posts_are_on_their_way_their_answers_are_kept(void **state) {
    (void)state;
    char waiting[37];
    struct caller caller = {0};
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"slow\",\"delayMs\":1200,\"count\":2}");
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "ControlChannel", CONTROL, "RINGO_BIZ", "PAUSE");
    answer_clear(&answer);
    answer = distribute_new(stack, "\"RINGO_BIZ\"", waiting); /* no call waits for it later */
    answer_clear(&answer);
    answer = stack_call_ok(stack, DISTRIBUTION "ControlChannel", CONTROL, "RINGO_BIZ", "RESUME");
    answer_clear(&answer);
    delivery_becomes(stack, waiting, "RINGO_BIZ", "COMMITTING");
    caller_start(&caller, stack, "\"RINGO_BIZ\"");
    delivery_becomes(stack, caller.id, "RINGO_BIZ", "COMMITTING");
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    caller_join(&caller);
    assert_int_equal(caller.answer.code, HERALD_OK);
    assert_string_equal(answer_text(&caller.answer, "results.0.state"), "PUBLISHED");
    answer_clear(&caller.answer);
    stack_sql_is(stack, "PUBLISHED", "SELECT state FROM deliveries WHERE event_id = '%s'", waiting);
    run_and_wait();
    assert_posts(stack, waiting, "RINGO_BIZ", 1);
    assert_posts(stack, caller.id, "RINGO_BIZ", 1);
}

/* ---- kills ---- */

static void test_server_killed_while_posts_hang_each_is_listed_and_posted_once(void **state) {
    (void)state;
    enum { CALLERS = 10 };
    struct caller callers[CALLERS] = {0};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"hang\",\"delayMs\":0}");
    for (size_t i = 0; i < CALLERS; i++) {
        caller_start(&callers[i], stack, "\"GENIE_TV\",\"RINGO_BIZ\"");
    }
    for (size_t i = 0; i < CALLERS; i++) {
        delivery_becomes(stack, callers[i].id, "RINGO_BIZ", "PUBLISHED");
    }
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    calm(NULL);
    stack_run(stack, STACK_DISTRIBUTION);
    for (size_t i = 0; i < CALLERS; i++) {
        caller_join(&callers[i]);
        assert_int_not_equal(callers[i].answer.code, HERALD_OK);
        wait_settled(callers[i].id);
        delivery_becomes(stack, callers[i].id, "GENIE_TV", "OUTCOME_UNKNOWN");
        assert_posts(stack, callers[i].id, "RINGO_BIZ", 1);
        assert_posts(stack, callers[i].id, "GENIE_TV", 1);
    }
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    assert_listed(stack, callers[0].id, "GENIE_TV", true);
    assert_listed(stack, callers[CALLERS - 1].id, "GENIE_TV", true);
    assert_int_equal(count_records(stack, callers[0].id, "DistributionCompleted", 1), 1);
}

/* Kills the server at a failpoint of a delivery to GENIE_TV, and starts it again. */
static void kill_at(const char *point, char ret_id[37]) {
    struct answer answer = stack_call_at(stack, STACK_DISTRIBUTION, SET_POINT, FAILPOINT, point, "1*kill");
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
    fresh_event(ret_id);
    answer = stack_call(stack, DISTRIBUTION "Distribute", DISTRIBUTE, ret_id, "\"GENIE_TV\"", "");
    assert_int_equal(answer.code, HERALD_UNAVAILABLE);
    assert_int_equal(answer.outcome, HERALD_MAYBE_EXECUTED);
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL); /* it has ended; takes its status */
    run_and_wait();
}

static void test_server_killed_before_a_post_it_is_listed_not_sent(void **state) {
    (void)state;
    char id[37];
    kill_at("distribution.before_post", id);
    delivery_becomes(stack, id, "GENIE_TV", "OUTCOME_UNKNOWN");
    assert_listed(stack, id, "GENIE_TV", true);
    assert_posts(stack, id, "GENIE_TV", 0);
    struct answer answer =
        stack_call_ok(stack, DISTRIBUTION "ResolveDelivery",
                      "{\"eventId\":\"%s\",\"channel\":\"GENIE_TV\",\"resolution\":\"SEND_AGAIN\"}", id);
    answer_clear(&answer);
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    assert_posts(stack, id, "GENIE_TV", 1);
}

static void test_server_killed_after_a_post_it_is_listed_and_posted_once(void **state) {
    (void)state;
    char id[37];
    kill_at("distribution.after_post", id);
    delivery_becomes(stack, id, "GENIE_TV", "OUTCOME_UNKNOWN");
    assert_listed(stack, id, "GENIE_TV", true);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\"", "");
    assert_string_equal(answer_text(&answer, "results.0.state"), "OUTCOME_UNKNOWN");
    answer_clear(&answer);
    assert_posts(stack, id, "GENIE_TV", 1);
}

/* ---- two servers ---- */

static bool second_server_says(const char *channel, const char *member, const char *expected) {
    struct answer answer = stack_call_at(stack, STACK_DISTRIBUTION_2, DISTRIBUTION "ListChannels", "{}");
    assert_int_equal(answer.code, HERALD_OK);
    const json_t *channels = answer_at(&answer, "channels");
    bool says = false;
    for (size_t i = 0; i < json_array_size(channels); i++) {
        const json_t *info = json_array_get(channels, i);
        const char *text = json_string_value(json_object_get(info, member));
        if (strcmp(json_string_value(json_object_get(info, "channel")), channel) == 0) {
            says = strcmp(text ? text : "", expected) == 0;
        }
    }
    answer_clear(&answer);
    return says;
}

/* Does something to a channel at the first server, and waits until the second one shows it. */
static void control_both(const char *action, const char *member, const char *expected) {
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "ControlChannel", CONTROL, "GENIE_TV", action);
    answer_clear(&answer);
    long long deadline_ms = now_ms() + 20000;
    while (!second_server_says("GENIE_TV", member, expected)) {
        assert_true(wait_again(deadline_ms));
    }
}

static void test_two_servers_follow_what_an_operator_does(void **state) {
    (void)state;
    control_both("PAUSE", "pause", "PAUSED_BY_OPERATOR");
    char id[37];
    fresh_event(id);
    struct answer answer =
        stack_call_at(stack, STACK_DISTRIBUTION_2, DISTRIBUTION "Distribute", DISTRIBUTE, id, "\"GENIE_TV\"", "");
    assert_string_equal(answer_text(&answer, "results.0.reason"), "CHANNEL_PAUSED");
    answer_clear(&answer);
    control_both("RESUME", "pause", "");
    delivery_becomes(stack, id, "GENIE_TV", "PUBLISHED");
    control_both("BREAKER_FORCE_OPEN", "breakerState", "FORCED_OPEN");
    control_both("BREAKER_DISABLE", "breakerState", "DISABLED");
    control_both("BREAKER_AUTOMATIC", "breakerState", "CLOSED");
}

struct waiter {
    pthread_t thread;
    char id[37];
    struct answer answer;
};

static void *wait_at_second(void *arg) {
    struct waiter *waiter = arg;
    waiter->answer = stack_call_at(stack, STACK_DISTRIBUTION_2, DISTRIBUTION "WaitDistribution",
                                   "{\"eventId\":\"%s\",\"afterVersion\":\"1\",\"waitMs\":25000}", waiter->id);
    return NULL;
}

static void test_waiter_wakes_by_a_change_of_another_server(void **state) {
    (void)state;
    struct waiter waiter = {0};
    fresh_event(waiter.id);
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, waiter.id, "\"GENIE_TV\"",
                                         ",\"scheduledAt\":\"2099-01-01T00:00:00Z\"");
    answer_clear(&answer);
    long long began_ms = now_ms();
    assert_int_equal(pthread_create(&waiter.thread, NULL, wait_at_second, &waiter), 0);
    answer = stack_call_ok(stack, DISTRIBUTION "CancelDistribution", OF_EVENT, waiter.id);
    answer_clear(&answer);
    pthread_join(waiter.thread, NULL);
    assert_int_equal(waiter.answer.code, HERALD_OK);
    assert_string_equal(answer_text(&waiter.answer, "distribution.results.0.state"), "CANCELLED");
    assert_true(now_ms() - began_ms < 25000);
    answer_clear(&waiter.answer);
}

static void test_second_server_takes_over_what_the_first_one_left(void **state) {
    (void)state;
    enum { EVENTS_LEFT = 10 };
    char ready[EVENTS_LEFT][37];
    struct caller hanging = {0};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":429,\"retryAfterS\":2}");
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"hang\",\"delayMs\":0,\"count\":1}");
    for (size_t i = 0; i < EVENTS_LEFT; i++) {
        struct answer answer = distribute_briefly(stack, "\"GENIE_TV\"", ready[i]);
        assert_string_equal(answer_text(&answer, "results.0.outlook"), "GOES_ON");
        answer_clear(&answer);
    }
    caller_start(&hanging, stack, "\"RINGO_BIZ\"");
    delivery_becomes(stack, hanging.id, "RINGO_BIZ", "COMMITTING");
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    caller_join(&hanging);
    calm(NULL);
    for (size_t i = 0; i < EVENTS_LEFT; i++) {
        delivery_becomes(stack, ready[i], "GENIE_TV", "PUBLISHED");
        assert_posts(stack, ready[i], "GENIE_TV", 1);
    }
    delivery_becomes(stack, hanging.id, "RINGO_BIZ", "OUTCOME_UNKNOWN");
    run_and_wait();
    assert_listed(stack, hanging.id, "RINGO_BIZ", true);
    stack_kill(stack, STACK_DISTRIBUTION_2, SIGTERM);
}

static int run_second(void **state) {
    calm(state);
    stack_run(stack, STACK_DISTRIBUTION_2);
    stack_wait_serving(stack, STACK_DISTRIBUTION_2);
    return 0;
}

/* ---- the database ---- */

/* Ends all sessions of the servers. */
static void cut_database(void) {
    free(stack_sql(stack, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                          "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
}

/* Distributes the event of a call that failed, until it is done. */
static void repeat(struct caller *caller) {
    long long deadline_ms = now_ms() + 30000;
    while (caller->answer.code != HERALD_OK) {
        assert_true(wait_again(deadline_ms));
        answer_clear(&caller->answer);
        caller->answer = stack_call(stack, DISTRIBUTION "Distribute", DISTRIBUTE, caller->id, caller->channels, "");
    }
    answer_clear(&caller->answer);
}

static void test_database_lost_while_results_come_all_are_published_once(void **state) {
    (void)state;
    enum { CALLERS = 50 };
    static struct caller callers[CALLERS];
    char *before = stack_sql(stack, "SELECT count(*) FROM deliveries WHERE settled");
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\",\"latency\":{\"minMs\":10,\"maxMs\":600}}");
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"ok\",\"latency\":{\"minMs\":10,\"maxMs\":600}}");
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){0};
        caller_start(&callers[i], stack, "\"GENIE_TV\",\"RINGO_BIZ\"");
    }
    for (int i = 1; i <= 4; i++) { /* while some results are stored and others are not */
        stack_sql_becomes(stack, "t", "SELECT count(*) >= %s + %d FROM deliveries WHERE settled", before, 20 * i);
        cut_database();
    }
    free(before);
    for (size_t i = 0; i < CALLERS; i++) {
        caller_join(&callers[i]);
        repeat(&callers[i]);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        delivery_becomes(stack, callers[i].id, "GENIE_TV", "PUBLISHED");
        delivery_becomes(stack, callers[i].id, "RINGO_BIZ", "PUBLISHED");
        assert_posts(stack, callers[i].id, "GENIE_TV", 1);
        assert_posts(stack, callers[i].id, "RINGO_BIZ", 1);
    }
}

/* Waits until a channel has taken a post of the event. */
static void await_post(const char *event_id) {
    long long deadline_ms = now_ms() + 30000;
    for (bool taken = false; !taken;) {
        json_t *posts = stack_posts(stack, event_id);
        taken = json_array_size(posts) > 0;
        json_decref(posts);
        assert_true(taken || wait_again(deadline_ms));
    }
}

/* Releases the claim of a delivery, as who buries its process does, and waits until the process has taken it again. */
static void lose_claim(const char *event_id) {
    free(stack_sql(stack, "UPDATE deliveries SET holder = NULL, next_at = now() WHERE event_id = '%s' AND NOT settled",
                   event_id));
    stack_sql_becomes(stack, "RECONCILING", "SELECT state FROM deliveries WHERE event_id = '%s' AND holder IS NOT NULL",
                      event_id);
}

/* Asserts that the outcome was never told to be unknown, as the post's own drive knew it, or was about to. */
static void assert_never_unknown(const char *event_id) {
    stack_sql_is(stack, "0", "SELECT count(*) FROM delivery_steps WHERE event_id = '%s' AND state = 'OUTCOME_UNKNOWN'",
                 event_id);
}

/* The writer has tried again several times, each time with all that waits. */
static void await_tries(void) {
    char *before = stack_sql(stack, "SELECT last_value FROM refused");
    stack_sql_becomes(stack, "t", "SELECT last_value >= %s + 3 FROM refused", before);
    free(before);
}

static void test_claim_lost_while_a_result_is_not_stored_the_result_stands(void **state) {
    (void)state;
    struct caller caller = {0};
    fresh_event(caller.id);
    free(stack_sql(
        stack,
        "CREATE SEQUENCE refused; "
        "CREATE FUNCTION refuse_result() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN PERFORM nextval('refused'); RAISE EXCEPTION 'no lock in time' USING ERRCODE = '55P03'; END $$; "
        "CREATE TRIGGER refuse_result BEFORE UPDATE ON deliveries FOR EACH ROW "
        "WHEN (NEW.event_id = '%s' AND NEW.settled) EXECUTE FUNCTION refuse_result()",
        caller.id));
    caller_start(&caller, stack, "\"GENIE_TV\"");
    await_post(caller.id);
    await_tries();
    lose_claim(caller.id);
    await_tries();
    free(stack_sql(stack,
                   "DROP TRIGGER refuse_result ON deliveries; DROP FUNCTION refuse_result; DROP SEQUENCE refused"));
    delivery_becomes(stack, caller.id, "GENIE_TV", "PUBLISHED");
    caller_join(&caller);
    answer_clear(&caller.answer);
    assert_posts(stack, caller.id, "GENIE_TV", 1);
    assert_never_unknown(caller.id);
}

static void test_claim_lost_while_a_post_is_on_its_way_its_answer_is_awaited(void **state) {
    (void)state;
    struct caller caller = {0};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\",\"latency\":{\"minMs\":1500,\"maxMs\":1500}}");
    caller_start(&caller, stack, "\"GENIE_TV\"");
    stack_sql_becomes(stack, "COMMITTING", "SELECT state FROM deliveries WHERE event_id = '%s'", caller.id);
    lose_claim(caller.id);
    delivery_becomes(stack, caller.id, "GENIE_TV", "PUBLISHED");
    caller_join(&caller);
    answer_clear(&caller.answer);
    assert_posts(stack, caller.id, "GENIE_TV", 1);
    assert_never_unknown(caller.id);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, calm, calm)
    const struct CMUnitTest tests[] = {
        TEST(test_restart_keeps_what_waits_and_the_times_that_channels_said),
        TEST(test_server_ends_while_posts_are_on_their_way_their_answers_are_kept),
        TEST(test_server_killed_while_posts_hang_each_is_listed_and_posted_once),
        TEST(test_server_killed_before_a_post_it_is_listed_not_sent),
        TEST(test_server_killed_after_a_post_it_is_listed_and_posted_once),
        TEST(test_database_lost_while_results_come_all_are_published_once),
        TEST(test_claim_lost_while_a_result_is_not_stored_the_result_stands),
        TEST(test_claim_lost_while_a_post_is_on_its_way_its_answer_is_awaited),
        cmocka_unit_test_setup_teardown(test_two_servers_follow_what_an_operator_does, run_second, calm),
        TEST(test_waiter_wakes_by_a_change_of_another_server),
        TEST(test_second_server_takes_over_what_the_first_one_left),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
