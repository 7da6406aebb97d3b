#include "cmocka_headers.h"
#include "fixture.h"
#include "server/process/watchdog.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/rpc_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What interceptors see and do, in envelopes and probes, on loops and on threads of nng. */

#define TOKEN "abc.def.ghi"

/* One that writes down what it was asked, and does what it is told. */
struct spy {
    char name;
    struct spied *spied;
    bool refuse_head, refuse_request;
    const char *caller, *user; /* set in on_head */
};

struct spied {
    struct fixture fixture;
    struct spy first, second;
    pthread_mutex_t lock;
    char order[64]; /* "Ah Bh Ar Br Be Ae " */
    atomic_uint ended;
    char method[128], bearer[64], call_id[64], key[64], traceparent[64], end_method[128], end_reason[64];
    uint32_t attempt, timeout_ms;
    uint64_t ticket;
    size_t payload_bytes, metadata_count;
    int end_code;
};

static void note(struct spy *spy, char what) {
    const char text[] = {spy->name, what, ' ', '\0'};
    pthread_mutex_lock(&spy->spied->lock);
    strncat(spy->spied->order, text, sizeof(spy->spied->order) - strlen(spy->spied->order) - 1);
    pthread_mutex_unlock(&spy->spied->lock);
}

static void copy(char *to, size_t room, const char *from) {
    snprintf(to, room, "%s", from ? from : "");
}

static enum herald_code on_head(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                struct herald_error *reterr) {
    struct spy *spy = self;
    struct spied *spied = spy->spied;
    note(spy, 'h');
    copy(spied->method, sizeof(spied->method), head->method);
    copy(spied->bearer, sizeof(spied->bearer),
         head->auth && head->auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_BEARER ? head->auth->bearer : NULL);
    copy(spied->call_id, sizeof(spied->call_id), head->call_id);
    copy(spied->key, sizeof(spied->key), head->idempotency_key);
    copy(spied->traceparent, sizeof(spied->traceparent), head->traceparent);
    spied->attempt = head->attempt;
    spied->ticket = head->ticket;
    spied->timeout_ms = head->timeout_ms;
    spied->payload_bytes = head->payload_bytes;
    spied->metadata_count = head->metadata_count;
    assert_non_null(call->method);
    assert_null(call->request);
    copy(call->context.caller, sizeof(call->context.caller), spy->caller);
    copy(call->context.user, sizeof(call->context.user), spy->user);
    return spy->refuse_head ? herald_error_set_code(reterr, HERALD_UNAUTHENTICATED, "NO_HEAD", "refused at the head")
                            : HERALD_OK;
}

static enum herald_code on_request(void *self, struct rpc_call *call, struct herald_error *reterr) {
    struct spy *spy = self;
    note(spy, 'r');
    assert_non_null(call->request);
    assert_int_equal(rpc_call_add_reply_metadata(call, "x-spy", &spy->name, 1, reterr), HERALD_OK);
    return spy->refuse_request ? herald_error_set_code(reterr, HERALD_PERMISSION_DENIED, "NO_REQUEST", "refused")
                               : HERALD_OK;
}

static void on_end(void *self, const struct rpc_call *call) {
    struct spy *spy = self;
    note(spy, 'e');
    copy(spy->spied->end_method, sizeof(spy->spied->end_method), call->method ? call->context.method : NULL);
    copy(spy->spied->end_reason, sizeof(spy->spied->end_reason), call->code == HERALD_OK ? "" : call->error.reason);
    spy->spied->end_code = (int)call->code;
    atomic_fetch_add(&spy->spied->ended, 1);
}

static void add_spy(struct spied *spied, struct spy *spy, char name) {
    struct herald_error error;
    *spy = (struct spy){.name = name, .spied = spied};
    const struct rpc_interceptor interceptor = {
        .name = "spy", .on_head = on_head, .on_request = on_request, .on_end = on_end, .self = spy};
    assert_int_equal(rpc_server_intercept(spied->fixture.server, &interceptor, &error), HERALD_OK);
}

static int set_up(void **state) {
    struct spied *spied = calloc(1, sizeof(*spied));
    pthread_mutex_init(&spied->lock, NULL);
    fixture_init(&spied->fixture);
    fixture_start(&spied->fixture);
    add_spy(spied, &spied->first, 'A');
    add_spy(spied, &spied->second, 'B');
    fixture_open(&spied->fixture);
    *state = spied;
    return 0;
}

static int tear_down(void **state) {
    struct spied *spied = *state;
    fixture_stop(&spied->fixture);
    pthread_mutex_destroy(&spied->lock);
    free(spied);
    return 0;
}

