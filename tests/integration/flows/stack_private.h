#ifndef HERALD_TESTS_STACK_PRIVATE_H
#define HERALD_TESTS_STACK_PRIVATE_H

#include "stack.h"

#include <libpq-fe.h>

#define STACK_ENVIRONMENT_MAX 256

struct stack {
    char id[16]; /* unique suffix of database, folder, topics, group */
    char database[64];
    char folder[64];
    char fakes_address[32];
    char bin[3072];
    char more_urls[STACK_PROGRAMS][32]; /* of servers beside the first of their kind */
    char *environment[STACK_ENVIRONMENT_MAX];
    pid_t pids[STACK_PROGRAMS]; /* 0: not running */
    struct herald_channel *channels[STACK_PROGRAMS];
    PGconn *pg;
};

/** Makes the stack's topics where the broker does not make them on first use. */
void stack_make_topics(struct stack *stack);
/** Prints the end of a program's log, for a test that is about to fail. */
void stack_print_log(const struct stack *stack, enum stack_program program);

#endif
