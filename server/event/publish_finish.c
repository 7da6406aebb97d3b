/* Flow A, steps 6 to 9: from an APPROVED event to an ACTIVE one. */
#include "client/base/backoff.h"
#include "client/base/minimum.h"
#include "herald/distribution/v1/distribution.schema.h"
#include "herald/distribution/v1/distribution.task.h"
#include "server/durable/outbox_record.h"
#include "server/event/distribute_outcome.h"
#include "server/event/event_failpoints.h"
#include "server/event/event_settings.h"
#include "server/event/publish.h"
#include "server/runtime/proto_arena.h"

#include <string.h>

typedef Herald__Distribution__V1__DistributeResponse DistributeResponse;

#define SECOND_DELETE_MS 2000     /* time from ACTIVE to the second cache deletion, by the outbox */
#define FIRST_LOOK_MS    1000     /* before the reconciler looks again whether a channel has accepted the event, */
#define LAST_LOOK_MS     60000    /* doubled each time up to this delay; longer where no attempt is due earlier */
#define LONGEST_LOOK_MS  86400000 /* the longest delay */
#define IDLE_LOOK_MS     3600000  /* doubled up to this delay where nothing goes on by itself */
#define AFTER_ATTEMPT_MS 500      /* how long after an attempt is due it is looked for */
#define FIRST_RETRY_MS   500
#define LAST_RETRY_MS    60000

struct distribute_message {
    Herald__Distribution__V1__DistributeRequest request;
    Herald__Distribution__V1__Content content;
    Herald__Job__V1__StoreInfo store;
    Herald__Distribution__V1__Channel channels[HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT];
    Google__Protobuf__Timestamp scheduled_at, expires_at;
};

/* A timestamp in @place; NULL for none. */
static Google__Protobuf__Timestamp *fill_timestamp(Google__Protobuf__Timestamp *place, int64_t us) {
    google__protobuf__timestamp__init(place);
    place->seconds = us / 1000000;
    place->nanos = (int32_t)(us % 1000000) * 1000;
    return us != 0 ? place : NULL;
}

static void fill_message(struct distribute_message *message, const struct event_draft *event) {
    herald__job__v1__store_info__init(&message->store);
    message->store.name = borrow_str(event->store_name);
    message->store.address = borrow_str(event->store_address);
    message->store.phone = borrow_str(event->store_phone);
    herald__distribution__v1__content__init(&message->content);
    message->content.title = borrow_str(event->title);
    message->content.prize = borrow_str(event->prize);
    message->content.text = borrow_str(event->recommendation_summary);
    message->content.store_info = &message->store;
    message->content.png_url = borrow_str(event->content_png_url);
    message->content.jpeg_url = borrow_str(event->content_jpeg_url);
    herald__distribution__v1__distribute_request__init(&message->request);
    message->request.event_id = borrow_str(event->id);
    message->request.user_id = borrow_str(event->user_id);
    message->request.scheduled_at = fill_timestamp(&message->scheduled_at, event->scheduled_at_us);
    message->request.time_zone = borrow_str(event->time_zone);
    message->request.expires_at = fill_timestamp(&message->expires_at, event->ends_at_us);
    message->request.content = &message->content;
    message->request.channels = message->channels;
    for (size_t i = 0; i < event->channel_count && i < sizeof(message->channels) / sizeof(message->channels[0]); i++) {
        message->channels[i] = (Herald__Distribution__V1__Channel)event->channels[i];
        message->request.n_channels = i + 1;
    }
}

static enum breaker_outcome breaker_outcome_of(enum herald_code code, const struct herald_error *error,
                                               bool whole_budget) {
    enum herald_reason reason = code != HERALD_OK && error ? herald_reason_find(error->reason) : HERALD_REASON_NONE;
    return distribute_outcome(code, reason, call_check(NULL) == HERALD_OK, whole_budget);
}

