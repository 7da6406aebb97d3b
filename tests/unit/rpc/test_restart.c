#include "client/message/signature.h"
#include "cmocka_headers.h"
#include "fixture.h"
#include "process.h"
#include "tests/support/loopback.h"
#include "tests/unit/auth/auth_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Servers that end and begin anew at the same address, and who signs calls to them. The program is program.c. */

#define CALLERS    "[caller event]\nkey.e = " KEY_A "\nmethods = *\nact_for = any\n"
#define PATIENCE_S 20

static int set_up(void **state) {
    (void)state;
    setenv("HERALD_AUTH_REQUIRED", "true", 1);
    setenv("HERALD_AUTH_KEY_ID", "e", 1);
    setenv("HERALD_AUTH_KEY_FILE", write_file("own.key", KEY_A "\n"), 1);
    setenv("HERALD_AUTH_CALLERS_FILE", write_file("callers.ini", CALLERS), 1);
    unsetenv("PROGRAM_MODE");
    return 0;
}

/* A server's address stays the same over its processes. */
struct address {
    char url[32];
    struct process *process;
};

static void start_at(struct address *address) {
    setenv("HERALD_JOB_URL", address->url, 1);
    address->process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(address->process, "server.listening");
}

static void start_first(struct address *address) {
    loopback_url("tcp", address->url);
    start_at(address);
}

static void drain(struct address *address) {
    kill(address->process->pid, SIGTERM);
    expect_end(address->process, 0, "server.stopped");
}

static void kill_hard(struct address *address) {
    kill(address->process->pid, SIGKILL);
    await_end(address->process);
    assert_int_equal(waitpid(address->process->pid, NULL, 0), address->process->pid);
    close(address->process->output_fd);
    free(address->process);
}

/* ---- the same bytes again ---- */

struct signed_bytes {
    uint8_t data[1024];
    size_t count;
};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sign(Herald__Rpc__V1__Request *envelope, struct signed_bytes *ret_bytes) {
    static uint8_t nonce[16];
    uint8_t mac[HERALD_SIGNATURE_BYTES];
    struct auth_key key = key_of('A');
    Herald__Rpc__V1__Signature signature = HERALD__RPC__V1__SIGNATURE__INIT;
    Herald__Rpc__V1__Auth auth = HERALD__RPC__V1__AUTH__INIT;
    nonce[0]++;
    signature.key_id = (char *)"e";
    signature.time_ms = wall_ms();
    signature.nonce = (ProtobufCBinaryData){sizeof(nonce), nonce};
    signature.user = (char *)"user-1";
    const struct herald_signed_parts parts = {
        .key_id = signature.key_id,
        .time_ms = signature.time_ms,
        .nonce = nonce,
        .nonce_bytes = sizeof(nonce),
        .method = envelope->method,
        .method_bytes = strlen(envelope->method),
        .user = signature.user,
        .idempotency_key = envelope->idempotency_key,
        .payload = envelope->payload.data,
        .payload_bytes = envelope->payload.len,
    };
    assert_true(herald_signature_compute(&parts, key.bytes, key.count, mac));
    signature.mac = (ProtobufCBinaryData){sizeof(mac), mac};
    auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_SIGNATURE;
    auth.signature = &signature;
    envelope->auth = &auth;
    assert_true(herald__rpc__v1__request__get_packed_size(envelope) <= sizeof(ret_bytes->data));
    ret_bytes->count = herald__rpc__v1__request__pack(envelope, ret_bytes->data);
    envelope->auth = NULL;
}

static void expect(const struct address *address, const struct signed_bytes *bytes, int code, const char *reason) {
    herald__rpc__v1__response__free_unpacked(expect_response(address->url, bytes->data, bytes->count, code, reason),
                                             NULL);
}

/* The server reads two clocks, each in whole milliseconds. */
#define CLOCK_ERROR_MS 2

static bool wall_is_at(void *arg) {
    return wall_ms() >= *(int64_t *)arg;
}

