/* What must hold: the promise of docs/failures.md, seen from outside of the processes. */
#include "server/distribution/decide.h"
#include "tests/simulation/sim.h"

#include <jansson.h>
#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

static const char *name_of(int state) {
    return herald_distribution_v1_delivery_state_name((Herald__Distribution__V1__DeliveryState)state);
}

static const struct sim_post *post_of(size_t event, int channel) {
    return sim_post_of(sim.event_ids[event], channel);
}

/* ---- replies ---- */

void sim_check_results(Herald__Distribution__V1__ChannelResult *const *results, size_t count, size_t event,
                       bool *ret_settled) {
    bool settled = true;
    for (size_t i = 0; i < count; i++) {
        const Herald__Distribution__V1__ChannelResult *result = results[i];
        const struct sim_post *post = post_of(event, (int)result->channel);
        bool assisted = channel_find((int)result->channel)->can.assisted;
        if ((int)result->state == STATE(PUBLISHED) && post->accepted == 0 && !assisted) {
            sim_fail("event %zu: a caller was told PUBLISHED, and %s has nothing", event,
                     channel_name((int)result->channel));
        }
        if ((int)result->state == STATE(REJECTED) && !post->refused_for_good) {
            sim_fail("event %zu: a caller was told REJECTED, and %s has not said so", event,
                     channel_name((int)result->channel));
        }
        if (delivery_outlook((int)result->state, false) == HERALD__DISTRIBUTION__V1__OUTLOOK__GOES_ON &&
            (int)result->state != STATE(OUTCOME_UNKNOWN)) {
            settled = false;
        }
    }
    *ret_settled = settled;
}

void sim_check_reply(const Herald__Distribution__V1__DistributeResponse *response, size_t event) {
    const struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[event]);
    if (!distribution || response->n_results != distribution->count) {
        sim_fail("event %zu: a reply has %zu results", event, response->n_results);
        return;
    }
    bool settled;
    sim_check_results(response->results, response->n_results, event, &settled);
    if (response->completed && !settled) {
        sim_fail("event %zu: a caller was told that all is settled, and something goes on", event);
    }
}

/* ---- states ---- */

/* Which states may follow when a drive ends, or goes on. A change whose answer was lost is stored again. */
static bool may_follow(int from, int to) {
    if (from == to) {
        return true;
    }
    bool waits = to == STATE(READY) || to == STATE(DEFERRED) || to == STATE(NEEDS_AUTH) || to == STATE(EXPIRED) ||
                 to == STATE(REJECTED);
    switch (from) {
    case STATE(COMMITTING):
    case STATE(RECONCILING): /* by a look-up, or by the late answer of the post */
        return waits || to == STATE(PUBLISHED) || to == STATE(AWAITING_OPERATOR) || to == STATE(OUTCOME_UNKNOWN);
    case STATE(PREPARING):
        return waits || to == STATE(COMMITTING);
    case STATE(OUTCOME_UNKNOWN): /* by a look-up, or by the late answer of the post, of a process that stood still */
        return to == STATE(PUBLISHED) || to == STATE(READY) || to == STATE(REJECTED) ||
               to == STATE(AWAITING_OPERATOR) || to == STATE(DEFERRED) || to == STATE(NEEDS_AUTH);
    case STATE(READY): /* the late answer of a look-up, by a process that lost its lease */
        return waits || to == STATE(PUBLISHED) || to == STATE(AWAITING_OPERATOR) || to == STATE(OUTCOME_UNKNOWN);
    default:
        return waits || to == STATE(PUBLISHED) || to == STATE(AWAITING_OPERATOR);
    }
}

void sim_check_transition(const struct sim_delivery *delivery, int to_state) {
    if (!may_follow(delivery->state, to_state)) {
        sim_fail("%s: %s becomes %s", channel_name(delivery->channel), name_of(delivery->state), name_of(to_state));
    }
}

/* ---- the end ---- */

static bool is_idle(const struct sim_life *life) {
    return !life || (life->shared.driving == 0 && life->shared.unstored == 0 && !life->service.engine.rounds);
}

bool sim_is_settled(void) {
    for (size_t i = 0; i < sim.event_count; i++) {
        const struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[i]);
        if (distribution && (distribution->unsettled > 0 || distribution->completed_at_us == 0)) {
            return false;
        }
    }
    for (size_t i = 0; i < SIM_PROCESSES; i++) {
        if (!is_idle(sim.processes[SIM_DISTRIBUTION][i])) {
            return false;
        }
    }
    return true;
}

