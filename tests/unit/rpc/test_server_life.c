#include "cmocka_headers.h"
#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "herald/rpc/v1/introspection.client.h"
#include "process.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * A server among the things that its host does to it: a log that nobody reads, signals, a service manager. The program
 * is program.c.
 */

#define PATIENCE_MS 30000
#define CALL_MS     20000
/* Far more lines than a pipe and the server's memory for waiting lines hold. */
#define CALLS_MAX 60000

struct served {
    struct process *process;
    struct herald_channel *channel;
    char url[64];
};

static int set_up(void **state) {
    (void)state;
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:0", 1);
    unsetenv("HERALD_LOG_LEVEL");
    unsetenv("HERALD_CONFIG");
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static void open_served_channel(struct served *served, const char *url) {
    const struct herald_channel_options options = {.connect_timeout_ms = CALL_MS, .health_check_ms = UINT32_MAX};
    struct herald_error error;
    snprintf(served->url, sizeof(served->url), "%s", url);
    assert_int_equal(herald_channel_open(served->url, &options, &served->channel, &error), HERALD_OK);
}

static void start_served(struct served *served) {
    char url[64];
    served->process = start_process(TEST_PROGRAM, NULL);
    (void)await_output(served->process, "server.listening");
    const char *found = await_output(served->process, "tcp://127.0.0.1:");
    snprintf(url, sizeof(url), "%.*s", (int)strcspn(found, "\""), found);
    open_served_channel(served, url);
}

static void call_once(struct served *served) {
    const struct herald_call_options options = {.timeout_ms = CALL_MS};
    Herald__Rpc__V1__GetInfoRequest request = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    const Herald__Rpc__V1__GetInfoResponse *response;
    struct herald_reply reply;
    enum herald_code code =
        herald_rpc_v1_introspection_get_info(served->channel, &request, &options, &reply, &response);
    if (code != HERALD_OK) {
        fail_msg("a call got %s: %s", herald_code_name((int)code), reply.error.message);
    }
    herald_reply_clear(&reply);
}

/* The value of one of the server's gauges; 0: it shows none. */
static uint64_t gauge_of(struct served *served, const char *name) {
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    const Herald__Rpc__V1__GetStatsResponse *response;
    struct herald_reply reply;
    uint64_t value = 0;
    assert_int_equal(herald_rpc_v1_introspection_get_stats(served->channel, &request, NULL, &reply, &response),
                     HERALD_OK);
    for (size_t i = 0; i < response->n_gauges; i++) {
        if (strcmp(response->gauges[i]->name, name) == 0) {
            value = (uint64_t)response->gauges[i]->value;
        }
    }
    herald_reply_clear(&reply);
    return value;
}

/* Calls, each of which writes a line, until the server has dropped some. */
static uint64_t call_until_lines_drop(struct served *served) {
    uint64_t dropped = 0;
    for (int i = 1; dropped == 0; i++) {
        assert_true(i < CALLS_MAX);
        call_once(served);
        dropped = i % 200 == 0 ? gauge_of(served, "log_lines_dropped") : 0;
    }
    return dropped;
}

/* Waits for the process to end, without reading what it writes. */
static void expect_end_unread(struct served *served, int exit_status) {
    const struct timespec pause = {.tv_nsec = 1000000};
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; ended == 0 && i < PATIENCE_MS; i++) {
        ended = waitpid(served->process->pid, &status, WNOHANG);
        nanosleep(&pause, NULL);
    }
    if (ended == 0) {
        kill(served->process->pid, SIGKILL);
        fail_msg("the server did not end");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_status);
}

static void free_served(struct served *served) {
    herald_channel_close(served->channel);
    if (served->process->output_fd >= 0) {
        close(served->process->output_fd);
    }
    free(served->process);
}

