#include "certificates.h"
#include "client/src/stream_shim.h"
#include "cmocka_headers.h"
#include "fixture.h"
#include "server/process/watchdog.h"
#include "server/transport/listener_private.h"
#include "server/transport/tls_identity.h"
#include "tls_peer.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* TLS listeners, with our engine on both sides. test_tls_foreign.c has nng's own on the other. */

#define TRY_MS       2000
#define SERVER_NAMES "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1"

static const struct tls_peer GOOD = {.ca = "ca", .own = "client", .server_name = "127.0.0.1"};

static void set(char **setting, const char *value) {
    free(*setting);
    *setting = strdup(value);
}

/* Mutual TLS, with fresh certificates. */
static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    herald_stream_shim_install(); /* for the clients here: a server of the native engine needs none */
    make_ca("ca");
    make_ca("other-ca");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = SERVER_NAMES});
    make_leaf(&(struct leaf){.name = "client", .ca = "ca"});
    make_leaf(&(struct leaf){.name = "stranger", .ca = "other-ca"});
    fixture_init(fixture);
    set(&fixture->settings.tls_cert_file, certificate_path("server", ".pem"));
    set(&fixture->settings.tls_key_file, certificate_path("server", ".key"));
    set(&fixture->settings.tls_client_ca_file, certificate_path("ca", ".pem"));
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    watchdog_enable(true);
    return 0;
}

static void listen_tls(struct fixture *fixture) {
    struct herald_error error;
    fixture_start(fixture);
    if (rpc_server_listen(fixture->server, "tls+tcp://127.0.0.1:0", &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    fixture->url = rpc_server_url(fixture->server);
}

static void test_tls_client_of_the_ca_is_served(void **state) {
    struct fixture *fixture = *state;
    const char *version = NULL;
    listen_tls(fixture);
    assert_int_equal(tls_peer_call_once(fixture->url, &GOOD), 0);
    assert_int_equal(tls_peer_call_once(fixture->url, &(struct tls_peer){"ca", "client", "localhost"}), 0);
    tls_serial(fixture->url, "client", &version);
    assert_string_equal(version, "TLSv1.3");
}

/* Watches a connection attempt that must not succeed, beside one that does, so that nothing waits for a time-out. */
static void assert_refused(const char *url, const struct tls_peer *peer) {
    nng_socket socket = tls_peer_open(url, peer);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, 500), 0);
    assert_int_equal(tls_peer_call(socket), NNG_ETIMEDOUT);
    nng_close(socket);
    assert_int_equal(tls_peer_call_once(url, &GOOD), 0);
}

static void test_tls_strangers_are_refused(void **state) {
    struct fixture *fixture = *state;
    listen_tls(fixture);
    assert_refused(fixture->url, &(struct tls_peer){"ca", NULL, "127.0.0.1"});
    assert_refused(fixture->url, &(struct tls_peer){"ca", "stranger", "127.0.0.1"});
    assert_refused(fixture->url,
                   &(struct tls_peer){"ca", "server", "127.0.0.1"}); /* the listener's own is for servers */
    assert_refused(fixture->url, &(struct tls_peer){"other-ca", "client", "127.0.0.1"});
    assert_refused(fixture->url, &(struct tls_peer){"ca", "client", "example.org"});
    assert_refused(fixture->url, &(struct tls_peer){"ca", "client", "127.0.0.2"});
}

static void test_tls_without_client_ca_anybody_is_served(void **state) {
    struct fixture *fixture = *state;
    set(&fixture->settings.tls_client_ca_file, "");
    listen_tls(fixture);
    assert_int_equal(tls_peer_call_once(fixture->url, &(struct tls_peer){"ca", NULL, "127.0.0.1"}), 0);
}

static void test_tls_big_messages_pass_both_ways(void **state) {
    struct fixture *fixture = *state;
    listen_tls(fixture);
    nng_socket socket = tls_peer_open(fixture->url, &GOOD);
    for (size_t bytes = 1; bytes < 200000; bytes = bytes * 3 + 7) {
        nng_msg *message = NULL;
        assert_int_equal(nng_msg_alloc(&message, bytes), 0);
        memset(nng_msg_body(message), 'x', bytes); /* a method's name, which comes back in part */
        assert_int_equal(nng_sendmsg(socket, message, 0), 0);
        assert_int_equal(nng_recvmsg(socket, &message, 0), 0);
        nng_msg_free(message);
    }
    assert_int_equal(tls_peer_call(socket), 0);
    nng_close(socket);
}

/* A request that a dead listener took is lost when it is opened again: a try is short. */
static bool is_served(void *arg) {
    nng_socket socket = tls_peer_open(arg, &GOOD);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, TRY_MS), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, TRY_MS), 0);
    bool served = tls_peer_call(socket) == 0;
    nng_close(socket);
    return served;
}

/* Who is connected goes on. New ones get in, at the latest when the watchdog has opened the listener again: a reset
 * just between the two steps of nng's greeting ends it over TLS, whatever sendmsg() says (nng#1518). */
