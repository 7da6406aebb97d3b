#include "server/programs/settings.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of settings with a given text, removed at the end. */
static char path[64];

static const char *write_file(const char *text, size_t bytes) {
    (void)snprintf(path, sizeof(path), "/tmp/herald-settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), (ssize_t)bytes);
    (void)close(fd);
    return path;
}

static int clear_environment(void **state) {
    (void)state;
    path[0] = '\0';
    for (char **variable = environ; *variable != NULL;) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*variable, "="), *variable);
        if (strncmp(name, "HERALD_", 7) == 0) {
            (void)unsetenv(name);
            variable = environ;
        } else {
            variable++;
        }
    }
    return 0;
}

static int remove_file(void **state) {
    (void)state;
    if (path[0] != '\0') {
        (void)unlink(path);
    }
    return 0;
}

static enum herald_code load(struct settings *settings, const char *text, struct herald_error *reterr) {
    return settings_load(settings, write_file(text, strlen(text)), reterr);
}

/* Loads a bad text and finds the detail that names @place ("…:3: [pg] x") and has @reason. */
static void assert_problem(const char *text, const char *place, const char *reason) {
    struct settings settings;
    struct herald_error error = {0};
    assert_int_equal(load(&settings, text, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "BAD_SETTINGS");
    (void)unlink(path);
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "%s:%s", path, place);
    for (uint32_t i = 0; i < error.detail_count; i++) {
        if (strstr(error.details[i].message, expected) != NULL) {
            assert_string_equal(error.details[i].reason, reason);
            assert_null(settings.event_url); /* empty on error */
            settings_fini(&settings);
            return;
        }
    }
    fail_msg("no detail contains \"%s\"; the first is \"%s\"", expected, error.details[0].message);
}

static void test_settings_servers_are_called_where_they_listen_unless_told(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_string_equal(settings_job_url(&settings), settings.job_url);
    settings_fini(&settings);
    setenv("HERALD_JOB_CALL_URL", "tls+tcp://job-1:7102,ipc:///run/job", 1);
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_string_equal(settings_job_url(&settings), "tls+tcp://job-1:7102,ipc:///run/job");
    assert_string_equal(settings_event_url(&settings), settings.event_url);
    settings_fini(&settings);
    unsetenv("HERALD_JOB_CALL_URL");
}

static void test_settings_without_file_are_the_defaults(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_string_equal(settings.event_url, "tcp://127.0.0.1:7101");
    assert_int_equal(settings.publish_timeout_ms, 70000);
    assert_true(settings.rpc_probes);
    assert_false(settings.rpc_insecure);
    assert_string_equal(settings.kafka_encoding, "json");
    settings_fini(&settings);
    settings_fini(&settings);
}

static void test_settings_file_overrides_defaults_and_environment_the_file(void **state) {
    (void)state;
    struct settings settings;
    (void)setenv("HERALD_PG_CONNECTIONS", "3", 1);
    (void)setenv("HERALD_KAFKA_EVENT_TOPIC", "from-env", 1);
    (void)setenv("HERALD_UNRELATED", "x", 1); /* no section of that name */
    (void)setenv("HERALD_FAILPOINT", "a:b", 1);
    assert_int_equal(load(&settings,
                          "\xef\xbb\xbf# a comment\n[pg]\r\n  dsn = host=db user=u ; why\nconnections=5\n\n"
                          "[rpc]\nprobes = no\nloops: 4\n[kafka]\nencoding = protobuf",
                          NULL),
                     HERALD_OK);
    assert_string_equal(settings.pg_dsn, "host=db user=u");
    assert_int_equal(settings.pg_connections, 3);
    assert_false(settings.rpc_probes);
    assert_int_equal(settings.rpc_loops, 4);
    assert_string_equal(settings.kafka_encoding, "protobuf");
    assert_string_equal(settings.kafka_event_topic, "from-env");
    settings_fini(&settings);
}