/* Step 6: the distribution call, behind the breaker, inside its budget. */
TASK_FN static enum herald_code distribute(struct event_service *service, const struct event_draft *event,
                                           const DistributeResponse **ret_response, struct herald_error *reterr) {
    struct breaker_permit permit;
    enum herald_code code = breaker_admit(service->distribution_breaker, &permit, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct distribute_message message;
    fill_message(&message, event);
    bool whole_budget = call_remaining_ms() >= publish_settings(service->settings)->publish_timeout_ms;
    struct remote_options options = {.timeout_ms = publish_settings(service->settings)->publish_timeout_ms};
    code = herald_distribution_v1_distribution_service_distribute_task(service->distribution, &message.request,
                                                                       &options, NULL, ret_response, reterr);
    breaker_record(service->distribution_breaker, &permit, breaker_outcome_of(code, reterr, whole_budget));
    return code;
}

/* The reason for the caller: its own call ended, or the distribution failed. */
static enum herald_reason reason_of_cause(const struct herald_error *cause) {
    if (herald_error_is(cause, HERALD_REASON_BREAKER_OPEN)) {
        return HERALD_REASON_BREAKER_OPEN;
    }
    if (cause->code == HERALD_DEADLINE_EXCEEDED) {
        return HERALD_REASON_DISTRIBUTION_TIMEOUT;
    }
    return cause->code == HERALD_CANCELLED ? HERALD_REASON_DISTRIBUTION_CANCELLED
                                           : HERALD_REASON_DISTRIBUTION_UNAVAILABLE;
}

enum herald_reason publish_unfinished_reason(const struct herald_error *cause) {
    enum herald_reason reason = herald_reason_find(cause->reason);
    switch (reason) {
    case HERALD_REASON_BREAKER_OPEN:
    case HERALD_REASON_DISTRIBUTION_UNAVAILABLE:
    case HERALD_REASON_DISTRIBUTION_TIMEOUT:
    case HERALD_REASON_DISTRIBUTION_CANCELLED:
        return reason;
    default:
        break;
    }
    bool ended = cause->code == HERALD_DEADLINE_EXCEEDED || cause->code == HERALD_CANCELLED;
    return ended ? reason_of_cause(cause) : HERALD_REASON_PUBLISH_UNFINISHED;
}

/*
 * The publication did not end: leaves the event to the reconciler and says when the caller should look again.
 *
 * @error  the cause; becomes the caller's error. A struct of its own for either would be a large part of the memory of a
 *         publish that waits
 */
TASK_FN static enum herald_code leave_to_reconciler(struct event_service *service, const struct event_draft *event,
                                                    struct event_claim *claim, enum herald_reason reason,
                                                    struct herald_error *error) {
    uint32_t retry_ms = herald_backoff_bound_ms(FIRST_RETRY_MS, LAST_RETRY_MS, event->reconcile_attempts);
    log_emit(&LOG_EVENT_DISTRIBUTION_FAILED, log_str("event_id", event->id), log_error(error), LOG_END);
    claim_release(service, claim, retry_ms);
    uint32_t cause_retry_ms = error->retry_after_ms;
    char cause[sizeof(error->message)];
    memcpy(cause, error->message, sizeof(cause));
    enum herald_code code = herald_error_set(
        error, reason, "the event is APPROVED and will be finished in the background; its delivery did not end now: %s",
        cause);
    error->retry_after_ms = cause_retry_ms ? cause_retry_ms : retry_ms;
    return code;
}

/*
 * Whether some delivery goes on by itself.
 *
 * @ret_until_ms  set if so: how long until the first of them has been tried, LONGEST_LOOK_MS at most; 0: one is under way
 */
static bool goes_on_in(const struct event_service *service, Herald__Distribution__V1__ChannelResult *const *results,
                       size_t count, uint32_t *ret_until_ms) {
    int64_t now_us = instance_now_us(service->instance), first_us = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (results[i]->expires_at) { /* it goes on by itself */
            int64_t next_us = results[i]->next_attempt_at ? timestamp_us(results[i]->next_attempt_at) : now_us;
            first_us = herald_min_i64(first_us, next_us);
        }
    }
    if (first_us == INT64_MAX) {
        return false;
    }
    int64_t until_ms = first_us > now_us ? (first_us - now_us) / 1000 + AFTER_ATTEMPT_MS : 0;
    *ret_until_ms = (uint32_t)herald_min_i64(until_ms, LONGEST_LOOK_MS);
    return true;
}

