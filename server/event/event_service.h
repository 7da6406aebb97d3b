#ifndef HERALD_EVENT_EVENT_SERVICE_H
#define HERALD_EVENT_EVENT_SERVICE_H

#include "herald/client.h"
#include "herald/event/v1/event.server.h"
#include "server/breaker/breaker.h"
#include "server/durable/instance.h"
#include "server/durable/outbox_relay.h"
#include "server/event/event_store.h"
#include "server/event/event_watch.h"
#include "server/event/late_steps.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"
#include "server/store/redis/redis.h"

/*
 * The state of EventService's handlers on one loop. The pools belong to this loop; the process's loops share its lease,
 * the breaker, the producer and the channels to other servers. Each handler has a file, named after its RPC.
 */
struct event_service {
    const struct settings *settings;
    struct loop *loop;
    struct db *db;
    struct redis *redis;
    struct outbox_relay *outbox;
    struct herald_channel *jobs;
    struct herald_channel *distribution;
    struct breaker *distribution_breaker;
    struct instance *instance;
    struct reconciler *reconciler;
    struct event_claim *astray; /* claims that the reconciler is to release */
    bool claims_closed;         /* the loop ends: none goes astray any more */
    struct late_steps late;
    struct event_watch *watch;
};

/** Key of the cached purpose of a user, in the running call's arena; NULL: no memory. */
char *event_purpose_key(const char *user_id);
/**
 * Deletes the cached purpose. An unavailable Redis is logged: the cache's TTL bounds the staleness.
 *
 * Returns: whether it is deleted; else @reterr says why not, which may be NULL
 */
TASK_FN bool event_forget_purpose(struct event_service *service, const char *user_id, struct herald_error *reterr);

#define EVENT_LOG(X)                                                                                                   \
    X(LOG_EVENT_APPROVED, LOG_INFO, "event.approved", "An owner approved an event.")                                   \
    X(LOG_EVENT_PUBLISHED, LOG_INFO, "event.published", "An event became ACTIVE.")                                     \
    X(LOG_EVENT_NO_CHANNEL, LOG_WARNING, "event.no_channel", "No channel accepted an event; it stays APPROVED.")       \
    X(LOG_EVENT_CREATED_LATE, LOG_WARNING, "event.created_late", "EventCreated is left to the outbox relay.")          \
    X(LOG_EVENT_DISTRIBUTION_FAILED, LOG_WARNING, "event.distribution_failed",                                         \
      "The publication did not end in the call; the reconciler will finish the event.")                                \
    X(LOG_EVENT_CACHE_STALE, LOG_WARNING, "event.cache_stale", "A cached purpose could not be deleted.")               \
    X(LOG_EVENT_ENDED, LOG_INFO, "event.ended", "Events ended by themselves, as their period is over.")                \
    X(LOG_EVENT_RECONCILED, LOG_INFO, "event.reconciled", "The reconciler finished an event.")                         \
    X(LOG_EVENT_RECONCILE_FAILED, LOG_WARNING, "event.reconcile_failed", "The reconciler could not finish an event.")  \
    X(LOG_EVENT_BREAKER, LOG_WARNING, "event.breaker", "The breaker of the distribution call changed its state.")
LOG_EVENTS_DECLARE(EVENT_LOG)

#endif
