#include "cmocka_headers.h"
#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "process.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* server_main(), seen from outside: options, settings, signals, exit statuses. The program is program.c. */

#define PATIENCE_MS 30000

static void expect_run(const char *const *arguments, int exit_status, const char *text) {
    expect_end(start_process(TEST_PROGRAM, arguments), exit_status, text);
}

#define ARGUMENTS(...)                                                                                                 \
    (const char *const[]) {                                                                                            \
        __VA_ARGS__, NULL                                                                                              \
    }

static int set_up(void **state) {
    (void)state;
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:0", 1);
    unsetenv("HERALD_CONFIG");
    unsetenv("PROGRAM_MODE");
    unsetenv("HERALD_RPC_LOOPS");
    unsetenv("HERALD_RPC_DRAIN_MS");
    return 0;
}

/* ---- options ---- */

static void test_main_help_lists_options(void **state) {
    (void)state;
    expect_run(ARGUMENTS("--help"), 0, "--print-config-reference");
}

static void test_main_version_is_printed(void **state) {
    (void)state;
    expect_run(ARGUMENTS("--version"), 0, "rpc-test-server " HERALD_VERSION);
}

static void test_main_reference_is_printed(void **state) {
    (void)state;
    expect_run(ARGUMENTS("--print-config-reference"), 0, "max_in_flight");
}

static void test_main_log_events_of_server_and_app_are_printed(void **state) {
    (void)state;
    expect_run(ARGUMENTS("--log-events"), 0, "server.listening");
    expect_run(ARGUMENTS("--log-events"), 0, "The program under test has started.");
}

static void test_main_wrong_options_end_with_two(void **state) {
    (void)state;
    expect_run(ARGUMENTS("--nonsense"), 2, "--help lists the options");
    expect_run(ARGUMENTS("--config"), 2, "--help lists the options");
    expect_run(ARGUMENTS("extra"), 2, "\"extra\" is no option");
}

/* ---- settings ---- */

