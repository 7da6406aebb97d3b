/* What must hold for events: the promise of README.md's flow A, seen from outside of the processes. */
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS(name) HERALD__EVENT__V1__EVENT_STATUS__##name
#define TOLD_MAX     SIM_KEYS

typedef Herald__Event__V1__PublishEventResponse PublishEventResponse;

/* The reply that a caller was given for good under its key. */
struct told {
    size_t event;
    char key[129];
    uint8_t *bytes;
    size_t count;
    uint64_t at_us;
};
static struct told told[TOLD_MAX];
static size_t told_count;

void sim_free_replies(void) {
    for (size_t i = 0; i < told_count; i++) {
        free(told[i].bytes);
    }
    told_count = 0;
    for (size_t i = 0; i < SIM_EVENTS; i++) {
        free(sim.database.events[i].results);
    }
    for (size_t i = 0; i < sim.database.key_count; i++) {
        free(sim.database.keys[i].reply);
    }
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        free(sim.database.promises[i].value);
    }
}

/* ---- ACTIVE ---- */

void sim_check_activation(size_t event, const uint8_t *results, size_t bytes) {
    PublishEventResponse *stored = herald__event__v1__publish_event_response__unpack(NULL, bytes, results);
    const struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[event]);
    bool accepted = false, settled;
    for (size_t i = 0; stored && i < stored->n_distribution_results; i++) {
        accepted |= stored->distribution_results[i]->accepted;
    }
    if (!stored || !distribution || stored->n_distribution_results != distribution->count) {
        sim_fail("event %zu becomes ACTIVE without the results of its distribution", event);
    } else if (!accepted || stored->status != STATUS(ACTIVE)) {
        sim_fail("event %zu becomes ACTIVE, and no channel has accepted it", event);
    } else {
        sim_check_results(stored->distribution_results, stored->n_distribution_results, event, &settled);
    }
    if (sim.database.events[event].activated_us != 0) {
        sim_fail("event %zu becomes ACTIVE twice", event);
    }
    if (stored) {
        herald__event__v1__publish_event_response__free_unpacked(stored, NULL);
    }
}

/* ---- replies ---- */

/* A call is answered once under a key: all its repeats get the same bytes. */
static void check_same(const char *key, size_t event, const PublishEventResponse *response) {
    size_t count = protobuf_c_message_get_packed_size(&response->base);
    uint8_t *bytes = malloc(count + 1);
    if (!bytes) {
        sim_give_up("no memory for a reply");
    }
    protobuf_c_message_pack(&response->base, bytes);
    for (size_t i = 0; i < told_count; i++) {
        if (told[i].event == event && strcmp(told[i].key, key) == 0) {
            if (told[i].count != count || memcmp(told[i].bytes, bytes, count) != 0) {
                sim_fail("event %zu: two callers under '%s' were given different replies", event, key);
            }
            free(bytes);
            return;
        }
    }
    if (told_count == TOLD_MAX) {
        sim_give_up("the simulation has no room for another reply");
    }
    told[told_count] = (struct told){.event = event, .bytes = bytes, .count = count, .at_us = sim.now_us};
    (void)snprintf(told[told_count++].key, sizeof(told[0].key), "%s", key);
}

/* Whether a caller under the key was answered before @before_us. */
static bool was_answered(const char *key, size_t event, uint64_t before_us) {
    for (size_t i = 0; i < told_count; i++) {
        if (told[i].event == event && strcmp(told[i].key, key) == 0 && told[i].at_us < before_us) {
            return true;
        }
    }
    return false;
}

static void check_reply(const struct sim_call *call, const PublishEventResponse *response, size_t event) {
    const struct sim_event *row = &sim.database.events[event];
    const char *key = call->call.idempotency_key;
    bool is_open = response->reason[0] != '\0', settled;
    if (strcmp(response->event_id, sim.event_ids[event]) != 0) {
        sim_fail("event %zu: a caller was told of event '%s'", event, response->event_id);
    }
    if (row->status == EVENT_DRAFT || (response->status == STATUS(ACTIVE) && row->status != EVENT_ACTIVE)) {
        sim_fail("event %zu: a caller was told %d, and its row says %d", event, (int)response->status,
                 (int)row->status);
    }
    if (is_open != (response->n_distribution_results == 0)) {
        sim_fail("event %zu: a caller was told %zu results, and the reason '%s'", event,
                 response->n_distribution_results, response->reason);
    }
    sim_check_results(response->distribution_results, response->n_distribution_results, event, &settled);
    if (!is_open && !settled && !response->goes_on) {
        sim_fail("event %zu: a caller was told that nothing goes on, and something does", event);
    }
    if (key[0] != '\0' && is_open && was_answered(key, event, call->began_us)) {
        sim_fail("event %zu: '%s' was answered, and a repeat is told to wait", event, key);
    }
    if (key[0] != '\0' && !is_open) {
        check_same(key, event, response);
    }
}

/* Errors that a caller may get: of a passing trouble; and, if others ask for something else, of that. */
static bool may_fail_with(enum herald_code code) {
    switch (code) {
    case HERALD_UNAVAILABLE:
    case HERALD_OUTCOME_UNKNOWN:
    case HERALD_DEADLINE_EXCEEDED:
    case HERALD_CANCELLED:
        return true;
    default:
        return false;
    }
}

