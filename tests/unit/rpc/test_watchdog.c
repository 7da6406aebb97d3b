#include "cmocka_headers.h"
#include "hangup.h"
#include "server/process/watchdog.h"
#include "server/transport/native_port.h"
#include "server/transport/sendmsg.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The second cure: without the executable's own sendmsg() hang-ups kill a listener, and the watchdog revives it. */

/* A listener that died never ends the negotiations it was in: the library loses their memory. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libnng\n";
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    watchdog_enable(false);
    sendmsg_shim_enable(true);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    watchdog_enable(true);
    sendmsg_shim_enable(true);
    return 0;
}

/* Hangs up, without the shim, until the listener is dead. */
static void kill_listener(struct fixture *fixture) {
    sendmsg_shim_enable(false);
    for (int i = 0; i < 20; i++) {
        hangup_storm(fixture->url);
        if (!answers(fixture->url, 300) && !answers(fixture->url, 3000)) { /* not merely slow */
            return;
        }
    }
    fail_msg("the listener survived without any cure: the tests of the cures prove nothing");
}

static bool answers_again(void *arg) {
    return answers(((struct fixture *)arg)->url, 1000);
}

static void check_watchdog(struct fixture *fixture) {
    char url[256];
    snprintf(url, sizeof(url), "%s", fixture->url);
    kill_listener(fixture);
    assert_false(answers(fixture->url, 300)); /* it does not recover by itself */
    watchdog_enable(true);
    assert_true(eventually(answers_again, fixture));
    assert_string_equal(fixture->url, url);
}

static void test_watchdog_reopens_dead_tcp_listener(void **state) {
    if (!sendmsg_shim_needed() || fixture_is_native()) {
        skip();
    }
    fixture_listen(*state);
    check_watchdog(*state);
}

static void test_watchdog_reopens_dead_unix_listener(void **state) {
    if (!sendmsg_shim_needed() || fixture_is_native()) {
        skip();
    }
    listen_on_unix_socket(*state);
    check_watchdog(*state);
}

static void test_watchdog_reopens_a_native_listener_that_is_deaf(void **state) {
    struct fixture *fixture = *state;
    if (!fixture_is_native()) {
        skip();
    }
    fixture_listen(fixture);
    assert_true(answers(fixture->url, 3000));
    assert_int_equal(shutdown(rpc_server_listener(fixture->server, 0)->native->fd, SHUT_RDWR), 0);
    assert_false(answers(fixture->url, 300));
    watchdog_enable(true);
    assert_true(eventually(answers_again, fixture));
}

/* ---- a loop that makes few turns ---- */

#define SLOW_TURN_MS 1000
#define SLOW_TURNS   8u

static atomic_uint slow_turns;

/* Nothing comes while the loop is at work. */
static void on_slow_turn(struct loop_work *work) {
    (void)poll(NULL, 0, SLOW_TURN_MS);
    if (atomic_fetch_add(&slow_turns, 1) + 1 < SLOW_TURNS) {
        loop_post(loop_current(), work);
    }
}

static bool has_been_slow(void *arg) {
    (void)arg;
    return atomic_load(&slow_turns) == SLOW_TURNS;
}

/* Its own call is not answered in time, either. To open the listener again would only cut off all clients. */
static void test_watchdog_leaves_a_native_listener_of_a_busy_loop(void **state) {
    static struct loop_work work = {.run = on_slow_turn};
    struct fixture *fixture = *state;
    struct raw_link link;
    watchdog_enable(true);
    fixture_listen(fixture);
    raw_link_open(&link, fixture->url);
    loop_post(rpc_server_listener(fixture->server, 0)->native->ports[0]->loop, &work);
    assert_true(eventually(has_been_slow, NULL));
    assert_int_equal(poll(&(struct pollfd){.fd = link.fd, .events = POLLIN}, 1, SLOW_TURN_MS),
                     0); /* it is not hung up */
    raw_link_close(&link);
}

/* Whatever the reason: who called over the old connections calls over new ones. */
static void check_reopen(struct fixture *fixture) {
    struct herald_error error;
    struct raw_link link;
    char byte;
    if (strncmp(fixture->url, "tcp", 3) == 0) {
        raw_link_open(&link, fixture->url);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(answers(fixture->url, 3000));
        assert_int_equal(listener_reopen(rpc_server_listener(fixture->server, 0), &error), HERALD_OK);
        assert_true(eventually(answers_again, fixture));
    }
    if (strncmp(fixture->url, "tcp", 3) == 0) {
        assert_true(recv(link.fd, &byte, 1, 0) <= 0);
        raw_link_close(&link);
    }
}

static void test_watchdog_may_reopen_a_tcp_listener_that_lives(void **state) {
    fixture_listen(*state);
    check_reopen(*state);
}

static void test_watchdog_may_reopen_a_unix_listener_that_lives(void **state) {
    listen_on_unix_socket(*state);
    check_reopen(*state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_watchdog_reopens_dead_tcp_listener),
        TEST(test_watchdog_reopens_dead_unix_listener),
        TEST(test_watchdog_reopens_a_native_listener_that_is_deaf),
        TEST(test_watchdog_may_reopen_a_tcp_listener_that_lives),
        TEST(test_watchdog_may_reopen_a_unix_listener_that_lives),
    };
    const struct CMUnitTest native_tests[] = {TEST(test_watchdog_leaves_a_native_listener_of_a_busy_loop)};
    int failed = cmocka_run_group_tests_name("rpc.watchdog", tests, NULL, NULL);
    return fixture_is_native() ? failed + cmocka_run_group_tests_name("rpc.watchdog, native", native_tests, NULL, NULL)
                               : failed;
}
