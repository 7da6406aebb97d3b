#ifndef HERALD_DISTRIBUTION_DISTRIBUTION_SERVICE_H
#define HERALD_DISTRIBUTION_DISTRIBUTION_SERVICE_H

#include "herald/distribution/v1/distribution.server.h"
#include "server/distribution/delivery_store.h"
#include "server/durable/outbox_relay.h"
#include "server/outgoing/http.h"
#include "server/outgoing/webhook.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"

/* The state of DistributionService's handlers on one loop. Each handler has a file, named after its RPC. */
struct distribution_service {
    const struct settings *settings;
    uint32_t round_budget_ms; /* time of a rescued round, and the longest time of a caller's round */
    const struct webhook_secrets *secrets;
    struct loop *loop;
    struct db *db;
    struct http *http;
    struct outbox_relay *outbox;
    struct round *rounds; /* rounds in progress on this loop */
    struct rescuer *rescuer;
};

/** Whether the channel has accepted the post, by the state. */
bool delivery_accepted(int state);
/** Whether the state is final: no further attempt changes it. */
bool delivery_settled(int state);
/** Makes the results of deliveries, in the running call's arena. Returns: false: no memory. */
bool delivery_results(const struct delivery_row *deliveries, size_t count,
                      Herald__Distribution__V1__ChannelResult ***ret_results);
#define DISTRIBUTION_LOG(X)                                                                                            \
    X(LOG_DELIVERY_ENDED, LOG_INFO, "delivery.ended", "An attempt at a channel ended.")                                \
    X(LOG_DELIVERY_LEFT, LOG_WARNING, "delivery.left", "A delivery could not be brought to an end now.")               \
    X(LOG_ROUND_COMPLETED, LOG_INFO, "distribution.completed", "A round of delivery ended.")                           \
    X(LOG_ROUND_LEFT, LOG_WARNING, "distribution.left", "A round of delivery is left to be taken up again.")           \
    X(LOG_ROUND_RESCUED, LOG_WARNING, "distribution.rescued", "A round that nobody drove was taken up.")               \
    X(LOG_COMPLETED_LATE, LOG_WARNING, "distribution.completed_late",                                                  \
      "DistributionCompleted is left to the outbox relay.")
LOG_EVENTS_DECLARE(DISTRIBUTION_LOG)

#endif
