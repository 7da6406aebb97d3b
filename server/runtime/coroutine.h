#ifndef HERALD_RUNTIME_COROUTINE_H
#define HERALD_RUNTIME_COROUTINE_H

/*
 * Coroutines: the bare switch between stacks, below tasks. A coroutine belongs to one thread, whose own stack resumes
 * it and gets control back when it suspends. This file knows no loops and no calls.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

struct coroutine {
    void (*entry)(void *arg);
    void *arg;
    bool ended;              /* entry() returned; coroutine_start() makes it usable again */
    bool entered;            /* the stack has its first frame */
    void *mapping;           /* guard page and stack */
    size_t mapping_bytes;    /* of both */
    size_t guard_bytes;      /* at the low end */
    sigjmp_buf inside;       /* where resume continues */
    char *depth;             /* while suspended: nothing below this address is in use */
    sigjmp_buf outside;      /* where suspend continues */
    void *fake_inside;       /* ASan's shadow stacks of the two sides */
    void *fake_outside;      /* same */
    const void *outer_stack; /* ASan: the resumer's stack, to go back to */
    size_t outer_stack_bytes;
    void *fiber;       /* TSan */
    void *outer_fiber; /* TSan: the resumer's */
    unsigned valgrind_stack;
};

/** Maps a stack of coroutine_stack_bytes() with a guard page. Returns false without memory or mappings. */
bool coroutine_init(struct coroutine *coroutine);
/** Unmaps the stack. The coroutine must never have been started, or must have ended. */
void coroutine_fini(struct coroutine *coroutine);
/** Sets the function that the next coroutine_resume() calls. The coroutine must be new or ended. */
void coroutine_start(struct coroutine *coroutine, void (*entry)(void *arg), void *arg);
/** Runs the coroutine until it suspends or ends. Must be called outside of any coroutine. */
void coroutine_resume(struct coroutine *coroutine);
/** Returns to the resumer. Only from inside @coroutine. */
void coroutine_suspend(struct coroutine *coroutine);
/** Gives back the pages of the stack that a suspended coroutine does not use now. */
void coroutine_trim(struct coroutine *coroutine);
/** Usable stack of each coroutine, bytes. */
size_t coroutine_stack_bytes(void);

#endif
