/* What the stores of herald-distribution do to distributions, deliveries and channels, all at once each. */
#include "server/distribution/channel_store.h"
#include "server/distribution/delivery_store.h"
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name) HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name

#define FIRST_PROBE_MS 5000
#define LAST_PROBE_MS  600000
#define PROBE_TURN_MS  30000

/* ---- rows ---- */

struct sim_distribution *sim_distribution_of(const char *event_id) {
    for (size_t i = 0; i < SIM_EVENTS; i++) {
        struct sim_distribution *distribution = &sim.database.distributions[i];
        if (distribution->exists && strcmp(distribution->event_id, event_id) == 0) {
            return distribution;
        }
    }
    return NULL;
}

struct sim_delivery *sim_delivery_of(struct sim_distribution *distribution, int channel) {
    for (size_t i = 0; distribution && i < distribution->count; i++) {
        if (distribution->deliveries[i].channel == channel) {
            return &distribution->deliveries[i];
        }
    }
    return NULL;
}

void sim_free_database(void) {
    for (size_t i = 0; i < SIM_EVENTS; i++) {
        free(sim.database.distributions[i].completed_value);
    }
}

static void put(char *to, size_t bytes, const char *text) {
    snprintf(to, bytes, "%s", text ? text : "");
}
#define PUT(field, text) put(field, sizeof(field), text)

static const char *kept(const char *text) {
    const char *copy = arena_strdup(call_arena(), text);
    return copy ? copy : "";
}

static struct delivery_row row_of(const struct sim_delivery *delivery) {
    return (struct delivery_row){
        .channel = delivery->channel,
        .state = delivery->state,
        .settled = delivery->settled,
        .remote_id = kept(delivery->remote_id),
        .step_id = kept(delivery->step_id),
        .post_url = kept(delivery->post_url),
        .reason = kept(delivery->reason),
        .message = kept(delivery->message),
        .attempts = delivery->attempts,
        .failures = delivery->failures,
        .next_at_us = delivery->next_at_us,
        .expires_at_us = delivery->expires_at_us,
        .started_at_us = delivery->started_at_us,
        .finished_at_us = delivery->finished_at_us,
    };
}

static void tell_report(struct sim_distribution *distribution, uint32_t report_ms) {
    int64_t at_us = sim_true_wall_us() + (int64_t)report_ms * 1000;
    if (distribution->report_at_us == 0 || at_us < distribution->report_at_us) {
        distribution->report_at_us = at_us;
    }
}

static bool is_uncertain(int state) {
    return state == STATE(COMMITTING) || state == STATE(OUTCOME_UNKNOWN) || state == STATE(RECONCILING);
}