static unsigned fill_response(const struct event_service *service, const struct event_draft *event,
                              const DistributeResponse *delivered, Herald__Event__V1__PublishEventResponse *response) {
    unsigned accepted = 0;
    for (size_t i = 0; i < delivered->n_results; i++) {
        accepted += delivered->results[i]->accepted ? 1 : 0;
    }
    response->event_id = borrow_str(event->id);
    response->status = accepted ? HERALD__EVENT__V1__EVENT_STATUS__ACTIVE : HERALD__EVENT__V1__EVENT_STATUS__APPROVED;
    response->n_distribution_results = delivered->n_results;
    response->distribution_results = delivered->results;
    publish_tell_progress(service, response);
    return accepted;
}

void publish_tell_progress(const struct event_service *service, Herald__Event__V1__PublishEventResponse *response) {
    uint32_t until_ms = 0;
    response->goes_on =
        goes_on_in(service, response->distribution_results, response->n_distribution_results, &until_ms);
    response->look_again_ms = response->goes_on ? herald_max_u32(until_ms, PUBLISH_LOOK_AGAIN_MS) : 0;
}

/*
 * When to look again whether a channel has accepted the event, ms. Rarely where nothing goes on by itself: an operator
 * may resolve or retry a delivery, and nobody tells this server.
 */
static uint32_t next_look_ms(const struct event_service *service, const struct event_draft *event,
                             const DistributeResponse *delivered) {
    uint32_t until_ms = 0;
    if (!goes_on_in(service, delivered->results, delivered->n_results, &until_ms)) {
        return herald_backoff_bound_ms(LAST_LOOK_MS, IDLE_LOOK_MS, event->reconcile_attempts);
    }
    uint32_t backoff_ms = herald_backoff_bound_ms(FIRST_LOOK_MS, LAST_LOOK_MS, event->reconcile_attempts);
    return herald_max_u32(until_ms, backoff_ms);
}

/* No channel has accepted the event yet: it stays APPROVED. The reply, stored like every reply, says why. */
TASK_FN static enum herald_code stay_approved(struct event_service *service, const struct event_draft *event,
                                              const DistributeResponse *delivered, struct once *once,
                                              Herald__Event__V1__PublishEventResponse *response,
                                              uint32_t *ret_due_in_ms, struct herald_error *reterr) {
    log_emit(&LOG_EVENT_NO_CHANNEL, log_str("event_id", event->id), LOG_END);
    *ret_due_in_ms = next_look_ms(service, event, delivered);
    return once_store(service->db, once, &response->base, reterr);
}

