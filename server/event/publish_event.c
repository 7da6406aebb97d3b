/*
 * PublishEvent: flow A, steps 1 to 5 and the reply. Steps 6 to 8 are publish_finish(), which the reconciler runs too.
 *
 * Any number of calls may publish the same event concurrently. The guarded UPDATE lets one of them approve it. The claim
 * of the event lets one at a time finish it. The others wait for its end and answer with the stored result. The approval
 * claims the call's idempotency key; for an event that is APPROVED already, the key's claim comes before the event's.
 *
 * Before the approval a failure has no effect. After it the call is accepted, whatever fails: accept_unfinished().
 */
#include "client/base/backoff.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/distribution/v1/distribution.task.h"
#include "herald/event/v1/event_created.pb-c.h"
#include "herald/event/v1/event_created.schema.h"
#include "server/durable/once.h"
#include "server/durable/outbox_record.h"
#include "server/event/event_failpoints.h"
#include "server/event/publish.h"
#include "server/event/publish_schedule.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

#include <string.h>

/*
 * How long a call waits before it reads an event that another call is publishing: doubled from the first to the last.
 */
#define FIRST_LOOK_MS     20
#define LAST_LOOK_MS      500
#define RECONCILE_SOON_MS 30000
#define RESULTS_WAIT_MS   3000 /* for the present results of an ACTIVE event; then the stored ones answer */

#define CHANNELS_MOST (HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1u) /* each once */

