#include "cmocka_headers.h"
#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "process.h"
#include "server/auth/token.h"
#include "tests/unit/auth/auth_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Keys and tokens are never printed: the output of a server that logs all it can is searched for them. */

#define CALLERS "[caller event]\nkey.e = " KEY_A "\nmethods = *\nact_for = any\n"
#define RAW_KEY "AAAAAAAA" /* of the 32 */

static int set_up(void **state) {
    (void)state;
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:0", 1);
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    setenv("HERALD_AUTH_REQUIRED", "true", 1);
    setenv("HERALD_AUTH_KEY_ID", "e", 1);
    setenv("HERALD_AUTH_KEY_FILE", write_file("own.key", KEY_A "\n"), 1);
    setenv("HERALD_AUTH_CALLERS_FILE", write_file("callers.ini", CALLERS), 1);
    return 0;
}

static void assert_no_secret(const struct process *process, const char *token) {
    const char *const secrets[] = {KEY_A, "QUFBQUFBQUFB", RAW_KEY, token ? strrchr(token, '.') : KEY_A};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
        if (strstr(process->output, secrets[i])) {
            fail_msg("\"%s\" was printed: %s", secrets[i], process->output);
        }
    }
}

static void call_with(const char *url, struct herald_credential *credential) {
    const struct herald_channel_options options = {.credential = credential};
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    const Herald__Job__V1__UpdateJobResponse *response = NULL;
    struct herald_channel *channel = NULL;
    struct herald_reply reply = {0};
    assert_int_equal(herald_channel_open(url, &options, &channel, NULL), HERALD_OK);
    assert_int_not_equal(herald_job_v1_job_service_update_job(channel, &request, NULL, &reply, &response), HERALD_OK);
    assert_int_equal(reply.outcome, HERALD_EXECUTED);
    assert_null(strstr(reply.error.message, KEY_A));
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    herald_credential_unref(credential);
}

static struct herald_credential *key_credential(const char *key_id) {
    struct auth_key key = key_of('A');
    struct herald_credential *credential = NULL;
    assert_int_equal(herald_credential_hmac(key_id, key.bytes, key.count, &credential, NULL), HERALD_OK);
    return credential;
}

static struct herald_credential *token_credential(const char *token) {
    struct herald_credential *credential = NULL;
    assert_int_equal(herald_credential_bearer(token, &credential, NULL), HERALD_OK);
    return credential;
}

static void test_canary_running_server_prints_no_secret(void **state) {
    const struct token_claims claims = {.caller = "event", .user = "u", .issued_s = time(NULL), .life_s = 60};
    struct auth_key key = key_of('A');
    char url[64], *token = NULL;
    (void)state;
    assert_int_equal(token_make("e", &key, &claims, &token, NULL), HERALD_OK);
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    const char *found = await_output(process, "tcp://127.0.0.1:");
    snprintf(url, sizeof(url), "%.*s", (int)strcspn(found, "\""), found);
    call_with(url, key_credential("e"));
    call_with(url, key_credential("unknown"));
    call_with(url, token_credential(token));
    token[3] ^= 1;
    call_with(url, token_credential(token));
    write_file("callers.ini", CALLERS "[caller x]\nkey.y = " KEY_A KEY_A "\n" KEY_A "\n");
    (void)await_output(process, "auth.callers_refused");
    kill(process->pid, SIGTERM);
    await_end(process);
    assert_no_secret(process, token);
    expect_end(process, 0, "server.stopped");
    free(token);
}

static void test_canary_bad_callers_file_prints_no_secret(void **state) {
    (void)state;
    write_file("callers.ini", CALLERS "key.y = " KEY_A "=\n" KEY_A "\nkey = " KEY_A
                                      "\nmethods = QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"
                                      "key.QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB=\n");
    struct process *process = start_process(TEST_PROGRAM, NULL);
    await_end(process);
    assert_no_secret(process, NULL);
    expect_end(process, 1, "callers.ini:");
}

static void test_canary_check_config_prints_no_secret(void **state) {
    (void)state;
    struct process *process = start_process(TEST_PROGRAM, (const char *const[]){"--check-config", NULL});
    await_end(process);
    assert_no_secret(process, NULL);
    expect_end(process, 0, "callers_file = ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(test_canary_running_server_prints_no_secret),
        TEST(test_canary_bad_callers_file_prints_no_secret),
        TEST(test_canary_check_config_prints_no_secret),
    };
    int failed = cmocka_run_group_tests_name("rpc.canary", tests, NULL, NULL);
    remove_files();
    return failed;
}
