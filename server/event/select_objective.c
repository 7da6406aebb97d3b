/* SelectObjective: chooses what a draft is for. */
#include "server/event/draft_message.h"
#include "server/event/event_service.h"

TASK_FN enum herald_code event_select_objective(void *self, const Herald__Event__V1__SelectObjectiveRequest *request,
                                                Herald__Event__V1__SelectObjectiveResponse *response,
                                                struct herald_error *reterr) {
    struct event_service *service = self;
    struct event_draft draft;
    enum herald_code code = event_store_set_objective(service->db, request->event_draft_id, request->user_id,
                                                      (int)request->objective, &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    (void)event_forget_purpose(service, request->user_id, NULL);
    response->event = draft_message(&draft);
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}
