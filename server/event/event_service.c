#include "server/event/event_service.h"

LOG_EVENTS(EVENT_LOG)

const struct herald_event_v1_event_service_handlers event_service_handlers = {
    .create_event = event_create_event,
    .get_event = event_get_event,
    .list_events = event_list_events,
    .select_objective = event_select_objective,
    .select_recommendation = event_select_recommendation,
    .request_image_generation = event_request_image_generation,
    .select_content = event_select_content,
    .publish_event = event_publish_event,
    .end_event = event_end_event,
    .delete_event = event_delete_event,
    .get_purpose = event_get_purpose,
};
