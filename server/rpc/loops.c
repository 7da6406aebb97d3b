#include "server/rpc/loops.h"

#include "server/runtime/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

/* A kept call has about 16 KB, with its block. */
#define IDLE_CALLS_MAX  256u
#define IDLE_CALLS_KEPT 32u /* after a burst */
#define IDLE_FREED_PART 2u  /* of the unneeded calls, a step of the relief */

static struct loop_call *take_idle(struct rpc_loop *loop) {
    struct loop_call *call = loop->idle;
    LL_DELETE(loop->idle, call);
    loop->idle_count--;
    loop->idle_low = loop->idle_count < loop->idle_low ? loop->idle_count : loop->idle_low;
    return call;
}

static void free_call(struct loop_call *call) {
    arena_block_free(call->block);
    free(call);
}

/* The loop calls it between tasks, so no kept call is in use. */
static bool give_back_idle(struct loop_relief *relief) {
    struct rpc_loop *loop = (struct rpc_loop *)relief; /* its first member */
    unsigned unneeded = loop->idle_low > IDLE_CALLS_KEPT ? loop->idle_low - IDLE_CALLS_KEPT : 0;
    for (unsigned count = (unneeded + IDLE_FREED_PART - 1) / IDLE_FREED_PART; count > 0; count--) {
        free_call(take_idle(loop));
    }
    loop->idle_low = loop->idle_count;
    return loop->idle_count > IDLE_CALLS_KEPT;
}

enum herald_code rpc_loops_init(struct rpc_loops *loops, struct loop *const *all, unsigned count,
                                struct herald_error *reterr) {
    assert(count > 0);
    loops->all = calloc(count, sizeof(*loops->all));
    if (!loops->all) {
        return herald_error_no_memory(reterr, "the RPC server");
    }
    loops->count = count;
    for (unsigned i = 0; i < count; i++) {
        loops->all[i].loop = all[i];
        loops->all[i].relief.give_back = give_back_idle;
        loop_add_relief(all[i], &loops->all[i].relief);
    }
    return HERALD_OK;
}

static void free_idle(struct rpc_loop *loop) {
    struct loop_call *call, *next;
    LL_FOREACH_SAFE (loop->idle, call, next) {
        free_call(call);
    }
}

void rpc_loops_fini(struct rpc_loops *loops) {
    for (unsigned i = 0; i < loops->count; i++) {
        free_idle(&loops->all[i]);
    }
    free(loops->all);
}

struct rpc_loop *rpc_loops_of(struct rpc_loops *loops, const struct loop *loop) {
    unsigned i = 0;
    while (loops->all[i].loop != loop) {
        i++;
    }
    return &loops->all[i];
}

struct rpc_loop *rpc_loops_choose(struct rpc_loops *loops) {
    unsigned first = atomic_fetch_add_explicit(&loops->next, 1, memory_order_relaxed) % loops->count;
    struct rpc_loop *best = &loops->all[first];
    unsigned fewest = atomic_load_explicit(&best->in_flight, memory_order_relaxed);
    for (unsigned i = 1; i < loops->count && fewest > 0; i++) {
        struct rpc_loop *loop = &loops->all[(first + i) % loops->count];
        unsigned count = atomic_load_explicit(&loop->in_flight, memory_order_relaxed);
        if (count < fewest) {
            best = loop;
            fewest = count;
        }
    }
    return best;
}

static struct loop_call *new_call(size_t bytes) {
    struct loop_call *call = malloc(bytes);
    if (call) {
        call->block = NULL;
    }
    return call;
}

struct loop_call *rpc_loop_take_call(struct rpc_loop *loop, size_t bytes) {
    struct loop_call *call = loop->idle ? take_idle(loop) : new_call(bytes);
    if (call) {
        DL_APPEND(loop->running, call);
    }
    return call;
}

void rpc_loop_keep_call(struct rpc_loop *loop, struct loop_call *call) {
    DL_DELETE(loop->running, call);
    if (loop->idle_count >= IDLE_CALLS_MAX) { /* the task of an earlier one has ended; this one's has not */
        free_call(take_idle(loop));
    }
    LL_PREPEND(loop->idle, call);
    loop->idle_count++;
    atomic_fetch_sub(&loop->in_flight, 1);
}
