/* The schedule of a publication: it is distributed at once, and the deliveries wait for their instant. */
#include "server/event/publish_schedule.h"

#include "server/runtime/proto_arena.h"

#define LATEST_AGO_US (INT64_C(60) * 1000000)
#define MOST_AHEAD_US (INT64_C(366) * 86400 * 1000000)

/* What is wrong with an instant; NULL: nothing. */
static const char *schedule_fault(int64_t at_us, const struct event_draft *draft, int64_t now_us) {
    if (at_us < now_us - LATEST_AGO_US) {
        return "lies in the past";
    }
    if (at_us > now_us + MOST_AHEAD_US) {
        return "lies more than a year ahead";
    }
    return draft->ends_at_us != 0 && at_us >= draft->ends_at_us ? "is not before the end of the event's period" : NULL;
}

enum herald_code schedule_of(const Herald__Event__V1__PublishEventRequest *request, const struct event_draft *draft,
                             int64_t now_us, struct schedule *ret_schedule, struct herald_error *reterr) {
    const char *fault =
        request->scheduled_at ? schedule_fault(timestamp_us(request->scheduled_at), draft, now_us) : NULL;
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
