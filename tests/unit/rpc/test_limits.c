#include "cmocka_headers.h"
#include "fixture.h"
#include "server/process/watchdog.h"
#include "server/rpc/adaptive.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/least_latency.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/call.h"
#include "server/transport/listener.h"
#include "server/transport/listener_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What calls beyond a limit get: at once, with the setting's name and when to come back. */

static void assert_refused(Herald__Rpc__V1__Response *response, enum herald_code code, const char *reason,
                           const char *part, uint32_t retry_after_ms) {
    assert_non_null(response);
    assert_string_equal(herald_code_name((int)response->code), herald_code_name((int)code));
    assert_string_equal(response->reason, reason);
    if (!strstr(response->message, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", response->message, part);
    }
    assert_int_equal(response->retry_after_ms, retry_after_ms);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void assert_answered(struct raw_link *link, Herald__Rpc__V1__Request request) {
    Herald__Rpc__V1__Response *response = raw_link_call(link, &request);
    assert_string_equal(response->reason, "");
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static Herald__Rpc__V1__Request own_envelope(const char *method) {
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)method;
    return request;
}

static void send_waiting(struct raw_link *link, unsigned count) {
    const Herald__Rpc__V1__Request request = wait_job_envelope();
    for (unsigned i = 0; i < count; i++) {
        (void)raw_send_envelope(link, &request);
    }
}

static struct rpc_method *method_of(const struct fixture *fixture, const char *name) {
    return registry_find(&rpc_server_parts(fixture->server)->registry, name, strlen(name));
}

/* ---- connections ---- */

static struct listener *listener_of(const struct fixture *fixture) {
    return rpc_server_listener(fixture->server, 0);
}

static bool has_free_place(void *arg) {
    const struct fixture *fixture = arg;
    return listener_connection_count(listener_of(fixture)) < fixture->settings.rpc_max_connections;
}

/* The server counts a connection a little after it has greeted. */
static bool has_extra(void *arg) {
    return atomic_load(&listener_of(arg)->peers.extra_count) > 0;
}

static bool has_ended(void *arg) {
    const struct raw_link *link = arg;
    char byte;
    return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* A server with room for two, both of whom are busy. */
static struct fixture *fixture_with_two(struct raw_link links[2]) {
    struct fixture *fixture = fixture_new();
    fixture->settings.rpc_max_connections = 2;
    fixture_listen(fixture);
    for (int i = 0; i < 2; i++) {
        raw_link_open(&links[i], fixture->url);
        send_waiting(&links[i], 1);
    }
    fixture_await_waiting(fixture, 2);
    return fixture;
}

static void end_two(struct fixture *fixture, struct raw_link links[2]) {
    for (int i = 0; i < 2; i++) {
        raw_link_close(&links[i]);
    }
    fixture_free(fixture);
}

static void test_limits_connection_beyond_cap_is_refused_and_closed(void **state) {
    static const char WHY[] = "test-server has its limit of 2 connections (rpc.max_connections)";
    const Herald__Rpc__V1__Request get = get_job_envelope(), once = create_image_job_envelope();
    struct raw_link links[2], extra;
    struct fixture *fixture = fixture_with_two(links);
    struct blockade blockade;
    (void)state;
    if (!fixture_is_native()) {
        begin_blockade(fixture, &blockade); /* refused on arrival: no loop is needed */
    }
    raw_link_open(&extra, fixture->url);
    assert_refused(raw_link_call(&extra, &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS", WHY, 1000);
    assert_refused(raw_link_call(&extra, &once), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS", WHY, 1000);
    assert_true(eventually(has_ended, &extra));
    raw_link_close(&extra);
    assert_probe(fixture->url, "herald.job.v1.JobService/GetJob {\"jobId\":\"" TEST_JOB_ID "\"}",
                 "\"reason\":\"TOO_MANY_CONNECTIONS\",\"retryAfterMs\":1000");
    atomic_store(&blockade.over, true);
    for (int i = 0; i < 2; i++) {
        assert_answered(&links[i], get); /* who is in is served */
    }
    assert_int_equal(fixture->created, 0);
    end_two(fixture, links);
}

static void test_limits_extra_connection_gets_place_that_is_free(void **state) {
    struct raw_link links[2], extra;
    struct fixture *fixture = fixture_with_two(links);
    (void)state;
    raw_link_open(&extra, fixture->url);
    assert_true(eventually(has_extra, fixture));
    raw_link_close(&links[1]);
    assert_true(eventually(has_free_place, fixture));
    assert_answered(&extra, get_job_envelope());
    assert_false(has_free_place(fixture));
    raw_link_open(&links[1], fixture->url);
    const Herald__Rpc__V1__Request get = get_job_envelope();
    assert_refused(raw_link_call(&links[1], &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CONNECTIONS", "", 1000);
    raw_link_close(&extra);
    end_two(fixture, links);
}

struct links {
    struct raw_link *links;
    unsigned count;
};

static unsigned count_ended(const struct links *links) {
    unsigned ended = 0;
    for (unsigned i = 0; i < links->count; i++) {
        ended += has_ended(&links->links[i]);
    }
    return ended;
}

static bool has_one_ended(void *arg) {
    return count_ended(arg) > 0;
}

static void test_limits_connections_beyond_extra_ones_are_closed(void **state) {
    struct raw_link links[2], extras[64];
    struct fixture *fixture = fixture_with_two(links);
    unsigned count = peers_extra_limit(2);
    (void)state;
    assert_in_range(count, 1, 63);
    struct links all = {extras, count + 1};
    uint64_t begin_us = clock_now_us();
    for (unsigned i = 0; i <= count; i++) {
        raw_link_open(&extras[i], fixture->url);
    }
    assert_true(eventually(has_one_ended, &all)); /* which one is for nng's threads to say */
    /* after two seconds without a question the others are closed as well */
    assert_true(count_ended(&all) == 1 || clock_now_us() - begin_us >= 2000000);
    for (unsigned i = 0; i <= count; i++) {
        raw_link_close(&extras[i]);
    }
    end_two(fixture, links);
}

static unsigned refusals_of_create(const struct fixture *fixture) {
    struct rpc_method *method = method_of(fixture, "herald.job.v1.JobService/CreateImageJob");
    return (unsigned)atomic_load(&method->stats.codes[HERALD_RESOURCE_EXHAUSTED]);
}

static bool has_refused_create(void *arg) {
    return refusals_of_create(arg) > 0;
}

/* A method that takes effect once is repeated as well: it did not begin. */
static void test_limits_client_gets_in_when_a_place_is_free(void **state) {
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    struct herald_channel *channel = NULL;
    struct pending_call call;
    struct raw_link links[2];
    struct fixture *fixture = fixture_with_two(links);
    (void)state;
    store.name = (char *)"shop";
    request.event_draft_id = (char *)TEST_JOB_ID;
    request.user_id = (char *)"user-1";
    request.title = (char *)"title";
    request.store_info = &store;
    assert_int_equal(herald_channel_open(fixture->url, NULL, &channel, NULL), HERALD_OK);
    start_call(channel, herald_job_v1_job_service_create_image_job_method, &request.base, &call, 60000);
    assert_true(eventually(has_refused_create, fixture));
    raw_link_close(&links[0]);
    await_call(&call);
    assert_string_equal(call.reply.error.reason, "");
    assert_int_equal(call.reply.error.code, HERALD_OK);
    assert_int_equal(call.reply.attempts, refusals_of_create(fixture) + 1);
    assert_int_equal(fixture->created, 1);
    herald_reply_clear(&call.reply);
    herald_channel_close(channel);
    raw_link_open(&links[0], fixture->url);
    end_two(fixture, links);
}

/* ---- methods ---- */

static void test_limits_method_beyond_cap_is_refused(void **state) {
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request wait = wait_job_envelope();
    struct raw_link link;
    (void)state;
    fixture->settings.rpc_max_in_flight_per_method = 2;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    send_waiting(&link, 2);
    fixture_await_waiting(fixture, 2);
    for (int i = 0; i < 3; i++) {
        assert_refused(raw_link_call(&link, &wait), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_METHOD",
                       "limit of 2 calls of herald.job.v1.JobService/WaitJob in flight (rpc.max_in_flight_per_method)",
                       100);
    }
    assert_probe(fixture->url, "herald.job.v1.JobService/WaitJob {\"jobId\":\"" TEST_JOB_ID "\"}",
                 "TOO_MANY_CALLS_OF_METHOD");
    for (int i = 0; i < 20; i++) {
        assert_answered(&link, get_job_envelope()); /* another method; one at a time is never too many */
    }
    fixture->open = true;
    fixture_await_idle(fixture);
    assert_answered(&link, wait);
    raw_link_close(&link);
    fixture_free(fixture);
}

/* ---- callers ---- */

static void test_limits_connection_counts_as_caller(void **state) {
    struct fixture *fixture = fixture_new();
    Herald__Rpc__V1__Request get = get_job_envelope();
    Herald__Rpc__V1__Auth auth = HERALD__RPC__V1__AUTH__INIT;
    struct blockade blockade;
    struct raw_link link, other;
    (void)state;
    auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    auth.bearer = (char *)"x";
    fixture->settings.rpc_max_in_flight_per_connection = 2;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    raw_link_open(&other, fixture->url);
    for (int i = 0; i < 20; i++) {
        assert_answered(&link, get);
    }
    send_waiting(&link, 2);
    fixture_await_waiting(fixture, 2);
    assert_refused(
        raw_link_call(&link, &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER",
        "the connection has its limit of 2 calls in flight on test-server (rpc.max_in_flight_per_connection)", 100);
    assert_answered(&other, get);
    if (!fixture_is_native()) {
        begin_blockade(fixture, &blockade); /* refused on arrival: no loop is needed */
    }
    assert_refused(raw_link_call(&link, &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER",
                   "the connection has its limit of 2 calls", 100);
    atomic_store(&blockade.over, true);
    get.auth = &auth; /* nobody looks at it: the connection counts all the same */
    assert_refused(raw_link_call(&link, &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER",
                   "the connection has its limit of 2 calls", 100);
    get.auth = NULL;
    assert_answered(&link, own_envelope("herald.rpc.v1.Health/Check"));
    assert_answered(&link, own_envelope("herald.rpc.v1.Introspection/GetInfo"));
    fixture->open = true;
    fixture_await_idle(fixture);
    assert_answered(&link, get);
    raw_link_close(&link);
    raw_link_close(&other);
    fixture_free(fixture);
}

/* ---- methods that wait ---- */

/* Many connections whose long polls last for a minute: every other call finds a place. */
static void test_limits_long_polls_leave_places_for_other_calls(void **state) {
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request wait = wait_job_envelope(), get = get_job_envelope();
    struct raw_link links[2], other;
    (void)state;
    fixture->settings.rpc_max_in_flight = 8;
    fixture->settings.rpc_waiting_share = 50;
    fixture_listen(fixture);
    raw_link_open(&other, fixture->url);
    for (int i = 0; i < 2; i++) {
        raw_link_open(&links[i], fixture->url);
        send_waiting(&links[i], 2);
    }
    fixture_await_waiting(fixture, 4);
    for (int i = 0; i < 10; i++) {
        assert_refused(raw_link_call(&links[0], &wait), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS",
                       "limit of 4 calls in flight of methods that wait (rpc.waiting_share of rpc.max_in_flight)",
                       1000);
        assert_answered(&links[0], get);
        assert_answered(&other, get);
        assert_answered(&other, create_image_job_envelope());
    }
    assert_probe(fixture->url, "herald.job.v1.JobService/WaitJob {\"jobId\":\"" TEST_JOB_ID "\"}", "rpc.waiting_share");
    fixture->open = true;
    fixture_await_idle(fixture);
    assert_answered(&links[0], wait);
    for (int i = 0; i < 2; i++) {
        raw_link_close(&links[i]);
    }
    raw_link_close(&other);
    fixture_free(fixture);
}

static void test_limits_connection_has_a_share_of_long_polls(void **state) {
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request wait = wait_job_envelope(), get = get_job_envelope();
    struct raw_link link, other;
    (void)state;
    fixture->settings.rpc_max_in_flight = 16;
    fixture->settings.rpc_waiting_share = 50;
    fixture->settings.rpc_max_in_flight_per_connection = 4;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    raw_link_open(&other, fixture->url);
    send_waiting(&link, 2);
    fixture_await_waiting(fixture, 2);
    assert_refused(raw_link_call(&link, &wait), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER",
                   "the connection has its limit of 2 calls in flight of methods that wait on test-server", 100);
    assert_answered(&link, get);
    send_waiting(&other, 2);
    fixture_await_waiting(fixture, 4);
    raw_link_close(&other); /* its calls are cancelled, and their places free */
    fixture_await_waiting(fixture, 2);
    fixture->open = true;
    fixture_await_idle(fixture);
    assert_answered(&link, wait);
    raw_link_close(&link);
    fixture_free(fixture);
}

/* The bearer token is the caller's name. */
static enum herald_code name_caller(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                    struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    if (head->auth && head->auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_BEARER) {
        snprintf(call->context.caller, sizeof(call->context.caller), "%s", head->auth->bearer);
    }
    return HERALD_OK;
}

static void test_limits_known_caller_counts_on_all_connections(void **state) {
    struct fixture *fixture = fixture_new();
    const struct rpc_interceptor interceptor = {.name = "caller", .on_head = name_caller};
    Herald__Rpc__V1__Auth auth = HERALD__RPC__V1__AUTH__INIT;
    Herald__Rpc__V1__Request wait = wait_job_envelope(), get = get_job_envelope();
    struct raw_link link, other;
    struct herald_error error;
    (void)state;
    fixture->settings.rpc_max_in_flight_per_caller = 2;
    fixture_start(fixture);
    assert_int_equal(rpc_server_intercept(fixture->server, &interceptor, &error), HERALD_OK);
    fixture_open(fixture);
    raw_link_open(&link, fixture->url);
    raw_link_open(&other, fixture->url);
    auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    auth.bearer = (char *)"shop";
    wait.auth = get.auth = &auth;
    (void)raw_send_envelope(&link, &wait);
    (void)raw_send_envelope(&other, &wait);
    fixture_await_waiting(fixture, 2);
    assert_refused(raw_link_call(&link, &get), HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS_OF_CALLER",
                   "the caller \"shop\" has its limit of 2 calls in flight", 100);
    auth.bearer = (char *)"bank";
    assert_answered(&link, get);
    auth.bearer = (char *)"shop";
    fixture->open = true;
    fixture_await_idle(fixture);
    for (int i = 0; i < 20; i++) {
        assert_answered(&link, get);
    }
    raw_link_close(&link);
    raw_link_close(&other);
    fixture_free(fixture);
}

/* ---- the queue of a loop ---- */

static void hold_for_us(struct blockade *blockade, uint64_t us) {
    uint64_t end_us = clock_now_us() + us;
    while (clock_now_us() < end_us) {
        usleep(1000);
    }
    atomic_store(&blockade->over, true);
}

/* Asks no loop, as fixture_in_flight() would. */
static bool one_has_arrived(void *arg) {
    const struct fixture *fixture = arg;
    return atomic_load(&rpc_server_parts(fixture->server)->in_flight.count) == 1;
}

static void test_limits_call_that_waited_too_long_is_refused(void **state) {
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request get = get_job_envelope();
    struct blockade blockade;
    struct raw_link link;
    (void)state;
    fixture->settings.rpc_max_queue_ms = 20;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    assert_answered(&link, get);
    begin_blockade(fixture, &blockade);
    uint32_t sent = raw_send_envelope(&link, &get);
    assert_true(eventually(one_has_arrived, fixture)); /* another thread may answer the next one first */
    assert_answered(&link, own_envelope("herald.rpc.v1.Health/Check")); /* needs no loop */
    hold_for_us(&blockade, 25000);
    assert_refused(raw_receive(&link, sent, 10000), HERALD_RESOURCE_EXHAUSTED, "QUEUE_TIMEOUT", "rpc.max_queue_ms = 20",
                   100);
    assert_answered(&link, get);
    raw_link_close(&link);
    fixture_free(fixture);
}

static void test_limits_queue_without_limit_waits_for_its_deadline(void **state) {
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = fixture_new();
    Herald__Rpc__V1__Request get = get_job_envelope();
    struct blockade blockade;
    struct raw_link link;
    (void)state;
    fixture->settings.rpc_max_queue_ms = 0;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    begin_blockade(fixture, &blockade);
    get.timeout_ms = 10;
    uint32_t spent = raw_send_envelope(&link, &get);
    get.timeout_ms = 60000;
    uint32_t patient = raw_send_envelope(&link, &get);
    assert_answered(&link, own_envelope("herald.rpc.v1.Health/Check"));
    hold_for_us(&blockade, 15000);
    assert_refused(raw_receive(&link, spent, 10000), HERALD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "10 ms were spent",
                   0);
    Herald__Rpc__V1__Response *response = raw_receive(&link, patient, 10000);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    raw_link_close(&link);
    fixture_free(fixture);
}

/* ---- the adaptive limit ---- */

#define MOST 8u

/* Threads of nng take the messages of one connection side by side, so the last one may overtake the others. */
static bool most_wait(void *arg) {
    const struct adaptive *adaptive = arg;
    return atomic_load(&adaptive->waiting) == MOST;
}

static void test_limits_waiting_calls_beyond_adaptive_limit_are_refused(void **state) {
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = fixture_new();
    const Herald__Rpc__V1__Request get = get_job_envelope(), wait = wait_job_envelope();
    struct blockade blockade;
    struct raw_link link;
    uint32_t sent[MOST];
    (void)state;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    for (unsigned i = 0; i < 3 * MOST; i++) {
        (void)raw_send_envelope(&link, &wait); /* these have begun: they do not count */
    }
    fixture_await_waiting(fixture, 3 * MOST);
    struct adaptive *adaptive = &method_of(fixture, "herald.job.v1.JobService/GetJob")->adaptive[ADAPTIVE_ANONYMOUS];
    atomic_store(&adaptive->limit, MOST);
    begin_blockade(fixture, &blockade);
    for (unsigned i = 0; i < MOST; i++) {
        sent[i] = raw_send_envelope(&link, &get);
    }
    assert_true(eventually(most_wait, adaptive));
    assert_answered(&link, own_envelope("herald.rpc.v1.Health/Check"));
    assert_refused(raw_link_call(&link, &get), HERALD_RESOURCE_EXHAUSTED, "LIMIT_REACHED",
                   "8 calls of herald.job.v1.JobService/GetJob wait for their turn, as many as now may "
                   "(rpc.adaptive_limit)",
                   100);
    atomic_store(&blockade.over, true);
    for (unsigned i = 0; i < MOST; i++) {
        Herald__Rpc__V1__Response *response = raw_receive(&link, sent[i], 10000);
        assert_non_null(response);
        assert_int_equal(response->code, HERALD_OK);
        herald__rpc__v1__response__free_unpacked(response, NULL);
    }
    assert_answered(&link, get);
    raw_link_close(&link);
    fixture_free(fixture);
}

static void test_adaptive_limit_follows_the_gradient(void **state) {
    static const struct {
        uint32_t limit;
        uint64_t mean_us;
        uint32_t most, next;
    } ROWS[] = {
        {1000, 0, 4096, 1031},                          /* room: + sqrt */
        {1000, 5000, 4096, 1031},                       /* at the target: it still probes */
        {1000, 6250, 4096, 831},                        /* 0.8 */
        {1000, 10000, 4096, 531},                       /* 0.5 */
        {1000, 500000, 4096, 531},                      /* never less than a half at once */
        {4096, 0, 4096, 4096},                          /* the most */
        {100, 50000, 4096, 64},                         /* the floor */
        {64, 50000, 4096, 64},     {16, 50000, 16, 16}, /* a floor above the most is none */
        {10, 50000, 16, 16},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        assert_int_equal(adaptive_next_limit(ROWS[i].limit, ROWS[i].mean_us, ROWS[i].most), ROWS[i].next);
    }
}

/* A window of @count calls that waited for @waited_us each. */
static void pass_window(struct adaptive *adaptive, uint64_t *now_us, unsigned count, uint64_t waited_us) {
    *now_us += ADAPTIVE_WINDOW_US;
    for (unsigned i = 0; i < count; i++) {
        assert_true(adaptive_enter(adaptive, *now_us));
        adaptive_begin(adaptive, waited_us, *now_us);
    }
}

static void test_adaptive_limit_changes_at_the_end_of_a_window_only(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    pass_window(&adaptive, &now_us, 1, 0); /* opens the first window */
    for (unsigned i = 0; i < 100; i++) {
        assert_true(adaptive_enter(&adaptive, now_us));
        adaptive_begin(&adaptive, 20000, now_us + 1);
    }
    assert_int_equal(adaptive.limit, 4096);
    pass_window(&adaptive, &now_us, 1, 20000);
    assert_int_equal(adaptive.limit, 4096 / 2 + 64);
    assert_int_equal(adaptive.waiting, 0);
}

static void test_adaptive_limit_is_lowered_from_the_number_that_wait(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 16384);
    pass_window(&adaptive, &now_us, 1, 0);
    for (int i = 0; i < 2500; i++) {
        assert_true(adaptive_enter(&adaptive, now_us));
    }
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN, 20000);
    assert_int_equal(adaptive.limit, 2500 / 2 + 50);
    assert_false(adaptive_enter(&adaptive, now_us));
}

static void test_adaptive_limit_bears_a_queue_that_a_window_ends(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    pass_window(&adaptive, &now_us, 1, 0);
    for (int i = 0; i < 10; i++) {
        assert_true(adaptive_enter(&adaptive, now_us));
    }
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN, 20000); /* fewer wait than have begun */
    assert_int_equal(adaptive.limit, 4096 / 2 + 64);
    for (int i = 0; i < 100; i++) {
        assert_true(adaptive_enter(&adaptive, now_us));
    }
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN, ADAPTIVE_TARGET_US); /* more, but not for long */
    assert_int_equal(adaptive.limit, 2112 + 45);
}

static void test_adaptive_limit_of_a_long_method_bears_longer_waits(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    adaptive_set_deadline(&adaptive, 70000);
    pass_window(&adaptive, &now_us, 1, 0);
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN, 1400000);
    assert_int_equal(adaptive.limit, 4096);
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN, 2800000);
    assert_int_equal(adaptive.limit, 4096 / 2 + 64);
    adaptive_init(&adaptive, 4096);
    adaptive_set_deadline(&adaptive, 5000);
    assert_int_equal(adaptive.patience, 1);
}

static void test_adaptive_limit_needs_samples(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    pass_window(&adaptive, &now_us, 1, 0);
    pass_window(&adaptive, &now_us, ADAPTIVE_SAMPLES_MIN - 1, 50000);
    assert_int_equal(adaptive.limit, 4096);
    pass_window(&adaptive, &now_us, 1, 50000);
    assert_int_equal(adaptive.limit, 4096 / 2 + 64);
}

static void test_adaptive_limit_settles_and_recovers(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    /* A server of 20 calls a millisecond whose queue is always full: each waits for limit / 20 ms. */
    for (int i = 0; i < 50; i++) {
        pass_window(&adaptive, &now_us, 20, adaptive.limit * 1000 / 20);
    }
    assert_in_range(adaptive.limit, 80, 130); /* 100: 5 ms */
    for (int i = 0; i < 150; i++) {
        pass_window(&adaptive, &now_us, 20, 100);
    }
    assert_int_equal(adaptive.limit, 4096);
}

static void test_adaptive_limit_is_forgotten_when_nobody_calls(void **state) {
    struct adaptive adaptive;
    uint64_t now_us = 1000000;
    (void)state;
    adaptive_init(&adaptive, 4096);
    for (int i = 0; i < 50; i++) {
        pass_window(&adaptive, &now_us, 20, 1000000);
    }
    assert_int_equal(adaptive.limit, ADAPTIVE_FLOOR);
    now_us += ADAPTIVE_WINDOW_US + ADAPTIVE_IDLE_US - 1;
    assert_true(adaptive_enter(&adaptive, now_us)); /* not yet; and this one waits from now on */
    assert_int_equal(adaptive.limit, ADAPTIVE_FLOOR);
    assert_true(adaptive_enter(&adaptive, now_us + ADAPTIVE_IDLE_US));
    assert_int_equal(adaptive.limit, ADAPTIVE_FLOOR);
    adaptive_leave(&adaptive);
    adaptive_leave(&adaptive);
    assert_true(adaptive_enter(&adaptive, now_us + 1));
    assert_int_equal(adaptive.limit, 4096);
}

static void test_adaptive_place_is_given_back(void **state) {
    struct adaptive adaptive;
    (void)state;
    adaptive_init(&adaptive, 2);
    assert_true(adaptive_enter(&adaptive, 0));
    assert_true(adaptive_enter(&adaptive, 0));
    assert_false(adaptive_enter(&adaptive, 0));
    assert_false(adaptive_enter(&adaptive, 0));
    adaptive_leave(&adaptive);
    assert_true(adaptive_enter(&adaptive, 0));
    assert_false(adaptive_enter(&adaptive, 0));
}

/* ---- calls that cannot finish in time ---- */

static void test_least_latency_needs_samples_and_forgets(void **state) {
    struct least_latency least = {0};
    uint64_t now_us = 5 * LEAST_LATENCY_WINDOW_US;
    (void)state;
    assert_int_equal(least_latency_us(&least, now_us), 0);
    for (unsigned i = 0; i < LEAST_LATENCY_SAMPLES_MIN - 1; i++) {
        least_latency_note(&least, 1000 + i, now_us);
    }
    assert_int_equal(least_latency_us(&least, now_us), 0);
    least_latency_note(&least, 2000, now_us);
    assert_int_equal(least_latency_us(&least, now_us), 1000);
    least_latency_note(&least, 700, now_us + LEAST_LATENCY_WINDOW_US); /* the next window: both count */
    assert_int_equal(least_latency_us(&least, now_us + LEAST_LATENCY_WINDOW_US), 700);
    now_us += 2 * LEAST_LATENCY_WINDOW_US; /* the first one is forgotten: one sample is left */
    assert_int_equal(least_latency_us(&least, now_us), 0);
    for (unsigned i = 0; i < LEAST_LATENCY_SAMPLES_MIN; i++) {
        least_latency_note(&least, 900, now_us);
    }
    assert_int_equal(least_latency_us(&least, now_us), 700);
    assert_int_equal(least_latency_us(&least, now_us + 5 * LEAST_LATENCY_WINDOW_US), 0);
}

static void test_limits_call_that_cannot_finish_is_not_begun(void **state) {
    struct fixture *fixture = fixture_new();
    Herald__Rpc__V1__Request get = get_job_envelope(), create = create_image_job_envelope();
    struct raw_link link;
    (void)state;
    fixture->get_delay_ms = 30;
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    get.timeout_ms = 10; /* nothing is known yet: it is tried */
    assert_refused(raw_link_call(&link, &get), HERALD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", 0);
    get.timeout_ms = 60000;
    uint32_t sent[LEAST_LATENCY_SAMPLES_MIN];
    for (unsigned i = 0; i < LEAST_LATENCY_SAMPLES_MIN; i++) {
        sent[i] = raw_send_envelope(&link, &get);
        if (i % 8 != 7) {
            continue;
        }
        for (unsigned j = i - 7; j <= i; j++) {
            herald__rpc__v1__response__free_unpacked(raw_receive(&link, sent[j], 10000), NULL);
        }
    }
    get.timeout_ms = 10;
    assert_refused(raw_link_call(&link, &get), HERALD_DEADLINE_EXCEEDED, "CANNOT_FINISH_IN_TIME",
                   "its quickest call of late took", 0);
    get.timeout_ms = 60000;
    assert_answered(&link, get);
    create.timeout_ms = 10000;
    assert_answered(&link, create);
    raw_link_close(&link);
    fixture_free(fixture);
}

int main(void) {
    watchdog_enable(false); /* its connections would count */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_connection_beyond_cap_is_refused_and_closed),
        cmocka_unit_test(test_limits_extra_connection_gets_place_that_is_free),
        cmocka_unit_test(test_limits_connections_beyond_extra_ones_are_closed),
        cmocka_unit_test(test_limits_client_gets_in_when_a_place_is_free),
        cmocka_unit_test(test_limits_method_beyond_cap_is_refused),
        cmocka_unit_test(test_limits_long_polls_leave_places_for_other_calls),
        cmocka_unit_test(test_limits_connection_has_a_share_of_long_polls),
        cmocka_unit_test(test_limits_connection_counts_as_caller),
        cmocka_unit_test(test_limits_known_caller_counts_on_all_connections),
        cmocka_unit_test(test_limits_call_that_waited_too_long_is_refused),
        cmocka_unit_test(test_limits_queue_without_limit_waits_for_its_deadline),
        cmocka_unit_test(test_limits_waiting_calls_beyond_adaptive_limit_are_refused),
        cmocka_unit_test(test_adaptive_limit_follows_the_gradient),
        cmocka_unit_test(test_adaptive_limit_changes_at_the_end_of_a_window_only),
        cmocka_unit_test(test_adaptive_limit_is_lowered_from_the_number_that_wait),
        cmocka_unit_test(test_adaptive_limit_bears_a_queue_that_a_window_ends),
        cmocka_unit_test(test_adaptive_limit_of_a_long_method_bears_longer_waits),
        cmocka_unit_test(test_adaptive_limit_needs_samples),
        cmocka_unit_test(test_adaptive_limit_settles_and_recovers),
        cmocka_unit_test(test_adaptive_limit_is_forgotten_when_nobody_calls),
        cmocka_unit_test(test_adaptive_place_is_given_back),
        cmocka_unit_test(test_least_latency_needs_samples_and_forgets),
        cmocka_unit_test(test_limits_call_that_cannot_finish_is_not_begun),
    };
    return cmocka_run_group_tests_name("rpc.limits", tests, NULL, NULL);
}