/* The channels asked for, each once, in their order. */
struct channel_set {
    int channels[CHANNELS_MOST];
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
        if (!channel_set_has(&set, channel) && set.count < CHANNELS_MOST) {
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

/* What the call reads first: the event, and the database's clock. */
struct publish_read {
    struct event_draft event;
    int64_t now_us;
};

/* The database's time when the call began, which its times are compared with. */
static int64_t time_of_call(const struct once *once) {
    return ((const struct publish_read *)once->read)->now_us;
}

/* What a draft of a call is approved with. */
struct approval_parts {
    struct channel_set channels;
    struct schedule schedule;
    struct event_claim *claim;
};

/* Steps 3 and 4: DRAFT → APPROVED with the outbox row of EventCreated. */
TASK_FN static enum herald_code approve_draft(struct event_service *service, const struct event_draft *draft,
                                              const struct approval_parts *parts, const struct once *once,
                                              struct outbox_row *ret_created, struct herald_error *reterr) {
    int64_t approved_at_us = time_of_call(once);
    enum herald_code code = build_event_created(service, draft, approved_at_us, ret_created, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct event_approval approval = {
        .id = draft->id,
        .user_id = draft->user_id,
        .channels = parts->channels.channels,
        .channel_count = parts->channels.count,
        .approved_at_us = approved_at_us,
        .scheduled_at_us = parts->schedule.at_us,
        .time_zone = parts->schedule.time_zone,
        .holder = instance_id(service->instance),
        .event_created = ret_created,
        .claim = once_claim_row(once),
    };
    return event_store_approve(service->db, &approval, reterr);
}

/* Steps 3 to 5 of a draft. The caller has the claim from then on. */
TASK_FN static enum herald_code approve(struct event_service *service, struct event_draft *draft,
                                        const Herald__Event__V1__PublishEventRequest *request, struct once *once,
                                        struct event_claim **ret_claim, struct herald_error *reterr) {
    struct approval_parts parts = {.channels = asked_channels(request)};
    enum herald_code code = check_publish_ready(draft, &parts.channels, reterr);
    if (code == HERALD_OK) {
        code = schedule_of(request, draft, time_of_call(once), &parts.schedule, reterr);
    }
    if (code == HERALD_OK) {
        code = claim_new(service, draft->id, &parts.claim, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    struct outbox_row created;
    /* before the approval, so that nothing can fail after it */
    const int *channels = arena_memdup(call_arena(), parts.channels.channels, sizeof(parts.channels.channels));
    code =
        channels ? approve_draft(service, draft, &parts, once, &created, reterr) : arena_full(reterr, "the channels");
    if (code != HERALD_OK) {
        claim_fail(service, parts.claim, code);
        return code;
    }
    draft->status = EVENT_APPROVED;
    draft->channel_count = parts.channels.count;
    draft->channels = channels;
    draft->scheduled_at_us = parts.schedule.at_us;
    draft->time_zone = parts.schedule.time_zone;
    log_emit(&LOG_EVENT_APPROVED, log_str("event_id", draft->id), LOG_END);
    code = failpoint_hit(FAILPOINT_EVENT_AFTER_APPROVE, reterr);
    if (code != HERALD_OK) {
        claim_release(service, parts.claim, 0);
        return code;
    }
    event_watch_look(service->watch);
    outbox_send_soon(service->outbox, &created);
    *ret_claim = parts.claim;
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

/* Claims an event that is APPROVED already. HERALD_ABORTED: another call holds it. */
TASK_FN static enum herald_code claim_event(struct event_service *service, const struct event_draft *event,
                                            struct event_claim **ret_claim, struct herald_error *reterr) {
    struct event_claim *claim = NULL;
    enum herald_code code = claim_new(service, event->id, &claim, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = event_store_claim(service->db, event->id, instance_id(service->instance), reterr);
    if (code != HERALD_OK) {
        claim_fail(service, claim, code);
        return code;
    }
    *ret_claim = claim;
    return HERALD_OK;
}

/* Resumes an event that is APPROVED already. */
TASK_FN static enum herald_code resume(struct event_service *service, const struct event_draft *event,
                                       const Herald__Event__V1__PublishEventRequest *request, struct once *once,
                                       struct event_claim **ret_claim, struct herald_error *reterr) {
    struct channel_set channels = asked_channels(request);
    enum herald_code code = check_same_channels(event, &channels, reterr);
    if (code == HERALD_OK) {
        code = schedule_check_same(request, event, reterr);
    }
    if (code == HERALD_OK) {
        /* The key first: releasing the event makes the reconciler pick it up. */
        code = once_claim(service->db, once, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    struct event_claim *claim = NULL;
    code = claim_event(service, event, &claim, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    /* the last holder may have been another attempt of this call */
    code = once_check(service->db, once, reterr);
    if (code != HERALD_OK) {
        claim_release(service, claim, RECONCILE_SOON_MS);
        return code;
    }
    *ret_claim = claim;
    return HERALD_OK;
}

/* Whether no result can change any more. */
static bool all_published(const Herald__Event__V1__PublishEventResponse *response) {
    for (size_t i = 0; i < response->n_distribution_results; i++) {
        if (response->distribution_results[i]->state != HERALD__DISTRIBUTION__V1__DELIVERY_STATE__PUBLISHED) {
            return false;
        }
    }
    return true;
}

/* Replaces the results stored with ACTIVE by the present ones: deliveries go on after it. Keeps them if that fails. */
TASK_FN static void refresh_results(struct event_service *service, const struct event_draft *event,
                                    Herald__Event__V1__PublishEventResponse *response) {
    Herald__Distribution__V1__GetDistributionRequest request = HERALD__DISTRIBUTION__V1__GET_DISTRIBUTION_REQUEST__INIT;
    request.event_id = borrow_str(event->id);
    request.user_id = borrow_str(event->user_id);
    const struct remote_options options = {.timeout_ms = RESULTS_WAIT_MS};
    const Herald__Distribution__V1__GetDistributionResponse *now = NULL;
    if (herald_distribution_v1_distribution_service_get_distribution_task(service->distribution, &request, &options,
                                                                          NULL, &now, NULL) == HERALD_OK &&
        now->n_results > 0) {
        response->n_distribution_results = now->n_results;
        response->distribution_results = now->results;
    }
}

/* Answers for an event that is ACTIVE already. */
TASK_FN static enum herald_code answer_active(struct event_service *service, const struct event_draft *event,
                                              Herald__Event__V1__PublishEventResponse *response,
                                              struct herald_error *reterr) {
    Herald__Event__V1__PublishEventResponse *stored = herald__event__v1__publish_event_response__unpack(
        &call_arena()->protobuf, event->results_bytes, event->results ? event->results : (const uint8_t *)"");
    if (!stored) {
        return herald_error_set(reterr, HERALD_REASON_STORED_RESULT_UNREADABLE,
                                "the stored result of event %s cannot be read", event->id);
    }
    *response = *stored;
    if (!all_published(response)) {
        refresh_results(service, event, response);
    }
    publish_tell_progress(service, response);
    return HERALD_OK;
}

/* Whether the event may be published, by its state and its period. */
static enum herald_code check_may_publish(const struct event_draft *event, int64_t now_us,
                                          struct herald_error *reterr) {
    if (event->status == EVENT_ENDED) {
        return herald_error_set(reterr, HERALD_REASON_WRONG_STATE, "the event is ENDED and cannot be published again");
    }
    if (event->ends_at_us != 0 && event->ends_at_us <= now_us) {
        return herald_error_set(reterr, HERALD_REASON_PERIOD_OVER,
                                event->status == EVENT_DRAFT
                                    ? "the period of the event is over; choose another with SelectPeriod"
                                    : "the period of the event is over; it ends by itself");
    }
    return HERALD_OK;
}

/* Takes the event's next step. HERALD_ABORTED: another call was faster; read it again. */
TASK_FN static enum herald_code publish_step(struct event_service *service, struct event_draft *event,
                                             const Herald__Event__V1__PublishEventRequest *request,
                                             Herald__Event__V1__PublishEventResponse *response, struct once *once,
                                             struct herald_error *reterr) {
    if (event->status == EVENT_ACTIVE) {
        return answer_active(service, event, response, reterr);
    }
    enum herald_code code = check_may_publish(event, time_of_call(once), reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct event_claim *claim = NULL;
    code = event->status == EVENT_DRAFT ? approve(service, event, request, once, &claim, reterr) /* 3, 4, 5 */
                                        : resume(service, event, request, once, &claim, reterr);
    return code == HERALD_OK ? publish_finish(service, event, claim, once, response, reterr) : code; /* 6, 7, 8, 9 */
}

/* Another call was faster: waits, and reads the event again. */
TASK_FN static enum herald_code look_at_event_again(struct event_service *service, uint32_t looks,
                                                    const struct once *once, struct event_draft *event,
                                                    struct herald_error *reterr) {
    enum herald_code code = task_sleep(herald_backoff_bound_ms(FIRST_LOOK_MS, LAST_LOOK_MS, looks), reterr);
    if (code == HERALD_OK) {
        code = once_check(service->db, once, reterr);
    }
    return code == HERALD_OK ? event_store_load(service->db, event->id, event->user_id, event, reterr) : code;
}

/* Whether something failed, as opposed to a refusal of what was asked or an answer that another attempt gave. */
static bool is_trouble(enum herald_code code) {
    switch (code) {
    case HERALD_OK:
    case HERALD_INVALID_ARGUMENT:
    case HERALD_NOT_FOUND:
    case HERALD_ALREADY_EXISTS:
    case HERALD_FAILED_PRECONDITION:
    case HERALD_DATA_LOSS:
        return false;
    default:
        return true;
    }
}

/*
 * Something kept this call from finishing an event that is APPROVED: the reply says so, the same for each cause, and the
 * reconciler goes on. It needs no memory but for the sentence. Nothing is stored under the key: a repeat waits for the end.
 */
static void accept_unfinished(const struct event_draft *event, struct once *once, const struct herald_error *cause,
                              Herald__Event__V1__PublishEventResponse *response) {
    herald__event__v1__publish_event_response__init(response);
    response->event_id = borrow_str(event->id);
    response->status = HERALD__EVENT__V1__EVENT_STATUS__APPROVED;
    response->goes_on = true;
    response->look_again_ms = cause->retry_after_ms ? cause->retry_after_ms : PUBLISH_LOOK_AGAIN_MS;
    response->reason = borrow_str(herald_reason_name(publish_unfinished_reason(cause)));
    const char *message = arena_strdup(call_arena(), cause->message);
    response->message = borrow_str(message ? message : "");
    once_leave_open(once);
}

TASK_FN static enum herald_code publish(void *self, const ProtobufCMessage *message, ProtobufCMessage *reply,
                                        struct once *once, struct herald_error *reterr) {
    struct event_service *service = self;
    const Herald__Event__V1__PublishEventRequest *request = (const Herald__Event__V1__PublishEventRequest *)message;
    Herald__Event__V1__PublishEventResponse *response = (Herald__Event__V1__PublishEventResponse *)reply;
    struct event_draft *event = &((struct publish_read *)once->read)->event;
    enum herald_code code = publish_step(service, event, request, response, once, reterr);
    for (uint32_t looks = 0; code == HERALD_ABORTED; looks++) {
        code = look_at_event_again(service, looks, once, event, reterr);
        if (code == HERALD_OK) {
            code = publish_step(service, event, request, response, once, reterr);
        }
    }
    if (event->status != EVENT_APPROVED) {
        return code;
    }
    bool trouble = is_trouble(code);
    if (trouble || code == HERALD_OK) {
        late_steps_note(&service->late, event->id, EVENT_STEP_REPLIED, 0, trouble ? reterr : NULL);
    }
    if (!trouble) {
        return code;
    }
    accept_unfinished(event, once, reterr, response);
    return HERALD_OK;
}

/* ---- steps 1 and 2: load by id and owner ---- */

static void add_event_read(struct db_batch *batch, const ProtobufCMessage *message) {
    const Herald__Event__V1__PublishEventRequest *request = (const Herald__Event__V1__PublishEventRequest *)message;
    event_store_add_load(batch, request->event_draft_id, request->user_id);
    once_add_clock(batch);
}

static enum herald_code take_event_read(const struct db_reply *reply, unsigned index, void **ret_read,
                                        struct herald_error *reterr) {
    struct publish_read *read = arena_alloc(call_arena(), sizeof(*read));
    if (!read) {
        return arena_full(reterr, "the event");
    }
    *ret_read = read;
    enum herald_code code = event_store_read_load(reply, index, &read->event, reterr);
    return code == HERALD_OK ? once_take_clock(reply, index + 1, &read->now_us, reterr) : code;
}

static const struct once_read event_read = {.add = add_event_read, .take = take_event_read};

TASK_FN enum herald_code event_publish_event(void *self, const Herald__Event__V1__PublishEventRequest *request,
                                             Herald__Event__V1__PublishEventResponse *response,
                                             struct herald_error *reterr) {
    struct event_service *service = self;
    return once_run_reading(service->db, herald_event_v1_event_service_publish_event_method, &event_read, publish, self,
                            &request->base, &response->base, reterr);
}
