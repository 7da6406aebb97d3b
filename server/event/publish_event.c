/*
 * PublishEvent: flow A, steps 1 to 5 and the reply. Steps 6 to 8 are publish_finish(), which the reconciler runs too.
 *
 * Any number of calls may publish the same event concurrently. The guarded UPDATE lets one of them approve it. The
 * event's lease lets one at a time finish it. The others wait for its end and answer with the stored result. The
 * approval claims the call's idempotency key; for an event that is APPROVED already, the claim comes before the lease.
 */
#include "client/base/backoff.h"
#include "herald/event/v1/event_created.pb-c.h"
#include "herald/event/v1/event_created.schema.h"
#include "server/durable/durable_settings.h"
#include "server/durable/once.h"
#include "server/durable/outbox_record.h"
#include "server/event/event_failpoints.h"
#include "server/event/publish.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

#include <string.h>

/*
 * How long a call waits before it reads an event that another call is publishing: doubled from the first to the last.
 */
#define FIRST_LOOK_MS     20
#define LAST_LOOK_MS      500
#define RECONCILE_SOON_MS 30000

/* The channels asked for, each once, in their order. */
struct channel_set {
    int channels[16];
    size_t count;
};

static bool channel_set_has(const struct channel_set *set, int channel) {
    for (size_t i = 0; i < set->count; i++) {
        if (set->channels[i] == channel) {
            return true;
        }
    }
    return false;
}

static struct channel_set asked_channels(const Herald__Event__V1__PublishEventRequest *request) {
    struct channel_set set = {0};
    for (size_t i = 0; i < request->n_selected_channels; i++) {
        int channel = (int)request->selected_channels[i];
        if (!channel_set_has(&set, channel) && set.count < sizeof(set.channels) / sizeof(set.channels[0])) {
            set.channels[set.count++] = channel;
        }
    }
    return set;
}

/* Step 3: lists all missing parts at once. */
static enum herald_code check_publish_ready(const struct event_draft *draft, const struct channel_set *channels,
                                            struct herald_error *reterr) {
    const struct {
        bool missing;
        const char *field, *remedy;
    } checks[] = {
        {draft->objective == 0, "objective", "no objective is chosen; use SelectObjective"},
        {draft->recommendation_id[0] == '\0', "recommendation",
         "no recommendation is chosen; use SelectRecommendation"},
        {draft->content_job_id[0] == '\0', "content",
         "no picture is chosen; use RequestImageGeneration, then SelectContent"},
        {channels->count == 0, "selectedChannels", "no channel is chosen; name at least one"},
    };
    unsigned missing = 0;
    struct herald_error error = {0};
    herald_error_set(&error, HERALD_REASON_NOT_PUBLISH_READY,
                     "the draft is not ready to be published; the details list what is missing");
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].missing) {
            herald_error_add_detail(&error, checks[i].field, HERALD_REASON_REQUIRED, "%s", checks[i].remedy);
            missing++;
        }
    }
    if (missing == 0) {
        return HERALD_OK;
    }
    herald_error_copy(reterr, &error);
    return error.code;
}

static enum herald_code build_event_created(const struct event_service *service, const struct event_draft *draft,
                                            int64_t approved_at_us, struct outbox_row *ret_row,
                                            struct herald_error *reterr) {
    char id[37];
    herald_uuid7(id);
    Herald__Event__V1__EventCreated created = HERALD__EVENT__V1__EVENT_CREATED__INIT;
    created.event_id = borrow_str(draft->id);
    created.user_id = borrow_str(draft->user_id);
    created.title = borrow_str(draft->title);
    created.objective = (Herald__Event__V1__Objective)draft->objective;
    struct outbox_record record = {
        .id = arena_strdup(call_arena(), id),
        .owner = "event",
        .topic = kafka_settings(service->settings)->kafka_event_topic,
        .key = draft->id,
        .source = "/herald/event",
        .encoding = kafka_settings(service->settings)->kafka_encoding,
        .time_us = approved_at_us,
        .delay_ms = kafka_settings(service->settings)->kafka_delivery_timeout_ms + 1000,
    };
    if (!record.id || !arena_timestamp(approved_at_us, &created.created_at)) {
        return arena_full(reterr, "EventCreated");
    }
    return outbox_record_build(&record, &herald_event_v1_event_created_schema, &created.base, ret_row, reterr);
}

