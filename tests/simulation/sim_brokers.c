/*
 * Kafka and Redis, as the outbox relay and the handlers see them. A record must have been promised by a committed
 * transaction, and must be the same each time that it is sent.
 */
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <string.h>

#define ONE_TRY_US UINT64_C(1000000) /* while Kafka is away */
#define PURPOSE    "purpose:"
#define TIMEOUT_US UINT64_C(1000000)

/* ---- Kafka ---- */

static bool is_same(const struct sim_promise *promise, const struct cloud_event *event) {
    return strcmp(promise->topic, event->topic) == 0 && strcmp(promise->key, event->key) == 0 &&
           strcmp(promise->type, event->type) == 0 && promise->value_bytes == event->value_bytes &&
           memcmp(promise->value, event->value, event->value_bytes) == 0;
}

static void receive(const struct cloud_event *event) {
    struct sim_promise *promise = sim_promise_of(event->id);
    if (!promise) {
        sim_fail("%s %s was sent, and no transaction has promised it", event->type, event->id);
    } else if (!is_same(promise, event)) {
        sim_fail("%s %s was sent, and it is not what was promised", event->type, event->id);
    } else {
        promise->sent++;
        sim_say("Kafka has %s of %s (%u)", event->type, event->key, promise->sent);
    }
}

TASK_FN enum herald_code kafka_produce(struct kafka_producer *producer, const struct cloud_event *event,
                                       uint32_t wait_ms, struct herald_error *reterr) {
    const struct sim_life *life = producer->life;
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    sim_wait_thaw(life);
    if (life->dead || sim.brokers.kafka_down_until_us > sim.now_us) {
        sim_wait_us(wait_ms ? wait_ms * UINT64_C(1000) : TIMEOUT_US);
        return herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE, "simulated: Kafka is away");
    }
    sim_wait_us(sim_between(200, 5000));
    if (!life->dead) {
        receive(event);
    }
    sim_wait_us(sim_between(200, 5000));
    sim_wait_thaw(life);
    return sim_chance(sim.brokers.loss_percent)
               ? herald_error_set(reterr, HERALD_REASON_KAFKA_OUTCOME_UNKNOWN, "simulated: no acknowledgement")
               : HERALD_OK;
}

void kafka_producer_note(struct kafka_producer *producer, bool acknowledged) {
    producer->away = !acknowledged;
    producer->may_wait_us = sim.now_us + ONE_TRY_US;
}

bool kafka_producer_is_away(const struct kafka_producer *producer) {
    return producer->away;
}

bool kafka_producer_may_wait(struct kafka_producer *producer) {
    if (producer->away && sim.now_us < producer->may_wait_us) {
        return false;
    }
    producer->may_wait_us = sim.now_us + ONE_TRY_US;
    return true;
}

/* ---- Redis ---- */

static void delete_purpose(const char *user) {
    for (size_t i = 0; i < sim.event_count; i++) {
        if (strcmp(sim.database.events[i].owner, user) == 0) {
            sim.brokers.purpose_deleted_us[i] = sim.now_us;
        }
    }
}

TASK_FN enum herald_code redis_del(struct redis *redis, const char *key, struct herald_error *reterr) {
    const struct sim_life *life = redis->life;
    sim_wait_thaw(life);
    sim_wait_us(sim_between(50, 500));
    bool reached = !life->dead && sim.brokers.redis_down_until_us <= sim.now_us;
    if (reached && strncmp(key, PURPOSE, strlen(PURPOSE)) == 0) {
        delete_purpose(key + strlen(PURPOSE));
    }
    sim_wait_us(sim_between(50, 500));
    sim_wait_thaw(life);
    if (!reached || sim_chance(sim.brokers.loss_percent)) {
        return herald_error_set(reterr, HERALD_REASON_REDIS_UNAVAILABLE, "simulated: Redis is away");
    }
    return call_check(reterr);
}

/* Nobody reads a purpose in the simulation. */
TASK_FN enum herald_code redis_get(struct redis *redis, const char *key, char **ret_value, size_t *ret_bytes,
                                   struct herald_error *reterr) {
    (void)redis, (void)key, (void)ret_value, (void)ret_bytes;
    return herald_error_set(reterr, HERALD_REASON_REDIS_UNAVAILABLE, "not simulated");
}

TASK_FN enum herald_code redis_set(struct redis *redis, const char *key, const char *value, size_t bytes,
                                   uint32_t ttl_s, struct herald_error *reterr) {
    (void)redis, (void)key, (void)value, (void)bytes, (void)ttl_s;
    return herald_error_set(reterr, HERALD_REASON_REDIS_UNAVAILABLE, "not simulated");
}
