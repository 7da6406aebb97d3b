#include "cmocka_headers.h"
#include "fixture.h"
#include "herald/rpc/v1/introspection.client.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/call.h"

#include <stdlib.h>
#include <string.h>

/* Many calls at once, more than allowed, and the end of a server. */

static struct herald_channel *open_channel(const struct fixture *fixture) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    const struct herald_channel_options options = {.overload_percent = UINT32_MAX,
                                                   .retry = {.max_attempts = 1}}; /* each refusal is looked at */
    assert_int_equal(herald_channel_open(fixture->url, &options, &channel, &error), HERALD_OK);
    return channel;
}

static enum herald_code call_get_job(struct herald_channel *channel, struct herald_reply *reply) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    request.job_id = (char *)TEST_JOB_ID;
    return herald_job_v1_job_service_get_job(channel, &request, NULL, reply, &response);
}

static void assert_get_job_works(struct herald_channel *channel) {
    struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
    assert_int_equal(call_get_job(channel, &reply), HERALD_OK);
    herald_reply_clear(&reply);
}

static void start_waiting(struct herald_channel *channel, struct pending_call *calls, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        start_wait_job(channel, &calls[i], 60000);
    }
}

static void await_all(struct pending_call *calls, unsigned count, enum herald_code code) {
    for (unsigned i = 0; i < count; i++) {
        await_call(&calls[i]);
        assert_string_equal(herald_code_name((int)calls[i].reply.error.code), herald_code_name((int)code));
        assert_int_equal(calls[i].reply.outcome, HERALD_EXECUTED);
        herald_reply_clear(&calls[i].reply);
    }
}

static void check_waiting_calls(unsigned loops) {
    enum { COUNT = 200 };
    struct fixture *fixture = fixture_new();
    fixture->settings.rpc_loops = loops;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call *calls = calloc(COUNT, sizeof(*calls));
    start_waiting(channel, calls, COUNT);
    fixture_await_waiting(fixture, COUNT);
    assert_get_job_works(channel); /* nobody is in its way */
    fixture->open = true;
    await_all(calls, COUNT, HERALD_OK);
    herald_channel_close(channel);
    free(calls);
    fixture_free(fixture);
}

static void test_load_two_hundred_calls_wait_on_one_loop(void **state) {
    (void)state;
    check_waiting_calls(1);
}

static void test_load_two_hundred_calls_wait_on_four_loops(void **state) {
    (void)state;
    check_waiting_calls(4);
}

/* Looks at a loop's kept calls, on its thread. */
struct look {
    struct loop_work work; /* first */
    const struct rpc_loop *loop;
    atomic_int idle; /* -1: it has not looked yet */
};

static void on_look(struct loop_work *work) {
    struct look *look = (struct look *)work;
    atomic_store(&look->idle, (int)look->loop->idle_count);
}

static bool has_looked(void *arg) {
    return atomic_load(&((struct look *)arg)->idle) >= 0;
}

static int count_idle(struct rpc_loop *loop) {
    struct look look = {.work.run = on_look, .loop = loop, .idle = -1};
    loop_post(loop->loop, &look.work);
    assert_true(eventually(has_looked, &look));
    return look.idle;
}

static bool few_are_kept(void *arg) {
    return count_idle(arg) <= 32;
}

static void test_load_memory_of_a_burst_is_given_back(void **state) {
    enum { COUNT = 200 };
    struct fixture *fixture = fixture_new();
    struct pending_call calls[COUNT];
    (void)state;
    fixture->settings.rpc_loops = 1;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct rpc_loop *loop = &rpc_server_parts(fixture->server)->loops.all[0];
    start_waiting(channel, calls, COUNT);
    fixture_await_waiting(fixture, COUNT);
    assert_int_equal(count_idle(loop), 0);
    fixture->open = true;
    await_all(calls, COUNT, HERALD_OK);
    assert_true(eventually(few_are_kept, loop));
    assert_get_job_works(channel);
    herald_channel_close(channel);
    fixture_free(fixture);
}

/* A loop takes a connection as a whole with the native engine, else calls one by one. */
static void test_load_loops_share_the_calls(void **state) {
    enum { CHANNELS = 4, COUNT = 40 };
    struct fixture *fixture = fixture_new();
    struct herald_channel *channels[CHANNELS];
    struct pending_call calls[COUNT];
    unsigned used = fixture_is_native() ? CHANNELS : 1;
    (void)state;
    fixture->settings.rpc_loops = 4;
    fixture_listen(fixture);
    for (unsigned i = 0; i < used; i++) {
        channels[i] = open_channel(fixture);
        start_waiting(channels[i], calls + i * (COUNT / used), COUNT / used);
    }
    fixture_await_waiting(fixture, COUNT);
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(loop_task_count(fixture->loops[i]), 8, 12);
    }
    fixture->open = true;
    await_all(calls, COUNT, HERALD_OK);
    for (unsigned i = 0; i < used; i++) {
        herald_channel_close(channels[i]);
    }
    fixture_free(fixture);
}