static void write_config(char path[64], const char *text) {
    snprintf(path, 64, "/tmp/herald-test-main-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void test_main_check_config_prints_settings(void **state) {
    char path[64];
    (void)state;
    write_config(path, "[rpc]\nmax_in_flight = 77\n[channels]\nsecret = whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
    expect_run(ARGUMENTS("--config", path, "--check-config"), 0, "max_in_flight = 77");
    expect_run(ARGUMENTS("--config", path, "--check-config"), 0, "****");
    setenv("HERALD_CONFIG", path, 1);
    expect_run(ARGUMENTS("--check-config"), 0, "max_in_flight = 77");
    unlink(path);
}

static void test_main_bad_config_names_file_and_key(void **state) {
    char path[64];
    (void)state;
    write_config(path, "[rpc]\nmax_in_flight = many\n");
    expect_run(ARGUMENTS("--config", path, "--check-config"), 1, "max_in_flight");
    expect_run(ARGUMENTS("--config", path), 1, path);
    unlink(path);
    expect_run(ARGUMENTS("--config", path), 1, path);
}

static void test_main_all_bad_settings_are_listed(void **state) {
    char path[64];
    (void)state;
    write_config(path, "[rpc]\nmax_in_flight = many\nloops = 0\n[nonsense]\nkey = 1\n");
    expect_run(ARGUMENTS("--config", path), 1, ":2: [rpc] max_in_flight");
    expect_run(ARGUMENTS("--config", path), 1, ":3: [rpc] loops");
    expect_run(ARGUMENTS("--config", path), 1, "nonsense");
    unlink(path);
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

struct bad_setting {
    const char *variable, *value, *told;
};

/* Both --check-config and the start of a real server end with status 1 and name the cure. */
static void check_bad_setting(const struct bad_setting *bad) {
    setenv(bad->variable, bad->value, 1);
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 1, bad->told);
    expect_end(start_process(HERALD_EVENT_PROGRAM, NULL), 1, bad->told);
    unsetenv(bad->variable);
}

static void test_main_bad_settings_are_found_by_check_and_start(void **state) {
    static const struct bad_setting BAD[] = {
        {"HERALD_EVENT_URL", "tcp://127.0.0.1:99999", "HERALD_EVENT_URL: must have a port from 0 to 65535"},
        {"HERALD_EVENT_URL", "tcp://127.0.0.1:71x", "HERALD_EVENT_URL: must have a port from 0 to 65535"},
        {"HERALD_EVENT_URL", "tcp://127.0.0.1", "HERALD_EVENT_URL: names no port: write host:port"},
        {"HERALD_EVENT_URL", "tcp://::1:7101", "write an IPv6 address in brackets"},
        {"HERALD_EVENT_URL", "tcp://0.0.0.0:7777", "set insecure = true under [rpc]"},
        {"HERALD_EVENT_URL", "tls+tcp://127.0.0.1:7777", "set cert_file and key_file under [tls]"},
        {"HERALD_JOB_CALL_URL", "tcp://a:7102,tcp://b:70000", "HERALD_JOB_CALL_URL: must have a port"},
        {"HERALD_CHANNELS_URL", "http://127.0.0.1:0x50/x", "HERALD_CHANNELS_URL: must have a port"},
        {"HERALD_PG_DSN", "garbage", "HERALD_PG_DSN: it is no connection string of libpq: write key=value pairs"},
        {"HERALD_PG_DSN", "host=a port=99999", "HERALD_PG_DSN: port must be a number from 1 to 65535"},
        {"HERALD_PG_DSN", "postgresql://herald@a:x/herald", "HERALD_PG_DSN: port must be a number from 1 to 65535"},
        {"HERALD_PG_DSN", "host=a,b port=5432,0", "HERALD_PG_DSN: port must be a number from 1 to 65535"},
        {"HERALD_PG_DSN", "host=a,b port=1,2,3", "HERALD_PG_DSN: 3 ports for 2 hosts"},
        {"HERALD_PG_DSN", "host=a sslmode=verify", "HERALD_PG_DSN: sslmode must be one of disable|"},
        {"HERALD_PG_DSN", "host=a,b target_session_attrs=readwrite",
         "HERALD_PG_DSN: target_session_attrs must be one of any|"},
        {"HERALD_PG_DSN", "host=a sslmode=verify-full sslrootcert=/nonexistent/ca.pem",
         "HERALD_PG_DSN: sslrootcert names no file"},
        {"HERALD_PG_DSN", "host=a connect_timeout=xx", "HERALD_PG_DSN: connect_timeout must be a whole number"},
        {"HERALD_PG_DSN", "host=a keepalives=yes", "HERALD_PG_DSN: keepalives must be a whole number"},
        {"HERALD_PG_DSN", "host=a keepalives_idle=1m", "HERALD_PG_DSN: keepalives_idle must be a whole number"},
        {"HERALD_PG_DSN", "host=a tcp_user_timeout=9999999999", "HERALD_PG_DSN: tcp_user_timeout must be a whole"},
        {"HERALD_PG_DSN", "host=a channel_binding=always", "HERALD_PG_DSN: channel_binding must be one of disable|"},
        {"HERALD_PG_DSN", "host=a ssl_min_protocol_version=1.2",
         "HERALD_PG_DSN: ssl_min_protocol_version must be one of TLSv1|"},
        {"HERALD_PG_DSN", "host=a ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
         "HERALD_PG_DSN: ssl_min_protocol_version must not be above"},
        {"HERALD_PG_DSN", "hostaddr=db.example", "HERALD_PG_DSN: hostaddr must be an IPv4 or IPv6 address"},
        {"HERALD_PG_DSN", "host=a,b hostaddr=127.0.0.1", "HERALD_PG_DSN: 2 hosts for 1 addresses"},
        {"HERALD_PG_DSN", "host=/" LONG "/" LONG, "HERALD_PG_DSN: host names a folder too long"},
        {"HERALD_PG_DSN", "service=herald_nowhere", "HERALD_PG_DSN: libpq refuses it: definition of service"},
        {"HERALD_PG_DSN", "host=a sslcert=/nonexistent/client.pem", "HERALD_PG_DSN: sslcert names no file"},
        {"HERALD_PG_DSN", "host=a sslcrl=/nonexistent/crl.pem", "HERALD_PG_DSN: sslcrl names no file"},
        {"PGCONNECT_TIMEOUT", "soon",
         "connect_timeout must be a whole number (it comes from a service file or from PGCONNECT"},
        {"HERALD_TLS_CERT_FILE", "/nonexistent/cert.pem", "HERALD_TLS_CERT_FILE: "},
        {"HERALD_TLS_CA_FILE", "/nonexistent/ca.pem", "HERALD_TLS_CA_FILE: "},
        {"HERALD_AUTH_CALLERS_FILE", "/nonexistent/callers", "HERALD_AUTH_CALLERS_FILE: "},
        {"HERALD_AUTH_KEY_ID", "x", "HERALD_AUTH_KEY_ID: "},
#if HERALD_FAILPOINTS
        {"HERALD_FAILPOINT", "event.nowhere:kill", "HERALD_FAILPOINT: there is no failpoint \"event.nowhere\""},
        {"HERALD_FAILPOINT", "clock.wall:explode",
         "HERALD_FAILPOINT: \"explode\" is no action of failpoint clock.wall"},
        {"HERALD_FAILPOINT", "kill", "HERALD_FAILPOINT: \"kill\" is no name:action"},
#endif
        {"HERALD_TLS_CERT_FILE", "/nonexistent/cert.pem", "/nonexistent/cert.pem"},
        {"HERALD_TLS_CA_FILE", "/nonexistent/ca.pem", "/nonexistent/ca.pem"},
        {"HERALD_TLS_KEY_FILE", "/nonexistent/key.pem",
         "[tls] key_file is set and [tls] cert_file (HERALD_TLS_CERT_FILE) is not"},
        {"HERALD_TLS_CLIENT_CA_FILE", "/nonexistent/ca.pem",
         "[tls] client_ca_file is set and [tls] cert_file (HERALD_TLS_CERT_FILE) is not"},
        {"HERALD_AUTH_CALLERS_FILE", "/nonexistent/callers", "/nonexistent/callers: cannot be opened"},
        {"HERALD_AUTH_REQUIRED", "true", "callers_file under [auth]"},
        {"HERALD_AUTH_KEY_ID", "x", "[auth] key_id is set and [auth] key_file (HERALD_AUTH_KEY_FILE) is not"},
        {"HERALD_AUTH_KEY_FILE", "/nonexistent/key",
         "[auth] key_file is set and [auth] key_id (HERALD_AUTH_KEY_ID) is not"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        check_bad_setting(&BAD[i]);
    }
}

static void test_main_http_addresses_are_found_by_check(void **state) {
    static const struct {
        const char *program;
        struct bad_setting bad;
    } BAD[] = {
        {HERALD_GATEWAY_PROGRAM,
         {"HERALD_GATEWAY_LISTEN", "http://0.0.0.0:7100", "insecure = true in section [gateway]"}},
        {HERALD_GATEWAY_PROGRAM, {"HERALD_GATEWAY_TRUSTED_PROXIES", "proxy.example", "it must be addresses"}},
        {HERALD_CONTENT_PROGRAM, {"HERALD_CONTENT_URL", "http://0.0.0.0:7104", "insecure = true in section [rpc]"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char place[64];
        setenv(BAD[i].bad.variable, BAD[i].bad.value, 1);
        snprintf(place, sizeof(place), "%s: the setting", BAD[i].bad.variable);
        expect_end(start_process(BAD[i].program, ARGUMENTS("--check-config")), 1, BAD[i].bad.told);
        expect_end(start_process(BAD[i].program, ARGUMENTS("--check-config")), 1, place);
        expect_end(start_process(BAD[i].program, NULL), 1, BAD[i].bad.told);
        unsetenv(BAD[i].bad.variable);
        expect_end(start_process(BAD[i].program, ARGUMENTS("--check-config")), 0, "[gateway]");
    }
}

static void test_main_key_file_that_others_may_read_is_found_by_check_and_start(void **state) {
    char path[64];
    (void)state;
    write_config(path, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    setenv("HERALD_AUTH_KEY_ID", "x", 1);
    setenv("HERALD_AUTH_KEY_FILE", path, 1);
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 0, "key_id = x");
    assert_int_equal(chmod(path, 0400), 0);
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 0, "key_id = x");
    assert_int_equal(chmod(path, 0644), 0);
    check_bad_setting(&(struct bad_setting){"HERALD_AUTH_KEY_FILE", path, "(mode 0644): chmod 600"});
    unsetenv("HERALD_AUTH_KEY_ID");
    unlink(path);
}

static void test_main_bad_file_of_the_config_is_told_with_its_line(void **state) {
    char path[64], place[128];
    (void)state;
    write_config(path, "[pg]\ndsn = host=a connect_timeout=xx\n[tls]\ncert_file = /nonexistent/cert.pem\n");
    const char *const *arguments = ARGUMENTS("--config", path, "--check-config");
    (void)snprintf(place, sizeof(place), "%s:2: [pg] dsn: connect_timeout", path);
    expect_end(start_process(HERALD_EVENT_PROGRAM, arguments), 1, place);
    (void)snprintf(place, sizeof(place), "%s:4: [tls] cert_file: ", path);
    expect_end(start_process(HERALD_EVENT_PROGRAM, arguments), 1, place);
    unlink(path);
}

static void test_main_postgres_key_that_others_may_read_is_refused(void **state) {
    char path[64], dsn[160];
    (void)state;
    write_config(path, "a key");
    (void)snprintf(dsn, sizeof(dsn), "host=a sslkey=%s", path);
    assert_int_equal(chmod(path, 0644), 0);
    check_bad_setting(&(struct bad_setting){"HERALD_PG_DSN", dsn, "sslkey names a key that others may read"});
    assert_int_equal(chmod(path, 0600), 0);
    setenv("HERALD_PG_DSN", dsn, 1);
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 0, "[pg]");
    unsetenv("HERALD_PG_DSN");
    unlink(path);
}

/* What libpq takes is not refused. */
static void test_main_good_connection_strings_are_taken(void **state) {
    static const char *const GOOD[] = {
        "host=/var/run/postgresql dbname=herald",
        "postgresql://herald@[::1]:5432,db.example/herald?connect_timeout=5&target_session_attrs=read-write",
        "host=a,b port=5432, hostaddr=127.0.0.1, keepalives=1 keepalives_idle=' 30 ' tcp_user_timeout=-1",
        "host=a channel_binding=require ssl_min_protocol_version=tlsv1.2 sslmode=require gssencmode=disable",
        "host=a sslmode=disable sslrootcert=/nonexistent/ca.pem",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        setenv("HERALD_PG_DSN", GOOD[i], 1);
        expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 0, "[pg]");
    }
    unsetenv("HERALD_PG_DSN");
}

static void test_main_all_bad_files_are_listed_at_once(void **state) {
    (void)state;
    setenv("HERALD_AUTH_CALLERS_FILE", "/nonexistent/callers", 1);
    setenv("HERALD_PG_DSN", "garbage", 1);
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 1, "/nonexistent/callers");
    expect_end(start_process(HERALD_EVENT_PROGRAM, ARGUMENTS("--check-config")), 1, "HERALD_PG_DSN: ");
    unsetenv("HERALD_AUTH_CALLERS_FILE");
    unsetenv("HERALD_PG_DSN");
}

/* It may be another program's, so the start only warns. */
static void test_main_unknown_variable_fails_the_check_and_warns_at_the_start(void **state) {
    (void)state;
    setenv("HERALD_TYPO", "1", 1);
    setenv("HERALD_FAKES_SECRET", "another program's", 1);
    expect_run(ARGUMENTS("--check-config"), 1, "HERALD_TYPO is no setting: unset it");
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    assert_non_null(strstr(process->output, "settings.unknown_variable"));
    assert_null(strstr(process->output, "HERALD_FAKES_SECRET"));
    kill(process->pid, SIGTERM);
    expect_end(process, 0, "HERALD_TYPO");
    unsetenv("HERALD_TYPO");
    setenv("HERALD_PGDSN", "x", 1);
    expect_run(ARGUMENTS("--check-config"), 1, "HERALD_PGDSN is no setting: did you mean HERALD_PG_DSN");
    unsetenv("HERALD_PGDSN");
    expect_run(ARGUMENTS("--check-config"), 0, "[pg]");
    unsetenv("HERALD_FAKES_SECRET");
}

/* ---- starting ---- */

static struct process *start_with_descriptors(const char *limit) {
    char script[96];
    snprintf(script, sizeof(script), "ulimit %s; exec \"$0\"", limit);
    struct process *process = start_process("/bin/sh", ARGUMENTS("-c", script, TEST_PROGRAM));
    (void)await_output(process, "server.listening");
    return process;
}

static void expect_soft_limit(pid_t pid, unsigned long expected) {
    struct rlimit limit;
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    assert_int_equal(limit.rlim_cur, expected);
}

static void end_process(struct process *process, const char *text) {
    assert_int_equal(kill(process->pid, SIGTERM), 0);
    expect_end(process, 0, text);
}

/* 1024 connections by default, 144 that are refused, 512 for the rest. */
static void test_main_descriptors_are_raised_to_the_hard_limit(void **state) {
    (void)state;
    struct process *process = start_with_descriptors("-S -n 300; ulimit -H -n 1680");
    expect_soft_limit(process->pid, 1680);
    assert_null(strstr(process->output, "descriptors.few"));
    end_process(process, "server.stopped");
}

static void test_main_descriptors_too_few_are_logged(void **state) {
    (void)state;
    struct process *process = start_with_descriptors("-S -n 300; ulimit -H -n 1679");
    expect_soft_limit(process->pid, 1679);
    end_process(process, "descriptors.few");
}

static void test_main_port_in_use_says_what_to_do(void **state) {
    (void)state;
    struct process *first = start_process(TEST_PROGRAM, NULL);
    const char *url = await_output(first, "tcp://127.0.0.1:");
    (void)await_output(first, "server.listening");
    char taken[64];
    snprintf(taken, sizeof(taken), "%.*s", (int)strcspn(url, "\""), url);
    setenv("HERALD_JOB_URL", taken, 1);
    expect_run(NULL, 1, "the address is in use");
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:0", 1);
    kill(first->pid, SIGTERM);
    expect_end(first, 0, "server.stopped");
}

static void test_main_beyond_loopback_ends_with_one(void **state) {
    (void)state;
    setenv("HERALD_JOB_URL", "tcp://0.0.0.0:0", 1);
    expect_run(NULL, 1, "set insecure = true under [rpc]");
}

static void test_main_failed_start_ends_with_one(void **state) {
    (void)state;
    setenv("PROGRAM_MODE", "fail-start", 1);
    expect_run(NULL, 1, "rpc-test-server: start was told to fail");
}

static void test_main_failed_start_of_one_loop_stops_the_others(void **state) {
    (void)state;
    setenv("PROGRAM_MODE", "fail-start-loop", 1);
    setenv("HERALD_RPC_LOOPS", "3", 1);
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "stop_loop\nstop_loop\n");
    expect_end(process, 1, "rpc-test-server: start_loop was told to fail");
}

