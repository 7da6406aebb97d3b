/*
 * Processes. A life begins as its server does (server/programs/herald_event.c, herald_distribution.c), with a lease and a relay
 * of its own; it ends by a kill, after which whatever its tasks still do has no effect (sim_outcome.c, sim_network.c,
 * sim_brokers.c, sim_channels.c), or with the run.
 */
#include "server/breaker/breaker.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/look.h"
#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/event/event_settings.h"
#include "server/event/publish.h"
#include "tests/simulation/sim.h"

#include <stdlib.h>
#include <string.h>

#define BUDGET_MS 45000 /* of Distribute */

LOG_EVENTS(DURABLE_LOG) /* in place of server/durable/backends.c, which opens real stores */

static const char *const service_names[] = {[SIM_DISTRIBUTION] = "distribution", [SIM_EVENT] = "event"};

/* ---- herald-distribution ---- */

static void after_distribution_burial(void *user) {
    const struct sim_life *life = user;
    look_after_burial(life->service.engine.look);
    outbox_relay_wake(life->outbox);
}

static enum herald_code start_distribution(struct sim_life *life) {
    life->shared.instances[0] = life->instance;
    life->service.settings = sim.settings;
    life->service.budget_ms = BUDGET_MS;
    life->service.engine = (struct engine){
        .process = &life->shared,
        .instance = life->instance,
        .settings = sim.settings,
        .loop = sim.loop,
        .db = &life->db,
        .outbox = life->outbox,
    };
    enum herald_code code = channel_states_new(sim.settings, &life->shared.channels, NULL);
    return code == HERALD_OK ? engine_start(&life->service.engine, NULL) : code;
}

/* ---- herald-event ---- */

static void after_event_burial(void *user) {
    const struct sim_life *life = user;
    reconciler_look_at(life->event.reconciler, 0);
    outbox_relay_wake(life->outbox);
}

static enum herald_code start_event(struct sim_life *life) {
    const struct publish_settings *settings = publish_settings(sim.settings);
    const struct breaker_config config = {
        .window_calls = settings->breaker_window_calls,
        .minimum_calls = settings->breaker_minimum_calls,
        .failure_rate_percent = (float)settings->breaker_failure_rate_percent,
        .slow_rate_percent = (float)settings->breaker_slow_rate_percent,
        .slow_call_ms = settings->breaker_slow_call_ms,
        .open_wait_ms = settings->breaker_open_wait_ms,
        .half_open_calls = settings->breaker_half_open_calls,
    };
    life->event = (struct event_service){
        .settings = sim.settings,
        .loop = sim.loop,
        .db = &life->db,
        .redis = &life->redis,
        .outbox = life->outbox,
        .distribution = &life->channel,
        .instance = life->instance,
    };
    enum herald_code code = breaker_new("distribution", &config, &life->event.distribution_breaker, NULL);
    return code == HERALD_OK ? reconciler_start(&life->event, &life->event.reconciler, NULL) : code;
}

static void stop_event(struct sim_life *life) {
    reconciler_stop(life->event.reconciler);
    life->event.reconciler = NULL;
    claims_close(&life->event);
}

/* ---- what both have ---- */

static enum herald_code start_lease(struct sim_life *life) {
    bool publishes = life->kind == SIM_EVENT;
    const struct instance_options options = {
        .service = service_names[life->kind],
        .lease_ms = claims_settings(sim.settings)->claims_lease_ms,
        .bury = publishes ? DB_QUERY_EVENT_BURY : DB_QUERY_DISTRIBUTION_BURY,
        .release = publishes ? DB_QUERY_EVENT_RELEASE : DB_QUERY_DISTRIBUTION_RELEASE,
    };
    enum herald_code code = instance_new(&options, &life->instance, NULL);
    if (code != HERALD_OK) {
        return code;
    }
    instance_on_release(life->instance, publishes ? after_event_burial : after_distribution_burial, life);
    return instance_start(life->instance, sim.loop, &life->db, NULL);
}

static enum herald_code start_relay(struct sim_life *life) {
    const struct outbox_relay_options options = {
        .owner = service_names[life->kind],
        .loop = sim.loop,
        .db = &life->db,
        .kafka = &life->kafka,
        .redis = life->kind == SIM_EVENT ? &life->redis : NULL,
        .poll_ms = outbox_settings(sim.settings)->outbox_poll_ms,
        .lease_ms = outbox_settings(sim.settings)->outbox_lease_ms,
    };
    enum herald_code code = outbox_relay_start(&options, &life->outbox, NULL);
    if (code == HERALD_OK) {
        outbox_relay_ref(life->outbox); /* tasks of a process that was killed may still name it */
    }
    return code;
}

static enum herald_code start_parts(struct sim_life *life) {
    enum herald_code code = start_lease(life);
    if (code == HERALD_OK) {
        code = start_relay(life);
    }
    if (code == HERALD_OK) {
        code = life->kind == SIM_EVENT ? start_event(life) : start_distribution(life);
    }
    return code;
}

struct sim_life *sim_start_process(enum sim_service kind, size_t place) {
    struct sim_life *life = sim.life_count < SIM_LIVES ? calloc(1, sizeof(*life)) : NULL;
    if (!life) {
        return NULL;
    }
    life->kind = kind;
    life->number = (unsigned)sim.life_count;
    life->db.life = life->kafka.life = life->redis.life = life->channel.life = life;
    sim.lives[sim.life_count++] = life;
    sim.processes[kind][place] = life;
    if (start_parts(life) != HERALD_OK) {
        sim_give_up("no memory for a process");
    }
    sim_say("process %u of herald-%s starts as %s", life->number, service_names[kind], instance_id(life->instance));
    return life;
}

void sim_stop_life(struct sim_life *life) {
    if (life->stopped) {
        return;
    }
    life->stopped = true;
    if (life->kind == SIM_EVENT) {
        stop_event(life);
    } else {
        engine_stop(&life->service.engine);
    }
    instance_stop(life->instance);
    outbox_relay_stop(life->outbox);
}

void sim_kill_process(enum sim_service kind, size_t place) {
    struct sim_life *life = sim.processes[kind][place];
    if (!life) {
        return;
    }
    sim_say("process %u is killed", life->number);
    life->dead = true;
    sim.processes[kind][place] = NULL;
    sim_end_calls(life);
    sim_stop_life(life);
}

void sim_free_life(struct sim_life *life) {
    if (life->kind == SIM_EVENT) {
        breaker_free(life->event.distribution_breaker);
    } else {
        channel_states_free(life->shared.channels);
    }
    outbox_relay_unref(life->outbox);
    instance_free(life->instance);
    free(life);
}
