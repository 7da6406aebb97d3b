/*
 * The producer: one thread polls librdkafka and posts each delivery report to the loop of the task that waits for it.
 *
 * A delivery is on the heap and has one owner at a time: librdkafka until the report, then the loop's posted work. A
 * task that stops waiting says so with one atomic step, so exactly one of the two frees it:
 *
 *   WAITING ──report──► REPORTED: posted; the loop's work completes it, or frees it when the waiter has left
 *   WAITING ──waiter leaves──► ABANDONED: the report frees it
 *
 * A client with a fatal error is replaced and retired: purged, polled until its last report, destroyed. Each user of a
 * client borrows it; the client is destroyed only when no user has it.
 */
#include "server/store/kafka/cloud_event.h"
#include "server/store/kafka/kafka.h"
#include "server/store/kafka/kafka_client.h"
#include "server/store/kafka/kafka_health.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS         100
#define RETIRED_POLL_MS 5
#define FINAL_FLUSH_MS  1000
#define AWAY_WAIT_US    UINT64_C(1000000) /* Kafka is away: one record so often may be waited for */

enum delivery_state { DELIVERY_WAITING, DELIVERY_REPORTED, DELIVERY_ABANDONED };

struct delivery {
    struct loop_work work;
    struct loop *loop;
    struct completion reported;
    bool waiter_left; /* loop's thread */
    _Atomic enum delivery_state state;
    rd_kafka_resp_err_t err; /* with status: written before REPORTED */
    rd_kafka_msg_status_t status;
};

struct client {
    struct kafka_producer *producer;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topics[KAFKA_PRODUCER_TOPICS_MAX];
    size_t topic_count;
    unsigned borrowed; /* under the producer's lock */
    atomic_bool fatal;
};

struct kafka_producer {
    struct kafka_producer_options options; /* strings are owned */
    char *topics[KAFKA_PRODUCER_TOPICS_MAX];
    size_t topic_count;
    pthread_t thread;
    pthread_mutex_t lock;
    struct client *client;  /* under lock */
    struct client *retired; /* used by the thread alone */
    struct kafka_health *health;
    atomic_bool stop;
    atomic_bool is_away;               /* the last record that somebody waited for was not acknowledged */
    atomic_uint_fast64_t next_wait_us; /* while away: when the next one may be waited for */
};

/* --- Reports --- */

static void run_report(struct loop_work *work) {
    struct delivery *delivery = (struct delivery *)work;
    if (delivery->waiter_left) {
        free(delivery);
    } else {
        completion_complete(&delivery->reported);
    }
}

static void on_report(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    struct delivery *delivery = message->_private;
    enum delivery_state waiting = DELIVERY_WAITING;
    const struct client *client = opaque;
    (void)kafka;
    kafka_health_delivery(client->producer->health, rd_kafka_topic_name(message->rkt), message->err);
    delivery->err = message->err;
    delivery->status = rd_kafka_message_status(message);
    if (atomic_compare_exchange_strong(&delivery->state, &waiting, DELIVERY_REPORTED)) {
        loop_post(delivery->loop, &delivery->work);
    } else {
        free(delivery);
    }
}

/*
 * The waiter leaves. Returns whether the report has come meanwhile: @delivery is then readable until this task
 * suspends.
 */
static bool leave_delivery(struct delivery *delivery) {
    enum delivery_state waiting = DELIVERY_WAITING;
    if (atomic_compare_exchange_strong(&delivery->state, &waiting, DELIVERY_ABANDONED)) {
        return false;
    }
    delivery->waiter_left = true; /* the posted work has not run yet, and runs on this thread */
    return true;
}

static void on_client_error(rd_kafka_t *kafka, int err, const char *text, void *opaque) {
    struct client *client = opaque;
    (void)kafka;
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        atomic_store(&client->fatal, true);
    }
    kafka_health_hint(client->producer->health, text);
}

/* --- Clients --- */

