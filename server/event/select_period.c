/* SelectPeriod: chooses when an event begins and ends. */
#include "server/event/draft_message.h"
#include "server/event/event_service.h"
#include "server/event/period.h"

/* A process that has just started does not know the database's time yet. */
#define CLOCK_WAIT_MS 1000

TASK_FN enum herald_code event_select_period(void *self, const Herald__Event__V1__SelectPeriodRequest *request,
                                             Herald__Event__V1__SelectPeriodResponse *response,
                                             struct herald_error *reterr) {
    struct event_service *service = self;
    struct period period;
    (void)instance_wait(service->instance, 0, CLOCK_WAIT_MS);
    enum herald_code code =
        period_of(request->starts_at, request->ends_at, instance_now_us(service->instance), &period, reterr);
    struct event_draft draft;
    if (code == HERALD_OK) {
        code = event_store_set_period(service->db, request->event_draft_id, request->user_id, period.starts_at_us,
                                      period.ends_at_us, &draft, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->event = draft_message(&draft);
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}
