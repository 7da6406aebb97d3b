/* GetDistribution: the state of an event's deliveries. */
#include "server/distribution/distribution_service.h"
#include "server/runtime/proto_arena.h"

TASK_FN enum herald_code distribution_get_distribution(void *self,
                                                       const Herald__Distribution__V1__GetDistributionRequest *request,
                                                       Herald__Distribution__V1__GetDistributionResponse *response,
                                                       struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    enum herald_code code = delivery_store_load(service->db, request->event_id, &row, &deliveries, &count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->distribution_id = borrow_str(row.id);
    response->completed = row.completed;
    response->n_results = count;
    return delivery_results(deliveries, count, &response->results) ? HERALD_OK : arena_full(reterr, "the results");
}