static void client_free(struct client *client) {
    if (!client) {
        return;
    }
    for (size_t i = 0; i < client->topic_count; i++) {
        rd_kafka_topic_destroy(client->topics[i]);
    }
    if (client->kafka) {
        rd_kafka_destroy(client->kafka);
    }
    free(client);
}

static enum herald_code client_conf(const struct kafka_producer_options *options, rd_kafka_conf_t **ret_conf,
                                    struct herald_error *reterr) {
    char timeout_ms[16];
    snprintf(timeout_ms, sizeof(timeout_ms), "%u", options->delivery_timeout_ms);
    const struct kafka_setting settings[] = {
        {"enable.idempotence", "true"},
        {"delivery.timeout.ms", timeout_ms},
        {"linger.ms", "0"}, /* no record waits for another; under load batches form by themselves */
        {"queue.buffering.max.messages", "100000"},
        {"queue.buffering.max.kbytes", "65536"},
        {"partitioner", "murmur2_random"}, /* Java's default: all producers then put a key in the same partition */
    };
    return kafka_client_conf(options->bootstrap, options->client_id, settings, sizeof(settings) / sizeof(settings[0]),
                             ret_conf, reterr);
}

/*
 * Makes a topic known to librdkafka. Returns whether it was new. Under the producer's lock, or before the threads
 * start.
 */
static bool add_topic(struct client *client, const char *name) {
    for (size_t i = 0; i < client->topic_count; i++) {
        if (strcmp(rd_kafka_topic_name(client->topics[i]), name) == 0) {
            return false;
        }
    }
    if (client->topic_count == KAFKA_PRODUCER_TOPICS_MAX) {
        return false;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client->kafka, name, NULL);
    if (topic) {
        client->topics[client->topic_count++] = topic;
    }
    return topic != NULL;
}

