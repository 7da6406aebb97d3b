#include "tests/unit/client/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* fork() before and after the first channel. The children end with _exit() and the number of the step that failed. */

static void expect_good_end(pid_t child) {
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("the child ended with status %#x", (unsigned)status);
    }
}

/* Must run first: nothing has used nng yet. */
static void test_fork_before_the_first_channel_child_opens_its_own(void **state) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        if (herald_channel_open("tcp://127.0.0.1:1", NULL, &channel, &error) != HERALD_OK) {
            _exit(1);
        }
        herald_channel_close(channel);
        _exit(0);
    }
    expect_good_end(child);
}

/* What a child may still do with what it inherits. Returns the number of the step that failed; 0: none. */
static int run_child(struct herald_channel *inherited) {
    struct herald_channel *own = NULL;
    struct herald_error error;
    struct herald_reply reply;
    if (herald_channel_open("tcp://127.0.0.1:1", NULL, &own, &error) != HERALD_RESOURCE_EXHAUSTED || own ||
        !strstr(error.message, "forked")) {
        return 1;
    }
    if (call_read(inherited, NULL, &reply) != HERALD_CANCELLED || strcmp(reply.error.reason, "CHANNEL_CLOSED") != 0 ||
        reply.outcome != HERALD_NOT_SENT || !strstr(reply.error.message, "forked")) {
        return 2;
    }
    herald_reply_clear(&reply);
    herald_channel_close(inherited);
    return 0;
}

static void test_fork_with_an_open_channel_child_is_told(void **state) {
    (void)state;
    struct script *script = script_open("tcp://127.0.0.1:0");
    struct herald_channel *channel = channel_to(script->peer.url, NULL);
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(run_child(channel));
    }
    expect_good_end(child);
    assert_int_equal(call_read(channel, NULL, NULL), HERALD_OK); /* the parent goes on */
    herald_channel_close(channel);
    child = fork(); /* nng does not forget */
    if (child == 0) {
        struct herald_error error;
        alarm(20);
        _exit(herald_channel_open("tcp://127.0.0.1:1", NULL, &channel, &error) != HERALD_RESOURCE_EXHAUSTED);
    }
    expect_good_end(child);
    script_close(script);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_before_the_first_channel_child_opens_its_own),
        cmocka_unit_test(test_fork_with_an_open_channel_child_is_told),
    };
    return cmocka_run_group_tests_name("client.fork", tests, NULL, NULL);
}
