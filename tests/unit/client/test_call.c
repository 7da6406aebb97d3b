#include "client/src/call_pool.h"
#include "herald/client.h"
#include "herald/event/v1/event.client.h"
#include "herald/rpc/v1/health.client.h"
#include "tests/support/loopback.h"
#include "tests/unit/client/peer.h"

#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const Herald__Rpc__V1__HealthCheckRequest check_request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;

/* Answers a health check with one service, named as the request asked. */
static enum peer_action answer_check(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    (void)peer;
    Herald__Rpc__V1__HealthCheckRequest *check =
        herald__rpc__v1__health_check_request__unpack(NULL, request->payload.len, request->payload.data);
    Herald__Rpc__V1__ServiceHealth service = HERALD__RPC__V1__SERVICE_HEALTH__INIT;
    Herald__Rpc__V1__ServiceHealth *services[] = {&service};
    Herald__Rpc__V1__HealthCheckResponse health = HERALD__RPC__V1__HEALTH_CHECK_RESPONSE__INIT;
    Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    service.service = check->service;
    health.status = HERALD__RPC__V1__SERVING_STATUS__SERVING;
    health.n_services = 1;
    health.services = services;
    peer_append_response(reply, &response, &health.base);
    herald__rpc__v1__health_check_request__free_unpacked(check, NULL);
    return PEER_REPLY;
}

static enum peer_action answer_nothing(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    (void)peer, (void)request, (void)reply;
    return PEER_SILENT;
}

static struct herald_channel *open_channel(const char *url, const struct herald_channel_options *options) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    assert_int_equal(herald_channel_open(url, options, &channel, &error), HERALD_OK);
    assert_string_equal(herald_channel_url(channel), url);
    return channel;
}

static enum herald_code check(struct herald_channel *channel, const struct herald_call_options *options,
                              struct herald_reply *reply) {
    const Herald__Rpc__V1__HealthCheckResponse *response;
    return herald_rpc_v1_health_check(channel, &check_request, options, reply, &response);
}

/* --- replies --- */

