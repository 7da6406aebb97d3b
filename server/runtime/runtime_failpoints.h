#ifndef HERALD_RUNTIME_RUNTIME_FAILPOINTS_H
#define HERALD_RUNTIME_RUNTIME_FAILPOINTS_H

#include "server/runtime/failpoint.h"

/* The points of the runtime. Dropped, a read of the wall clock gives an hour less, or more; "50%drop" makes it jump. */
#define RUNTIME_FAILPOINTS(X)                                                                                          \
    X(CLOCK_WALL, "clock.wall", FAILPOINT_OF_REPLY, "the wall clock is read, and is an hour behind if dropped")        \
    X(CLOCK_AHEAD, "clock.ahead", FAILPOINT_OF_REPLY, "the wall clock is read, and is an hour ahead if dropped")
FAILPOINTS_DECLARE(RUNTIME_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const runtime_failpoints[];

#endif