static void test_settings_number_of_loops_may_be_auto(void **state) {
    struct settings settings;
    struct herald_error error;
    (void)state;
    assert_int_equal(load(&settings, "[rpc]\nloops = auto\n", NULL), HERALD_OK);
    assert_int_equal(settings.rpc_loops, 0);
    settings_fini(&settings);
    assert_int_equal(load(&settings, "[rpc]\nloops = 0\n", &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "a whole number from 1 to 64, or auto"));
    assert_int_equal(load(&settings, "[rpc]\nmax_in_flight = auto\n", &error), HERALD_INVALID_ARGUMENT);
}

static void test_settings_every_exported_variable_is_a_setting(void **state) {
    (void)state;
    struct settings settings;
    (void)setenv("HERALD_EVENT_URL", "ipc:///tmp/e", 1);
    (void)setenv("HERALD_JOB_URL", "ipc:///tmp/j", 1);
    (void)setenv("HERALD_DISTRIBUTION_URL", "tcp://127.0.0.1:1", 1);
    (void)setenv("HERALD_PG_DSN", "host=/tmp", 1);
    (void)setenv("HERALD_REDIS_URL", "redis://127.0.0.1:1/0", 1);
    (void)setenv("HERALD_KAFKA_BOOTSTRAP", "127.0.0.1:1,[::1]:2", 1);
    (void)setenv("HERALD_CHANNELS_URL", "http://127.0.0.1:2", 1);
    (void)setenv("HERALD_CONTENT_DIR", "/tmp", 1);
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    assert_string_equal(settings.event_url, "ipc:///tmp/e");
    assert_string_equal(settings.content_dir, "/tmp");
    settings_fini(&settings);
}

static void test_settings_bad_lines_are_named_with_file_and_line(void **state) {
    (void)state;
    assert_problem("[pg]\n\nconnection = 3\n", "3: [pg] connection is no setting: did you mean \"connections\"?",
                   "UNKNOWN_KEY");
    assert_problem("[pq]\n", "1: [pq] is no section: did you mean", "UNKNOWN_SECTION");
    assert_problem("[whatever it is]\nx = 1\n", "1: [whatever it is] is no section", "UNKNOWN_SECTION");
    assert_problem("loops = 3\n", "1: \"loops\" stands before any [section]", "NO_SECTION");
    assert_problem("[rpc]\nloops\n", "2: the line is neither", "SYNTAX");
    assert_problem("[rpc\nloops = 2\n", "1: the section's name has no closing ]", "SYNTAX");
    assert_problem("[rpc]\nloops = 2\nprobes = true\nloops = 3\n", "4: [rpc] loops was set before, in line 2",
                   "DUPLICATE_KEY");
}

static void test_settings_bad_values_say_what_is_allowed(void **state) {
    (void)state;
    assert_problem("[rpc]\nloops = 0\n", "2: [rpc] loops = 0: must be a whole number from 1 to 64", "BAD_VALUE");
    assert_problem("[rpc]\nloops = 65\n", "2: [rpc] loops = 65: must be", "BAD_VALUE");
    assert_problem("[rpc]\nloops = -1\n", "2: [rpc] loops = -1: must be", "BAD_VALUE");
    assert_problem("[rpc]\nloops = 2x\n", "2: [rpc] loops = 2x: must be", "BAD_VALUE");
    assert_problem("[rpc]\nloops =\n", "2: [rpc] loops = : must be", "BAD_VALUE");
    assert_problem("[rpc]\nloops = 99999999999999999999999\n", "2: [rpc] loops = 9999", "BAD_VALUE");
    assert_problem("[rpc]\nprobes = maybe\n", "2: [rpc] probes = maybe: must be true or false", "BAD_VALUE");
    assert_problem("[log]\nlevel = infos\n", "2: [log] level = infos: must be one of debug|info|warning|error",
                   "BAD_VALUE");
    assert_problem("[log]\nlevel =\n", "2: [log] level = : must be one of", "BAD_VALUE");
    assert_problem("[content]\ndir = a\xff\n", "2: [content] dir", "BAD_VALUE");
    assert_problem("[content]\ndir = a\x1b[31m\n", "2: [content] dir", "BAD_VALUE");
    assert_problem("[kakao_channel]\nsender = shop\n", "2: [kakao_channel] sender", "BAD_VALUE");
}

