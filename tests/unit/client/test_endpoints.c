#include "client/src/call.h"
#include "herald/job/v1/job.client.h"
#include "tests/support/loopback.h"
#include "tests/unit/client/script.h"

#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Channels to several endpoints, retries, cancel messages, names: against peers of the test's own. */

static void fail_with(struct script *script, int times, enum herald_code code, const char *reason) {
    script->code = (int)code;
    script->reason = reason;
    atomic_store(&script->action, PEER_REPLY);
    atomic_store(&script->fails, times);
}

static void stay_silent(struct script *script) {
    atomic_store(&script->action, PEER_SILENT);
    atomic_store(&script->fails, -1);
}

/* Waits, at most 20 s, for what @holds says of a channel; it is asked with the channel's mutex held. */
static void await(struct herald_channel *channel, bool (*holds)(const struct herald_channel *channel)) {
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&channel->mutex);
        bool held = holds(channel);
        pthread_mutex_unlock(&channel->mutex);
        if (held) {
            return;
        }
        nng_msleep(1);
    }
    fail_msg("waited for 20 s");
}

static bool all_connected(const struct herald_channel *channel) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        if (!herald_endpoint_connected(channel->endpoints[i])) {
            return false;
        }
    }
    return channel->endpoint_count > 0;
}

/* A channel to two peers, both connected; health is asked for as the options say. */
static struct herald_channel *channel_to_two(struct script *a, struct script *b,
                                             const struct herald_channel_options *options) {
    char urls[400];
    snprintf(urls, sizeof(urls), "%s,%s", a->peer.url, b->peer.url);
    struct herald_channel *channel = channel_to(urls, options);
    await(channel, all_connected);
    return channel;
}

static void close_two(struct script *a, struct script *b, struct herald_channel *channel) {
    herald_channel_close(channel);
    script_close(a);
    script_close(b);
}

/* As script_serve(), connected: how long that takes is none of a short time-out's business. */
static struct script *serve_connected(const struct herald_channel_options *options,
                                      struct herald_channel **ret_channel) {
    struct script *script = script_serve(options, ret_channel);
    await(*ret_channel, all_connected);
    return script;
}

struct ending {
    struct herald_reply reply;
    atomic_int count;
};

static void on_end(void *user, struct herald_reply *reply) {
    struct ending *ending = user;
    herald_reply_clear(reply);
    memcpy(&ending->reply, reply, sizeof(*reply));
    atomic_fetch_add(&ending->count, 1);
}

static struct herald_call *start_read(struct herald_channel *channel, const struct herald_call_options *options,
                                      struct ending *ending) {
    static const Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_call *call = NULL;
    assert_int_equal(herald_job_v1_job_service_get_job_start(channel, &request, options, on_end, ending, &call, NULL),
                     HERALD_OK);
    return call;
}

/* --- attempts that are cut short --- */

static const struct herald_channel_options hasty_attempts = {.retry.attempt_timeout_ms = 100};

static void test_read_whose_reply_is_lost_is_asked_again_within_the_deadline(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(&hasty_attempts, &channel);
    struct herald_reply reply;
    stay_silent(script);
    atomic_store(&script->fails, 1);
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_int_equal(reply.attempts, 2);
    const struct script_seen first = script_seen(script, 0), last = script_seen(script, 1);
    assert_string_equal(first.call_id, last.call_id);
    assert_true(last.timeout_ms < first.timeout_ms);
    assert_true(wait_for_count(&script->peer.cancels, 1)); /* the server need not go on with the first attempt */
    assert_int_equal(script->peer.cancelled, first.ticket);
    assert_false(script->peer.late);
    script_end(script, channel);
}

/* How many attempts of a call a peer saw, of those that it keeps. */
static uint32_t attempts_at(struct script *script, const char *call_id, uint32_t ret_numbers[SCRIPT_SEEN_MOST]) {
    uint32_t count = 0;
    pthread_mutex_lock(&script->mutex);
    for (int i = 0; i < script->seen_count && i < SCRIPT_SEEN_MOST; i++) {
        if (strcmp(script->seen[i].call_id, call_id) == 0) {
            ret_numbers[count++] = script->seen[i].number;
        }
    }
    pthread_mutex_unlock(&script->mutex);
    return count;
}

/*
 * One of two servers accepts reads and never answers them: each read is answered by the other, to which it moves at once.
 * Where processors are short, that one may need longer than an attempt has: then the read comes back to it, with more time.
 */
static void test_read_at_a_frozen_server_moves_to_another(void **state) {
    (void)state;
    enum { READS = 20 };
    struct script *frozen = script_open(NULL), *well = script_open(NULL);
    const struct herald_channel_options options = {.retry = {.attempt_timeout_ms = 100, .max_attempts = 16},
                                                   .health_check_ms = UINT32_MAX};
    const struct herald_call_options patient = {.timeout_ms = 100000};
    uint32_t frozen_numbers[SCRIPT_SEEN_MOST], well_numbers[SCRIPT_SEEN_MOST];
    stay_silent(frozen);
    struct herald_channel *channel = channel_to_two(frozen, well, &options);
    for (int i = 0; i < READS; i++) {
        struct herald_reply reply;
        assert_int_equal(call_read(channel, &patient, &reply), HERALD_OK);
        assert_string_equal(reply.url, well->peer.url);
        uint32_t of_frozen = attempts_at(frozen, reply.call_id, frozen_numbers);
        uint32_t of_well = attempts_at(well, reply.call_id, well_numbers);
        for (uint32_t j = 1; j < of_frozen; j++) { /* it was elsewhere between two attempts here */
            assert_true(frozen_numbers[j] >= frozen_numbers[j - 1] + 2);
        }
        assert_true(of_frozen <= of_well);
    }
    assert_true(atomic_load(&frozen->peer.received) >= 1);
    close_two(frozen, well, channel);
}