/* Signs and sends as a client does that is told to sign anew; the bytes that were taken. */
static struct signed_bytes call_signed(const struct address *address) {
    struct signed_bytes bytes;
    int64_t until_ms = wall_ms() + PATIENCE_S * 1000;
    for (;;) {
        Herald__Rpc__V1__Request envelope = create_image_job_envelope();
        sign(&envelope, &bytes);
        struct raw_reply reply = raw_call(address->url, bytes.data, bytes.count, PATIENCE_S * 1000);
        assert_int_equal(reply.failure, 0);
        Herald__Rpc__V1__Response *response = herald__rpc__v1__response__unpack(NULL, reply.count, reply.bytes);
        assert_non_null(response);
        bool early = strcmp(response->reason, "SIGNED_BEFORE_START") == 0;
        if (!early) {
            assert_int_equal(response->code, HERALD__RPC__V1__CODE__OK);
        }
        int64_t again_ms = wall_ms() + response->retry_after_ms + CLOCK_ERROR_MS;
        herald__rpc__v1__response__free_unpacked(response, NULL);
        raw_reply_clear(&reply);
        if (!early) {
            return bytes;
        }
        assert_true(eventually(wall_is_at, &again_ms));
        assert_true(wall_ms() < until_ms);
    }
}

static void expect_not_taken_again(const struct address *address, const struct signed_bytes *bytes) {
    expect(address, bytes, HERALD__RPC__V1__CODE__UNAVAILABLE, "SIGNED_BEFORE_START");
    (void)call_signed(address);
    expect(address, bytes, HERALD__RPC__V1__CODE__UNAVAILABLE, "SIGNED_BEFORE_START");
}

static void test_restart_does_not_take_what_its_predecessor_took(void **state) {
    struct address address;
    (void)state;
    start_first(&address);
    struct signed_bytes bytes = call_signed(&address);
    expect(&address, &bytes, HERALD__RPC__V1__CODE__UNAUTHENTICATED, "REPLAYED");
    kill_hard(&address);
    start_at(&address);
    expect_not_taken_again(&address, &bytes);
    bytes = call_signed(&address);
    drain(&address);
    start_at(&address);
    expect_not_taken_again(&address, &bytes);
    drain(&address);
}

static void test_restart_by_executing_itself_does_not_take_what_it_took_before(void **state) {
    struct address address;
    (void)state;
    setenv("PROGRAM_MODE", "hung", 1);
    start_first(&address);
    struct signed_bytes bytes = call_signed(&address), hanging;
    uint8_t payload[128];
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = wait_job_envelope();
    request.job_id = (char *)TEST_JOB_ID;
    request.wait_ms = 100;
    envelope.payload = (ProtobufCBinaryData){herald__job__v1__wait_job_request__pack(&request, payload), payload};
    sign(&envelope, &hanging);
    expect(&address, &hanging, HERALD__RPC__V1__CODE__OK, "");
    const char *replaced = await_output(address.process, "server.replacing");
    (void)await_output_after(address.process, replaced, "server.listening");
    expect_not_taken_again(&address, &bytes);
    drain(&address);
}

/* ---- a client that goes on ---- */

#define CALLERS_COUNT 6
#define RESTARTS      4

struct load {
    struct herald_channel *channel;
    struct address addresses[2];
    size_t count;
    atomic_uint served[2]; /* calls, by address */
    atomic_bool over;
    atomic_uint bad;
    char first_bad[256];
    pthread_mutex_t lock;
};

static void note_bad(struct load *load, const struct herald_error *error) {
    pthread_mutex_lock(&load->lock);
    if (atomic_fetch_add(&load->bad, 1) == 0) {
        snprintf(load->first_bad, sizeof(load->first_bad), "%.40s: %.200s", error->reason, error->message);
    }
    pthread_mutex_unlock(&load->lock);
}

static enum herald_outcome call_with_key(struct load *load, const char *key, struct herald_error *ret_error) {
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    const Herald__Job__V1__CreateImageJobResponse *response = NULL;
    const struct herald_call_options options = {.timeout_ms = PATIENCE_S * 1000, .idempotency_key = key};
    struct herald_reply reply = {0};
    store.name = (char *)"s";
    request.store_info = &store;
    request.event_draft_id = (char *)TEST_JOB_ID;
    request.user_id = (char *)"u-1";
    request.title = (char *)"t";
    herald_job_v1_job_service_create_image_job(load->channel, &request, &options, &reply, &response);
    enum herald_outcome outcome = reply.outcome;
    *ret_error = reply.error;
    for (size_t i = 0; i < load->count && reply.error.code == HERALD_OK; i++) {
        atomic_fetch_add(&load->served[i], strcmp(reply.url, load->addresses[i].url) == 0);
    }
    herald_reply_clear(&reply);
    return outcome;
}

