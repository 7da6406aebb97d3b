#include "server/event/timeline.h"

#include "client/base/minimum.h"
#include "server/runtime/proto_arena.h"

#include <stdlib.h>
#include <string.h>

#define STATE(name)    HERALD__EVENT__V1__TIMELINE_STATE__##name
#define PARTY(name)    HERALD__EVENT__V1__TIMELINE_PARTY__##name
#define DELIVERY(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define OWN_BITS        32u      /* of a version */
#define SHORT_WAIT_US   100000   /* before a first attempt: no wait is shown */
#define FIRST_DELETE_US 10000000 /* until the first cache deletion counts as unknown */
#define CHANGING_US     5000000  /* entries that began within this time may still come: of statements that run */

typedef Herald__Event__V1__TimelineEntry Entry;
typedef Herald__Distribution__V1__GetDistributionResponse Distribution;
typedef Herald__Distribution__V1__ChannelResult Delivery;
typedef Herald__Distribution__V1__DeliveryAttempt Attempt;
typedef Herald__Distribution__V1__DeliveryStep DeliveryStep;

/* ---- versions ---- */

uint64_t timeline_version(uint64_t own, uint64_t distribution) {
    return distribution << OWN_BITS | (own & UINT32_MAX);
}

uint64_t timeline_version_own(uint64_t version) {
    return version & UINT32_MAX;
}

uint64_t timeline_version_distribution(uint64_t version) {
    return version >> OWN_BITS;
}

bool timeline_is_settled(const struct event_progress *progress, const Distribution *distribution) {
    bool sent = progress->created.since_us == 0 && progress->cache.since_us == 0;
    if (progress->status == EVENT_DRAFT || progress->holder[0] != '\0' || !sent) {
        return false;
    }
    if (!distribution || !distribution->completed) {
        return progress->status == EVENT_ENDED && !distribution;
    }
    for (size_t i = 0; progress->status == EVENT_APPROVED && i < distribution->n_results; i++) {
        if (distribution->results[i]->accepted) { /* it becomes ACTIVE */
            return false;
        }
    }
    return true;
}

/* ---- kinds of entries ---- */

/* In the order of a publish: entries that begin at the same instant stand in it. */
#define KINDS(X)                                                                                                       \
    X(REQUESTED, CALLER, EVENT_SERVICE)                                                                                \
    X(LOADED, EVENT_SERVICE, DATABASE)                                                                                 \
    X(APPROVED, EVENT_SERVICE, DATABASE)                                                                               \
    X(EVENT_CREATED_SENT, EVENT_SERVICE, KAFKA)                                                                        \
    X(EVENT_WAITED, EVENT_SERVICE, EVENT_SERVICE)                                                                      \
    X(DISTRIBUTE_CALLED, EVENT_SERVICE, DISTRIBUTION_SERVICE)                                                          \
    X(DELIVERY_OPENED, DISTRIBUTION_SERVICE, DATABASE)                                                                 \
    X(WAITED, DISTRIBUTION_SERVICE, DISTRIBUTION_SERVICE)                                                              \
    X(PREPARED, DISTRIBUTION_SERVICE, CHANNEL_PARTY)                                                                   \
    X(POSTED, DISTRIBUTION_SERVICE, CHANNEL_PARTY)                                                                     \
    X(LOOKED_UP, DISTRIBUTION_SERVICE, CHANNEL_PARTY)                                                                  \
    X(RESULT_STORED, DISTRIBUTION_SERVICE, DATABASE)                                                                   \
    X(CONFIRMED, PERSON, DISTRIBUTION_SERVICE)                                                                         \
    X(RESOLVED, PERSON, DISTRIBUTION_SERVICE)                                                                          \
    X(CANCELLED, PERSON, DISTRIBUTION_SERVICE)                                                                         \
    X(RETRIED, PERSON, DISTRIBUTION_SERVICE)                                                                           \
    X(DISTRIBUTION_COMPLETED_SENT, DISTRIBUTION_SERVICE, KAFKA)                                                        \
    X(ACTIVATED, EVENT_SERVICE, DATABASE)                                                                              \
    X(CACHE_DELETED, EVENT_SERVICE, CACHE)                                                                             \
    X(REPLIED, EVENT_SERVICE, CALLER)                                                                                  \
    X(ENDED, EVENT_SERVICE, DATABASE)
