#include "herald/job/v1/job.client.h"
#include "tests/unit/client/peer.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests that are delivered once, and replies that come late, or with the end of their connection. */

#define LATE_CALLS  300
#define LATE_ROUNDS 3

static struct herald_channel *open_channel(const char *url) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    assert_int_equal(herald_channel_open(url, NULL, &channel, &error), HERALD_OK);
    return channel;
}

/* CreateImageJob has the effect ONCE: the client library never repeats it either. */
static enum herald_outcome create_job(struct herald_channel *channel) {
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    const struct herald_call_options options = {.timeout_ms = 20000};
    struct herald_reply reply;
    (void)herald_call(channel, herald_job_v1_job_service_create_image_job_method, &request.base, &options, &reply);
    enum herald_outcome outcome = reply.outcome;
    herald_reply_clear(&reply);
    return outcome;
}

/* Closes the connections of the first requests, as many as *user says, and answers the others. */
static enum peer_action close_first(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    const Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    const Herald__Job__V1__CreateImageJobResponse payload = HERALD__JOB__V1__CREATE_IMAGE_JOB_RESPONSE__INIT;
    (void)request;
    if (atomic_load(&peer->received) < *(int *)peer->user) {
        return PEER_HANG_UP;
    }
    peer_append_response(reply, &response, &payload.base);
    return PEER_REPLY;
}

/* What nng would send again goes out as soon as the connection is back: before the next call. */
static void test_replies_request_of_closed_connection_is_delivered_once(void **state) {
    int to_close = 5;
    struct peer peer;
    (void)state;
    peer_open(&peer, "tcp://127.0.0.1:0", close_first, &to_close);
    struct herald_channel *channel = open_channel(peer.url);
    for (int i = 1; i <= to_close; i++) {
        assert_int_equal(create_job(channel), HERALD_MAYBE_EXECUTED);
        assert_int_equal(atomic_load(&peer.received), i);
    }
    assert_int_equal(create_job(channel), HERALD_EXECUTED);
    assert_int_equal(atomic_load(&peer.received), to_close + 1);
    herald_channel_close(channel);
    peer_close(&peer);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    fixture_listen(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    return 0;
}

static void expect_own_reply(struct herald_channel *channel, int number) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    struct herald_reply reply;
    char job_id[40];
    snprintf(job_id, sizeof(job_id), "0190b5a0-7d2e-7c3a-9f00-%012x", (unsigned)number);
    request.job_id = job_id;
    assert_int_equal(herald_job_v1_job_service_get_job(channel, &request, NULL, &reply, &response), HERALD_OK);
    assert_string_equal(response->job->job_id, job_id);
    herald_reply_clear(&reply);
}

/* The server answers at the deadline, which is when the client stops waiting: each call ends once, and what comes too
 * late reaches no other call. */
static void test_replies_at_the_deadline_disturb_nobody(void **state) {
    struct fixture *fixture = *state;
    struct pending_call *calls = calloc(LATE_CALLS, sizeof(*calls));
    struct herald_channel *channel = open_channel(fixture->url);
    expect_own_reply(channel, 0); /* connected: else the first calls may end for want of a connection */
    for (int round = 0; round < LATE_ROUNDS; round++) {
        for (int i = 0; i < LATE_CALLS; i++) {
            start_wait_job(channel, &calls[i], 20 + (uint32_t)i % 7);
        }
        expect_own_reply(channel, round);
        for (int i = 0; i < LATE_CALLS; i++) {
            await_call(&calls[i]);
            assert_int_equal(calls[i].reply.error.code, HERALD_DEADLINE_EXCEEDED);
            herald_reply_clear(&calls[i].reply);
        }
        for (int i = 0; i < 10; i++) {
            expect_own_reply(channel, round * 10 + i);
        }
    }
    herald_channel_close(channel);
    free(calls);
}

/* The server ends, with its connections, while calls wait in it: each of them ends, and says that it may have run. */
static void test_replies_of_ending_server_are_not_taken_for_unsent(void **state) {
    enum { CALLS = 50 };
    struct fixture *fixture = *state;
    struct pending_call *calls = calloc(CALLS, sizeof(*calls));
    struct herald_channel *channel = open_channel(fixture->url);
    for (int i = 0; i < CALLS; i++) {
        start_wait_job(channel, &calls[i], 30000);
    }
    fixture_await_waiting(fixture, CALLS);
    rpc_server_drain(fixture->server, 0);
    for (int i = 0; i < CALLS; i++) {
        await_call(&calls[i]);
        assert_int_not_equal(calls[i].reply.error.code, HERALD_OK);
        assert_int_not_equal(calls[i].reply.outcome, HERALD_NOT_SENT);
        herald_reply_clear(&calls[i].reply);
    }
    herald_channel_close(channel);
    free(calls);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_request_of_closed_connection_is_delivered_once),
        cmocka_unit_test_setup_teardown(test_replies_at_the_deadline_disturb_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replies_of_ending_server_are_not_taken_for_unsent, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("transport.replies", tests, NULL, NULL);
}
