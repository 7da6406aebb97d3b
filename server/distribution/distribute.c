/*
 * Distribute: makes an event's distribution, delivers to its channels at the same time, and answers with a result for
 * each. The deliveries belong to the engine: they go on when the caller leaves or its time ends.
 */
#include "client/base/minimum.h"
#include "herald/uuid.h"
#include "server/distribution/adapter.h"
#include "server/distribution/decide.h"
#include "server/distribution/distribution_failpoints.h"
#include "server/distribution/distribution_service.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/drive.h"
#include "server/distribution/look.h"
#include "server/distribution/preview.h"
#include "server/distribution/results.h"
#include "server/distribution/round.h"
#include "server/rpc/rpc_call.h"
#include "server/runtime/proto_arena.h"

#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define REPLY_MARGIN_MS   1500 /* kept of the caller's time for the reply */
#define LEAST_BUDGET_MS   250  /* a call with less begins nothing */
#define SOON_MS           2000 /* a caller waits for an attempt that is due within this time */
#define NO_LEASE_RETRY_MS 100

typedef Herald__Distribution__V1__DistributeRequest DistributeRequest;
typedef Herald__Distribution__V1__DistributeResponse DistributeResponse;

struct channel_set {
    const struct channel_row *rows[CHANNEL_COUNT];
    size_t count;
};

static enum herald_code channel_problem(size_t index, const char *name, struct herald_error *reterr,
                                        enum herald_reason reason, const char *what) {
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "channels: %s %s", name, what);
    char path[32];
    snprintf(path, sizeof(path), "channels[%zu]", index);
    herald_error_add_detail(reterr, path, reason, "%s %s", name, what);
    return code;
}

static enum herald_code read_channels(const DistributeRequest *request, struct channel_set *ret_set,
                                      struct herald_error *reterr) {
    struct channel_set set = {0};
    for (size_t i = 0; i < request->n_channels; i++) {
        const struct channel_row *row = channel_find((int)request->channels[i]);
        if (row == NULL) {
            return channel_problem(i, "the channel", reterr, HERALD_REASON_UNKNOWN_VALUE, "is not known");
        }
        for (size_t j = 0; j < set.count; j++) {
            if (set.rows[j] == row) {
                return channel_problem(i, row->name, reterr, HERALD_REASON_DUPLICATE, "is named twice");
            }
        }
        set.rows[set.count++] = row; /* at most CHANNEL_COUNT different ones */
    }
    *ret_set = set;
    return HERALD_OK;
}

/* When the caller's time for waiting ends, on clock_now_us(). */
static uint64_t give_up_us(const struct distribution_service *service) {
    uint32_t most_ms = herald_min_u32(call_remaining_ms(), service->budget_ms);
    uint32_t budget_ms = most_ms > 2 * REPLY_MARGIN_MS ? most_ms - REPLY_MARGIN_MS : most_ms / 2;
    return clock_now_us() + (uint64_t)budget_ms * 1000;
}

static uint32_t left_ms(uint64_t until_us) {
    uint64_t now_us = clock_now_us();
    return until_us > now_us ? (uint32_t)((until_us - now_us) / 1000) : 0;
}

/* ---- dry run ---- */