static void test_settings_shapes_are_checked(void **state) {
    (void)state;
    assert_problem("[event]\nurl = 127.0.0.1:7101\n", "2: [event] url: must be a URL that begins with one of tcp://",
                   "BAD_URL");
    assert_problem("[event]\nurl = tcp://\n", "2: [event] url", "BAD_URL");
    assert_problem("[job]\ncall_url = tcp://a:1,b:2\n", "2: [job] call_url", "BAD_URL");
    assert_problem("[job]\ncall_url = tcp://a:1,,tcp://b:2\n", "2: [job] call_url", "BAD_URL");
    assert_problem("[redis]\nurl = http://x\n", "2: [redis] url", "BAD_URL");
    assert_problem("[redis]\nurl = redis://a:1,b:2/0\n",
                   "2: [redis] url: the Redis URL names several hosts, which needs Sentinel", "BAD_URL");
    assert_problem("[redis]\nurl = redis://a:99999\n", "2: [redis] url", "BAD_URL");
    assert_problem("[redis]\nurl = rediss://a\nca_file = /nonexistent\n", "3: [redis] ca_file: /nonexistent",
                   "BAD_CERTIFICATE");
    assert_problem("[redis]\nurl = rediss://a\nkey_file = /nonexistent\n", "3: [redis] key_file", "BAD_CERTIFICATE");
    assert_problem("[redis]\nca_file = /nonexistent\n", "2: [redis] ca_file: is for TLS", "CONFLICT");
    assert_problem("[channels]\nurl = tcp://x\n", "2: [channels] url", "BAD_URL");
    assert_problem("[pg]\ndsn =\n", "2: [pg] dsn: must not be empty", "BAD_VALUE");
    assert_problem("[kafka]\nbootstrap = a\n", "2: [kafka] bootstrap: must be host:port", "BAD_ENDPOINT");
    assert_problem("[kafka]\nbootstrap = a:1,\n", "2: [kafka] bootstrap", "BAD_ENDPOINT");
    assert_problem("[kafka]\nbootstrap = a:70000\n", "2: [kafka] bootstrap", "BAD_ENDPOINT");
    assert_problem("[kafka]\nevent_topic = a b\n", "2: [kafka] event_topic: a Kafka topic is", "BAD_TOPIC");
    assert_problem("[kafka]\ndead_letter_topic = image-job-topic\n", "2: [kafka] dead_letter_topic", "CONFLICT");
    assert_problem("[breaker]\nminimum_calls = 21\n", "2: [breaker] minimum_calls: 21 is more than", "CONFLICT");
    assert_problem("[channels]\nsecret = hunter2\n", "2: [channels] secret: must be whsec_", "BAD_SECRET");
    assert_problem("[channels]\nsecret = whsec_MDEyMzQ1Njc4OTA=\n", "2: [channels] secret", "BAD_SECRET");
    assert_problem("[channels]\nsecret = whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_MDEyMzQ1Njc4OTA=\n",
                   "2: [channels] secret", "BAD_SECRET");
}

