/*
 * A thread that asks Kafka for metadata and reports each change of the answer. Invariant: `verdict` and `reported`
 * belong to that thread; the lock guards `stop`, `hurry` and `hint`.
 */
#include "server/store/kafka/kafka_health.h"

#include "client/base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PROBE_MS   2000
#define INTERVAL_S 1

enum verdict { VERDICT_NONE, VERDICT_SERVES, VERDICT_FAILS };

struct kafka_health {
    struct kafka_health_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, hurry; /* under lock */
    char hint[256];   /* under lock; empty: none */
    enum verdict verdict;
    enum herald_reason reported; /* of the last bad report */
};

static void take_hint(struct kafka_health *health, char *to, size_t size) {
    pthread_mutex_lock(&health->lock);
    snprintf(to, size, "%s", health->hint);
    pthread_mutex_unlock(&health->lock);
}

static enum herald_code check_metadata(const struct rd_kafka_metadata *metadata, const char *bootstrap,
                                       struct herald_error *reterr) {
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (topic->err && topic->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            return herald_error_set(reterr, HERALD_REASON_KAFKA_TOPIC_UNAVAILABLE, "Kafka at %s: topic '%s': %s",
                                    bootstrap, topic->topic, rd_kafka_err2str(topic->err));
        }
    }
    return HERALD_OK;
}

static enum herald_code probe(struct kafka_health *health, rd_kafka_t *client, struct herald_error *reterr) {
    const struct rd_kafka_metadata *metadata = NULL;
    const char *bootstrap = health->options.bootstrap;
    rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, NULL, &metadata, PROBE_MS);
    if (err) {
        char hint[256];
        take_hint(health, hint, sizeof(hint));
        return herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE, "Kafka at %s does not serve: %s", bootstrap,
                                hint[0] ? hint : rd_kafka_err2str(err));
    }
    enum herald_code code = metadata->broker_cnt > 0 ? check_metadata(metadata, bootstrap, reterr)
                                                     : herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE,
                                                                        "Kafka at %s lists no broker", bootstrap);
    rd_kafka_metadata_destroy(metadata);
    return code;
}

/* Reports changes only: the same reason again is not reported. */
static void judge_broker(struct kafka_health *health, const struct herald_error *error) {
    enum verdict verdict = error ? VERDICT_FAILS : VERDICT_SERVES;
    if (verdict == health->verdict && (!error || herald_error_is(error, health->reported))) {
        return;
    }
    health->verdict = verdict;
    health->reported = error ? herald_reason_find(error->reason) : HERALD_REASON_NONE;
    if (!error) {
        pthread_mutex_lock(&health->lock);
        health->hint[0] = '\0';
        pthread_mutex_unlock(&health->lock);
    }
    if (health->options.on_health) {
        health->options.on_health(health->options.user, error);
    }
}

/* Waits for the next turn. Returns false when the thread must end. */
static bool wait_for_turn(struct kafka_health *health) {
    const struct timespec until = herald_timespec_in_ms(INTERVAL_S * 1000u);
    pthread_mutex_lock(&health->lock);
    while (!health->stop && !health->hurry) {
        if (pthread_cond_timedwait(&health->wake, &health->lock, &until) != 0) {
            break;
        }
    }
    health->hurry = false;
    bool go_on = !health->stop;
    pthread_mutex_unlock(&health->lock);
    return go_on;
}

static void *watch_broker(void *arg) {
    struct kafka_health *health = arg;
    do {
        rd_kafka_t *client = health->options.borrow(health->options.owner);
        if (client) {
            struct herald_error error = {0};
            enum herald_code code = probe(health, client, &error);
            if (health->options.look) {
                struct herald_error *found = code == HERALD_OK ? &error : NULL;
                enum herald_code seen =
                    health->options.look(health->options.owner, client, code == HERALD_OK ? NULL : &error, found);
                code = code == HERALD_OK ? seen : code;
            }
            health->options.give_back(health->options.owner, client);
            judge_broker(health, code == HERALD_OK ? NULL : &error);
        }
    } while (wait_for_turn(health));
    return NULL;
}

struct kafka_health *kafka_health_start(const struct kafka_health_options *options) {
    struct kafka_health *health = calloc(1, sizeof(*health));
    if (!health) {
        return NULL;
    }
    health->options = *options;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&health->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&health->lock, NULL);
    if (pthread_create(&health->thread, NULL, watch_broker, health) != 0) {
        pthread_cond_destroy(&health->wake);
        pthread_mutex_destroy(&health->lock);
        free(health);
        return NULL;
    }
    return health;
}

void kafka_health_hint(struct kafka_health *health, const char *text) {
    if (!health) {
        return;
    }
    pthread_mutex_lock(&health->lock);
    snprintf(health->hint, sizeof(health->hint), "%s", text);
    health->hurry = true;
    pthread_cond_signal(&health->wake);
    pthread_mutex_unlock(&health->lock);
}

void kafka_health_hurry(struct kafka_health *health) {
    if (!health) {
        return;
    }
    pthread_mutex_lock(&health->lock);
    health->hurry = true;
    pthread_cond_signal(&health->wake);
    pthread_mutex_unlock(&health->lock);
}

void kafka_health_stop(struct kafka_health *health) {
    if (!health) {
        return;
    }
    pthread_mutex_lock(&health->lock);
    health->stop = true;
    pthread_cond_signal(&health->wake);
    pthread_mutex_unlock(&health->lock);
    pthread_join(health->thread, NULL);
    pthread_cond_destroy(&health->wake);
    pthread_mutex_destroy(&health->lock);
    free(health);
}
