/*
 * Processes. A life begins with an engine and a lease; it ends by a kill, after which whatever its tasks still do has no
 * effect (sim_database.c, sim_channels.c), or with the run.
 */
#include "herald/uuid.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/look.h"
#include "server/durable/durable_settings.h"
#include "server/durable/instance.h"
#include "server/durable/outbox_relay.h"
#include "tests/simulation/sim.h"

#include <stdlib.h>
#include <string.h>

#define BUDGET_MS 45000
#define SURE_MS   1000 /* how long a renewal is believed in */
#define LOOK_MS   10

/* ---- leases: server/durable/instance.h ---- */

static uint32_t lease_ms(void) {
    return claims_settings(sim.settings)->claims_lease_ms;
}

const char *instance_id(const struct instance *instance) {
    return instance->id;
}

bool instance_holds(const struct instance *instance, uint32_t ms) {
    return instance->sure_until_us > sim.now_us + (uint64_t)ms * 1000;
}

int64_t instance_now_us(const struct instance *instance) {
    (void)instance;
    return sim_true_wall_us();
}

uint64_t instance_era(const struct instance *instance) {
    return instance->era;
}

bool instance_keeps(const struct instance *instance, uint64_t era, uint32_t ms) {
    return instance_holds(instance, ms) && instance->era == era;
}

TASK_FN bool instance_wait(const struct instance *instance, uint32_t ms, uint32_t wait_ms) {
    uint64_t until_us = sim.now_us + (uint64_t)wait_ms * 1000;
    while (!instance_holds(instance, ms)) {
        if (sim.now_us > until_us || instance->life->dead || task_sleep(LOOK_MS, NULL) != HERALD_OK) {
            return false;
        }
    }
    return true;
}

void instance_release(struct instance *instance, uint32_t wait_ms) {
    (void)instance, (void)wait_ms; /* engine_drain() is not simulated: a process that drains is one that works */
}

/* Renews the lease as long as the process lives. What the process knows counts from before the statement. */
TASK_FN static void renew_task(void *arg) {
    struct sim_life *life = arg;
    while (!life->dead && !life->stopped) {
        uint64_t asked_us = sim.now_us;
        sim_wait_us(sim_between(100, 800));
        bool reached = !life->dead && sim.database.down_until_us <= sim.now_us;
        int64_t made_at_us = reached ? sim_renew_lease(life, SURE_MS, lease_ms()) : 0;
        sim_wait_thaw(life);
        if (reached && !life->dead && !sim_chance(sim.database.loss_percent)) {
            life->instance.era += made_at_us != life->instance.made_at_us ? 1 : 0;
            life->instance.made_at_us = made_at_us;
            life->instance.sure_until_us = asked_us + SURE_MS * UINT64_C(1000);
        }
        if (reached && !life->dead && sim_bury()) {
            look_after_burial(life->service.engine.look);
        }
        sim_wait_us(SURE_MS * 1000 / 5);
    }
}

/* ---- the outbox: what was stored is sent by others ---- */

TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr) {
    (void)relay, (void)row, (void)wait_ms, (void)reterr;
    sim_wait_us(sim_between(100, 2000));
    return HERALD_OK;
}

void outbox_relay_ref(struct outbox_relay *relay) {
    (void)relay;
}

void outbox_relay_unref(struct outbox_relay *relay) {
    (void)relay;
}

void outbox_send_soon(struct outbox_relay *relay, const struct outbox_row *row) {
    (void)relay, (void)row;
}

/* ---- lives ---- */

struct sim_life *sim_start_process(size_t place) {
    if (sim.life_count == SIM_LIVES) {
        return NULL;
    }
    struct sim_life *life = calloc(1, sizeof(*life));
    if (!life || channel_states_new(sim.settings, &life->shared.channels, NULL) != HERALD_OK) {
        free(life);
        sim_fail("no memory for a process");
        return NULL;
    }
    life->number = (unsigned)sim.life_count;
    life->db.life = life;
    life->instance.life = life;
    herald_uuid7(life->instance.id);
    life->shared.instances[0] = &life->instance;
    life->service.settings = sim.settings;
    life->service.budget_ms = BUDGET_MS;
    life->service.engine = (struct engine){
        .process = &life->shared,
        .instance = &life->instance,
        .settings = sim.settings,
        .loop = sim.loop,
        .db = &life->db,
    };
    sim.lives[sim.life_count++] = life;
    sim.processes[place] = life;
    if (engine_start(&life->service.engine, NULL) != HERALD_OK ||
        task_spawn(sim.loop, NULL, "renew", renew_task, life, NULL) != HERALD_OK) {
        sim_fail("a process cannot start");
    }
    sim_say("process %u starts as %s", life->number, life->instance.id);
    return life;
}

static void end_calls(const struct sim_life *life) {
    for (size_t i = 0; i < SIM_CALLS; i++) {
        if (sim.calls[i] && sim.calls_of[i] == life) {
            task_cancel_call(sim.loop, sim.calls[i], HERALD_UNAVAILABLE);
        }
    }
}

void sim_stop_life(struct sim_life *life) {
    if (!life->stopped) {
        life->stopped = true;
        engine_stop(&life->service.engine);
    }
}

void sim_kill_process(size_t place) {
    struct sim_life *life = sim.processes[place];
    if (!life) {
        return;
    }
    sim_say("process %u is killed", life->number);
    life->dead = true;
    sim.processes[place] = NULL;
    end_calls(life);
    sim_stop_life(life);
}

void sim_free_life(struct sim_life *life) {
    channel_states_free(life->shared.channels);
    free(life);
}
