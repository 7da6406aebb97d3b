/*
 * Callers of PublishEvent. Each event has one to three; some share an idempotency key, as the attempts of one call do, and a
 * few use it for another request. They repeat their call until it is answered for good, and then some more.
 */
#include "herald/uuid.h"
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <string.h>

#define PUBLISHERS_MAX (3 * SIM_EVENTS)
#define ATTEMPTS_MAX   25
#define FIRST_CALL_US  3000000
#define SCHEDULE_US    20000000 /* how far ahead an event is scheduled at most */
#define NONE_ACCEPTS   10       /* percent of events */
#define REJECTS        5        /* percent of posts */

struct publisher {
    size_t event;
    char key[40]; /* empty: none */
    int64_t scheduled_at_us;
    size_t channel_count;
    Herald__Distribution__V1__Channel channels[CHANNEL_COUNT];
    struct herald_error error;
    Herald__Event__V1__PublishEventResponse response; /* of the last call; its parts are gone */
};

static struct publisher publishers[PUBLISHERS_MAX];

/* ---- a call ---- */

static Google__Protobuf__Timestamp timestamp_of(int64_t us) {
    Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    timestamp.seconds = us / 1000000;
    timestamp.nanos = (int32_t)(us % 1000000) * 1000;
    return timestamp;
}

TASK_FN static void publish(struct sim_call *call) {
    struct publisher *publisher = call->user;
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    Google__Protobuf__Timestamp scheduled_at = timestamp_of(publisher->scheduled_at_us);
    request.event_draft_id = sim.event_ids[publisher->event];
    request.user_id = sim.database.events[publisher->event].owner;
    request.n_selected_channels = publisher->channel_count;
    request.selected_channels = publisher->channels;
    request.scheduled_at = publisher->scheduled_at_us ? &scheduled_at : NULL;
    publisher->error = (struct herald_error){0};
    herald__event__v1__publish_event_response__init(&publisher->response);
    call->code = event_publish_event(&call->life->event, &request, &publisher->response, &publisher->error);
    sim_say("PublishEvent %s '%s' by %u: %s %s, %s", request.event_draft_id, publisher->key, call->life->number,
            herald_code_name((int)call->code),
            call->code == HERALD_OK ? publisher->response.reason : publisher->error.reason,
            call->code == HERALD_OK ? herald_event_v1_event_status_name(publisher->response.status) : "-");
    sim_check_publish(call, &publisher->response, publisher->event, &publisher->error);
}

/* Whether the call need not be made again. */
static bool is_answered(const struct publisher *publisher, enum herald_code code) {
    switch (code) {
    case HERALD_OK:
        return publisher->response.status == HERALD__EVENT__V1__EVENT_STATUS__ACTIVE;
    case HERALD_INVALID_ARGUMENT:
    case HERALD_FAILED_PRECONDITION:
        return true;
    default:
        return false;
    }
}

TASK_FN static enum herald_code call_once(struct publisher *publisher) {
    struct sim_life *life = sim.processes[SIM_EVENT][sim_between(0, SIM_PROCESSES - 1)];
    struct sim_call call = {.life = life, .body = publish, .user = publisher};
    uint32_t timeout_ms = (uint32_t)sim_between(300, sim_chance(50) ? 5000 : 90000);
    return life ? sim_call(&call, "PublishEvent", timeout_ms, publisher->key) : HERALD_UNAVAILABLE;
}

TASK_FN static void publisher_task(void *arg) {
    struct publisher *publisher = arg;
    sim_wait_us(sim_between(0, FIRST_CALL_US));
    unsigned repeats = (unsigned)sim_between(0, 2);
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        if (is_answered(publisher, call_once(publisher)) && repeats-- == 0) {
            break;
        }
        sim_wait_us(sim_between(10000, 1500000));
    }
    sim.callers--;
}

/* ---- the plan ---- */

static void choose_channels(struct publisher *publisher) {
    publisher->channel_count = 0;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        if (sim_chance(50)) {
            publisher->channels[publisher->channel_count++] = (Herald__Distribution__V1__Channel)channel_rows[i].number;
        }
    }
    if (publisher->channel_count == 0) {
        publisher->channels[publisher->channel_count++] = (Herald__Distribution__V1__Channel)channel_rows[0].number;
    }
}

static void plan_rejections(size_t event) {
    bool none = sim_chance(NONE_ACCEPTS);
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        sim.channels[i].rejects[event] = none || sim_chance(REJECTS);
    }
}

static void plan_first(struct publisher *publisher, size_t event) {
    *publisher = (struct publisher){.event = event};
    choose_channels(publisher);
    if (sim_chance(80)) {
        (void)snprintf(publisher->key, sizeof(publisher->key), "key-%zu", event);
    }
    if (sim_chance(10)) {
        publisher->scheduled_at_us = sim_true_wall_us() + (int64_t)sim_between(0, SCHEDULE_US);
    }
}

/* Another caller for the same event: the same call, one under another key, or one that asks for something else. */
static void plan_rival(struct publisher *publisher, const struct publisher *first, size_t number) {
    *publisher = *first;
    if (sim_chance(10)) {
        choose_channels(publisher);
    } else if (sim_chance(50)) {
        (void)snprintf(publisher->key, sizeof(publisher->key), "key-%zu-%zu", first->event, number);
    }
}

bool sim_start_publishers(void) {
    size_t count = 0;
    for (size_t i = 0; i < sim.event_count; i++) {
        sim_make_draft(i);
        plan_rejections(i);
        const struct publisher *first = &publishers[count];
        plan_first(&publishers[count++], i);
        for (size_t rivals = sim_chance(50) ? sim_between(1, 2) : 0; rivals > 0; rivals--) {
            plan_rival(&publishers[count++], first, rivals);
        }
    }
    sim.callers = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        if (task_spawn(sim.loop, NULL, "publisher", publisher_task, &publishers[i], NULL) != HERALD_OK) {
            return false;
        }
    }
    return true;
}
