#include "fixture.h"

#include "client/src/stream_shim.h"
#include "cmocka_headers.h"
#include "herald/job/v1/job.server.h"
#include "herald/job/v1/job.task.h"
#include "server/process/builtin.h"
#include "server/programs/failpoints.h"
#include "server/runtime/task.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000u

/* ---- handlers ---- */

static Herald__Job__V1__Job *make_job(const char *job_id) {
    struct arena *arena = call_arena();
    Herald__Job__V1__Job *job = arena_alloc(arena, sizeof(*job));
    herald__job__v1__job__init(job);
    job->job_id = arena_strdup(arena, job_id);
    job->status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    job->version = call_remaining_ms();
    job->failure = call_current()->id;
    job->event_draft_id = call_current()->traceparent;
    return job;
}

static enum herald_code fail_with_details(struct herald_error *reterr) {
    herald_error_set_code(reterr, HERALD_FAILED_PRECONDITION, "NOT_READY", "not ready: 준비되지 않음");
    herald_error_add_detail(reterr, "job.title", HERALD_REASON_REQUIRED, "the title is missing");
    herald_error_add_detail(reterr, "job.prize", HERALD_REASON_REQUIRED, "the prize is missing");
    reterr->retry_after_ms = 1234;
    return HERALD_FAILED_PRECONDITION;
}

static char *big_text(struct fixture *fixture) {
    size_t length = fixture->settings.rpc_max_message_bytes + 1;
    char *text = arena_alloc(call_arena(), length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static enum herald_code fill_arena(struct herald_error *reterr) {
    while (arena_alloc(call_arena(), 4096)) {
        continue;
    }
    return herald_error_set(reterr, HERALD_REASON_ARENA_FULL, "the arena is full");
}

static enum herald_code get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                                Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    uint32_t delay_ms = atomic_load(&fixture->get_delay_ms);
    enum herald_code code = delay_ms > 0 ? task_sleep(delay_ms, reterr) : HERALD_OK;
    if (code != HERALD_OK) {
        return code;
    }
    switch (atomic_load(&fixture->mode)) {
    case GET_JOB_FAILS:
        return fail_with_details(reterr);
    case GET_JOB_FAILS_SILENTLY:
        return HERALD_ABORTED;
    case GET_JOB_OUTCOME_UNKNOWN:
        return herald_error_set_code(reterr, HERALD_OUTCOME_UNKNOWN, "LOST", "the connection was lost");
    case GET_JOB_ARENA:
        return fill_arena(reterr);
    case GET_JOB_BIG:
        response->job = make_job(request->job_id);
        response->job->failure = big_text(fixture);
        return HERALD_OK;
    default:
        atomic_fetch_add(&fixture->got, 1);
        response->job = make_job(request->job_id);
        return HERALD_OK;
    }
}

static enum herald_code wait_job(void *self, const Herald__Job__V1__WaitJobRequest *request,
                                 Herald__Job__V1__WaitJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    enum herald_code code = HERALD_OK;
    struct completion never;
    completion_init(&never);
    atomic_fetch_add(&fixture->waiting, 1);
    if (fixture->wait_completes) {
        code = completion_wait(&never, reterr);
    }
    while (!fixture->open && code == HERALD_OK) {
        code = task_sleep(5, reterr);
    }
    fixture->last_code = (int)code;
    atomic_fetch_sub(&fixture->waiting, 1);
    atomic_fetch_add(&fixture->ended, 1);
    if (code != HERALD_OK) {
        return code;
    }
    response->job = make_job(request->job_id);
    response->changed = true;
    return HERALD_OK;
}

static enum herald_code update_from_wait(struct fixture *fixture, const char *job_id,
                                         const Herald__Job__V1__Job **ret_job, enum herald_outcome *ret_outcome,
                                         struct herald_error *reterr) {
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    const Herald__Job__V1__WaitJobResponse *response = NULL;
    request.job_id = (char *)job_id;
    enum herald_code code =
        herald_job_v1_job_service_wait_job_task(fixture->downstream, &request, NULL, ret_outcome, &response, reterr);
    if (code == HERALD_OK) {
        *ret_job = response->job;
    }
    return code;
}

static enum herald_code update_from_get(struct fixture *fixture, const char *job_id,
                                        const Herald__Job__V1__Job **ret_job, enum herald_outcome *ret_outcome,
                                        struct herald_error *reterr) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    request.job_id = (char *)job_id;
    enum herald_code code =
        herald_job_v1_job_service_get_job_task(fixture->downstream, &request, NULL, ret_outcome, &response, reterr);
    if (code == HERALD_OK) {
        *ret_job = response->job;
    }
    return code;
}

