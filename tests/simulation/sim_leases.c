/*
 * Rows of instances, and what becomes of a process's claims when it is dead: its lease is over, or it may not believe in it
 * any more and its session has ended.
 */
#include "tests/simulation/sim_sql.h"

#include <string.h>

static struct sim_lease *lease_of(const char *id) {
    for (size_t i = 0; i < sim.database.lease_count; i++) {
        if (strcmp(sim.database.leases[i].id, id) == 0) {
            return &sim.database.leases[i];
        }
    }
    return NULL;
}

bool sim_has_lease(const char *id) {
    return lease_of(id) != NULL;
}

static void delete_lease(struct sim_lease *lease) {
    *lease = sim.database.leases[--sim.database.lease_count];
}

void sim_instance_renew(struct sim_statement *statement) {
    struct sim_lease *lease = lease_of(sim_text(statement, 1));
    int64_t now_us = sim_true_wall_us();
    if (!lease) { /* each life has one at most, so there is room */
        lease = &sim.database.leases[sim.database.lease_count++];
        lease->made_at_us = now_us;
    }
    SIM_PUT(lease->id, sim_text(statement, 1));
    SIM_PUT(lease->service, sim_text(statement, 2));
    lease->session = statement->session;
    lease->alive_until_us = now_us + sim_number(statement, 3) * INT64_C(1000);
    lease->sure_until_us = now_us + sim_number(statement, 4) * INT64_C(1000);
    sim_add_row(statement);
    sim_put_number(statement, DB_INSTANCE_RENEW__MADE_AT_US, lease->made_at_us);
    sim_put_time(statement, DB_INSTANCE_RENEW__SESSION_AT, lease->made_at_us); /* no session ends before its process */
    sim_put_time(statement, DB_INSTANCE_RENEW__AT, now_us);
}

/* bury_instances($1, $2). Returns: how many */
static unsigned bury(const struct sim_statement *statement) {
    const char *service = sim_text(statement, 1);
    bool by_session = strcmp(sim_text(statement, 2), "true") == 0;
    int64_t now_us = sim_true_wall_us();
    unsigned buried = 0;
    for (size_t i = 0; i < sim.database.lease_count;) {
        struct sim_lease *lease = &sim.database.leases[i];
        bool has_ended = by_session && lease->session->dead && lease->sure_until_us < now_us;
        if (strcmp(lease->service, service) == 0 && (lease->alive_until_us < now_us || has_ended)) {
            delete_lease(lease);
            buried++;
        } else {
            i++;
        }
    }
    if (buried > 0) {
        sim_hurry_promises(service);
    }
    return buried;
}

static void put_burial(struct sim_statement *statement, unsigned buried, unsigned released) {
    sim_add_row(statement);
    sim_put_number(statement, DB_BURIAL__BURIED, buried);
    sim_put_number(statement, DB_BURIAL__RELEASED, released);
}

void sim_event_bury(struct sim_statement *statement) {
    unsigned buried = bury(statement);
    put_burial(statement, buried, sim_release_events());
}

void sim_distribution_bury(struct sim_statement *statement) {
    unsigned buried = bury(statement);
    put_burial(statement, buried, buried > 0 ? sim_release_deliveries() : 0);
}

/* Ends the lease of the process itself, $1. */
static void release(struct sim_statement *statement) {
    struct sim_lease *lease = lease_of(sim_text(statement, 1));
    if (lease) {
        delete_lease(lease);
    }
}

void sim_event_release(struct sim_statement *statement) {
    release(statement);
    sim_set_changed(statement, sim_release_events());
}

void sim_distribution_release(struct sim_statement *statement) {
    release(statement);
    sim_set_changed(statement, sim_release_deliveries());
}