/* ---- ending ---- */

static void check_signal(int signal_number) {
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    assert_null(strstr(process->output, "stop"));
    kill(process->pid, signal_number);
    (void)await_output(process, "stop_loop\nstop\n");
    expect_end(process, 0, "server.stopped");
}

static void test_main_signal_ends_with_zero(void **state) {
    (void)state;
    check_signal(SIGTERM);
    check_signal(SIGINT);
}

static void test_main_several_loops_start_and_stop(void **state) {
    (void)state;
    setenv("HERALD_RPC_LOOPS", "3", 1);
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    (void)await_output(process, "start_loop\nstart_loop\nstart_loop\n");
    kill(process->pid, SIGTERM);
    (void)await_output(process, "stop_loop\nstop_loop\nstop_loop\nstop\n");
    expect_end(process, 0, "server.stopped");
}

static unsigned count_text(const char *text, const char *part) {
    unsigned count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        count++;
    }
    return count;
}

static void test_main_loops_are_as_many_as_processors_where_that_is_wanted(void **state) {
    cpu_set_t one;
    (void)state;
    setenv("HERALD_RPC_LOOPS", "auto", 1);
    expect_run(ARGUMENTS("--check-config"), 0, "loops = auto");
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0); /* the program inherits it */
    struct process *process = start_process(TEST_PROGRAM, NULL);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    (void)await_output(process, "server.listening");
    assert_int_equal(count_text(process->output, "start_loop\n"), 1);
    kill(process->pid, SIGTERM);
    expect_end(process, 0, "stop");
}