/* Reads the server's output, and forgets it, up to the line with @text. Returns that line. */
static void read_up_to(struct process *process, const char *text, char *ret_line, size_t line_bytes) {
    char line[16384];
    size_t used = 0;
    for (;;) {
        struct pollfd wait = {.fd = process->output_fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        assert_true(used < sizeof(line) - 1);
        ssize_t count = read(process->output_fd, line + used, 1);
        assert_int_equal(count, 1);
        if (line[used++] != '\n') {
            continue;
        }
        line[used] = '\0';
        if (strstr(line, text)) {
            snprintf(ret_line, line_bytes, "%.*s", (int)line_bytes - 1, line);
            return;
        }
        used = 0;
    }
}

/* ---- the log ---- */

static void test_log_that_nobody_reads_costs_lines_only(void **state) {
    struct served served;
    char line[1024];
    (void)state;
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    start_served(&served);
    uint64_t dropped = call_until_lines_drop(&served);
    call_once(&served);
    /* It is read again: the count comes at its place, and later lines behind it. */
    read_up_to(served.process, "log.lines_dropped", line, sizeof(line));
    const char *lines = strstr(line, "\"lines\":");
    assert_non_null(lines);
    assert_true(strtoull(lines + 8, NULL, 10) >= dropped);
    call_once(&served);
    kill(served.process->pid, SIGTERM);
    read_up_to(served.process, "server.stopped", line, sizeof(line));
    expect_end_unread(&served, 0);
    free_served(&served);
}

static void test_log_that_nobody_reads_does_not_keep_the_server_from_ending(void **state) {
    struct served served;
    (void)state;
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    start_served(&served);
    (void)call_until_lines_drop(&served);
    kill(served.process->pid, SIGTERM);
    expect_end_unread(&served, 0);
    free_served(&served);
}

static void on_reply(void *user, struct herald_reply *reply) {
    (void)user;
    herald_reply_clear(reply);
}

/* Starts a call whose handler waits, or never gives its loop back. */
static void start_wait_job(struct served *served, uint32_t wait_ms) {
    Herald__Job__V1__WaitJobRequest request = HERALD__JOB__V1__WAIT_JOB_REQUEST__INIT;
    struct herald_error error;
    request.job_id = (char *)"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e";
    request.wait_ms = wait_ms;
    assert_int_equal(herald_call_start(served->channel, herald_job_v1_job_service_wait_job_method, &request.base, NULL,
                                       on_reply, NULL, NULL, &error),
                     HERALD_OK);
}

static void test_log_that_nobody_reads_does_not_keep_a_second_signal_from_ending_it(void **state) {
    const struct timespec pause = {.tv_nsec = 10000000};
    struct served served;
    int status = 0;
    (void)state;
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    setenv("HERALD_RPC_DRAIN_MS", "120000", 1);
    start_served(&served);
    unsetenv("HERALD_RPC_DRAIN_MS");
    start_wait_job(&served, 60000);
    (void)await_output(served.process, "waiting\n");
    (void)call_until_lines_drop(&served);
    for (int i = 0; waitpid(served.process->pid, &status, WNOHANG) == 0; i++) {
        assert_true(i < PATIENCE_MS / 10);
        (void)kill(served.process->pid, SIGTERM);
        nanosleep(&pause, NULL);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    free_served(&served);
}

static void test_log_whose_pipe_is_closed_costs_lines_only(void **state) {
    struct served served;
    (void)state;
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    start_served(&served);
    close(served.process->output_fd);
    served.process->output_fd = -1;
    (void)call_until_lines_drop(&served);
    kill(served.process->pid, SIGTERM);
    expect_end_unread(&served, 0);
    free_served(&served);
}

static void test_log_on_a_full_disk_costs_lines_only(void **state) {
    char url[64];
    struct served served;
    (void)state;
    snprintf(url, sizeof(url), "ipc:///tmp/herald-test-life-%d.sock", (int)getpid());
    setenv("HERALD_JOB_URL", url, 1);
    setenv("HERALD_LOG_LEVEL", "debug", 1);
    served.process =
        start_process("/bin/sh", (const char *const[]){"-c", "exec \"$0\" 2>/dev/full", TEST_PROGRAM, NULL});
    open_served_channel(&served, url);
    (void)call_until_lines_drop(&served);
    kill(served.process->pid, SIGTERM);
    expect_end_unread(&served, 0);
    free_served(&served);
}

/* A failed assertion must not lose what was logged just before. */
static void test_log_is_complete_after_a_crash(void **state) {
    static const int CRASHES[] = {SIGABRT, SIGSEGV};
    (void)state;
    for (size_t i = 0; i < sizeof(CRASHES) / sizeof(CRASHES[0]); i++) {
        struct served served;
        int status = 0;
        setenv("HERALD_LOG_LEVEL", "debug", 1);
        start_served(&served);
        for (int k = 0; k < 50; k++) {
            call_once(&served);
        }
        kill(served.process->pid, CRASHES[i]);
        await_end(served.process);
        assert_int_equal(waitpid(served.process->pid, &status, 0), served.process->pid);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        size_t lines = 0;
        for (const char *at = served.process->output; (at = strstr(at, "Introspection/GetInfo")); at++) {
            lines++;
        }
        assert_int_equal(lines, 50);
        free_served(&served);
    }
}

/* ---- signals ---- */

static void test_signal_that_asks_for_nothing_is_ignored(void **state) {
    const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,
                           SIGPWR,  SIGXFSZ, SIGTTIN, SIGTTOU, SIGWINCH,  SIGCHLD, SIGRTMIN + 5};
    struct served served;
    (void)state;
    start_served(&served);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        assert_int_equal(kill(served.process->pid, ignored[i]), 0);
        call_once(&served);
    }
    assert_null(strstr(served.process->output, "server.draining"));
    kill(served.process->pid, SIGQUIT);
    await_end(served.process);
    assert_non_null(strstr(served.process->output, "server.draining"));
    assert_non_null(strstr(served.process->output, "server.stopped"));
    expect_end_unread(&served, 0);
    free_served(&served);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_hangup_reads_files_again(void **state) {
    char callers[64], config[64], text[256];
    struct served served;
    (void)state;
    snprintf(callers, sizeof(callers), "/tmp/herald-test-life-%d.callers", (int)getpid());
    snprintf(config, sizeof(config), "/tmp/herald-test-life-%d.ini", (int)getpid());
    write_file(callers, "[caller shop]\nkey.a = MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\nmethods = *\n");
    assert_int_equal(chmod(callers, 0600), 0);
    snprintf(text, sizeof(text), "[auth]\ncallers_file = %s\n", callers);
    write_file(config, text);
    setenv("HERALD_CONFIG", config, 1);
    start_served(&served);
    assert_null(strstr(served.process->output, "auth.callers_reloaded"));
    snprintf(text, sizeof(text), "[auth]\ncallers_file = %s\n[log]\nlevel = debug\n[rpc]\nmax_queue_ms = 7\n", callers);
    write_file(config, text);
    kill(served.process->pid, SIGHUP);
    const char *reloading = await_output(served.process, "server.reloading");
    (void)await_output_after(served.process, reloading, "auth.callers_reloaded");
    const char *settings = await_output_after(served.process, reloading, "settings.reloaded");
    assert_non_null(strstr(settings, "\"log_level\":\"debug\",\"changed\":2"));
    call_once(&served);
    (void)await_output_after(served.process, settings, "Introspection/GetInfo"); /* debug: each call */
    assert_int_equal(gauge_of(&served, "callers_refused"), 0);
    write_file(callers, ""); /* a writer that empties the file before it fills it */
    kill(served.process->pid, SIGHUP);
    (void)await_output_after(served.process, settings, "names no caller");
    assert_int_equal(gauge_of(&served, "callers_refused"), 1);
    write_file(config, "[rpc]\nnonsense = 1\n");
    kill(served.process->pid, SIGHUP);
    (void)await_output_after(served.process, settings, "settings.refused");
    call_once(&served);
    kill(served.process->pid, SIGTERM);
    await_end(served.process);
    expect_end_unread(&served, 0);
    free_served(&served);
    unlink(callers);
    unlink(config);
}

/* ---- the service manager ---- */

/* A socket of the test's own; its name is put into NOTIFY_SOCKET. */
static int open_manager(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t length = strlen(name);
    assert_true(fd >= 0);
    memcpy(address.sun_path, name, length);
    if (*name == '@') {
        address.sun_path[0] = '\0';
    }
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name == '/'));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, bytes), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void await_notice(int manager, const char *text) {
    char notice[512] = "";
    while (!strstr(notice, text)) {
        struct pollfd wait = {.fd = manager, .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) != 1) {
            fail_msg("no notice with %s came; the last: %s", text, notice);
        }
        ssize_t count = recv(manager, notice, sizeof(notice) - 1, 0);
        assert_true(count >= 0);
        notice[count] = '\0';
    }
}