static void test_call_that_may_not_be_repeated_is_not_cut_short(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = serve_connected(&hasty_attempts, &channel);
    const struct herald_call_options options = {.timeout_ms = 500};
    struct herald_reply reply;
    stay_silent(script);
    assert_int_equal(call_once(channel, &options, &reply), HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    assert_int_equal(reply.attempts, 1);
    script_end(script, channel);
}

/* Where a channel has spent its retries, an attempt waits as long as its call: a server that is slow is not asked more. */
static void test_read_is_not_cut_short_without_budget(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = serve_connected(&hasty_attempts, &channel);
    const struct herald_call_options options = {.timeout_ms = 400};
    struct herald_reply reply;
    stay_silent(script);
    while (herald_pool_admit_retry(channel))
        ;
    assert_int_equal(call_read(channel, &options, &reply), HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(reply.attempts, 1);
    script_end(script, channel);
}

/* --- retries --- */

static void test_retry_read_after_lost_connection_succeeds(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct herald_reply reply;
    atomic_store(&script->hang_ups, 2);
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_int_equal(reply.attempts, 3);
    assert_string_equal(reply.url, script->peer.url);
    const struct script_seen first = script_seen(script, 0), last = script_seen(script, 2);
    assert_int_equal(first.number, 0);
    assert_int_equal(last.number, 2);
    assert_string_equal(first.call_id, reply.call_id);
    assert_string_equal(last.call_id, reply.call_id);
    assert_int_not_equal(first.ticket, last.ticket);
    assert_int_equal(first.payload_bytes, last.payload_bytes);
    assert_memory_equal(first.payload, last.payload, first.payload_bytes);
    assert_true(last.timeout_ms <= first.timeout_ms);
    script_end(script, channel);
}

static void test_retry_once_after_lost_connection_is_not_made(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct herald_reply reply;
    atomic_store(&script->hang_ups, 1);
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    assert_int_equal(reply.attempts, 1);
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(atomic_load(&script->peer.received), 2);
    script_end(script, channel);
}

static void test_retry_once_that_was_refused_keeps_key(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct herald_reply reply;
    fail_with(script, 2, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS");
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(reply.attempts, 3);
    const struct script_seen first = script_seen(script, 0), last = script_seen(script, 2);
    assert_true(herald_uuid_valid(first.key, strlen(first.key)));
    assert_string_equal(first.key, last.key);
    assert_string_equal(reply.idempotency_key, last.key); /* with which its user may repeat it */
    fail_with(script, 1, HERALD_UNAVAILABLE, "DATABASE_AWAY");
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_UNAVAILABLE); /* it may have begun */
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_int_equal(reply.attempts, 1);
    script_end(script, channel);
}

static void test_retry_ends_after_max_attempts_with_last_error(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    struct herald_channel_options options = {.retry = {.max_attempts = 3, .backoff_max_ms = 1}};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    struct herald_reply reply;
    fail_with(script, -1, HERALD_ABORTED, "RACE");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_ABORTED);
    assert_string_equal(reply.error.reason, "RACE");
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_int_equal(reply.attempts, 3);
    fail_with(script, -1, HERALD_FAILED_PRECONDITION, "NOT_READY");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_FAILED_PRECONDITION);
    assert_int_equal(reply.attempts, 1);
    assert_int_equal(atomic_load(&script->peer.received), 4);
    script_end(script, channel);
}

static void test_retry_refused_after_lost_reply_is_maybe_executed(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    struct herald_channel_options options = {.retry = {.max_attempts = 2}};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    struct herald_reply reply;
    atomic_store(&script->hang_ups, 1);
    fail_with(script, 1, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_RESOURCE_EXHAUSTED);
    assert_int_equal(reply.attempts, 2);
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    fail_with(script, -1, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"); /* never begun */
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_RESOURCE_EXHAUSTED);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    script_end(script, channel);
}

static void test_retry_waits_as_long_as_server_asks(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct herald_reply reply;
    script->retry_after_ms = 150;
    fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
    int64_t start_ms = herald_now_ms();
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_true(herald_now_ms() - start_ms >= 149);
    fail_with(script, 1, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS"); /* it has no server but this */
    start_ms = herald_now_ms();
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_true(herald_now_ms() - start_ms >= 149);
    script->retry_after_ms = 60000; /* the method's deadline is 5 s */
    fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_int_equal(reply.attempts, 1);
    assert_int_equal(reply.error.retry_after_ms, 60000);
    script_end(script, channel);
}

static void test_retry_stops_when_budget_is_spent(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    struct herald_channel_options options = {
        .retry = {.max_attempts = 2, .backoff_max_ms = 1, .budget_percent = 1, .budget_per_s = 1}};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    fail_with(script, -1, HERALD_UNAVAILABLE, "BUSY");
    int64_t start_ms = herald_now_ms();
    for (int i = 0; i < 30; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_UNAVAILABLE);
    }
    if (herald_now_ms() - start_ms < 8000) { /* none of the retries has been forgotten */
        assert_int_equal(atomic_load(&script->peer.received), 40);
    }
    script_end(script, channel);
}

/* Calls until one is turned away by the channel. Returns how many were sent before. */
static int call_until_held(struct herald_channel *channel, struct herald_reply *ret_reply) {
    int64_t until_ms = herald_now_ms() + 60000;
    int sent = 0;
    do {
        assert_int_equal(call_read(channel, NULL, ret_reply), HERALD_RESOURCE_EXHAUSTED);
        assert_true(herald_now_ms() < until_ms);
        sent += ret_reply->outcome == HERALD_EXECUTED;
    } while (ret_reply->outcome == HERALD_EXECUTED);
    return sent;
}

static void test_overload_has_most_calls_of_the_method_end_unsent(void **state) {
    (void)state;
    struct herald_channel_options options = {.retry.max_attempts = 1};
    struct herald_channel *channel;
    struct script *script = script_serve(&options, &channel);
    struct herald_reply reply;
    script->retry_after_ms = 70;
    fail_with(script, -1, HERALD_RESOURCE_EXHAUSTED, "LIMIT_REACHED");
    int sent = call_until_held(channel, &reply);
    assert_true(sent > (int)HERALD_THROTTLE_FREE);
    assert_int_equal(atomic_load(&script->peer.received), sent);
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_int_equal(reply.attempts, 0);
    assert_string_equal(reply.error.reason, "LIMIT_REACHED");
    assert_int_equal(reply.error.retry_after_ms, 70);
    assert_non_null(strstr(reply.error.message, "so this one was not sent"));
    fail_with(script, 0, HERALD_OK, "");
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_OK); /* another method */
    while (call_read(channel, NULL, NULL) != HERALD_OK) {          /* what is let through shows that there is room */
        assert_int_equal(atomic_load(&script->peer.received), sent + 1);
    }
    script_end(script, channel);
}

static void test_overload_of_a_channel_that_sends_all_reaches_the_server(void **state) {
    (void)state;
    struct herald_channel_options options = {.overload_percent = UINT32_MAX, .retry.max_attempts = 1};
    struct herald_channel *channel;
    struct script *script = script_serve(&options, &channel);
    script->retry_after_ms = 70;
    fail_with(script, -1, HERALD_RESOURCE_EXHAUSTED, "LIMIT_REACHED");
    for (int i = 0; i < 300; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(atomic_load(&script->peer.received), 300);
    script_end(script, channel);
}

static void test_errors_other_than_overload_hold_no_call_back(void **state) {
    (void)state;
    struct herald_channel_options options = {.retry.max_attempts = 1};
    struct herald_channel *channel;
    struct script *script = script_serve(&options, &channel);
    script->retry_after_ms = 70;
    fail_with(script, -1, HERALD_UNAVAILABLE, "DATABASE_UNAVAILABLE");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_UNAVAILABLE);
    }
    script->retry_after_ms = 0;
    fail_with(script, -1, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_RESOURCE_EXHAUSTED);
    }
    script->retry_after_ms = 70;
    fail_with(script, -1, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER"); /* others share the channel */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(atomic_load(&script->peer.received), 300);
    script_end(script, channel);
}

