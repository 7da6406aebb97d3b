/*
 * WaitEvent: a long poll. The event is read when the call comes and whenever its version has grown; all who wait for the same
 * event share what tells them so (event_watch.h).
 */
#include "client/base/minimum.h"
#include "client/base/or_default.h"
#include "server/event/draft_message.h"
#include "server/event/event_service.h"
#include "server/event/timeline.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#define DEFAULT_WAIT_MS  30000
#define REPLY_MARGIN_MS  250  /* longest part of the call's time that is kept for the reply */
#define READS_MOST       200  /* the memory of a call is capped: then the answer comes, changed or not */
#define FIRST_LOOK_UP_MS 3000 /* for the deliveries; then the answer comes without them */

typedef Herald__Event__V1__WaitEventRequest WaitRequest;
typedef Herald__Event__V1__WaitEventResponse WaitResponse;
typedef Herald__Distribution__V1__GetDistributionResponse Distribution;

/* An event as it was read, with what is known of its deliveries. */
struct event_state {
    struct event_draft event;
    struct event_progress progress;
    const Distribution *distribution; /* NULL: none, or not known */
    uint64_t distribution_version;
};

/* The end of the wait, on clock_now_us(). */
static uint64_t event_wait_end_us(const WaitRequest *request) {
    uint32_t remaining_ms = call_remaining_ms();
    uint32_t margin_ms = herald_min_u32(remaining_ms / 4, REPLY_MARGIN_MS);
    uint32_t wait_ms = herald_min_u32(herald_or_default(request->wait_ms, DEFAULT_WAIT_MS), remaining_ms - margin_ms);
    return clock_now_us() + (uint64_t)wait_ms * 1000;
}

static uint32_t wait_left_ms(uint64_t end_us) {
    uint64_t now_us = clock_now_us();
    return end_us > now_us ? (uint32_t)((end_us - now_us + 999) / 1000) : 0;
}

/* How far it is, then the event: what is read of it can only be newer than its version. */
TASK_FN static enum herald_code read_state(struct event_service *service, const WaitRequest *request,
                                           struct event_state *ret_state, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    step_store_add_progress(&batch, request->event_draft_id, request->user_id,
                            kafka_settings(service->settings)->kafka_event_topic);
    event_store_add_load(&batch, request->event_draft_id, request->user_id);
    DB_REPLY struct db_reply reply = {0};
    struct event_state state = {0};
    enum herald_code code = db_run(service->db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        code = step_store_read_progress(&reply, 0, &state.progress, reterr);
    }
    if (code == HERALD_OK) {
        code = event_store_read_load(&reply, 1, &state.event, reterr);
    }
    if (code == HERALD_OK) {
        *ret_state = state;
    }
    return code;
}

/* Takes over what the watch knows of the deliveries. */
static enum herald_code take_deliveries(const struct watched_event *watched, struct event_state *state,
                                        struct herald_error *reterr) {
    state->distribution_version = watched->distribution_version;
    if (watched->distribution) {
        state->distribution = herald__distribution__v1__get_distribution_response__unpack(
            &call_arena()->protobuf, watched->distribution_bytes, watched->distribution);
        return state->distribution ? HERALD_OK : arena_full(reterr, "the results");
    }
    return HERALD_OK;
}

static enum herald_code fill_answer(const struct watched_event *watched, const struct event_state *state,
                                    const WaitRequest *request, bool changed, WaitResponse *response,
                                    struct herald_error *reterr) {
    uint64_t seen = timeline_version_distribution(request->version);
    const Distribution *distribution = state->distribution;
    response->event = draft_message(&state->event);
    response->version =
        timeline_version(state->progress.version, herald_max_u64(state->distribution_version, distribution ? 0 : seen));
    response->changed = changed;
    response->deliveries_missing = watched->is_approved && (watched->is_missing || !watched->was_looked_up);
    response->settled = !response->deliveries_missing && timeline_is_settled(&state->progress, distribution);
    response->n_distribution_results = distribution ? distribution->n_results : 0;
    response->distribution_results = distribution ? distribution->results : NULL;
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}

static bool has_changed(const struct event_state *state, uint64_t version) {
    return version == 0 || state->progress.version > timeline_version_own(version) ||
           state->distribution_version > timeline_version_distribution(version);
}

/* Waits for the first answer about the deliveries, which the caller may have seen already. */
TASK_FN static enum herald_code await_look_up(struct watched_event *watched, uint64_t end_us,
                                              struct herald_error *reterr) {
    if (!watched->is_approved || watched->was_looked_up) {
        return HERALD_OK;
    }
    uint32_t most_ms = herald_min_u32(herald_max_u32(wait_left_ms(end_us), 1), FIRST_LOOK_UP_MS);
    (void)event_watch_wait(watched, UINT64_MAX, UINT64_MAX, most_ms, NULL);
    return call_check(reterr);
}

TASK_FN static enum herald_code wait_for_event_change(struct event_service *service, struct watched_event *watched,
                                                      struct event_state *state, const WaitRequest *request,
                                                      WaitResponse *response, struct herald_error *reterr) {
    uint64_t end_us = event_wait_end_us(request);
    for (unsigned reads = 1;; reads++) {
        enum herald_code code = await_look_up(watched, end_us, reterr);
        if (code == HERALD_OK) {
            code = take_deliveries(watched, state, reterr);
        }
        if (code != HERALD_OK) {
            return code;
        }
        bool changed = has_changed(state, request->version);
        if (changed || wait_left_ms(end_us) == 0 || reads == READS_MOST) {
            return fill_answer(watched, state, request, changed, response, reterr);
        }
        (void)event_watch_wait(
            watched, state->progress.version,
            herald_max_u64(state->distribution_version, timeline_version_distribution(request->version)),
            wait_left_ms(end_us), NULL);
        code = call_check(reterr);
        if (code == HERALD_OK) {
            code = read_state(service, request, state, reterr);
        }
        if (code != HERALD_OK) {
            return code;
        }
    }
}

TASK_FN enum herald_code event_wait_event(void *self, const Herald__Event__V1__WaitEventRequest *request,
                                          Herald__Event__V1__WaitEventResponse *response, struct herald_error *reterr) {
    struct event_service *service = self;
    struct event_state state;
    struct watched_event *watched = NULL;
    call_current()->waits_on_purpose = true;
    enum herald_code code = read_state(service, request, &state, reterr);
    if (code == HERALD_OK) {
        code = event_watch_join(service->watch, request->event_draft_id, request->user_id,
                                state.progress.status != EVENT_DRAFT, &watched, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    code = wait_for_event_change(service, watched, &state, request, response, reterr);
    event_watch_leave(watched);
    return code;
}
