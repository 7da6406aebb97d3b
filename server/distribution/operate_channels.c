/* What operators see and do: ListChannels, ControlChannel, ListUnknownDeliveries, ResolveDelivery. */
#include "client/base/or_default.h"
#include "server/distribution/adapter.h"
#include "server/distribution/channel_store.h"
#include "server/distribution/distribution_service.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/drive.h"
#include "server/distribution/look.h"
#include "server/distribution/results.h"
#include "server/runtime/proto_arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name)   HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name)  HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define RESOLVE(name) HERALD__DISTRIBUTION__V1__RESOLUTION__##name

#define PAGE_DEFAULT 20
#define UNCHANGED    (-1)

typedef Herald__Distribution__V1__ChannelInfo ChannelInfo;
typedef Herald__Distribution__V1__ChannelCapabilities ChannelCapabilities;
typedef Herald__Distribution__V1__UnknownDelivery UnknownDelivery;

/* ---- channels ---- */

static ChannelCapabilities *capabilities_message(const struct channel_capabilities *can) {
    ChannelCapabilities *message = ARENA_MESSAGE(herald__distribution__v1__channel_capabilities);
    if (message) {
        message->idempotency = can->idempotency;
        message->look_up = can->look_up;
        message->schedule = can->schedule;
        message->cancel = can->cancel;
        message->edit = can->edit;
        message->unpublish = can->unpublish;
        message->metrics = can->metrics;
        message->quota = can->quota;
        message->quiet_hours = can->quiet_hours;
        message->assisted = can->assisted;
    }
    return message;
}

static ChannelInfo *channel_message(const struct distribution_service *service, const struct channel_row *row,
                                    const struct channel_backlog *backlog) {
    struct channel_view view;
    channel_view(engine_channel(&service->engine, row), &view);
    ChannelInfo *info = ARENA_MESSAGE(herald__distribution__v1__channel_info);
    const char *note = arena_strdup(call_arena(), view.note);
    int64_t until_us =
        view.breaker_retry_ms > 0 ? instance_now_us(service->engine.instance) + view.breaker_retry_ms * 1000LL : 0;
    if (!info || !note || !arena_timestamp(until_us, &info->breaker_until) ||
        !arena_timestamp(view.token_ends_us, &info->token_expires_at)) {
        return NULL;
    }
    info->channel = (Herald__Distribution__V1__Channel)row->number;
    info->display_name = borrow_str(row->display_name);
    info->adapter = borrow_str(row->adapter->name);
    info->capabilities = capabilities_message(&row->can);
    info->configured = view.configured;
    info->pause = (Herald__Distribution__V1__ChannelPause)view.pause;
    info->pause_text = borrow_str(note);
    info->breaker_state = borrow_str(breaker_state_name(view.breaker.state));
    info->failure_rate = view.breaker.failure_rate;
    info->slow_rate = view.breaker.slow_rate;
    info->in_flight = view.in_flight;
    info->max_in_flight = view.max_in_flight;
    info->waiting = backlog->waiting;
    info->unknown = backlog->unknown;
    info->quota_used = view.quota_used;
    info->quota_total = view.quota_total;
    return info->capabilities ? info : NULL;
}

/* Reads when renewed tokens end: this process may not have used them yet. */
TASK_FN static enum herald_code read_token_ends(const struct distribution_service *service,
                                                struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        struct channel_state *state = service->engine.process->channels[i];
        struct stored_token stored = {.token = ""};
        if (channel_rows[i].adapter->renews_token) {
            code = channel_store_token_load(service->engine.db, &channel_rows[i], channel_state_setup(state)->secret,
                                            &stored, reterr);
        }
        if (code == HERALD_OK && stored.token[0] != '\0') {
            channel_token_ends(state, stored.expires_at_us);
        }
    }
    return code;
}

