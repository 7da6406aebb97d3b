#include "client/src/stream_shim.h"
#include "cmocka_headers.h"
#include "fixture.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

/* Thousands of damaged messages: each is answered, and the server goes on. The seed is fixed: a failure comes again. */

#define ROUNDS        3000
#define MESSAGE_BYTES 512u

struct sender {
    struct fixture fixture;
    nng_socket socket;
    uint64_t random;
};

static int set_up(void **state) {
    struct sender *sender = calloc(1, sizeof(*sender));
    fixture_init(&sender->fixture);
    sender->fixture.settings.rpc_loops = 2;
    sender->fixture.open = true;
    fixture_listen(&sender->fixture);
    sender->random = 20240229;
    herald_stream_shim_install(); /* for the client here: a server of the native engine needs none */
    assert_int_equal(nng_req0_open(&sender->socket), 0);
    assert_int_equal(nng_socket_set_ms(sender->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(sender->socket, NNG_OPT_RECVTIMEO, 10000), 0);
    assert_int_equal(nng_dial(sender->socket, sender->fixture.url, NULL, 0), 0);
    *state = sender;
    return 0;
}

static int tear_down(void **state) {
    struct sender *sender = *state;
    nng_close(sender->socket);
    fixture_stop(&sender->fixture);
    free(sender);
    return 0;
}

/* xorshift64 */
static uint32_t next_random(struct sender *sender, uint32_t below) {
    sender->random ^= sender->random << 13;
    sender->random ^= sender->random >> 7;
    sender->random ^= sender->random << 17;
    return (uint32_t)(sender->random >> 16) % below;
}

static void send_and_expect_reply(struct sender *sender, const uint8_t *bytes, size_t count) {
    nng_msg *message = NULL;
    assert_int_equal(nng_msg_alloc(&message, count), 0);
    memcpy(nng_msg_body(message), bytes, count);
    assert_int_equal(nng_sendmsg(sender->socket, message, 0), 0);
    assert_int_equal(nng_recvmsg(sender->socket, &message, 0), 0);
    assert_true(nng_msg_len(message) > 0);
    nng_msg_free(message);
}

/* Changes, cuts, doubles or inserts a few bytes. */
static size_t damage(struct sender *sender, uint8_t *bytes, size_t count) {
    for (uint32_t left = 1 + next_random(sender, 4); left > 0; left--) {
        size_t at = next_random(sender, (uint32_t)count);
        switch (next_random(sender, 4)) {
        case 0:
            bytes[at] = (uint8_t)next_random(sender, 256);
            break;
        case 1:
            bytes[at] = (uint8_t)(bytes[at] ^ (1u << next_random(sender, 8)));
            break;
        case 2:
            count = at + 1;
            break;
        default:
            if (count < MESSAGE_BYTES) {
                memmove(bytes + at + 1, bytes + at, count - at);
                bytes[at] = (uint8_t)next_random(sender, 256);
                count++;
            }
        }
    }
    return count;
}

static void check_damaged(struct sender *sender, const uint8_t *good, size_t good_count) {
    uint8_t bytes[MESSAGE_BYTES];
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(bytes, good, good_count);
        send_and_expect_reply(sender, bytes, damage(sender, bytes, good_count));
    }
}

static void test_garbage_damaged_envelopes_are_answered(void **state) {
    uint8_t bytes[MESSAGE_BYTES];
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
    Herald__Rpc__V1__Metadata *pairs[] = {&pair};
    Herald__Rpc__V1__Request request = get_job_envelope();
    pair.key = (char *)"key";
    request.metadata = pairs;
    request.n_metadata = 1;
    request.call_id = (char *)TEST_JOB_ID;
    request.timeout_ms = 1000;
    check_damaged(*state, bytes, herald__rpc__v1__request__pack(&request, bytes));
}

static void test_garbage_damaged_inline_envelopes_are_answered(void **state) {
    uint8_t bytes[MESSAGE_BYTES];
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)"herald.rpc.v1.Reflection/ListServices";
    check_damaged(*state, bytes, herald__rpc__v1__request__pack(&request, bytes));
}

static void test_garbage_damaged_probes_are_answered(void **state) {
    static const char *const PROBES[] = {
        "herald.job.v1.JobService/GetJob {\"jobId\":\"" TEST_JOB_ID "\"}",
        "{\"method\":\"herald.job.v1.JobService/GetJob\",\"request\":{\"jobId\":\"" TEST_JOB_ID "\"},\"timeoutMs\":9}",
        "describe herald.job.v1.GetJobRequest",
    };
    for (size_t i = 0; i < sizeof(PROBES) / sizeof(*PROBES); i++) {
        check_damaged(*state, (const uint8_t *)PROBES[i], strlen(PROBES[i]));
    }
}

static void test_garbage_random_bytes_are_answered(void **state) {
    struct sender *sender = *state;
    uint8_t bytes[MESSAGE_BYTES];
    for (int i = 0; i < ROUNDS; i++) {
        size_t count = next_random(sender, MESSAGE_BYTES);
        for (size_t at = 0; at < count; at++) {
            bytes[at] = (uint8_t)next_random(sender, 256);
        }
        send_and_expect_reply(sender, bytes, count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_garbage_damaged_envelopes_are_answered),
        TEST(test_garbage_damaged_inline_envelopes_are_answered),
        TEST(test_garbage_damaged_probes_are_answered),
        TEST(test_garbage_random_bytes_are_answered),
    };
    return cmocka_run_group_tests_name("rpc.garbage", tests, NULL, NULL);
}