static bool waits_for_cause(const struct sim_delivery *delivery) {
    static const char *const causes[] = {"CHANNEL_NEEDS_AUTH", "CHANNEL_PAUSED", "CLOCK_SKEW", "CHANNEL_DISABLED"};
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (strcmp(delivery->reason, causes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Each delivery of the database in turn; NULL after the last. */
static struct sim_delivery *next_delivery(size_t *at, struct sim_distribution **ret_distribution) {
    for (; *at < SIM_EVENTS * CHANNEL_COUNT; (*at)++) {
        struct sim_distribution *distribution = &sim.database.distributions[*at / CHANNEL_COUNT];
        size_t index = *at % CHANNEL_COUNT;
        if (distribution->exists && index < distribution->count) {
            (*at)++;
            *ret_distribution = distribution;
            return &distribution->deliveries[index];
        }
    }
    return NULL;
}

/* ---- leases ---- */

unsigned sim_release_deliveries(void) {
    struct sim_distribution *distribution;
    struct sim_delivery *delivery;
    unsigned released = 0;
    for (size_t at = 0; (delivery = next_delivery(&at, &distribution));) {
        if (delivery->holder[0] != '\0' && distribution->unsettled > 0 && !sim_has_lease(delivery->holder)) {
            if (delivery->state == STATE(COMMITTING)) { /* its process may have sent it */
                sim_post_of(distribution->event_id, delivery->channel)->lost = true;
            }
            delivery->holder[0] = '\0';
            delivery->next_at_us = sim_true_wall_us();
            released++;
        }
    }
    return released;
}

/* ---- distributions ---- */

static void open_rows(struct sim_distribution *distribution, const struct distribution_row *row,
                      const struct delivery_plan *plans, size_t count, const char *holder) {
    *distribution = (struct sim_distribution){
        .exists = true,
        .count = count,
        .unsettled = (uint32_t)count,
        .version = 1,
        .content_bytes = row->content_bytes,
        .expires_at_us = row->expires_at_us,
    };
    PUT(distribution->id, row->id);
    PUT(distribution->event_id, row->event_id);
    PUT(distribution->owner, row->owner);
    memcpy(distribution->content, row->content, row->content_bytes);
    for (size_t i = 0; i < count; i++) {
        int64_t now_us = sim_true_wall_us(), next_us = now_us + (int64_t)plans[i].next_in_ms * 1000;
        struct sim_delivery *delivery = &distribution->deliveries[i];
        distribution->channels[i] = plans[i].channel;
        *delivery = (struct sim_delivery){
            .exists = true,
            .channel = plans[i].channel,
            .state = plans[i].state,
            .attempts = plans[i].claimed ? 1 : 0,
            .next_at_us = plans[i].claimed               ? 0
                          : next_us < row->expires_at_us ? next_us
                                                         : row->expires_at_us,
            .started_at_us = plans[i].claimed ? row->created_at_us : 0,
            .expires_at_us = row->expires_at_us,
        };
        PUT(delivery->reason, plans[i].reason);
        PUT(delivery->message, plans[i].message);
        PUT(delivery->step_id, plans[i].step_id ? plans[i].step_id : "");
        PUT(delivery->holder, plans[i].claimed ? holder : "");
    }
}

TASK_FN enum herald_code delivery_store_open(struct db *db, const struct distribution_row *row,
                                             const struct delivery_plan *plans, size_t count, const char *holder,
                                             const struct riding_signature *signature, bool *ret_made, bool *ret_signed,
                                             struct herald_error *reterr) {
    (void)signature; /* calls are not signed here */
    (void)ret_signed;
    enum sim_fate fate = sim_reach(db);
    bool made = false;
    if (fate != SIM_REFUSED && !sim_distribution_of(row->event_id) &&
        row->content_bytes <= sizeof(((struct sim_distribution *)0)->content)) {
        open_rows(&sim.database.distributions[sim_event_index(row->event_id)], row, plans, count, holder);
        made = true;
    }
    enum herald_code code = sim_answer(db, fate, true, reterr);
    *ret_made = made;
    return code;
}

TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_row,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_distribution *distribution = sim_distribution_of(event_id);
    struct delivery_row *rows = arena_calloc(call_arena(), CHANNEL_COUNT, sizeof(*rows));
    struct distribution_row row = {0};
    size_t count = distribution ? distribution->count : 0;
    if (!rows) {
        return arena_full(reterr, "the deliveries");
    }
    if (distribution) {
        row = (struct distribution_row){
            .id = kept(distribution->id),
            .event_id = kept(distribution->event_id),
            .owner = kept(distribution->owner),
            .content = arena_memdup(call_arena(), distribution->content, distribution->content_bytes),
            .content_bytes = distribution->content_bytes,
            .channels = distribution->channels,
            .channel_count = count,
            .unsettled = distribution->unsettled,
            .version = distribution->version,
            .completed_at_us = distribution->completed_at_us,
            .expires_at_us = distribution->expires_at_us,
            .time_zone = "",
        };
    }
    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(&distribution->deliveries[i]);
    }
    enum herald_code code = sim_answer(db, fate, false, reterr);
    if (code == HERALD_OK && !distribution) {
        code = herald_error_set(reterr, HERALD_REASON_DISTRIBUTION_NOT_FOUND, DISTRIBUTION_NOT_FOUND_TEXT);
    }
    if (code == HERALD_OK) {
        *ret_row = row;
        *ret_deliveries = rows;
        *ret_count = count;
    }
    return code;
}

/* ---- taking ---- */

static bool is_due(const struct sim_delivery *delivery, const struct delivery_want *want) {
    return delivery->channel == want->channel && delivery->next_at_us != 0 &&
           (delivery->next_at_us <= sim_true_wall_us() || (want->is_probe && waits_for_cause(delivery)));
}

/* The one that is due first. */
static struct sim_delivery *find_due(const struct delivery_want *want, struct sim_distribution **ret_distribution) {
    struct sim_distribution *distribution;
    struct sim_delivery *delivery, *first = NULL;
    for (size_t at = 0; (delivery = next_delivery(&at, &distribution));) {
        if (is_due(delivery, want) && (!first || delivery->next_at_us < first->next_at_us)) {
            first = delivery;
            *ret_distribution = distribution;
        }
    }
    return first;
}

static struct taken_delivery take_one(struct sim_delivery *delivery, const struct sim_distribution *distribution,
                                      const struct delivery_want *want, const char *holder) {
    bool expired = delivery->expires_at_us <= sim_true_wall_us();
    if (is_uncertain(delivery->state)) {
        delivery->state = STATE(RECONCILING);
    } else if (!expired) {
        delivery->state = want->has_steps ? STATE(PREPARING) : STATE(COMMITTING);
        delivery->attempts++;
        delivery->started_at_us = sim_true_wall_us();
    }
    PUT(delivery->holder, holder);
    delivery->next_at_us = 0;
    return (struct taken_delivery){
        .delivery = row_of(delivery),
        .expired = expired,
        .distribution_id = kept(distribution->id),
        .event_id = kept(distribution->event_id),
        .owner = kept(distribution->owner),
        .content = arena_memdup(call_arena(), distribution->content, distribution->content_bytes),
        .content_bytes = distribution->content_bytes,
    };
}

TASK_FN enum herald_code delivery_store_take(struct db *db, const char *holder, const struct delivery_want *wants,
                                             size_t want_count, struct taken_delivery **ret_taken, size_t *ret_count,
                                             struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct taken_delivery *taken = arena_calloc(call_arena(), SIM_EVENTS * CHANNEL_COUNT, sizeof(*taken));
    size_t count = 0;
    for (size_t i = 0; taken && fate != SIM_REFUSED && i < want_count; i++) {
        struct sim_distribution *distribution = NULL;
        struct sim_delivery *delivery;
        for (uint32_t n = 0; n < wants[i].most && (delivery = find_due(&wants[i], &distribution)); n++) {
            taken[count++] = take_one(delivery, distribution, &wants[i], holder);
        }
    }
    enum herald_code code = sim_answer(db, fate, true, reterr);
    if (code == HERALD_OK) {
        *ret_taken = taken;
        *ret_count = count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_expire(struct db *db, uint32_t limit, uint32_t report_ms,
                                               struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_distribution *distribution;
    struct sim_delivery *delivery;
    int64_t now_us = sim_true_wall_us();
    for (size_t at = 0; fate != SIM_REFUSED && limit > 0 && (delivery = next_delivery(&at, &distribution));) {
        if (delivery->next_at_us != 0 && delivery->next_at_us <= now_us && delivery->expires_at_us <= now_us &&
            !is_uncertain(delivery->state)) {
            delivery->state = STATE(EXPIRED);
            delivery->settled = true;
            delivery->next_at_us = 0;
            distribution->unsettled--;
            distribution->version++;
            tell_report(distribution, report_ms);
        }
    }
    return sim_answer(db, fate, true, reterr);
}

/* ---- finishing ---- */

/* Writes a change to its row. Returns: false: another process has the delivery, or it is settled. */
static bool change_one(struct sim_delivery *delivery, const struct delivery_change *change, const char *holder) {
    const struct delivery_row *row = change->row;
    if (!delivery || delivery->attempts != row->attempts) {
        return false;
    }
    bool late = delivery->settled && delivery->state == STATE(OUTCOME_UNKNOWN) && row->settled &&
                row->state != STATE(OUTCOME_UNKNOWN);
    if (!late && (delivery->settled || (change->stays && strcmp(delivery->holder, holder) != 0))) {
        return false;
    }
    sim_check_transition(delivery, row->state);
    int64_t now_us = sim_true_wall_us(), next_us = now_us + (int64_t)change->next_in_ms * 1000;
    delivery->state = row->state;
    PUT(delivery->remote_id, row->remote_id);
    PUT(delivery->post_url, row->post_url);
    PUT(delivery->reason, row->reason);
    PUT(delivery->message, row->message);
    delivery->finished_at_us = row->finished_at_us;
    if (row->finished_at_us != 0 && row->attempts > 0 && row->attempts > delivery->attempts_written) {
        delivery->attempts_written = row->attempts;
    }
    if (late) {
        return true;
    }
    PUT(delivery->step_id, row->step_id);
    delivery->settled = row->settled;
    delivery->failures = row->failures;
    delivery->started_at_us = row->started_at_us;
    int64_t last_us = delivery->expires_at_us > now_us ? delivery->expires_at_us : now_us;
    delivery->next_at_us = change->stays || row->settled ? 0 : next_us < last_us ? next_us : last_us;
    if (!change->stays) {
        delivery->holder[0] = '\0';
    }
    return true;
}

static const struct completed_record *record_of(const struct completed_record *records, size_t count,
                                                const char *event_id) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].event_id, event_id) == 0) {
            return &records[i];
        }
    }
    return NULL;
}

