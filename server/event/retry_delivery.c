/* RetryDelivery: an event's owner lets its deliveries begin anew or go on now. */
#include "herald/distribution/v1/distribution.task.h"
#include "server/event/event_service.h"
#include "server/runtime/proto_arena.h"

typedef Herald__Distribution__V1__RetryDeliveryRequest DistributionRetry;
typedef Herald__Distribution__V1__RetryDeliveryResponse DistributionRetried;

static enum herald_code check_is_published(const struct event_draft *event, struct herald_error *reterr) {
    if (event->status == EVENT_APPROVED || event->status == EVENT_ACTIVE) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_WRONG_STATE, "the event is %s: nothing of it is being delivered",
                            event->status == EVENT_DRAFT ? "a DRAFT" : "ENDED");
}

TASK_FN enum herald_code event_retry_delivery(void *self, const Herald__Event__V1__RetryDeliveryRequest *request,
                                              Herald__Event__V1__RetryDeliveryResponse *response,
                                              struct herald_error *reterr) {
    struct event_service *service = self;
    struct event_draft event;
    const DistributionRetried *retried = NULL;
    DistributionRetry retry = HERALD__DISTRIBUTION__V1__RETRY_DELIVERY_REQUEST__INIT;
    enum herald_code code = event_store_load(service->db, request->event_draft_id, request->user_id, &event, reterr);
    if (code == HERALD_OK) {
        code = check_is_published(&event, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    retry.event_id = borrow_str(event.id);
    retry.user_id = borrow_str(event.user_id);
    retry.channel = request->channel;
    code = herald_distribution_v1_distribution_service_retry_delivery_task(service->distribution, &retry, NULL, NULL,
                                                                           &retried, reterr);
    if (code == HERALD_OK && event.status == EVENT_APPROVED) {
        code = event_store_make_due(service->db, event.id, event.user_id, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->retried = retried->retried;
    response->n_distribution_results = retried->n_results;
    response->distribution_results = retried->results;
    return HERALD_OK;
}
