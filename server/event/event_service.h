#ifndef HERALD_EVENT_EVENT_SERVICE_H
#define HERALD_EVENT_EVENT_SERVICE_H

#include "herald/client.h"
#include "herald/event/v1/event.server.h"
#include "server/durable/outbox_relay.h"
#include "server/event/event_store.h"
#include "server/outgoing/breaker.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"
#include "server/store/redis/redis.h"

/*
 * State of EventService's handlers on one loop. The pools are this loop's own; the breaker, the producer and the
 * channels to the other servers are shared by the loops of the process.
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
    struct reconciler *reconciler;
};

/** The handlers, one file each, named after the RPC. */
extern const struct herald_event_v1_event_service_handlers event_service_handlers;

enum herald_code event_create_event(void *self, const Herald__Event__V1__CreateEventRequest *request,
                                    Herald__Event__V1__CreateEventResponse *response, struct herald_error *reterr);
enum herald_code event_get_event(void *self, const Herald__Event__V1__GetEventRequest *request,
                                 Herald__Event__V1__GetEventResponse *response, struct herald_error *reterr);
enum herald_code event_list_events(void *self, const Herald__Event__V1__ListEventsRequest *request,
                                   Herald__Event__V1__ListEventsResponse *response, struct herald_error *reterr);
enum herald_code event_select_objective(void *self, const Herald__Event__V1__SelectObjectiveRequest *request,
                                        Herald__Event__V1__SelectObjectiveResponse *response,
                                        struct herald_error *reterr);
enum herald_code event_select_recommendation(void *self, const Herald__Event__V1__SelectRecommendationRequest *request,
                                             Herald__Event__V1__SelectRecommendationResponse *response,
                                             struct herald_error *reterr);
enum herald_code event_request_image_generation(void *self,
                                                const Herald__Event__V1__RequestImageGenerationRequest *request,
                                                Herald__Event__V1__RequestImageGenerationResponse *response,
                                                struct herald_error *reterr);
enum herald_code event_select_content(void *self, const Herald__Event__V1__SelectContentRequest *request,
                                      Herald__Event__V1__SelectContentResponse *response, struct herald_error *reterr);
enum herald_code event_publish_event(void *self, const Herald__Event__V1__PublishEventRequest *request,
                                     Herald__Event__V1__PublishEventResponse *response, struct herald_error *reterr);
enum herald_code event_end_event(void *self, const Herald__Event__V1__EndEventRequest *request,
                                 Herald__Event__V1__EndEventResponse *response, struct herald_error *reterr);
enum herald_code event_delete_event(void *self, const Herald__Event__V1__DeleteEventRequest *request,
                                    Herald__Event__V1__DeleteEventResponse *response, struct herald_error *reterr);
enum herald_code event_get_purpose(void *self, const Herald__Event__V1__GetPurposeRequest *request,
                                   Herald__Event__V1__GetPurposeResponse *response, struct herald_error *reterr);

/** Key of the cached purpose of a user, in the running call's arena; NULL without memory. */
char *event_purpose_key(const char *user_id);
/** Deletes the cached purpose. A Redis that is away is logged, not an error: the cache's TTL bounds the staleness. */
TASK_FN void event_forget_purpose(struct event_service *service, const char *user_id);

#define EVENT_LOG(X)                                                                                                   \
    X(LOG_EVENT_APPROVED, LOG_INFO, "event.approved", "An owner approved an event.")                                   \
    X(LOG_EVENT_PUBLISHED, LOG_INFO, "event.published", "An event became ACTIVE.")                                     \
    X(LOG_EVENT_NO_CHANNEL, LOG_WARNING, "event.no_channel", "No channel accepted an event; it stays APPROVED.")       \
    X(LOG_EVENT_CREATED_LATE, LOG_WARNING, "event.created_late", "EventCreated is left to the outbox relay.")          \
    X(LOG_EVENT_DISTRIBUTION_FAILED, LOG_WARNING, "event.distribution_failed",                                         \
      "The distribution call failed; the reconciler will finish the event.")                                           \
    X(LOG_EVENT_CACHE_STALE, LOG_WARNING, "event.cache_stale", "A cached purpose could not be deleted.")               \
    X(LOG_EVENT_RECONCILED, LOG_INFO, "event.reconciled", "The reconciler finished an event.")                         \
    X(LOG_EVENT_RECONCILE_FAILED, LOG_WARNING, "event.reconcile_failed", "The reconciler could not finish an event.")  \
    X(LOG_EVENT_BREAKER, LOG_WARNING, "event.breaker", "The breaker of the distribution call changed its state.")
LOG_EVENTS_DECLARE(EVENT_LOG)

#endif