static enum herald_code update_job(void *self, const Herald__Job__V1__UpdateJobRequest *request,
                                   Herald__Job__V1__UpdateJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    const Herald__Job__V1__Job *job = NULL;
    enum herald_outcome outcome = HERALD_EXECUTED;
    if (fixture->acting_as) {
        snprintf(call_current()->user, sizeof(call_current)()->user, "%s", fixture->acting_as);
    }
    enum herald_code code = fixture->downstream_waits
                                ? update_from_wait(fixture, request->job_id, &job, &outcome, reterr)
                                : update_from_get(fixture, request->job_id, &job, &outcome, reterr);
    fixture->downstream_outcome = (int)outcome;
    fixture->downstream_code = (int)code;
    fixture->downstream_us = call_current()->downstream_us;
    atomic_fetch_add(&fixture->ended, 1);
    if (code == HERALD_OK) {
        response->job = (Herald__Job__V1__Job *)job;
    }
    return code;
}

static enum herald_code create_image_job(void *self, const Herald__Job__V1__CreateImageJobRequest *request,
                                         Herald__Job__V1__CreateImageJobResponse *response,
                                         struct herald_error *reterr) {
    struct fixture *fixture = self;
    enum herald_code code = HERALD_OK;
    snprintf(fixture->created_for, sizeof(fixture->created_for), "%s", request->user_id);
    atomic_fetch_add(&fixture->waiting, fixture->create_waits ? 1 : 0);
    bool waits = fixture->create_waits;
    while (waits && !fixture->open && code == HERALD_OK) {
        code = task_sleep(5, reterr);
    }
    atomic_fetch_sub(&fixture->waiting, waits ? 1 : 0);
    fixture->last_create_code = (int)code;
    atomic_fetch_add(&fixture->created, 1);
    response->job_id = call_current()->idempotency_key;
    response->status = HERALD__JOB__V1__JOB_STATUS__PENDING;
    return code;
}

static const struct herald_job_v1_job_service_handlers HANDLERS = {
    .create_image_job = create_image_job, .get_job = get_job, .wait_job = wait_job, .update_job = update_job};

/* ---- the server ---- */

bool fixture_is_native(void) {
    const char *engine = getenv("HERALD_RPC_ENGINE");
    return engine && strcmp(engine, "native") == 0;
}

void fixture_init(struct fixture *fixture) {
    struct herald_error error;
    signal(SIGPIPE, SIG_IGN); /* as every server does */
    memset(fixture, 0, sizeof(*fixture));
    failpoint_use(all_failpoints);
    assert_int_equal(settings_load(&fixture->settings, NULL, &error), HERALD_OK);
    fixture->settings.rpc_max_queue_ms = 0; /* a busy machine is no failure */
    fixture->settings.rpc_anonymous_share = 100;
    fixture->settings.rpc_waiting_share = 100; /* waiting calls stand for any calls; one connection may have all */
    fixture->settings.rpc_max_in_flight_per_connection = UINT16_MAX;
}

static void *run_loop(void *arg) {
    loop_run(arg);
    return NULL;
}

void fixture_start(struct fixture *fixture) {
    struct herald_error error;
    fixture->loop_count = fixture->settings.rpc_loops;
    assert_in_range(fixture->loop_count, 1, FIXTURE_LOOPS_MAX);
    for (unsigned i = 0; i < fixture->loop_count; i++) {
        assert_int_equal(loop_new(i, &fixture->loops[i], &error), HERALD_OK);
    }
    assert_int_equal(rpc_server_new("test-server", &fixture->settings, fixture->loops, fixture->loop_count,
                                    &fixture->server, &error),
                     HERALD_OK);
    assert_int_equal(builtin_services_add(fixture->server, &fixture->settings, &error), HERALD_OK);
    assert_int_equal(
        rpc_server_add(fixture->server, &herald_job_v1_job_service_binding, &HANDLERS, NULL, fixture, &error),
        HERALD_OK);
    for (unsigned i = 0; i < fixture->loop_count; i++) {
        assert_int_equal(pthread_create(&fixture->threads[i], NULL, run_loop, fixture->loops[i]), 0);
    }
}

void fixture_listen(struct fixture *fixture) {
    fixture_start(fixture);
    fixture_open(fixture);
}

