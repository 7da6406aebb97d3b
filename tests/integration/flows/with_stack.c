#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * usage: with-stack [NAME=value…] -- COMMAND [ARGUMENT…]
 * Runs a command beside all programs of Herald, under tests/support/with-services. The command sees their settings:
 * HERALD_EVENT_URL, HERALD_JOB_URL, HERALD_DISTRIBUTION_URL, HERALD_CONTENT_URL, …
 */
static char **settings; /* NULL-terminated */
static char **command;

static void test_command_beside_the_stack_succeeds(void **state) {
    (void)state;
    struct stack *stack = stack_start((const char *const *)settings);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execvpe(command[0], command, stack_environment(stack));
        perror(command[0]);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    stack_stop(stack);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_command_beside_the_stack_succeeds)};
    int at = 1;
    while (at < argc && strcmp(argv[at], "--") != 0) {
        at++;
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: with-stack [NAME=value...] -- COMMAND [ARGUMENT...]\n");
        return 64;
    }
    argv[at] = NULL;
    settings = argv + 1;
    command = argv + at + 1;
    return cmocka_run_group_tests_name("with-stack", tests, NULL, NULL);
}
