#include "client/src/call_pool.h"
#include "tests/unit/client/script.h"

#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* TLS to a peer whose certificate is right, or not. The working folder holds what pki.sh made. */

static enum herald_code resolve_here(const char *host, int family, struct herald_addresses *ret_addresses,
                                     struct herald_error *reterr) {
    (void)host, (void)family, (void)reterr;
    ret_addresses->count = 1;
    strcpy(ret_addresses->text[0], "127.0.0.1");
    return HERALD_OK;
}

static const char *named_url(const struct script *script) {
    static char url[100];
    snprintf(url, sizeof(url), "tls+tcp://job.test%s", strrchr(script->peer.url, ':'));
    return url;
}

static struct herald_channel *tls_channel(const char *url, const struct herald_tls_options *tls, uint32_t connect_ms) {
    const struct herald_channel_options options = {.tls = tls, .connect_timeout_ms = connect_ms};
    return channel_to(url, &options);
}

#define LONG_MS  20000u
#define SHORT_MS 400u

static void expect_served(const char *url, const struct herald_tls_options *tls) {
    struct herald_channel *channel = tls_channel(url, tls, LONG_MS);
    const struct herald_call_options patient = {.timeout_ms = LONG_MS};
    struct herald_reply reply;
    if (call_read(channel, &patient, &reply) != HERALD_OK) {
        fail_msg("%s", reply.error.message);
    }
    herald_channel_close(channel);
}

static void expect_no_connection(const char *url, const struct herald_tls_options *tls) {
    struct herald_channel *channel = tls_channel(url, tls, SHORT_MS);
    struct herald_reply reply;
    assert_int_equal(call_read(channel, NULL, &reply), HERALD_UNAVAILABLE);
    assert_string_equal(reply.error.reason, "NOT_CONNECTED");
    assert_int_equal(reply.outcome, HERALD_NOT_SENT);
    assert_non_null(strstr(reply.error.message, "certificate"));
    herald_channel_close(channel);
}

static void test_tls_trusted_certificate_of_the_host_is_taken(void **state) {
    (void)state;
    struct script *script = script_open_tls("server.pem", "server.key", NULL);
    const struct herald_tls_options tls = {.ca_file = "ca.pem"};
    expect_served(named_url(script), &tls);
    script_close(script);
}

static void test_tls_other_hosts_certificate_is_refused(void **state) {
    (void)state;
    struct script *script = script_open_tls("wrong-name.pem", "wrong-name.key", NULL);
    const struct herald_tls_options tls = {.ca_file = "ca.pem"};
    const struct herald_tls_options told = {.ca_file = "ca.pem", .server_name = "elsewhere.test"};
    expect_no_connection(named_url(script), &tls);
    expect_no_connection(script->peer.url, &tls); /* an address is verified too */
    assert_int_equal(atomic_load(&script->peer.received), 0);
    expect_served(named_url(script), &told);
    expect_served(script->peer.url, &told);
    script_close(script);
}

/* Its common name is the host's, and clients take no name from there: RFC 9525. Renewed, it is taken. */
static void test_tls_certificate_without_subject_alt_name_is_refused(void **state) {
    (void)state;
    struct script *script = script_open_tls("nameless.pem", "nameless.key", NULL);
    const struct herald_tls_options tls = {.ca_file = "ca.pem"},
                                    told = {.ca_file = "ca.pem", .server_name = "job.test"};
    expect_no_connection(named_url(script), &tls);
    expect_no_connection(script->peer.url, &told);
    struct herald_channel *channel = tls_channel(named_url(script), &tls, 2000);
    const struct herald_call_options patient = {.timeout_ms = LONG_MS};
    struct herald_reply reply;
    assert_int_equal(call_read(channel, &patient, &reply), HERALD_UNAVAILABLE);
    assert_non_null(strstr(reply.error.message, "it has no subjectAltName, and a common name (CN) does not count"));
    assert_non_null(strstr(reply.error.details[0].message, "subjectAltName=DNS:job.test"));
    assert_int_equal(atomic_load(&script->peer.received), 0);
    herald_channel_close(channel);
    script_close(script);
}