static bool one_pauses(const struct herald_channel *channel) {
    return channel->pausing != NULL;
}

/* A restart refuses all calls that come or have waited for it; the budget would do for ten of them, and attempts for
 * three refusals of each. */
static void check_restart_is_waited_for(const char *reason) {
    struct herald_channel_options options = {.retry = {.backoff_max_ms = 1, .budget_percent = 1, .budget_per_s = 1}};
    struct herald_channel *channel;
    struct script *script = script_serve(&options, &channel);
    struct herald_reply reply;
    for (int i = 0; i < 40; i++) {
        fail_with(script, 6, HERALD_UNAVAILABLE, reason);
        assert_int_equal(call_once(channel, NULL, &reply), HERALD_OK);
        assert_int_equal(reply.attempts, 7);
        assert_int_equal(reply.outcome, HERALD_EXECUTED);
    }
    script_end(script, channel);
}

static void test_retry_of_calls_that_are_to_be_signed_anew_is_made_whatever_the_budget(void **state) {
    (void)state;
    check_restart_is_waited_for("SIGNED_BEFORE_START");
}

static void test_retry_at_the_only_server_that_drains_is_made_whatever_the_budget(void **state) {
    (void)state;
    check_restart_is_waited_for("DRAINING");
}

static void test_retry_during_restart_ends_with_the_time_for_a_connection(void **state) {
    (void)state;
    struct herald_channel_options options = {.connect_timeout_ms = 1000, .retry = {.backoff_max_ms = 10}};
    struct herald_channel *channel;
    struct script *script = serve_connected(&options, &channel);
    struct herald_reply reply;
    fail_with(script, -1, HERALD_UNAVAILABLE, "DRAINING");
    int64_t start_ms = herald_now_ms();
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_true(herald_now_ms() - start_ms >= 999);
    assert_string_equal(reply.error.reason, "DRAINING");
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_true(reply.attempts > 4);
    script_end(script, channel);
}

static void test_retry_during_restart_is_not_made_where_there_are_no_retries(void **state) {
    (void)state;
    struct herald_channel_options options = {.retry = {.max_attempts = 1}};
    struct herald_channel *channel;
    struct script *script = script_serve(&options, &channel);
    struct herald_reply reply;
    fail_with(script, -1, HERALD_UNAVAILABLE, "DRAINING");
    assert_int_equal(call_once(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_int_equal(reply.attempts, 1);
    script_end(script, channel);
}

/* A server that said that it drains, with an hour to wait; a first call waits for its successor. */
struct drained {
    struct herald_channel *channel;
    struct script *script;
    struct herald_call *call;
    struct ending ending;
};

static void drained_init(struct drained *drained, uint32_t timeout_ms) {
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    drained->script = script_serve(NULL, &drained->channel);
    atomic_store(&drained->ending.count, 0);
    drained->script->retry_after_ms = 3600000;
    fail_with(drained->script, 1, HERALD_UNAVAILABLE, "DRAINING");
    drained->call = start_read(drained->channel, &options, &drained->ending);
}

static void drained_fini(struct drained *drained) {
    herald_call_release(drained->call);
    script_end(drained->script, drained->channel);
}

static void test_retry_at_a_server_that_drained_is_made_when_it_is_back(void **state) {
    (void)state;
    struct drained drained;
    struct herald_reply reply;
    drained_init(&drained, 60000);
    await(drained.channel, one_pauses);
    atomic_store(&drained.script->hang_ups, 1); /* at a call that has been held back for a while */
    assert_int_equal(call_once(drained.channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "CONNECTION_LOST");
    assert_true(wait_for_count(&drained.ending.count, 1));
    assert_int_equal(drained.ending.reply.error.code, HERALD_OK);
    assert_int_equal(drained.ending.reply.attempts, 2);
    drained_fini(&drained);
}

static void test_retry_at_a_server_that_drains_on_ends_at_the_deadline(void **state) {
    (void)state;
    struct drained drained;
    int64_t start_ms = herald_now_ms();
    drained_init(&drained, 1500);
    assert_true(wait_for_count(&drained.ending.count, 1));
    assert_true(herald_now_ms() - start_ms >= 1499);
    assert_int_equal(drained.ending.reply.error.code, HERALD_UNAVAILABLE);
    assert_string_equal(drained.ending.reply.error.reason, "DRAINING");
    assert_int_equal(drained.ending.reply.outcome, HERALD_EXECUTED);
    assert_int_equal(drained.ending.reply.attempts, 1);
    drained_fini(&drained);
}

/* What is sent to a server that closes its connections would be lost. */
static void test_call_to_a_server_that_drains_is_held_back(void **state) {
    (void)state;
    const struct herald_call_options hasty = {.timeout_ms = 200};
    struct drained drained;
    struct herald_reply reply;
    drained_init(&drained, 60000);
    await(drained.channel, one_pauses);
    assert_int_equal(call_once(drained.channel, &hasty, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "DRAINING");
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_int_equal(atomic_load(&drained.script->peer.received), 1);
    assert_int_equal(call_once(drained.channel, NULL, &reply), HERALD_OK); /* after a while it is tried all the same, */
    assert_false(atomic_load(&drained.channel->endpoints[0]->draining));   /* and is known not to drain */
    herald_call_cancel(drained.call);
    assert_true(wait_for_count(&drained.ending.count, 1));
    drained_fini(&drained);
}

/* nng may yet end whatever the aio of such a call waits for. */
static void test_call_that_ended_at_its_deadline_is_not_used_again_at_once(void **state) {
    (void)state;
    const struct herald_call_options hasty = {.timeout_ms = 1};
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    assert_non_null(channel->free_calls[true]);
    stay_silent(script);
    assert_int_equal(call_read(channel, &hasty, NULL), HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(channel->free_calls[true] == NULL, channel->engine->is_late);
    if (!channel->engine->is_late) {
        script_end(script, channel);
        return;
    }
    assert_non_null(channel->resting[true]); /* is looked at when the next call is made */
    script_end(script, channel);
}

static void test_late_word_of_draining_is_no_news_of_the_next_connection(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    struct herald_endpoint *endpoint = channel->endpoints[0];
    uint32_t connection = herald_endpoint_connection(endpoint);
    herald_endpoint_note_draining(endpoint, connection - 1);
    assert_false(atomic_load(&endpoint->draining));
    herald_endpoint_note_draining(endpoint, connection);
    assert_true(atomic_load(&endpoint->draining));
    script_end(script, channel);
}

static void test_cancel_between_attempts_is_maybe_executed(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    const struct herald_call_options patient = {.timeout_ms = 100000}, hasty = {.timeout_ms = 50};
    script->retry_after_ms = 60000;
    for (int i = 0; i < 3; i++) {
        struct ending ending = {.count = 0};
        fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
        struct herald_call *call = start_read(channel, &patient, &ending);
        await(channel, one_pauses);
        herald_call_cancel(call);
        assert_true(wait_for_count(&ending.count, 1));
        herald_call_release(call);
        assert_int_equal(ending.reply.error.code, HERALD_CANCELLED);
        assert_int_equal(ending.reply.outcome, HERALD_MAYBE_EXECUTED); /* its first attempt was not refused */
        assert_non_null(strstr(ending.reply.error.message, "before was answered UNAVAILABLE (BUSY)"));
        stay_silent(script);
        atomic_store(&ending.count, 0);
        herald_call_release(start_read(channel, &hasty, &ending));
        assert_true(wait_for_count(&ending.count, 1));
        assert_string_equal(ending.reply.error.reason, "NO_REPLY_IN_TIME");
    }
    script_end(script, channel);
}

/* After that the same call, with the same aio, still takes its time-outs for what they are. */
static void test_time_out_after_a_retry_is_a_time_out(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    const struct herald_call_options hasty = {.timeout_ms = 400};
    script->retry_after_ms = 5;
    for (int blocking = 0; blocking < 2; blocking++) {
        struct ending ending = {.count = 0};
        fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
        atomic_store(&script->peer.received, 0);
        if (blocking) {
            script->reason = "BUSY";
            assert_int_equal(call_read(channel, &hasty, NULL), HERALD_OK);
        } else {
            herald_call_release(start_read(channel, &hasty, &ending));
            assert_true(wait_for_count(&ending.count, 1));
            assert_int_equal(ending.reply.attempts, 2);
        }
        stay_silent(script);
        if (blocking) {
            assert_int_equal(call_read(channel, &hasty, &ending.reply), HERALD_DEADLINE_EXCEEDED);
        } else {
            atomic_store(&ending.count, 0);
            herald_call_release(start_read(channel, &hasty, &ending));
            assert_true(wait_for_count(&ending.count, 1));
        }
        assert_string_equal(ending.reply.error.reason, "NO_REPLY_IN_TIME");
    }
    script_end(script, channel);
}

static void test_close_between_attempts_cancels(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    const struct herald_call_options patient = {.timeout_ms = 100000};
    struct ending ending = {.count = 0};
    script->retry_after_ms = 60000;
    fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
    struct herald_call *call = start_read(channel, &patient, &ending);
    await(channel, one_pauses);
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ending.count), 1);
    assert_int_equal(ending.reply.error.code, HERALD_CANCELLED);
    herald_call_release(call);
    script_close(script);
}

/* --- several endpoints --- */

static const struct herald_channel_options no_health = {.health_check_ms = UINT32_MAX};

static void test_endpoints_share_calls_by_those_in_flight(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel *channel = channel_to_two(a, b, &no_health);
    struct ending ending = {.count = 0};
    stay_silent(a);
    stay_silent(b);
    for (int i = 0; i < 20; i++) {
        herald_call_release(start_read(channel, NULL, &ending));
    }
    assert_true(wait_for_count(&a->peer.received, 10));
    assert_true(wait_for_count(&b->peer.received, 10));
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ending.count), 20);
    script_close(a);
    script_close(b);
}

/* Of two servers one refuses with @reason: it is asked once, and every call is made at the other. */
static void check_left_and_call_repeated_at_once(enum herald_code code, const char *reason, uint32_t retry_after_ms) {
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel_options options = no_health;
    options.retry.backoff_min_ms = options.retry.backoff_max_ms = 1000000; /* a call that waits is past its deadline */
    struct herald_channel *channel = channel_to_two(a, b, &options);
    struct herald_reply reply;
    a->retry_after_ms = retry_after_ms;
    fail_with(a, -1, code, reason);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(call_once(channel, NULL, &reply), HERALD_OK);
        assert_string_equal(reply.url, b->peer.url);
    }
    assert_int_equal(atomic_load(&a->peer.received), 1);
    assert_int_equal(atomic_load(&b->peer.received), 20);
    close_two(a, b, channel);
}