/* Checks the content for each channel; nothing is stored or sent. */
static enum herald_code dry_run(const struct distribution_service *service, const DistributeRequest *request,
                                const struct channel_set *set, DistributeResponse *response,
                                struct herald_error *reterr) {
    struct delivery_row *rows = arena_calloc(call_arena(), set->count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the results");
    }
    for (size_t i = 0; i < set->count; i++) {
        enum herald_code code =
            preview_check(&service->engine, set->rows[i], request->event_id, request->content, &rows[i], reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    response->n_results = set->count;
    response->distribution_id = borrow_str("");
    return delivery_results(service->engine.process, rows, set->count, &response->results)
               ? HERALD_OK
               : arena_full(reterr, "the results");
}

/* ---- opening ---- */

/* A new distribution while it is planned. */
struct opening {
    struct distribution_service *service;
    const DistributeRequest *request;
    struct distribution_row row;
    struct delivery_plan plans[CHANNEL_COUNT];
    struct channel_permit permits[CHANNEL_COUNT];
    bool has_permit[CHANNEL_COUNT];             /* which is not a delivery's yet */
    struct delivery_row refused[CHANNEL_COUNT]; /* state REJECTED where the channel would refuse the content */
};

static int64_t first_send_us(const DistributeRequest *request, int64_t now_us) {
    int64_t scheduled_us = timestamp_us(request->scheduled_at);
    return scheduled_us > now_us ? scheduled_us : now_us;
}

static enum herald_code fill_opening(struct opening *opening, struct herald_error *reterr) {
    const DistributeRequest *request = opening->request;
    uint64_t keep_s = channels_settings(opening->service->settings)->channels_keep_trying_s;
    size_t bytes = protobuf_c_message_get_packed_size(&request->content->base);
    uint8_t *content = arena_alloc(call_arena(), bytes);
    char *id = arena_alloc(call_arena(), 37);
    if (!content || !id) {
        return arena_full(reterr, "the content");
    }
    protobuf_c_message_pack(&request->content->base, content);
    herald_uuid7(id);
    int64_t expires_us =
        first_send_us(request, instance_now_us(opening->service->engine.instance)) + (int64_t)keep_s * 1000000;
    int64_t asked_us = timestamp_us(request->expires_at);
    opening->row = (struct distribution_row){
        .id = id,
        .event_id = request->event_id,
        .owner = request->user_id,
        .content = content,
        .content_bytes = bytes,
        .scheduled_at_us = timestamp_us(request->scheduled_at),
        .expires_at_us = asked_us != 0 ? herald_min_i64(asked_us, expires_us) : expires_us,
        .time_zone = request->time_zone,
    };
    return HERALD_OK;
}

static struct delivery_plan deferred(const struct channel_row *row, enum herald_reason reason, const char *message,
                                     uint64_t next_in_ms) {
    return (struct delivery_plan){
        .channel = row->number,
        .state = STATE(DEFERRED),
        .next_in_ms = next_in_ms,
        .reason = herald_reason_name(reason),
        .message = message,
    };
}

/* Why a channel has no place now, as the delivery's row tells it. */
static struct delivery_plan deferred_for(const struct channel_row *row, enum admission admission, uint32_t retry_ms) {
    switch (admission) {
    case NOT_CONFIGURED:
        return deferred(row, HERALD_REASON_CHANNEL_NOT_CONFIGURED,
                        "the channel's settings are not complete; the delivery waits for them", retry_ms);
    case PAUSED:
        return deferred(row, HERALD_REASON_CHANNEL_PAUSED, "nothing is sent to the channel for now", retry_ms);
    case THROTTLED:
        return deferred(row, HERALD_REASON_CHANNEL_THROTTLED, "the channel takes no more posts for now", retry_ms);
    case BREAKER_KEEPS:
        return deferred(row, HERALD_REASON_CHANNEL_FAILING, "the channel has failed too often; it is tried again soon",
                        retry_ms);
    default:
        return deferred(row, HERALD_REASON_CHANNEL_BUSY, "as many posts as may be are on their way to the channel",
                        retry_ms);
    }
}

/* Plans one delivery: claimed, where there is a place for it now. */
static void plan_delivery(struct opening *opening, const struct channel_row *row, size_t index) {
    const struct engine *engine = &opening->service->engine;
    int64_t now_us = instance_now_us(engine->instance);
    int64_t scheduled_us = opening->row.scheduled_at_us,
            quiet_us = channel_open_at_us(engine_channel(engine, row), now_us);
    struct delivery_plan *plan = &opening->plans[index];
    uint32_t retry_ms = 0;
    if (scheduled_us > now_us) {
        *plan = deferred(row, HERALD_REASON_SCHEDULED, "the delivery waits for its scheduled time",
                         (uint64_t)(scheduled_us - now_us) / 1000);
        return;
    }
    if (quiet_us > now_us) {
        *plan = deferred(row, HERALD_REASON_QUIET_HOURS, "the channel takes no advertising at night",
                         (uint64_t)(quiet_us - now_us) / 1000);
        return;
    }
    if (opening->row.expires_at_us <= now_us) {
        *plan = deferred(row, HERALD_REASON_NOT_SENT, "the delivery's time ended before the post was sent", 0);
        return;
    }
    if (!instance_holds(engine->instance, DRIVE_LEASE_MS)) {
        *plan = deferred(row, HERALD_REASON_NOT_SENT,
                         "the server has no lease in the database now, so it sends nothing", NO_LEASE_RETRY_MS);
        return;
    }
    enum admission admission = channel_admit(engine_channel(engine, row), false, &opening->permits[index], &retry_ms);
    if (admission != ADMITTED) {
        *plan = deferred_for(row, admission, retry_ms);
        return;
    }
    opening->has_permit[index] = true;
    *plan = (struct delivery_plan){
        .channel = row->number,
        .state = row->adapter->prepare != NULL ? STATE(PREPARING) : STATE(COMMITTING),
        .claimed = true,
        .reason = "",
        .message = "",
    };
}

/* Plans the deliveries to channels that prepare, or to all others: those are asked for a place when nothing is waited for any more. */
static void plan_deliveries(struct opening *opening, const struct channel_set *set, bool that_prepare) {
    for (size_t i = 0; i < set->count; i++) {
        if ((set->rows[i]->adapter->prepare != NULL) == that_prepare) {
            plan_delivery(opening, set->rows[i], i);
        }
    }
}

static void leave_permits(struct opening *opening, const struct channel_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        if (opening->has_permit[i]) {
            (void)channel_leave_unused(engine_channel(&opening->service->engine, set->rows[i]), &opening->permits[i]);
        }
    }
}

/* Fills a delivery as the database has it, or will have it. */
static void fill_delivery(struct opening *opening, const struct channel_row *channel, struct delivery *delivery,
                          size_t index) {
    const struct delivery_plan *plan = &opening->plans[index];
    int64_t now_us = instance_now_us(opening->service->engine.instance);
    delivery->channel = channel;
    delivery->permit = opening->permits[index];
    delivery->row = (struct delivery_row){
        .channel = plan->channel,
        .state = plan->state,
        .remote_id = "",
        .step_id = "",
        .post_url = "",
        .reason = plan->reason,
        .message = plan->message,
        .attempts = plan->claimed ? 1 : 0,
        .next_at_us = plan->claimed ? 0 : now_us + (int64_t)plan->next_in_ms * 1000,
        .expires_at_us = opening->row.expires_at_us,
        .started_at_us = plan->claimed ? opening->row.created_at_us : 0,
    };
}

/* Fills the round's deliveries as the database has them now, and drives the claimed ones. */
static void drive_round(struct opening *opening, const struct channel_set *set, struct round *round) {
    round->whole = true;
    round->version = 1;
    for (size_t i = 0; i < set->count; i++) {
        if (!round->deliveries[i].early) {
            fill_delivery(opening, set->rows[i], &round->deliveries[i], i);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (round->deliveries[i].early) {
            continue;
        }
        if (opening->plans[i].claimed) {
            round_drive(round, &round->deliveries[i]);
        } else {
            look_at(opening->service->engine.look, opening->plans[i].next_in_ms);
        }
    }
    round_check_done(round); /* all may wait for later */
}

/*
 * Lets a channel prepare before the distribution is made, if it was ready at once the last time: then its delivery is made with what
 * it has prepared, and needs no commit of its own for that. A channel that is not as quick this time is waited for no longer than
 * results wait for each other. What was prepared for a call that is then refused is used by nobody, and expires at the channel.
 */
TASK_FN static void prepare_early(struct opening *opening, const struct channel_set *set, struct round *round) {
    struct engine *engine = round->engine;
    uint32_t most_ms = channels_settings(engine->settings)->channels_gather_ms;
    struct delivery *early = NULL;
    size_t index = 0;
    for (size_t i = 0; i < set->count && !early; i++) {
        if (opening->plans[i].claimed && opening->plans[i].state == STATE(PREPARING) &&
            channel_prepares_within(engine_channel(engine, set->rows[i]), most_ms)) {
            early = &round->deliveries[i];
            index = i;
        }
    }
    if (!early) {
        return;
    }
    fill_delivery(opening, set->rows[index], early, index);
    early->early = true;
    if (!round_drive_early(round, early)) {
        early->early = false;
        return;
    }
    opening->has_permit[index] = false;
    if (completion_wait_for(&round->prepared, most_ms, NULL) != HERALD_OK) {
        channel_prepared_in(engine_channel(engine, early->channel), CHANNEL_PREPARED_LATE);
    }
    if (early->row.state == STATE(COMMITTING)) {
        opening->plans[index].state = early->row.state;
        opening->plans[index].step_id = early->row.step_id;
    }
}

/* The distribution is made, or not: early drives go on, or end. */
static void tell_opened(struct round *round, bool made) {
    round->made = made;
    completion_complete(&round->opened);
}

/*
 * Stores the opening, and takes the call's signature with it: nothing else in this call has a lasting effect. A signature that is
 * not new, or older than what the database remembers, ends the call; then nothing was made.
 */
TASK_FN static enum herald_code store_opening(const struct opening *opening, size_t count, bool *ret_made,
                                              struct herald_error *reterr) {
    const struct engine *engine = &opening->service->engine;
    const struct rpc_signature *signature = rpc_call_signature_left();
    struct riding_signature riding = {0};
    bool had_effect = call_current()->has_effect, is_signed = true;
    if (signature) {
        riding = signatures_ride(signature, instance_now_us(engine->instance));
    }
    enum herald_code code =
        delivery_store_open(engine->db, &opening->row, opening->plans, count, instance_id(engine->instance),
                            signature ? &riding : NULL, ret_made, &is_signed, reterr);
    if (code != HERALD_OK || is_signed) {
        return code;
    }
    call_current()->has_effect = had_effect;
    code = signatures_take(engine->db, signature, reterr);
    return code == HERALD_OK ? delivery_store_open(engine->db, &opening->row, opening->plans, count,
                                                   instance_id(engine->instance), NULL, ret_made, NULL, reterr)
                             : code;
}

/* Makes the distribution, unless there is one. @ret_round  NULL: there is one */
TASK_FN static enum herald_code open_distribution(struct opening *opening, const struct channel_set *set,
                                                  struct round **ret_round, struct herald_error *reterr) {
    struct engine *engine = &opening->service->engine;
    struct round *round = NULL;
    bool made = false;
    (void)instance_wait(engine->instance, DRIVE_LEASE_MS, DRIVE_LEASE_WAIT_MS); /* also for the database's time */
    enum herald_code code = fill_opening(opening, reterr);
    if (code == HERALD_OK) {
        /* before the claims are committed: afterwards nothing may fail for want of memory */
        code = round_new(engine, opening->row.event_id, opening->row.id, opening->row.owner, opening->row.content,
                         opening->row.content_bytes, set->count, &round, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    uint64_t era = instance_era(engine->instance);
    for (size_t i = 0; i < set->count; i++) {
        round->deliveries[i].era = era;
    }
    opening->row.created_at_us = instance_now_us(engine->instance);
    plan_deliveries(opening, set, true);
    prepare_early(opening, set, round);
    plan_deliveries(opening, set, false);
    round->is_opening = true;
    code = store_opening(opening, set->count, &made, reterr);
    if (code == HERALD_OK && made) {
        code = failpoint_hit(FAILPOINT_DISTRIBUTION_CLAIMED, reterr);
    }
    if (code != HERALD_OK || !made) {
        engine->must_audit = engine->must_audit || code != HERALD_OK; /* it may have been made */
        leave_permits(opening, set);
        tell_opened(round, false);
        round_unref(round);
        *ret_round = NULL;
        return code;
    }
    drive_round(opening, set, round);
    tell_opened(round, true);
    *ret_round = round;
    return HERALD_OK;
}

/* ---- an event that has a distribution ---- */

static bool same_channels(const struct loaded_distribution *loaded, const struct channel_set *set) {
    bool same = loaded->count == set->count;
    for (size_t i = 0; same && i < set->count; i++) {
        same = distribution_delivery_of(loaded, set->rows[i]->number) != NULL;
    }
    return same;
}

/* A repeat must name what the distribution was made for. */
static enum herald_code check_same(const struct loaded_distribution *loaded, const struct opening *opening,
                                   const struct channel_set *set, struct herald_error *reterr) {
    if (!same_channels(loaded, set)) {
        enum herald_code code =
            herald_error_set(reterr, HERALD_REASON_CHANNELS_FIXED,
                             "the event is being distributed to other channels, and they cannot be changed any more");
        herald_error_add_detail(reterr, "channels", HERALD_REASON_CHANNELS_FIXED,
                                "differ from those of the first call");
        return code;
    }
    const struct distribution_row *first = &loaded->row, *now = &opening->row;
    if (first->content_bytes != now->content_bytes || memcmp(first->content, now->content, first->content_bytes) != 0) {
        enum herald_code code =
            herald_error_set(reterr, HERALD_REASON_CONTENT_FIXED,
                             "the event is being distributed with another content, which cannot be changed any more");
        herald_error_add_detail(reterr, "content", HERALD_REASON_CONTENT_FIXED, "differs from that of the first call");
        return code;
    }
    return HERALD_OK;
}

/* Whether something of it is on its way, or is due soon at a channel that takes calls: worth the caller's wait. */
static bool is_worth_waiting(const struct engine_process *process, const struct loaded_distribution *loaded) {
    int64_t soon_us = instance_now_us(process->instances[0]) + SOON_MS * 1000;
    for (size_t i = 0; i < loaded->count; i++) {
        const struct delivery_row *row = &loaded->deliveries[i];
        if (!row->settled && delivery_next_us(process, row) < soon_us) { /* 0: a process has it */
            return true;
        }
    }
    return false;
}

/* Waits, within the caller's time, while something is on its way or due soon. Each change is told (watch.h). */
TASK_FN static enum herald_code wait_for_rest(struct distribution_service *service, const char *event_id,
                                              const char *user_id, uint64_t until_us,
                                              struct loaded_distribution *loaded, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && is_worth_waiting(service->engine.process, loaded) && left_ms(until_us) > 0) {
        code = watch_wait(&service->engine.watch, event_id, loaded->row.version, left_ms(until_us), NULL);
        if (code != HERALD_OK) { /* nothing has changed, so nothing is read again: many may give up at the same time */
            return call_check(reterr);
        }
        code = distribution_load_of(service, event_id, user_id, loaded, reterr);
    }
    return code;
}

/* ---- the reply ---- */

/* Answers from the round, where all of it is settled and stored: nothing need be read. */
static enum herald_code answer_by_round(const struct round *round, DistributeResponse *response,
                                        struct herald_error *reterr) {
    struct delivery_row *rows = arena_calloc(call_arena(), round->count, sizeof(*rows));
    bool complete = rows != NULL;
    response->completed = true;
    for (size_t i = 0; complete && i < round->count; i++) {
        rows[i] = round->deliveries[i].row;
        rows[i].remote_id = arena_strdup(call_arena(), rows[i].remote_id);
        rows[i].post_url = arena_strdup(call_arena(), rows[i].post_url);
        rows[i].message = arena_strdup(call_arena(), rows[i].message);
        rows[i].reason = arena_strdup(call_arena(), rows[i].reason);
        complete = rows[i].remote_id && rows[i].post_url && rows[i].message && rows[i].reason;
    }
    const char *id = arena_strdup(call_arena(), round->distribution_id);
    if (!complete || !id || !delivery_results(round->engine->process, rows, round->count, &response->results)) {
        return arena_full(reterr, "the results");
    }
    response->distribution_id = borrow_str(id);
    response->n_results = round->count;
    return HERALD_OK;
}

static bool is_settled(const struct round *round) {
    bool settled = true;
    for (size_t i = 0; settled && i < round->count; i++) {
        settled = round->deliveries[i].row.settled && round->deliveries[i].changed;
    }
    return settled;
}

/* Answers from the rows, in the order asked. check_same() has found each. */
static enum herald_code answer_by_rows(const struct engine_process *process, const struct loaded_distribution *loaded,
                                       const struct channel_set *set, DistributeResponse *response,
                                       struct herald_error *reterr) {
    struct delivery_row rows[CHANNEL_COUNT];
    for (size_t i = 0; i < set->count; i++) {
        rows[i] = *distribution_delivery_of(loaded, set->rows[i]->number);
    }
    response->distribution_id = borrow_str(loaded->row.id);
    response->completed = loaded->row.unsettled == 0;
    response->n_results = set->count;
    return delivery_results(process, rows, set->count, &response->results) ? HERALD_OK
                                                                           : arena_full(reterr, "the results");
}

/* Reads how it stands, waits for what is worth it, and answers. */
TASK_FN static enum herald_code answer_by_database(struct distribution_service *service, const struct opening *opening,
                                                   const struct channel_set *set, uint64_t until_us,
                                                   DistributeResponse *response, struct herald_error *reterr) {
    struct loaded_distribution loaded;
    const DistributeRequest *request = opening->request;
    enum herald_code code = distribution_load_of(service, request->event_id, request->user_id, &loaded, reterr);
    if (code == HERALD_OK) {
        code = check_same(&loaded, opening, set, reterr);
    }
    if (code == HERALD_OK) {
        code = wait_for_rest(service, request->event_id, request->user_id, until_us, &loaded, reterr);
    }
    return code == HERALD_OK ? answer_by_rows(service->engine.process, &loaded, set, response, reterr) : code;
}

/* Waits for what this call drives. */
TASK_FN static enum herald_code wait_for_driven(struct round *round, uint64_t until_us, struct herald_error *reterr) {
    (void)completion_wait_for(&round->done, left_ms(until_us), NULL);
    return call_check(reterr);
}

TASK_FN static enum herald_code deliver_and_answer(struct opening *opening, const struct channel_set *set,
                                                   DistributeResponse *response, struct herald_error *reterr) {
    struct distribution_service *service = opening->service;
    uint64_t until_us = give_up_us(service);
    if (left_ms(until_us) < LEAST_BUDGET_MS) {
        return herald_error_set(reterr, HERALD_REASON_TOO_LITTLE_TIME,
                                "of the call's time %u ms are left for the channels, too few to begin with: it takes "
                                "at least %u; none was asked",
                                left_ms(until_us), LEAST_BUDGET_MS);
    }
    struct round *round = NULL;
    bool answered = false;
    enum herald_code code = open_distribution(opening, set, &round, reterr);
    if (code == HERALD_OK && round != NULL) {
        code = wait_for_driven(round, until_us, reterr);
        answered = code == HERALD_OK && round->done.done && is_settled(round);
        code = answered ? answer_by_round(round, response, reterr) : code;
    }
    if (round != NULL) {
        round_unref(round); /* before a wait that may be long */
    }
    return code == HERALD_OK && !answered ? answer_by_database(service, opening, set, until_us, response, reterr)
                                          : code;
}

TASK_FN enum herald_code distribution_distribute(void *self, const Herald__Distribution__V1__DistributeRequest *request,
                                                 Herald__Distribution__V1__DistributeResponse *response,
                                                 struct herald_error *reterr) {
    struct distribution_service *service = self;
    struct channel_set set = {0};
    enum herald_code code = read_channels(request, &set, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (request->dry_run) {
        return dry_run(service, request, &set, response, reterr);
    }
    struct opening *opening = arena_calloc(call_arena(), 1, sizeof(*opening));
    if (!opening) {
        return arena_full(reterr, "the distribution");
    }
    opening->service = service;
    opening->request = request;
    return deliver_and_answer(opening, &set, response, reterr);
}
