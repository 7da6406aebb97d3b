#include "process.h"

#include "cmocka_headers.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

extern char **environ;

struct process *start_process(const char *program, const char *const *arguments) {
    const char *argv[16] = {program};
    struct process *process = calloc(1, sizeof(*process));
    posix_spawn_file_actions_t actions;
    int ends[2];
    for (size_t i = 0; arguments && arguments[i]; i++) {
        argv[i + 1] = arguments[i];
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    assert_int_equal(posix_spawn(&process->pid, program, &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    process->output_fd = ends[0];
    return process;
}

/* Reads what is there, within the time; false at the end of the output. */
static bool read_more(struct process *process) {
    struct pollfd wait = {.fd = process->output_fd, .events = POLLIN};
    int ready = poll(&wait, 1, PATIENCE_MS);
    if (ready <= 0) {
        fail_msg("nothing more came; so far: %s", process->output);
    }
    ssize_t count = read(process->output_fd, process->output + process->used, PROCESS_OUTPUT_MAX - 1 - process->used);
    assert_true(count >= 0);
    process->used += (size_t)count;
    process->output[process->used] = '\0';
    return count > 0;
}

const char *await_output_after(struct process *process, const char *after, const char *text) {
    const char *found;
    while (!(found = strstr(after, text))) {
        if (!read_more(process)) {
            fail_msg("it ended without saying \"%s\": %s", text, process->output);
        }
    }
    return found;
}

const char *await_output(struct process *process, const char *text) {
    return await_output_after(process, process->output, text);
}

unsigned count_nng_threads(const struct process *process) {
    char command[128], answer[32] = "";
    snprintf(command, sizeof(command), "cat /proc/%d/task/*/comm | grep -c '^nng:'", (int)process->pid);
    FILE *counted = popen(command, "r");
    assert_non_null(counted);
    assert_non_null(fgets(answer, sizeof(answer), counted));
    (void)pclose(counted);
    return (unsigned)atoi(answer);
}

void await_end(struct process *process) {
    while (read_more(process)) {
        continue;
    }
}

void expect_end(struct process *process, int exit_status, const char *text) {
    int status = 0;
    await_end(process);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status || !strstr(process->output, text)) {
        fail_msg("exit status %d (raw %d), expected %d and \"%s\"; output: %s", WEXITSTATUS(status), status,
                 exit_status, text, process->output);
    }
    close(process->output_fd);
    free(process);
}