static void test_endpoint_that_drains_is_left_and_call_repeated_at_once(void **state) {
    (void)state;
    check_left_and_call_repeated_at_once(HERALD_UNAVAILABLE, "DRAINING", 0);
}

static void test_endpoint_that_turns_away_is_left_and_call_repeated_at_once(void **state) {
    (void)state;
    check_left_and_call_repeated_at_once(HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS", HERALD_OUTLIER_MAX_MS);
}

static void count_good(void *user, struct herald_reply *reply) {
    atomic_fetch_add((atomic_int *)user, reply->error.code == HERALD_OK);
    herald_reply_clear(reply);
}

static void start_counted_read(struct herald_channel *channel, atomic_int *good) {
    static const Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const struct herald_call_options patient = {.timeout_ms = 60000};
    assert_int_equal(herald_job_v1_job_service_get_job_start(channel, &request, &patient, count_good, good, NULL, NULL),
                     HERALD_OK);
}

/* Forty calls wait at each of two servers when one dies; the budget would do for ten of them. */
static void test_endpoint_that_dies_loses_no_read_whatever_the_budget(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel_options options = no_health;
    options.retry = (struct herald_retry_policy){.backoff_max_ms = 1, .budget_percent = 1, .budget_per_s = 1};
    struct herald_channel *channel = channel_to_two(a, b, &options);
    atomic_int good = 0;
    stay_silent(a);
    stay_silent(b);
    for (int i = 0; i < 80; i++) {
        start_counted_read(channel, &good);
    }
    assert_true(wait_for_count(&a->peer.received, 40));
    assert_true(wait_for_count(&b->peer.received, 40));
    atomic_store(&b->fails, 0);    /* it answers from now on */
    atomic_store(&a->hang_ups, 1); /* at the next call that comes */
    start_counted_read(channel, &good);
    start_counted_read(channel, &good);
    assert_true(wait_for_count(&good, 42)); /* those of a, and the two: one at each */
    herald_channel_close(channel);
    assert_int_equal(good, 42);
    script_close(a);
    script_close(b);
}

static void call_until_it_gets(struct herald_channel *channel, struct script *script) {
    int before = atomic_load(&script->peer.received);
    for (int i = 0; i < 20000 && atomic_load(&script->peer.received) == before; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
        nng_msleep(1);
    }
    assert_true(atomic_load(&script->peer.received) > before);
}

static void test_endpoint_that_drained_is_used_again_when_it_serves(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    const struct herald_channel_options options = {.health_check_ms = 20};
    struct herald_channel *channel = channel_to_two(a, b, &options);
    fail_with(a, 1, HERALD_UNAVAILABLE, "DRAINING");
    call_until_it_gets(channel, a);
    call_until_it_gets(channel, a);
    close_two(a, b, channel);
}

static bool first_is_sick(const struct herald_channel *channel) {
    return channel->endpoints[0]->sick && !channel->endpoints[1]->sick;
}

static void test_endpoint_that_is_not_serving_is_left_out(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    const struct herald_channel_options options = {.health_check_ms = 20};
    struct herald_channel *channel = channel_to_two(a, b, &options);
    atomic_store(&a->peer.health, 2);
    await(channel, first_is_sick);
    int before = atomic_load(&a->peer.received);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    }
    assert_int_equal(atomic_load(&a->peer.received), before);
    atomic_store(&b->peer.health, 2); /* all are out: all are tried */
    call_until_it_gets(channel, a);
    call_until_it_gets(channel, b);
    atomic_store(&a->peer.health, 1);
    atomic_store(&b->peer.health, 1);
    call_until_it_gets(channel, a);
    close_two(a, b, channel);
}

