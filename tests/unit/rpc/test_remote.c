#include "client/src/channel.h"
#include "cmocka_headers.h"
#include "fixture.h"
#include "server/outgoing/native_calls.h"
#include "server/runtime/call.h"
#include "tests/unit/client/script.h"

#include <stdlib.h>
#include <string.h>

/* Calls from a handler to another server: UpdateJob of `front` calls `back`. With HERALD_RPC_ENGINE=native `front` makes
 * them on its own loops. */

struct pair {
    struct fixture front, back;
    struct herald_channel *channel; /* to front */
    struct native_calls *calls;     /* of front; NULL: nng carries them */
};

static struct herald_channel *open_downstream(const struct pair *pair, const char *url,
                                              const struct herald_channel_options *options) {
    const struct herald_engine *engine = pair->calls ? native_calls_engine(pair->calls) : &herald_engine_nng;
    struct herald_channel *channel;
    struct herald_error error;
    assert_int_equal(herald_channel_open_on(engine, url, options, &channel, &error), HERALD_OK);
    return channel;
}

static int set_up(void **state) {
    struct pair *pair = calloc(1, sizeof(*pair));
    struct herald_error error;
    fixture_init(&pair->back);
    fixture_listen(&pair->back);
    fixture_init(&pair->front);
    fixture_listen(&pair->front);
    const char *engine_name = getenv("HERALD_RPC_ENGINE");
    if (engine_name && strcmp(engine_name, "native") == 0) {
        assert_int_equal(native_calls_new(pair->front.loops, pair->front.loop_count, &pair->calls, &error), HERALD_OK);
    }
    pair->front.downstream = open_downstream(pair, pair->back.url, NULL);
    assert_int_equal(herald_channel_open(pair->front.url, NULL, &pair->channel, &error), HERALD_OK);
    *state = pair;
    return 0;
}

static int tear_down(void **state) {
    struct pair *pair = *state;
    herald_channel_close(pair->channel);
    herald_channel_close(pair->front.downstream);
    native_calls_free(pair->calls);
    fixture_stop(&pair->front);
    fixture_stop(&pair->back);
    free(pair);
    return 0;
}

static const Herald__Job__V1__Job NO_JOB = HERALD__JOB__V1__JOB__INIT;

/* Calls UpdateJob of the front server. @ret_job  NO_JOB unless the call succeeds */
static enum herald_code update(struct pair *pair, const struct herald_call_options *options, struct herald_reply *reply,
                               const Herald__Job__V1__Job **ret_job) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    const Herald__Job__V1__UpdateJobResponse *response = NULL;
    request.job_id = (char *)TEST_JOB_ID;
    request.status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    memset(reply, 0, sizeof(*reply));
    enum herald_code code = herald_job_v1_job_service_update_job(pair->channel, &request, options, reply, &response);
    *ret_job = code == HERALD_OK ? response->job : &NO_JOB;
    return code;
}

