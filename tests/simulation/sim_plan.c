/* What a seed makes happen: events, callers of Distribute, and a storm of faults that ends; after it everything must settle. */
#include "herald/uuid.h"
#include "tests/simulation/sim.h"

#include <string.h>

#define STORM_MIN_US   UINT64_C(2000000)
#define STORM_MAX_US   UINT64_C(20000000)
#define SETTLE_S       3600 /* after the storm, simulated */
#define SETTLE_POLL_US 500000
#define ATTEMPTS_MAX   12

struct caller {
    size_t event;
    size_t channel_count;
    Herald__Distribution__V1__Channel channels[CHANNEL_COUNT];
};

static struct caller callers[SIM_EVENTS];

/* ---- callers ---- */

TASK_FN static void distribute(struct sim_call *call) {
    const struct caller *caller = call->user;
    Herald__Distribution__V1__Content content = HERALD__DISTRIBUTION__V1__CONTENT__INIT;
    Herald__Distribution__V1__DistributeRequest request = HERALD__DISTRIBUTION__V1__DISTRIBUTE_REQUEST__INIT;
    Herald__Distribution__V1__DistributeResponse response = HERALD__DISTRIBUTION__V1__DISTRIBUTE_RESPONSE__INIT;
    request.event_id = sim.event_ids[caller->event];
    request.user_id = (char[]){"owner"};
    request.content = &content;
    request.n_channels = caller->channel_count;
    request.channels = (Herald__Distribution__V1__Channel *)caller->channels;
    struct herald_error error = {0};
    call->code = distribution_distribute(&call->life->service, &request, &response, &error);
    sim_say("Distribute %s: %s %s", request.event_id, herald_code_name((int)call->code), error.reason);
    if (call->code == HERALD_OK && !call->life->dead) {
        sim_check_reply(&response, caller->event);
    }
}

TASK_FN static void retry(struct sim_call *call) {
    const struct caller *caller = call->user;
    Herald__Distribution__V1__RetryDeliveryRequest request = HERALD__DISTRIBUTION__V1__RETRY_DELIVERY_REQUEST__INIT;
    Herald__Distribution__V1__RetryDeliveryResponse response = HERALD__DISTRIBUTION__V1__RETRY_DELIVERY_RESPONSE__INIT;
    request.event_id = sim.event_ids[caller->event];
    request.user_id = (char[]){"owner"};
    request.channel = caller->channels[0];
    call->code = distribution_retry_delivery(&call->life->service, &request, &response, NULL);
    sim_say("RetryDelivery %s: %s", request.event_id, herald_code_name((int)call->code));
}

/* One call at one process. Returns: its code; UNAVAILABLE: no process runs there. */
TASK_FN static enum herald_code call_once(struct caller *caller, void (*body)(struct sim_call *call)) {
    struct sim_life *life = sim.processes[SIM_DISTRIBUTION][sim_between(0, SIM_PROCESSES - 1)];
    struct sim_call call = {.life = life, .body = body, .user = caller};
    return life ? sim_call(&call, "Distribute", (uint32_t)sim_between(500, 60000), "") : HERALD_UNAVAILABLE;
}

TASK_FN static void caller_task(void *arg) {
    struct caller *caller = arg;
    sim_wait_us(sim_between(0, STORM_MIN_US));
    unsigned repeats = (unsigned)sim_between(0, 2);
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        enum herald_code code = call_once(caller, distribute);
        if (code == HERALD_OK && repeats-- == 0) {
            break;
        }
        sim_wait_us(sim_between(10000, 1500000));
    }
    if (sim_chance(25)) {
        (void)call_once(caller, retry);
    }
    sim.callers--;
}

/* ---- faults ---- */

static void change_channel(void) {
    struct sim_channel *channel = &sim.channels[sim_between(0, CHANNEL_COUNT - 1)];
    channel->mode = sim_chance(40) ? SIM_OK : (enum sim_mode)sim_between(SIM_SLOW, SIM_MODE_COUNT - 1);
    sim_say("channel %zu: mode %d", (size_t)(channel - sim.channels), (int)channel->mode);
}

static void freeze_process(struct sim_life *life) {
    if (life) {
        life->frozen_until_us = sim.now_us + sim_between(100000, 8000000);
        sim_say("process %u is frozen", life->number);
    }
}