/* A URL says more than its setting means, or less. */
static void test_settings_urls_of_the_wrong_form_are_refused(void **state) {
    static const char *const keys[] = {
        "[event]\nurl",      "[job]\nurl",      "[distribution]\nurl",  "[content]\nrpc_url",
        "[event]\ncall_url", "[job]\ncall_url", "[gateway]\nevent_url", "[content]\nrpc_call_url",
    };
    static const struct {
        const char *url, *told;
    } bad[] = {
        {"tcp://a:1/x", "goes on behind host:port: remove the path"},
        {"tcp://a:1/", "goes on behind host:port"},
        {"tcp://a:1?x=1", "goes on behind host:port"},
        {"tls+tcp://a:1#x", "goes on behind host:port"},
        {"tcp://user@a:1", "has user information before an @"},
        {"tcp://user:pw@a:1", "has user information before an @"},
        {"tcp://a b:1", "has a host that is no name and no address"},
        {"tcp://a%20b:1", "has a host that is no name and no address"},
        {"tcp://[::1:1", "has a host that begins with [ and does not"},
        {"tcp://[]:1", "has a host that is no name and no address"},
        {"tcp://[::1]x:1", "must have a port"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            char text[128], place[160];
            (void)snprintf(text, sizeof(text), "%s = %s\n", keys[i], bad[j].url);
            (void)snprintf(place, sizeof(place), "2: [%.*s] %s: %s", (int)(strchr(keys[i], ']') - keys[i] - 1),
                           keys[i] + 1, strchr(keys[i], '\n') + 1, bad[j].told);
            assert_problem(text, place, "BAD_URL");
        }
    }
    assert_problem("[job]\ncall_url = tcp://a:1,tcp://b:2/x\n", "2: [job] call_url: goes on behind", "BAD_URL");
    assert_problem("[job]\ncall_url = tcp://a:0\n", "2: [job] call_url: has port 0", "BAD_URL");
    assert_problem("[job]\ncall_url = tcp://*:1\n", "2: [job] call_url: names no host", "BAD_URL");
    assert_problem("[gateway]\nlisten = http://127.0.0.1:7100/api\n", "2: [gateway] listen: goes on", "BAD_URL");
    assert_problem("[gateway]\nlisten = http://127.0.0.1\n", "2: [gateway] listen: names no port", "BAD_URL");
    assert_problem("[content]\nurl = http://127.0.0.1:7104/x\n", "2: [content] url: goes on behind", "BAD_URL");
    assert_problem("[content]\nurl = https://127.0.0.1:7104\n", "2: [content] url: must be a URL that begins with",
                   "BAD_URL");
    assert_problem("[channels]\nurl = http://a:1/x?y=1\n", "2: [channels] url: has a query", "BAD_URL");
    assert_problem("[instagram]\nurl = https://user@a/v21.0\n", "2: [instagram] url: has user", "BAD_URL");
    assert_problem("[naver_blog]\nurl = https://a#x\n", "2: [naver_blog] url: has a query or fragment", "BAD_URL");
    assert_problem("[kakao_channel]\nurl = https://:443\n", "2: [kakao_channel] url: names no host", "BAD_URL");
    assert_problem("[ringo_biz]\nurl = https://a/hook#x\n", "2: [ringo_biz] url: has a fragment", "BAD_URL");
    assert_problem("[redis]\nurl = redis://a b:1/0\n", "2: [redis] url: the Redis URL has no host, or one", "BAD_URL");
    assert_problem("[redis]\nurl = redis://a:1/0/x\n", "2: [redis] url: the Redis URL has a database", "BAD_URL");
    assert_problem("[redis]\nurl = redis://a:1/0?x=1\n", "2: [redis] url: the Redis URL has a query", "BAD_URL");
    assert_problem("[redis]\nurl = redis://user@a:1/0\n", "2: [redis] url: the Redis URL has an '@'", "BAD_URL");
    assert_problem("[redis]\nurl = redis+sentinel://a:1\n", "2: [redis] url: the Redis URL does not say", "BAD_URL");
}

static void test_settings_urls_of_the_right_form_are_taken(void **state) {
    struct settings settings;
    struct herald_error error = {0};
    (void)state;
    enum herald_code code =
        load(&settings,
             "[event]\nurl = tcp://[::1]:0\ncall_url = tls+tcp://event-1.example:7101,ipc:///run/a b@c\n"
             "[job]\nurl = tcp://:7102\n[distribution]\nurl = tcp://*:7103\n[gateway]\nlisten = http://[::]:7100\n"
             "[channels]\nurl = https://hooks.example/base/\n[ringo_biz]\nurl = https://u:p@a.example/hook?key=1\n"
             "[kafka]\nbootstrap = a:1, [::1]:2 ,c.example:3\n[redis]\nurl = redis://[fe80::1%eth0]:6379/2\n",
             &error);
    assert_string_equal(error.detail_count ? error.details[0].message : "", "");
    assert_int_equal(code, HERALD_OK);
    settings_fini(&settings);
}