static void test_main_program_without_rpc_runs_and_ends(void **state) {
    (void)state;
    setenv("PROGRAM_MODE", "no-rpc", 1);
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "start_loop");
    kill(process->pid, SIGTERM);
    expect_end(process, 0, "server.stopped");
}

static void test_main_sigpipe_is_ignored(void **state) {
    (void)state;
    struct process *process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(process, "server.listening");
    kill(process->pid, SIGPIPE);
    kill(process->pid, SIGTERM);
    expect_end(process, 0, "server.stopped");
}

struct waiting {
    struct process *process;
    struct herald_channel *channel;
    struct herald_reply reply;
    atomic_bool done;
};

static void on_done(void *user, struct herald_reply *reply) {
    struct waiting *waiting = user;
    waiting->reply = *reply;
    waiting->done = true;
}

/* Starts the program and a call of it that waits. */
static void start_waiting(struct waiting *waiting, uint32_t wait_ms, const char *drain_ms) {
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    struct herald_error error;
    char url[64];
    setenv("HERALD_RPC_DRAIN_MS", drain_ms, 1);
    memset(waiting, 0, sizeof(*waiting));
    waiting->process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(waiting->process, "server.listening");
    const char *found = await_output(waiting->process, "tcp://127.0.0.1:");
    snprintf(url, sizeof(url), "%.*s", (int)strcspn(found, "\""), found);
    assert_int_equal(herald_channel_open(url, NULL, &waiting->channel, &error), HERALD_OK);
    request.job_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.wait_ms = wait_ms;
    assert_int_equal(herald_call_start(waiting->channel, herald_job_v1_job_service_wait_job_method, &request.base, NULL,
                                       on_done, waiting, NULL, &error),
                     HERALD_OK);
    (void)await_output(waiting->process, "waiting\n");
}