#define KIND_ENUM(name, from, to) KIND_##name,
#define KIND_ROW(name, from, to)  {#name, PARTY(from), PARTY(to)},

enum kind { KINDS(KIND_ENUM) };

static const struct kind_row {
    const char *step;
    Herald__Event__V1__TimelineParty from, to;
} kind_rows[] = {KINDS(KIND_ROW)};

#define KIND_PLACES  32u /* of a position: at least as many as kinds */
#define SMALL_PLACES 8u  /* for the channel, or which one it is */
_Static_assert(sizeof(kind_rows) / sizeof(kind_rows[0]) <= KIND_PLACES, "a kind has no place in a position");

/* ---- making entries ---- */

struct timeline {
    Entry **entries;
    size_t count, room;
    int64_t base_us; /* positions count from there */
    bool is_full;    /* an entry did not fit into the arena */
};

/* What an entry is made from. */
struct step {
    enum kind kind;
    int channel;
    uint32_t attempt;
    Herald__Event__V1__TimelineState state;
    int64_t at_us, ended_at_us, next_at_us;
    const char *reason, *message, *by;
};

static uint64_t position_of(const struct timeline *timeline, const struct step *step) {
    uint64_t since_us = step->at_us > timeline->base_us ? (uint64_t)(step->at_us - timeline->base_us) : 0;
    uint64_t small = step->channel ? (uint64_t)step->channel : step->attempt;
    return (since_us * KIND_PLACES + (uint64_t)step->kind) * SMALL_PLACES + small % SMALL_PLACES + 1;
}

static bool make_room_for_entry(struct timeline *timeline) {
    if (timeline->count < timeline->room) {
        return true;
    }
    size_t room = timeline->room ? 2 * timeline->room : 64;
    Entry **entries = arena_calloc(call_arena(), room, sizeof(Entry *));
    if (entries && timeline->count > 0) {
        memcpy(entries, timeline->entries, timeline->count * sizeof(Entry *));
    }
    timeline->entries = entries ? entries : timeline->entries;
    timeline->room = entries ? room : timeline->room;
    return entries != NULL;
}

static void add_entry(struct timeline *timeline, const struct step *step) {
    Entry *entry = make_room_for_entry(timeline) ? ARENA_MESSAGE(herald__event__v1__timeline_entry) : NULL;
    if (!entry || !arena_timestamp(step->at_us, &entry->at) || !arena_timestamp(step->ended_at_us, &entry->ended_at) ||
        !arena_timestamp(step->next_at_us, &entry->next_attempt_at)) {
        timeline->is_full = true;
        return;
    }
    const struct kind_row *row = &kind_rows[step->kind];
    entry->position = position_of(timeline, step);
    entry->step = borrow_str(step->kind == KIND_EVENT_WAITED ? kind_rows[KIND_WAITED].step : row->step);
    entry->from = row->from;
    entry->to = row->to;
    entry->channel = (Herald__Distribution__V1__Channel)step->channel;
    entry->attempt = step->attempt;
    entry->state = step->state;
    entry->reason = borrow_str(step->reason ? step->reason : "");
    entry->message = borrow_str(step->message ? step->message : "");
    entry->by = borrow_str(step->by ? step->by : "");
    timeline->entries[timeline->count++] = entry;
}

static void add_done(struct timeline *timeline, enum kind kind, int64_t at_us, int64_t ended_at_us) {
    if (at_us != 0) {
        add_entry(timeline,
                  &(struct step){.kind = kind, .state = STATE(SUCCEEDED), .at_us = at_us, .ended_at_us = ended_at_us});
    }
}

/* ---- the event's own steps ---- */

static const struct event_step *first_step(const struct event_progress *progress, const char *word) {
    for (size_t i = 0; i < progress->step_count; i++) {
        if (strcmp(progress->steps[i].step, word) == 0) {
            return &progress->steps[i];
        }
    }
    return NULL;
}

