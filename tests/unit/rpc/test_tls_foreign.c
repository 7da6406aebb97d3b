#include "certificates.h"
#include "cmocka_headers.h"
#include "process.h"
#include "tls_peer.h"

#include <nng/supplemental/tls/engine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A TLS listener of ours, in a process of its own, and clients with the engine that nng itself has. */

#define PATIENCE_MS 500

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
    setenv("HERALD_JOB_URL", "tls+tcp://127.0.0.1:0", 1);
    setenv("HERALD_TLS_CERT_FILE", certificate_path("server", ".pem"), 1);
    setenv("HERALD_TLS_KEY_FILE", certificate_path("server", ".key"), 1);
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

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_foreign_client_of_the_ca_is_served),
        TEST(test_foreign_strangers_are_refused),
        TEST(test_foreign_client_goes_on_over_changed_certificates),
    };
    certificates_init();
    int failed = cmocka_run_group_tests_name("rpc.tls_foreign", tests, NULL, NULL);
    certificates_fini();
    return failed;
}