static void test_load_call_beyond_limit_is_refused_at_once(void **state) {
    enum { LIMIT = 8 };
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture->settings.rpc_max_in_flight = LIMIT;
    fixture->settings.rpc_spare_contexts = 4;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call calls[LIMIT];
    start_waiting(channel, calls, LIMIT);
    fixture_await_waiting(fixture, LIMIT);
    for (int i = 0; i < 50; i++) {
        struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
        assert_int_equal(call_get_job(channel, &reply), HERALD_RESOURCE_EXHAUSTED);
        assert_int_equal(reply.outcome, HERALD_EXECUTED);
        assert_string_equal(reply.error.reason, "TOO_MANY_CALLS");
        assert_int_equal(reply.error.retry_after_ms, 100);
        assert_non_null(strstr(reply.error.message, "rpc.max_in_flight"));
        herald_reply_clear(&reply);
    }
    fixture->open = true;
    await_all(calls, LIMIT, HERALD_OK);
    assert_get_job_works(channel);
    herald_channel_close(channel);
    fixture_free(fixture);
}

static void test_load_overloaded_server_still_tells_its_health(void **state) {
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture->settings.rpc_max_in_flight = 1;
    fixture->settings.rpc_spare_contexts = 1;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call call;
    start_waiting(channel, &call, 1);
    fixture_await_waiting(fixture, 1);
    Herald__Rpc__V1__GetInfoRequest request = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    const Herald__Rpc__V1__GetInfoResponse *info = NULL;
    struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
    assert_int_equal(herald_rpc_v1_introspection_get_info(channel, &request, NULL, &reply, &info), HERALD_OK);
    assert_int_equal(info->calls_in_flight, 1);
    assert_int_equal(info->calls_in_flight_limit, 1);
    herald_reply_clear(&reply);
    fixture->open = true;
    await_all(&call, 1, HERALD_OK);
    herald_channel_close(channel);
    fixture_free(fixture);
}

static void test_load_burst_beyond_limit_answers_everybody(void **state) {
    enum { COUNT = 300 };
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture->settings.rpc_max_in_flight = 16;
    fixture->settings.rpc_spare_contexts = 2;
    fixture->settings.rpc_loops = 2;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call *calls = calloc(COUNT, sizeof(*calls));
    start_waiting(channel, calls, COUNT);
    fixture_await_waiting(fixture, 16);
    fixture->open = true;
    unsigned served = 0, refused = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        await_call(&calls[i]);
        enum herald_code code = calls[i].reply.error.code;
        served += code == HERALD_OK;
        refused += code == HERALD_RESOURCE_EXHAUSTED;
        herald_reply_clear(&calls[i].reply);
    }
    assert_int_equal(served + refused, COUNT);
    assert_in_range(served, 16, COUNT);
    herald_channel_close(channel);
    free(calls);
    fixture_free(fixture);
}

static void test_load_spent_deadline_ends_the_wait(void **state) {
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call call;
    uint64_t start_us = clock_now_us();
    start_wait_job(channel, &call, 200);
    await_call(&call);
    assert_int_equal(call.reply.error.code, HERALD_DEADLINE_EXCEEDED);
    assert_in_range(clock_now_us() - start_us, 150000, 5000000);
    herald_reply_clear(&call.reply);
    fixture_await_waiting(fixture, 0); /* the handler has ended too */
    assert_int_equal(fixture->last_code, HERALD_DEADLINE_EXCEEDED);
    assert_get_job_works(channel);
    herald_channel_close(channel);
    fixture_free(fixture);
}

/* ---- drain ---- */

struct drainer {
    struct fixture *fixture;
    uint32_t drain_ms;
    pthread_t thread;
    atomic_bool done;
};

static void *drain(void *arg) {
    struct drainer *drainer = arg;
    rpc_server_drain(drainer->fixture->server, drainer->drain_ms);
    drainer->done = true;
    return NULL;
}