static void fill_end(struct step *entry, const struct event_step *step) {
    entry->state = step->reason[0] != '\0' ? STATE(FAILED_STEP) : STATE(SUCCEEDED);
    entry->ended_at_us = step->ended_at_us;
    entry->reason = step->reason;
    entry->message = step->message;
    entry->by = step->by;
}

/* A record that was promised at an instant: sent, if it is no more in the outbox; when, if that is known. */
static void add_record(struct timeline *timeline, struct step entry, const struct event_step *sent,
                       const struct waiting_record *record, int64_t now_us) {
    entry.state = STATE(SUCCEEDED);
    if (sent) {
        fill_end(&entry, sent);
    } else if (record->since_us != 0) {
        bool is_inline = entry.kind == KIND_EVENT_CREATED_SENT && record->tries == 0 && record->next_at_us > now_us;
        entry.state = is_inline ? STATE(UNDER_WAY) : STATE(WAITS);
        entry.next_at_us = is_inline ? 0 : record->next_at_us;
    }
    add_entry(timeline, &entry);
}

static void add_approval(struct timeline *timeline, const struct event_progress *progress) {
    int64_t at_us = progress->approved_at_us;
    const struct event_step *approved = first_step(progress, EVENT_STEP_APPROVED);
    struct step approval = {.kind = KIND_APPROVED, .state = STATE(SUCCEEDED), .at_us = at_us};
    if (approved) {
        fill_end(&approval, approved);
    }
    add_done(timeline, KIND_REQUESTED, at_us, at_us);
    add_done(timeline, KIND_LOADED, at_us, at_us);
    add_entry(timeline, &approval);
    const struct step created = {.kind = KIND_EVENT_CREATED_SENT,
                                 .at_us = approved ? approved->ended_at_us : at_us,
                                 .by = approved ? approved->by : ""};
    add_record(timeline, created, first_step(progress, EVENT_STEP_CREATED_SENT), &progress->created,
               progress->read_at_us);
}

/* The calls of the distribution service, and the waits between them. */
static void add_calls(struct timeline *timeline, const struct event_progress *progress) {
    struct step call = {.kind = KIND_DISTRIBUTE_CALLED};
    struct step wait = {.kind = KIND_EVENT_WAITED, .state = STATE(SUCCEEDED)};
    for (size_t i = 0; i < progress->step_count; i++) {
        const struct event_step *step = &progress->steps[i];
        if (strcmp(step->step, EVENT_STEP_DISTRIBUTE) != 0) {
            continue;
        }
        wait.ended_at_us = step->at_us;
        if (wait.at_us != 0 && wait.ended_at_us > wait.at_us) {
            add_entry(timeline, &wait);
        }
        call.attempt++;
        call.at_us = step->at_us;
        fill_end(&call, step);
        add_entry(timeline, &call);
        wait.at_us =
            step->ended_at_us ? step->ended_at_us : step->next_at_us; /* of one that died: when that was seen */
    }
    if (progress->holder[0] != '\0') {
        wait.ended_at_us = progress->held_at_us;
        if (wait.at_us != 0 && wait.ended_at_us > wait.at_us) {
            add_entry(timeline, &wait);
        }
        add_entry(timeline, &(struct step){.kind = KIND_DISTRIBUTE_CALLED,
                                           .attempt = call.attempt + 1,
                                           .state = STATE(UNDER_WAY),
                                           .at_us = progress->held_at_us,
                                           .by = progress->holder});
    } else if (progress->status == EVENT_APPROVED && progress->attend_at_us != 0) {
        wait.state = STATE(WAITS);
        wait.at_us = wait.at_us ? wait.at_us : progress->approved_at_us;
        wait.ended_at_us = 0;
        wait.next_at_us = progress->attend_at_us;
        add_entry(timeline, &wait);
    }
}

