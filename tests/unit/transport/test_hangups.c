#include "server/process/watchdog.h"
#include "server/transport/sendmsg.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"
#include "tests/unit/rpc/hangup.h"
#include "tests/unit/transport/caller.h"
#include "tests/unit/transport/stranger.h"

#include <nng/nng.h>
#include <stdlib.h>

/*
 * Peers that leave at every step of a connection, in every way, a few hundred of each, while a healthy client goes on
 * calling: its calls succeed, and new connections are taken. The watchdog is off: nothing is opened again.
 */

#define ROUNDS 40
/* Of those that leave at once, which is what kills a listener of nng 1.5, now and then. */
#define ROUNDS_AT_ONCE 400

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    fixture->open = true;
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

typedef void visit_fn(const char *url, enum stranger_leaving how, size_t step);

/* Sends a part of the greeting. */
static void visit_greeting(const char *url, enum stranger_leaving how, size_t step) {
    int fd = stranger_connect(url);
    stranger_send(fd, STRANGER_GREETING, step);
    stranger_leave(fd, how);
}

/* Greets, then sends a part of a frame: of its head, of the request's id, of its body. */
static void visit_frame(const char *url, enum stranger_leaving how, size_t step) {
    static const size_t SENT[] = {0, 1, 4, 5, 50, 100};
    int fd = stranger_connect(url);
    if (fd < 0 || !stranger_greet(fd)) {
        stranger_leave(fd, STRANGER_CLOSES);
        fail_msg("no greeting came from %s: its listener is dead", url);
    }
    if (step < 3) {
        uint8_t head[STRANGER_HEAD_MAX];
        stranger_send(fd, head, stranger_frame_head(url, 100, head) * step / 2);
    } else {
        stranger_send_frame(fd, url, 100, SENT[step - 3]);
    }
    stranger_leave(fd, how);
}

static void storm(struct fixture *fixture, visit_fn *visit, size_t steps) {
    struct caller caller;
    caller_start(&caller, fixture->url);
    caller_expect_more(&caller, 1);
    for (size_t step = 0; step < steps; step++) {
        for (int how = 0; how < STRANGER_LEAVINGS; how++) {
            for (int i = 0; i < (step == 0 ? ROUNDS_AT_ONCE : ROUNDS); i++) {
                visit(fixture->url, (enum stranger_leaving)how, step);
            }
        }
        if (!answers(fixture->url, 10000)) {
            fail_msg("after peers that left at step %zu no new connection is taken", step);
        }
    }
    caller_expect_more(&caller, 10);
    caller_stop(&caller);
}

static void test_hangups_in_greeting_on_tcp_harm_nobody(void **state) {
    fixture_listen(*state);
    storm(*state, visit_greeting, STRANGER_GREETING_BYTES + 1);
}

static void test_hangups_in_greeting_on_ipc_harm_nobody(void **state) {
    listen_on_unix_socket(*state);
    storm(*state, visit_greeting, STRANGER_GREETING_BYTES + 1);
}

static void test_hangups_in_message_on_tcp_harm_nobody(void **state) {
    fixture_listen(*state);
    storm(*state, visit_frame, 9);
}

static void test_hangups_in_message_on_ipc_harm_nobody(void **state) {
    listen_on_unix_socket(*state);
    storm(*state, visit_frame, 9);
}

/* With an nng that is not hit by hang-ups the cure is compiled out; with an older one it is part of this program. */
static void test_hangups_cure_is_there_only_where_needed(void **state) {
    int version = NNG_MAJOR_VERSION * 100 + NNG_MINOR_VERSION;
    fixture_listen(*state);
    assert_true(answers(((struct fixture *)*state)->url, 10000));
    assert_int_equal(sendmsg_shim_needed(), version < 106);
    assert_true(sendmsg_shim_active());
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_hangups_in_greeting_on_tcp_harm_nobody),  TEST(test_hangups_in_greeting_on_ipc_harm_nobody),
        TEST(test_hangups_in_message_on_tcp_harm_nobody),   TEST(test_hangups_in_message_on_ipc_harm_nobody),
        TEST(test_hangups_cure_is_there_only_where_needed),
    };
    return cmocka_run_group_tests_name("transport.hangups", tests, NULL, NULL);
}
