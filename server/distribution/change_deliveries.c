/* What an event's owner does: RetryDelivery, CancelDistribution, ScheduleDistribution, ConfirmAssistedPublish. */
#include "server/distribution/adapter.h"
#include "server/distribution/distribution_service.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/look.h"
#include "server/distribution/results.h"
#include "server/runtime/proto_arena.h"

#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define PAST_ALLOWED_US 60000000LL            /* a schedule this long ago counts as now */
#define AHEAD_MOST_US   (366LL * 86400000000) /* a schedule is at most this far ahead */

typedef Herald__Distribution__V1__ChannelResult ChannelResult;
typedef Herald__Distribution__V1__ScheduleDistributionRequest ScheduleRequest;

static uint64_t keep_trying_ms(const struct distribution_service *service) {
    return channels_settings(service->settings)->channels_keep_trying_s * UINT64_C(1000);
}

static uint32_t report_ms(const struct distribution_service *service) {
    return channels_settings(service->settings)->channels_report_ms;
}

/* Reads a user's distribution, and checks that it has the channel if one is named. */
TASK_FN static enum herald_code load_for_change(const struct distribution_service *service, const char *event_id,
                                                const char *user_id, int channel, struct loaded_distribution *loaded,
                                                struct herald_error *reterr) {
    struct delivery_row *found = NULL;
    enum herald_code code = distribution_load_of(service, event_id, user_id, loaded, reterr);
    return code == HERALD_OK && channel != 0 ? distribution_find_delivery(loaded, channel, &found, reterr) : code;
}