static void expect_reply(struct waiting *waiting, enum herald_code code) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; !waiting->done && i < PATIENCE_MS; i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(waiting->done);
    assert_string_equal(herald_code_name((int)waiting->reply.error.code), herald_code_name((int)code));
    herald_reply_clear(&waiting->reply);
    herald_channel_close(waiting->channel);
}

static void test_main_drain_answers_running_calls(void **state) {
    struct waiting waiting;
    (void)state;
    start_waiting(&waiting, 500, "30000");
    kill(waiting.process->pid, SIGTERM);
    expect_reply(&waiting, HERALD_OK);
    expect_end(waiting.process, 0, "server.stopped");
}

static void test_main_drain_time_over_cancels_calls(void **state) {
    struct waiting waiting;
    (void)state;
    start_waiting(&waiting, 60000, "100");
    kill(waiting.process->pid, SIGTERM);
    expect_reply(&waiting, HERALD_UNAVAILABLE);
    expect_end(waiting.process, 0, "server.drain_cut");
}

static void test_main_second_signal_ends_at_once(void **state) {
    struct waiting waiting;
    (void)state;
    start_waiting(&waiting, 60000, "60000");
    kill(waiting.process->pid, SIGTERM);
    (void)await_output(waiting.process, "server.draining");
    kill(waiting.process->pid, SIGTERM);
    expect_end(waiting.process, 1, "ended at once by a second signal");
    expect_reply(&waiting, HERALD_UNAVAILABLE);
}