static void store_record(struct sim_distribution *distribution, const struct outbox_row *row) {
    sim_promise(row);
    distribution->completed_records++;
    free(distribution->completed_value);
    distribution->completed_value = calloc(1, row->value_bytes + 1);
    if (distribution->completed_value) {
        memcpy(distribution->completed_value, row->value, row->value_bytes);
    }
}

/* The changes of one distribution, which is counted once. */
static void change_distribution(struct sim_distribution *distribution, const struct delivery_change *changes,
                                size_t count, const struct completed_record *record, uint32_t report_ms,
                                const char *holder, struct change_result *results) {
    bool changed = false, told = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(changes[i].event_id, distribution->event_id) != 0) {
            continue;
        }
        struct sim_delivery *delivery = sim_delivery_of(distribution, changes[i].row->channel);
        bool was_settled = delivery && delivery->settled;
        results[i].changed = change_one(delivery, &changes[i], holder);
        changed |= results[i].changed;
        told |= results[i].changed && !changes[i].stays;
        distribution->unsettled -= results[i].changed && !was_settled && delivery->settled ? 1 : 0;
    }
    if (!changed) {
        return;
    }
    distribution->version++;
    bool completes = distribution->unsettled == 0 && distribution->completed_at_us == 0;
    if (completes && record) {
        distribution->completed_at_us = sim_true_wall_us();
        distribution->report_at_us = 0;
        store_record(distribution, &record->row);
    } else if (completes) {
        distribution->report_at_us = sim_true_wall_us();
    } else if (told) {
        tell_report(distribution, report_ms);
    }
    for (size_t i = 0; i < count; i++) {
        if (results[i].changed && strcmp(changes[i].event_id, distribution->event_id) == 0) {
            results[i].unsettled = distribution->unsettled;
            results[i].version = distribution->version;
            results[i].completed = completes && record;
        }
    }
}

TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *holder, const struct delivery_change *changes,
                                               size_t count, const struct completed_record *records,
                                               size_t record_count, uint32_t report_ms,
                                               struct change_result *ret_results, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    memset(ret_results, 0, count * sizeof(*ret_results));
    for (size_t i = 0; fate != SIM_REFUSED && i < SIM_EVENTS; i++) {
        struct sim_distribution *distribution = &sim.database.distributions[i];
        if (distribution->exists) {
            change_distribution(distribution, changes, count, record_of(records, record_count, distribution->event_id),
                                report_ms, holder, ret_results);
        }
    }
    return sim_answer(db, fate, true, reterr);
}

/* ---- reports, watchers, claims ---- */

TASK_FN enum herald_code delivery_store_take_reports(struct db *db, uint32_t limit, uint32_t lease_ms,
                                                     const char ***ret_event_ids, size_t *ret_count,
                                                     struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    const char **event_ids = arena_calloc(call_arena(), SIM_EVENTS, sizeof(const char *));
    size_t count = 0;
    for (size_t i = 0; event_ids && fate != SIM_REFUSED && i < SIM_EVENTS && count < limit; i++) {
        struct sim_distribution *distribution = &sim.database.distributions[i];
        if (distribution->report_at_us != 0 && distribution->report_at_us <= sim_true_wall_us()) {
            distribution->report_at_us = sim_true_wall_us() + (int64_t)lease_ms * 1000;
            event_ids[count++] = distribution->event_id;
        }
    }
    enum herald_code code = sim_answer(db, fate, true, reterr);
    if (code == HERALD_OK) {
        *ret_event_ids = event_ids;
        *ret_count = count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_end_report(struct db *db, const char *event_id, uint64_t version,
                                                   bool completes, const struct outbox_row *record, bool *ret_stored,
                                                   struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_distribution *distribution = sim_distribution_of(event_id);
    bool stored = fate != SIM_REFUSED && distribution && distribution->version == version &&
                  (!completes || (distribution->completed_at_us == 0 && distribution->unsettled == 0));
    if (stored) {
        distribution->report_at_us = 0;
    }
    if (stored && !completes && record) {
        sim_promise(record);
    }
    if (stored && completes) {
        distribution->completed_at_us = sim_true_wall_us();
        store_record(distribution, record);
    }
    *ret_stored = stored;
    return sim_answer(db, fate, true, reterr);
}

TASK_FN enum herald_code delivery_store_versions(struct db *db, const char *const *event_ids, size_t count,
                                                 struct distribution_version **ret_versions, size_t *ret_count,
                                                 struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct distribution_version *versions = arena_calloc(call_arena(), count, sizeof(*versions));
    size_t found = 0;
    for (size_t i = 0; versions && i < count; i++) {
        const struct sim_distribution *distribution = sim_distribution_of(event_ids[i]);
        if (distribution) {
            versions[found++] =
                (struct distribution_version){distribution->event_id, distribution->version, distribution->unsettled};
        }
    }
    *ret_versions = versions;
    *ret_count = found;
    return sim_answer(db, fate, false, reterr);
}

TASK_FN enum herald_code delivery_store_held(struct db *db, const char *holder, struct held_delivery **ret_held,
                                             size_t *ret_count, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct held_delivery *held = arena_calloc(call_arena(), SIM_EVENTS * CHANNEL_COUNT, sizeof(*held));
    struct sim_distribution *distribution;
    struct sim_delivery *delivery;
    size_t count = 0;
    for (size_t at = 0; held && (delivery = next_delivery(&at, &distribution));) {
        if (strcmp(delivery->holder, holder) == 0 && distribution->unsettled > 0) {
            held[count++] = (struct held_delivery){distribution->event_id, delivery->channel, delivery->attempts};
        }
    }
    *ret_held = held;
    *ret_count = count;
    return sim_answer(db, fate, false, reterr);
}

TASK_FN enum herald_code delivery_store_unclaim(struct db *db, const char *holder, const struct held_delivery *lost,
                                                size_t count, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    for (size_t i = 0; fate != SIM_REFUSED && i < count; i++) {
        struct sim_delivery *delivery = sim_delivery_of(sim_distribution_of(lost[i].event_id), lost[i].channel);
        if (delivery && delivery->attempts == lost[i].attempts && strcmp(delivery->holder, holder) == 0 &&
            !delivery->settled) {
            delivery->state = delivery->state == STATE(RECONCILING) ? STATE(OUTCOME_UNKNOWN) : STATE(READY);
            delivery->holder[0] = '\0';
            delivery->next_at_us = sim_true_wall_us();
        }
    }
    return sim_answer(db, fate, true, reterr);
}

TASK_FN enum herald_code delivery_store_adopt(struct db *db, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    if (fate != SIM_REFUSED) {
        (void)sim_release_deliveries();
    }
    return sim_answer(db, fate, true, reterr);
}

/* ---- what a person does ---- */

TASK_FN enum herald_code delivery_store_retry(struct db *db, const char *event_id, int channel, uint64_t keep_trying_ms,
                                              uint32_t report_ms, uint32_t *ret_changed, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_distribution *distribution = sim_distribution_of(event_id);
    uint32_t changed = 0;
    for (size_t i = 0; fate != SIM_REFUSED && distribution && i < distribution->count; i++) {
        struct sim_delivery *delivery = &distribution->deliveries[i];
        bool over = delivery->state == STATE(REJECTED) || delivery->state == STATE(EXPIRED) ||
                    delivery->state == STATE(CANCELLED);
        bool waits = delivery->next_at_us != 0 && strcmp(delivery->reason, "SCHEDULED") != 0;
        if ((channel != 0 && delivery->channel != channel) || (!over && !waits)) {
            continue;
        }
        changed++;
        int64_t until_us = sim_true_wall_us() + (int64_t)keep_trying_ms * 1000;
        delivery->expires_at_us = until_us > delivery->expires_at_us ? until_us : delivery->expires_at_us;
        delivery->failures = 0;
        delivery->next_at_us = sim_true_wall_us();
        if (delivery->settled) {
            distribution->unsettled++;
            delivery->step_id[0] = delivery->reason[0] = delivery->message[0] = '\0';
        }
        delivery->state =
            delivery->settled || delivery->state == STATE(NEEDS_AUTH) ? STATE(READY) : (int)delivery->state;
        delivery->settled = false;
    }
    if (changed > 0) {
        distribution->version++;
        tell_report(distribution, report_ms);
    }
    *ret_changed = changed;
    return sim_answer(db, fate, true, reterr);
}

static bool may_cancel(int state) {
    return state == STATE(PENDING) || state == STATE(DEFERRED) || state == STATE(PREPARING) || state == STATE(READY) ||
           state == STATE(NEEDS_AUTH);
}

TASK_FN enum herald_code delivery_store_cancel(struct db *db, const char *event_id, int channel, uint32_t report_ms,
                                               uint32_t *ret_changed, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_distribution *distribution = sim_distribution_of(event_id);
    uint32_t changed = 0;
    for (size_t i = 0; fate != SIM_REFUSED && distribution && i < distribution->count; i++) {
        struct sim_delivery *delivery = &distribution->deliveries[i];
        if ((channel == 0 || delivery->channel == channel) && delivery->next_at_us != 0 &&
            may_cancel(delivery->state)) {
            delivery->state = STATE(CANCELLED);
            delivery->settled = true;
            delivery->next_at_us = 0;
            PUT(delivery->reason, "CANCELLED");
            changed++;
        }
    }
    if (changed > 0) {
        distribution->unsettled -= changed;
        distribution->version++;
        tell_report(distribution, report_ms);
    }
    *ret_changed = changed;
    return sim_answer(db, fate, true, reterr);
}

/* Not part of what is simulated: nobody calls them here. */
TASK_FN enum herald_code delivery_store_schedule(struct db *db, const char *event_id, int64_t scheduled_at_us,
                                                 const char *time_zone, uint64_t keep_trying_ms, uint32_t *ret_changed,
                                                 struct herald_error *reterr) {
    (void)db, (void)event_id, (void)scheduled_at_us, (void)time_zone, (void)keep_trying_ms, (void)ret_changed;
    return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "not simulated");
}

TASK_FN enum herald_code delivery_store_resolve(struct db *db, const char *event_id, const int *from, size_t from_count,
                                                const struct delivery_row *row, uint64_t keep_trying_ms,
                                                uint32_t report_ms, uint32_t *ret_changed,
                                                struct herald_error *reterr) {
    (void)db, (void)event_id, (void)from, (void)from_count, (void)row, (void)keep_trying_ms, (void)report_ms;
    (void)ret_changed;
    return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "not simulated");
}