void fixture_open(struct fixture *fixture) {
    struct herald_error error;
    assert_int_equal(rpc_server_listen(fixture->server, "tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
}

void fixture_stop(struct fixture *fixture) {
    fixture->open = true; /* of a test that failed */
    for (unsigned i = 0; i < fixture->loop_count; i++) {
        loop_stop(fixture->loops[i]);
    }
    for (unsigned i = 0; i < fixture->loop_count; i++) {
        assert_int_equal(pthread_join(fixture->threads[i], NULL), 0);
    }
    if (!rpc_server_free(fixture->server)) {
        fail_msg("nng hangs while closing, which client/src/stream_shim.c is there to prevent");
    }
    for (unsigned i = 0; i < fixture->loop_count; i++) {
        loop_free(fixture->loops[i]);
    }
    settings_fini(&fixture->settings);
}

struct fixture *fixture_new(void) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    return fixture;
}

void fixture_free(struct fixture *fixture) {
    fixture_stop(fixture);
    free(fixture);
}

int fixture_set_up(void **state) {
    struct fixture *fixture = fixture_new();
    fixture_listen(fixture);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state) {
    fixture_free(*state);
    return 0;
}

bool eventually(bool (*condition)(void *arg), void *arg) {
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t end_us = clock_now_us() + PATIENCE_MS * 1000u;
    while (!condition(arg)) {
        if (clock_now_us() > end_us) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

struct waiting_wish {
    struct fixture *fixture;
    unsigned count;
};

static bool has_waiting(void *arg) {
    struct waiting_wish *wish = arg;
    return atomic_load(&wish->fixture->waiting) == wish->count;
}

void fixture_await_waiting(struct fixture *fixture, unsigned count) {
    struct waiting_wish wish = {fixture, count};
    assert_true(eventually(has_waiting, &wish));
}

static void block(struct loop_work *work) {
    struct blockade *blockade = (struct blockade *)work;
    const struct timespec pause = {.tv_nsec = 200000};
    atomic_store(&blockade->begun, true);
    while (!atomic_load(&blockade->over)) {
        nanosleep(&pause, NULL);
    }
}

static bool has_begun(void *arg) {
    struct blockade *blockade = arg;
    return atomic_load(&blockade->begun);
}

void begin_blockade(struct fixture *fixture, struct blockade *blockade) {
    *blockade = (struct blockade){.work.run = block};
    loop_post(fixture->loops[0], &blockade->work);
    assert_true(eventually(has_begun, blockade));
}

unsigned fixture_in_flight(const struct fixture *fixture) {
    static const char INFO[] = "{\"method\":\"herald.rpc.v1.Introspection/GetInfo\"}";
    char *answer = probe(fixture->url, INFO);
    const char *shown = strstr(answer, "\"callsInFlight\":");
    assert_non_null(shown);
    /* The probe itself is one of them. */
    unsigned count = (unsigned)strtoul(shown + strlen("\"callsInFlight\":"), NULL, 10) - 1;
    free(answer);
    return count;
}

static bool is_idle(void *arg) {
    const struct fixture *fixture = arg;
    return fixture_in_flight(fixture) == 0;
}

void fixture_await_idle(struct fixture *fixture) {
    fixture_await_waiting(fixture, 0);
    assert_true(eventually(is_idle, fixture));
}

/* ---- a connection that stays ---- */

/* SP's header: "\0SP\0", protocol, reserved. */
void raw_link_open(struct raw_link *link, const char *url) {
    static const uint8_t REQ[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t REP[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t answer[8];
    memset(link, 0, sizeof(*link));
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(link->fd >= 0);
    assert_int_equal(connect(link->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(link->fd, REQ, sizeof(REQ), MSG_NOSIGNAL), sizeof(REQ));
    assert_int_equal(recv(link->fd, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
    assert_memory_equal(answer, REP, sizeof(REP));
}

void raw_link_close(struct raw_link *link) {
    close(link->fd);
    for (size_t i = 0; i < RAW_REPLIES_KEPT; i++) {
        if (link->kept[i].id != 0) {
            herald__rpc__v1__response__free_unpacked(link->kept[i].response, NULL);
        }
    }
}

static void put_big_endian(uint8_t *to, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    }
}

static uint64_t get_big_endian(const uint8_t *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

/* Length, request id with its top bit set, body. */
uint32_t raw_send(struct raw_link *link, const void *bytes, size_t count) {
    uint8_t *frame = malloc(count + 12);
    put_big_endian(frame, count + 4, 8);
    put_big_endian(frame + 8, ++link->last_id | 0x80000000u, 4);
    memcpy(frame + 12, bytes, count);
    assert_int_equal(send(link->fd, frame, count + 12, MSG_NOSIGNAL), count + 12);
    free(frame);
    return link->last_id;
}

uint32_t raw_send_envelope(struct raw_link *link, const Herald__Rpc__V1__Request *request) {
    size_t count = herald__rpc__v1__request__get_packed_size(request);
    uint8_t *bytes = malloc(count + 1);
    herald__rpc__v1__request__pack(request, bytes);
    uint32_t id = raw_send(link, bytes, count);
    free(bytes);
    return id;
}

/* Reads one reply; 0 when none came in time. */
static uint32_t read_reply(struct raw_link *link, int timeout_ms, Herald__Rpc__V1__Response **ret_response) {
    struct pollfd readable = {.fd = link->fd, .events = POLLIN};
    uint8_t head[12];
    if (poll(&readable, 1, timeout_ms) != 1 || recv(link->fd, head, sizeof(head), MSG_WAITALL) != sizeof(head)) {
        return 0;
    }
    size_t count = (size_t)get_big_endian(head, 8) - 4;
    uint8_t *bytes = malloc(count + 1);
    assert_int_equal(recv(link->fd, bytes, count, MSG_WAITALL), count);
    *ret_response = herald__rpc__v1__response__unpack(NULL, count, bytes);
    free(bytes);
    assert_non_null(*ret_response);
    return (uint32_t)get_big_endian(head + 8, 4) & 0x7fffffffu;
}

static Herald__Rpc__V1__Response *take_kept(struct raw_link *link, uint32_t id) {
    for (size_t i = 0; i < RAW_REPLIES_KEPT; i++) {
        if (link->kept[i].id == id) {
            link->kept[i].id = 0;
            return link->kept[i].response;
        }
    }
    return NULL;
}

static void keep(struct raw_link *link, uint32_t id, Herald__Rpc__V1__Response *response) {
    size_t i = 0;
    while (i < RAW_REPLIES_KEPT && link->kept[i].id != 0) {
        i++;
    }
    assert_true(i < RAW_REPLIES_KEPT);
    link->kept[i].id = id;
    link->kept[i].response = response;
}

Herald__Rpc__V1__Response *raw_receive(struct raw_link *link, uint32_t id, int timeout_ms) {
    Herald__Rpc__V1__Response *response = take_kept(link, id);
    uint32_t got = 0;
    while (!response && (got = read_reply(link, timeout_ms, &response)) != 0 && got != id) {
        keep(link, got, response);
        response = NULL;
    }
    return response;
}

Herald__Rpc__V1__Response *raw_link_call(struct raw_link *link, const Herald__Rpc__V1__Request *request) {
    Herald__Rpc__V1__Response *response = raw_receive(link, raw_send_envelope(link, request), (int)PATIENCE_MS);
    assert_non_null(response);
    return response;
}

/* ---- raw messages ---- */

static int raw_exchange(nng_socket socket, const char *url, const void *bytes, size_t count, nng_msg **ret_reply) {
    nng_msg *request = NULL;
    int failure = nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK); /* a dead listener must not hang the test */
    if (failure == 0) {
        failure = nng_msg_alloc(&request, count);
    }
    if (failure != 0) {
        return failure;
    }
    if (count > 0) {
        memcpy(nng_msg_body(request), bytes, count);
    }
    failure = nng_sendmsg(socket, request, 0);
    if (failure != 0) {
        nng_msg_free(request);
        return failure;
    }
    return nng_recvmsg(socket, ret_reply, 0);
}

struct raw_reply raw_call(const char *url, const void *bytes, size_t count, int timeout_ms) {
    struct raw_reply reply = {.failure = 0};
    nng_socket socket;
    nng_msg *message = NULL;
    herald_stream_shim_install(); /* for the client here: a server of the native engine needs none */
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, timeout_ms), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, timeout_ms), 0);
    reply.failure = raw_exchange(socket, url, bytes, count, &message);
    reply.count = reply.failure == 0 ? nng_msg_len(message) : 0;
    reply.bytes = calloc(1, reply.count + 1); /* terminated */
    if (reply.failure == 0) {
        memcpy(reply.bytes, nng_msg_body(message), reply.count);
    }
    nng_msg_free(message);
    nng_close(socket);
    return reply;
}

void raw_reply_clear(struct raw_reply *reply) {
    free(reply->bytes);
    *reply = (struct raw_reply){.failure = 0};
}

char *probe(const char *url, const char *text) {
    struct raw_reply reply = raw_call(url, text, strlen(text), PATIENCE_MS);
    assert_int_equal(reply.failure, 0);
    assert_int_equal(strlen((char *)reply.bytes), reply.count);
    assert_null(strchr((char *)reply.bytes, '\n'));
    return (char *)reply.bytes;
}

void assert_probe(const char *url, const char *text, const char *expected) {
    char *answer = probe(url, text);
    if (!strstr(answer, expected)) {
        fail_msg("the answer to \"%s\" is %s, which does not hold %s", text, answer, expected);
    }
    free(answer);
}

static Herald__Rpc__V1__Response *unpack_response(struct raw_reply *reply) {
    assert_int_equal(reply->failure, 0);
    Herald__Rpc__V1__Response *response = herald__rpc__v1__response__unpack(NULL, reply->count, reply->bytes);
    assert_non_null(response);
    raw_reply_clear(reply);
    return response;
}

Herald__Rpc__V1__Response *envelope_call(const char *url, const Herald__Rpc__V1__Request *request) {
    size_t count = herald__rpc__v1__request__get_packed_size(request);
    uint8_t *bytes = malloc(count + 1);
    herald__rpc__v1__request__pack(request, bytes);
    struct raw_reply reply = raw_call(url, bytes, count, PATIENCE_MS);
    free(bytes);
    return unpack_response(&reply);
}

Herald__Rpc__V1__Response *expect_response(const char *url, const void *bytes, size_t count, int code,
                                           const char *reason) {
    struct raw_reply reply = raw_call(url, bytes, count, PATIENCE_MS);
    Herald__Rpc__V1__Response *response = unpack_response(&reply);
    assert_string_equal(herald_code_name((int)response->code), herald_code_name(code));
    assert_string_equal(response->reason, reason);
    return response;
}

Herald__Rpc__V1__Request get_job_envelope(void) {
    static _Thread_local uint8_t payload[128];
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    envelope.method = (char *)"herald.job.v1.JobService/GetJob";
    envelope.payload.data = payload;
    envelope.payload.len = herald__job__v1__get_job_request__pack(&request, payload);
    return envelope;
}

Herald__Rpc__V1__Request wait_job_envelope(void) {
    static _Thread_local uint8_t payload[128];
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    envelope.method = (char *)"herald.job.v1.JobService/WaitJob";
    envelope.timeout_ms = 60000;
    envelope.payload.data = payload;
    envelope.payload.len = herald__job__v1__wait_job_request__pack(&request, payload);
    return envelope;
}

Herald__Rpc__V1__Request create_image_job_envelope(void) {
    static _Thread_local uint8_t payload[256];
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    store.name = (char *)"빵집";
    request.event_draft_id = (char *)TEST_JOB_ID;
    request.user_id = (char *)"user-1";
    request.title = (char *)"봄 축제";
    request.store_info = &store;
    envelope.method = (char *)"herald.job.v1.JobService/CreateImageJob";
    envelope.idempotency_key = (char *)"key-1";
    envelope.timeout_ms = 60000;
    envelope.payload.data = payload;
    envelope.payload.len = herald__job__v1__create_image_job_request__pack(&request, payload);
    return envelope;
}

/* ---- many calls ---- */

static void on_done(void *user, struct herald_reply *reply) {
    struct pending_call *call = user;
    call->reply = *reply;
    atomic_store(&call->done, true);
}

void start_call(struct herald_channel *channel, const struct herald_method_schema *method,
                const ProtobufCMessage *request, struct pending_call *call, uint32_t timeout_ms) {
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    struct herald_error error;
    memset(&call->reply, 0, sizeof(call->reply));
    atomic_store(&call->done, false);
    assert_int_equal(herald_call_start(channel, method, request, &options, on_done, call, NULL, &error), HERALD_OK);
}

void start_wait_job(struct herald_channel *channel, struct pending_call *call, uint32_t timeout_ms) {
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    start_call(channel, herald_job_v1_job_service_wait_job_method, &request.base, call, timeout_ms);
}

static bool is_done(void *arg) {
    struct pending_call *call = arg;
    return atomic_load(&call->done);
}

void await_call(struct pending_call *call) {
    assert_true(eventually(is_done, call));
}

void assert_child_span(const char *own, const char *parent) {
    assert_int_equal(strlen(own), 55);
    assert_memory_equal(own, parent, 36);
    assert_string_equal(own + 52, parent + 52);
    assert_memory_not_equal(own + 36, parent + 36, 16);
}
