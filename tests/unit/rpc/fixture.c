#include "fixture.h"

#include "cmocka_headers.h"
#include "herald/job/v1/job.server.h"
#include "herald/job/v1/job.task.h"
#include "server/runtime/task.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 10000u

/* ---- handlers ---- */

static Herald__Job__V1__Job *make_job(const char *job_id) {
    struct arena *arena = call_arena();
    Herald__Job__V1__Job *job = arena_alloc(arena, sizeof *job);
    herald__job__v1__job__init(job);
    job->job_id = arena_strdup(arena, job_id);
    job->status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    job->version = call_remaining_ms();
    job->failure = call_current()->id;
    job->event_draft_id = call_current()->traceparent;
    return job;
}

static enum herald_code fail_with_details(struct herald_error *reterr) {
    herald_error_set(reterr, HERALD_FAILED_PRECONDITION, "NOT_READY", "not ready: 준비되지 않음");
    herald_error_add_detail(reterr, "job.title", "REQUIRED", "the title is missing");
    herald_error_add_detail(reterr, "job.prize", "REQUIRED", "the prize is missing");
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
    while (arena_alloc(call_arena(), 4096))
        continue;
    return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "ARENA_FULL", "the arena is full");
}

static enum herald_code get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                                Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    switch (atomic_load(&fixture->mode)) {
    case GET_JOB_FAILS:
        return fail_with_details(reterr);
    case GET_JOB_FAILS_SILENTLY:
        return HERALD_ABORTED;
    case GET_JOB_OUTCOME_UNKNOWN:
        return herald_error_set(reterr, HERALD_OUTCOME_UNKNOWN, "LOST", "the connection was lost");
    case GET_JOB_ARENA:
        return fill_arena(reterr);
    case GET_JOB_BIG:
        response->job = make_job(request->job_id);
        response->job->failure = big_text(fixture);
        return HERALD_OK;
    default:
        response->job = make_job(request->job_id);
        return HERALD_OK;
    }
}

static enum herald_code wait_job(void *self, const Herald__Job__V1__WaitJobRequest *request,
                                 Herald__Job__V1__WaitJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    enum herald_code code = HERALD_OK;
    atomic_fetch_add(&fixture->waiting, 1);
    while (!fixture->open && code == HERALD_OK)
        code = task_sleep(5, reterr);
    atomic_fetch_sub(&fixture->waiting, 1);
    fixture->last_code = (int)code;
    atomic_fetch_add(&fixture->ended, 1);
    if (code != HERALD_OK)
        return code;
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
    if (code == HERALD_OK)
        *ret_job = response->job;
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
    if (code == HERALD_OK)
        *ret_job = response->job;
    return code;
}

static enum herald_code update_job(void *self, const Herald__Job__V1__UpdateJobRequest *request,
                                   Herald__Job__V1__UpdateJobResponse *response, struct herald_error *reterr) {
    struct fixture *fixture = self;
    const Herald__Job__V1__Job *job = NULL;
    enum herald_outcome outcome = HERALD_EXECUTED;
    enum herald_code code = fixture->downstream_waits
                                ? update_from_wait(fixture, request->job_id, &job, &outcome, reterr)
                                : update_from_get(fixture, request->job_id, &job, &outcome, reterr);
    fixture->downstream_outcome = (int)outcome;
    fixture->downstream_code = (int)code;
    atomic_fetch_add(&fixture->ended, 1);
    if (code == HERALD_OK)
        response->job = (Herald__Job__V1__Job *)job;
    return code;
}

static enum herald_code create_image_job(void *self, const Herald__Job__V1__CreateImageJobRequest *request,
                                         Herald__Job__V1__CreateImageJobResponse *response,
                                         struct herald_error *reterr) {
    (void)self;
    (void)request;
    (void)reterr;
    response->job_id = call_current()->idempotency_key;
    response->status = HERALD__JOB__V1__JOB_STATUS__PENDING;
    return HERALD_OK;
}