static bool is_refused(const struct herald_error *error) {
    return herald_error_is(error, HERALD_REASON_IDEMPOTENCY_KEY_REUSED) ||
           herald_error_is(error, HERALD_REASON_CHANNELS_FIXED) || herald_error_is(error, HERALD_REASON_SCHEDULE_FIXED);
}

/* Whether another attempt of the call was answered: then the stored reply is the answer, and it may not be readable now. */
static bool has_reply(size_t event, const char *key) {
    for (size_t i = 0; i < sim.database.key_count; i++) {
        const struct sim_key *row = &sim.database.keys[i];
        if (row->answered && strcmp(row->caller, sim.database.events[event].owner) == 0 && strcmp(row->key, key) == 0) {
            return true;
        }
    }
    return false;
}

void sim_check_publish(const struct sim_call *call, const PublishEventResponse *response, size_t event,
                       const struct herald_error *error) {
    if (call->life->dead) {
        return; /* nobody is told */
    }
    if (call->code == HERALD_OK) {
        check_reply(call, response, event);
        return;
    }
    if (!may_fail_with(call->code) && !is_refused(error)) {
        sim_fail("event %zu: a caller was told %s %s: %s", event, herald_code_name((int)call->code), error->reason,
                 error->message);
    }
    bool approved = strcmp(sim.database.events[event].approved_by, call->call.id) == 0;
    if (approved && call->code != HERALD_OUTCOME_UNKNOWN && !has_reply(event, call->call.idempotency_key)) {
        sim_fail("event %zu: a caller was told %s, and its call has approved the event", event, error->reason);
    }
}

/* ---- the end ---- */

/* Whether a channel has accepted the event, by the rows. */
static bool is_accepted(const struct sim_distribution *distribution) {
    bool accepted = false;
    for (size_t i = 0; i < distribution->count; i++) {
        int state = distribution->deliveries[i].state;
        accepted |= state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__PUBLISHED ||
                    state == HERALD__DISTRIBUTION__V1__DELIVERY_STATE__AWAITING_OPERATOR;
    }
    return accepted;
}

/* An event stays APPROVED only if all its deliveries are settled and no channel has accepted it. */
static bool is_finished(size_t event) {
    const struct sim_event *row = &sim.database.events[event];
    const struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[event]);
    if (row->status != EVENT_APPROVED) {
        return true;
    }
    return distribution && distribution->unsettled == 0 && !is_accepted(distribution) && row->holder[0] == '\0';
}

bool sim_is_published(void) {
    for (size_t i = 0; i < sim.event_count && sim.publishes; i++) {
        if (!is_finished(i)) {
            return false;
        }
    }
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        if (!sim.database.promises[i].deleted) {
            return false;
        }
    }
    return true;
}

static unsigned count_promises(const char *type, size_t event) {
    unsigned count = 0;
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        const struct sim_promise *promise = &sim.database.promises[i];
        count += strcmp(promise->type, type) == 0 && strcmp(promise->key, sim.event_ids[event]) == 0 ? 1 : 0;
    }
    return count;
}

static void check_event(size_t event) {
    const struct sim_event *row = &sim.database.events[event];
    const struct sim_distribution *distribution = sim_distribution_of(sim.event_ids[event]);
    if (!is_finished(event)) {
        sim_fail("event %zu is stuck in APPROVED, held by '%s'", event, row->holder);
    }
    if (row->status == EVENT_DRAFT && distribution) {
        sim_fail("event %zu is distributed, and it is a DRAFT", event);
    }
    if (row->status == EVENT_APPROVED && row->attend_at_us == 0) {
        sim_fail("event %zu stays APPROVED, and nobody will look again", event);
    }
    if (row->status == EVENT_ACTIVE && (row->holder[0] != '\0' || row->attend_at_us != 0)) {
        sim_fail("event %zu is ACTIVE, and it is held or due", event);
    }
    if (row->status == EVENT_ACTIVE && sim.brokers.purpose_deleted_us[event] < row->activated_us) {
        sim_fail("event %zu is ACTIVE, and the cached purpose was not deleted", event);
    }
    if (count_promises("herald.event.v1.EventCreated", event) != (row->status != EVENT_DRAFT ? 1 : 0)) {
        sim_fail("event %zu: EventCreated was promised %u times", event,
                 count_promises("herald.event.v1.EventCreated", event));
    }
}

static void check_promise(const struct sim_promise *promise) {
    bool is_record = strcmp(promise->kind, "KAFKA") == 0;
    if (is_record && promise->sent == 0) {
        sim_fail("%s of %s was promised, and Kafka does not have it", promise->type, promise->key);
    } else if (!promise->deleted) {
        sim_fail("%s of %s is sent, and its row was not deleted", promise->type, promise->key);
    }
}

void sim_check_published(void) {
    for (size_t i = 0; i < sim.event_count && sim.publishes; i++) {
        check_event(i);
    }
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        check_promise(&sim.database.promises[i]);
    }
}
