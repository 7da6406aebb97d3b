/* SelectPeriod: chooses when an event begins and ends. */
#include "server/event/draft_message.h"
#include "server/event/event_service.h"
#include "server/event/period.h"

TASK_FN enum herald_code event_select_period(void *self, const Herald__Event__V1__SelectPeriodRequest *request,
                                             Herald__Event__V1__SelectPeriodResponse *response,
                                             struct herald_error *reterr) {
    struct event_service *service = self;
    struct period period;
    enum herald_code code = period_of(request->starts_at, request->ends_at, &period, reterr);
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
