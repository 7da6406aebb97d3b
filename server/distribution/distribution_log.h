#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_LOG_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_LOG_H

#include "server/runtime/log.h"

#define DISTRIBUTION_LOG(X)                                                                                            \
    X(LOG_DELIVERY_ENDED, LOG_INFO, "delivery.ended", "A step at a channel ended.")                                    \
    X(LOG_DELIVERY_LEFT, LOG_WARNING, "delivery.left", "A delivery could not go on now; it is taken up again.")        \
    X(LOG_DELIVERIES_UNSTORED, LOG_WARNING, "deliveries.unstored",                                                     \
      "Results of deliveries could not be stored; it is tried again.")                                                 \
    X(LOG_DELIVERY_UNSTORABLE, LOG_ERROR, "delivery.unstorable",                                                       \
      "The database refuses a delivery's result; the delivery is found by its claim.")                                 \
    X(LOG_DISTRIBUTION_COMPLETED, LOG_INFO, "distribution.completed", "All deliveries of an event are settled.")       \
    X(LOG_COMPLETED_LATE, LOG_WARNING, "distribution.completed_late",                                                  \
      "DistributionCompleted is left to the outbox relay.")                                                            \
    X(LOG_CLAIMS_LOST, LOG_WARNING, "claims.lost",                                                                     \
      "Deliveries were claimed by a statement whose answer was lost; nothing was sent, and they go on.")               \
    X(LOG_LOOK_FAILED, LOG_WARNING, "deliveries.look_failed", "Due deliveries could not be looked for; it goes on.")   \
    X(LOG_CHANNEL_BREAKER, LOG_WARNING, "channel.breaker", "The circuit breaker of a channel changed its state.")      \
    X(LOG_CHANNEL_PAUSED, LOG_WARNING, "channel.paused", "Nothing is sent to a channel until its pause ends.")         \
    X(LOG_CHANNEL_RESUMED, LOG_INFO, "channel.resumed", "The pause of a channel has ended.")                           \
    X(LOG_CHANNEL_NOT_STORED, LOG_WARNING, "channel.not_stored",                                                       \
      "The pause of a channel, or its end, could not be stored for other processes.")                                  \
    X(LOG_CHANNEL_TOKEN, LOG_INFO, "channel.token_renewed", "The access token of a channel was renewed.")              \
    X(LOG_CHANNEL_TOKEN_ENDS, LOG_WARNING, "channel.token_ends",                                                       \
      "The access token of a channel ends soon and could not be renewed.")
LOG_EVENTS_DECLARE(DISTRIBUTION_LOG)

#endif
