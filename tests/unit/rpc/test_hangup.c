#include "cmocka_headers.h"
#include "hangup.h"
#include "server/process/watchdog.h"
#include "server/transport/sendmsg.h"

#include <stdlib.h>

/* The first cure: with the executable's own sendmsg(), and without the watchdog, a listener survives hang-ups. */

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    watchdog_enable(false);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    watchdog_enable(true);
    return 0;
}

static void assert_survives_storm(struct fixture *fixture) {
    assert_true(answers(fixture->url, 10000));
    for (int i = 0; i < 3; i++) {
        hangup_storm(fixture->url);
        assert_true(answers(fixture->url, 10000));
    }
    assert_true(sendmsg_shim_active());
}

static void test_hangup_storm_on_tcp_leaves_listener_alive(void **state) {
    fixture_listen(*state);
    assert_survives_storm(*state);
}

static void test_hangup_storm_on_unix_socket_leaves_listener_alive(void **state) {
    listen_on_unix_socket(*state);
    assert_survives_storm(*state);
}

static void test_hangup_storm_leaves_running_calls_alone(void **state) {
    struct fixture *fixture = *state;
    struct herald_channel *channel = NULL;
    struct herald_error error;
    struct pending_call call;
    fixture_listen(fixture);
    assert_int_equal(herald_channel_open(fixture->url, NULL, &channel, &error), HERALD_OK);
    start_wait_job(channel, &call, 60000);
    fixture_await_waiting(fixture, 1);
    hangup_storm(fixture->url);
    fixture->open = true;
    await_call(&call);
    assert_int_equal(call.reply.error.code, HERALD_OK);
    herald_reply_clear(&call.reply);
    herald_channel_close(channel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_hangup_storm_on_tcp_leaves_listener_alive),
        TEST(test_hangup_storm_on_unix_socket_leaves_listener_alive),
        TEST(test_hangup_storm_leaves_running_calls_alone),
    };
    return cmocka_run_group_tests_name("rpc.hangup", tests, NULL, NULL);
}
