#include "cmocka_headers.h"
#include "fixture.h"
#include "server/runtime/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What envelopes, good and bad, get. */

/* Whatever happened: the next call is answered. */
static void assert_goes_on(struct fixture *fixture) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_OK;
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, &request);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void assert_code(const Herald__Rpc__V1__Response *response, enum herald_code code, const char *reason) {
    assert_string_equal(herald_code_name((int)response->code), herald_code_name((int)code));
    assert_string_equal(response->reason, reason);
}

static void assert_holds(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", text, part);
    }
}

/* Sends a request that is wrong, asserts the answer and that the server goes on; gives the answer back. */
static Herald__Rpc__V1__Response *expect_error(struct fixture *fixture, const Herald__Rpc__V1__Request *request,
                                               enum herald_code code, const char *reason) {
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, request);
    assert_code(response, code, reason);
    assert_int_equal(response->payload.len, 0);
    assert_goes_on(fixture);
    return response;
}

static Herald__Job__V1__GetJobResponse *call_get_job(struct fixture *fixture, const Herald__Rpc__V1__Request *request) {
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, request);
    assert_int_equal(response->code, HERALD_OK);
    assert_string_equal(response->reason, "");
    assert_string_equal(response->message, "");
    Herald__Job__V1__GetJobResponse *job =
        herald__job__v1__get_job_response__unpack(NULL, response->payload.len, response->payload.data);
    assert_non_null(job);
    herald__rpc__v1__response__free_unpacked(response, NULL);
    return job;
}

static void test_dispatch_good_envelope_runs_handler(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.call_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5f";
    request.traceparent = (char *)"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.timeout_ms = 3000;
    Herald__Job__V1__GetJobResponse *job = call_get_job(*state, &request);
    assert_string_equal(job->job->job_id, TEST_JOB_ID);
    assert_string_equal(job->job->failure, request.call_id);
    assert_child_span(job->job->event_draft_id, request.traceparent);
    assert_in_range(job->job->version, 1, 3000);
    herald__job__v1__get_job_response__free_unpacked(job, NULL);
}

