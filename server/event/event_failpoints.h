#ifndef HERALD_EVENT_EVENT_FAILPOINTS_H
#define HERALD_EVENT_EVENT_FAILPOINTS_H

#include "server/runtime/failpoint.h"

#define EVENT_FAILPOINTS(X)                                                                                            \
    X(EVENT_AFTER_APPROVE, "event.after_approve", FAILPOINT_IN_TASK,                                                   \
      "APPROVED and the promise of EventCreated are committed, the record is not sent")                                \
    X(EVENT_BEFORE_DISTRIBUTE, "event.before_distribute", FAILPOINT_IN_TASK,                                           \
      "the event is APPROVED, the distribution server is not called")                                                  \
    X(EVENT_BEFORE_ACTIVATE, "event.before_activate", FAILPOINT_IN_TASK,                                               \
      "the channels' results are there, the event is not ACTIVE")
FAILPOINTS_DECLARE(EVENT_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const event_failpoints[];

#endif