/* The running call is answered, then the same process begins anew. */
static void test_main_hung_transport_replaces_the_program(void **state) {
    struct waiting waiting;
    (void)state;
    setenv("PROGRAM_MODE", "hung", 1);
    start_waiting(&waiting, 300, "30000");
    expect_reply(&waiting, HERALD_OK);
    const char *replaced = await_output(waiting.process, "server.replacing");
    (void)await_output_after(waiting.process, replaced, "server.listening");
    kill(waiting.process->pid, SIGTERM);
    expect_end(waiting.process, 0, "server.stopped");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(test_main_help_lists_options),
        TEST(test_main_version_is_printed),
        TEST(test_main_reference_is_printed),
        TEST(test_main_log_events_of_server_and_app_are_printed),
        TEST(test_main_wrong_options_end_with_two),
        TEST(test_main_check_config_prints_settings),
        TEST(test_main_bad_config_names_file_and_key),
        TEST(test_main_all_bad_settings_are_listed),
        TEST(test_main_bad_settings_are_found_by_check_and_start),
        TEST(test_main_key_file_that_others_may_read_is_found_by_check_and_start),
        TEST(test_main_bad_file_of_the_config_is_told_with_its_line),
        TEST(test_main_postgres_key_that_others_may_read_is_refused),
        TEST(test_main_good_connection_strings_are_taken),
        TEST(test_main_all_bad_files_are_listed_at_once),
        TEST(test_main_http_addresses_are_found_by_check),
        TEST(test_main_unknown_variable_fails_the_check_and_warns_at_the_start),
        TEST(test_main_descriptors_are_raised_to_the_hard_limit),
        TEST(test_main_descriptors_too_few_are_logged),
        TEST(test_main_port_in_use_says_what_to_do),
        TEST(test_main_beyond_loopback_ends_with_one),
        TEST(test_main_failed_start_ends_with_one),
        TEST(test_main_failed_start_of_one_loop_stops_the_others),
        TEST(test_main_signal_ends_with_zero),
        TEST(test_main_several_loops_start_and_stop),
        TEST(test_main_loops_are_as_many_as_processors_where_that_is_wanted),
        TEST(test_main_program_without_rpc_runs_and_ends),
        TEST(test_main_sigpipe_is_ignored),
        TEST(test_main_drain_answers_running_calls),
        TEST(test_main_drain_time_over_cancels_calls),
        TEST(test_main_second_signal_ends_at_once),
        TEST(test_main_hung_transport_replaces_the_program),
    };
    return cmocka_run_group_tests_name("rpc.server_main", tests, NULL, NULL);
}
