#include "server/distribution/distribution_service.h"

#include "server/runtime/proto_arena.h"

LOG_EVENTS(DISTRIBUTION_LOG)

bool delivery_accepted(int state) {
    return state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__PUBLISHED ||
           state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__AWAITING_OPERATOR;
}

bool delivery_settled(int state) {
    return delivery_accepted(state) || state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__REJECTED ||
           state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__NEEDS_AUTH;
}

static Herald__Distribution__V1__ChannelResult *delivery_result(const struct delivery_row *delivery) {
    Herald__Distribution__V1__ChannelResult *result = ARENA_MESSAGE(herald__distribution__v1__channel_result);
    if (!result || !arena_timestamp(delivery->started_at_us, &result->started_at) ||
        !arena_timestamp(delivery->finished_at_us, &result->finished_at)) {
        return NULL;
    }
    result->channel = (Herald__Distribution__V1__Channel)delivery->channel;
    result->state = (Herald__Distribution__V1__DeliveryState)delivery->state;
    result->accepted = delivery_accepted(delivery->state);
    result->remote_id = borrow_str(delivery->remote_id);
    result->reason = borrow_str(delivery->reason);
    result->message = borrow_str(delivery->message);
    result->attempts = delivery->attempts;
    return result;
}

bool delivery_results(const struct delivery_row *deliveries, size_t count,
                      Herald__Distribution__V1__ChannelResult ***ret_results) {
    Herald__Distribution__V1__ChannelResult **results = arena_calloc(call_arena(), count, sizeof(*results));
    if (!results) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        results[i] = delivery_result(&deliveries[i]);
        if (!results[i]) {
            return false;
        }
    }
    *ret_results = results;
    return true;
}
