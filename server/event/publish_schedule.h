#ifndef HERALD_EVENT_PUBLISH_SCHEDULE_H
#define HERALD_EVENT_PUBLISH_SCHEDULE_H

/* The instant for which an owner schedules a publication. */
#include "herald/event/v1/event.pb-c.h"
#include "server/event/event_store.h"

struct schedule {
    int64_t at_us;         /* microseconds since 1970; 0: now */
    const char *time_zone; /* for display; may be empty */
};

/**
 * Reads and checks the schedule of a request: at most a minute ago, at most a year ahead, before the end of the event's
 * period. Whether the time zone exists is checked by event_store_approve().
 *
 * @now_us  the database's time
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_FIELD)
 */
enum herald_code schedule_of(const Herald__Event__V1__PublishEventRequest *request, const struct event_draft *draft,
                             int64_t now_us, struct schedule *ret_schedule, struct herald_error *reterr);
/**
 * Checks that a request for an APPROVED event names no other instant than its approval.
 *
 * Returns: HERALD_OK | HERALD_FAILED_PRECONDITION (SCHEDULE_FIXED)
 */
enum herald_code schedule_check_same(const Herald__Event__V1__PublishEventRequest *request,
                                     const struct event_draft *event, struct herald_error *reterr);

#endif
