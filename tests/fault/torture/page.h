#ifndef HERALD_TESTS_TORTURE_PAGE_H
#define HERALD_TESTS_TORTURE_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

/* Where a program under torture finds the folder of its page; the page is the file of its own name there. */
#define TORTURE_FOLDER_VARIABLE "TORTURE_DIR"

#define TORTURE_STACK_DEPTH 24
#define TORTURE_SEEN_MAX    65536 /* a power of two */

/* Which call fails, of those that are made while the page is armed. */
enum torture_rule {
    TORTURE_NEW_STACK, /* the first whose call stack has not had its failure yet */
    TORTURE_NTH        /* the one with the number `nth` */
};

/*
 * Shared memory of the torturer and one program; it outlives the program. The torturer sets rule, nth, stride and phase
 * while it is not armed. The seam of the program disarms with the one failure, and then describes it; `described` is last.
 */
struct torture_page {
    _Atomic uint32_t armed;
    _Atomic uint32_t described;
    uint32_t rule;
    uint32_t stride; /* TORTURE_NEW_STACK: only stacks whose hash modulo stride is phase; 1: all */
    uint32_t phase;
    uint64_t nth;                            /* from 1 */
    _Atomic uint64_t calls;                  /* that could have failed, since it was armed */
    char function[64];                       /* that failed */
    uint32_t depth;                          /* of stack */
    uint64_t stack[TORTURE_STACK_DEPTH];     /* offsets in the program's file, the innermost first */
    _Atomic uint64_t seen[TORTURE_SEEN_MAX]; /* hashes of the stacks that had their failure; 0: free */
};

#endif
