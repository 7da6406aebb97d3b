/* Rows of the outbox. Each is kept until the end of the run: what was promised must be sent before it is deleted. */
#include "tests/simulation/sim_sql.h"

#include <string.h>

struct sim_promise *sim_promise_of(const char *id) {
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        if (strcmp(sim.database.promises[i].id, id) == 0) {
            return &sim.database.promises[i];
        }
    }
    return NULL;
}

static struct sim_promise *new_promise(const char *id) {
    if (sim.database.promise_count == SIM_PROMISES) {
        sim_give_up("the simulation has no room for another record");
    }
    struct sim_promise *promise = &sim.database.promises[sim.database.promise_count++];
    SIM_PUT(promise->id, id);
    return promise;
}

void sim_promise(const struct outbox_row *row) {
    if (sim_promise_of(row->id)) {
        return; /* ON CONFLICT (id) DO NOTHING */
    }
    struct sim_promise *promise = new_promise(row->id);
    SIM_PUT(promise->kind, row->kind == OUTBOX_KAFKA ? "KAFKA" : "CACHE_DELETE");
    SIM_PUT(promise->owner, row->owner);
    SIM_PUT(promise->topic, row->topic);
    SIM_PUT(promise->key, row->key);
    SIM_PUT(promise->type, row->ce_type);
    SIM_PUT(promise->source, row->ce_source);
    SIM_PUT(promise->content_type, row->content_type);
    promise->time_us = row->ce_time_us ? row->ce_time_us : sim_true_wall_us();
    promise->next_try_us = sim_true_wall_us() + row->delay_ms * INT64_C(1000);
    sim_copy_bytes(&promise->value, &promise->value_bytes, row->value, row->value_bytes);
}

void sim_insert_promise(const struct sim_statement *statement, unsigned first) {
    size_t bytes;
    struct sim_promise *promise = new_promise(sim_text(statement, first));
    SIM_PUT(promise->kind, sim_text(statement, first + 1));
    SIM_PUT(promise->owner, sim_text(statement, first + 2));
    SIM_PUT(promise->topic, sim_text(statement, first + 3));
    SIM_PUT(promise->key, sim_text(statement, first + 4));
    SIM_PUT(promise->type, sim_text(statement, first + 5));
    SIM_PUT(promise->source, sim_text(statement, first + 6));
    SIM_PUT(promise->content_type, sim_text(statement, first + 7));
    int64_t time_us = sim_time(statement, first + 8);
    promise->time_us = time_us ? time_us : sim_true_wall_us();
    promise->next_try_us = sim_true_wall_us() + sim_number(statement, first + 10) * INT64_C(1000);
    const uint8_t *value = sim_bytes(statement, first + 9, &bytes);
    sim_copy_bytes(&promise->value, &promise->value_bytes, value, bytes);
}

void sim_hurry_promises(const char *owner) {
    int64_t now_us = sim_true_wall_us();
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        struct sim_promise *promise = &sim.database.promises[i];
        if (strcmp(promise->owner, owner) == 0 && strcmp(promise->kind, "KAFKA") == 0 &&
            promise->next_try_us > now_us) {
            promise->next_try_us = now_us;
        }
    }
}

/* Whether an older row of its topic and key waits. The rows are in the order of their insertion. */
static bool is_behind(const struct sim_promise *promise) {
    for (const struct sim_promise *older = sim.database.promises; older < promise; older++) {
        if (!older->deleted && older->next_try_us > sim_true_wall_us() && strcmp(older->topic, promise->topic) == 0 &&
            strcmp(older->key, promise->key) == 0) {
            return true;
        }
    }
    return false;
}

static void put_promise(struct sim_statement *statement, const struct sim_promise *promise) {
    sim_add_row(statement);
    sim_put_text(statement, DB_OUTBOX_TAKE__ID, promise->id);
    sim_put_text(statement, DB_OUTBOX_TAKE__KIND, promise->kind);
    sim_put_text(statement, DB_OUTBOX_TAKE__TOPIC, promise->topic);
    sim_put_text(statement, DB_OUTBOX_TAKE__KEY, promise->key);
    sim_put_text(statement, DB_OUTBOX_TAKE__CE_TYPE, promise->type);
    sim_put_text(statement, DB_OUTBOX_TAKE__CE_SOURCE, promise->source);
    sim_put_text(statement, DB_OUTBOX_TAKE__CONTENT_TYPE, promise->content_type);
    sim_put_time(statement, DB_OUTBOX_TAKE__CE_TIME, promise->time_us);
    sim_put_bytes(statement, DB_OUTBOX_TAKE__VALUE, promise->value, promise->value_bytes);
}

void sim_outbox_take(struct sim_statement *statement) {
    struct sim_promise *taken[SIM_PROMISES];
    size_t count = 0;
    for (size_t i = 0; i < sim.database.promise_count && (int64_t)count < sim_number(statement, 2); i++) {
        struct sim_promise *promise = &sim.database.promises[i];
        if (!promise->deleted && strcmp(promise->owner, sim_text(statement, 1)) == 0 &&
            promise->next_try_us <= sim_true_wall_us() && !is_behind(promise)) {
            taken[count++] = promise;
        }
    }
    for (size_t i = 0; i < count; i++) {
        taken[i]->next_try_us = sim_true_wall_us() + sim_number(statement, 3) * INT64_C(1000);
        put_promise(statement, taken[i]);
    }
}

void sim_outbox_delete_sent(struct sim_statement *statement) {
    unsigned changed = 0;
    for (size_t i = 0; i < sim.database.promise_count; i++) {
        struct sim_promise *promise = &sim.database.promises[i];
        if (!promise->deleted && strstr(sim_text(statement, 1), promise->id)) {
            promise->deleted = true;
            changed++;
        }
    }
    sim_set_changed(statement, changed);
}

void sim_outbox_prune(struct sim_statement *statement) {
    sim_set_changed(statement, 0);
}