TASK_FN enum herald_code distribution_list_channels(void *self,
                                                    const Herald__Distribution__V1__ListChannelsRequest *request,
                                                    Herald__Distribution__V1__ListChannelsResponse *response,
                                                    struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct channel_backlog backlogs[CHANNEL_COUNT];
    (void)request;
    enum herald_code code = channel_store_backlog(service->engine.db, backlogs, reterr);
    if (code == HERALD_OK) {
        code = read_token_ends(service, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->channels = arena_calloc(call_arena(), CHANNEL_COUNT, sizeof(*response->channels));
    for (size_t i = 0; response->channels && i < CHANNEL_COUNT; i++) {
        response->channels[i] = channel_message(service, &channel_rows[i], &backlogs[i]);
        if (!response->channels[i]) {
            return arena_full(reterr, "the channels");
        }
    }
    response->n_channels = response->channels ? CHANNEL_COUNT : 0;
    return response->channels ? HERALD_OK : arena_full(reterr, "the channels");
}

/* What an action stores. */
struct channel_change {
    int pause, breaker;
    bool resets;
};

static struct channel_change change_of(int action) {
    switch (action) {
    case ACTION(PAUSE):
        return (struct channel_change){PAUSE(PAUSED_BY_OPERATOR), UNCHANGED, false};
    case ACTION(RESUME):
        return (struct channel_change){PAUSE(NOT_PAUSED), UNCHANGED, false};
    case ACTION(BREAKER_AUTOMATIC):
        return (struct channel_change){UNCHANGED, action, true};
    default:
        return (struct channel_change){UNCHANGED, action, false};
    }
}

/* Reads the controls again, so that the answering process follows at once. */
TASK_FN static enum herald_code follow_controls(const struct distribution_service *service,
                                                struct herald_error *reterr) {
    struct channel_control controls[CHANNEL_COUNT];
    enum herald_code code = channel_store_load(service->engine.db, controls, reterr);
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        channel_control_apply(service->engine.process->channels[i], &controls[i]);
    }
    return code;
}

TASK_FN enum herald_code distribution_control_channel(void *self,
                                                      const Herald__Distribution__V1__ControlChannelRequest *request,
                                                      Herald__Distribution__V1__ControlChannelResponse *response,
                                                      struct herald_error *reterr) {
    struct distribution_service *service = self;
    const struct channel_row *row = channel_find((int)request->channel);
    if (row == NULL) {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "channel is not known");
        herald_error_add_detail(reterr, "channel", HERALD_REASON_UNKNOWN_VALUE, "is not known");
        return code;
    }
    struct channel_change change = change_of((int)request->action);
    struct channel_backlog backlogs[CHANNEL_COUNT];
    enum herald_code code = channel_store_control(service->engine.db, row, change.pause, change.breaker, request->note,
                                                  change.resets, reterr);
    if (code == HERALD_OK && (change.pause == PAUSE(NOT_PAUSED) || change.resets)) {
        code = channel_store_wake(service->engine.db, row, reterr);
    }
    if (code == HERALD_OK) {
        code = follow_controls(service, reterr);
    }
    if (code == HERALD_OK) {
        look_at(service->engine.look, 0);
        code = channel_store_backlog(service->engine.db, backlogs, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    response->channel = channel_message(service, row, &backlogs[channel_index(row)]);
    return response->channel ? HERALD_OK : arena_full(reterr, "the channel");
}

/* ---- unknown deliveries ---- */

#define PLACE_FORMAT "%" PRId64 ".%.36s.%d"

static enum herald_code read_place(const char *token, struct unknown_place *ret_place, char event_id[37],
                                   struct herald_error *reterr) {
    *ret_place = (struct unknown_place){0};
    if (token[0] == '\0') {
        return HERALD_OK;
    }
    int end = 0;
    if (sscanf(token, "%" SCNd64 ".%36[0-9a-fA-F-].%d%n", &ret_place->updated_at_us, event_id, &ret_place->channel,
               &end) != 3 ||
        token[end] != '\0' || strlen(event_id) != 36) {
        return herald_error_set(reterr, HERALD_REASON_BAD_PAGE_TOKEN,
                                "page_token is not one that an earlier page gave");
    }
    ret_place->event_id = event_id;
    return HERALD_OK;
}

static UnknownDelivery *unknown_message(const struct engine_process *process, const struct unknown_row *row) {
    UnknownDelivery *message = ARENA_MESSAGE(herald__distribution__v1__unknown_delivery);
    const struct channel_row *channel = channel_find(row->delivery.channel);
    char *key = arena_alloc(call_arena(), 37);
    if (!message || !key || !delivery_result(process, &row->delivery, &message->result)) {
        return NULL;
    }
    key[0] = '\0';
    if (channel != NULL) {
        delivery_key(row->event_id, channel, key);
    }
    message->event_id = borrow_str(row->event_id);
    message->user_id = borrow_str(row->owner);
    message->key = key;
    return message;
}

TASK_FN enum herald_code
distribution_list_unknown_deliveries(void *self, const Herald__Distribution__V1__ListUnknownDeliveriesRequest *request,
                                     Herald__Distribution__V1__ListUnknownDeliveriesResponse *response,
                                     struct herald_error *reterr) {
    struct distribution_service *service = self;
    uint32_t page_size = herald_or_default(request->page_size, PAGE_DEFAULT);
    struct unknown_place place;
    char event_id[37];
    struct unknown_row *rows = NULL;
    size_t count = 0;
    enum herald_code code = read_place(request->page_token, &place, event_id, reterr);
    if (code == HERALD_OK) {
        code = delivery_store_unknown(service->engine.db, (int)request->channel, &place, page_size + 1, &rows, &count,
                                      reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    bool more = count > page_size;
    count = more ? page_size : count;
    response->deliveries = arena_calloc(call_arena(), count, sizeof(*response->deliveries));
    for (size_t i = 0; response->deliveries && i < count; i++) {
        response->deliveries[i] = unknown_message(service->engine.process, &rows[i]);
        if (!response->deliveries[i]) {
            return arena_full(reterr, "the deliveries");
        }
    }
    const struct unknown_row *last = more ? &rows[count - 1] : NULL;
    const char *next =
        last ? arena_printf(call_arena(), PLACE_FORMAT, last->updated_at_us, last->event_id, last->delivery.channel)
             : "";
    if (!response->deliveries || !next) {
        return arena_full(reterr, "the deliveries");
    }
    response->n_deliveries = count;
    response->next_page_token = borrow_str(next);
    return HERALD_OK;
}

/* The delivery as the resolution leaves it. */
static struct delivery_row resolved_row(const Herald__Distribution__V1__ResolveDeliveryRequest *request) {
    struct delivery_row row = {
        .channel = (int)request->channel,
        .state = STATE(PUBLISHED),
        .settled = true,
        .remote_id = request->remote_id,
        .post_url = request->url,
        .reason = "",
        .message = "",
    };
    if (request->resolution == RESOLVE(SEND_AGAIN)) {
        row.state = STATE(READY);
        row.settled = false;
    } else if (request->resolution == RESOLVE(GIVE_UP)) {
        row.state = STATE(REJECTED);
        row.reason = herald_reason_name(HERALD_REASON_GIVEN_UP);
        row.message = "a person found that the channel does not have the post";
    }
    return row;
}

TASK_FN enum herald_code distribution_resolve_delivery(void *self,
                                                       const Herald__Distribution__V1__ResolveDeliveryRequest *request,
                                                       Herald__Distribution__V1__ResolveDeliveryResponse *response,
                                                       struct herald_error *reterr) {
    static const int FROM[] = {STATE(OUTCOME_UNKNOWN)};
    struct distribution_service *service = self;
    const struct channels_settings *settings = channels_settings(service->settings);
    struct delivery_row row = resolved_row(request), *found = NULL;
    struct loaded_distribution loaded;
    uint32_t changed = 0;
    enum herald_code code = delivery_store_resolve(service->engine.db, request->event_id, FROM, 1, &row,
                                                   settings->channels_keep_trying_s * UINT64_C(1000),
                                                   settings->channels_report_ms, &changed, reterr);
    if (code == HERALD_OK) {
        code = distribution_load_of(service, request->event_id, "", &loaded, reterr);
    }
    if (code == HERALD_OK) {
        code = distribution_find_delivery(&loaded, row.channel, &found, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    if (changed == 0 && found->state != row.state) {
        return herald_error_set(
            reterr, HERALD_REASON_OUTCOME_KNOWN, "the delivery is %s: its outcome is not in question",
            herald_distribution_v1_delivery_state_name((Herald__Distribution__V1__DeliveryState)found->state));
    }
    watch_tell(&service->engine.watch, request->event_id, loaded.row.version);
    look_at(service->engine.look, 0);
    return delivery_result(service->engine.process, found, &response->result) ? HERALD_OK
                                                                              : arena_full(reterr, "the result");
}
