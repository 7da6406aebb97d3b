/*
 * GetEventTimeline: the steps of a publish, from rows. The event is read after its deliveries: what it tells of them can then
 * only be newer.
 */
#include "herald/distribution/v1/distribution.task.h"
#include "server/event/event_service.h"
#include "server/event/timeline.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

#define DELIVERIES_WAIT_MS 3000 /* then the answer comes without them */

typedef Herald__Distribution__V1__GetDistributionResponse Distribution;

/*
 * Reads the deliveries' part.
 *
 * @ret_distribution  NULL: there is none, or the service did not answer
 * Returns: whether the service answered
 */
TASK_FN static bool read_event_deliveries(const struct event_service *service,
                                          const Herald__Event__V1__GetEventTimelineRequest *request,
                                          const Distribution **ret_distribution) {
    Herald__Distribution__V1__GetDistributionRequest asked = HERALD__DISTRIBUTION__V1__GET_DISTRIBUTION_REQUEST__INIT;
    const struct remote_options options = {.timeout_ms = DELIVERIES_WAIT_MS};
    asked.event_id = request->event_draft_id;
    asked.user_id = request->user_id;
    asked.with_attempts = true;
    *ret_distribution = NULL;
    enum herald_code code = herald_distribution_v1_distribution_service_get_distribution_task(
        service->distribution, &asked, &options, NULL, ret_distribution, NULL);
    return code == HERALD_OK || code == HERALD_NOT_FOUND;
}

/* Whether DistributionCompleted is published, where there is a distribution. */
static bool is_completion_sent(const Distribution *distribution) {
    return !distribution || (distribution->completed_at && !distribution->completed_waits);
}

TASK_FN enum herald_code event_get_event_timeline(void *self, const Herald__Event__V1__GetEventTimelineRequest *request,
                                                  Herald__Event__V1__GetEventTimelineResponse *response,
                                                  struct herald_error *reterr) {
    struct event_service *service = self;
    const char *topic = kafka_settings(service->settings)->kafka_event_topic;
    struct event_progress progress;
    const Distribution *distribution = NULL;
    enum herald_code code =
        step_store_progress(service->db, request->event_draft_id, request->user_id, topic, &progress, reterr);
    if (code == HERALD_OK && progress.status != EVENT_DRAFT) {
        response->deliveries_missing = !read_event_deliveries(service, request, &distribution);
        code = step_store_progress(service->db, request->event_draft_id, request->user_id, topic, &progress, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->version = timeline_version(progress.version, distribution ? distribution->version : 0);
    response->settled = !response->deliveries_missing && timeline_is_settled(&progress, distribution) &&
                        is_completion_sent(distribution);
    return timeline_fill(&progress, distribution, request->after_position, response, reterr);
}