static void check_manager(const char *name) {
    struct served served;
    int manager = open_manager(name);
    setenv("WATCHDOG_USEC", "200000", 1);
    start_served(&served);
    await_notice(manager, "READY=1");
    await_notice(manager, "WATCHDOG=1");
    await_notice(manager, "WATCHDOG=1");
    kill(served.process->pid, SIGHUP);
    await_notice(manager, "RELOADING=1\nMONOTONIC_USEC=");
    await_notice(manager, "READY=1");
    await_notice(manager, "WATCHDOG=1");
    kill(served.process->pid, SIGTERM);
    await_notice(manager, "STOPPING=1");
    await_end(served.process);
    expect_end_unread(&served, 0);
    free_served(&served);
    close(manager);
}

static void test_manager_hears_of_start_reload_end_and_life(void **state) {
    char name[64];
    (void)state;
    snprintf(name, sizeof(name), "/tmp/herald-test-life-%d.notify", (int)getpid());
    check_manager(name);
    unlink(name);
    snprintf(name, sizeof(name), "@herald-test-life-%d", (int)getpid());
    check_manager(name);
}

/* One of two loops is busy for good: the server's signs of life end. */
static void test_manager_hears_nothing_when_a_loop_hangs(void **state) {
    char name[64], notice[512];
    struct served served;
    (void)state;
    snprintf(name, sizeof(name), "@herald-test-life-hang-%d", (int)getpid());
    int manager = open_manager(name);
    setenv("WATCHDOG_USEC", "100000", 1);
    setenv("HERALD_RPC_LOOPS", "2", 1);
    setenv("PROGRAM_MODE", "busy", 1);
    start_served(&served);
    unsetenv("HERALD_RPC_LOOPS");
    unsetenv("PROGRAM_MODE");
    await_notice(manager, "WATCHDOG=1");
    start_wait_job(&served, 1);
    (void)await_output(served.process, "busy\n");
    while (recv(manager, notice, sizeof(notice), MSG_DONTWAIT) >= 0) {
        continue;
    }
    /* One sign may have been under way; then there are none for ten intervals. */
    struct pollfd wait = {.fd = manager, .events = POLLIN};
    if (poll(&wait, 1, 500) == 1) {
        assert_true(recv(manager, notice, sizeof(notice), 0) > 0);
        assert_int_equal(poll(&wait, 1, 500), 0);
    }
    kill(served.process->pid, SIGKILL);
    await_end(served.process);
    assert_int_equal(waitpid(served.process->pid, NULL, 0), served.process->pid);
    free_served(&served);
    close(manager);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(test_log_that_nobody_reads_costs_lines_only),
        TEST(test_log_that_nobody_reads_does_not_keep_the_server_from_ending),
        TEST(test_log_that_nobody_reads_does_not_keep_a_second_signal_from_ending_it),
        TEST(test_log_whose_pipe_is_closed_costs_lines_only),
        TEST(test_log_on_a_full_disk_costs_lines_only),
        TEST(test_log_is_complete_after_a_crash),
        TEST(test_signal_that_asks_for_nothing_is_ignored),
        TEST(test_hangup_reads_files_again),
        TEST(test_manager_hears_of_start_reload_end_and_life),
        TEST(test_manager_hears_nothing_when_a_loop_hangs),
    };
    return cmocka_run_group_tests_name("rpc.server_life", tests, NULL, NULL);
}
