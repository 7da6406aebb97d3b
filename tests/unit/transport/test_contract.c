#include "tests/unit/client/peer.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"
#include "tests/unit/transport/contract.h"

#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How client and server use nng, looked at from between them and the library: see contract.h. */

#define CALLS 64

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    contract_reset();
    fixture_init(fixture);
    fixture->settings.rpc_max_in_flight = CALLS / 2; /* the others are refused by spare contexts */
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    assert_int_equal(contract_violations(), 0);
    return 0;
}

static struct herald_channel *open_channel(const char *url) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    assert_int_equal(herald_channel_open(url, NULL, &channel, &error), HERALD_OK);
    return channel;
}

static void await_all(struct pending_call *calls) {
    for (int i = 0; i < CALLS; i++) {
        await_call(&calls[i]);
        herald_reply_clear(&calls[i].reply);
    }
}

static void call_blocking(struct herald_channel *channel) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_reply reply;
    request.job_id = (char *)TEST_JOB_ID;
    assert_int_equal(herald_call(channel, herald_job_v1_job_service_get_job_method, &request.base, NULL, &reply),
                     HERALD_OK);
    herald_reply_clear(&reply);
}

static void test_contract_calls_of_all_kinds_keep_it(void **state) {
    struct fixture *fixture = *state;
    struct pending_call *calls = calloc(CALLS, sizeof(*calls));
    fixture_listen(fixture);
    struct herald_channel *channel = open_channel(fixture->url);
    call_blocking(channel);
    for (int i = 0; i < CALLS; i++) { /* some end in time, some run out of it, some are refused */
        start_wait_job(channel, &calls[i], i % 2 == 0 ? 200 : 10000);
    }
    fixture_await_waiting(fixture, CALLS / 2);
    await_call(&calls[0]);
    fixture->open = true;
    await_all(calls);
    for (int i = 0; i < CALLS; i++) { /* the channel is closed while they wait */
        start_wait_job(channel, &calls[i], 10000);
    }
    herald_channel_close(channel);
    await_all(calls);
    free(calls);
    struct contract_seen seen = contract_seen();
    assert_true(seen.req_sockets >= 1 && seen.rep_sockets >= 1 && seen.dialers >= 1 && seen.listeners >= 1);
    assert_true(seen.contexts > CALLS && seen.sends > CALLS && seen.receives > CALLS / 2 && seen.callbacks > CALLS);
}

static enum peer_action hang_up(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    (void)peer, (void)request, (void)reply;
    return PEER_HANG_UP;
}

static void test_contract_lost_connections_keep_it(void **state) {
    struct pending_call call;
    struct peer peer;
    fixture_start(*state);
    peer_open(&peer, "tcp://127.0.0.1:0", hang_up, NULL);
    contract_reset(); /* the peer's way to use nng is its own */
    struct herald_channel *channel = open_channel(peer.url);
    for (int i = 0; i < 8; i++) {
        start_wait_job(channel, &call, 5000);
        await_call(&call);
        assert_int_equal(call.reply.outcome, HERALD_MAYBE_EXECUTED);
        herald_reply_clear(&call.reply);
    }
    herald_channel_close(channel);
    assert_int_equal(contract_violations(), 0);
    peer_close(&peer);
}

static bool has_checked(void *user) {
    (void)user;
    struct contract_seen seen = contract_seen();
    return seen.req_sockets >= 2 && seen.dialers >= 2;
}

/* The watchdog's sockets are made anew for each check. */
static void test_contract_watchdog_keeps_it(void **state) {
    fixture_listen(*state);
    assert_true(eventually(has_checked, NULL));
}

/* The library in use is the one whose headers were compiled in: work-arounds are chosen by them. */
static void test_contract_library_is_the_one_compiled_for(void **state) {
    char expected[32];
    snprintf(expected, sizeof(expected), "%d.%d.", NNG_MAJOR_VERSION, NNG_MINOR_VERSION);
    fixture_start(*state);
    if (strncmp(nng_version(), expected, strlen(expected)) != 0) {
        fail_msg("compiled for nng %s, running with %s", expected, nng_version());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_contract_calls_of_all_kinds_keep_it),
        TEST(test_contract_lost_connections_keep_it),
        TEST(test_contract_watchdog_keeps_it),
        TEST(test_contract_library_is_the_one_compiled_for),
    };
    return cmocka_run_group_tests_name("transport.contract", tests, NULL, NULL);
}
