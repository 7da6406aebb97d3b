/* DeleteEvent: deletes a draft. */
#include "server/event/event_service.h"

TASK_FN enum herald_code event_delete_event(void *self, const Herald__Event__V1__DeleteEventRequest *request,
                                            Herald__Event__V1__DeleteEventResponse *response,
                                            struct herald_error *reterr) {
    (void)response;
    struct event_service *service = self;
    enum herald_code code = event_store_delete(service->db, request->event_draft_id, request->user_id, reterr);
    if (code == HERALD_OK) {
        (void)event_forget_purpose(service, request->user_id, NULL);
    }
    return code;
}