static const struct herald_job_v1_job_service_handlers HANDLERS = {
    .create_image_job = create_image_job, .get_job = get_job, .wait_job = wait_job, .update_job = update_job};

/* ---- the server ---- */

void fixture_init(struct fixture *fixture) {
    struct herald_error error;
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(settings_load(&fixture->settings, NULL, &error), HERALD_OK);
}

static void *run_loop(void *arg) {
    loop_run(arg);
    return NULL;
}

void fixture_start(struct fixture *fixture) {
    struct herald_error error;
    fixture->loop_count = fixture->settings.rpc_loops;
    assert_in_range(fixture->loop_count, 1, FIXTURE_LOOPS_MAX);
    for (unsigned i = 0; i < fixture->loop_count; i++)
        assert_int_equal(loop_new(i, &fixture->loops[i], &error), HERALD_OK);
    assert_int_equal(rpc_server_new("test-server", &fixture->settings, fixture->loops, fixture->loop_count,
                                    &fixture->server, &error),
                     HERALD_OK);
    assert_int_equal(
        rpc_server_add(fixture->server, &herald_job_v1_job_service_binding, &HANDLERS, NULL, fixture, &error),
        HERALD_OK);
    for (unsigned i = 0; i < fixture->loop_count; i++)
        assert_int_equal(pthread_create(&fixture->threads[i], NULL, run_loop, fixture->loops[i]), 0);
}

void fixture_listen(struct fixture *fixture) {
    struct herald_error error;
    fixture_start(fixture);
    assert_int_equal(rpc_server_listen(fixture->server, "tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
}

/* Servers that nng did not let go of: found here, they are no leak. */
enum { LEFT_ALONE_MAX = 16 };
static struct rpc_server *volatile left_alone[LEFT_ALONE_MAX];
static unsigned left_count;

void fixture_stop(struct fixture *fixture) {
    for (unsigned i = 0; i < fixture->loop_count; i++)
        loop_stop(fixture->loops[i]);
    for (unsigned i = 0; i < fixture->loop_count; i++)
        assert_int_equal(pthread_join(fixture->threads[i], NULL), 0);
    if (rpc_server_free(fixture->server)) {
        for (unsigned i = 0; i < fixture->loop_count; i++)
            loop_free(fixture->loops[i]);
    } else {
        left_alone[left_count++ % LEFT_ALONE_MAX] = fixture->server;
        print_message("nng hangs while closing (nng#1813); its server is left alone\n");
    }
    settings_fini(&fixture->settings);
}

bool eventually(bool (*condition)(void *arg), void *arg) {
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t end_us = clock_now_us() + PATIENCE_MS * 1000u;
    while (!condition(arg)) {
        if (clock_now_us() > end_us)
            return false;
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

/* ---- raw messages ---- */

static int raw_exchange(nng_socket socket, const char *url, const void *bytes, size_t count, nng_msg **ret_reply) {
    nng_msg *request = NULL;
    int failure = nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK); /* a dead listener must not hang the test */
    if (failure == 0)
        failure = nng_msg_alloc(&request, count);
    if (failure != 0)
        return failure;
    if (count > 0)
        memcpy(nng_msg_body(request), bytes, count);
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
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, timeout_ms), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, timeout_ms), 0);
    reply.failure = raw_exchange(socket, url, bytes, count, &message);
    reply.count = reply.failure == 0 ? nng_msg_len(message) : 0;
    reply.bytes = calloc(1, reply.count + 1); /* terminated */
    if (reply.failure == 0)
        memcpy(reply.bytes, nng_msg_body(message), reply.count);
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
    if (!strstr(answer, expected))
        fail_msg("the answer to \"%s\" is %s, which does not hold %s", text, answer, expected);
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
    static uint8_t payload[128];
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    envelope.method = (char *)"herald.job.v1.JobService/GetJob";
    envelope.payload.data = payload;
    envelope.payload.len = herald__job__v1__get_job_request__pack(&request, payload);
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
    memset(&call->reply, 0, sizeof call->reply);
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
