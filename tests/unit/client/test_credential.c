#include "client/message/signature.h"
#include "client/src/credential.h"
#include "herald/event/v1/event.client.h"
#include "herald/job/v1/job.schema.h"
#include "tests/unit/client/script.h"

#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Proofs on requests, read back with the generated code. */

static const uint8_t KEY[32] = "0123456789abcdef0123456789abcde";
#define KEY_BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQA="

static struct herald_credential *hmac(void) {
    struct herald_credential *credential = NULL;
    struct herald_error error;
    assert_int_equal(herald_credential_hmac("shop-backend", KEY, sizeof(KEY), &credential, &error), HERALD_OK);
    return credential;
}

static void expect_mac(const struct script_seen *seen, const char *method, const char *user) {
    const struct herald_signed_parts parts = {
        .key_id = "shop-backend",
        .time_ms = seen->time_ms,
        .nonce = seen->nonce,
        .nonce_bytes = seen->nonce_bytes,
        .method = method,
        .method_bytes = strlen(method),
        .user = user,
        .idempotency_key = seen->key,
        .payload = seen->payload,
        .payload_bytes = seen->payload_bytes,
    };
    uint8_t mac[HERALD_SIGNATURE_BYTES];
    assert_int_equal(seen->auth, 's');
    assert_string_equal(seen->key_id, "shop-backend");
    assert_string_equal(seen->user, user);
    assert_int_equal(seen->nonce_bytes, 16);
    assert_int_equal(seen->mac_bytes, 32);
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    assert_true(seen->time_ms > now_ms - 60000 && seen->time_ms < now_ms + 60000);
    assert_true(herald_signature_compute(&parts, KEY, sizeof(KEY), mac));
    assert_memory_equal(mac, seen->mac, sizeof(mac));
}

static void test_hmac_signs_each_attempt_anew(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    const struct herald_channel_options options = {.credential = hmac()};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    herald_credential_unref(options.credential); /* the channel has its own share */
    script->code = HERALD_RESOURCE_EXHAUSTED;
    script->reason = "TOO_MANY_CALLS";
    atomic_store(&script->fails, 1);
    assert_int_equal(call_once(channel, NULL, NULL), HERALD_OK);
    const struct script_seen first = script_seen(script, 0), second = script_seen(script, 1);
    expect_mac(&first, "herald.job.v1.JobService/CreateImageJob", first.user);
    expect_mac(&second, "herald.job.v1.JobService/CreateImageJob", first.user);
    assert_memory_not_equal(first.nonce, second.nonce, 16);
    assert_string_equal(first.key, second.key);
    assert_true(strlen(first.key) == 36);
    script_end(script, channel);
}