static Herald__Rpc__V1__Response *call(struct spied *spied, const Herald__Rpc__V1__Request *request,
                                       enum herald_code code, const char *reason) {
    spied->order[0] = '\0';
    Herald__Rpc__V1__Response *response = envelope_call(spied->fixture.url, request);
    assert_string_equal(herald_code_name((int)response->code), herald_code_name((int)code));
    assert_string_equal(response->reason, reason);
    return response;
}

static void check_call(struct spied *spied, const Herald__Rpc__V1__Request *request, enum herald_code code,
                       const char *reason, const char *order) {
    herald__rpc__v1__response__free_unpacked(call(spied, request, code, reason), NULL);
    assert_string_equal(spied->order, order);
    assert_int_equal(spied->end_code, code);
    assert_string_equal(spied->end_reason, reason);
}

static Herald__Rpc__V1__Request health_envelope(void) {
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)"herald.rpc.v1.Health/Check";
    return request;
}

/* ---- order and refusal ---- */

static void test_interceptor_order_is_forth_and_back(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    check_call(*state, &request, HERALD_OK, "", "Ah Bh Ar Br Be Ae ");
}

static void test_interceptor_sees_inline_methods_too(void **state) {
    Herald__Rpc__V1__Request request = health_envelope();
    check_call(*state, &request, HERALD_OK, "", "Ah Bh Ar Br Be Ae ");
}

static void test_interceptor_refusal_of_head_ends_the_call(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    spied->first.refuse_head = true;
    request.payload.len = 0; /* its error would be another one */
    check_call(spied, &request, HERALD_UNAUTHENTICATED, "NO_HEAD", "Ah Be Ae ");
    request = health_envelope();
    check_call(spied, &request, HERALD_UNAUTHENTICATED, "NO_HEAD", "Ah Be Ae ");
}

static void test_interceptor_refusal_of_request_ends_the_call(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    spied->first.refuse_request = true;
    check_call(spied, &request, HERALD_PERMISSION_DENIED, "NO_REQUEST", "Ah Bh Ar Be Ae ");
}

static void test_interceptor_sees_no_invalid_request(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.payload.len = 0;
    check_call(*state, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "Ah Bh Be Ae ");
}

static void test_interceptor_end_is_told_of_unknown_method(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.method = (char *)"no.such/Method";
    check_call(spied, &request, HERALD_UNIMPLEMENTED, "UNKNOWN_METHOD", "Be Ae ");
    assert_string_equal(spied->end_method, "");
}

static void test_interceptor_one_too_many_is_refused(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct herald_error error;
    const struct rpc_interceptor nothing = {.name = "nothing"};
    (void)state;
    fixture_init(fixture);
    fixture_start(fixture);
    unsigned added = 0; /* the server has some of its own */
    while (rpc_server_intercept(fixture->server, &nothing, &error) == HERALD_OK) {
        assert_true(++added < RPC_INTERCEPTORS_MAX);
    }
    assert_int_equal(error.code, HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "TOO_MANY_INTERCEPTORS");
    fixture_open(fixture);
    Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, &request);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    fixture_stop(fixture);
    free(fixture);
}

/* ---- the head ---- */

static void check_head(struct spied *spied, bool with_metadata) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Rpc__V1__Auth auth = HERALD__RPC__V1__AUTH__INIT;
    Herald__Rpc__V1__Attempt attempt = HERALD__RPC__V1__ATTEMPT__INIT;
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
    Herald__Rpc__V1__Metadata *pairs[] = {&pair};
    auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    auth.bearer = (char *)TOKEN;
    attempt.number = 3;
    attempt.ticket = 1ull << 40;
    pair.key = (char *)"x-key";
    request.auth = &auth;
    request.attempt = &attempt;
    request.call_id = (char *)TEST_JOB_ID;
    request.idempotency_key = (char *)"my-key";
    request.traceparent = (char *)"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.timeout_ms = 4321;
    request.metadata = pairs;
    request.n_metadata = with_metadata;
    herald__rpc__v1__response__free_unpacked(call(spied, &request, HERALD_OK, ""), NULL);
    assert_string_equal(spied->method, "herald.job.v1.JobService/GetJob");
    assert_string_equal(spied->bearer, TOKEN);
    assert_string_equal(spied->call_id, TEST_JOB_ID);
    assert_string_equal(spied->key, "my-key");
    assert_string_equal(spied->traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_int_equal(spied->attempt, 3);
    assert_true(spied->ticket == 1ull << 40);
    assert_int_equal(spied->timeout_ms, 4321);
    assert_int_equal(spied->payload_bytes, request.payload.len);
    assert_int_equal(spied->metadata_count, with_metadata);
}