/* Its health is asked over a connection for which it has no room. */
static void test_endpoint_without_room_for_a_question_is_left_out(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    const struct herald_channel_options options = {.health_check_ms = 20};
    fail_with(a, -1, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS");
    atomic_store(&a->peer.health, 0);
    struct herald_channel *channel = channel_to_two(a, b, &options);
    await(channel, first_is_sick);
    atomic_store(&a->fails, 0);
    atomic_store(&a->peer.health, 1);
    call_until_it_gets(channel, a);
    close_two(a, b, channel);
}

static int64_t out_until_ms(struct herald_channel *channel) {
    pthread_mutex_lock(&channel->mutex);
    int64_t until_ms = channel->endpoints[0]->outlier.out_until_ms;
    pthread_mutex_unlock(&channel->mutex);
    return until_ms;
}

static void test_endpoint_that_fails_again_and_again_is_left_out(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel_options options = no_health;
    options.retry.max_attempts = 1;
    struct herald_channel *channel = channel_to_two(a, b, &options);
    fail_with(a, -1, HERALD_UNAVAILABLE, "BROKEN");
    for (int i = 0; i < 1000 && out_until_ms(channel) == 0; i++) {
        call_read(channel, NULL, NULL);
    }
    assert_int_equal(atomic_load(&a->peer.received), 5);
    for (int i = 0; i < 20; i++) {
        enum herald_code code = call_read(channel, NULL, NULL);
        if (herald_now_ms() < out_until_ms(channel)) {
            assert_int_equal(code, HERALD_OK);
        }
    }
    atomic_store(&a->fails, 0);
    call_until_it_gets(channel, a); /* it comes back by itself */
    close_two(a, b, channel);
}

static void call_until_it_has(struct herald_channel *channel, struct script *script, int received) {
    for (int i = 0; i < 1000 && atomic_load(&script->peer.received) < received; i++) {
        call_read(channel, NULL, NULL);
    }
    assert_int_equal(atomic_load(&script->peer.received), received);
}

static void test_endpoint_that_fails_now_and_then_is_not_left_out(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel_options options = no_health;
    options.retry.max_attempts = 1;
    struct herald_channel *channel = channel_to_two(a, b, &options);
    fail_with(a, HERALD_OUTLIER_FAILURES - 1, HERALD_UNAVAILABLE, "BROKEN");
    call_until_it_has(channel, a, HERALD_OUTLIER_FAILURES); /* the last one was good */
    fail_with(a, HERALD_OUTLIER_FAILURES - 1, HERALD_UNAVAILABLE, "BROKEN");
    call_until_it_has(channel, a, 2 * HERALD_OUTLIER_FAILURES - 1);
    assert_true(out_until_ms(channel) == 0);
    close_two(a, b, channel);
}

/* Also where the other one is busier. */
static void test_retry_after_a_failure_is_made_at_another_endpoint(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel *channel = channel_to_two(a, b, &no_health);
    struct ending ending = {.count = 0};
    struct herald_reply reply;
    stay_silent(b);
    while (atomic_load(&b->peer.received) == 0) { /* they take turns; the one at b stays */
        int before = atomic_load(&a->peer.received);
        herald_call_release(start_read(channel, NULL, &ending));
        while (atomic_load(&b->peer.received) == 0 && atomic_load(&a->peer.received) == before) {
            nng_msleep(1);
        }
    }
    assert_true(wait_for_count(&ending.count, atomic_load(&a->peer.received)));
    atomic_store(&b->fails, 0);
    fail_with(a, 1, HERALD_UNAVAILABLE, "BUSY");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(reply.attempts, 2);
    assert_string_equal(reply.url, b->peer.url);
    close_two(a, b, channel);
}

/* What a server says that has just started is no sign that it is not well. */
static void test_endpoint_that_has_just_started_is_not_left_out(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    struct herald_channel_options options = no_health;
    options.retry.max_attempts = 1;
    struct herald_channel *channel = channel_to_two(a, b, &options);
    fail_with(a, -1, HERALD_UNAVAILABLE, "SIGNED_BEFORE_START");
    for (int i = 0; i < 1000 && atomic_load(&a->peer.received) < 20; i++) {
        call_read(channel, NULL, NULL);
    }
    assert_int_equal(atomic_load(&a->peer.received), 20);
    assert_true(out_until_ms(channel) == 0);
    close_two(a, b, channel);
}

static void test_endpoint_whose_health_is_to_be_asked_with_a_new_signature_is_well(void **state) {
    (void)state;
    struct script *a = script_open(NULL), *b = script_open(NULL);
    const struct herald_channel_options options = {.health_check_ms = 20};
    fail_with(a, -1, HERALD_UNAVAILABLE, "SIGNED_BEFORE_START");
    atomic_store(&a->peer.health, 0); /* it is answered as all calls are */
    struct herald_channel *channel = channel_to_two(a, b, &options);
    assert_true(wait_for_count(&a->peer.received, 3)); /* of the second at least the answer was seen */
    pthread_mutex_lock(&channel->mutex);
    bool sick = channel->endpoints[0]->sick;
    pthread_mutex_unlock(&channel->mutex);
    assert_false(sick);
    close_two(a, b, channel);
}

static void test_endpoint_without_connection_is_not_waited_for(void **state) {
    (void)state;
    char dead[32], url[32], urls[80];
    loopback_url("tcp", dead);
    loopback_url("tcp", url);
    snprintf(urls, sizeof(urls), "%s,%s", dead, url);
    const struct herald_channel_options options = {.connect_timeout_ms = 60000};
    const struct herald_call_options patient = {.timeout_ms = 60000};
    struct herald_channel *channel = channel_to(urls, &options);
    struct ending ending = {.count = 0};
    for (int i = 0; i < 6; i++) { /* some of them wait at the one that will not come */
        herald_call_release(start_read(channel, &patient, &ending));
    }
    struct script *script = script_open(url);
    int64_t start_ms = herald_now_ms();
    assert_true(wait_for_count(&ending.count, 6));
    assert_true(herald_now_ms() - start_ms < 20000);
    assert_int_equal(ending.reply.error.code, HERALD_OK);
    assert_int_equal(ending.reply.attempts, 1);
    assert_int_equal(atomic_load(&script->peer.received), 6);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    }
    script_end(script, channel);
}