static void on_queued_call_done(void *user, struct herald_reply *reply) {
    atomic_store((atomic_int *)user, reply->error.code == HERALD_OK ? 1 : -1);
    herald_reply_clear(reply);
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A server that comes back takes no signature from before. */
static void test_hmac_call_that_waits_for_a_connection_is_signed_anew(void **state) {
    (void)state;
    char url[160];
    struct script *script = script_open(NULL);
    snprintf(url, sizeof(url), "%s", script->peer.url);
    script_close(script);
    const struct herald_channel_options options = {.credential = hmac(), .connect_timeout_ms = 60000};
    const struct herald_call_options patient = {.timeout_ms = 60000};
    static const Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_channel *channel = channel_to(url, &options);
    atomic_int done = 0;
    int64_t called_ms = wall_ms();
    assert_int_equal(herald_call_start(channel, herald_job_v1_job_service_get_job_method, &request.base, &patient,
                                       on_queued_call_done, &done, NULL, NULL),
                     HERALD_OK);
    while (wall_ms() < called_ms + 700) { /* nobody listens */
        nng_msleep(10);
    }
    script = script_open(url);
    const struct script_seen seen = script_seen(script, 0);
    expect_mac(&seen, "herald.job.v1.JobService/GetJob", "");
    assert_true(seen.time_ms > called_ms + 300);
    assert_true(wait_for_count(&done, 1));
    assert_int_equal(atomic_load(&script->peer.received), 1);
    script_end(script, channel);
    herald_credential_unref(options.credential);
}

static enum herald_code publish(struct herald_channel *channel, const char *user,
                                const struct herald_call_options *options, struct herald_error *reterr) {
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    const Herald__Event__V1__PublishEventResponse *response;
    struct herald_reply reply = {0};
    request.user_id = (char *)user;
    enum herald_code code = herald_event_v1_event_service_publish_event(channel, &request, options, &reply, &response);
    herald_error_copy(reterr, &reply.error);
    herald_reply_clear(&reply);
    return code;
}

static void test_hmac_acting_user_is_options_else_requests_field(void **state) {
    (void)state;
    static const char method[] = "herald.event.v1.EventService/PublishEvent";
    struct script *script = script_open(NULL);
    const struct herald_channel_options options = {.credential = hmac()};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    const struct herald_call_options other = {.acting_user = "user-2"}, nobody = {.acting_user = ""};
    struct herald_error error;
    assert_int_equal(publish(channel, "user-1", NULL, &error), HERALD_OK);
    assert_int_equal(publish(channel, "user-1", &other, &error), HERALD_OK);
    assert_int_equal(publish(channel, "user-1", &nobody, &error), HERALD_OK);
    struct script_seen seen[3] = {script_seen(script, 0), script_seen(script, 1), script_seen(script, 2)};
    expect_mac(&seen[0], method, "user-1");
    expect_mac(&seen[1], method, "user-2");
    expect_mac(&seen[2], method, "");
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK); /* has no such field */
    seen[0] = script_seen(script, 3);
    expect_mac(&seen[0], "herald.job.v1.JobService/GetJob", "");
    herald_channel_close(channel);
    herald_credential_unref(options.credential);
    script_close(script);
}

