#include "certificates.h"
#include "cmocka_headers.h"
#include "process.h"
#include "tls_peer.h"

#include <nng/supplemental/tls/engine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A TLS listener of ours, in a process of its own, and clients with the engine that nng itself has. */

#define PATIENCE_MS 500
/* The watchdog makes its first call after a second. */
#define SELF_CALL_MS 1500

static struct process *server;
static char url[128];

static int set_up(void **state) {
    (void)state;
    make_ca("ca");
    make_ca("other-ca");
    /* mbedTLS finds addresses among the DNS names only. */
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1"});
    make_leaf(&(struct leaf){.name = "client", .ca = "ca"});
    make_leaf(&(struct leaf){.name = "stranger", .ca = "other-ca"});
    serve_with_certificate("server");
    setenv("HERALD_TLS_CLIENT_CA_FILE", certificate_path("ca", ".pem"), 1);
    server = start_process(TEST_PROGRAM, NULL);
    const char *at = await_output(server, "tls+tcp://");
    snprintf(url, sizeof(url), "%.*s", (int)strcspn(at, "\"\n "), at);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    kill(server->pid, SIGTERM);
    expect_end(server, 0, "stop");
    return 0;
}

static void test_foreign_client_of_the_ca_is_served(void **state) {
    (void)state;
    assert_string_equal(nng_tls_engine_name(), "mbed");
    assert_int_equal(tls_peer_call_once(url, &(struct tls_peer){"ca", "client", "127.0.0.1"}), 0);
    assert_int_equal(tls_peer_call_once(url, &(struct tls_peer){"ca", "client", "localhost"}), 0);
}

static void assert_refused(const struct tls_peer *peer) {
    nng_socket socket = tls_peer_open(url, peer);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, PATIENCE_MS), 0);
    assert_int_equal(tls_peer_call(socket), NNG_ETIMEDOUT);
    nng_close(socket);
}

static void test_foreign_library_has_threads_for_its_own_engine_only(void **state) {
    const char *engine = getenv("HERALD_RPC_ENGINE");
    bool is_native = engine && strcmp(engine, "native") == 0;
    (void)state;
    usleep(SELF_CALL_MS * 1000); /* the watchdog has called the listener */
    assert_int_equal(count_nng_threads(server) == 0, is_native);
}

static void test_foreign_strangers_are_refused(void **state) {
    (void)state;
    assert_refused(&(struct tls_peer){"ca", NULL, "127.0.0.1"});
    assert_refused(&(struct tls_peer){"ca", "stranger", "127.0.0.1"});
    assert_refused(&(struct tls_peer){"other-ca", "client", "127.0.0.1"});
    assert_refused(&(struct tls_peer){"ca", "client", "example.org"});
    assert_int_equal(tls_peer_call_once(url, &(struct tls_peer){"ca", "client", "127.0.0.1"}), 0);
}

static void test_foreign_client_goes_on_over_changed_certificates(void **state) {
    (void)state;
    nng_socket socket = tls_peer_open(url, &(struct tls_peer){"ca", "client", "127.0.0.1"});
    assert_int_equal(tls_peer_call(socket), 0);
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = "DNS:localhost,DNS:127.0.0.1"});
    await_output(server, "tls.reloaded");
    assert_int_equal(tls_peer_call(socket), 0);
    assert_int_equal(tls_peer_call_once(url, &(struct tls_peer){"ca", "client", "127.0.0.1"}), 0);
    nng_close(socket);
}

/* Starts the program with a certificate; returns what it logged until it listened. */
static void expect_doubt(const char *certificate, const char *key, const char *part) {
    setenv("HERALD_TLS_CERT_FILE", certificate, 1);
    setenv("HERALD_TLS_KEY_FILE", key, 1);
    setenv("HERALD_TLS_CA_FILE", "ca.pem", 1);
    unsetenv("HERALD_TLS_CLIENT_CA_FILE");
    setenv("HERALD_JOB_URL", "tls+tcp://127.0.0.1:0", 1);
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    const char *doubt = strstr(process->output, "tls.doubtful");
    if (part ? !doubt || !strstr(doubt, part) : doubt != NULL) {
        fail_msg("expected \"%s\": %s", part ? part : "no doubt", process->output);
    }
    kill(process->pid, SIGTERM);
    expect_end(process, 0, "server.stopped");
}

static void test_foreign_clients_dislikes_are_told_at_the_start(void **state) {
    char folder[] = "/tmp/herald-doubts-XXXXXX", before[256], command[512];
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    snprintf(command, sizeof(command), "sh '%s' .", getenv("HERALD_TEST_PKI"));
    assert_int_equal(system(command), 0);
    expect_doubt("server.pem", "server.key", NULL);
    expect_doubt("chain.pem", "leaf.key", NULL);
    expect_doubt("edwards.pem", "edwards.key", "Ed25519");
    expect_doubt("nameless.pem", "nameless.key", "no subjectAltName");
    expect_doubt("leaf.pem", "leaf.key", "missing intermediate");
    assert_int_equal(chdir(before), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_foreign_client_of_the_ca_is_served),
        TEST(test_foreign_library_has_threads_for_its_own_engine_only),
        TEST(test_foreign_strangers_are_refused),
        TEST(test_foreign_client_goes_on_over_changed_certificates),
        cmocka_unit_test(test_foreign_clients_dislikes_are_told_at_the_start),
    };
    certificates_init();
    int failed = cmocka_run_group_tests_name("rpc.tls_foreign", tests, NULL, NULL);
    certificates_fini();
    return failed;
}