/* Starts a drain and waits until new calls are refused. */
static void start_drain(struct drainer *drainer, struct fixture *fixture, uint32_t drain_ms,
                        struct herald_channel *channel) {
    *drainer = (struct drainer){.fixture = fixture, .drain_ms = drain_ms};
    assert_int_equal(pthread_create(&drainer->thread, NULL, drain, drainer), 0);
    for (int i = 0;; i++) {
        struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
        enum herald_code code = call_get_job(channel, &reply);
        char reason[64];
        memcpy(reason, reply.error.reason, sizeof(reason));
        herald_reply_clear(&reply);
        assert_in_range(i, 0, 10000);
        if (code == HERALD_OK) {
            continue;
        }
        assert_int_equal(code, HERALD_UNAVAILABLE);
        assert_string_equal(reason, "DRAINING");
        return;
    }
}

static void test_drain_waits_for_running_calls(void **state) {
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call calls[3];
    start_waiting(channel, calls, 3);
    fixture_await_waiting(fixture, 3);
    struct drainer drainer;
    start_drain(&drainer, fixture, 60000, channel);
    assert_false(drainer.done);
    fixture->open = true;
    await_all(calls, 3, HERALD_OK);
    assert_int_equal(pthread_join(drainer.thread, NULL), 0);
    herald_channel_close(channel);
    fixture_free(fixture);
}

static void test_drain_time_over_cancels_running_calls(void **state) {
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture->settings.rpc_loops = 2;
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture);
    struct pending_call calls[3];
    start_waiting(channel, calls, 3);
    fixture_await_waiting(fixture, 3);
    rpc_server_drain(fixture->server, 50);
    await_all(calls, 3, HERALD_UNAVAILABLE);
    assert_int_equal(fixture->last_code, HERALD_UNAVAILABLE);
    herald_channel_close(channel);
    fixture_free(fixture);
}

static void test_drain_idle_server_is_quick(void **state) {
    struct fixture *fixture = fixture_new();
    (void)state;
    fixture_listen(fixture);
    uint64_t start_us = clock_now_us();
    rpc_server_drain(fixture->server, 60000);
    assert_in_range(clock_now_us() - start_us, 0, 5000000);
    fixture_free(fixture);
}

/* ---- very many that wait ---- */

#ifdef __SANITIZE_THREAD__
#define VERY_MANY 1000u /* TSan makes each coroutine a fiber, at a millisecond and more */
#else
#define VERY_MANY 10000u
#endif

static void on_counted_end(void *user, struct herald_reply *reply) {
    herald_reply_clear(reply);
    atomic_fetch_add((atomic_uint *)user, 1);
}

/* With the default limits of the channel and of the server, but for those that a burst of all at once would meet. */
static void test_load_very_many_calls_wait_on_one_channel(void **state) {
    struct fixture *fixture = fixture_new();
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    const struct herald_call_options options = {.timeout_ms = 600000};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    atomic_uint ended = 0;
    (void)state;
    request.job_id = (char *)TEST_JOB_ID;
    fixture->settings.rpc_max_in_flight_per_connection = 0;
    fixture->settings.rpc_adaptive_limit = false;
    fixture->wait_completes = true;
    fixture_listen(fixture);
    assert_int_equal(herald_channel_open(fixture->url, NULL, &channel, &error), HERALD_OK);
    for (unsigned i = 0; i < VERY_MANY; i++) {
        assert_int_equal(herald_call_start(channel, herald_job_v1_job_service_wait_job_method, &request.base, &options,
                                           on_counted_end, &ended, NULL, &error),
                         HERALD_OK);
    }
    fixture_await_waiting(fixture, VERY_MANY);
    assert_int_equal(ended, 0);
    assert_probe(fixture->url, "herald.job.v1.JobService/GetJob {\"jobId\":\"" TEST_JOB_ID "\"}", "\"job\":");
    herald_channel_close(channel);
    assert_int_equal(ended, VERY_MANY);
    fixture_await_waiting(fixture, 0);
    fixture_free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_very_many_calls_wait_on_one_channel),
        cmocka_unit_test(test_load_two_hundred_calls_wait_on_one_loop),
        cmocka_unit_test(test_load_two_hundred_calls_wait_on_four_loops),
        cmocka_unit_test(test_load_memory_of_a_burst_is_given_back),
        cmocka_unit_test(test_load_loops_share_the_calls),
        cmocka_unit_test(test_load_call_beyond_limit_is_refused_at_once),
        cmocka_unit_test(test_load_overloaded_server_still_tells_its_health),
        cmocka_unit_test(test_load_burst_beyond_limit_answers_everybody),
        cmocka_unit_test(test_load_spent_deadline_ends_the_wait),
        cmocka_unit_test(test_drain_waits_for_running_calls),
        cmocka_unit_test(test_drain_time_over_cancels_running_calls),
        cmocka_unit_test(test_drain_idle_server_is_quick),
    };
    return cmocka_run_group_tests_name("rpc.load", tests, NULL, NULL);
}