static void test_dispatch_later_trace_context_goes_on_as_ours(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.traceparent =
        (char *)"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like";
    Herald__Job__V1__GetJobResponse *job = call_get_job(*state, &request);
    assert_child_span(job->job->event_draft_id, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    herald__job__v1__get_job_response__free_unpacked(job, NULL);
}

static void test_dispatch_without_usable_trace_begins_one(void **state) {
    static char *const PARENTS[] = {(char *)"", (char *)"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                    (char *)"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"};
    for (size_t i = 0; i < sizeof(PARENTS) / sizeof(*PARENTS); i++) {
        Herald__Rpc__V1__Request request = get_job_envelope();
        request.traceparent = PARENTS[i];
        Herald__Job__V1__GetJobResponse *job = call_get_job(*state, &request);
        const char *own = job->job->event_draft_id;
        assert_int_equal(strlen(own), 55);
        assert_memory_equal(own, "00-", 3);
        assert_string_equal(own + 52, "-00");
        assert_int_not_equal(strspn(own + 3, "0"), 32);
        assert_int_equal(strspn(own + 3, "0123456789abcdef"), 32);
        assert_int_equal(strspn(own + 36, "0123456789abcdef"), 16);
        assert_memory_not_equal(own + 3, "4bf92f3577b34da6a3ce929d0e0e4736", 32);
        herald__job__v1__get_job_response__free_unpacked(job, NULL);
    }
}

static void test_dispatch_no_timeout_gets_method_default(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    Herald__Job__V1__GetJobResponse *job = call_get_job(*state, &request);
    assert_in_range(job->job->version, 1, 5000);
    assert_int_equal(strlen(job->job->failure), 36); /* a call id was made */
    herald__job__v1__get_job_response__free_unpacked(job, NULL);
}

static void test_dispatch_huge_timeout_is_cut(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.timeout_ms = UINT32_MAX;
    Herald__Job__V1__GetJobResponse *job = call_get_job(*state, &request);
    assert_in_range(job->job->version, 500000, 600000);
    herald__job__v1__get_job_response__free_unpacked(job, NULL);
}

static void test_dispatch_unknown_method_names_near_ones(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.method = (char *)"herald.job.v1.JobService/GetJobs";
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_UNIMPLEMENTED, "UNKNOWN_METHOD");
    assert_holds(response->message, "herald.job.v1.JobService/GetJobs");
    assert_holds(response->message, "near names: herald.job.v1.JobService/GetJob");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_method_of_other_server_says_so(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.method = (char *)"herald.event.v1.EventService/PublishEvent";
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_UNIMPLEMENTED, "UNKNOWN_METHOD");
    assert_holds(response->message, "test-server is not the server of herald.event.v1.EventService/PublishEvent");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_garbage_is_malformed_envelope(void **state) {
    static const uint8_t GARBAGE[] = {0xff, 0xff, 0x00, 0x01, 0x02, 0x80};
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Response *response =
        expect_response(fixture->url, GARBAGE, sizeof(GARBAGE), HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE");
    assert_holds(response->message, "herald.rpc.v1.Request");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    assert_goes_on(fixture);
}

static void test_dispatch_empty_message_is_malformed_envelope(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Response *response =
        expect_response(fixture->url, NULL, 0, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    assert_goes_on(fixture);
}

static void test_dispatch_cut_envelope_is_malformed_envelope(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    uint8_t bytes[256];
    size_t count = herald__rpc__v1__request__pack(&request, bytes);
    for (size_t cut = 1; cut < count; cut++) {
        struct raw_reply reply = raw_call(fixture->url, bytes, cut, 10000);
        assert_int_equal(reply.failure, 0);
        Herald__Rpc__V1__Response *response = herald__rpc__v1__response__unpack(NULL, reply.count, reply.bytes);
        /* A cut name is another name; a cut between fields leaves a call without its payload; text is answered as
         * text. */
        if (response) {
            assert_int_not_equal(response->code, HERALD_OK);
        } else {
            assert_holds((char *)reply.bytes, "MALFORMED_ENVELOPE");
        }
        if (response) {
            herald__rpc__v1__response__free_unpacked(response, NULL);
        }
        raw_reply_clear(&reply);
    }
    assert_goes_on(fixture);
}

static void test_dispatch_two_methods_is_malformed_envelope(void **state) {
    /* The first name would be answered on nng's thread; the last one counts, and it waits. */
    static const char FIRST[] = "\x0a\x1a"
                                "herald.rpc.v1.Health/Check";
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    uint8_t bytes[256];
    memcpy(bytes, FIRST, sizeof(FIRST) - 1);
    size_t count = sizeof(FIRST) - 1 + herald__rpc__v1__request__pack(&request, bytes + sizeof(FIRST) - 1);
    Herald__Rpc__V1__Response *response =
        expect_response(fixture->url, bytes, count, HERALD_INVALID_ARGUMENT, "MALFORMED_ENVELOPE");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    assert_goes_on(fixture);
}

static void test_dispatch_text_that_is_neither_gets_readable_answer(void **state) {
    static const char *const TEXTS[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Hello", "안녕하세요", "  help",
                                        "42"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(*TEXTS); i++) {
        assert_probe(fixture->url, TEXTS[i], "this is neither an envelope nor a probe");
        assert_probe(fixture->url, TEXTS[i], "INVALID_ARGUMENT");
    }
    assert_goes_on(fixture);
}

static void test_dispatch_bad_envelope_field_is_named(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.call_id = (char *)"no uuid";
    request.idempotency_key = (char *)"has spaces";
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD");
    assert_int_equal(response->n_details, 2);
    assert_string_equal(response->details[0]->field, "callId");
    assert_string_equal(response->details[1]->field, "idempotencyKey");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_malformed_payload_names_field(void **state) {
    uint8_t not_utf8[] = {0x0a, 0x02, 0xc3, 0x28};
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.payload.data = not_utf8;
    request.payload.len = sizeof(not_utf8);
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_INVALID_ARGUMENT, "MALFORMED_PAYLOAD");
    assert_int_equal(response->n_details, 1);
    assert_string_equal(response->details[0]->field, "jobId");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_cut_payload_is_malformed_payload(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.payload.len -= 3;
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_INVALID_ARGUMENT, "MALFORMED_PAYLOAD");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_missing_field_is_invalid_field(void **state) {
    Herald__Rpc__V1__Request request = get_job_envelope();
    request.payload.len = 0;
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD");
    assert_int_equal(response->n_details, 1);
    assert_string_equal(response->details[0]->field, "jobId");
    assert_string_equal(response->details[0]->reason, "REQUIRED");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_all_wrong_fields_are_listed(void **state) {
    Herald__Job__V1__CreateImageJobRequest payload = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    uint8_t bytes[512];
    payload.event_draft_id = (char *)"nonsense";
    payload.brand_color = (char *)"red";
    request.method = (char *)"herald.job.v1.JobService/CreateImageJob";
    request.payload.data = bytes;
    request.payload.len = herald__job__v1__create_image_job_request__pack(&payload, bytes);
    Herald__Rpc__V1__Response *response = expect_error(*state, &request, HERALD_INVALID_ARGUMENT, "INVALID_FIELD");
    /* eventDraftId, userId, title, brandColor, storeInfo */
    assert_int_equal(response->n_details, 5);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_handlers_error_arrives_whole(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_FAILS;
    Herald__Rpc__V1__Response *response = expect_error(fixture, &request, HERALD_FAILED_PRECONDITION, "NOT_READY");
    assert_string_equal(response->message, "not ready: 준비되지 않음");
    assert_int_equal(response->retry_after_ms, 1234);
    assert_int_equal(response->n_details, 2);
    assert_string_equal(response->details[1]->field, "job.prize");
    assert_string_equal(response->details[1]->reason, "REQUIRED");
    assert_string_equal(response->details[1]->message, "the prize is missing");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_silent_failure_gets_reason_and_text(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_FAILS_SILENTLY;
    Herald__Rpc__V1__Response *response = expect_error(fixture, &request, HERALD_ABORTED, "ABORTED");
    assert_holds(response->message, "herald.job.v1.JobService/GetJob");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_local_code_goes_out_as_unknown(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_OUTCOME_UNKNOWN;
    herald__rpc__v1__response__free_unpacked(expect_error(fixture, &request, HERALD_UNKNOWN, "LOST"), NULL);
}

static void test_dispatch_oversized_response_names_limit(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_BIG;
    Herald__Rpc__V1__Response *response =
        expect_error(fixture, &request, HERALD_RESOURCE_EXHAUSTED, "RESPONSE_TOO_LARGE");
    assert_holds(response->message, "rpc.max_message_bytes = 262144");
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_full_arena_is_resource_exhausted(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    fixture->mode = GET_JOB_ARENA;
    herald__rpc__v1__response__free_unpacked(expect_error(fixture, &request, HERALD_RESOURCE_EXHAUSTED, "ARENA_FULL"),
                                             NULL);
}

static void test_dispatch_oversized_message_names_limit(void **state) {
    struct fixture *fixture = *state;
    size_t count = fixture->settings.rpc_max_message_bytes + 1;
    uint8_t *bytes = calloc(1, count);
    Herald__Rpc__V1__Response *response =
        expect_response(fixture->url, bytes, count, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE");
    assert_holds(response->message, "rpc.max_message_bytes = 262144");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    free(bytes);
    assert_goes_on(fixture);
}

static void test_dispatch_giant_message_ends_its_connection_only(void **state) {
    struct fixture *fixture = *state;
    size_t count = 4u * 1024 * 1024;
    uint8_t *bytes = calloc(1, count);
    struct raw_reply reply = raw_call(fixture->url, bytes, count, 500);
    assert_int_not_equal(reply.failure, 0);
    raw_reply_clear(&reply);
    free(bytes);
    assert_goes_on(fixture);
}

static void test_dispatch_largest_message_is_taken(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = get_job_envelope();
    /* Field 15 is unknown: it fills the envelope up to the limit exactly. */
    uint8_t *bytes = calloc(1, fixture->settings.rpc_max_message_bytes);
    size_t used = herald__rpc__v1__request__pack(&request, bytes);
    size_t filler = fixture->settings.rpc_max_message_bytes - used - 4;
    bytes[used++] = 15 << 3 | 2;
    bytes[used++] = (uint8_t)(filler | 0x80);
    bytes[used++] = (uint8_t)(filler >> 7 | 0x80);
    bytes[used++] = (uint8_t)(filler >> 14);
    Herald__Rpc__V1__Response *response =
        expect_response(fixture->url, bytes, fixture->settings.rpc_max_message_bytes, HERALD_OK, "");
    herald__rpc__v1__response__free_unpacked(response, NULL);
    free(bytes);
}

static void test_dispatch_once_method_without_key_is_taken(void **state) {
    struct fixture *fixture = *state;
    Herald__Rpc__V1__Request request = create_image_job_envelope();
    request.idempotency_key = (char *)"";
    Herald__Rpc__V1__Response *response = envelope_call(fixture->url, &request);
    assert_int_equal(response->code, HERALD_OK);
    herald__rpc__v1__response__free_unpacked(response, NULL);
}

static void test_dispatch_client_gone_before_reply_breaks_nothing(void **state) {
    struct fixture *fixture = *state;
    uint8_t bytes[256], payload[64];
    Herald__Job__V1__WaitJobRequest wait = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    wait.job_id = (char *)TEST_JOB_ID;
    request.method = (char *)"herald.job.v1.JobService/WaitJob";
    request.payload.data = payload;
    request.payload.len = herald__job__v1__wait_job_request__pack(&wait, payload);
    size_t count = herald__rpc__v1__request__pack(&request, bytes);
    for (int i = 0; i < 20; i++) {
        struct raw_reply reply = raw_call(fixture->url, bytes, count, 20);
        assert_int_not_equal(reply.failure, 0); /* it gave up and hung up */
        raw_reply_clear(&reply);
    }
    fixture_await_waiting(fixture, 0);
    assert_int_equal(fixture->last_code, HERALD_CANCELLED);
    assert_goes_on(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
        TEST(test_dispatch_good_envelope_runs_handler),
        TEST(test_dispatch_later_trace_context_goes_on_as_ours),
        TEST(test_dispatch_without_usable_trace_begins_one),
        TEST(test_dispatch_no_timeout_gets_method_default),
        TEST(test_dispatch_huge_timeout_is_cut),
        TEST(test_dispatch_unknown_method_names_near_ones),
        TEST(test_dispatch_method_of_other_server_says_so),
        TEST(test_dispatch_garbage_is_malformed_envelope),
        TEST(test_dispatch_empty_message_is_malformed_envelope),
        TEST(test_dispatch_cut_envelope_is_malformed_envelope),
        TEST(test_dispatch_two_methods_is_malformed_envelope),
        TEST(test_dispatch_text_that_is_neither_gets_readable_answer),
        TEST(test_dispatch_bad_envelope_field_is_named),
        TEST(test_dispatch_malformed_payload_names_field),
        TEST(test_dispatch_cut_payload_is_malformed_payload),
        TEST(test_dispatch_missing_field_is_invalid_field),
        TEST(test_dispatch_all_wrong_fields_are_listed),
        TEST(test_dispatch_handlers_error_arrives_whole),
        TEST(test_dispatch_silent_failure_gets_reason_and_text),
        TEST(test_dispatch_local_code_goes_out_as_unknown),
        TEST(test_dispatch_oversized_response_names_limit),
        TEST(test_dispatch_full_arena_is_resource_exhausted),
        TEST(test_dispatch_oversized_message_names_limit),
        TEST(test_dispatch_giant_message_ends_its_connection_only),
        TEST(test_dispatch_largest_message_is_taken),
        TEST(test_dispatch_once_method_without_key_is_taken),
        TEST(test_dispatch_client_gone_before_reply_breaks_nothing),
    };
    return cmocka_run_group_tests_name("rpc.dispatch", tests, NULL, NULL);
}