/* Another call has changed the event: answers with its stored result. */
TASK_FN static enum herald_code answer_of_other(struct event_service *service, const struct event_draft *event,
                                                Herald__Event__V1__PublishEventResponse *response,
                                                struct herald_error *reterr) {
    struct event_draft now;
    enum herald_code code = event_store_load(service->db, event->id, event->user_id, &now, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    Herald__Event__V1__PublishEventResponse *stored =
        now.results
            ? herald__event__v1__publish_event_response__unpack(&call_arena()->protobuf, now.results_bytes, now.results)
            : NULL;
    if (!stored) {
        return herald_error_set(reterr, HERALD_REASON_EVENT_MOVED, "the event was changed by another call");
    }
    *response = *stored;
    return HERALD_OK;
}

/* The first cache deletion; the outbox makes the second one. */
TASK_FN static void forget_purpose(struct event_service *service, const struct event_draft *event) {
    struct herald_error error = {0};
    int64_t began_us = instance_now_us(service->instance);
    bool done = event_forget_purpose(service, event->user_id, &error);
    late_steps_note(&service->late, event->id, EVENT_STEP_CACHE_DELETED, began_us, done ? NULL : &error);
}

/*
 * Steps 7 and 8: in one transaction ACTIVE with the results, the reply and the second cache deletion; then the first
 * cache deletion.
 */
TASK_FN static enum herald_code activate(struct event_service *service, const struct event_draft *event,
                                         const struct event_claim *claim, struct once *once,
                                         Herald__Event__V1__PublishEventResponse *response,
                                         struct herald_error *reterr) {
    size_t bytes = protobuf_c_message_get_packed_size(&response->base);
    uint8_t *packed = arena_alloc(call_arena(), bytes);
    const char *purpose_key = event_purpose_key(event->user_id);
    if (!packed || !purpose_key) {
        return arena_full(reterr, "the results");
    }
    protobuf_c_message_pack(&response->base, packed);
    struct outbox_row cache_delete;
    enum herald_code code =
        outbox_cache_delete_build("event", purpose_key, event->id, SECOND_DELETE_MS, &cache_delete, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct idempotency_row *row = NULL;
    code = once_reply(once, &response->base, &row, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct event_call call = {.ended_at_us = claim->called_at_us, .by = instance_id(service->instance)};
    code =
        event_store_activate(service->db, event->id, event->user_id, packed, bytes, &call, &cache_delete, row, reterr);
    if (code == HERALD_ABORTED) {
        once_reply_unstored(once);
        return answer_of_other(service, event, response, reterr);
    }
    if (code == HERALD_OK || code == HERALD_ALREADY_EXISTS) { /* it is ACTIVE, also if another attempt was answered */
        event_watch_look(service->watch);
        forget_purpose(service, event);
    }
    return code;
}

/* Whether a failure after the distribution is no news for the caller: of memory, of the database. */
static bool is_own_trouble(enum herald_code code) {
    return code != HERALD_OK && code != HERALD_ABORTED && code != HERALD_ALREADY_EXISTS;
}

/* Steps 7 and 8, and the end of the claim. */
TASK_FN static enum herald_code settle(struct event_service *service, const struct event_draft *event,
                                       const DistributeResponse *delivered, struct event_claim *claim,
                                       struct once *once, Herald__Event__V1__PublishEventResponse *response,
                                       struct herald_error *reterr) {
    uint32_t due_in_ms = 0;
    unsigned accepted = fill_response(service, event, delivered, response);
    enum herald_code code = HERALD_OK;
    if (accepted == 0) {
        code = stay_approved(service, event, delivered, once, response, &due_in_ms, reterr);
    } else {
        code = failpoint_hit(FAILPOINT_EVENT_BEFORE_ACTIVATE, reterr);
        if (code == HERALD_OK) {
            code = activate(service, event, claim, once, response, reterr); /* 7, 8 */
        }
    }
    if (is_own_trouble(code)) {
        enum herald_reason reason =
            call_check(NULL) == HERALD_OK ? HERALD_REASON_PUBLISH_UNFINISHED : reason_of_cause(reterr);
        return leave_to_reconciler(service, event, claim, reason, reterr);
    }
    if (accepted == 0) {
        /* The reply is stored first: once the event is released, another attempt of this call could post again. */
        claim_release(service, claim, due_in_ms);
    } else {
        claim_free(claim); /* ACTIVE, or moved by another call, has no holder */
        if (code == HERALD_OK) {
            log_emit(&LOG_EVENT_PUBLISHED, log_str("event_id", event->id), log_u64("accepted", accepted), LOG_END);
        }
    }
    return code;
}

TASK_FN enum herald_code publish_finish(struct event_service *service, const struct event_draft *event,
                                        struct event_claim *claim, struct once *once,
                                        Herald__Event__V1__PublishEventResponse *response,
                                        struct herald_error *reterr) {
    const DistributeResponse *delivered = NULL;
    enum herald_code code = failpoint_hit(FAILPOINT_EVENT_BEFORE_DISTRIBUTE, reterr);
    if (code == HERALD_OK) {
        code = distribute(service, event, &delivered, reterr); /* 6 */
    }
    enum herald_reason reason = code == HERALD_OK ? HERALD_REASON_NONE : reason_of_cause(reterr);
    claim_called(service, claim, reason, code == HERALD_OK ? NULL : reterr);
    return code == HERALD_OK ? settle(service, event, delivered, claim, once, response, reterr)
                             : leave_to_reconciler(service, event, claim, reason, reterr);
}
