#ifndef HERALD_DURABLE_DURABLE_FAILPOINTS_H
#define HERALD_DURABLE_DURABLE_FAILPOINTS_H

#include "server/runtime/failpoint.h"

#define DURABLE_FAILPOINTS(X)                                                                                          \
    X(OUTBOX_AFTER_SEND, "outbox.after_send", FAILPOINT_IN_TASK,                                                       \
      "the relay's record is acknowledged, its row is not marked as sent")
FAILPOINTS_DECLARE(DURABLE_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const durable_failpoints[];

#endif
