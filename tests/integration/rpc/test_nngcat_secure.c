#include "server/auth/token.h"
#include "tests/unit/auth/auth_fixture.h"
#include "tests/unit/rpc/certificates.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* A secured server, probed as an operator does it: nngcat with a client certificate and a bearer token. */

static void set(char **setting, const char *value) {
    free(*setting);
    *setting = strdup(value);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct herald_error error;
    make_ca("ca");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:127.0.0.1,IP:127.0.0.1"});
    make_leaf(&(struct leaf){.name = "client", .ca = "ca"});
    fixture_init(fixture);
    set(&fixture->settings.tls_cert_file, certificate_path("server", ".pem"));
    set(&fixture->settings.tls_key_file, certificate_path("server", ".key"));
    set(&fixture->settings.tls_client_ca_file, certificate_path("ca", ".pem"));
    set(&fixture->settings.auth_callers_file,
        write_file("callers.ini",
                   "[caller operator]\nclass = server\nkey.o = " KEY_A "\nmethods = herald.job.v1.JobService/*\n"));
    fixture->settings.auth_required = true;
    fixture_start(fixture);
    assert_int_equal(rpc_server_secure(fixture->server, &error), HERALD_OK);
    assert_int_equal(rpc_server_listen(fixture->server, "tls+tcp://127.0.0.1:0", &error), HERALD_OK);
    fixture->url = rpc_server_url(fixture->server);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    return 0;
}

/* Runs nngcat with a probe; returns its exit status, and what it printed in @ret_output. */
static int run_nngcat(const struct fixture *fixture, bool with_certificate, const char *probe_text,
                      char ret_output[4096]) {
    char command[4096], own[1024] = "";
    if (with_certificate) {
        snprintf(own, sizeof(own), "--cert %s --key %s", certificate_path("client", ".pem"),
                 certificate_path("client", ".key"));
    }
    snprintf(command, sizeof(command),
             "nngcat --req --dial %s --cacert %s %s --ascii --send-timeout 10 --recv-timeout 10 --data '%s' 2>&1",
             fixture->url, certificate_path("ca", ".pem"), own, probe_text);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    ret_output[fread(ret_output, 1, 4095, output)] = '\0';
    int status = pclose(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_nngcat_with_certificate_and_token_is_served(void **state) {
    const struct token_claims claims = {.caller = "operator", .issued_s = time(NULL), .life_s = 60};
    struct auth_key key = key_of('A');
    char probe_text[2048], output[4096], *token = NULL;
    assert_int_equal(token_make("o", &key, &claims, &token, NULL), HERALD_OK);
    snprintf(probe_text, sizeof(probe_text),
             "bearer %s herald.job.v1.JobService/UpdateJob {\"jobId\":\"" TEST_JOB_ID "\"}", token);
    assert_int_equal(run_nngcat(*state, true, probe_text, output), 0);
    if (strstr(output, "UNAUTHENTICATED") || strstr(output, "PERMISSION_DENIED") || output[0] != '{') {
        fail_msg("%s", output);
    }
    assert_int_equal(run_nngcat(*state, true, strchr(strchr(probe_text, ' ') + 1, ' ') + 1, output), 0);
    assert_non_null(strstr(output, "CREDENTIAL_MISSING"));
    free(token);
}

static void test_nngcat_without_certificate_does_not_get_in(void **state) {
    char output[4096];
    assert_int_not_equal(run_nngcat(*state, false, "help", output), 0);
    assert_null(strstr(output, "herald.job"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nngcat_with_certificate_and_token_is_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nngcat_without_certificate_does_not_get_in, set_up, tear_down),
    };
    certificates_init();
    int failed = cmocka_run_group_tests_name("rpc.nngcat_secure", tests, NULL, NULL);
    certificates_fini();
    remove_files();
    return failed;
}