static void add_activation(struct timeline *timeline, const struct event_progress *progress) {
    int64_t at_us = progress->published_at_us;
    const struct event_step *deleted = first_step(progress, EVENT_STEP_CACHE_DELETED);
    add_done(timeline, KIND_ACTIVATED, at_us, at_us);
    struct step first = {.kind = KIND_CACHE_DELETED, .attempt = 1, .state = STATE(UNDER_WAY), .at_us = at_us};
    if (deleted) {
        fill_end(&first, deleted);
    }
    if (deleted ||
        progress->read_at_us - at_us < FIRST_DELETE_US) { /* else nobody knows; the second one was made too */
        add_entry(timeline, &first);
    }
    const struct step second = {.kind = KIND_CACHE_DELETED, .attempt = 2, .at_us = at_us};
    add_record(timeline, second, first_step(progress, EVENT_STEP_CACHE_AGAIN), &progress->cache, progress->read_at_us);
}

static void add_replies(struct timeline *timeline, const struct event_progress *progress) {
    struct step reply = {.kind = KIND_REPLIED};
    for (size_t i = 0; i < progress->step_count; i++) {
        const struct event_step *step = &progress->steps[i];
        if (strcmp(step->step, EVENT_STEP_REPLIED) != 0 || step->at_us == reply.at_us) { /* written twice */
            continue;
        }
        reply.attempt++;
        reply.at_us = step->at_us;
        fill_end(&reply, step);
        add_entry(timeline, &reply);
    }
}

static void add_event(struct timeline *timeline, const struct event_progress *progress) {
    if (progress->approved_at_us != 0) {
        add_approval(timeline, progress);
        add_calls(timeline, progress);
        add_replies(timeline, progress);
    }
    if (progress->published_at_us != 0) {
        add_activation(timeline, progress);
    }
    add_done(timeline, KIND_ENDED, progress->ended_at_us, progress->ended_at_us);
}

/* ---- deliveries ---- */

/* One channel, while its entries are made in the order of time. */
struct lane {
    struct timeline *timeline;
    const Distribution *distribution;
    const Delivery *delivery;
    int64_t quiet_since_us;       /* since when nothing happens at the channel */
    const char *reason, *message; /* why */
};

static struct step step_of_lane(const struct lane *lane, enum kind kind, uint32_t attempt, int64_t at_us) {
    return (struct step){.kind = kind, .channel = (int)lane->delivery->channel, .attempt = attempt, .at_us = at_us};
}

static const DeliveryStep *find_step(const struct lane *lane, const char *word, uint32_t attempt) {
    for (size_t i = 0; i < lane->distribution->n_steps; i++) {
        const DeliveryStep *step = lane->distribution->steps[i];
        if (step->channel == lane->delivery->channel && step->attempt == attempt && strcmp(step->step, word) == 0) {
            return step;
        }
    }
    return NULL;
}

/* The first look-up of an attempt: the steps come newest first. */
static const DeliveryStep *find_first_look_up(const struct lane *lane, uint32_t attempt) {
    const DeliveryStep *first = NULL;
    for (size_t i = 0; i < lane->distribution->n_steps; i++) {
        const DeliveryStep *step = lane->distribution->steps[i];
        if (step->channel == lane->delivery->channel && step->attempt == attempt &&
            strcmp(step->step, kind_rows[KIND_LOOKED_UP].step) == 0) {
            first = step;
        }
    }
    return first;
}

static const Attempt *find_attempt(const struct lane *lane, uint32_t attempt) {
    for (size_t i = 0; i < lane->distribution->n_attempts; i++) {
        const Attempt *found = lane->distribution->attempts[i];
        if (found->channel == lane->delivery->channel && found->attempt == attempt) {
            return found;
        }
    }
    return NULL;
}

/* A person may have ended a wait before: what follows begins there. */
static void skip_to_person(struct lane *lane, int64_t until_us) {
    for (size_t i = 0; i < lane->distribution->n_steps; i++) {
        const DeliveryStep *step = lane->distribution->steps[i];
        int64_t at_us = timestamp_us(step->finished_at);
        bool is_person = strcmp(step->step, kind_rows[KIND_PREPARED].step) != 0 &&
                         strcmp(step->step, kind_rows[KIND_LOOKED_UP].step) != 0;
        if (is_person && step->channel == lane->delivery->channel && at_us <= until_us) {
            lane->quiet_since_us = herald_max_i64(lane->quiet_since_us, at_us);
        }
    }
}