static void test_settings_brokers_that_are_no_host_and_port_are_refused(void **state) {
    static const char *const bad[] = {"http://a:1", "PLAINTEXT://a:1", "a:1/x", "u@a:1",   "a:1,,b:2", "a b:1",
                                      "::1:9092",   ":9092",           "a:0",   "a:1;b:2", "*:9092"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "[kafka]\nbootstrap = %s\n", bad[i]);
        assert_problem(text, "2: [kafka] bootstrap: must be host:port, or several with commas", "BAD_ENDPOINT");
    }
}

static void test_settings_conflict_of_a_default_names_both(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    (void)setenv("HERALD_BREAKER_WINDOW_CALLS", "3", 1);
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.details[0].message, "the default of [breaker] minimum_calls: 5 is more than"));
    assert_non_null(strstr(error.details[0].message, "window_calls = 3"));
}

static void test_settings_all_problems_come_at_once(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    (void)setenv("HERALD_RPC_LOOP", "2", 1);
    (void)setenv("HERALD_LOG_LEVEL", "loud", 1);
    assert_int_equal(load(&settings, "[rpc]\nloops = x\nnonsense\n[nope]\na = 1\nb = 2\n[pg]\nfoo = 1\n", &error),
                     HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 6);
    assert_non_null(strstr(error.message, "6 problems"));
    unsigned of_environment = 0;
    for (uint32_t i = 0; i < error.detail_count; i++) {
        of_environment += strstr(error.details[i].message, "HERALD_RPC_LOOP is no setting of [rpc]") != NULL;
        of_environment += strstr(error.details[i].message, "HERALD_LOG_LEVEL = loud: must be one of") != NULL;
    }
    assert_int_equal(of_environment, 2);
}

static void test_settings_more_problems_than_details_are_counted(void **state) {
    (void)state;
    char text[4096] = "[rpc]\n";
    for (int i = 0; i < 30; i++) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof(text) - length, "unknown%d = 1\n", i);
    }
    struct settings settings;
    struct herald_error error = {0};
    assert_int_equal(load(&settings, text, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, HERALD_ERROR_DETAILS_MAX);
    assert_non_null(strstr(error.message, "30 problems"));
}

static void test_settings_long_lines_are_refused_not_cut(void **state) {
    (void)state;
    char text[1024], value[300];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "# %s\n[content]\ndir = %s\n[rpc]\nloops = y\n", value, value);
    assert_problem(text, "3: longer than 198 bytes", "LINE_TOO_LONG");
    assert_problem(text, "5: [rpc] loops = y", "BAD_VALUE"); /* lines are counted rightly behind it */
}

static void test_settings_nul_byte_is_refused(void **state) {
    (void)state;
    static const char text[] = "[rpc]\nlo\0ops = 3\nloops = z\n";
    struct settings settings;
    struct herald_error error = {0};
    assert_int_equal(settings_load(&settings, write_file(text, sizeof(text) - 1), &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 2);
    assert_non_null(strstr(error.details[0].message, ":2: contains a NUL byte"));
    assert_non_null(strstr(error.details[1].message, ":3: [rpc] loops = z"));
}

static void test_settings_unreadable_file_is_named(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    assert_int_equal(settings_load(&settings, "/nonexistent/herald.ini", &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "/nonexistent/herald.ini: cannot be opened: No such file"));
    assert_int_equal(settings_load(&settings, "/tmp", &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "/tmp: cannot be read: Is a directory"));
}

/* ---- printing ---- */

static char *print(const struct settings *settings) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (settings != NULL) {
        settings_print(settings, out);
    } else {
        settings_print_reference(&all_settings, out);
    }
    (void)fclose(out);
    return text;
}