static enum herald_code client_new(struct kafka_producer *producer, struct client **ret_client,
                                   struct herald_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum herald_code code = client_conf(&producer->options, &conf, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct client *client = calloc(1, sizeof(*client));
    char text[256] = "no memory";
    if (client) {
        client->producer = producer;
        rd_kafka_conf_set_opaque(conf, client);
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
        rd_kafka_conf_set_error_cb(conf, on_client_error);
        client->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    }
    if (!client || !client->kafka) {
        rd_kafka_conf_destroy(conf);
        client_free(client);
        return herald_error_set(reterr, HERALD_REASON_KAFKA_CLIENT, "cannot make a Kafka producer: %s", text);
    }
    /* The health watch asks for all known topics. */
    for (size_t i = 0; i < producer->topic_count; i++) {
        (void)add_topic(client, producer->topics[i]);
    }
    *ret_client = client;
    return HERALD_OK;
}

static struct client *borrow_client(struct kafka_producer *producer) {
    pthread_mutex_lock(&producer->lock);
    struct client *client = producer->client;
    client->borrowed++;
    pthread_mutex_unlock(&producer->lock);
    return client;
}

/*
 * librdkafka asks for a new topic's partitions once a second, and the topic's first record waits for that. So a new
 * topic makes the health watch, which asks for all known topics, ask at once.
 */
static struct client *borrow_client_for(struct kafka_producer *producer, const char *topic) {
    pthread_mutex_lock(&producer->lock);
    struct client *client = producer->client;
    client->borrowed++;
    bool added = add_topic(client, topic);
    pthread_mutex_unlock(&producer->lock);
    if (added) {
        kafka_health_hurry(producer->health);
    }
    return client;
}

static void give_client_back(struct kafka_producer *producer, struct client *client) {
    pthread_mutex_lock(&producer->lock);
    client->borrowed--;
    pthread_mutex_unlock(&producer->lock);
}

static rd_kafka_t *borrow_producer_client(void *owner) {
    return borrow_client(owner)->kafka;
}

static void give_producer_client_back(void *owner, rd_kafka_t *kafka) {
    give_client_back(owner, rd_kafka_opaque(kafka));
}

/* --- The thread --- */

static void replace_client(struct kafka_producer *producer) {
    struct client *fresh = NULL;
    if (producer->retired || client_new(producer, &fresh, NULL) != HERALD_OK) {
        return; /* later */
    }
    pthread_mutex_lock(&producer->lock);
    producer->retired = producer->client;
    producer->client = fresh;
    pthread_mutex_unlock(&producer->lock);
}

static void serve_retired(struct kafka_producer *producer) {
    struct client *client = producer->retired;
    pthread_mutex_lock(&producer->lock);
    bool borrowed = client->borrowed > 0;
    pthread_mutex_unlock(&producer->lock);
    rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(client->kafka, 0);
    if (!borrowed && rd_kafka_outq_len(client->kafka) == 0) {
        producer->retired = NULL;
        client_free(client);
    }
}

static void *poll_reports(void *arg) {
    struct kafka_producer *producer = arg;
    while (!atomic_load(&producer->stop)) {
        /* Only this thread changes `client`, so it reads it without the lock. */
        struct client *client = producer->client;
        rd_kafka_poll(client->kafka, producer->retired ? RETIRED_POLL_MS : POLL_MS);
        if (atomic_load(&client->fatal)) {
            replace_client(producer);
        }
        if (producer->retired) {
            serve_retired(producer);
        }
    }
    return NULL;
}

/* --- Life --- */

static bool copy_options(struct kafka_producer *producer, const struct kafka_producer_options *options) {
    producer->options = *options;
    producer->options.bootstrap = strdup(options->bootstrap);
    producer->options.client_id = strdup(options->client_id);
    memset(producer->options.topics, 0, sizeof(producer->options.topics)); /* borrowed: copied below */
    bool complete = producer->options.bootstrap && producer->options.client_id;
    for (size_t i = 0; complete && i < KAFKA_PRODUCER_TOPICS_MAX && options->topics[i]; i++) {
        producer->topics[i] = strdup(options->topics[i]);
        complete = producer->topics[i] != NULL;
        producer->topic_count += complete;
    }
    return complete;
}

static void producer_free(struct kafka_producer *producer) {
    client_free(producer->client);
    client_free(producer->retired);
    free((char *)producer->options.bootstrap);
    free((char *)producer->options.client_id);
    for (size_t i = 0; i < producer->topic_count; i++) {
        free(producer->topics[i]);
    }
    pthread_mutex_destroy(&producer->lock);
    free(producer);
}

/* The watch starts first: the callbacks of the thread use it. */
static enum herald_code start_producer_threads(struct kafka_producer *producer, struct herald_error *reterr) {
    producer->health = kafka_health_start(&(struct kafka_health_options){
        .borrow = borrow_producer_client,
        .give_back = give_producer_client_back,
        .owner = producer,
        .bootstrap = producer->options.bootstrap,
        .on_health = producer->options.on_health,
        .user = producer->options.user,
    });
    if (!producer->health || pthread_create(&producer->thread, NULL, poll_reports, producer) != 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_THREAD, "no thread for the Kafka producer");
    }
    return HERALD_OK;
}

static enum herald_code open_producer(struct kafka_producer *producer, const struct kafka_producer_options *options,
                                      struct herald_error *reterr) {
    if (!copy_options(producer, options)) {
        return herald_error_no_memory(reterr, "a Kafka producer");
    }
    enum herald_code code = client_new(producer, &producer->client, reterr);
    return code == HERALD_OK ? start_producer_threads(producer, reterr) : code;
}

enum herald_code kafka_producer_open(const struct kafka_producer_options *options, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr) {
    struct kafka_producer *producer = calloc(1, sizeof(*producer));
    if (!producer) {
        return herald_error_no_memory(reterr, "a Kafka producer");
    }
    pthread_mutex_init(&producer->lock, NULL);
    enum herald_code code = open_producer(producer, options, reterr);
    if (code != HERALD_OK) {
        kafka_health_stop(producer->health);
        producer->health = NULL;
        producer_free(producer);
        return code;
    }
    *ret_producer = producer;
    return HERALD_OK;
}

