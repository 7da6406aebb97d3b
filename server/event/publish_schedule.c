/* The schedule of a publication: until its instant the event is APPROVED, held by nobody, and due then. */
#include "server/event/publish_schedule.h"

#include "server/runtime/proto_arena.h"

#define LATEST_AGO_US (INT64_C(60) * 1000000)
#define MOST_AHEAD_US (INT64_C(366) * 86400 * 1000000)

bool schedule_is_later(int64_t at_us) {
    return at_us > clock_wall_us();
}

/* What is wrong with an instant; NULL: nothing. */
static const char *schedule_fault(int64_t at_us, const struct event_draft *draft) {
    int64_t now_us = clock_wall_us();
    if (at_us < now_us - LATEST_AGO_US) {
        return "lies in the past";
    }
    if (at_us > now_us + MOST_AHEAD_US) {
        return "lies more than a year ahead";
    }
    return draft->ends_at_us != 0 && at_us >= draft->ends_at_us ? "is not before the end of the event's period" : NULL;
}

enum herald_code schedule_of(const Herald__Event__V1__PublishEventRequest *request, const struct event_draft *draft,
                             struct schedule *ret_schedule, struct herald_error *reterr) {
    const char *fault = request->scheduled_at ? schedule_fault(timestamp_us(request->scheduled_at), draft) : NULL;
    if (fault) {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "scheduledAt %s", fault);
        herald_error_add_detail(reterr, "scheduledAt", HERALD_REASON_OUT_OF_RANGE, "%s", fault);
        return code;
    }
    *ret_schedule = (struct schedule){.at_us = timestamp_us(request->scheduled_at), .time_zone = request->time_zone};
    return HERALD_OK;
}

enum herald_code schedule_check_same(const Herald__Event__V1__PublishEventRequest *request,
                                     const struct event_draft *event, struct herald_error *reterr) {
    if (!request->scheduled_at || timestamp_us(request->scheduled_at) == event->scheduled_at_us) {
        return HERALD_OK;
    }
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_SCHEDULE_FIXED,
                         "the event is approved for another instant; publish it again with that, or with none named");
    herald_error_add_detail(reterr, "scheduledAt", HERALD_REASON_SCHEDULE_FIXED, "differs from that of the approval");
    return code;
}

static Herald__Distribution__V1__ChannelResult *deferred_result(int channel) {
    Herald__Distribution__V1__ChannelResult *result = ARENA_MESSAGE(herald__distribution__v1__channel_result);
    if (result) {
        result->channel = (Herald__Distribution__V1__Channel)channel;
        result->state = HERALD__DISTRIBUTION__V1__DELIVERY_STATE__DEFERRED;
        result->reason = borrow_str(herald_reason_name(HERALD_REASON_SCHEDULED));
        result->message = borrow_str("waits for the instant that was chosen, and begins then by itself");
    }
    return result;
}

enum herald_code schedule_answer(const struct event_draft *event, Herald__Event__V1__PublishEventResponse *response,
                                 struct herald_error *reterr) {
    Herald__Distribution__V1__ChannelResult **results =
        arena_calloc(call_arena(), event->channel_count, sizeof(*results));
    bool complete = results != NULL;
    for (size_t i = 0; complete && i < event->channel_count; i++) {
        results[i] = deferred_result(event->channels[i]);
        complete = results[i] != NULL;
    }
    if (!complete) {
        return herald_error_set(
            reterr, HERALD_REASON_PUBLISH_UNFINISHED,
            "the event is APPROVED and will be published at its instant; no memory for the results");
    }
    response->event_id = borrow_str(event->id);
    response->status = HERALD__EVENT__V1__EVENT_STATUS__APPROVED;
    response->n_distribution_results = event->channel_count;
    response->distribution_results = results;
    return HERALD_OK;
}
