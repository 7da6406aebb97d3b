/* SelectRecommendation: chooses the idea of a draft. */
#include "server/event/draft_message.h"
#include "server/event/event_service.h"

TASK_FN enum herald_code event_select_recommendation(void *self,
                                                     const Herald__Event__V1__SelectRecommendationRequest *request,
                                                     Herald__Event__V1__SelectRecommendationResponse *response,
                                                     struct herald_error *reterr) {
    struct event_service *service = self;
    const Herald__Event__V1__Recommendation *chosen = request->recommendation;
    struct event_draft draft;
    enum herald_code code =
        event_store_set_recommendation(service->db, request->event_draft_id, request->user_id,
                                       chosen->recommendation_id, chosen->title, chosen->summary, &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->event = draft_message(&draft);
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}
