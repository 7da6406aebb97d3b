/* Distribute: delivers an event to its channels, all concurrently, and answers with a result for each. */
#include "client/base/minimum.h"
#include "server/distribution/channels.h"
#include "server/distribution/round.h"
#include "server/runtime/proto_arena.h"

#define REPLY_MARGIN_MS 1500 /* kept of the caller's time for the reply */

struct channel_set {
    int channels[CHANNEL_COUNT];
    size_t count;
};

static enum herald_code read_channels(const Herald__Distribution__V1__DistributeRequest *request,
                                      struct channel_set *ret_set, struct herald_error *reterr) {
    struct channel_set set = {0};
    for (size_t i = 0; i < request->n_channels; i++) {
        int channel = (int)request->channels[i];
        for (size_t j = 0; j < set.count; j++) {
            if (set.channels[j] == channel) {
                enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "channels names %s twice",
                                                         channel_name(channel));
                herald_error_add_detail(reterr, "channels", HERALD_REASON_DUPLICATE, "%s is named twice",
                                        channel_name(channel));
                return code;
            }
        }
        set.channels[set.count++] = channel; /* at most CHANNEL_COUNT different valid ones, by the schema's rules */
    }
    *ret_set = set;
    return HERALD_OK;
}

static uint32_t budget_ms(const struct distribution_service *service) {
    uint32_t remaining_ms = call_remaining_ms();
    uint32_t most_ms = herald_min_u32(remaining_ms, service->round_budget_ms);
    return most_ms > 2 * REPLY_MARGIN_MS ? most_ms - REPLY_MARGIN_MS : most_ms / 2;
}

TASK_FN static enum herald_code run_delivery_round(struct distribution_service *service,
                                                   const Herald__Distribution__V1__DistributeRequest *request,
                                                   const struct channel_set *set, struct herald_error *reterr) {
    size_t bytes = protobuf_c_message_get_packed_size(&request->content->base);
    uint8_t *content = arena_alloc(call_arena(), bytes);
    if (!content) {
        return arena_full(reterr, "the content");
    }
    protobuf_c_message_pack(&request->content->base, content);
    struct round *round = NULL;
    enum herald_code code = round_start(service, request->event_id, set->channels, set->count, content, bytes,
                                        budget_ms(service), &round, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = round_wait(round, reterr);
    round_unref(round);
    return code;
}

/* Picks the deliveries of the channels asked for, in the order asked. */
static size_t pick(const struct channel_set *set, const struct delivery_row *deliveries, size_t count,
                   struct delivery_row *picked) {
    size_t found = 0;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (deliveries[j].channel == set->channels[i]) {
                picked[found++] = deliveries[j];
            }
        }
    }
    return found;
}

TASK_FN enum herald_code distribution_distribute(void *self, const Herald__Distribution__V1__DistributeRequest *request,
                                                 Herald__Distribution__V1__DistributeResponse *response,
                                                 struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct channel_set set;
    enum herald_code code = read_channels(request, &set, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = run_delivery_round(service, request, &set, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    code = delivery_store_load(service->db, request->event_id, &row, &deliveries, &count, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct delivery_row picked[CHANNEL_COUNT];
    response->n_results = pick(&set, deliveries, count, picked);
    response->distribution_id = borrow_str(row.id);
    return delivery_results(picked, response->n_results, &response->results) ? HERALD_OK
                                                                             : arena_full(reterr, "the results");
}