/* A ONCE call. One whose reply was lost with its connection is the caller's to repeat, with its key. */
static void *go_on_calling(void *arg) {
    struct load *load = arg;
    while (!atomic_load(&load->over)) {
        char key[37];
        struct herald_error error;
        herald_uuid7(key);
        enum herald_outcome outcome;
        do {
            outcome = call_with_key(load, key, &error);
        } while (outcome == HERALD_MAYBE_EXECUTED);
        if (error.code != HERALD_OK) {
            note_bad(load, &error);
        }
    }
    return NULL;
}

struct more {
    struct load *load;
    size_t index;
    unsigned wanted;
};

static bool has_served_more(void *arg) {
    const struct more *more = arg;
    return atomic_load(&more->load->served[more->index]) >= more->wanted || atomic_load(&more->load->bad) > 0;
}

/* Until the client uses the server: only then may another one end, as whoever restarts servers in turn has to see to.
 */
static void await_more_at(struct load *load, size_t index) {
    struct more more = {load, index, atomic_load(&load->served[index]) + 2 * CALLERS_COUNT};
    assert_true(eventually(has_served_more, &more));
}

static void open_signing_channel(struct load *load) {
    struct auth_key key = key_of('A');
    struct herald_channel_options options = {.connect_timeout_ms = PATIENCE_S * 1000, .health_check_ms = 20};
    char urls[256] = "";
    for (size_t i = 0; i < load->count; i++) {
        snprintf(urls + strlen(urls), sizeof(urls) - strlen(urls), "%s%s", i ? "," : "", load->addresses[i].url);
    }
    assert_int_equal(herald_credential_hmac("e", key.bytes, key.count, &options.credential, NULL), HERALD_OK);
    assert_int_equal(herald_channel_open(urls, &options, &load->channel, NULL), HERALD_OK);
    herald_credential_unref(options.credential);
}

/* @end  how a server ends */
static void restart_under_load(size_t count, void (*end)(struct address *address)) {
    struct load load = {.count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[CALLERS_COUNT];
    for (size_t i = 0; i < count; i++) {
        start_first(&load.addresses[i]);
    }
    open_signing_channel(&load);
    for (int i = 0; i < CALLERS_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, go_on_calling, &load), 0);
    }
    for (size_t i = 0; i < count; i++) {
        await_more_at(&load, i);
    }
    for (size_t i = 0; i < RESTARTS; i++) {
        end(&load.addresses[i % count]);
        start_at(&load.addresses[i % count]);
        await_more_at(&load, i % count);
    }
    atomic_store(&load.over, true);
    for (int i = 0; i < CALLERS_COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    herald_channel_close(load.channel);
    for (size_t i = 0; i < count; i++) {
        drain(&load.addresses[i]);
    }
    if (load.bad > 0) {
        fail_msg("%u calls were lost; the first: %s", load.bad, load.first_bad);
    }
}

static void test_restart_of_the_only_server_under_a_signing_client_loses_no_call(void **state) {
    (void)state;
    restart_under_load(1, kill_hard);
    restart_under_load(1, drain);
}

static void test_rolling_restart_under_a_signing_client_loses_no_call(void **state) {
    (void)state;
    restart_under_load(2, drain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(test_restart_does_not_take_what_its_predecessor_took),
        TEST(test_restart_by_executing_itself_does_not_take_what_it_took_before),
        TEST(test_restart_of_the_only_server_under_a_signing_client_loses_no_call),
        TEST(test_rolling_restart_under_a_signing_client_loses_no_call),
    };
    int failed = cmocka_run_group_tests_name("rpc.restart", tests, NULL, NULL);
    remove_files();
    return failed;
}