/* --- one of three is killed --- */

/* A peer in a process of its own. */
struct server {
    pid_t pid;
    char url[200];
};

_Noreturn static void serve(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct script *script = script_open(NULL);
    printf("%s\n", script->peer.url);
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static struct server start_server(void) {
    struct server server;
    int out[2];
    assert_int_equal(pipe(out), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_endpoints", "--serve", (char *)NULL);
        _exit(127);
    }
    assert_true(server.pid > 0);
    close(out[1]);
    FILE *said = fdopen(out[0], "r");
    assert_non_null(fgets(server.url, sizeof(server.url), said));
    server.url[strcspn(server.url, "\n")] = '\0';
    fclose(said);
    return server;
}

static void kill_server(const struct server *server) {
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
}

#define CALLERS    8
#define CALLS_EACH 150

struct load {
    struct herald_channel *channel;
    atomic_int calls, failed, once_lost;
};

static void *run_load(void *user) {
    struct load *load = user;
    for (int i = 0; i < CALLS_EACH; i++) {
        struct herald_reply reply;
        if (call_read(load->channel, NULL, &reply) != HERALD_OK) {
            fprintf(stderr, "lost: %s\n", reply.error.message);
            atomic_fetch_add(&load->failed, 1);
        }
        enum herald_code code = call_once(load->channel, NULL, &reply);
        if (code != HERALD_OK && reply.outcome != HERALD_MAYBE_EXECUTED) {
            fprintf(stderr, "%s: %s\n", herald_outcome_name(reply.outcome), reply.error.message);
            atomic_fetch_add(&load->once_lost, 1);
        }
        atomic_fetch_add(&load->calls, 1);
    }
    return NULL;
}

static void test_endpoints_one_of_three_killed_under_load_loses_no_read(void **state) {
    (void)state;
    struct server servers[3];
    char urls[700] = "";
    for (int i = 0; i < 3; i++) {
        servers[i] = start_server();
        sprintf(urls + strlen(urls), "%s%s", i > 0 ? "," : "", servers[i].url);
    }
    struct load load = {.channel = channel_to(urls, NULL)};
    await(load.channel, all_connected);
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        pthread_create(&threads[i], NULL, run_load, &load);
    }
    assert_true(wait_for_count(&load.calls, CALLERS * CALLS_EACH / 4));
    kill_server(&servers[1]);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&load.calls), CALLERS * CALLS_EACH);
    assert_int_equal(atomic_load(&load.failed), 0);
    assert_int_equal(atomic_load(&load.once_lost), 0);
    herald_channel_close(load.channel);
    kill_server(&servers[0]);
    kill_server(&servers[2]);
}

/* --- telling the server of a cancelled call --- */

static void test_cancel_tells_server_ticket(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct ending ending = {.count = 0};
    const struct herald_call_options hasty = {.timeout_ms = 50};
    stay_silent(script);
    struct herald_call *call = start_read(channel, NULL, &ending);
    struct script_seen seen = script_seen(script, 0);
    herald_call_cancel(call);
    herald_call_release(call);
    assert_true(wait_for_count(&script->peer.cancels, 1));
    assert_true(seen.ticket > 0);
    assert_int_equal(atomic_load(&script->peer.cancelled), seen.ticket);
    herald_call_release(start_read(channel, &hasty, &ending)); /* out of time */
    assert_true(wait_for_count(&script->peer.cancels, 2));
    assert_int_equal(atomic_load(&script->peer.cancelled), script_seen(script, 1).ticket);
    assert_int_equal(call_read(channel, &hasty, NULL), HERALD_DEADLINE_EXCEEDED);
    assert_true(wait_for_count(&script->peer.cancels, 3));
    assert_int_equal(atomic_load(&script->peer.cancelled), script_seen(script, 2).ticket);
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&script->peer.cancels), 3);
    script_close(script);
}

static void test_cancel_tells_server_whether_the_time_is_spent(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    struct ending ending = {.count = 0};
    stay_silent(script);
    for (int late = 0; late < 2; late++) {
        struct herald_call *call = start_read(channel, NULL, &ending);
        script_seen(script, late); /* waits for it */
        herald_call_give_up(call, late);
        herald_call_release(call);
        assert_true(wait_for_count(&script->peer.cancels, late + 1));
        assert_int_equal(atomic_load(&script->peer.late), late);
        assert_true(wait_for_count(&ending.count, late + 1));
        assert_int_equal(ending.reply.error.code, HERALD_CANCELLED);
        assert_int_equal(ending.reply.outcome, HERALD_MAYBE_EXECUTED);
    }
    const struct herald_call_options hasty = {.timeout_ms = 50};
    atomic_store(&script->peer.late, false);
    assert_int_equal(call_read(channel, &hasty, NULL), HERALD_DEADLINE_EXCEEDED);
    assert_true(wait_for_count(&script->peer.cancels, 3));
    assert_true(atomic_load(&script->peer.late));
    script_end(script, channel);
}

/* --- what comes with a reply --- */

static void test_reply_has_metadata_and_timings(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    const Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response;
    struct herald_reply reply = {0};
    struct herald_call_options options = {.want_timings = true};
    assert_int_equal(herald_job_v1_job_service_get_job(channel, &request, &options, &reply, &response), HERALD_OK);
    assert_true(script_seen(script, 0).want_timings);
    assert_int_equal(reply.metadata_count, 2);
    assert_string_equal(reply.metadata[1].key, "served-by");
    assert_int_equal(reply.metadata[1].value_bytes, 3);
    assert_memory_equal(reply.metadata[1].value, "p\0q", 3);
    assert_true(reply.timings.known);
    assert_int_equal(reply.timings.queue_us, 11);
    assert_int_equal(reply.timings.handler_us, 222);
    assert_int_equal(reply.timings.downstream_us, 33);
    herald_reply_clear(&reply);
    assert_int_equal(herald_job_v1_job_service_get_job(channel, &request, NULL, &reply, &response), HERALD_OK);
    assert_false(script_seen(script, 1).want_timings);
    assert_false(reply.timings.known);
    herald_reply_clear(&reply);
    script_end(script, channel);
}

/* --- interceptors --- */

struct watcher {
    char name;
    char *log;          /* shared: "a0 " before attempt 0 by a, "A0:CODE " after it */
    uint32_t refuse_at; /* attempt; UINT32_MAX: none */
    const char *url;
};

