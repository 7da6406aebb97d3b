#include "client/src/call_state.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The states of a call: every pair of state and event is looked at. */

#define N CALL_NOWHERE

/* clang-format off */
static const enum call_state want[CALL_STATES][CALL_EVENTS] = {
    /*                     POSTED TAKE            HOLD       BACK_OFF          ATTEMPT          SEEK          SEND          SENT          GO_ON            FINISH        END         GIVE_BACK */
    [CALL_NOWHERE]     = {N,      N,              N,         N,                N,               N,            N,            N,            N,               N,            N,          N},
    [CALL_FREE]        = {N,      CALL_BEGINNING, N,         N,                N,               N,            N,            N,            N,               N,            N,          N},
    [CALL_BEGINNING]   = {N,      N,              CALL_HELD, N,                CALL_ATTEMPTING, N,            N,            N,            N,               N,            CALL_ENDED, CALL_FREE},
    [CALL_HELD]        = {N,      N,              CALL_HELD, N,                N,               N,            N,            N,            CALL_BEGINNING,  N,            CALL_ENDED, N},
    [CALL_ATTEMPTING]  = {N,      N,              N,         N,                N,               CALL_SEEKING, CALL_SENDING, N,            N,               CALL_JUDGING, N,          N},
    [CALL_SEEKING]     = {N,      N,              N,         N,                N,               N,            N,            N,            CALL_ATTEMPTING, CALL_JUDGING, N,          N},
    [CALL_SENDING]     = {N,      N,              N,         N,                N,               N,            N,            CALL_WAITING, CALL_ATTEMPTING, CALL_JUDGING, N,          N},
    [CALL_WAITING]     = {N,      N,              N,         N,                N,               N,            N,            N,            N,               CALL_JUDGING, N,          N},
    [CALL_JUDGING]     = {N,      N,              CALL_HELD, CALL_BACKING_OFF, N,               N,            N,            N,            CALL_BEGINNING,  N,            CALL_ENDED, N},
    [CALL_BACKING_OFF] = {N,      N,              N,         N,                N,               N,            N,            N,            CALL_BEGINNING,  N,            CALL_ENDED, N},
    [CALL_ENDED]       = {N,      N,              N,         N,                N,               N,            N,            N,            N,               N,            N,          CALL_FREE},
};
/* clang-format on */

static void test_state_of_each_event_is_as_the_table_says(void **state) {
    (void)state;
    for (int from = 0; from < CALL_STATES; from++) {
        for (int event = 0; event < CALL_EVENTS; event++) {
            assert_int_equal(herald_call_state_next((enum call_state)from, (enum call_event)event), want[from][event]);
        }
    }
}

static void test_state_is_entered_by_a_transition_of_the_table(void **state) {
    (void)state;
    enum call_state call = CALL_FREE;
    herald_call_state_enter(&call, CALL_TAKE);
    assert_int_equal(call, CALL_BEGINNING);
}

/* A call that is being sent cannot go back to the pool. */
static void test_state_enter_without_transition_aborts(void **state) {
    (void)state;
#ifdef NDEBUG
    skip();
#endif
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        enum call_state call = CALL_SENDING;
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        herald_call_state_enter(&call, CALL_GIVE_BACK);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_of_each_event_is_as_the_table_says),
        cmocka_unit_test(test_state_is_entered_by_a_transition_of_the_table),
        cmocka_unit_test(test_state_enter_without_transition_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
