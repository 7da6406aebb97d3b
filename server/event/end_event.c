/* EndEvent: ends an active event; an ended one stays as it is. */
#include "server/event/draft_message.h"
#include "server/event/event_service.h"

TASK_FN enum herald_code event_end_event(void *self, const Herald__Event__V1__EndEventRequest *request,
                                         Herald__Event__V1__EndEventResponse *response, struct herald_error *reterr) {
    struct event_service *service = self;
    struct event_draft draft;
    enum herald_code code = event_store_end(service->db, request->event_draft_id, request->user_id, &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->event = draft_message(&draft);
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}
