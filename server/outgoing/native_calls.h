#ifndef HERALD_OUTGOING_NATIVE_CALLS_H
#define HERALD_OUTGOING_NATIVE_CALLS_H

/*
 * Calls of servers without nng's sockets: an engine of the client library (client/src/engine.h) that speaks SP on the
 * loops themselves. A call of a task goes out and comes back on the task's loop: no other thread takes part, and nothing
 * is locked that another thread holds for long.
 *
 * Each loop that calls has a connection of its own to each endpoint. The first loop makes its connections at once, and
 * takes the operations of threads that are no loops: health checks, blocking calls. The others make theirs at their first
 * call.
 *
 * The end of a call that was started on a loop is reported on that loop, of any other call on the first one.
 */
#include "client/src/engine.h"
#include "herald/error.h"
#include "server/runtime/loop.h"

struct native_calls;

/** Whether all of the URLs are of kinds that the engine speaks: all but inproc. */
bool native_calls_can(const char *urls);

/**
 * Makes the engine.
 *
 * @loops    with the indices 0, 1, …; they outlive the engine
 * @count    at least 1
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code native_calls_new(struct loop *const *loops, unsigned count, struct native_calls **ret_calls,
                                  struct herald_error *reterr);
/** Frees it, after its channels were closed. NULL is allowed. Blocks; no loop's thread. */
void native_calls_free(struct native_calls *calls);

/** For herald_channel_open_on(). */
const struct herald_engine *native_calls_engine(const struct native_calls *calls);

#endif