static void call_and_expect_echo(const char *url) {
    struct peer peer;
    peer_open(&peer, url, answer_check, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    request.service = (char *)"herald.event.v1.EventService";
    assert_int_equal(herald_rpc_v1_health_check(channel, &request, NULL, &reply, &response), HERALD_OK);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_int_equal(reply.error.code, HERALD_OK);
    assert_ptr_equal(reply.message, response);
    assert_int_equal(response->status, HERALD__RPC__V1__SERVING_STATUS__SERVING);
    assert_string_equal(response->services[0]->service, request.service);
    assert_true(reply.payload_bytes > 0);
    assert_true(herald_uuid_valid(reply.call_id, strlen(reply.call_id)));
    herald_reply_clear(&reply);
    assert_null(reply.message);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_call_over_tcp_returns_reply(void **state) {
    (void)state;
    call_and_expect_echo("tcp://127.0.0.1:0");
}

static void test_call_over_ipc_returns_reply(void **state) {
    (void)state;
    char url[64];
    snprintf(url, sizeof(url), "ipc:///tmp/herald-test-call-%d.sock", (int)getpid());
    call_and_expect_echo(url);
}

static void test_call_over_inproc_returns_reply(void **state) {
    (void)state;
    call_and_expect_echo("inproc://herald-test-call");
}

/* What the peer saw of an envelope. */
struct seen {
    char method[128], call_id[64], key[64], traceparent[64], metadata_key[32], metadata_value[32];
    uint32_t timeout_ms;
    size_t metadata_count, payload_bytes;
};

static enum peer_action answer_seen(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    struct seen *seen = peer->user;
    Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    memset(seen, 0, sizeof(*seen));
    snprintf(seen->method, sizeof(seen->method), "%s", request->method);
    snprintf(seen->call_id, sizeof(seen->call_id), "%s", request->call_id);
    snprintf(seen->key, sizeof(seen->key), "%s", request->idempotency_key);
    snprintf(seen->traceparent, sizeof(seen->traceparent), "%s", request->traceparent);
    seen->timeout_ms = request->timeout_ms;
    seen->payload_bytes = request->payload.len;
    seen->metadata_count = request->n_metadata;
    if (request->n_metadata > 1) {
        snprintf(seen->metadata_key, sizeof(seen->metadata_key), "%s", request->metadata[1]->key);
        snprintf(seen->metadata_value, sizeof(seen->metadata_value), "%.*s", (int)request->metadata[1]->value.len,
                 (const char *)request->metadata[1]->value.data);
    }
    peer_append_response(reply, &response, NULL);
    return PEER_REPLY;
}

static void test_call_once_method_mints_key_and_default_deadline(void **state) {
    (void)state;
    struct seen seen;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_seen, &seen);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    const Herald__Event__V1__PublishEventResponse *response;
    request.user_id = (char *)"u1";
    assert_int_equal(herald_event_v1_event_service_publish_event(channel, &request, NULL, &reply, &response),
                     HERALD_OK);
    assert_string_equal(seen.method, "herald.event.v1.EventService/PublishEvent");
    assert_string_equal(seen.call_id, reply.call_id);
    assert_int_equal(seen.call_id[14], '7');
    assert_true(herald_uuid_valid(seen.key, strlen(seen.key)));
    assert_string_not_equal(seen.key, seen.call_id);
    assert_int_equal(seen.timeout_ms, 80000);
    assert_int_equal(seen.payload_bytes, 4);
    assert_int_equal(seen.metadata_count, 0);
    herald_reply_clear(&reply);
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
    assert_string_equal(seen.key, "");
    assert_int_equal(seen.payload_bytes, 0);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_call_with_options_sends_them(void **state) {
    (void)state;
    struct seen seen;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_seen, &seen);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    const struct herald_metadata metadata[] = {{"empty", NULL, 0}, {"tenant", (const uint8_t *)"shop", 4}};
    struct herald_call_options options = {
        .timeout_ms = 4321,
        .call_id = "0192f0c1-2345-7abc-8def-0123456789ab",
        .idempotency_key = "key-1",
        .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        .metadata = metadata,
        .metadata_count = 2,
    };
    assert_int_equal(check(channel, &options, &reply), HERALD_OK);
    assert_string_equal(seen.call_id, options.call_id);
    assert_string_equal(reply.call_id, options.call_id);
    assert_string_equal(seen.key, "key-1");
    assert_string_equal(seen.traceparent, options.traceparent);
    assert_int_equal(seen.timeout_ms, 4321);
    assert_int_equal(seen.metadata_count, 2);
    assert_string_equal(seen.metadata_key, "tenant");
    assert_string_equal(seen.metadata_value, "shop");
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static enum peer_action answer_error(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    (void)request;
    Herald__Rpc__V1__ErrorDetail details[20];
    Herald__Rpc__V1__ErrorDetail *pointers[20];
    Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    for (int i = 0; i < 20; i++) {
        herald__rpc__v1__error_detail__init(&details[i]);
        details[i].field = (char *)"storeInfo.name";
        details[i].reason = (char *)"REQUIRED";
        details[i].message = (char *)"must be set";
        pointers[i] = &details[i];
    }
    response.code = (Herald__Rpc__V1__Code) * (int *)peer->user;
    response.reason = (char *)"NOT_READY";
    response.message = (char *)"이벤트가 준비되지 않았습니다";
    response.n_details = 20;
    response.details = pointers;
    response.retry_after_ms = 1500;
    peer_append_response(reply, &response, NULL);
    return PEER_REPLY;
}

static void test_call_server_error_gives_error_with_details(void **state) {
    (void)state;
    int code = HERALD_FAILED_PRECONDITION;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_error, &code);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_FAILED_PRECONDITION);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_string_equal(reply.error.reason, "NOT_READY");
    assert_string_equal(reply.error.message, "이벤트가 준비되지 않았습니다");
    assert_int_equal(reply.error.retry_after_ms, 1500);
    assert_int_equal(reply.error.detail_count, HERALD_ERROR_DETAILS_MAX);
    assert_string_equal(reply.error.details[15].field, "storeInfo.name");
    assert_string_equal(reply.error.details[15].reason, "REQUIRED");
    assert_string_equal(reply.error.details[15].message, "must be set");
    assert_null(reply.message);
    herald_reply_clear(&reply);
    code = 99;
    assert_int_equal(check(channel, NULL, &reply), HERALD_UNKNOWN);
    herald_reply_clear(&reply);
    code = HERALD_OUTCOME_UNKNOWN; /* local: no code of the wire */
    assert_int_equal(check(channel, NULL, &reply), HERALD_UNKNOWN);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

struct raw_reply {
    const void *bytes;
    size_t count;
};

static enum peer_action answer_raw(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    const struct raw_reply *raw = peer->user;
    (void)request;
    nng_msg_append(reply, raw->bytes, raw->count);
    return PEER_REPLY;
}

static void test_call_malformed_reply_gives_internal(void **state) {
    (void)state;
    static const struct raw_reply replies[] = {
        {"herald.rpc.v1 text", 18},      /* no envelope at all */
        {"\x08", 1},                     /* a tag without its value */
        {"\x12\x05only", 6},             /* a message cut off */
        {"\x08\x05\x12\x02\xff\xfe", 6}, /* invalid UTF-8 in the message */
        {"\x08\x05\x1a\x03"
         "A\0B",
         7},                         /* NUL in the reason */
        {"\x0a\x00", 2},             /* the code as text */
        {"\x22\x02\x0a\x09", 4},     /* a broken detail */
        {"\x2a\x02\x12\x09", 4},     /* a broken payload */
        {"\x0b\x0c", 2},             /* a group */
        {"\x00\x00", 2},             /* field number 0 */
        {"\x38\x01", 2},             /* metadata as a number */
        {"\x3a\x02\x08\x01", 4},     /* a key as a number */
        {"\x3a\x03\x0a\x01\xff", 5}, /* a key that is no text */
        {"\x3a\x02\x12\x09", 4},     /* a value cut off */
        {"\x40\x01", 2},             /* timings as a number */
        {"\x42\x02\x0a\x00", 4},     /* a time as text */
        {"\x4a\x01\x00", 3},         /* what was done as text */
    };
    struct raw_reply raw = {"", 0};
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_raw, &raw);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        raw = replies[i];
        assert_int_equal(check(channel, NULL, &reply), HERALD_INTERNAL);
        assert_string_equal(reply.error.reason, "MALFORMED_REPLY");
        assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
        assert_null(reply.message);
        assert_int_equal(reply.metadata_count, 0);
        herald_reply_clear(&reply);
    }
    raw = (struct raw_reply){"", 0}; /* all defaults: OK and an empty response */
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
    assert_non_null(reply.message);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