/* Reads the deliveries after a change, as results. Who waits for the distribution is told. */
TASK_FN static enum herald_code results_after(struct distribution_service *service, const char *event_id,
                                              const char *user_id, ChannelResult ***ret_results, size_t *ret_count,
                                              struct herald_error *reterr) {
    struct loaded_distribution loaded;
    enum herald_code code = distribution_load_of(service, event_id, user_id, &loaded, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    watch_tell(&service->engine.watch, event_id, loaded.row.version);
    *ret_count = loaded.count;
    return delivery_results(service->engine.process, loaded.deliveries, loaded.count, ret_results)
               ? HERALD_OK
               : arena_full(reterr, "the results");
}

TASK_FN enum herald_code distribution_retry_delivery(void *self,
                                                     const Herald__Distribution__V1__RetryDeliveryRequest *request,
                                                     Herald__Distribution__V1__RetryDeliveryResponse *response,
                                                     struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    int channel = (int)request->channel;
    enum herald_code code = load_for_change(service, request->event_id, request->user_id, channel, &loaded, reterr);
    if (code == HERALD_OK) {
        code = delivery_store_retry(service->engine.db, request->event_id, channel, keep_trying_ms(service),
                                    report_ms(service), &response->retried, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    look_at(service->engine.look, 0);
    return results_after(service, request->event_id, request->user_id, &response->results, &response->n_results,
                         reterr);
}

TASK_FN enum herald_code
distribution_cancel_distribution(void *self, const Herald__Distribution__V1__CancelDistributionRequest *request,
                                 Herald__Distribution__V1__CancelDistributionResponse *response,
                                 struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    int channel = (int)request->channel;
    enum herald_code code = load_for_change(service, request->event_id, request->user_id, channel, &loaded, reterr);
    if (code == HERALD_OK) {
        code = delivery_store_cancel(service->engine.db, request->event_id, channel, report_ms(service),
                                     &response->cancelled, reterr);
    }
    return code == HERALD_OK ? results_after(service, request->event_id, request->user_id, &response->results,
                                             &response->n_results, reterr)
                             : code;
}

/* ---- schedule ---- */

static enum herald_code bad_schedule(const char *field, struct herald_error *reterr, const char *what) {
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "%s %s", field, what);
    herald_error_add_detail(reterr, field, HERALD_REASON_BAD_TIME, "%s", what);
    return code;
}

/* The instant that the request names, by the time zones that Postgres knows. */
TASK_FN static enum herald_code find_instant(const struct distribution_service *service, const ScheduleRequest *request,
                                             int64_t *ret_at_us, struct herald_error *reterr) {
    bool has_instant = request->scheduled_at != NULL, has_local = request->local_time[0] != '\0';
    if (has_instant == has_local) {
        return bad_schedule("scheduledAt", reterr, "and localTime: exactly one of them must be set");
    }
    struct local_time local;
    enum herald_code code = delivery_store_local_time(service->engine.db, request->time_zone,
                                                      has_local ? request->local_time : NULL, &local, reterr);
    if (code == HERALD_INTERNAL && has_local) {
        return bad_schedule("localTime", reterr, "is no date and time of day that exists");
    }
    if (code != HERALD_OK) {
        return code;
    }
    if (!local.zone_known) {
        return bad_schedule("timeZone", reterr, "is not the IANA name of a time zone, such as Asia/Seoul");
    }
    if (has_local && !local.exists) {
        return bad_schedule("localTime", reterr,
                            "does not exist there: clocks are put forward over it; choose a later time");
    }
    if (has_local && local.twice) {
        return bad_schedule("localTime", reterr,
                            "exists twice there: clocks are put back over it; give scheduledAt instead");
    }
    *ret_at_us = has_local ? local.at_us : timestamp_us(request->scheduled_at);
    int64_t ahead_us = *ret_at_us - instance_now_us(service->engine.instance);
    if (ahead_us < -PAST_ALLOWED_US || ahead_us > AHEAD_MOST_US) {
        return bad_schedule(has_local ? "localTime" : "scheduledAt", reterr, "is past, or more than a year ahead");
    }
    return HERALD_OK;
}

TASK_FN enum herald_code
distribution_schedule_distribution(void *self, const Herald__Distribution__V1__ScheduleDistributionRequest *request,
                                   Herald__Distribution__V1__ScheduleDistributionResponse *response,
                                   struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    int64_t at_us = 0;
    uint32_t changed = 0;
    enum herald_code code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
    if (code == HERALD_OK) {
        code = find_instant(service, request, &at_us, reterr);
    }
    if (code == HERALD_OK) {
        code = delivery_store_schedule(service->engine.db, request->event_id, at_us, request->time_zone,
                                       keep_trying_ms(service), &changed, reterr);
    }
    if (code == HERALD_OK && changed == 0) {
        return herald_error_set(reterr, HERALD_REASON_NOTHING_LEFT_TO_SEND,
                                "each delivery of the event is sent, on its way, or over");
    }
    if (code != HERALD_OK) {
        return code;
    }
    int64_t now_us = instance_now_us(service->engine.instance);
    look_at(service->engine.look, at_us > now_us ? (uint64_t)(at_us - now_us) / 1000 : 0);
    code =
        results_after(service, request->event_id, request->user_id, &response->results, &response->n_results, reterr);
    return code == HERALD_OK && !arena_timestamp(at_us, &response->scheduled_at) ? arena_full(reterr, "the instant")
                                                                                 : code;
}

/* ---- assisted publishing ---- */

/* Whether the address can be that of a post at the channel, as far as its adapter knows. */
static enum herald_code check_post_url(const struct distribution_service *service, int channel, const char *url,
                                       struct herald_error *reterr) {
    static const char WHAT[] = "is no address of a post at the channel; such an address begins with";
    const struct channel_row *row = channel_find(channel);
    if (row == NULL || row->adapter->accepts_url == NULL) {
        return HERALD_OK;
    }
    const struct channel_setup *setup = channel_state_setup(engine_channel(&service->engine, row));
    if (row->adapter->accepts_url(setup, url)) {
        return HERALD_OK;
    }
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "url %s %s", WHAT, setup->url);
    herald_error_add_detail(reterr, "url", HERALD_REASON_NOT_ALLOWED, "%s %s", WHAT, setup->url);
    return code;
}

TASK_FN enum herald_code distribution_confirm_assisted_publish(
    void *self, const Herald__Distribution__V1__ConfirmAssistedPublishRequest *request,
    Herald__Distribution__V1__ConfirmAssistedPublishResponse *response, struct herald_error *reterr) {
    static const int FROM[] = {STATE(AWAITING_OPERATOR)};
    struct distribution_service *service = self;
    struct loaded_distribution loaded;
    struct delivery_row *found = NULL;
    uint32_t changed = 0;
    int channel = (int)request->channel;
    enum herald_code code = load_for_change(service, request->event_id, request->user_id, channel, &loaded, reterr);
    if (code == HERALD_OK) {
        code = check_post_url(service, channel, request->url, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    struct delivery_row row = {
        .channel = channel,
        .state = STATE(PUBLISHED),
        .settled = true,
        .remote_id = "",
        .post_url = request->url,
        .reason = "",
        .message = "",
    };
    code = delivery_store_resolve(service->engine.db, request->event_id, FROM, 1, &row, keep_trying_ms(service),
                                  report_ms(service), &changed, reterr);
    if (code == HERALD_OK) {
        code = load_for_change(service, request->event_id, request->user_id, channel, &loaded, reterr);
    }
    if (code == HERALD_OK) {
        code = distribution_find_delivery(&loaded, channel, &found, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    bool repeated = found->state == STATE(PUBLISHED) && strcmp(found->post_url, request->url) == 0;
    if (changed == 0 && !repeated) {
        return herald_error_set(reterr, HERALD_REASON_NOT_AWAITING_OPERATOR,
                                "the delivery does not wait for a person to post it");
    }
    watch_tell(&service->engine.watch, request->event_id, loaded.row.version);
    return delivery_result(service->engine.process, found, &response->result) ? HERALD_OK
                                                                              : arena_full(reterr, "the result");
}
