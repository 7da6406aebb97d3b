/* GetDeliveryPreview: what exactly is sent to a channel. */
#include "server/distribution/distribution_service.h"
#include "server/distribution/preview.h"
#include "server/runtime/proto_arena.h"

TASK_FN enum herald_code
distribution_get_delivery_preview(void *self, const Herald__Distribution__V1__GetDeliveryPreviewRequest *request,
                                  Herald__Distribution__V1__GetDeliveryPreviewResponse *response,
                                  struct herald_error *reterr) {
    struct distribution_service *service = self;
    const struct channel_row *row = channel_find((int)request->channel);
    const Herald__Distribution__V1__Content *content = request->content;
    if (row == NULL) {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "channel is not known");
        herald_error_add_detail(reterr, "channel", HERALD_REASON_UNKNOWN_VALUE, "is not known");
        return code;
    }
    if (content == NULL) {
        struct loaded_distribution loaded;
        enum herald_code code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        content = herald__distribution__v1__content__unpack(&call_arena()->protobuf, loaded.row.content_bytes,
                                                            loaded.row.content);
        if (content == NULL) {
            return herald_error_set(reterr, HERALD_REASON_STORED_CONTENT_UNREADABLE,
                                    "the stored content of the event's distribution cannot be read");
        }
    }
    return preview_fill(&service->engine, row, request->event_id, content, response, reterr);
}