static void test_remote_call_inherits_deadline_id_and_trace(void **state) {
    const struct herald_call_options options = {
        .timeout_ms = 2500,
        .call_id = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5f",
        .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    assert_int_equal(update(*state, &options, &reply, &job), HERALD_OK);
    assert_string_equal(job->job_id, TEST_JOB_ID);
    assert_in_range(job->version, 1, 2500); /* the method's own default would be 5000 */
    assert_string_equal(job->failure, options.call_id);
    assert_child_span(job->event_draft_id, options.traceparent);
    herald_reply_clear(&reply);
}

static void test_remote_call_short_default_beats_long_deadline(void **state) {
    const struct herald_call_options options = {.timeout_ms = 60000};
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    assert_int_equal(update(*state, &options, &reply, &job), HERALD_OK);
    assert_in_range(job->version, 1, 5000);
    herald_reply_clear(&reply);
}

static void test_remote_call_error_passes_with_details(void **state) {
    struct pair *pair = *state;
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    pair->back.mode = GET_JOB_FAILS;
    assert_int_equal(update(pair, NULL, &reply, &job), HERALD_FAILED_PRECONDITION);
    assert_string_equal(reply.error.reason, "NOT_READY");
    assert_int_equal(reply.error.detail_count, 2);
    assert_int_equal(reply.error.retry_after_ms, 1234);
    assert_int_equal(pair->front.downstream_outcome, HERALD_EXECUTED);
    herald_reply_clear(&reply);
}

static bool front_ended(void *arg) {
    return atomic_load(&((struct pair *)arg)->front.ended) > 0;
}

static bool back_ended(void *arg) {
    return atomic_load(&((struct pair *)arg)->back.ended) > 0;
}

static void test_remote_call_spent_deadline_ends_both(void **state) {
    struct pair *pair = *state;
    const struct herald_call_options options = {.timeout_ms = 200};
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    pair->front.downstream_waits = true;
    assert_int_equal(update(pair, &options, &reply, &job), HERALD_DEADLINE_EXCEEDED);
    herald_reply_clear(&reply);
    assert_true(eventually(front_ended, pair));
    assert_int_equal(pair->front.downstream_code, HERALD_DEADLINE_EXCEEDED);
    assert_int_not_equal(pair->front.downstream_outcome, HERALD_NOT_SENT); /* the back's own answer may be faster */
    assert_true(eventually(back_ended, pair));
    assert_int_equal(pair->back.last_code, HERALD_DEADLINE_EXCEEDED);
}

static void test_remote_call_to_absent_server_is_unavailable_not_sent(void **state) {
    struct pair *pair = *state;
    const struct herald_channel_options quick = {.connect_timeout_ms = 100};
    struct herald_channel *live = pair->front.downstream;
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    pair->front.downstream = open_downstream(pair, "tcp://127.0.0.1:1", &quick);
    assert_int_equal(update(pair, NULL, &reply, &job), HERALD_UNAVAILABLE);
    assert_int_equal(pair->front.downstream_outcome, HERALD_NOT_SENT);
    herald_reply_clear(&reply);
    herald_channel_close(pair->front.downstream);
    pair->front.downstream = live;
}

static void test_remote_call_drain_ends_it_early(void **state) {
    struct pair *pair = *state;
    struct pending_call call;
    pair->front.downstream_waits = true;
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    request.status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    start_call(pair->channel, herald_job_v1_job_service_update_job_method, &request.base, &call, 60000);
    fixture_await_waiting(&pair->back, 1);
    rpc_server_drain(pair->front.server, 20);
    await_call(&call);
    assert_int_equal(call.reply.error.code, HERALD_UNAVAILABLE);
    herald_reply_clear(&call.reply);
    assert_int_equal(pair->front.downstream_code, HERALD_UNAVAILABLE);
    assert_int_equal(pair->front.downstream_outcome, HERALD_MAYBE_EXECUTED);
    pair->back.open = true;
    assert_true(eventually(back_ended, pair));
}

/* The downstream channel is another one for as long as @with is called: to a peer that keeps what it saw. */
static void with_script(struct pair *pair, const struct herald_channel_options *options,
                        void (*with)(struct pair *pair, struct script *script)) {
    struct herald_channel *live = pair->front.downstream;
    struct script *script = script_open(NULL);
    pair->front.downstream = open_downstream(pair, script->peer.url, options);
    with(pair, script);
    herald_channel_close(pair->front.downstream);
    script_close(script);
    pair->front.downstream = live;
}

static void call_for_user(struct pair *pair, struct script *script) {
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    pair->front.acting_as = "user-9";
    assert_int_equal(update(pair, NULL, &reply, &job), HERALD_OK);
    herald_reply_clear(&reply);
    pair->front.acting_as = NULL;
    const struct script_seen seen = script_seen(script, 0);
    assert_int_equal(seen.auth, 's');
    assert_string_equal(seen.user, "user-9");
}

static void test_remote_call_goes_on_for_the_calls_user(void **state) {
    static const uint8_t key[HERALD_CREDENTIAL_KEY_MIN] = "k";
    struct herald_channel_options options = {0};
    struct herald_error error;
    assert_int_equal(herald_credential_hmac("front", key, sizeof(key), &options.credential, &error), HERALD_OK);
    with_script(*state, &options, call_for_user);
    herald_credential_unref(options.credential);
}

static void call_refused(struct pair *pair, struct script *script) {
    struct herald_reply reply;
    const Herald__Job__V1__Job *job;
    script->code = HERALD_RESOURCE_EXHAUSTED;
    script->reason = "TOO_MANY_CALLS";
    atomic_store(&script->fails, -1);
    assert_int_equal(update(pair, NULL, &reply, &job), HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(reply.error.reason, "DOWNSTREAM_TOO_MANY_CALLS");
    assert_int_equal(pair->front.downstream_outcome, HERALD_EXECUTED);
    herald_reply_clear(&reply);
}

static void test_remote_call_refused_does_not_say_it_of_the_caller(void **state) {
    const struct herald_channel_options options = {.retry = {.max_attempts = 1}};
    with_script(*state, &options, call_refused);
}

static void test_remote_call_time_is_counted_as_downstream(void **state) {
    struct pair *pair = *state;
    struct herald_reply reply;
    const struct herald_call_options options = {.timeout_ms = 100};
    const Herald__Job__V1__Job *job;
    pair->front.downstream_waits = true;
    assert_int_equal(update(pair, &options, &reply, &job), HERALD_DEADLINE_EXCEEDED);
    herald_reply_clear(&reply);
    assert_true(eventually(front_ended, pair));
    assert_in_range(pair->front.downstream_us, 1, 60000000);
    assert_true(eventually(back_ended, pair));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_remote_call_inherits_deadline_id_and_trace),
        TEST(test_remote_call_short_default_beats_long_deadline),
        TEST(test_remote_call_error_passes_with_details),
        TEST(test_remote_call_spent_deadline_ends_both),
        TEST(test_remote_call_to_absent_server_is_unavailable_not_sent),
        TEST(test_remote_call_drain_ends_it_early),
        TEST(test_remote_call_goes_on_for_the_calls_user),
        TEST(test_remote_call_refused_does_not_say_it_of_the_caller),
        TEST(test_remote_call_time_is_counted_as_downstream),
    };
    return cmocka_run_group_tests_name("rpc.remote", tests, NULL, NULL);
}
