/* The message EventDraft of a stored draft. Strings are borrowed from the draft, all else is in the arena. */
#include "server/event/draft_message.h"

#include "server/runtime/proto_arena.h"

static bool has(const char *text) {
    return text[0] != '\0';
}

static bool add_recommendation(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    if (!has(draft->recommendation_id)) {
        return true;
    }
    Herald__Event__V1__Recommendation *chosen = ARENA_MESSAGE(herald__event__v1__recommendation);
    if (!chosen) {
        return false;
    }
    chosen->recommendation_id = borrow_str(draft->recommendation_id);
    chosen->title = borrow_str(draft->recommendation_title);
    chosen->summary = borrow_str(draft->recommendation_summary);
    message->recommendation = chosen;
    return true;
}

static bool add_content(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    if (!has(draft->content_job_id)) {
        return true;
    }
    Herald__Event__V1__SelectedContent *content = ARENA_MESSAGE(herald__event__v1__selected_content);
    if (!content) {
        return false;
    }
    content->job_id = borrow_str(draft->content_job_id);
    content->style = (Herald__Job__V1__Style)draft->content_style;
    content->png_url = borrow_str(draft->content_png_url);
    content->jpeg_url = borrow_str(draft->content_jpeg_url);
    message->content = content;
    return true;
}

static bool add_store(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    Herald__Job__V1__StoreInfo *store = ARENA_MESSAGE(herald__job__v1__store_info);
    if (!store) {
        return false;
    }
    store->name = borrow_str(draft->store_name);
    store->address = borrow_str(draft->store_address);
    store->phone = borrow_str(draft->store_phone);
    message->store_info = store;
    return true;
}

static bool add_channels(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    if (draft->channel_count == 0) {
        return true;
    }
    message->selected_channels =
        arena_calloc(call_arena(), draft->channel_count, sizeof(message->selected_channels[0]));
    if (!message->selected_channels) {
        return false;
    }
    for (size_t i = 0; i < draft->channel_count; i++) {
        message->selected_channels[i] = (Herald__Distribution__V1__Channel)draft->channels[i];
    }
    message->n_selected_channels = draft->channel_count;
    return true;
}

static bool was_tried(const struct event_draft *draft, int channel) {
    for (size_t i = 0; i < draft->tried_count; i++) {
        if (draft->tried_channels[i] == channel) {
            return true;
        }
    }
    return false;
}

static bool add_deliveries(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    if (draft->delivery_count == 0) {
        return true;
    }
    message->deliveries = arena_calloc(call_arena(), draft->delivery_count, sizeof(message->deliveries[0]));
    for (size_t i = 0; message->deliveries && i < draft->delivery_count; i++) {
        Herald__Event__V1__DeliverySummary *summary = ARENA_MESSAGE(herald__event__v1__delivery_summary);
        if (!summary) {
            return false;
        }
        summary->channel = (Herald__Distribution__V1__Channel)draft->delivery_channels[i];
        summary->state = (Herald__Distribution__V1__DeliveryState)draft->delivery_states[i];
        summary->attempted = was_tried(draft, draft->delivery_channels[i]);
        message->deliveries[message->n_deliveries++] = summary;
    }
    return message->deliveries != NULL;
}

static bool add_times(Herald__Event__V1__EventDraft *message, const struct event_draft *draft) {
    return arena_timestamp(draft->created_at_us, &message->created_at) &&
           arena_timestamp(draft->updated_at_us, &message->updated_at) &&
           arena_timestamp(draft->approved_at_us, &message->approved_at) &&
           arena_timestamp(draft->published_at_us, &message->published_at) &&
           arena_timestamp(draft->ended_at_us, &message->ended_at) &&
           arena_timestamp(draft->starts_at_us, &message->starts_at) &&
           arena_timestamp(draft->ends_at_us, &message->ends_at) &&
           arena_timestamp(draft->scheduled_at_us, &message->scheduled_at);
}

Herald__Event__V1__EventDraft *draft_message(const struct event_draft *draft) {
    Herald__Event__V1__EventDraft *message = ARENA_MESSAGE(herald__event__v1__event_draft);
    if (!message) {
        return NULL;
    }
    message->event_draft_id = borrow_str(draft->id);
    message->user_id = borrow_str(draft->user_id);
    message->status = (Herald__Event__V1__EventStatus)draft->status;
    message->title = borrow_str(draft->title);
    message->prize = borrow_str(draft->prize);
    message->brand_color = borrow_str(draft->brand_color);
    message->logo_url = borrow_str(draft->logo_url);
    message->objective = (Herald__Event__V1__Objective)draft->objective;
    message->image_job_id = borrow_str(draft->image_job_id);
    message->time_zone = borrow_str(draft->time_zone);
    bool complete = add_store(message, draft) && add_recommendation(message, draft) && add_content(message, draft) &&
                    add_channels(message, draft) && add_deliveries(message, draft) && add_times(message, draft);
    return complete ? message : NULL;
}
