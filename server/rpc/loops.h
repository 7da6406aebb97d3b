#ifndef HERALD_RPC_LOOPS_H
#define HERALD_RPC_LOOPS_H

/*
 * The loops that serve a server's calls, and the calls of each.
 *
 * An ended call is kept for reuse while its task is still ending. That is safe: only posted work takes calls, on the
 * loop's thread, so it runs after that task has ended. For the same reason surplus calls are freed when one is taken,
 * not when one is kept. After a burst the loop's relief frees those that nothing has needed for a while.
 */
#include "herald/error.h"
#include "server/runtime/loop.h"

#include <stdatomic.h>
#include <stdbool.h>

struct arena_block;

/** A call as its loop knows it: the first member of struct rpc_call. */
struct loop_call {
    struct loop_call *prev, *next;
    struct arena_block *block; /* of a call that has ended: memory for the next one */
};

struct rpc_loop {
    struct loop_relief relief; /* first */
    struct loop *loop;
    atomic_uint in_flight; /* calls posted or running */
    /* On the loop's thread only: */
    struct loop_call *running;
    struct loop_call *idle; /* ended calls, kept for reuse */
    unsigned idle_count;
    unsigned idle_low; /* fewest since the relief's last step */
    bool cut;          /* the drain is over: calls end with UNAVAILABLE */
};

struct rpc_loops {
    struct rpc_loop *all;
    unsigned count;
    atomic_uint next;
};

/** @count  at least 1. The loops outlive @loops. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason
 *  "OUT_OF_MEMORY") */
enum herald_code rpc_loops_init(struct rpc_loops *loops, struct loop *const *all, unsigned count,
                                struct herald_error *reterr);
/** Frees the kept calls too. The loops must not run. */
void rpc_loops_fini(struct rpc_loops *loops);
/** The one of a loop. */
struct rpc_loop *rpc_loops_of(struct rpc_loops *loops, const struct loop *loop);
/** The loop with the fewest calls in flight; equal loops take turns. Any thread. */
struct rpc_loop *rpc_loops_choose(struct rpc_loops *loops);

/**
 * Takes a call and adds it to the running ones. Only its struct loop_call is set.
 *
 * @bytes   of a struct rpc_call
 * Returns: NULL without memory
 * Context: the loop's thread
 */
struct loop_call *rpc_loop_take_call(struct rpc_loop *loop, size_t bytes);
/** Keeps an ended call, with its block, for reuse. Context: the loop's thread */
void rpc_loop_keep_call(struct rpc_loop *loop, struct loop_call *call);

#endif
