/*
 * Switching stacks: makecontext() gives a stack its first frame, sigsetjmp()/siglongjmp() without the signal mask do
 * all later switches, which spares two system calls each (the way of QEMU's util/coroutine-ucontext.c).
 *
 * The first frame, trampoline(), never returns: it runs one entry() after the other, so that a pooled stack is started
 * again by an ordinary switch. Invariants: `inside` is valid while the coroutine is suspended or ended, `outside` while
 * it runs.
 *
 * The fortified longjmp() takes a jump to another stack for corruption, so it is off in this file.
 */
#undef _FORTIFY_SOURCE

#include "server/runtime/coroutine.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HERALD_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HERALD_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HERALD_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define HERALD_TSAN 1
#endif

#ifdef HERALD_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HERALD_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* A function that switches stacks. ASan must not instrument it: no code would clear its red zones, and its frame must
 * not lie on ASan's fake stack, which is destroyed when a coroutine ends. */
#define SWITCHES __attribute__((noinline, no_sanitize_address))
/* A part of such a function. It is inlined, because TSan keeps a call stack for each fiber: no function may be entered
 * on one fiber and left on another. */
#define PART_OF_SWITCH __attribute__((always_inline, no_sanitize_address)) static inline

/* Instrumented frames are several times larger. */
#if defined(HERALD_ASAN) || defined(HERALD_TSAN)
#define STACK_BYTES ((size_t)1 << 20)
#else
#define STACK_BYTES ((size_t)256 << 10)
#endif

#define SWITCH_FRAME_BYTES 512 /* of switch_outside() and what it calls last, with the red zone */

size_t coroutine_stack_bytes(void) {
    return STACK_BYTES;
}

static char *stack_bottom(const struct coroutine *coroutine) {
    return (char *)coroutine->mapping + coroutine->guard_bytes;
}

static void tools_register(struct coroutine *coroutine) {
#ifdef HERALD_TSAN
    coroutine->fiber = __tsan_create_fiber(0);
#endif
#ifdef VALGRIND_STACK_REGISTER
    coroutine->valgrind_stack =
        (unsigned)VALGRIND_STACK_REGISTER(stack_bottom(coroutine), stack_bottom(coroutine) + STACK_BYTES);
#endif
    (void)coroutine;
}

static void tools_deregister(struct coroutine *coroutine) {
#ifdef HERALD_TSAN
    __tsan_destroy_fiber(coroutine->fiber);
#endif
#ifdef HERALD_ASAN
    __asan_unpoison_memory_region(stack_bottom(coroutine), STACK_BYTES);
#endif
#ifdef VALGRIND_STACK_DEREGISTER
    VALGRIND_STACK_DEREGISTER(coroutine->valgrind_stack);
#endif
    (void)coroutine;
}