TASK_FN enum herald_code delivery_store_attempts(struct db *db, const char *event_id, uint32_t limit,
                                                 struct attempt_row **ret_rows, size_t *ret_count,
                                                 struct herald_error *reterr) {
    (void)db, (void)event_id, (void)limit, (void)ret_rows, (void)ret_count;
    return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "not simulated");
}

TASK_FN enum herald_code delivery_store_steps(struct db *db, const char *event_id, const char *distribution_id,
                                              uint32_t limit, struct step_row **ret_rows, size_t *ret_count,
                                              bool *ret_record_waits, struct herald_error *reterr) {
    (void)db, (void)event_id, (void)distribution_id, (void)limit, (void)ret_rows, (void)ret_count,
        (void)ret_record_waits;
    return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "not simulated");
}

TASK_FN enum herald_code delivery_store_local_time(struct db *db, const char *time_zone, const char *local,
                                                   struct local_time *ret_time, struct herald_error *reterr) {
    (void)db, (void)time_zone, (void)local, (void)ret_time;
    return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "not simulated");
}

/* ---- channels ---- */

TASK_FN enum herald_code channel_store_load(struct db *db, struct channel_control *ret_controls,
                                            struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        const struct sim_control *control = &sim.database.controls[i];
        ret_controls[i] = (struct channel_control){
            .pause = control->pause,
            .breaker = HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__BREAKER_AUTOMATIC,
            .note = kept(control->note),
            .probe_due = control->probe_at_us != 0 && control->probe_at_us <= sim_true_wall_us(),
            .probe_at_us = control->probe_at_us,
        };
    }
    return sim_answer(db, fate, false, reterr);
}