/* A server that was taken shows such a certificate after its restart: the connection ends. */
static void test_tls_certificate_that_loses_its_subject_alt_name_is_refused(void **state) {
    (void)state;
    struct script *script = script_open_tls("server.pem", "server.key", NULL);
    char url[100], at[200];
    snprintf(url, sizeof(url), "%s", named_url(script));
    snprintf(at, sizeof(at), "%s", script->peer.url);
    const struct herald_tls_options tls = {.ca_file = "ca.pem"};
    struct herald_channel *channel = tls_channel(url, &tls, LONG_MS);
    const struct herald_call_options patient = {.timeout_ms = LONG_MS}, hasty = {.timeout_ms = 300};
    struct herald_reply reply;
    assert_int_equal(call_read(channel, &patient, &reply), HERALD_OK);
    script_close(script);
    script = script_open_tls_at(at, "nameless.pem", "nameless.key", NULL);
    bool refused = false;
    for (int i = 0; i < 100 && !refused; i++) {
        refused = call_read(channel, &hasty, &reply) != HERALD_OK && strstr(reply.error.message, "subjectAltName");
        nng_msleep(100);
    }
    assert_true(refused);
    herald_channel_close(channel);
    script_close(script);
}

static void test_tls_untrusted_authority_is_refused(void **state) {
    (void)state;
    struct script *script = script_open_tls("server.pem", "server.key", NULL);
    const struct herald_tls_options tls = {.ca_file = "other-ca.pem"};
    expect_no_connection(named_url(script), &tls);
    assert_int_equal(atomic_load(&script->peer.received), 0);
    script_close(script);
}

static void test_tls_own_certificate_is_shown(void **state) {
    (void)state;
    struct script *script = script_open_tls("server.pem", "server.key", "ca.pem");
    const struct herald_tls_options known = {.ca_file = "ca.pem", .cert_file = "client.pem", .key_file = "client.key"};
    const struct herald_tls_options stranger = {
        .ca_file = "ca.pem", .cert_file = "stranger.pem", .key_file = "stranger.key"};
    const struct herald_tls_options nobody = {.ca_file = "ca.pem"};
    expect_no_connection(named_url(script), &nobody);
    expect_no_connection(named_url(script), &stranger);
    assert_int_equal(atomic_load(&script->peer.received), 0);
    expect_served(named_url(script), &known);
    assert_int_equal(system("cat client.pem client.key > client-both.pem && chmod 600 client-both.pem"), 0);
    const struct herald_tls_options in_one = {.ca_file = "ca.pem", .cert_file = "client-both.pem"};
    expect_served(named_url(script), &in_one);
    script_close(script);
}

