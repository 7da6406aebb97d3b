#include "client/src/tls_why.h"
#include "herald/event/v1/event.client.h"
#include "tests/unit/rpc/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Why a TLS connection is not made, with OpenSSL's own server on the other end. The working folder holds what pki.sh made. */

struct tls_server {
    struct process *process;
    char port[8];
};

static void start_tls_server(struct tls_server *server, const char *chain, const char *key, const char *option) {
    const char *const arguments[] = {"s_server", "-accept", "127.0.0.1:0", "-cert", chain,  "-cert_chain",
                                     chain,      "-key",    key,           "-www",  option, NULL};
    server->process = start_process("/usr/bin/openssl", arguments);
    const char *port = await_output(server->process, "ACCEPT 127.0.0.1:") + strlen("ACCEPT 127.0.0.1:");
    (void)await_output_after(server->process, port, "\n");
    snprintf(server->port, sizeof(server->port), "%.*s", (int)strcspn(port, "\n"), port);
}

static void stop_tls_server(struct tls_server *server) {
    kill(server->process->pid, SIGKILL);
    await_end(server->process);
    assert_int_equal(waitpid(server->process->pid, NULL, 0), server->process->pid);
    close(server->process->output_fd);
    free(server->process);
}

static void expect_why(const char *chain, const char *key, const char *option, const char *host, const char *what,
                       const char *cure) {
    const struct herald_tls_options options = {.ca_file = "ca.pem"};
    struct herald_tls_why why;
    struct tls_server server;
    start_tls_server(&server, chain, key, option);
    herald_tls_look_into(&options, host, "127.0.0.1", server.port, &why);
    stop_tls_server(&server);
    if (*what == '\0' ? *why.what != '\0' : !strstr(why.what, what) || !strstr(why.cure, cure)) {
        fail_msg("told \"%s\" (%s), expected \"%s\" (%s)", why.what, why.cure, what, cure);
    }
}

static void test_tls_why_names_what_is_wrong_with_the_certificate(void **state) {
    (void)state;
    expect_why("server.pem", "server.key", NULL, "job.test", "", "");
    expect_why("chain.pem", "leaf.key", NULL, "job.test", "", "");
    expect_why("server.pem", "server.key", NULL, "other.test", "for another name (job.test), not for other.test",
               "server_name");
    expect_why("server.pem", "server.key", NULL, "127.0.0.1", "for another name (job.test)", "server_name");
    expect_why("leaf.pem", "leaf.key", NULL, "job.test", "unknown issuer, or without the intermediate", "cert_file");
    expect_why("stranger.pem", "stranger.key", NULL, "shop-backend", "unknown issuer", "its CA into \"ca.pem\"");
    expect_why("edwards.pem", "edwards.key", NULL, "job.test", "cannot use (ED25519)", "ECDSA");
    expect_why("expired.pem", "expired.key", NULL, "job.test", "has expired", "renew");
    expect_why("nameless.pem", "nameless.key", NULL, "job.test", "no subjectAltName", "renew");
    expect_why("server.pem", "server.key", "-tls1_3", "job.test", "no TLS 1.2", "allow TLS 1.2");
    expect_why("server.pem", "server.key", "-Verify=1", "job.test", "wants a client's certificate", "cert_file");
}

static void test_tls_why_nobody_listens(void **state) {
    const struct herald_tls_options options = {.ca_file = "ca.pem"};
    struct herald_tls_why why;
    struct tls_server server;
    (void)state;
    start_tls_server(&server, "server.pem", "server.key", NULL);
    stop_tls_server(&server);
    herald_tls_look_into(&options, "job.test", "127.0.0.1", server.port, &why);
    assert_string_equal(why.what, "nobody listens there");
    assert_string_equal(why.cure, "");
}

static void test_tls_why_is_told_to_the_caller(void **state) {
    const struct herald_tls_options tls = {.ca_file = "ca.pem", .server_name = "job.test"};
    const struct herald_channel_options options = {.tls = &tls, .connect_timeout_ms = 4000};
    const struct herald_call_options patient = {.timeout_ms = 20000};
    Herald__Event__V1__ListEventsRequest request = HERALD__EVENT__V1__LIST_EVENTS_REQUEST__INIT;
    const Herald__Event__V1__ListEventsResponse *response;
    struct herald_channel *channel;
    struct herald_error error;
    struct herald_reply reply;
    struct tls_server server;
    char url[64];
    (void)state;
    start_tls_server(&server, "expired.pem", "expired.key", NULL);
    snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%s", server.port);
    request.user_id = (char *)"u-1";
    assert_int_equal(herald_channel_open(url, &options, &channel, &error), HERALD_OK);
    assert_int_equal(herald_event_v1_event_service_list_events(channel, &request, &patient, &reply, &response),
                     HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    assert_non_null(strstr(reply.error.message, "has expired"));
    assert_int_equal(reply.error.detail_count, 1);
    assert_string_equal(reply.error.details[0].field, "tls");
    assert_string_equal(reply.error.details[0].message, "renew the server's certificate");
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    stop_tls_server(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_why_names_what_is_wrong_with_the_certificate),
        cmocka_unit_test(test_tls_why_nobody_listens),
        cmocka_unit_test(test_tls_why_is_told_to_the_caller),
    };
    char folder[] = "/tmp/herald-tls-why-XXXXXX", command[512];
    if (!mkdtemp(folder) || chdir(folder) != 0) {
        return 1;
    }
    snprintf(command, sizeof(command), "sh '%s' '%s'", getenv("HERALD_TEST_PKI"), folder);
    if (system(command) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests_name("client.tls_why", tests, NULL, NULL);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) != 0 || failed;
}
