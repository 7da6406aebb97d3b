#ifndef HERALD_CONTENT_CONTENT_FAILPOINTS_H
#define HERALD_CONTENT_CONTENT_FAILPOINTS_H

#include "server/runtime/failpoint.h"

#define CONTENT_FAILPOINTS(X)                                                                                          \
    X(CONTENT_AFTER_BEGIN, "content.after_begin", FAILPOINT_IN_TASK,                                                   \
      "the attempt at a job is counted in its row, no picture is drawn")
FAILPOINTS_DECLARE(CONTENT_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const content_failpoints[];

#endif