static void expect_refused(const struct herald_tls_options *tls, const char *reason, const char *word) {
    const struct herald_channel_options options = {.tls = tls};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    assert_int_equal(herald_channel_open("tcp://127.0.0.1:1,tls+tcp://job.test:2", &options, &channel, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, reason);
    assert_non_null(strstr(error.message, word));
    assert_null(channel);
}

static void test_tls_bad_options_say_what_is_wrong(void **state) {
    (void)state;
    assert_int_equal(chmod("stranger.key", 0644), 0);
    const struct herald_tls_options none = {.server_name = "job.test"}, no_file = {.ca_file = "no-such.pem"},
                                    no_pem = {.ca_file = "server.ext"},
                                    no_cert = {.ca_file = "ca.pem", .key_file = "client.key"},
                                    exposed = {.ca_file = "ca.pem",
                                               .cert_file = "stranger.pem",
                                               .key_file = "stranger.key"},
                                    no_key = {
                                        .ca_file = "ca.pem", .cert_file = "client.pem", .key_file = "no-such.key"};
    expect_refused(NULL, "TLS_OPTIONS_MISSING", "ca_file");
    expect_refused(&none, "TLS_OPTIONS_MISSING", "ca_file");
    expect_refused(&no_file, "FILE_UNREADABLE", "no-such.pem");
    expect_refused(&no_pem, "TLS_FILE_REFUSED", "server.ext");
    expect_refused(&no_cert, "TLS_OPTIONS_MISSING", "cert_file");
    expect_refused(&exposed, "KEY_EXPOSED", "stranger.key");
    expect_refused(&no_key, "FILE_UNREADABLE", "no-such.key");
    assert_int_equal(chmod("stranger.key", 0600), 0);
}

static struct herald_endpoint *endpoint_of(struct herald_channel *channel) {
    pthread_mutex_lock(&channel->mutex);
    struct herald_endpoint *endpoint = channel->endpoints[0];
    pthread_mutex_unlock(&channel->mutex);
    return endpoint;
}

/* Whether it was the last to be replaced, and is closed. */
static bool is_retired(struct herald_channel *channel, const struct herald_endpoint *endpoint) {
    pthread_mutex_lock(&channel->mutex);
    bool retired = channel->retired == endpoint && !endpoint->open;
    pthread_mutex_unlock(&channel->mutex);
    return retired;
}

static bool has_failed_to_renew(struct herald_channel *channel) {
    pthread_mutex_lock(&channel->mutex);
    bool failed = strstr(channel->tls_error, "used.pem") != NULL;
    pthread_mutex_unlock(&channel->mutex);
    return failed;
}

static void test_tls_changed_files_are_read_again(void **state) {
    (void)state;
    struct script *script = script_open_tls("server.pem", "server.key", "ca.pem");
    assert_int_equal(system("cp other-ca.pem used-ca.pem; cp client.pem used.pem; cp client.key used.key"), 0);
    const struct herald_tls_options tls = {.ca_file = "used-ca.pem", .cert_file = "used.pem", .key_file = "used.key"};
    const struct herald_call_options hasty = {.timeout_ms = SHORT_MS}, patient = {.timeout_ms = LONG_MS};
    struct herald_channel *channel = tls_channel(named_url(script), &tls, LONG_MS);
    assert_int_equal(call_read(channel, &hasty, NULL), HERALD_UNAVAILABLE);
    assert_int_equal(system("cp ca.pem used-ca.pem"), 0);
    for (int i = 0; i < 100 && call_read(channel, &hasty, NULL) != HERALD_OK; i++)
        ;
    assert_int_equal(call_read(channel, &patient, NULL), HERALD_OK);
    struct herald_endpoint *now = endpoint_of(channel);
    assert_int_equal(system("echo broken > used.pem"), 0); /* half written: the connection stays */
    for (int i = 0; i < 20000 && !has_failed_to_renew(channel); i++) {
        nng_msleep(1);
    }
    assert_true(has_failed_to_renew(channel));
    assert_int_equal(call_read(channel, &patient, NULL), HERALD_OK);
    assert_ptr_equal(endpoint_of(channel), now);
    assert_int_equal(system("cp client.pem used.pem"), 0);
    for (int i = 0; i < 20000 && !is_retired(channel, now); i++) {
        assert_int_equal(call_read(channel, &patient, NULL), HERALD_OK); /* none is lost meanwhile */
        nng_msleep(1);
    }
    assert_true(is_retired(channel, now));
    herald_channel_close(channel);
    script_close(script);
}

/* Makes the certificates in a folder of its own, which becomes the working folder. */
static int set_up(void **state) {
    static char folder[] = "/tmp/herald-test-tls-XXXXXX";
    char command[400];
    assert_non_null(mkdtemp(folder));
    *state = folder;
    snprintf(command, sizeof(command), "%s %s", getenv("HERALD_TEST_PKI"), folder);
    assert_int_equal(system(command), 0);
    herald_resolver_set(resolve_here);
    return chdir(folder);
}

static int tear_down(void **state) {
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", (const char *)*state);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_trusted_certificate_of_the_host_is_taken),
        cmocka_unit_test(test_tls_other_hosts_certificate_is_refused),
        cmocka_unit_test(test_tls_certificate_without_subject_alt_name_is_refused),
        cmocka_unit_test(test_tls_certificate_that_loses_its_subject_alt_name_is_refused),
        cmocka_unit_test(test_tls_untrusted_authority_is_refused),
        cmocka_unit_test(test_tls_own_certificate_is_shown),
        cmocka_unit_test(test_tls_bad_options_say_what_is_wrong),
        cmocka_unit_test(test_tls_changed_files_are_read_again),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    nng_fini();
    return failed;
}
