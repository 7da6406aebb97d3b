#include "cmocka_headers.h"
#include "fixture.h"
#include "hangup.h"
#include "herald/rpc/v1/calls.pb-c.h"
#include "herald/rpc/v1/introspection.client.h"
#include "server/process/watchdog.h"
#include "server/runtime/call.h"
#include "server/transport/listener.h"

#include <stdlib.h>
#include <string.h>

/* Calls whose client goes away, or says that it does not wait any more. */

static void assert_goes_on(struct fixture *fixture) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    Herald__Rpc__V1__Response *response = raw_link_call(&link, &request);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    raw_link_close(&link);
}

static uint32_t send_with_ticket(struct raw_link *link, Herald__Rpc__V1__Request request, uint64_t ticket) {
    Herald__Rpc__V1__Attempt attempt = HERALD__RPC__V1__ATTEMPT__INIT;
    attempt.ticket = ticket;
    request.attempt = &attempt;
    return raw_send_envelope(link, &request);
}

static Herald__Rpc__V1__Request cancel_envelope(uint8_t payload[16], uint64_t ticket) {
    Herald__Rpc__V1__CancelRequest cancel = HERALD__RPC__V1__CANCEL_REQUEST__INIT;
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    cancel.ticket = ticket;
    request.method = (char *)"herald.rpc.v1.Calls/Cancel";
    request.payload.data = payload;
    request.payload.len = herald__rpc__v1__cancel_request__pack(&cancel, payload);
    return request;
}

static bool cancel_ticket(struct raw_link *link, uint64_t ticket) {
    uint8_t payload[16];
    const Herald__Rpc__V1__Request request = cancel_envelope(payload, ticket);
    Herald__Rpc__V1__Response *response = raw_link_call(link, &request);
    assert_int_equal(response->code, HERALD_OK);
    Herald__Rpc__V1__CancelResponse *answer =
        herald__rpc__v1__cancel_response__unpack(NULL, response->payload.len, response->payload.data);
    bool found = answer->found;
    herald__rpc__v1__cancel_response__free_unpacked(answer, NULL);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    return found;
}