TASK_FN enum herald_code channel_store_pause(struct db *db, const struct channel_row *row, int pause, const char *note,
                                             bool is_probe, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_control *control = &sim.database.controls[channel_index(row)];
    if (fate != SIM_REFUSED) {
        bool first = control->pause == PAUSE(NOT_PAUSED);
        uint64_t wait_ms = FIRST_PROBE_MS;
        for (unsigned i = 0; !first && i < control->probes && wait_ms < LAST_PROBE_MS; i++) {
            wait_ms *= 2;
        }
        control->pause = pause;
        PUT(control->note, note);
        if (first || is_probe) {
            control->probes = first ? 1 : control->probes + 1;
            control->probe_at_us = sim_true_wall_us() + (int64_t)wait_ms * 1000;
        }
    }
    return sim_answer(db, fate, true, reterr);
}

TASK_FN enum herald_code channel_store_probe(struct db *db, const struct channel_row *row, bool *ret_taken,
                                             struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    struct sim_control *control = &sim.database.controls[channel_index(row)];
    struct sim_distribution *distribution;
    struct sim_delivery *delivery;
    bool waits = false, taken = false;
    for (size_t at = 0; (delivery = next_delivery(&at, &distribution));) {
        waits |= delivery->channel == row->number && delivery->next_at_us != 0 &&
                 (delivery->next_at_us <= sim_true_wall_us() || waits_for_cause(delivery));
    }
    if (fate != SIM_REFUSED && waits && control->pause != PAUSE(NOT_PAUSED) &&
        control->probe_at_us <= sim_true_wall_us()) {
        control->probe_at_us = sim_true_wall_us() + PROBE_TURN_MS * 1000;
        taken = true;
    }
    *ret_taken = taken;
    return sim_answer(db, fate, true, reterr);
}

