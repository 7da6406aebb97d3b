/* Rows of idempotency: keys of ONCE calls, their claims and replies (db/migrations/0006_idempotency_claims.sql). */
#include "tests/simulation/sim_sql.h"

#include <string.h>

static struct sim_key *find_key(const char *caller, const char *text) {
    for (size_t i = 0; i < sim.database.key_count; i++) {
        struct sim_key *key = &sim.database.keys[i];
        if (strcmp(key->caller, caller) == 0 && strcmp(key->key, text) == 0) {
            return key;
        }
    }
    return NULL;
}

/* The row of the parameters method, caller and key from @first on; NULL: none. The simulation has one method. */
static struct sim_key *key_of(const struct sim_statement *statement, unsigned first) {
    return find_key(sim_text(statement, first + 1), sim_text(statement, first + 2));
}

static bool is_of_request(const struct sim_statement *statement, unsigned first, const struct sim_key *key) {
    size_t bytes;
    return memcmp(key->request_hash, sim_bytes(statement, first + 3, &bytes), sizeof(key->request_hash)) == 0;
}

bool sim_may_write_key(const struct sim_statement *statement, unsigned first) {
    const struct sim_key *key = sim_text(statement, first + 2) ? key_of(statement, first) : NULL;
    return !key || (!key->answered && is_of_request(statement, first, key));
}

static struct sim_key *new_key(const struct sim_statement *statement, unsigned first) {
    if (sim.database.key_count == SIM_KEYS) {
        sim_give_up("the simulation has no room for another idempotency key");
    }
    size_t bytes;
    struct sim_key *key = &sim.database.keys[sim.database.key_count++];
    SIM_PUT(key->caller, sim_text(statement, first + 1));
    SIM_PUT(key->key, sim_text(statement, first + 2));
    memcpy(key->request_hash, sim_bytes(statement, first + 3, &bytes), sizeof(key->request_hash));
    return key;
}

bool sim_write_key(const struct sim_statement *statement, unsigned first, unsigned reply) {
    if (!sim_may_write_key(statement, first)) {
        return false;
    }
    if (!sim_text(statement, first + 2)) {
        return true;
    }
    struct sim_key *key = key_of(statement, first);
    key = key ? key : new_key(statement, first);
    if (reply != 0) {
        size_t bytes;
        const uint8_t *packed = sim_bytes(statement, reply, &bytes);
        sim_copy_bytes(&key->reply, &key->reply_bytes, packed, bytes);
        key->answered = true;
    }
    return true;
}

void sim_idempotency_find(struct sim_statement *statement) {
    const struct sim_key *key = key_of(statement, 1);
    if (key) {
        sim_add_row(statement);
        sim_put_bytes(statement, DB_IDEMPOTENCY_FIND__REQUEST_HASH, key->request_hash, sizeof(key->request_hash));
        sim_put_bytes(statement, DB_IDEMPOTENCY_FIND__REPLY, key->reply, key->reply_bytes);
        sim_put_number(statement, DB_IDEMPOTENCY_FIND__ANSWERED, key->answered);
    }
}

void sim_idempotency_claim(struct sim_statement *statement) {
    statement->conflict = !sim_write_key(statement, 1, 0);
}

void sim_idempotency_answer(struct sim_statement *statement) {
    statement->conflict = !sim_write_key(statement, 1, 5);
}