/* The wait that ended when an attempt began. */
static void add_wait_before(struct lane *lane, uint32_t attempt, int64_t began_us) {
    skip_to_person(lane, began_us);
    int64_t waited_us = began_us - lane->quiet_since_us;
    if (waited_us > (attempt > 1 ? 0 : SHORT_WAIT_US)) {
        struct step wait = step_of_lane(lane, KIND_WAITED, attempt, lane->quiet_since_us);
        wait.state = STATE(SUCCEEDED);
        wait.ended_at_us = began_us;
        wait.reason = lane->reason;
        wait.message = lane->message;
        add_entry(lane->timeline, &wait);
    }
}

static bool has_accepted(Herald__Distribution__V1__DeliveryState state) {
    return state == DELIVERY(PUBLISHED) || state == DELIVERY(AWAITING_OPERATOR);
}

/* The preparation of an attempt, where the channel needs one. Returns: when the post began; 0: it did not */
static int64_t add_preparation(struct lane *lane, uint32_t attempt, int64_t began_us) {
    const DeliveryStep *prepared = find_step(lane, kind_rows[KIND_PREPARED].step, attempt);
    if (!prepared) {
        return began_us;
    }
    struct step entry = step_of_lane(lane, KIND_PREPARED, attempt, began_us);
    bool is_ready = prepared->state == DELIVERY(COMMITTING);
    entry.ended_at_us = timestamp_us(prepared->finished_at);
    entry.state = is_ready ? STATE(SUCCEEDED) : STATE(FAILED_STEP);
    entry.reason = prepared->reason;
    entry.message = prepared->message;
    add_entry(lane->timeline, &entry);
    return is_ready ? entry.ended_at_us : 0;
}

/* The post of an attempt that has ended, by its own end or by the first look-up, which began there. */
static void add_post(struct lane *lane, const Attempt *attempt, int64_t began_us) {
    const DeliveryStep *look_up = find_first_look_up(lane, attempt->attempt);
    struct step post = step_of_lane(lane, KIND_POSTED, attempt->attempt, began_us);
    int64_t answered_us = timestamp_us(look_up ? look_up->started_at : attempt->finished_at);
    if (look_up) {
        bool is_dead = answered_us <= timestamp_us(attempt->started_at); /* no end of the post was stored */
        post.state = STATE(FAILED_STEP);
        post.ended_at_us = is_dead ? 0 : answered_us;
        post.reason = herald_reason_name(is_dead ? HERALD_REASON_PROCESS_ENDED : HERALD_REASON_CHANNEL_LOST);
        post.message = "it is not known whether the channel has the post";
    } else {
        post.state = has_accepted(attempt->state) ? STATE(SUCCEEDED) : STATE(FAILED_STEP);
        post.ended_at_us = answered_us;
        post.reason = attempt->reason;
        post.message = attempt->message;
    }
    add_entry(lane->timeline, &post);
}

static void add_logged_attempt(struct lane *lane, const Attempt *attempt) {
    int64_t began_us = timestamp_us(attempt->started_at), ended_us = timestamp_us(attempt->finished_at);
    add_wait_before(lane, attempt->attempt, began_us);
    int64_t posted_us = add_preparation(lane, attempt->attempt, began_us);
    if (posted_us != 0) {
        add_post(lane, attempt, posted_us);
    }
    struct step stored = step_of_lane(lane, KIND_RESULT_STORED, attempt->attempt, ended_us);
    stored.state = STATE(SUCCEEDED);
    add_entry(lane->timeline, &stored);
    lane->quiet_since_us = ended_us;
    lane->reason = attempt->reason;
    lane->message = attempt->message;
}