/* What a few bytes unpack to is bounded; the server would send as much again, so that it is not asked again. */
static void test_call_reply_that_unpacks_to_too_much_gives_internal(void **state) {
    (void)state;
    enum { ITEMS = 30000, HEAD = 4 };
    static uint8_t bytes[HEAD + 2 * ITEMS] = {0x2a, (2 * ITEMS & 127) | 128, (2 * ITEMS >> 7 & 127) | 128,
                                              2 * ITEMS >> 14}; /* the payload's tag and length */
    for (size_t i = HEAD; i < sizeof(bytes); i += 2) {
        bytes[i] = 0x12; /* an empty item of services */
    }
    struct raw_reply raw = {bytes, sizeof(bytes)};
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_raw, &raw);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_INTERNAL);
    assert_string_equal(reply.error.reason, "MALFORMED_REPLY");
    assert_non_null(strstr(reply.error.message, "bytes of memory"));
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    assert_int_equal(reply.attempts, 1);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_call_outcome_is_what_the_reply_says_was_done(void **state) {
    (void)state;
    static const struct {
        struct raw_reply raw;
        enum herald_code code;
        enum herald_done done;
        enum herald_outcome outcome;
    } rows[] = {
        {{"\x08\x0e", 2}, HERALD_UNAVAILABLE, HERALD_DONE_AS_TOLD, HERALD_EXECUTED},
        {{"\x08\x03\x48\x01", 4}, HERALD_INVALID_ARGUMENT, HERALD_DONE_NOTHING, HERALD_EXECUTED},
        {{"\x08\x0d\x48\x02", 4}, HERALD_INTERNAL, HERALD_DONE_NOT_KNOWN, HERALD_MAYBE_EXECUTED},
        {{"\x08\x0d\x48\x63", 4}, HERALD_INTERNAL, HERALD_DONE_NOT_KNOWN, HERALD_MAYBE_EXECUTED}, /* newer */
        {{"\x08\x02", 2}, HERALD_UNKNOWN, HERALD_DONE_NOT_KNOWN, HERALD_MAYBE_EXECUTED},          /* older */
        {{"\x08\x02\x48\x01", 4}, HERALD_UNKNOWN, HERALD_DONE_NOTHING, HERALD_EXECUTED},
        {{"\x2a\x00\x48\x02", 4}, HERALD_OK, HERALD_DONE_AS_TOLD, HERALD_EXECUTED}, /* it did what it was asked */
    };
    struct raw_reply raw = {"", 0};
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_raw, &raw);
    const struct herald_channel_options options = {.retry.max_attempts = 1};
    struct herald_channel *channel = open_channel(peer.url, &options);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct herald_reply reply = {0};
        raw = rows[i].raw;
        assert_int_equal(check(channel, NULL, &reply), rows[i].code);
        assert_int_equal(reply.done, rows[i].done);
        assert_int_equal(reply.outcome, rows[i].outcome);
        assert_int_equal(reply.effect, HERALD_EFFECT_READ);
        herald_reply_clear(&reply);
    }
    herald_channel_close(channel);
    peer_close(&peer);
}

