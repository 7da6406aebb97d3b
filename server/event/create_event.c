/* CreateEvent: drafts an event. */
#include "server/durable/once.h"
#include "server/event/draft_message.h"
#include "server/event/event_service.h"
#include "server/event/period.h"

static struct event_draft new_draft(const Herald__Event__V1__CreateEventRequest *request, const struct period *period,
                                    const char *id, int64_t now_us) {
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
        .starts_at_us = period->starts_at_us,
        .ends_at_us = period->ends_at_us,
        .time_zone = "",
    };
}

TASK_FN static enum herald_code create_draft(void *self, const ProtobufCMessage *message, ProtobufCMessage *reply,
                                             struct once *once, struct herald_error *reterr) {
    struct event_service *service = self;
    const Herald__Event__V1__CreateEventRequest *request = (const Herald__Event__V1__CreateEventRequest *)message;
    Herald__Event__V1__CreateEventResponse *response = (Herald__Event__V1__CreateEventResponse *)reply;
    struct period period;
    enum herald_code code = period_of(request->starts_at, request->ends_at, once_now_us(once), &period, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    char id[37];
    herald_uuid7(id);
    struct event_draft draft = new_draft(request, &period, id, once_now_us(once));
    response->event = draft_message(&draft);
    if (!response->event) {
        return arena_full(reterr, "the event");
    }
    response->event->event_draft_id = arena_strdup(call_arena(), id);
    if (!response->event->event_draft_id) {
        return arena_full(reterr, "the event");
    }
    const struct idempotency_row *row = NULL;
    code = once_reply(once, reply, &row, reterr);
    return code == HERALD_OK ? event_store_create(service->db, &draft, row, reterr) : code;
}

TASK_FN enum herald_code event_create_event(void *self, const Herald__Event__V1__CreateEventRequest *request,
                                            Herald__Event__V1__CreateEventResponse *response,
                                            struct herald_error *reterr) {
    struct event_service *service = self;
    return once_run_reading(service->db, herald_event_v1_event_service_create_event_method, &once_clock, create_draft,
                            self, &request->base, &response->base, reterr);
}
