#ifndef HERALD_TESTS_UNIT_RPC_PROCESS_H
#define HERALD_TESTS_UNIT_RPC_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* A program of its own, seen from outside. */

#define PROCESS_OUTPUT_MAX 65536u

struct process {
    pid_t pid;
    int output_fd; /* stdout and stderr */
    char output[PROCESS_OUTPUT_MAX];
    size_t used;
};

/** Starts @program with up to 14 arguments, NULL-terminated; NULL: none. */
struct process *start_process(const char *program, const char *const *arguments);
/** Waits until the output holds @text; returns where. */
const char *await_output(struct process *process, const char *text);
/** The same for what comes behind @after, a place in the output. */
const char *await_output_after(struct process *process, const char *after, const char *text);
/** Counts its threads of nng. */
unsigned count_nng_threads(const struct process *process);
/** Waits for the end of the output. */
void await_end(struct process *process);
/** Waits for the end; asserts the exit status and that the output holds @text. Frees it. */
void expect_end(struct process *process, int exit_status, const char *text);

#endif