/* --- time and connections --- */

static void test_call_no_reply_is_maybe_executed_at_deadline(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_nothing, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct herald_call_options options = {.timeout_ms = 150};
    struct herald_reply reply = {0};
    int64_t before = herald_now_ms();
    assert_int_equal(check(channel, &options, &reply), HERALD_DEADLINE_EXCEEDED);
    int64_t took = herald_now_ms() - before;
    assert_true(took >= 149 && took < 10000);
    assert_string_equal(reply.error.reason, "NO_REPLY_IN_TIME");
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    assert_int_equal(atomic_load(&peer.received), 1);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_call_no_server_is_not_sent_within_connect_timeout(void **state) {
    (void)state;
    char url[32];
    loopback_url("tcp", url);
    struct herald_channel_options channel_options = {.connect_timeout_ms = 200};
    struct herald_channel *channel = open_channel(url, &channel_options);
    struct herald_reply reply = {0};
    int64_t before = herald_now_ms();
    assert_int_equal(check(channel, NULL, &reply), HERALD_UNAVAILABLE);
    int64_t took = herald_now_ms() - before;
    assert_true(took >= 199);
    assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    assert_non_null(strstr(reply.error.message, url));
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    herald_reply_clear(&reply);
    struct herald_call_options options = {.timeout_ms = 50};
    assert_int_equal(check(channel, &options, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
}

static void test_call_before_server_listens_is_delivered_when_it_does(void **state) {
    (void)state;
    char url[32];
    loopback_url("tcp", url);
    struct herald_channel_options channel_options = {.connect_timeout_ms = 20000};
    struct herald_channel *channel = open_channel(url, &channel_options);
    struct herald_reply reply = {0};
    struct herald_call_options options = {.timeout_ms = 1};
    assert_int_equal(check(channel, &options, &reply), HERALD_UNAVAILABLE);
    herald_reply_clear(&reply);
    struct peer peer;
    peer_open(&peer, url, answer_check, NULL);
    options.timeout_ms = 20000;
    assert_int_equal(check(channel, &options, &reply), HERALD_OK);
    assert_int_equal(atomic_load(&peer.received), 1); /* the first was not kept back and sent now */
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static enum peer_action answer_hang_up_once(struct peer *peer, const Herald__Rpc__V1__Request *request,
                                            nng_msg *reply) {
    atomic_int *hang_ups = peer->user;
    if (atomic_fetch_sub(hang_ups, 1) > 0) {
        return PEER_HANG_UP;
    }
    return answer_check(peer, request, reply);
}

static void test_call_connection_lost_is_maybe_executed_and_not_sent_again(void **state) {
    (void)state;
    atomic_int hang_ups = 1;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_hang_up_once, &hang_ups);
    struct herald_channel_options once = {.retry = {.max_attempts = 1}};
    struct herald_channel *channel = open_channel(peer.url, &once);
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "CONNECTION_LOST");
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    herald_reply_clear(&reply);
    /* The next one goes over the new connection; had the first been kept, it would have arrived before it. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
        herald_reply_clear(&reply);
    }
    assert_int_equal(atomic_load(&peer.received), 21);
    herald_channel_close(channel);
    peer_close(&peer);
}

/* --- limits --- */

static void test_call_oversized_request_is_not_sent(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_check, NULL);
    struct herald_channel_options channel_options = {.max_message_bytes = 2000};
    struct herald_channel *channel = open_channel(peer.url, &channel_options);
    char service[3000];
    memset(service, 'a', sizeof(service));
    service[sizeof(service) - 1] = '\0';
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    const Herald__Rpc__V1__HealthCheckResponse *response;
    request.service = service;
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK); /* nng may leak what it closes before it is connected */
    herald_reply_clear(&reply);
    assert_int_equal(herald_rpc_v1_health_check(channel, &request, NULL, &reply, &response), HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(reply.error.reason, "MESSAGE_TOO_BIG");
    assert_non_null(strstr(reply.error.message, "2000"));
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_int_equal(atomic_load(&peer.received), 1);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_call_oversized_reply_is_maybe_executed(void **state) {
    (void)state;
    static char big[5000];
    struct raw_reply raw = {big, sizeof(big)};
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_raw, &raw);
    struct herald_channel_options channel_options = {.max_message_bytes = 2000, .retry = {.max_attempts = 1}};
    struct herald_channel *channel = open_channel(peer.url, &channel_options);
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "CONNECTION_LOST");
    assert_int_equal(reply.outcome, HERALD_MAYBE_EXECUTED);
    herald_reply_clear(&reply);
    raw.count = 0; /* an empty response; the connection has been made again then */
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    peer_close(&peer);
}

static void test_channel_open_bad_url_is_invalid_argument(void **state) {
    (void)state;
    static const char *const urls[] = {"",
                                       "7101",
                                       "http//x",
                                       "carrier-pigeon://roof",
                                       "tcp://",
                                       "tcp://127.0.0.1",
                                       "tcp://127.0.0.1:",
                                       "tcp://127.0.0.1:port",
                                       "tcp://127.0.0.1:0",
                                       "tcp://127.0.0.1:65536",
                                       "ipc://",
                                       "inproc://"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct herald_channel *channel = (struct herald_channel *)&i;
        struct herald_error error;
        assert_int_equal(herald_channel_open(urls[i], NULL, &channel, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_URL");
        assert_ptr_equal(channel, &i);
    }
    assert_int_equal(herald_channel_open(NULL, NULL, NULL, NULL), HERALD_INVALID_ARGUMENT);
}

static void test_call_request_of_other_type_is_invalid_argument(void **state) {
    (void)state;
    struct herald_channel *channel = open_channel("inproc://herald-test-nobody", NULL);
    Herald__Rpc__V1__HealthCheckResponse wrong = HERALD__RPC__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct herald_reply reply = {0};
    assert_int_equal(herald_call(channel, herald_rpc_v1_health_check_method, &wrong.base, NULL, &reply),
                     HERALD_INVALID_ARGUMENT);
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    herald_reply_clear(&reply);
    herald_channel_close(channel);
}

/* --- callbacks --- */

struct ends {
    atomic_int count;
    atomic_int codes[HERALD_OUTCOME_UNKNOWN + 1];
    atomic_int outcomes[3];
};

static void on_end(void *user, struct herald_reply *reply) {
    struct ends *ends = user;
    atomic_fetch_add(&ends->codes[reply->error.code], 1);
    atomic_fetch_add(&ends->outcomes[reply->outcome], 1);
    herald_reply_clear(reply);
    atomic_fetch_add(&ends->count, 1);
}

static enum herald_code start(struct herald_channel *channel, struct ends *ends, struct herald_call **ret_call) {
    struct herald_error error;
    return herald_rpc_v1_health_check_start(channel, &check_request, NULL, on_end, ends, ret_call, &error);
}

static void test_call_start_beyond_limit_is_resource_exhausted(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_nothing, NULL);
    struct herald_channel_options channel_options = {.max_in_flight = 3};
    struct herald_channel *channel = open_channel(peer.url, &channel_options);
    struct ends ends = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start(channel, &ends, NULL), HERALD_OK);
    }
    struct herald_call *call = (struct herald_call *)&ends;
    struct herald_error error;
    assert_int_equal(herald_rpc_v1_health_check_start(channel, &check_request, NULL, on_end, &ends, &call, &error),
                     HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "TOO_MANY_CALLS");
    assert_ptr_equal(call, &ends);
    assert_true(wait_for_count(&peer.received, 3));
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ends.count), 3);
    peer_close(&peer);
}