/* What only the publication meets: the network, Kafka and Redis. */
static void provoke_broker_fault(void) {
    struct sim_brokers *brokers = &sim.brokers;
    switch (sim_between(0, 3)) {
    case 0:
        brokers->network_down_until_us = sim.now_us + sim_between(10000, 5000000);
        sim_say("the network is away");
        break;
    case 1:
        brokers->kafka_down_until_us = sim.now_us + sim_between(10000, 6000000);
        sim_say("Kafka is away");
        break;
    case 2:
        brokers->redis_down_until_us = sim.now_us + sim_between(10000, 6000000);
        break;
    default:
        brokers->loss_percent = (unsigned)sim_between(0, 30);
    }
}

static void provoke_fault(void) {
    enum sim_service kind = sim.publishes && sim_chance(50) ? SIM_EVENT : SIM_DISTRIBUTION;
    size_t place = sim_between(0, SIM_PROCESSES - 1);
    if (sim.publishes && sim_chance(30)) {
        provoke_broker_fault();
        return;
    }
    switch (sim_between(0, 9)) {
    case 0:
    case 1:
        if (sim.life_count < SIM_LIVES - SIM_SERVICES * SIM_PROCESSES) {
            sim_kill_process(kind, place);
        }
        break;
    case 2:
        freeze_process(sim.processes[kind][place]);
        break;
    case 3:
        sim.database.down_until_us = sim.now_us + sim_between(10000, 6000000);
        sim_say("the database is away");
        break;
    case 4:
        sim.database.loss_percent = (unsigned)sim_between(0, 30);
        break;
    case 5:
        sim.wall_skew_us = (int64_t)sim_between(0, 4000000) - 2000000;
        break;
    default:
        change_channel();
    }
}

static void start_dead(void) {
    for (size_t i = 0; i < SIM_PROCESSES; i++) {
        for (size_t kind = 0; kind < (sim.publishes ? SIM_SERVICES : SIM_EVENT); kind++) {
            if (!sim.processes[kind][i]) {
                (void)sim_start_process((enum sim_service)kind, i);
            }
        }
    }
}

static void calm_down(void) {
    sim.calm = true;
    sim.database.down_until_us = 0;
    sim.database.loss_percent = 0;
    sim.wall_skew_us = 0;
    sim.brokers.network_down_until_us = sim.brokers.kafka_down_until_us = sim.brokers.redis_down_until_us = 0;
    sim.brokers.loss_percent = 0;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        sim.channels[i].mode = SIM_OK;
    }
    start_dead();
    sim_say("the storm is over");
}

/* Ends the run: all lives stop, and the loop ends with their tasks. */
static void end_run(void) {
    sim.over = true;
    for (size_t i = 0; i < sim.life_count; i++) {
        sim_stop_life(sim.lives[i]);
    }
    loop_stop(sim.loop);
}

TASK_FN static void storm_task(void *arg) {
    (void)arg;
    uint64_t until_us = sim.now_us + sim_between(STORM_MIN_US, STORM_MAX_US);
    uint64_t pause_us = sim_between(100000, 2000000);
    while (sim.now_us < until_us && sim.failure[0] == '\0') {
        sim_wait_us(sim_between(1000, pause_us));
        provoke_fault();
        if (sim_chance(60)) {
            start_dead();
        }
    }
    calm_down();
    uint64_t give_up_us = sim.now_us + SETTLE_S * UINT64_C(1000000);
    while (sim.failure[0] == '\0' && sim.now_us < give_up_us &&
           (sim.callers > 0 || !sim_is_settled() || !sim_is_published())) {
        sim_wait_us(SETTLE_POLL_US);
    }
    sim_check_end();
    sim_check_published();
    end_run();
}

static void plan_caller(struct caller *caller, size_t event) {
    *caller = (struct caller){.event = event};
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        if (sim_chance(60)) {
            caller->channels[caller->channel_count++] = (Herald__Distribution__V1__Channel)channel_rows[i].number;
        }
        sim.channels[i].rejects[event] = sim_chance(5);
    }
    if (caller->channel_count == 0) {
        caller->channels[caller->channel_count++] = (Herald__Distribution__V1__Channel)channel_rows[0].number;
    }
}

static bool start_callers(void) {
    sim.callers = (unsigned)sim.event_count;
    for (size_t i = 0; i < sim.event_count; i++) {
        plan_caller(&callers[i], i);
        if (task_spawn(sim.loop, NULL, "caller", caller_task, &callers[i], NULL) != HERALD_OK) {
            return false;
        }
    }
    return true;
}

bool sim_start_plan(void) {
    sim.event_count = sim_between(1, SIM_EVENTS);
    for (size_t i = 0; i < sim.event_count; i++) {
        herald_uuid7(sim.event_ids[i]);
    }
    start_dead();
    bool started = sim.publishes ? sim_start_publishers() : start_callers();
    return started && task_spawn(sim.loop, NULL, "storm", storm_task, NULL, NULL) == HERALD_OK;
}