/* Steps beside the attempts, of one channel: look-ups, and what a person did. */
static void add_delivery_steps(const struct lane *lane) {
    for (size_t i = 0; i < lane->distribution->n_steps; i++) {
        const DeliveryStep *step = lane->distribution->steps[i];
        for (unsigned kind = KIND_LOOKED_UP; step->channel == lane->delivery->channel && kind <= KIND_RETRIED; kind++) {
            if (strcmp(step->step, kind_rows[kind].step) != 0) {
                continue;
            }
            struct step entry = step_of_lane(lane, (enum kind)kind, step->attempt, timestamp_us(step->started_at));
            bool failed = kind == KIND_LOOKED_UP && step->state == DELIVERY(OUTCOME_UNKNOWN);
            entry.state = failed ? STATE(FAILED_STEP) : STATE(SUCCEEDED);
            entry.ended_at_us = timestamp_us(step->finished_at);
            entry.reason = step->reason;
            entry.message = step->message;
            add_entry(lane->timeline, &entry);
        }
    }
}

/* ---- where a delivery stands now ---- */

/* An attempt that is under way. */
static void add_running(struct lane *lane, bool is_prepared) {
    const Delivery *delivery = lane->delivery;
    int64_t began_us = timestamp_us(delivery->started_at);
    add_wait_before(lane, delivery->attempts, began_us);
    int64_t posted_us = is_prepared ? add_preparation(lane, delivery->attempts, began_us) : began_us;
    struct step entry = step_of_lane(lane, is_prepared ? KIND_POSTED : KIND_PREPARED, delivery->attempts, posted_us);
    entry.state = STATE(UNDER_WAY);
    add_entry(lane->timeline, &entry);
}

/* It is asked for whether the channel has the post. The process that posted may have died: then no attempt is logged. */
static void add_looking(struct lane *lane) {
    const Delivery *delivery = lane->delivery;
    int64_t began_us = timestamp_us(delivery->started_at);
    if (!find_attempt(lane, delivery->attempts)) {
        add_wait_before(lane, delivery->attempts, began_us);
        int64_t posted_us = add_preparation(lane, delivery->attempts, began_us);
        struct step post = step_of_lane(lane, KIND_POSTED, delivery->attempts, posted_us ? posted_us : began_us);
        post.state = STATE(FAILED_STEP);
        post.reason = herald_reason_name(HERALD_REASON_PROCESS_ENDED);
        post.message = "it is not known whether the channel has the post";
        add_entry(lane->timeline, &post);
    }
    struct step entry = step_of_lane(lane, KIND_LOOKED_UP, delivery->attempts,
                                     herald_max_i64(began_us, timestamp_us(delivery->finished_at)));
    bool is_waiting = delivery->state == DELIVERY(OUTCOME_UNKNOWN);
    entry.state = is_waiting ? STATE(WAITS) : STATE(UNDER_WAY);
    entry.next_at_us = is_waiting ? timestamp_us(delivery->next_attempt_at) : 0;
    entry.reason = delivery->reason;
    entry.message = delivery->message;
    add_entry(lane->timeline, &entry);
}

/* It waits: for a time, or for a person. */
static void add_waiting(struct lane *lane, enum kind kind, int64_t since_us) {
    const Delivery *delivery = lane->delivery;
    struct step entry = step_of_lane(lane, kind, delivery->attempts + (kind == KIND_WAITED), since_us);
    entry.state = STATE(WAITS);
    entry.next_at_us = timestamp_us(delivery->next_attempt_at);
    entry.reason = delivery->reason;
    entry.message = delivery->message;
    add_entry(lane->timeline, &entry);
}

static void add_expiry(struct lane *lane) {
    struct step entry = step_of_lane(lane, KIND_WAITED, lane->delivery->attempts + 1, lane->quiet_since_us);
    entry.state = STATE(FAILED_STEP);
    entry.reason = lane->delivery->reason;
    entry.message = lane->delivery->message;
    add_entry(lane->timeline, &entry);
}