static void test_hmac_what_cannot_be_signed_is_not_sent(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    const struct herald_channel_options options = {.credential = hmac()};
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    struct herald_error error;
    char long_text[200];
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    const struct herald_call_options long_key = {.idempotency_key = long_text}, odd_key = {.idempotency_key = "a\nb"};
    assert_int_equal(publish(channel, "user\n1", NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_ACTING_USER");
    assert_int_equal(publish(channel, long_text, NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(publish(channel, "u", &long_key, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_IDEMPOTENCY_KEY");
    assert_int_equal(publish(channel, "u", &odd_key, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(atomic_load(&script->peer.received), 0);
    herald_channel_close(channel);
    herald_credential_unref(options.credential);
    script_close(script);
}

static void test_bearer_goes_with_each_call(void **state) {
    (void)state;
    struct script *script = script_open(NULL);
    struct herald_channel_options options = {0};
    struct herald_error error;
    assert_int_equal(herald_credential_bearer("abc.def.ghi", &options.credential, &error), HERALD_OK);
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    assert_int_equal(publish(channel, "user\n1", NULL, &error), HERALD_OK); /* what it says is the server's to judge */
    const struct script_seen seen = script_seen(script, 0);
    assert_int_equal(seen.auth, 'b');
    assert_string_equal(seen.bearer, "abc.def.ghi");
    herald_channel_close(channel);
    herald_credential_unref(options.credential);
    script_close(script);
}

static void test_bearer_longest_token_is_written_whole(void **state) {
    (void)state;
    char token[2049];
    uint8_t field[HERALD_AUTH_MAX_BYTES];
    size_t bytes = 0;
    struct herald_credential *credential = NULL;
    struct herald_error error;
    const struct herald_signed_parts call = {.method = "Any"};
    memset(token, 't', sizeof(token));
    assert_int_equal(herald_credential_bearer("", &credential, &error), HERALD_INVALID_ARGUMENT);
    token[2048] = '\0';
    assert_int_equal(herald_credential_bearer(token, &credential, &error), HERALD_OK);
    assert_true(herald_credential_write(credential, &call, field, &bytes));
    assert_int_equal(bytes, 2048 + 6);
    herald_credential_unref(credential);
    char longer[2050];
    memset(longer, 't', sizeof(longer));
    longer[2049] = '\0';
    credential = NULL;
    assert_int_equal(herald_credential_bearer(longer, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(herald_credential_bearer("with space", &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_TOKEN");
    assert_null(credential);
}

static void test_hmac_bad_key_or_id_is_refused(void **state) {
    (void)state;
    struct herald_credential *credential = NULL;
    struct herald_error error;
    assert_int_equal(herald_credential_hmac("a", KEY, 31, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_KEY");
    assert_int_equal(herald_credential_hmac("a", NULL, 32, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(herald_credential_hmac("", KEY, 32, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_KEY_ID");
    assert_int_equal(herald_credential_hmac("a b", KEY, 32, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_null(credential);
    herald_credential_unref(NULL);
}

static void write_key(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_hmac_file_is_base64_that_only_its_owner_reads(void **state) {
    (void)state;
    char path[64];
    struct herald_credential *credential = NULL;
    struct herald_error error;
    snprintf(path, sizeof(path), "/tmp/herald-test-key-%d", (int)getpid());
    assert_int_equal(herald_credential_hmac_file("shop-backend", path, &credential, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "FILE_UNREADABLE");
    assert_non_null(strstr(error.message, path));
    static const mode_t exposed[] = {0640, 0604, 0620, 0601};
    for (size_t i = 0; i < sizeof(exposed) / sizeof(exposed[0]); i++) {
        write_key(path, KEY_BASE64 "\n", exposed[i]);
        assert_int_equal(herald_credential_hmac_file("shop-backend", path, &credential, &error),
                         HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "KEY_EXPOSED");
    }
    static const char *const bad[] = {"",
                                      "\n",
                                      "!!!!" KEY_BASE64,
                                      KEY_BASE64 "\n" KEY_BASE64 "\n",
                                      "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQA", /* without its padding */
                                      "MDEy=zQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQA=",
                                      "MDEy"}; /* too short a key */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_key(path, bad[i], 0600);
        assert_int_equal(herald_credential_hmac_file("shop-backend", path, &credential, &error),
                         HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_KEY");
    }
    assert_null(credential);
    write_key(path, KEY_BASE64 "\n", 0400);
    struct script *script = script_open(NULL);
    struct herald_channel_options options = {0};
    assert_int_equal(herald_credential_hmac_file("shop-backend", path, &options.credential, &error), HERALD_OK);
    struct herald_channel *channel = channel_to(script->peer.url, &options);
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    const struct script_seen seen = script_seen(script, 0);
    expect_mac(&seen, "herald.job.v1.JobService/GetJob", "");
    herald_channel_close(channel);
    herald_credential_unref(options.credential);
    script_close(script);
    unlink(path);
}

static void test_no_credential_sends_no_auth(void **state) {
    (void)state;
    struct herald_channel *channel;
    struct script *script = script_serve(NULL, &channel);
    const struct herald_call_options options = {.acting_user = "user-1"};
    assert_int_equal(call_read(channel, &options, NULL), HERALD_OK);
    assert_int_equal(script_seen(script, 0).auth, '-');
    script_end(script, channel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac_signs_each_attempt_anew),
        cmocka_unit_test(test_hmac_call_that_waits_for_a_connection_is_signed_anew),
        cmocka_unit_test(test_hmac_acting_user_is_options_else_requests_field),
        cmocka_unit_test(test_hmac_what_cannot_be_signed_is_not_sent),
        cmocka_unit_test(test_bearer_goes_with_each_call),
        cmocka_unit_test(test_bearer_longest_token_is_written_whole),
        cmocka_unit_test(test_hmac_bad_key_or_id_is_refused),
        cmocka_unit_test(test_hmac_file_is_base64_that_only_its_owner_reads),
        cmocka_unit_test(test_no_credential_sends_no_auth),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nng_fini();
    return failed;
}