static void test_call_cancel_after_send_is_maybe_executed(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_nothing, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct ends ends = {0};
    struct herald_call *call = NULL;
    assert_int_equal(start(channel, &ends, &call), HERALD_OK);
    assert_true(wait_for_count(&peer.received, 1));
    herald_call_cancel(call);
    assert_true(wait_for_count(&ends.count, 1));
    assert_int_equal(atomic_load(&ends.codes[HERALD_CANCELLED]), 1);
    assert_int_equal(atomic_load(&ends.outcomes[HERALD_MAYBE_EXECUTED]), 1);
    herald_call_cancel(call); /* after the end: nothing */
    herald_call_release(call);
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ends.count), 1);
    peer_close(&peer);
}

static void test_call_cancel_while_connecting_is_not_sent(void **state) {
    (void)state;
    char url[32];
    loopback_url("tcp", url);
    struct herald_channel *channel = open_channel(url, NULL);
    struct ends ends = {0};
    struct herald_call *call = NULL;
    assert_int_equal(start(channel, &ends, &call), HERALD_OK);
    herald_call_cancel(call);
    herald_call_release(call);
    assert_true(wait_for_count(&ends.count, 1));
    assert_int_equal(atomic_load(&ends.codes[HERALD_CANCELLED]), 1);
    assert_int_equal(atomic_load(&ends.outcomes[HERALD_NOT_SENT]), 1);
    herald_channel_close(channel);
}