static enum herald_code before_call(void *user, struct herald_call_info *info, struct herald_error *reterr) {
    struct watcher *watcher = user;
    const Herald__Job__V1__GetJobRequest *request = (const void *)info->request;
    assert_ptr_equal(info->method, herald_job_v1_job_service_get_job_method);
    assert_string_equal(request->job_id, "job-1");
    assert_string_equal(info->url, watcher->url);
    sprintf(watcher->log + strlen(watcher->log), "%c%u ", watcher->name, info->attempt);
    char value[8];
    int length = snprintf(value, sizeof(value), "%u", info->attempt);
    assert_int_equal(herald_call_info_add(info, (char[]){watcher->name, '\0'}, value, (size_t)length), HERALD_OK);
    if (info->attempt == watcher->refuse_at) {
        return herald_error_set_code(reterr, HERALD_UNAVAILABLE, "NOT_NOW", "for a test");
    }
    return HERALD_OK;
}

static void after_call(void *user, const struct herald_call_info *info, const struct herald_reply *reply) {
    struct watcher *watcher = user;
    assert_null(info->request);
    assert_string_equal(info->call_id, reply->call_id);
    sprintf(watcher->log + strlen(watcher->log), "%c%u:%s ", watcher->name - 'a' + 'A', info->attempt,
            herald_code_name((int)reply->error.code));
}

static void test_interceptors_run_in_order_once_for_each_attempt(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    char log[300] = "";
    struct watcher watchers[2] = {{'a', log, UINT32_MAX, script->peer.url}, {'b', log, UINT32_MAX, script->peer.url}};
    const struct herald_interceptor interceptors[] = {
        {before_call, after_call, &watchers[0]}, {NULL, NULL, NULL}, {before_call, after_call, &watchers[1]}};
    const struct herald_channel_options options = {.interceptors = interceptors, .interceptor_count = 3};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    assert_string_equal(log, "a0 b0 B0:UNAVAILABLE A0:UNAVAILABLE a1 b1 B1:OK A1:OK ");
    const struct script_seen first = script_seen(script, 0), second = script_seen(script, 1);
    assert_int_equal(first.metadata_count, 2);
    assert_string_equal(first.metadata[0], "a=0");
    assert_string_equal(first.metadata[1], "b=0");
    assert_int_equal(second.metadata_count, 2);
    assert_string_equal(second.metadata[1], "b=1");
    script_end(script, channel);
}

static void test_interceptor_refuses_call(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    char log[300] = "";
    struct watcher watchers[2] = {{'a', log, 0, script->peer.url}, {'b', log, UINT32_MAX, script->peer.url}};
    const struct herald_interceptor interceptors[] = {{before_call, after_call, &watchers[0]},
                                                      {before_call, after_call, &watchers[1]}};
    const struct herald_channel_options options = {.interceptors = interceptors, .interceptor_count = 2};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    struct herald_reply reply;
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "NOT_NOW");
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_int_equal(reply.attempts, 0);
    assert_string_equal(log, "a0 A0:UNAVAILABLE ");
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_error error;
    struct ending ending = {.count = 0};
    request.job_id = (char *)"job-1";
    assert_int_equal(herald_job_v1_job_service_get_job_start(channel, &request, NULL, on_end, &ending, NULL, &error),
                     HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "NOT_NOW");
    log[0] = '\0';
    watchers[0].refuse_at = 1;
    fail_with(script, 1, HERALD_UNAVAILABLE, "BUSY");
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "NOT_NOW");
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED); /* the first attempt was not refused by the server */
    assert_string_equal(log, "a0 b0 B0:UNAVAILABLE A0:UNAVAILABLE a1 A1:UNAVAILABLE ");
    assert_int_equal(atomic_load(&ending.count), 0);
    assert_int_equal(atomic_load(&script->peer.received), 1);
    script_end(script, channel);
}

/* --- names --- */

/* Which of 127.0.0.1 and 127.0.0.2 "job.test" has now; none: it cannot be looked up. */
static atomic_int job_test_addresses;
static atomic_int look_ups;

static enum herald_code resolve_test(const char *host, int family, struct herald_addresses *ret_addresses,
                                     struct herald_error *reterr) {
    (void)family;
    assert_string_equal(host, "job.test");
    int which = atomic_load(&job_test_addresses);
    ret_addresses->count = 0;
    for (int i = 0; i < 2; i++) {
        if (which & 1 << i) {
            snprintf(ret_addresses->text[ret_addresses->count++], sizeof(ret_addresses->text[0]), "127.0.0.%d", i + 1);
        }
    }
    atomic_fetch_add(&look_ups, 1);
    if (ret_addresses->count > 0) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_NAME_NOT_FOUND, "\"%s\" is not known", host);
}

/* Two peers with the same port at 127.0.0.1 and 127.0.0.2, and a URL that names them both. */
static void open_named(struct script *scripts[2], char url[200]) {
    char second[200];
    scripts[0] = script_open(NULL);
    const char *port = strrchr(scripts[0]->peer.url, ':');
    snprintf(second, sizeof(second), "tcp://127.0.0.2%s", port);
    scripts[1] = script_open(second);
    snprintf(url, 200, "tcp://job.test%s", port);
    herald_resolver_set(resolve_test);
    atomic_store(&look_ups, 0);
}

static void close_named(struct script *scripts[2], struct herald_channel *channel) {
    herald_channel_close(channel);
    herald_resolver_set(NULL);
    script_close(scripts[0]);
    script_close(scripts[1]);
}

static bool has_two(const struct herald_channel *channel) {
    return channel->endpoint_count == 2 && all_connected(channel);
}

static bool has_retired_one(const struct herald_channel *channel) {
    return channel->endpoint_count == 1 && channel->retired && channel->retired->open;
}

static bool has_closed_retired(const struct herald_channel *channel) {
    return !channel->retired->open;
}

static void test_name_with_two_addresses_is_two_endpoints(void **state) {
    (void)state;
    struct script *scripts[2];
    char url[200];
    open_named(scripts, url);
    atomic_store(&job_test_addresses, 3);
    struct herald_channel *channel = channel_to(url, &no_health);
    struct herald_reply reply;
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_OK);
    assert_int_equal(strncmp(reply.url, "tcp://127.0.0.", 14), 0);
    await(channel, has_two);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    }
    assert_true(atomic_load(&scripts[0]->peer.received) >= 5);
    assert_true(atomic_load(&scripts[1]->peer.received) >= 5);
    close_named(scripts, channel);
}