static void expect_reply(struct raw_link *link, uint32_t sent, enum herald_code code, const char *reason) {
    Herald__Rpc__V1__Response *response = raw_receive(link, sent, 10000);
    assert_non_null(response);
    assert_string_equal(herald_code_name((int)response->code), herald_code_name((int)code));
    assert_string_equal(response->reason, reason);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

/* ---- a client that hangs up ---- */

static void check_hang_up_ends(struct fixture *fixture) {
    Herald__Rpc__V1__Request request = wait_job_envelope();
    struct raw_link link, other;
    raw_link_open(&link, fixture->url);
    raw_link_open(&other, fixture->url);
    for (int i = 0; i < 5; i++) {
        (void)raw_send_envelope(&link, &request);
    }
    uint32_t lasting = raw_send_envelope(&other, &request);
    fixture_await_waiting(fixture, 6);
    raw_link_close(&link);
    fixture_await_waiting(fixture, 1); /* the other client's call goes on */
    assert_string_equal(herald_code_name(fixture->last_code), "CANCELLED");
    assert_true(cancel_ticket(&other, 1) == false); /* it has no ticket */
    (void)lasting;
    raw_link_close(&other);
    fixture_await_waiting(fixture, 0);
    assert_goes_on(fixture);
}

static void test_cancel_hang_up_ends_sleeping_calls_of_that_client_only(void **state) {
    check_hang_up_ends(*state);
}

static void test_cancel_hang_up_ends_calls_that_wait_for_a_completion(void **state) {
    struct fixture *fixture = *state;
    fixture->wait_completes = true;
    check_hang_up_ends(fixture);
}

static bool has_created(void *arg) {
    struct fixture *fixture = arg;
    return atomic_load(&fixture->created) == 1;
}

static void test_cancel_hang_up_leaves_once_method_to_its_end(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request once = create_image_job_envelope(), wait = wait_job_envelope();
    struct raw_link link;
    fixture->create_waits = true;
    raw_link_open(&link, fixture->url);
    (void)raw_send_envelope(&link, &once);
    (void)raw_send_envelope(&link, &wait);
    fixture_await_waiting(fixture, 2);
    raw_link_close(&link);
    fixture_await_waiting(fixture, 1); /* both have been told */
    assert_false(has_created(fixture));
    fixture->open = true;
    assert_true(eventually(has_created, fixture));
    assert_string_equal(herald_code_name(fixture->last_create_code), "OK");
    assert_goes_on(fixture);
}

/* ---- calls that have not begun ---- */

static bool has_no_connection(void *arg) {
    const struct fixture *fixture = arg;
    return listener_connection_count(rpc_server_listener(fixture->server, 0)) == 0;
}

static void test_cancel_hang_up_drops_calls_that_have_not_begun(void **state) {
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = *state;
    struct blockade blockade;
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    begin_blockade(fixture, &blockade);
    for (int i = 0; i < 5; i++) {
        (void)send_with_ticket(&link, get_job_envelope(), 0);
    }
    (void)send_with_ticket(&link, create_image_job_envelope(), 0);
    (void)cancel_ticket(&link, 1); /* its answer says that the others have come */
    raw_link_close(&link);
    assert_true(eventually(has_no_connection, fixture));
    atomic_store(&blockade.over, true);
    assert_true(eventually(has_created, fixture)); /* it takes effect once: it goes on */
    assert_goes_on(fixture);
    assert_int_equal(fixture->got, 1); /* that last one */
}

struct ticket_wish {
    struct raw_link *link;
    uint64_t ticket;
};

static bool is_ticket_cancelled(void *arg) {
    const struct ticket_wish *wish = arg;
    return cancel_ticket(wish->link, wish->ticket);
}

static void test_cancel_by_ticket_before_the_call_begins(void **state) {
    SKIP_WITHOUT_OTHER_THREADS();
    struct fixture *fixture = *state;
    struct blockade blockade;
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    begin_blockade(fixture, &blockade);
    uint32_t sent = send_with_ticket(&link, get_job_envelope(), 9);
    /* nng hands both to threads of its own: the first cancellation may overtake the call. */
    assert_true(eventually(is_ticket_cancelled, &(struct ticket_wish){&link, 9}));
    atomic_store(&blockade.over, true);
    expect_reply(&link, sent, HERALD_CANCELLED, "CANCELLED");
    assert_int_equal(fixture->got, 0);
    raw_link_close(&link);
    assert_goes_on(fixture);
}

/* ---- Calls/Cancel ---- */

static void test_cancel_by_ticket_ends_that_call_only(void **state) {
    struct fixture *fixture = *state;
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    uint32_t first = send_with_ticket(&link, wait_job_envelope(), 7);
    uint32_t second = send_with_ticket(&link, wait_job_envelope(), UINT64_MAX);
    fixture_await_waiting(fixture, 2);
    assert_true(cancel_ticket(&link, 7));
    expect_reply(&link, first, HERALD_CANCELLED, "CANCELLED");
    fixture_await_waiting(fixture, 1);
    assert_false(cancel_ticket(&link, 7)); /* it has ended */
    assert_true(cancel_ticket(&link, UINT64_MAX));
    expect_reply(&link, second, HERALD_CANCELLED, "CANCELLED");
    raw_link_close(&link);
    assert_goes_on(fixture);
}

static void test_cancel_ticket_of_other_connection_is_not_found(void **state) {
    struct fixture *fixture = *state;
    struct raw_link link, other;
    raw_link_open(&link, fixture->url);
    raw_link_open(&other, fixture->url);
    uint32_t sent = send_with_ticket(&link, wait_job_envelope(), 7);
    fixture_await_waiting(fixture, 1);
    assert_false(cancel_ticket(&other, 7));
    assert_false(cancel_ticket(&link, 8));
    fixture->open = true;
    expect_reply(&link, sent, HERALD_OK, "");
    raw_link_close(&link);
    raw_link_close(&other);
}

static void test_cancel_once_method_is_found_and_goes_on(void **state) {
    struct fixture *fixture = *state;
    struct raw_link link;
    fixture->create_waits = true;
    raw_link_open(&link, fixture->url);
    uint32_t once = send_with_ticket(&link, create_image_job_envelope(), 1);
    uint32_t wait = send_with_ticket(&link, wait_job_envelope(), 2);
    fixture_await_waiting(fixture, 2);
    assert_true(cancel_ticket(&link, 1));
    assert_true(cancel_ticket(&link, 2));
    expect_reply(&link, wait, HERALD_CANCELLED, "CANCELLED");
    fixture->open = true;
    expect_reply(&link, once, HERALD_OK, "");
    raw_link_close(&link);
}

static void test_cancel_ticket_zero_is_invalid(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)"herald.rpc.v1.Calls/Cancel";
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, &request);
    assert_int_equal(response->code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(response->reason, "INVALID_FIELD");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_cancel_probe_ends_with_its_connection(void **state) {
    struct fixture *fixture = *state;
    static const char TEXT[] =
        "{\"method\":\"herald.job.v1.JobService/WaitJob\",\"request\":{\"jobId\":\"" TEST_JOB_ID "\"}}";
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    (void)raw_send(&link, TEXT, sizeof(TEXT) - 1);
    fixture_await_waiting(fixture, 1);
    raw_link_close(&link);
    fixture_await_waiting(fixture, 0);
    assert_string_equal(herald_code_name(fixture->last_code), "CANCELLED");
}

/* ---- storms ---- */

struct storm {
    struct fixture *fixture;
    pthread_t thread;
    unsigned rounds;
};

/* Hangs up at every moment of a call's life, cancels some of them before. */
static void *run_storm(void *arg) {
    struct storm *storm = arg;
    for (unsigned round = 0; round < storm->rounds; round++) {
        struct raw_link link;
        uint8_t payload[16];
        const Herald__Rpc__V1__Request cancel = cancel_envelope(payload, 2);
        raw_link_open(&link, storm->fixture->url);
        for (unsigned i = 0; i < 4 + round % 5; i++) {
            (void)send_with_ticket(&link, i % 2 ? wait_job_envelope() : get_job_envelope(), i + 1);
        }
        if (round % 3 == 0) {
            (void)raw_send_envelope(&link, &cancel);
        }
        if (round % 4 == 0) { /* a reply: the calls have begun */
            herald__rpc__v1__response__free_unpacked(raw_receive(&link, 1, 10000), NULL);
        }
        raw_link_close(&link);
    }
    return NULL;
}

static void test_cancel_storm_of_hang_ups_loses_no_reply_of_others(void **state) {
    enum { STORMS = 3, ROUNDS = 60, CALLS = 300 };
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    struct storm storms[STORMS];
    struct raw_link link;
    raw_link_open(&link, fixture->url);
    for (int i = 0; i < STORMS; i++) {
        storms[i] = (struct storm){.fixture = fixture, .rounds = ROUNDS};
        assert_int_equal(pthread_create(&storms[i].thread, NULL, run_storm, &storms[i]), 0);
    }
    for (int i = 0; i < CALLS; i++) {
        Herald__Rpc__V1__Response *response = raw_link_call(&link, &request);
        assert_int_equal(response->code, HERALD_OK);
        herald__rpc__v1__response__free_unpacked(response, NULL);
    }
    for (int i = 0; i < STORMS; i++) {
        assert_int_equal(pthread_join(storms[i].thread, NULL), 0);
    }
    raw_link_close(&link);
    fixture_await_idle(fixture);
    assert_goes_on(fixture);
}

int main(void) {
    watchdog_enable(false); /* its connections would count */
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
        TEST(test_cancel_hang_up_ends_sleeping_calls_of_that_client_only),
        TEST(test_cancel_hang_up_ends_calls_that_wait_for_a_completion),
        TEST(test_cancel_hang_up_leaves_once_method_to_its_end),
        TEST(test_cancel_hang_up_drops_calls_that_have_not_begun),
        TEST(test_cancel_by_ticket_before_the_call_begins),
        TEST(test_cancel_by_ticket_ends_that_call_only),
        TEST(test_cancel_ticket_of_other_connection_is_not_found),
        TEST(test_cancel_once_method_is_found_and_goes_on),
        TEST(test_cancel_ticket_zero_is_invalid),
        TEST(test_cancel_probe_ends_with_its_connection),
        TEST(test_cancel_storm_of_hang_ups_loses_no_reply_of_others),
    };
    return cmocka_run_group_tests_name("rpc.cancel", tests, NULL, NULL);
}
