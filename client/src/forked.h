#ifndef HERALD_CLIENT_FORKED_H
#define HERALD_CLIENT_FORKED_H

/*
 * fork(). nng's threads do not exist in a child, and nng aborts the child at its first call if the parent had used it: its
 * first use registers a handler with pthread_atfork() that marks each child, and nothing takes that back. Closing all
 * channels, nng_closeall() and nng_fini() do not. So a child is told instead, by an error, and never reaches nng. A child
 * whose parent has not opened a channel yet may.
 */
#include <stdbool.h>

/** Notes that nng is about to be used. Any thread. */
void herald_forked_note_use(void);
/** True in a process that was forked from one that had used nng. Any thread. */
bool herald_is_forked(void);

#define HERALD_FORKED_TEXT                                                                                             \
    "this process was forked from one that had opened a channel, closed by now or not, and nng cannot go on in it: "   \
    "fork before the first channel is opened, or call exec() in the child"

#endif
