/*
 * Processes. A life begins with an engine and a lease; it ends by a kill, after which whatever its tasks still do has no
 * effect (sim_database.c, sim_channels.c), or with the run. Leases are renewed four times in their length.
 */
#include "herald/uuid.h"
#include "server/distribution/distribution_settings.h"
#include "server/durable/durable_settings.h"
#include "server/durable/instance.h"
#include "server/durable/outbox_relay.h"
#include "tests/simulation/sim.h"

#include <stdlib.h>
#include <string.h>

#define BUDGET_MS 45000

/* ---- leases: server/durable/instance.h ---- */

static uint32_t lease_ms(void) {
    return claims_settings(sim.settings)->claims_lease_ms;
}

const char *instance_id(const struct instance *instance) {
    return instance->id;
}

bool instance_holds(const struct instance *instance, uint32_t ms) {
    return instance->lease_until_us > sim.now_us + (uint64_t)ms * 1000;
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
        sim_wait_thaw(life);
        bool reached = !life->dead && sim.database.down_until_us <= sim.now_us;
        if (reached) {
            sim_renew_lease(life->instance.id, lease_ms());
            sim_bury();
        }
        if (reached && !sim_chance(sim.database.loss_percent)) {
            life->instance.lease_until_us = asked_us + (uint64_t)lease_ms() * 1000;
        }
        sim_wait_us((uint64_t)lease_ms() * 1000 / 4);
    }
}

/* ---- the outbox: what was stored is sent by others ---- */

TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr) {
    (void)relay, (void)row, (void)wait_ms, (void)reterr;
    sim_wait_us(sim_between(100, 2000));
    return HERALD_OK;
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