/*
 * Waits until no reply to a cancelled call is on its way any more: closing a connection while a message comes in may
 * wedge nng before 1.8. The last check's reply is behind all others.
 */
static void settle(struct herald_channel *channel, struct peer *peer) {
    struct herald_reply reply = {0};
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
    herald_reply_clear(&reply);
    assert_true(wait_for_count(&peer->replied, atomic_load(&peer->received)));
    assert_int_equal(check(channel, NULL, &reply), HERALD_OK);
    herald_reply_clear(&reply);
}

static void test_call_cancel_races_reply_ends_exactly_once(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_check, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct ends ends = {0};
    for (int i = 0; i < 2000; i++) {
        struct herald_call *call;
        assert_int_equal(start(channel, &ends, &call), HERALD_OK);
        for (volatile int spin = 0; spin < (i % 50) * 200; spin++)
            ;
        herald_call_cancel(call);
        herald_call_release(call);
        assert_true(wait_for_count(&ends.count, i + 1));
    }
    settle(channel, &peer);
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ends.count), 2000);
    assert_int_equal(atomic_load(&ends.codes[HERALD_CANCELLED]) + atomic_load(&ends.codes[HERALD_OK]), 2000);
    peer_close(&peer);
}

static void test_channel_close_with_calls_in_flight_cancels_each(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_nothing, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct ends ends = {0};
    struct herald_call *held[50];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(start(channel, &ends, i < 50 ? &held[i] : NULL), HERALD_OK);
    }
    assert_true(wait_for_count(&peer.received, 50));
    herald_channel_close(channel);
    assert_int_equal(atomic_load(&ends.count), 100);
    assert_int_equal(atomic_load(&ends.codes[HERALD_CANCELLED]), 100);
    for (int i = 0; i < 50; i++) { /* handles outlive the channel */
        herald_call_cancel(held[i]);
        herald_call_release(held[i]);
    }
    peer_close(&peer);
}