static void test_tls_survives_hang_ups_at_each_stage(void **state) {
    enum { ROUNDS = 60 };
    struct fixture *fixture = *state;
    listen_tls(fixture);
    nng_socket socket = tls_peer_open(fixture->url, &GOOD);
    assert_int_equal(tls_peer_call(socket), 0);
    for (int i = 0; i < ROUNDS; i++) {
        for (int stage = TLS_CONNECT; stage < TLS_STAGES; stage++) {
            tls_hang_up(fixture->url, "client", (enum tls_stage)stage);
        }
    }
    assert_int_equal(tls_peer_call(socket), 0);
    nng_close(socket);
    assert_true(eventually(is_served, (void *)(uintptr_t)fixture->url));
}

/* What the CA of clients says of the listener's own certificate is no matter: the watchdog has one of its own. It would else
 * learn nothing of a listener that takes connections and lets nobody in. */
static void test_tls_server_gets_answers_from_itself(void **state) {
    struct fixture *fixture = *state;
    static const char PROBE[] = "herald.rpc.v1.Health/Check";
    bool hung = false;
    watchdog_enable(false);
    listen_tls(fixture);
    struct listener *listener = rpc_server_listener(fixture->server, 0);
    assert_null(listener_call_self(listener, PROBE, sizeof(PROBE) - 1, 10000, &hung));
    make_leaf(&(struct leaf){.name = "server", .ca = "other-ca", .dns = SERVER_NAMES});
    listener_reload_tls(listener, true);
    assert_null(listener_call_self(listener, PROBE, sizeof(PROBE) - 1, 10000, &hung));
    assert_false(hung);
}

static void test_tls_dead_listener_is_opened_again(void **state) {
    struct fixture *fixture = *state;
    listen_tls(fixture);
    assert_int_equal(tls_peer_call_once(fixture->url, &GOOD), 0);
    nng_listener_close(rpc_server_listener(fixture->server, 0)->endpoint);
    assert_true(eventually(is_served, (void *)(uintptr_t)fixture->url));
}

/* ---- reload ---- */

struct serial_wish {
    const char *url;
    long serial;
};

static bool shows_serial(void *arg) {
    struct serial_wish *wish = arg;
    const char *version;
    return tls_serial(wish->url, "client", &version) == wish->serial;
}

static void count_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    (void)pipe;
    (void)event;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_tls_new_certificate_is_shown_and_cuts_no_connection(void **state) {
    struct fixture *fixture = *state;
    atomic_int lost = 0;
    listen_tls(fixture);
    nng_socket socket = tls_peer_open(fixture->url, &GOOD);
    assert_int_equal(nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, count_pipe, &lost), 0);
    assert_int_equal(tls_peer_call(socket), 0);
    for (int i = 0; i < 2; i++) {
        struct serial_wish wish = {fixture->url,
                                   make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = SERVER_NAMES})};
        assert_true(eventually(shows_serial, &wish));
        assert_int_equal(tls_peer_call(socket), 0);
        assert_int_equal(atomic_load(&lost), 0);
    }
    nng_close(socket);
}

/* Reads again what was put in place; whether the identity then shows something else. */
static bool is_cut_off(void *arg) {
    return tls_peer_call(*(nng_socket *)arg) != 0;
}

/* The CA file is another one now: who was let in by the old one is let go, and comes in by the new one alone. */
static void test_tls_client_of_a_ca_that_is_trusted_no_more_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    listen_tls(fixture);
    nng_socket socket = tls_peer_open(fixture->url, &GOOD);
    assert_int_equal(tls_peer_call(socket), 0);
    make_ca("ca"); /* under the old name, with a new key */
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = SERVER_NAMES});
    assert_true(eventually(is_cut_off, &socket)); /* the watchdog reads the files */
    nng_close(socket);
    make_leaf(&(struct leaf){.name = "client", .ca = "ca"});
    assert_int_equal(tls_peer_call_once(fixture->url, &GOOD), 0);
}