static void test_interceptor_head_of_plain_envelope_is_whole(void **state) {
    check_head(*state, false);
}

static void test_interceptor_head_of_any_envelope_is_whole(void **state) {
    check_head(*state, true);
}

static void test_interceptor_malformed_auth_is_named(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Rpc__V1__Auth auth = HERALD__RPC__V1__AUTH__INIT;
    auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    auth.bearer = (char *)"two words";
    request.auth = &auth;
    Herald__Rpc__V1__Response *response = call(spied, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD");
    assert_int_equal(response->n_details, 1);
    assert_string_equal(response->details[0]->field, "auth.bearer");
    assert_string_equal(spied->order, "Be Ae ");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

/* ---- probes ---- */

#define GET_JOB  "herald.job.v1.JobService/GetJob"
#define GET_ARGS "{\"jobId\":\"" TEST_JOB_ID "\"}"

static void check_probe(struct spied *spied, const char *text, const char *expected, const char *bearer,
                        const char *method) {
    spied->bearer[0] = spied->method[0] = '\0';
    assert_probe(spied->fixture.url, text, expected);
    assert_string_equal(spied->bearer, bearer);
    assert_string_equal(spied->method, method);
}

static void test_interceptor_probe_carries_bearer(void **state) {
    check_probe(*state, "bearer " TOKEN " " GET_JOB " " GET_ARGS, "\"job\":", TOKEN, GET_JOB);
    check_probe(*state, "bearer  " TOKEN "\n" GET_JOB GET_ARGS, "\"job\":", TOKEN, GET_JOB);
    check_probe(*state, GET_JOB " " GET_ARGS, "\"job\":", "", GET_JOB);
    check_probe(*state, "{\"auth\":{\"bearer\":\"" TOKEN "\"},\"method\":\"" GET_JOB "\",\"request\":" GET_ARGS "}",
                "\"job\":", TOKEN, GET_JOB);
}

static void test_interceptor_bad_bearer_is_malformed_probe(void **state) {
    struct spied *spied = *state;
    check_probe(spied, "bearer", "bearer needs a token", "", "");
    check_probe(spied, "bearer " TOKEN, "bearer needs a token", "", "");
    check_probe(spied, "{\"auth\":\"x\",\"method\":\"" GET_JOB "\"}", "MALFORMED_PROBE", "", "");
    check_probe(spied, "{\"auth\":{\"signature\":{}},\"method\":\"" GET_JOB "\"}", "MALFORMED_PROBE", "", "");
    check_probe(spied, "{\"auth\":{\"bearer\":\"a b\"},\"method\":\"" GET_JOB "\"}", "INVALID_FIELD", "", "");
}

static void test_interceptor_help_and_describe_are_reflection(void **state) {
    struct spied *spied = *state;
    check_probe(spied, "help", "\"usage\":", "", "herald.rpc.v1.Reflection/ListServices");
    check_probe(spied, "bearer " TOKEN " help", "\"usage\":", TOKEN, "herald.rpc.v1.Reflection/ListServices");
    check_probe(spied, "describe GetJobRequest", "\"text\":", "", "herald.rpc.v1.Reflection/Describe");
    check_probe(spied, "bearer " TOKEN " describe GetJob", "\"text\":", TOKEN, "herald.rpc.v1.Reflection/Describe");
    spied->second.refuse_head = true;
    check_probe(spied, "help", "NO_HEAD", "", "herald.rpc.v1.Reflection/ListServices");
    check_probe(spied, "describe GetJob", "NO_HEAD", "", "herald.rpc.v1.Reflection/Describe");
}

/* ---- the acting user ---- */

static Herald__Rpc__V1__Request create_for(const char *user, uint8_t bytes[256]) {
    Herald__Rpc__V1__Request request = create_image_job_envelope();
    Herald__Job__V1__CreateImageJobRequest *payload =
        herald__job__v1__create_image_job_request__unpack(NULL, request.payload.len, request.payload.data);
    char *before = payload->user_id;
    payload->user_id = (char *)user;
    request.payload.data = bytes;
    request.payload.len = herald__job__v1__create_image_job_request__pack(payload, bytes);
    payload->user_id = before;
    herald__job__v1__create_image_job_request__free_unpacked(payload, NULL);
    return request;
}

static void test_interceptor_users_field_is_filled_in(void **state) {
    struct spied *spied = *state;
    uint8_t bytes[256];
    Herald__Rpc__V1__Request request = create_for("", bytes);
    check_call(spied, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "Ah Bh Be Ae ");
    spied->second.user = "user-9";
    check_call(spied, &request, HERALD_OK, "", "Ah Bh Ar Br Be Ae ");
    assert_string_equal(spied->fixture.created_for, "user-9");
    request = create_for("user-9", bytes);
    check_call(spied, &request, HERALD_OK, "", "Ah Bh Ar Br Be Ae ");
}

static void test_interceptor_other_user_is_denied_alike(void **state) {
    struct spied *spied = *state;
    uint8_t bytes[256];
    char message[512];
    spied->second.user = "user-9";
    Herald__Rpc__V1__Request request = create_for("user-1", bytes);
    Herald__Rpc__V1__Response *response = call(spied, &request, HERALD_PERMISSION_DENIED, "NOT_YOUR_USER");
    copy(message, sizeof(message), response->message);
    assert_string_equal(response->details[0]->field, "userId");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    request = create_for("user-99", bytes);
    response = call(spied, &request, HERALD_PERMISSION_DENIED, "NOT_YOUR_USER");
    assert_string_equal(response->message, message);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    assert_int_equal(spied->fixture.created, 0);
}

/* ---- what the reply carries ---- */

static void test_interceptor_reply_carries_metadata(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    for (int failing = 0; failing < 2; failing++) {
        spied->fixture.mode = failing ? GET_JOB_FAILS : GET_JOB_OK;
        Herald__Rpc__V1__Response *response =
            call(spied, &request, failing ? HERALD_FAILED_PRECONDITION : HERALD_OK, failing ? "NOT_READY" : "");
        assert_int_equal(response->n_metadata, 2);
        assert_string_equal(response->metadata[0]->key, "x-spy");
        assert_memory_equal(response->metadata[0]->value.data, "A", 1);
        assert_memory_equal(response->metadata[1]->value.data, "B", 1);
        assert_null(response->timings);
        herald__rpc__v1__response__free_unpacked(response, NULL);
    }
}

static void check_timings(struct spied *spied, const Herald__Rpc__V1__Request *request, enum herald_code code,
                          const char *reason) {
    Herald__Rpc__V1__Response *response = call(spied, request, code, reason);
    assert_non_null(response->timings);
    assert_in_range(response->timings->queue_us, 0, 10000000);
    assert_int_equal(response->timings->downstream_us, 0);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_interceptor_timings_come_when_wanted(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Attempt attempt = HERALD__RPC__V1__ATTEMPT__INIT;
    Herald__Rpc__V1__Request request = get_job_envelope(), health = health_envelope();
    attempt.want_timings = true;
    request.attempt = health.attempt = &attempt;
    check_timings(spied, &request, HERALD_OK, "");
    check_timings(spied, &health, HERALD_OK, "");
    spied->fixture.mode = GET_JOB_FAILS;
    check_timings(spied, &request, HERALD_FAILED_PRECONDITION, "NOT_READY");
    request.payload.len = 0;
    check_timings(spied, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD");
}

static void test_interceptor_timings_tell_the_handlers_time(void **state) {
    struct spied *spied = *state;
    Herald__Rpc__V1__Attempt attempt = HERALD__RPC__V1__ATTEMPT__INIT;
    Herald__Rpc__V1__Request request = wait_job_envelope();
    attempt.want_timings = true;
    request.attempt = &attempt;
    request.timeout_ms = 30; /* it waits until its deadline */
    Herald__Rpc__V1__Response *response = call(spied, &request, HERALD_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED");
    assert_true(response->timings->handler_us + response->timings->queue_us >= 29000);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

int main(void) {
    watchdog_enable(false); /* its calls would be seen too */
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_interceptor_order_is_forth_and_back),
        TEST(test_interceptor_sees_inline_methods_too),
        TEST(test_interceptor_refusal_of_head_ends_the_call),
        TEST(test_interceptor_refusal_of_request_ends_the_call),
        TEST(test_interceptor_sees_no_invalid_request),
        TEST(test_interceptor_end_is_told_of_unknown_method),
        cmocka_unit_test(test_interceptor_one_too_many_is_refused),
        TEST(test_interceptor_head_of_plain_envelope_is_whole),
        TEST(test_interceptor_head_of_any_envelope_is_whole),
        TEST(test_interceptor_malformed_auth_is_named),
        TEST(test_interceptor_probe_carries_bearer),
        TEST(test_interceptor_bad_bearer_is_malformed_probe),
        TEST(test_interceptor_help_and_describe_are_reflection),
        TEST(test_interceptor_users_field_is_filled_in),
        TEST(test_interceptor_other_user_is_denied_alike),
        TEST(test_interceptor_reply_carries_metadata),
        TEST(test_interceptor_timings_come_when_wanted),
        TEST(test_interceptor_timings_tell_the_handlers_time),
    };
    return cmocka_run_group_tests_name("rpc.interceptor", tests, NULL, NULL);
}
