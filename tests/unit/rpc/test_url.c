#include "cmocka_headers.h"
#include "server/transport/url.h"

#include <string.h>

static const struct listen_url_policy OPEN = {0}, AUTHENTICATED = {.authenticated = true},
                                      INSECURE = {.insecure = true};

static void assert_refused(const char *url, enum herald_code code, const char *reason, const char *part) {
    struct herald_error error;
    assert_int_equal(listen_url_check("herald-x", url, &OPEN, &error), code);
    assert_string_equal(error.reason, reason);
    if (!strstr(error.message, part)) {
        fail_msg("\"%s\" does not hold \"%s\"", error.message, part);
    }
}

static void test_url_check_loopback_and_unix_are_allowed(void **state) {
    static const char *const URLS[] = {"tcp://127.0.0.1:7101",    "tcp://127.9.8.7:1",        "tcp://localhost:0",
                                       "tcp://[::1]:7101",        "ipc:///tmp/herald-x.sock", "inproc://x",
                                       "tls+tcp://127.0.0.1:7101"};
    (void)state;
    for (size_t i = 0; i < sizeof(URLS) / sizeof(*URLS); i++) {
        struct herald_error error;
        if (listen_url_check("herald-x", URLS[i], &OPEN, &error) != HERALD_OK) {
            fail_msg("%s: %s", URLS[i], error.message);
        }
    }
}

static void test_url_check_beyond_loopback_says_what_to_set(void **state) {
    static const char *const URLS[] = {"tcp://0.0.0.0:7101", "tcp://*:7101", "tcp://:7101", "tcp://[::]:7101",
                                       "tcp://192.168.1.5:7101"};
    (void)state;
    for (size_t i = 0; i < sizeof(URLS) / sizeof(*URLS); i++) {
        assert_refused(URLS[i], HERALD_PERMISSION_DENIED, "INSECURE_LISTENER", "insecure = true under [rpc]");
        assert_refused(URLS[i], HERALD_PERMISSION_DENIED, "INSECURE_LISTENER", "HERALD_RPC_INSECURE=true");
        assert_refused(URLS[i], HERALD_PERMISSION_DENIED, "INSECURE_LISTENER", URLS[i]);
        assert_int_equal(listen_url_check("herald-x", URLS[i], &INSECURE, NULL), HERALD_OK);
    }
}

struct missing {
    const char *url;
    const struct listen_url_policy *policy;
    bool tls, authentication; /* is missing */
};

static void test_url_check_beyond_loopback_names_each_missing_part(void **state) {
    static const struct missing CASES[] = {
        {"tcp://0.0.0.0:7101", &OPEN, true, true},
        {"tcp://0.0.0.0:7101", &AUTHENTICATED, true, false},
        {"tls+tcp://0.0.0.0:7101", &OPEN, false, true},
    };
    struct herald_error error;
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        assert_int_equal(listen_url_check("herald-x", CASES[i].url, CASES[i].policy, &error), HERALD_PERMISSION_DENIED);
        assert_int_equal(strstr(error.message, "without encryption") != NULL, CASES[i].tls);
        assert_int_equal(strstr(error.message, "cert_file and key_file under [tls]") != NULL, CASES[i].tls);
        assert_int_equal(strstr(error.message, "without proving who they are") != NULL, CASES[i].authentication);
        assert_int_equal(strstr(error.message, "callers_file under [auth]") != NULL, CASES[i].authentication);
    }
    assert_int_equal(listen_url_check("herald-x", "tls+tcp://0.0.0.0:7101", &AUTHENTICATED, NULL), HERALD_OK);
}

static void test_url_check_bad_urls_are_named(void **state) {
    (void)state;
    assert_refused("", HERALD_INVALID_ARGUMENT, "BAD_URL", "is no URL");
    assert_refused("tcp://@", HERALD_INVALID_ARGUMENT, "BAD_URL", "is no URL"); /* nng reads beyond its end */
    assert_refused("tcp://127.0.0.1:1/%", HERALD_INVALID_ARGUMENT, "BAD_URL", "is no URL");
    assert_refused("127.0.0.1:7101", HERALD_INVALID_ARGUMENT, "BAD_URL", "127.0.0.1:7101");
    assert_refused("http://127.0.0.1:80", HERALD_INVALID_ARGUMENT, "BAD_URL", "http:// is not served");
    assert_refused("tls+tcp://127.0.0.1", HERALD_INVALID_ARGUMENT, "BAD_URL", "write tls+tcp://host:port");
    assert_refused("ws://127.0.0.1:80", HERALD_INVALID_ARGUMENT, "BAD_URL", "ws:// is not served");
    assert_refused("tcp://127.0.0.1", HERALD_INVALID_ARGUMENT, "BAD_URL", "names no port");
    assert_refused("tcp://no-such-host.invalid:1", HERALD_INVALID_ARGUMENT, "BAD_URL", "cannot find the host");
    assert_refused("ipc:///0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                   "01234567890123456789",
                   HERALD_INVALID_ARGUMENT, "BAD_URL", "107 bytes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_check_loopback_and_unix_are_allowed),
        cmocka_unit_test(test_url_check_beyond_loopback_says_what_to_set),
        cmocka_unit_test(test_url_check_beyond_loopback_names_each_missing_part),
        cmocka_unit_test(test_url_check_bad_urls_are_named),
    };
    return cmocka_run_group_tests_name("rpc.url", tests, NULL, NULL);
}