static void test_tls_client_whose_certificate_expires_is_cut_off(void **state) {
    struct fixture *fixture = *state;
    static const struct tls_peer SHORT = {.ca = "ca", .own = "short", .server_name = "127.0.0.1"};
    enum { LIFE_S = 4 };
    make_leaf(&(struct leaf){.name = "short", .ca = "ca", .from_s = -60, .to_s = LIFE_S});
    time_t made = time(NULL);
    listen_tls(fixture);
    nng_socket socket = tls_peer_open(fixture->url, &SHORT);
    int served = 0;
    while (tls_peer_call(socket) == 0) {
        served++;
        assert_true(time(NULL) <= made + LIFE_S + 30);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_true(served > 0);
    assert_true(time(NULL) > made + LIFE_S - 1);
    nng_close(socket);
}

static bool takes(struct tls_identity *identity) {
    SSL_CTX *before = tls_identity_context(identity);
    tls_identity_reload(identity, false);
    SSL_CTX *after = tls_identity_context(identity);
    bool taken = before != after;
    SSL_CTX_free(before);
    SSL_CTX_free(after);
    return taken;
}

static void test_tls_bad_certificate_is_not_taken(void **state) {
    struct fixture *fixture = *state;
    const struct leaf good = {.name = "server", .ca = "ca", .dns = SERVER_NAMES},
                      expired = {.name = "server", .ca = "ca", .dns = SERVER_NAMES, .from_s = -20, .to_s = -10};
    struct tls_identity *identity = NULL;
    struct herald_error error;
    fixture_start(fixture);
    assert_int_equal(tls_identity_new(&fixture->settings.auth, &identity, &error), HERALD_OK);
    assert_false(takes(identity)); /* nothing changed */
    make_leaf(&expired);
    assert_false(takes(identity));
    make_leaf(&good);
    assert_int_equal(chmod(certificate_path("server", ".key"), 0644), 0);
    assert_false(takes(identity));
    assert_int_equal(rename(certificate_path("client", ".key"), certificate_path("server", ".key")), 0);
    assert_false(takes(identity));
    assert_int_equal(unlink(certificate_path("server", ".key")), 0);
    assert_false(takes(identity));
    assert_int_equal(truncate(certificate_path("server", ".pem"), 100), 0);
    assert_false(takes(identity));
    make_leaf(&good);
    assert_true(takes(identity));
    make_ca("ca"); /* the clients' CA counts too */
    assert_true(takes(identity));
    tls_identity_unref(identity);
}

/* ---- starting ---- */

static void assert_not_started(struct fixture *fixture, const char *reason, const char *part) {
    struct herald_error error;
    assert_int_not_equal(rpc_server_listen(fixture->server, "tls+tcp://127.0.0.1:0", &error), HERALD_OK);
    assert_string_equal(error.reason, reason);
    if (!strstr(error.message, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", error.message, part);
    }
}

static void test_tls_bad_files_stop_the_start(void **state) {
    struct fixture *fixture = *state;
    fixture_start(fixture);
    set(&fixture->settings.tls_key_file, certificate_path("client", ".key"));
    assert_not_started(fixture, "BAD_CERTIFICATE", "the private key is not the certificate's");
    set(&fixture->settings.tls_key_file, certificate_path("server", ".key"));
    assert_int_equal(chmod(certificate_path("server", ".key"), 0640), 0);
    assert_not_started(fixture, "READABLE_BY_OTHERS", "chmod 600");
    assert_int_equal(chmod(certificate_path("server", ".key"), 0600), 0);
    set(&fixture->settings.tls_client_ca_file, "/no/such/file");
    assert_not_started(fixture, "BAD_CERTIFICATE", "/no/such/file");
    set(&fixture->settings.tls_client_ca_file, certificate_path("ca", ".pem"));
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = SERVER_NAMES, .from_s = 100, .to_s = 1000});
    assert_not_started(fixture, "BAD_CERTIFICATE", "not valid yet");
    make_leaf(&(struct leaf){.name = "server", .ca = "ca", .dns = SERVER_NAMES, .from_s = -100, .to_s = -10});
    assert_not_started(fixture, "BAD_CERTIFICATE", "has expired");
    set(&fixture->settings.tls_cert_file, "");
    assert_not_started(fixture, "NO_CERTIFICATE", "HERALD_TLS_CERT_FILE");
}

static void reopen(void *user) {
    const struct fixture *fixture = user;
    assert_int_equal(listener_reopen(rpc_server_listener(fixture->server, 0), NULL), HERALD_OK);
}

/* Over a connection that is cut a peer could be kept from what was still to come. nng closes it before that has gone out. */
static void test_tls_end_of_a_connection_is_told(void **state) {
    struct fixture *fixture = *state;
    if (!fixture_is_native()) {
        skip();
    }
    listen_tls(fixture);
    assert_true(tls_is_told_the_end(fixture->url, "client", reopen, fixture));
    assert_int_equal(tls_peer_call_once(fixture->url, &GOOD), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_tls_client_of_the_ca_is_served),
        TEST(test_tls_strangers_are_refused),
        TEST(test_tls_without_client_ca_anybody_is_served),
        TEST(test_tls_big_messages_pass_both_ways),
        TEST(test_tls_survives_hang_ups_at_each_stage),
        TEST(test_tls_server_gets_answers_from_itself),
        TEST(test_tls_dead_listener_is_opened_again),
        TEST(test_tls_new_certificate_is_shown_and_cuts_no_connection),
        TEST(test_tls_client_of_a_ca_that_is_trusted_no_more_is_cut_off),
        TEST(test_tls_client_whose_certificate_expires_is_cut_off),
        TEST(test_tls_bad_certificate_is_not_taken),
        TEST(test_tls_bad_files_stop_the_start),
        TEST(test_tls_end_of_a_connection_is_told),
    };
    signal(SIGPIPE, SIG_IGN); /* libssl writes with write() */
    certificates_init();
    int failed = cmocka_run_group_tests_name("rpc.tls", tests, NULL, NULL);
    certificates_fini();
    return failed;
}