static void test_channel_close_while_connecting_cancels_unsent(void **state) {
    (void)state;
    char url[32];
    loopback_url("tcp", url);
    for (int round = 0; round < 20; round++) {
        struct herald_channel *channel = open_channel(url, NULL);
        struct ends ends = {0};
        for (int i = 0; i < round % 4; i++) {
            assert_int_equal(start(channel, &ends, NULL), HERALD_OK);
        }
        herald_channel_close(channel);
        assert_int_equal(atomic_load(&ends.count), round % 4);
        assert_int_equal(atomic_load(&ends.codes[HERALD_CANCELLED]), round % 4);
        assert_int_equal(atomic_load(&ends.outcomes[HERALD_NOT_SENT]), round % 4);
    }
    herald_channel_close(NULL);
}

static void *close_channel(void *user) {
    herald_channel_close(user);
    return NULL;
}

static void *call_blocking(void *user) {
    struct herald_reply reply = {0};
    enum herald_code code = check(user, NULL, &reply);
    herald_reply_clear(&reply);
    return (void *)(uintptr_t)code;
}

static void test_channel_close_ends_blocking_call(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_nothing, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    pthread_t caller, closer;
    void *code;
    pthread_create(&caller, NULL, call_blocking, channel);
    assert_true(wait_for_count(&peer.received, 1));
    pthread_create(&closer, NULL, close_channel, channel);
    pthread_join(caller, &code);
    pthread_join(closer, NULL);
    assert_int_equal((uintptr_t)code, HERALD_CANCELLED);
    peer_close(&peer);
}

/* Starts the next call of a chain from the callback of the one before. */
struct chain {
    struct herald_channel *channel;
    int left;
    atomic_int done;
};

static void on_chain(void *user, struct herald_reply *reply) {
    struct chain *chain = user;
    bool good = reply->error.code == HERALD_OK;
    herald_reply_clear(reply);
    bool last = --chain->left == 0; /* once the next is started, the chain is the next's */
    if (good && !last) {
        good = herald_rpc_v1_health_check_start(chain->channel, &check_request, NULL, on_chain, chain, NULL, NULL) ==
               HERALD_OK;
    }
    if (!good || last) {
        atomic_fetch_add(&chain->done, 1);
    }
}

static void test_call_started_from_callback_continues(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_check, NULL);
    struct chain chain = {.channel = open_channel(peer.url, NULL), .left = 500};
    assert_int_equal(
        herald_rpc_v1_health_check_start(chain.channel, &check_request, NULL, on_chain, &chain, NULL, NULL), HERALD_OK);
    assert_true(wait_for_count(&chain.done, 1));
    assert_int_equal(chain.left, 0);
    herald_channel_close(chain.channel);
    peer_close(&peer);
}

/* A callback that takes the reply, and gives its own handle back. */
struct taking {
    struct herald_reply reply;
    struct herald_call *call;
    atomic_int done;
};

static void on_taking(void *user, struct herald_reply *reply) {
    struct taking *taking = user;
    taking->reply = *reply;
    herald_call_release(taking->call);
    atomic_fetch_add(&taking->done, 1);
}