static void make_due(const struct channel_row *row, bool after_breaker) {
    struct sim_distribution *distribution;
    struct sim_delivery *delivery;
    for (size_t at = 0; (delivery = next_delivery(&at, &distribution));) {
        if (delivery->channel == row->number && delivery->next_at_us > sim_true_wall_us() &&
            (waits_for_cause(delivery) || (after_breaker && strcmp(delivery->reason, "CHANNEL_FAILING") == 0))) {
            delivery->next_at_us = sim_true_wall_us();
        }
    }
}

TASK_FN enum herald_code channel_store_heal(struct db *db, const struct channel_row *row, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    if (fate != SIM_REFUSED) {
        sim.database.controls[channel_index(row)] = (struct sim_control){0};
        make_due(row, false);
    }
    return sim_answer(db, fate, true, reterr);
}

TASK_FN enum herald_code channel_store_wake(struct db *db, const struct channel_row *row, struct herald_error *reterr) {
    enum sim_fate fate = sim_reach(db);
    if (fate != SIM_REFUSED) {
        make_due(row, true);
    }
    return sim_answer(db, fate, true, reterr);
}

TASK_FN enum herald_code channel_store_backlog(struct db *db, struct channel_backlog *ret_backlogs,
                                               struct herald_error *reterr) {
    memset(ret_backlogs, 0, CHANNEL_COUNT * sizeof(*ret_backlogs));
    return sim_answer(db, sim_reach(db), false, reterr);
}