/* Flushes, then purges: afterwards every delivery has been reported. */
static void drain_client(struct client *client, uint32_t flush_ms) {
    rd_kafka_flush(client->kafka, (int)flush_ms);
    rd_kafka_purge(client->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client->kafka, FINAL_FLUSH_MS);
}

void kafka_producer_close(struct kafka_producer *producer, uint32_t flush_ms) {
    if (!producer) {
        return;
    }
    atomic_store(&producer->stop, true);
    pthread_join(producer->thread, NULL);
    drain_client(producer->client, flush_ms);
    if (producer->retired) {
        drain_client(producer->retired, 0);
    }
    kafka_health_stop(producer->health);
    producer->health = NULL; /* destroying a client may still call back */
    producer_free(producer);
}

/* --- Producing --- */

static rd_kafka_resp_err_t enqueue(struct kafka_producer *producer, const struct cloud_event *event,
                                   struct delivery *delivery) {
    rd_kafka_headers_t *headers = cloud_event_headers(event);
    struct client *client = borrow_client_for(producer, event->topic);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        client->kafka, RD_KAFKA_V_TOPIC(event->topic), RD_KAFKA_V_KEY(event->key, event->key ? strlen(event->key) : 0),
        RD_KAFKA_V_VALUE((void *)event->value, event->value_bytes), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(delivery), RD_KAFKA_V_END);
    give_client_back(producer, client);
    if (err) {
        rd_kafka_headers_destroy(headers); /* handed over on success only */
    }
    return err;
}

static TASK_FN enum herald_code await_report(struct delivery *delivery, const char *topic, uint32_t wait_ms,
                                             struct herald_error *reterr) {
    struct herald_error error = {0};
    enum herald_code code = wait_ms ? completion_wait_for(&delivery->reported, wait_ms, &error)
                                    : completion_wait(&delivery->reported, &error);
    if (code == HERALD_OK) {
        code = kafka_delivery_result(delivery->err, delivery->status, topic, reterr);
        free(delivery);
    } else if (leave_delivery(delivery)) {
        code = kafka_delivery_result(delivery->err, delivery->status, topic, reterr);
    } else {
        code = herald_error_set(reterr, HERALD_REASON_KAFKA_OUTCOME_UNKNOWN,
                                "the wait for Kafka's acknowledgement of a record for topic '%s' is over (%s); it may "
                                "still arrive",
                                topic, error.reason);
    }
    return code;
}

TASK_FN enum herald_code kafka_produce(struct kafka_producer *producer, const struct cloud_event *event,
                                       uint32_t wait_ms, struct herald_error *reterr) {
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery) {
        return herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE, "no memory for a record");
    }
    delivery->work.run = run_report;
    delivery->loop = loop_current();
    completion_init(&delivery->reported);
    delivery->reported.what = "an acknowledgement of Kafka";
    rd_kafka_resp_err_t err = enqueue(producer, event, delivery);
    if (err) {
        free(delivery);
        return kafka_delivery_result(err, RD_KAFKA_MSG_STATUS_NOT_PERSISTED, event->topic, reterr);
    }
    return await_report(delivery, event->topic, wait_ms, reterr);
}

/* --- Away --- */

void kafka_producer_note(struct kafka_producer *producer, bool acknowledged) {
    if (!acknowledged) {
        atomic_store(&producer->next_wait_us, clock_now_us() + AWAY_WAIT_US);
    }
    atomic_store(&producer->is_away, !acknowledged);
}

bool kafka_producer_is_away(const struct kafka_producer *producer) {
    return atomic_load(&producer->is_away);
}

bool kafka_producer_may_wait(struct kafka_producer *producer) {
    uint64_t now_us = clock_now_us(), next_us = atomic_load(&producer->next_wait_us);
    return !kafka_producer_is_away(producer) ||
           (now_us >= next_us &&
            atomic_compare_exchange_strong(&producer->next_wait_us, &next_us, now_us + AWAY_WAIT_US));
}