/* Steps 3 to 5: DRAFT → APPROVED with the outbox row of EventCreated, then EventCreated itself. */
TASK_FN static enum herald_code approve(struct event_service *service, struct event_draft *draft,
                                        const struct channel_set *channels, const struct once *once,
                                        struct herald_error *reterr) {
    enum herald_code code = check_publish_ready(draft, channels, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int64_t approved_at_us = clock_wall_us();
    struct outbox_row created;
    code = build_event_created(service, draft, approved_at_us, &created, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = event_store_approve(service->db, draft->id, draft->user_id, channels->channels, channels->count,
                               approved_at_us, outbox_settings(service->settings)->outbox_lease_ms, &created,
                               once_claim_row(once), reterr);
    if (code != HERALD_OK) {
        return code;
    }
    draft->status = EVENT_APPROVED;
    draft->channels = channels->channels;
    draft->channel_count = channels->count;
    log_emit(&LOG_EVENT_APPROVED, log_str("event_id", draft->id), LOG_END);
    code = failpoint_hit(FAILPOINT_EVENT_AFTER_APPROVE, reterr);
    if (code != HERALD_OK) {
        return code;
    }

    struct herald_error late = {0};
    if (outbox_send_now(service->outbox, &created, kafka_settings(service->settings)->kafka_delivery_timeout_ms,
                        &late) != HERALD_OK) {
        log_emit(&LOG_EVENT_CREATED_LATE, log_str("event_id", draft->id), log_error(&late), LOG_END);
    }
    return HERALD_OK;
}

static enum herald_code check_same_channels(const struct event_draft *event, const struct channel_set *channels,
                                            struct herald_error *reterr) {
    bool same = channels->count == 0 || channels->count == event->channel_count;
    for (size_t i = 0; same && i < event->channel_count; i++) {
        same = channels->count == 0 || channel_set_has(channels, event->channels[i]);
    }
    if (same) {
        return HERALD_OK;
    }
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_CHANNELS_FIXED,
                         "the event is approved for other channels; publish it again with those, or with none named");
    herald_error_add_detail(reterr, "selectedChannels", HERALD_REASON_CHANNELS_FIXED,
                            "differ from those of the approval");
    return code;
}

/* Resumes an event that is APPROVED already. HERALD_ABORTED: another call holds its lease. */
TASK_FN static enum herald_code resume(struct event_service *service, const struct event_draft *event,
                                       const struct channel_set *channels, struct once *once,
                                       struct herald_error *reterr) {
    enum herald_code code = check_same_channels(event, channels, reterr);
    if (code == HERALD_OK) {
        /* Claim first: releasing a lease makes the reconciler pick the event up. */
        code = once_claim(service->db, once, reterr);
    }
    if (code == HERALD_OK) {
        code =
            event_store_try_lease(service->db, event->id, outbox_settings(service->settings)->outbox_lease_ms, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    /* the last holder of the lease may have been another attempt of this call */
    code = once_check(service->db, once, reterr);
    if (code != HERALD_OK) {
        (void)event_store_release(service->db, event->id, RECONCILE_SOON_MS, NULL);
    }
    return code;
}

/* Answers with the stored result of an event that is ACTIVE already. */
static enum herald_code answer_by_stored_results(const struct event_draft *event,
                                                 Herald__Event__V1__PublishEventResponse *response,
                                                 struct herald_error *reterr) {
    Herald__Event__V1__PublishEventResponse *stored = herald__event__v1__publish_event_response__unpack(
        &call_arena()->protobuf, event->results_bytes, event->results ? event->results : (const uint8_t *)"");
    if (!stored) {
        return herald_error_set(reterr, HERALD_REASON_STORED_RESULT_UNREADABLE,
                                "the stored result of event %s cannot be read", event->id);
    }
    *response = *stored;
    return HERALD_OK;
}

/* Reads the event and takes its next step. HERALD_ABORTED: another call was faster; call again. */
TASK_FN static enum herald_code publish_once(struct event_service *service,
                                             const Herald__Event__V1__PublishEventRequest *request,
                                             Herald__Event__V1__PublishEventResponse *response, struct once *once,
                                             struct herald_error *reterr) {
    struct channel_set channels = asked_channels(request);
    struct event_draft event; /* 1, 2: load by id and owner */
    enum herald_code code = event_store_load(service->db, request->event_draft_id, request->user_id, &event, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (event.status == EVENT_ACTIVE) {
        return answer_by_stored_results(&event, response, reterr);
    }
    if (event.status == EVENT_ENDED) {
        return herald_error_set(reterr, HERALD_REASON_WRONG_STATE, "the event is ENDED and cannot be published again");
    }
    code = event.status == EVENT_DRAFT ? approve(service, &event, &channels, once, reterr) /* 3, 4, 5 */
                                       : resume(service, &event, &channels, once, reterr);
    return code == HERALD_OK ? publish_finish(service, &event, once, response, reterr) : code; /* 6, 7, 8, 9 */
}

TASK_FN static enum herald_code publish(void *self, const ProtobufCMessage *message, ProtobufCMessage *reply,
                                        struct once *once, struct herald_error *reterr) {
    struct event_service *service = self;
    const Herald__Event__V1__PublishEventRequest *request = (const Herald__Event__V1__PublishEventRequest *)message;
    Herald__Event__V1__PublishEventResponse *response = (Herald__Event__V1__PublishEventResponse *)reply;
    enum herald_code code = publish_once(service, request, response, once, reterr);
    for (uint32_t looks = 0; code == HERALD_ABORTED; looks++) {
        /* another call was faster: read the event again after a pause */
        code = task_sleep(herald_backoff_bound_ms(FIRST_LOOK_MS, LAST_LOOK_MS, looks), reterr);
        if (code == HERALD_OK) {
            code = once_check(service->db, once, reterr);
        }
        if (code == HERALD_OK) {
            code = publish_once(service, request, response, once, reterr);
        }
    }
    return code;
}

TASK_FN enum herald_code event_publish_event(void *self, const Herald__Event__V1__PublishEventRequest *request,
                                             Herald__Event__V1__PublishEventResponse *response,
                                             struct herald_error *reterr) {
    struct event_service *service = self;
    return once_run(service->db, herald_event_v1_event_service_publish_event_method, publish, self, &request->base,
                    &response->base, reterr);
}