/* What a process goes on with, though nothing is left to do. */
static void check_idle(const struct sim_life *life) {
    if (!is_idle(life)) {
        sim_fail("process %u still drives %u deliveries, and has %u changes to store", life->number,
                 life->shared.driving, life->shared.unstored);
    }
}

static void check_delivery(size_t event, const struct sim_delivery *delivery) {
    const struct sim_post *post = post_of(event, delivery->channel);
    const struct channel_row *row = channel_find(delivery->channel);
    const char *name = channel_name(delivery->channel);
    int state = delivery->state;
    if (!delivery->settled) {
        sim_fail("event %zu: %s is stuck in %s (%s)", event, name, name_of(state), delivery->reason);
        return;
    }
    if (state == STATE(PUBLISHED) && post->accepted == 0 && !row->can.assisted) {
        sim_fail("event %zu: PUBLISHED, and %s has nothing", event, name);
    }
    if (post->accepted > 0 && state != STATE(PUBLISHED) && state != STATE(OUTCOME_UNKNOWN)) {
        sim_fail("event %zu: %s has it, and it is %s", event, name, name_of(state));
    }
    if (state == STATE(OUTCOME_UNKNOWN) && (row->can.look_up || !post->lost)) {
        sim_fail("event %zu: %s is OUTCOME_UNKNOWN, and %s", event, name,
                 row->can.look_up ? "the channel can be asked" : "no answer was lost");
    }
    if (state == STATE(REJECTED) && !post->refused_for_good) {
        sim_fail("event %zu: REJECTED, and %s has not said so", event, name);
    }
    if (state == STATE(EXPIRED) || state == STATE(CANCELLED)) {
        sim_fail("event %zu: %s is %s, though nobody wanted that", event, name, name_of(state));
    }
    if (state == STATE(AWAITING_OPERATOR) && !row->can.assisted) {
        sim_fail("event %zu: %s awaits an operator", event, name);
    }
    if (delivery->attempts == 0 || delivery->attempts_written == 0) {
        sim_fail("event %zu: %s was settled, and no attempt is written", event, name);
    }
}

/* DistributionCompleted tells what the rows say. */
static void check_record(size_t event, struct sim_distribution *distribution) {
    if (distribution->completed_records != 1) {
        sim_fail("event %zu: DistributionCompleted was stored %u times", event, distribution->completed_records);
        return;
    }
    json_t *record = distribution->completed_value ? json_loads(distribution->completed_value, 0, NULL) : NULL;
    json_t *results = json_object_get(record, "results"), *result;
    size_t index;
    if (json_array_size(results) != distribution->count) {
        sim_fail("event %zu: DistributionCompleted has %zu results", event, json_array_size(results));
    }
    json_array_foreach(results, index, result) {
        const char *channel = json_string_value(json_object_get(result, "channel"));
        const char *state = json_string_value(json_object_get(result, "state"));
        for (size_t i = 0; channel && state && i < distribution->count; i++) {
            const struct sim_delivery *delivery = &distribution->deliveries[i];
            bool changed_later = delivery->state == STATE(PUBLISHED) && strcmp(state, "OUTCOME_UNKNOWN") == 0;
            if (strcmp(channel, channel_name(delivery->channel)) == 0 && !changed_later &&
                strcmp(state, name_of(delivery->state)) != 0 &&
                post_of(event, delivery->channel)->refused_for_good == 0) {
                sim_fail("event %zu: DistributionCompleted says %s of %s, the row %s", event, state, channel,
                         name_of(delivery->state));
            }
        }
    }
    json_decref(record);
}

void sim_check_places(const struct sim_life *life) {
    for (size_t i = 0; life->kind == SIM_DISTRIBUTION && i < CHANNEL_COUNT; i++) {
        struct channel_view view;
        channel_view(life->shared.channels[i], &view);
        if (view.in_flight != 0) {
            sim_fail("process %u: %u places at %s were not given back", life->number, view.in_flight,
                     channel_rows[i].name);
        }
    }
}

void sim_check_end(void) {
    if (sim.callers > 0) {
        sim_fail("%u callers have no answer", sim.callers);
    }
    for (size_t i = 0; i < sim.event_count; i++) {
        struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[i]);
        if (!distribution) {
            continue; /* no attempt of its caller came so far */
        }
        for (size_t j = 0; j < distribution->count; j++) {
            check_delivery(i, &distribution->deliveries[j]);
        }
        check_record(i, distribution);
    }
    for (size_t i = 0; i < SIM_PROCESSES; i++) {
        check_idle(sim.processes[SIM_DISTRIBUTION][i]);
    }
}
