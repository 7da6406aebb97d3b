#ifndef HERALD_DURABLE_DURABLE_LOG_H
#define HERALD_DURABLE_DURABLE_LOG_H

#include "server/runtime/log.h"

/* Log events that all services have through this layer. */
#define DURABLE_LOG(X)                                                                                                 \
    X(LOG_OUTBOX_FAILED, LOG_WARNING, "outbox.failed", "A round of the outbox relay failed; it goes on.")              \
    X(LOG_OUTBOX_PARKED, LOG_ERROR, "outbox.parked",                                                                   \
      "Kafka refuses a record for good; it is kept, and tried again now and then. Raise the limit of its topic.")      \
    X(LOG_REPLIES_PRUNE_FAILED, LOG_WARNING, "replies.prune_failed",                                                   \
      "Old replies of ONCE calls, or old rows, could not be deleted; it is tried again.")                              \
    X(LOG_LEASE_LATE, LOG_WARNING, "lease.late",                                                                       \
      "The process could not renew its lease; without one it claims nothing.")                                         \
    X(LOG_LEASE_LOST, LOG_WARNING, "lease.lost",                                                                       \
      "Others took the process for dead and released its claims; it uses none of them.")                               \
    X(LOG_CLAIMS_TAKEN, LOG_WARNING, "claims.taken", "Claims of a process that has died were released.")
LOG_EVENTS_DECLARE(DURABLE_LOG)

#endif