bool coroutine_init(struct coroutine *coroutine) {
    size_t guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapping_bytes = guard_bytes + STACK_BYTES;
    void *mapping = mmap(NULL, mapping_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    if (mprotect(mapping, guard_bytes, PROT_NONE) != 0) {
        (void)munmap(mapping, mapping_bytes);
        return false;
    }
    *coroutine = (struct coroutine){
        .mapping = mapping,
        .mapping_bytes = mapping_bytes,
        .guard_bytes = guard_bytes,
        .ended = true,
    };
    tools_register(coroutine);
    return true;
}

void coroutine_fini(struct coroutine *coroutine) {
    assert(coroutine->ended);
    tools_deregister(coroutine);
    (void)munmap(coroutine->mapping, coroutine->mapping_bytes);
    coroutine->mapping = NULL;
}

void coroutine_start(struct coroutine *coroutine, void (*entry)(void *arg), void *arg) {
    assert(coroutine->ended);
    coroutine->entry = entry;
    coroutine->arg = arg;
    coroutine->ended = false;
}

/* Announces to the sanitizers that the next instruction switches to the coroutine's stack. */
PART_OF_SWITCH void announce_entry(struct coroutine *coroutine) {
#ifdef HERALD_ASAN
    __sanitizer_start_switch_fiber(&coroutine->fake_outside, stack_bottom(coroutine), STACK_BYTES);
#endif
#ifdef HERALD_TSAN
    coroutine->outer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(coroutine->fiber, 0);
#endif
    (void)coroutine;
}

/* Announces the switch back. @ended  the coroutine's fake stack is released */
PART_OF_SWITCH void announce_exit(struct coroutine *coroutine, bool ended) {
#ifdef HERALD_ASAN
    __sanitizer_start_switch_fiber(ended ? NULL : &coroutine->fake_inside, coroutine->outer_stack,
                                   coroutine->outer_stack_bytes);
    if (ended) {
        coroutine->fake_inside = NULL;
    }
#endif
#ifdef HERALD_TSAN
    __tsan_switch_to_fiber(coroutine->outer_fiber, 0);
#endif
    (void)coroutine;
    (void)ended;
}

PART_OF_SWITCH void finish_entry(struct coroutine *coroutine) {
#ifdef HERALD_ASAN
    __sanitizer_finish_switch_fiber(coroutine->fake_inside, &coroutine->outer_stack, &coroutine->outer_stack_bytes);
#endif
    (void)coroutine;
}

PART_OF_SWITCH void finish_exit(struct coroutine *coroutine) {
#ifdef HERALD_ASAN
    __sanitizer_finish_switch_fiber(coroutine->fake_outside, NULL, NULL);
#endif
    (void)coroutine;
}

SWITCHES static void switch_outside(struct coroutine *coroutine, bool ended) {
    coroutine->depth = (char *)__builtin_frame_address(0) - SWITCH_FRAME_BYTES;
    if (sigsetjmp(coroutine->inside, 0) == 0) {
        announce_exit(coroutine, ended);
        siglongjmp(coroutine->outside, 1);
    }
    finish_entry(coroutine);
}

SWITCHES static void trampoline(unsigned high, unsigned low) {
    struct coroutine *coroutine = (struct coroutine *)(((uintptr_t)high << 32) | (uintptr_t)low); /* NOLINT */
    finish_entry(coroutine);
    for (;;) {
        coroutine->entry(coroutine->arg);
        coroutine->ended = true;
        switch_outside(coroutine, true);
    }
}

_Static_assert(sizeof(uintptr_t) <= 8, "trampoline() takes a pointer in two halves");

/* Makes a context that begins with trampoline(). */
static void make_coroutine_context(struct coroutine *coroutine, ucontext_t *context) {
    if (getcontext(context) != 0) {
        abort(); /* cannot fail on Linux */
    }
    context->uc_link = NULL;
    context->uc_stack.ss_sp = stack_bottom(coroutine);
    context->uc_stack.ss_size = STACK_BYTES;
    uint64_t address = (uintptr_t)coroutine;
    makecontext(context, (void (*)(void))trampoline, 2, (unsigned)(address >> 32), (unsigned)(address & UINT32_MAX));
}

SWITCHES static void resume_first(struct coroutine *coroutine) {
    ucontext_t context;
    make_coroutine_context(coroutine, &context);
    coroutine->entered = true;
    if (sigsetjmp(coroutine->outside, 0) == 0) {
        announce_entry(coroutine);
        (void)setcontext(&context);
        abort(); /* not reached */
    }
    finish_exit(coroutine);
}

SWITCHES static void resume_again(struct coroutine *coroutine) {
    if (sigsetjmp(coroutine->outside, 0) == 0) {
        announce_entry(coroutine);
        siglongjmp(coroutine->inside, 1);
    }
    finish_exit(coroutine);
}

void coroutine_resume(struct coroutine *coroutine) {
    assert(!coroutine->ended);
    if (coroutine->entered) {
        resume_again(coroutine);
    } else {
        resume_first(coroutine);
    }
}

void coroutine_trim(struct coroutine *coroutine) {
#if !defined(HERALD_ASAN) && !defined(HERALD_TSAN)
    size_t page = coroutine->guard_bytes;
    char *bottom = stack_bottom(coroutine);
    size_t unused = coroutine->depth > bottom ? (size_t)(coroutine->depth - bottom) / page * page : 0;
    if (unused > 0) {
        (void)madvise(bottom, unused, MADV_DONTNEED);
    }
#else
    (void)coroutine;
#endif
}

void coroutine_suspend(struct coroutine *coroutine) {
    switch_outside(coroutine, false);
}
