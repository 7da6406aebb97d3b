#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_FAILPOINTS_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_FAILPOINTS_H

#include "server/runtime/failpoint.h"

#define DISTRIBUTION_FAILPOINTS(X)                                                                                     \
    X(DISTRIBUTION_CLAIMED, "distribution.claimed", FAILPOINT_IN_TASK,                                                 \
      "deliveries are claimed, and the answer of the database is lost")                                                \
    X(DISTRIBUTION_BEFORE_POST, "distribution.before_post", FAILPOINT_IN_TASK,                                         \
      "a delivery is claimed, its post is not sent")                                                                   \
    X(DISTRIBUTION_AFTER_POST, "distribution.after_post", FAILPOINT_IN_TASK,                                           \
      "the channel has answered, its answer is not stored")
FAILPOINTS_DECLARE(DISTRIBUTION_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const distribution_failpoints[];

#endif