static void test_call_callback_takes_reply_and_releases_handle(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_check, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct taking *taking = calloc(1, sizeof(*taking));
    assert_int_equal(
        herald_rpc_v1_health_check_start(channel, &check_request, NULL, on_taking, taking, &taking->call, NULL),
        HERALD_OK);
    assert_true(wait_for_count(&taking->done, 1));
    herald_channel_close(channel);
    const Herald__Rpc__V1__HealthCheckResponse *response = (const void *)taking->reply.message;
    assert_int_equal(response->status, HERALD__RPC__V1__SERVING_STATUS__SERVING); /* lives on without the channel */
    herald_reply_clear(&taking->reply);
    free(taking);
    peer_close(&peer);
}

/* --- many threads --- */

#define THREADS    64
#define CALLS_EACH 50

struct worker {
    struct herald_channel *channel;
    int index;
    int good;
};

static void *work(void *user) {
    struct worker *worker = user;
    struct herald_reply reply = {0};
    char service[32];
    for (int i = 0; i < CALLS_EACH; i++) {
        Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
        const Herald__Rpc__V1__HealthCheckResponse *response;
        struct herald_call_options options = {.timeout_ms = 60000};
        snprintf(service, sizeof(service), "%d.%d", worker->index, i);
        request.service = service;
        if (herald_rpc_v1_health_check(worker->channel, &request, &options, &reply, &response) == HERALD_OK &&
            strcmp(response->services[0]->service, service) == 0) {
            worker->good++;
        }
        herald_reply_clear(&reply);
    }
    return NULL;
}

static void test_call_many_threads_each_gets_its_own_reply(void **state) {
    (void)state;
    struct peer peer;
    peer_open(&peer, "tcp://127.0.0.1:0", answer_check, NULL);
    struct herald_channel *channel = open_channel(peer.url, NULL);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.channel = channel, .index = i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].good, CALLS_EACH);
    }
    assert_int_equal(atomic_load(&peer.received), THREADS * CALLS_EACH);
    herald_channel_close(channel);
    peer_close(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_over_tcp_returns_reply),
        cmocka_unit_test(test_call_over_ipc_returns_reply),
        cmocka_unit_test(test_call_over_inproc_returns_reply),
        cmocka_unit_test(test_call_once_method_mints_key_and_default_deadline),
        cmocka_unit_test(test_call_with_options_sends_them),
        cmocka_unit_test(test_call_server_error_gives_error_with_details),
        cmocka_unit_test(test_call_malformed_reply_gives_internal),
        cmocka_unit_test(test_call_reply_that_unpacks_to_too_much_gives_internal),
        cmocka_unit_test(test_call_outcome_is_what_the_reply_says_was_done),
        cmocka_unit_test(test_call_no_reply_is_maybe_executed_at_deadline),
        cmocka_unit_test(test_call_no_server_is_not_sent_within_connect_timeout),
        cmocka_unit_test(test_call_before_server_listens_is_delivered_when_it_does),
        cmocka_unit_test(test_call_connection_lost_is_maybe_executed_and_not_sent_again),
        cmocka_unit_test(test_call_oversized_request_is_not_sent),
        cmocka_unit_test(test_call_oversized_reply_is_maybe_executed),
        cmocka_unit_test(test_channel_open_bad_url_is_invalid_argument),
        cmocka_unit_test(test_call_request_of_other_type_is_invalid_argument),
        cmocka_unit_test(test_call_start_beyond_limit_is_resource_exhausted),
        cmocka_unit_test(test_call_cancel_after_send_is_maybe_executed),
        cmocka_unit_test(test_call_cancel_while_connecting_is_not_sent),
        cmocka_unit_test(test_call_cancel_races_reply_ends_exactly_once),
        cmocka_unit_test(test_channel_close_with_calls_in_flight_cancels_each),
        cmocka_unit_test(test_channel_close_while_connecting_cancels_unsent),
        cmocka_unit_test(test_channel_close_ends_blocking_call),
        cmocka_unit_test(test_call_started_from_callback_continues),
        cmocka_unit_test(test_call_callback_takes_reply_and_releases_handle),
        cmocka_unit_test(test_call_many_threads_each_gets_its_own_reply),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failed;
}