static void test_name_that_loses_an_address_lets_its_calls_end(void **state) {
    (void)state;
    struct script *scripts[2];
    char url[200];
    open_named(scripts, url);
    atomic_store(&job_test_addresses, 1);
    const struct herald_channel_options options = {.health_check_ms = UINT32_MAX, .resolve_ms = 20};
    const struct herald_call_options hasty = {.timeout_ms = 1500};
    struct herald_channel *channel = channel_to(url, &options);
    struct ending ending = {.count = 0};
    stay_silent(scripts[0]);
    herald_call_release(start_read(channel, &hasty, &ending));
    assert_true(wait_for_count(&scripts[0]->peer.received, 1));
    atomic_store(&job_test_addresses, 2);
    await(channel, has_retired_one);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    }
    assert_int_equal(atomic_load(&scripts[1]->peer.received), 20);
    assert_true(wait_for_count(&ending.count, 1));
    assert_string_equal(ending.reply.error.reason, "NO_REPLY_IN_TIME"); /* its connection was there to the end */
    await(channel, has_closed_retired);
    atomic_store(&job_test_addresses, 3);
    await(channel, has_two);
    close_named(scripts, channel);
}

static void test_name_that_is_not_known_is_named_and_looked_up_again(void **state) {
    (void)state;
    struct script *scripts[2];
    char url[200];
    open_named(scripts, url);
    atomic_store(&job_test_addresses, 0);
    const struct herald_channel_options options = {.connect_timeout_ms = 100};
    struct herald_channel *channel = channel_to(url, &options);
    struct herald_reply reply;
    while (call_read(channel, NULL, &reply) == HERALD_UNAVAILABLE && !strstr(reply.error.message, "is not known")) {
        assert_in_range(atomic_load(&look_ups), 0, 1000);
    }
    assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_null(reply.url);
    atomic_store(&job_test_addresses, 1);
    for (int i = 0; i < 200 && call_read(channel, NULL, &reply) != HERALD_OK; i++) {
        assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    }
    assert_int_equal(reply.error.code, HERALD_OK);
    close_named(scripts, channel);
}

static void test_resolver_of_the_system_knows_localhost(void **state) {
    (void)state;
    struct herald_addresses addresses;
    struct herald_error error;
    assert_int_equal(herald_resolve("localhost", 2 /* AF_INET */, &addresses, &error), HERALD_OK);
    assert_string_equal(addresses.text[0], "127.0.0.1");
    assert_int_equal(herald_resolve("no-such-host.invalid", 0, &addresses, &error), HERALD_UNAVAILABLE);
    assert_non_null(strstr(error.message, "no-such-host.invalid"));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--serve") == 0) {
        serve();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_whose_reply_is_lost_is_asked_again_within_the_deadline),
        cmocka_unit_test(test_read_at_a_frozen_server_moves_to_another),
        cmocka_unit_test(test_call_that_may_not_be_repeated_is_not_cut_short),
        cmocka_unit_test(test_read_is_not_cut_short_without_budget),
        cmocka_unit_test(test_retry_read_after_lost_connection_succeeds),
        cmocka_unit_test(test_retry_once_after_lost_connection_is_not_made),
        cmocka_unit_test(test_retry_once_that_was_refused_keeps_key),
        cmocka_unit_test(test_retry_ends_after_max_attempts_with_last_error),
        cmocka_unit_test(test_retry_refused_after_lost_reply_is_maybe_executed),
        cmocka_unit_test(test_retry_waits_as_long_as_server_asks),
        cmocka_unit_test(test_retry_stops_when_budget_is_spent),
        cmocka_unit_test(test_overload_has_most_calls_of_the_method_end_unsent),
        cmocka_unit_test(test_overload_of_a_channel_that_sends_all_reaches_the_server),
        cmocka_unit_test(test_errors_other_than_overload_hold_no_call_back),
        cmocka_unit_test(test_retry_of_calls_that_are_to_be_signed_anew_is_made_whatever_the_budget),
        cmocka_unit_test(test_retry_at_the_only_server_that_drains_is_made_whatever_the_budget),
        cmocka_unit_test(test_retry_during_restart_ends_with_the_time_for_a_connection),
        cmocka_unit_test(test_retry_during_restart_is_not_made_where_there_are_no_retries),
        cmocka_unit_test(test_retry_at_a_server_that_drained_is_made_when_it_is_back),
        cmocka_unit_test(test_retry_at_a_server_that_drains_on_ends_at_the_deadline),
        cmocka_unit_test(test_call_to_a_server_that_drains_is_held_back),
        cmocka_unit_test(test_call_that_ended_at_its_deadline_is_not_used_again_at_once),
        cmocka_unit_test(test_late_word_of_draining_is_no_news_of_the_next_connection),
        cmocka_unit_test(test_cancel_between_attempts_is_maybe_executed),
        cmocka_unit_test(test_time_out_after_a_retry_is_a_time_out),
        cmocka_unit_test(test_close_between_attempts_cancels),
        cmocka_unit_test(test_endpoints_share_calls_by_those_in_flight),
        cmocka_unit_test(test_endpoint_that_drains_is_left_and_call_repeated_at_once),
        cmocka_unit_test(test_endpoint_that_turns_away_is_left_and_call_repeated_at_once),
        cmocka_unit_test(test_endpoint_that_dies_loses_no_read_whatever_the_budget),
        cmocka_unit_test(test_endpoint_that_drained_is_used_again_when_it_serves),
        cmocka_unit_test(test_endpoint_that_is_not_serving_is_left_out),
        cmocka_unit_test(test_endpoint_without_room_for_a_question_is_left_out),
        cmocka_unit_test(test_endpoint_that_fails_again_and_again_is_left_out),
        cmocka_unit_test(test_endpoint_that_fails_now_and_then_is_not_left_out),
        cmocka_unit_test(test_retry_after_a_failure_is_made_at_another_endpoint),
        cmocka_unit_test(test_endpoint_that_has_just_started_is_not_left_out),
        cmocka_unit_test(test_endpoint_whose_health_is_to_be_asked_with_a_new_signature_is_well),
        cmocka_unit_test(test_endpoint_without_connection_is_not_waited_for),
        cmocka_unit_test(test_endpoints_one_of_three_killed_under_load_loses_no_read),
        cmocka_unit_test(test_cancel_tells_server_ticket),
        cmocka_unit_test(test_cancel_tells_server_whether_the_time_is_spent),
        cmocka_unit_test(test_reply_has_metadata_and_timings),
        cmocka_unit_test(test_interceptors_run_in_order_once_for_each_attempt),
        cmocka_unit_test(test_interceptor_refuses_call),
        cmocka_unit_test(test_name_with_two_addresses_is_two_endpoints),
        cmocka_unit_test(test_name_that_loses_an_address_lets_its_calls_end),
        cmocka_unit_test(test_name_that_is_not_known_is_named_and_looked_up_again),
        cmocka_unit_test(test_resolver_of_the_system_knows_localhost),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0) { /* what a failed test left open it would wait for */
        nng_fini();
    }
    return failed;
}
