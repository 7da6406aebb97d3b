#include "herald/json.h"
#include "herald/unpack.h"
#include "server/rpc/probe_text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/rpc/fixture.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

/*
 * A whole server with handlers that run: each input is a message of a client, and gets its answer. Slower than
 * fuzz_envelope.c, which looks at the reading alone.
 */

#define ANSWER_TIMEOUT_MS 20000

static struct fixture fixture;
static nng_socket client;
static const struct herald_message_schema *response_schema;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct herald_error error;
    (void)argc;
    (void)argv;
    setenv("HERALD_LOG_LEVEL", "error", 0);
    fixture_init(&fixture);
    fixture.open = true; /* nobody waits */
    fixture_start(&fixture);
    fuzz_require(rpc_server_listen(fixture.server, "inproc://fuzz-server", &error) == HERALD_OK, "it listens");
    struct herald_channel *itself;
    fuzz_require(herald_channel_open("inproc://fuzz-server", NULL, &itself, &error) == HERALD_OK, "it can call itself");
    fixture.downstream = itself;
    response_schema = herald_schema_find_message("herald.rpc.v1.Response");
    bool ready = nng_req0_open(&client) == 0 &&
                 nng_socket_set_ms(client, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0 &&
                 nng_socket_set_size(client, NNG_OPT_RECVMAXSZ, 1u << 20) == 0 &&
                 nng_socket_set_ms(client, NNG_OPT_RECVTIMEO, ANSWER_TIMEOUT_MS) == 0 &&
                 nng_socket_set_ms(client, NNG_OPT_SENDTIMEO, ANSWER_TIMEOUT_MS) == 0 &&
                 nng_dial(client, "inproc://fuzz-server", NULL, 0) == 0;
    fuzz_require(ready, "the client is connected");
    return 0;
}

/* @text  the request may be answered in JSON; @probe  it must be */
static void check_answer(bool text, bool probe, const uint8_t *data, size_t bytes) {
    struct herald_error error;
    ProtobufCMessage *response = NULL;
    bool json = bytes > 0 && data[0] == '{';
    fuzz_require(json ? text || probe : !probe, "a probe gets JSON, an envelope an envelope");
    if (json) {
        return;
    }
    fuzz_require(herald_unpack(response_schema, NULL, data, bytes, &response, &error) == HERALD_OK,
                 "the answer is a Response");
    fuzz_check_message(response_schema, response);
    protobuf_c_message_free_unpacked(response, NULL);
}

/* Failpoints are there to end the process, and log levels would flood it. */
static bool is_spared(const uint8_t *data, size_t bytes) {
    return memmem(data, bytes, "Failpoint", 9) != NULL || memmem(data, bytes, "LogLevel", 8) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    nng_msg *msg = NULL;
    if (is_spared(data, bytes)) {
        return -1;
    }
    fuzz_require(nng_msg_alloc(&msg, bytes) == 0, "there is memory");
    if (bytes > 0) {
        memcpy(nng_msg_body(msg), data, bytes);
    }
    fuzz_require(nng_sendmsg(client, msg, 0) == 0, "the server takes every message");
    fuzz_require(nng_recvmsg(client, &msg, 0) == 0, "the server answers every message");
    check_answer(probe_is_text(data, bytes), probe_is(data, bytes), nng_msg_body(msg), nng_msg_len(msg));
    nng_msg_free(msg);
    return 0;
}