static void test_settings_kafka_properties_are_read_and_printed(void **state) {
    (void)state;
    struct settings settings;
    (void)setenv("HERALD_KAFKA_PROPERTY_SASL_PASSWORD", "canary", 1);
    (void)setenv("HERALD_KAFKA_PROPERTY_LINGER_MS", "7", 1);
    assert_int_equal(load(&settings,
                          "[kafka]\nproperty.security.protocol = sasl_plaintext\nproperty.sasl.mechanism = PLAIN\n"
                          "property.sasl.username = herald\nproperty.linger.ms = 5\n",
                          NULL),
                     HERALD_OK);
    char *text = print(&settings);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "property.security.protocol = sasl_plaintext\n"));
    assert_non_null(strstr(text, "property.sasl.password = ****\n"));
    assert_non_null(strstr(text, "property.linger.ms = 7\n"));
    assert_null(strstr(text, "property.linger.ms = 5\n"));
    free(text);
    settings_fini(&settings);
}

static void test_settings_bad_kafka_properties_are_refused(void **state) {
    (void)state;
    assert_problem("[kafka]\nproperty.acks = 1\n", "2: [kafka] property.acks: must stay all", "BAD_VALUE");
    assert_problem("[kafka]\nproperty.enable.idempotence = false\n", "2: [kafka] property.enable.idempotence: must",
                   "BAD_VALUE");
    assert_problem("[kafka]\nproperty.enable.auto.commit = true\n", "2: [kafka] property.enable.auto.commit: must",
                   "BAD_VALUE");
    assert_problem("[kafka]\n\nproperty.no.such = 1\n", "3: [kafka] property.no.such: librdkafka has no such property",
                   "BAD_VALUE");
    assert_problem("[kafka]\nproperty.security.protocol = tls\n",
                   "2: [kafka] property.security.protocol: Invalid value", "BAD_VALUE");
    assert_problem("[kafka]\nproperty.security.protocol = ssl\nproperty.ssl.ca.location = /nonexistent\n",
                   "3: [kafka] property.ssl.ca.location: /nonexistent cannot be read: No such file", "BAD_VALUE");
    assert_problem("[kafka]\nproperty.linger.ms = 1\nproperty.linger.ms = 2\n",
                   "3: [kafka] property.linger.ms was set before, in line 2", "DUPLICATE_KEY");
    assert_problem("[kafka]\nproperty = 1\n", "2: [kafka] property takes a name", "UNKNOWN_KEY");
    assert_problem("[redis]\nproperty.x = 1\n", "2: [redis] property.x is no setting", "UNKNOWN_KEY");
}

static void test_settings_kafka_files_are_looked_at(void **state) {
    static const char *const FILES[] = {"ssl.ca.location",       "ssl.certificate.location", "ssl.key.location",
                                        "ssl.keystore.location", "ssl.crl.location",         "sasl.kerberos.keytab"};
    static const char *const PROTOCOLS[] = {"ssl", "sasl_ssl", "plaintext"};
    char text[192], place[160];
    (void)state;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        for (size_t j = 0; j < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); j++) {
            (void)snprintf(text, sizeof(text),
                           "[kafka]\nproperty.security.protocol = %s\nproperty.%s = /nonexistent/x\n", PROTOCOLS[j],
                           FILES[i]);
            (void)snprintf(place, sizeof(place), "3: [kafka] property.%s: /nonexistent/x cannot be read", FILES[i]);
            assert_problem(text, place, "BAD_VALUE");
        }
    }
    assert_problem("[kafka]\nproperty.security.protocol = SSL\nproperty.ssl.key.location = /etc/passwd\n",
                   "3: [kafka] property.ssl.key.location: ssl.key.location failed", "CONFLICT");
    assert_problem("[kafka]\nproperty.ssl.ca.location = /etc/passwd\n",
                   "2: [kafka] property.ssl.ca.location: is for TLS: set [kafka] property.security.protocol",
                   "CONFLICT");
    assert_problem("[kafka]\nproperty.security.protocol = sasl_plaintext\nproperty.ssl.key.pem = x\n",
                   "3: [kafka] property.ssl.key.pem: is for TLS", "CONFLICT");
}

