/*
 * A thread that asks Kafka for metadata, hears how deliveries end, and reports each change of the verdict. Invariant:
 * `verdict` and `reported` belong to that thread; the lock guards `stop`, `hurry`, `hint` and `fault`.
 */
#include "server/store/kafka/kafka_health.h"

#include "client/base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBE_MS   2000
#define INTERVAL_S 1
/* Without a failure for so long nothing is known against it. The outbox tries again more often. */
#define FAULT_KEEP_US  UINT64_C(15000000)
#define REFUSED_ENOUGH 3 /* records in a row that are refused for what they are: then the topic refuses all */
#define TOPIC_BYTES    250

enum verdict { VERDICT_NONE, VERDICT_SERVES, VERDICT_FAILS };

/* Records of a topic are not taken. */
struct delivery_fault {
    char topic[TOPIC_BYTES];
    rd_kafka_resp_err_t err; /* NO_ERROR: none */
    uint64_t at_us;          /* of the last failure */
};

struct kafka_health {
    struct kafka_health_options options;
    struct delivery_fault fault;           /* under lock */
    unsigned refused;                      /* in a row; under lock */
    bool away;                             /* the last question was not answered */
    rd_kafka_resp_err_t delivery;          /* what the last look found of deliveries */
    rd_kafka_resp_err_t reported_delivery; /* of the last bad report; NO_ERROR: it was no delivery's */
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

/* --- Deliveries --- */

static struct delivery_fault take_fault(struct kafka_health *health) {
    pthread_mutex_lock(&health->lock);
    if (health->fault.err && herald_monotonic_us() - health->fault.at_us > FAULT_KEEP_US) {
        health->fault.err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    struct delivery_fault fault = health->fault;
    pthread_mutex_unlock(&health->lock);
    return fault;
}

/* The value of min.insync.replicas of a topic; 0: not known. */
static int ask_min_insync(rd_kafka_t *client, const char *topic) {
    int value = 0;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PROBE_MS);
    size_t count = 0, entries = 0;
    const rd_kafka_ConfigResource_t **results =
        event && !rd_kafka_event_error(event)
            ? rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count)
            : NULL;
    const rd_kafka_ConfigEntry_t **all = count ? rd_kafka_ConfigResource_configs(results[0], &entries) : NULL;
    for (size_t i = 0; i < entries; i++) {
        const char *text = rd_kafka_ConfigEntry_value(all[i]);
        if (text && strcmp(rd_kafka_ConfigEntry_name(all[i]), "min.insync.replicas") == 0) {
            value = atoi(text);
        }
    }
    if (event) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
    return value;
}

/* librdkafka repeats what may pass until the time is over, and then says only that. The metadata say more. */
static void explain_time_out(rd_kafka_t *client, const struct rd_kafka_metadata *metadata, const char *topic,
                             char *ret_text, size_t bytes) {
    const struct rd_kafka_metadata_topic *known = NULL;
    for (int i = 0; !known && i < metadata->topic_cnt; i++) {
        known = strcmp(metadata->topics[i].topic, topic) == 0 ? &metadata->topics[i] : NULL;
    }
    int wanted = known ? ask_min_insync(client, topic) : 0;
    for (int i = 0; known && i < known->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *partition = &known->partitions[i];
        if (partition->leader < 0) {
            snprintf(ret_text, bytes, "; partition %d has no leader: its brokers are away or cannot write",
                     partition->id);
            return;
        }
        int needed = wanted < partition->replica_cnt ? wanted : partition->replica_cnt; /* as the broker reckons */
        if (partition->isr_cnt < needed) {
            snprintf(ret_text, bytes, "; partition %d has %d replicas in sync, and min.insync.replicas wants %d",
                     partition->id, partition->isr_cnt, needed);
            return;
        }
    }
}

static enum herald_code check_deliveries(struct kafka_health *health, rd_kafka_t *client,
                                         const struct rd_kafka_metadata *metadata, struct herald_error *reterr) {
    struct delivery_fault fault = take_fault(health);
    char more[160] = "";
    health->delivery = fault.err;
    if (!fault.err) {
        return HERALD_OK;
    }
    if (fault.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && health->reported_delivery != fault.err) {
        explain_time_out(client, metadata, fault.topic, more, sizeof(more));
    }
    herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE, "Kafka at %s takes no records for topic '%s': %s%s",
                     health->options.bootstrap, fault.topic, rd_kafka_err2str(fault.err), more);
    return HERALD_UNAVAILABLE;
}

void kafka_health_delivery(struct kafka_health *health, const char *topic, rd_kafka_resp_err_t err) {
    if (!health || err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
        err == RD_KAFKA_RESP_ERR__FATAL) {
        return; /* ours: the client is closed or replaced */
    }
    pthread_mutex_lock(&health->lock);
    bool of_record = err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
                     err == RD_KAFKA_RESP_ERR_INVALID_MSG || err == RD_KAFKA_RESP_ERR_INVALID_RECORD;
    health->refused = of_record ? health->refused + 1 : 0;
    struct delivery_fault *fault = &health->fault;
    bool was = fault->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!err && was && strcmp(fault->topic, topic) == 0) {
        fault->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    } else if (err && (!of_record || health->refused >= REFUSED_ENOUGH)) {
        snprintf(fault->topic, sizeof(fault->topic), "%s", topic);
        fault->err = err;
        fault->at_us = herald_monotonic_us();
    }
    if (was != (fault->err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
        health->hurry = true;
        pthread_cond_signal(&health->wake);
    }
    pthread_mutex_unlock(&health->lock);
}

/* The broker did not even answer, which explains it: now that it answers, nothing is left against it. */
static void forget_time_out(struct kafka_health *health) {
    pthread_mutex_lock(&health->lock);
    if (health->fault.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        health->fault.err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    pthread_mutex_unlock(&health->lock);
}

static enum herald_code probe(struct kafka_health *health, rd_kafka_t *client, struct herald_error *reterr) {
    const struct rd_kafka_metadata *metadata = NULL;
    const char *bootstrap = health->options.bootstrap;
    health->delivery = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, NULL, &metadata, PROBE_MS);
    if (err) {
        char hint[256];
        health->away = true;
        take_hint(health, hint, sizeof(hint));
        return herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE, "Kafka at %s does not serve: %s", bootstrap,
                                hint[0] ? hint : rd_kafka_err2str(err));
    }
    if (health->away) {
        health->away = false;
        forget_time_out(health);
    }
    enum herald_code code = metadata->broker_cnt > 0 ? check_metadata(metadata, bootstrap, reterr)
                                                     : herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE,
                                                                        "Kafka at %s lists no broker", bootstrap);
    if (code == HERALD_OK) {
        code = check_deliveries(health, client, metadata, reterr);
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

/* Reports changes only: the same reason again is not reported. */
static void judge_broker(struct kafka_health *health, const struct herald_error *error) {
    enum verdict verdict = error ? VERDICT_FAILS : VERDICT_SERVES;
    rd_kafka_resp_err_t delivery = error ? health->delivery : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (verdict == health->verdict &&
        (!error || (herald_error_is(error, health->reported) && delivery == health->reported_delivery))) {
        return;
    }
    health->reported_delivery = delivery;
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
