/* CreateEvent: drafts an event. */
#include "server/durable/once.h"
#include "server/event/draft_message.h"
#include "server/event/event_service.h"

static struct event_draft new_draft(const Herald__Event__V1__CreateEventRequest *request, const char *id,
                                    int64_t now_us) {
    return (struct event_draft){
        .id = id,
        .user_id = request->user_id,
        .status = EVENT_DRAFT,
        .title = request->title,
        .prize = request->prize,
        .brand_color = request->brand_color,
        .logo_url = request->logo_url,
        .store_name = request->store_info->name,
        .store_address = request->store_info->address,
        .store_phone = request->store_info->phone,
        .recommendation_id = "",
        .recommendation_title = "",
        .recommendation_summary = "",
        .image_job_id = "",
        .content_job_id = "",
        .content_png_url = "",
        .content_jpeg_url = "",
        .created_at_us = now_us,
        .updated_at_us = now_us,
    };
}

TASK_FN enum herald_code event_create_event(void *self, const Herald__Event__V1__CreateEventRequest *request,
                                            Herald__Event__V1__CreateEventResponse *response,
                                            struct herald_error *reterr) {
    struct event_service *service = self;
    struct once once;
    bool replayed = false;
    enum herald_code code = once_begin(service->db, herald_event_v1_event_service_create_event_method, request->user_id,
                                       &request->base, &response->base, &once, &replayed, reterr);
    if (code != HERALD_OK || replayed) {
        return code;
    }
    char id[37];
    herald_uuid7(id);
    struct event_draft draft = new_draft(request, id, clock_wall_us());
    response->event = draft_message(&draft);
    if (!response->event) {
        return event_out_of_memory(reterr);
    }
    response->event->event_draft_id = arena_strdup(call_arena(), id);
    code = event_store_create(service->db, &draft, once_set_reply(&once, &response->base), reterr);
    if (code == HERALD_ALREADY_EXISTS) { /* a repeat of this call has overtaken it: answer as that one did */
        herald__event__v1__create_event_response__init(response);
        return once_begin(service->db, herald_event_v1_event_service_create_event_method, request->user_id,
                          &request->base, &response->base, &once, &replayed, reterr);
    }
    return code;
}