static void test_settings_bad_kafka_variable_is_named(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    (void)setenv("HERALD_KAFKA_PROPERTY_ACKS", "1", 1);
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.details[0].message, "HERALD_KAFKA_PROPERTY_ACKS: must stay all"));
}

static void test_settings_print_masks_secrets(void **state) {
    (void)state;
    struct settings settings;
    (void)setenv("HERALD_PG_DSN", "host=db password=canary", 1);
    (void)setenv("HERALD_REDIS_URL", "redis://:canary@127.0.0.1:6379/0", 1);
    assert_int_equal(settings_load(&settings, NULL, NULL), HERALD_OK);
    char *text = print(&settings);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "[pg]\ndsn = ****\nconnections = 8\n"));
    assert_non_null(strstr(text, "url = redis://:****@127.0.0.1:6379/0\n"));
    assert_non_null(strstr(text, "secret = \n"));
    assert_non_null(strstr(text, "probes = true\n"));
    free(text);
    settings_fini(&settings);
}

static void test_settings_errors_do_not_show_secrets(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    (void)setenv("HERALD_CHANNELS_SECRET", "canary", 1);
    (void)setenv("HERALD_PG_DSN", "canary\x01", 1);
    assert_int_equal(settings_load(&settings, NULL, &error), HERALD_INVALID_ARGUMENT);
    for (uint32_t i = 0; i < error.detail_count; i++) {
        assert_null(strstr(error.details[i].message, "canary"));
    }
    assert_null(strstr(error.message, "canary"));
}

static void test_settings_bad_line_is_not_shown(void **state) {
    (void)state;
    struct settings settings;
    struct herald_error error = {0};
    assert_int_equal(load(&settings, "[channels]\nsecret\nwhsec_canary\n", &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 2);
    assert_null(strstr(error.details[1].message, "canary"));
}

static void test_settings_reference_reads_back_as_the_defaults(void **state) {
    (void)state;
    struct settings defaults, read;
    struct herald_error error = {0};
    char *reference = print(NULL);
    assert_non_null(strstr(reference, "# 1 to 64, or auto. HERALD_RPC_LOOPS\nloops = 1\n"));
    enum herald_code code = load(&read, reference, &error);
    if (code != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(settings_load(&defaults, NULL, NULL), HERALD_OK);
    char *from_reference = print(&read), *from_defaults = print(&defaults);
    assert_string_equal(from_reference, from_defaults);
    free(reference);
    free(from_reference);
    free(from_defaults);
    settings_fini(&read);
    settings_fini(&defaults);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear_environment, remove_file)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_settings_without_file_are_the_defaults),
        TEST(test_settings_servers_are_called_where_they_listen_unless_told),
        TEST(test_settings_file_overrides_defaults_and_environment_the_file),
        TEST(test_settings_number_of_loops_may_be_auto),
        TEST(test_settings_every_exported_variable_is_a_setting),
        TEST(test_settings_bad_lines_are_named_with_file_and_line),
        TEST(test_settings_bad_values_say_what_is_allowed),
        TEST(test_settings_shapes_are_checked),
        TEST(test_settings_urls_of_the_wrong_form_are_refused),
        TEST(test_settings_urls_of_the_right_form_are_taken),
        TEST(test_settings_brokers_that_are_no_host_and_port_are_refused),
        TEST(test_settings_conflict_of_a_default_names_both),
        TEST(test_settings_all_problems_come_at_once),
        TEST(test_settings_more_problems_than_details_are_counted),
        TEST(test_settings_long_lines_are_refused_not_cut),
        TEST(test_settings_nul_byte_is_refused),
        TEST(test_settings_unreadable_file_is_named),
        TEST(test_settings_kafka_properties_are_read_and_printed),
        TEST(test_settings_bad_kafka_properties_are_refused),
        TEST(test_settings_kafka_files_are_looked_at),
        TEST(test_settings_bad_kafka_variable_is_named),
        TEST(test_settings_print_masks_secrets),
        TEST(test_settings_errors_do_not_show_secrets),
        TEST(test_settings_bad_line_is_not_shown),
        TEST(test_settings_reference_reads_back_as_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