static void add_present(struct lane *lane) {
    const Delivery *delivery = lane->delivery;
    int64_t ended_us = timestamp_us(delivery->finished_at);
    skip_to_person(lane, INT64_MAX);
    switch (delivery->state) {
    case DELIVERY(PREPARING):
        add_running(lane, false);
        break;
    case DELIVERY(COMMITTING):
        add_running(lane, true);
        break;
    case DELIVERY(RECONCILING):
        add_looking(lane);
        break;
    case DELIVERY(OUTCOME_UNKNOWN):
        if (delivery->next_attempt_at) {
            add_looking(lane);
        } else {
            add_waiting(lane, KIND_RESOLVED, ended_us);
        }
        break;
    case DELIVERY(AWAITING_OPERATOR):
        add_waiting(lane, KIND_CONFIRMED, ended_us);
        break;
    case DELIVERY(PENDING):
    case DELIVERY(DEFERRED):
    case DELIVERY(READY):
    case DELIVERY(NEEDS_AUTH):
        add_waiting(lane, KIND_WAITED, lane->quiet_since_us);
        break;
    case DELIVERY(EXPIRED):
        add_expiry(lane);
        break;
    default: /* PUBLISHED, REJECTED, CANCELLED: its attempts and steps have told it */
        break;
    }
}

static void add_delivery(struct timeline *timeline, const Distribution *distribution, const Delivery *delivery) {
    struct lane lane = {.timeline = timeline,
                        .distribution = distribution,
                        .delivery = delivery,
                        .quiet_since_us = timestamp_us(distribution->created_at)};
    for (uint32_t number = 1; number <= delivery->attempts; number++) {
        const Attempt *attempt = find_attempt(&lane, number);
        if (attempt) {
            add_logged_attempt(&lane, attempt);
        }
    }
    add_delivery_steps(&lane);
    add_present(&lane);
}

static void add_distribution(struct timeline *timeline, const Distribution *distribution) {
    int64_t opened_us = timestamp_us(distribution->created_at), completed_us = timestamp_us(distribution->completed_at);
    add_done(timeline, KIND_DELIVERY_OPENED, opened_us, opened_us);
    for (size_t i = 0; i < distribution->n_results; i++) {
        add_delivery(timeline, distribution, distribution->results[i]);
    }
    if (completed_us != 0) {
        add_entry(timeline, &(struct step){
                                .kind = KIND_DISTRIBUTION_COMPLETED_SENT,
                                .state = distribution->completed_waits ? STATE(UNDER_WAY) : STATE(SUCCEEDED),
                                .at_us = completed_us,
                            });
    }
}

/* ---- the answer ---- */

static int by_position(const void *a, const void *b) {
    const Entry *left = *(Entry *const *)a, *right = *(Entry *const *)b;
    return left->position < right->position ? -1 : left->position > right->position;
}

static bool is_open(const Entry *entry) {
    return entry->state == STATE(UNDER_WAY) || entry->state == STATE(WAITS);
}

/* The greatest position up to which nothing changes any more: before all that is open, and before what has just begun. */
static uint64_t resume_position(const struct timeline *timeline, int64_t now_us) {
    const struct step last = {.at_us = now_us - CHANGING_US};
    uint64_t resume = position_of(timeline, &last) - 1;
    for (size_t i = 0; i < timeline->count; i++) {
        if (is_open(timeline->entries[i])) {
            resume = herald_min_u64(resume, timeline->entries[i]->position - 1);
        }
    }
    return resume;
}

enum herald_code timeline_fill(const struct event_progress *progress, const Distribution *distribution, uint64_t after,
                               Herald__Event__V1__GetEventTimelineResponse *response, struct herald_error *reterr) {
    struct timeline timeline = {.base_us = progress->created_at_us};
    add_event(&timeline, progress);
    if (distribution) {
        add_distribution(&timeline, distribution);
    }
    if (timeline.is_full) {
        return arena_full(reterr, "the timeline");
    }
    if (timeline.count > 0) {
        qsort(timeline.entries, timeline.count, sizeof(Entry *), by_position);
    }
    size_t first = 0;
    while (first < timeline.count && timeline.entries[first]->position <= after) {
        first++;
    }
    response->entries = timeline.entries ? timeline.entries + first : NULL;
    response->n_entries = herald_min_size(timeline.count - first, TIMELINE_ENTRIES_MOST);
    response->resume_position = resume_position(&timeline, progress->read_at_us);
    if (response->n_entries < timeline.count - first) {
        uint64_t last = response->entries[response->n_entries - 1]->position;
        response->resume_position = herald_min_u64(response->resume_position, last);
    }
    return HERALD_OK;
}
