/*
 * A consumer: one thread polls librdkafka and hands records to a loop.
 *
 * The thread must go on polling while records are worked on, because polling serves rebalances. With max_in_flight
 * records out it pauses the partitions; a record that still arrives is held back.
 *
 * Records go to the loop through a queue and one posted work, the doorbell. The consumer's memory is shared by its
 * owner and by a doorbell that is posted and has not run.
 *
 * Each assignment of a partition is a `struct partition` with its own tracker, shared by its records. After a
 * revocation its records may still end; their offsets are then ignored, because they belong to another member.
 */
#include "client/base/clock.h"
#include "server/store/kafka/cloud_event.h"
#include "server/store/kafka/kafka.h"
#include "server/store/kafka/kafka_client.h"
#include "server/store/kafka/kafka_health.h"
#include "server/store/kafka/offset_tracker.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS            100
#define RETRY_MS           100
#define COMMIT_INTERVAL_MS 500
#define LAST_COMMIT_MS     2000
#define TRACKED_MOST       10000

struct partition {
    struct partition *next; /* in the consumer's list, while assigned */
    int32_t number;
    unsigned users; /* the list and each record */
    bool revoked;
    struct offset_tracker tracker;
};

/* A record, its message and its partition. */
struct box {
    struct kafka_record record; /* first: a pointer to it is a pointer to the box */
    struct box *next;
    rd_kafka_message_t *message;
    struct partition *partition;
};

struct box_queue {
    struct box *head, **tail;
};

struct kafka_consumer {
    struct loop_work doorbell;             /* first: found from its address */
    struct kafka_consumer_options options; /* strings are owned */
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic; /* makes the topic known to librdkafka: the health watch asks for it */
    struct kafka_health *health;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct partition *partitions;
    struct box_queue ready; /* for the loop */
    unsigned users;
    unsigned in_flight; /* in `ready` or handed out */
    bool rung, stopping, quit;
    bool uncommitted; /* there may be stored offsets that are not committed */

    /* used by the thread alone */
    struct box_queue held;
    bool paused;
    uint64_t commit_at_us;
};

/* --- Partitions and boxes, under the lock --- */

static void partition_unref(struct partition *partition) {
    if (--partition->users == 0) {
        offset_tracker_fini(&partition->tracker);
        free(partition);
    }
}

static struct partition *partition_find(struct kafka_consumer *consumer, int32_t number) {
    struct partition *partition = consumer->partitions;
    while (partition && partition->number != number) {
        partition = partition->next;
    }
    return partition;
}

static void partition_remove(struct kafka_consumer *consumer, int32_t number) {
    struct partition **at = &consumer->partitions;
    while (*at && (*at)->number != number) {
        at = &(*at)->next;
    }
    struct partition *partition = *at;
    if (partition) {
        *at = partition->next;
        partition->revoked = true;
        partition_unref(partition);
    }
}

static bool partition_add(struct kafka_consumer *consumer, int32_t number) {
    struct partition *partition = calloc(1, sizeof(*partition));
    if (!partition) {
        return false;
    }
    partition_remove(consumer, number);
    partition->number = number;
    partition->users = 1;
    offset_tracker_init(&partition->tracker);
    partition->next = consumer->partitions;
    consumer->partitions = partition;
    return true;
}

static void queue_init(struct box_queue *queue) {
    queue->head = NULL;
    queue->tail = &queue->head;
}

static void queue_push(struct box_queue *queue, struct box *box) {
    box->next = NULL;
    *queue->tail = box;
    queue->tail = &box->next;
}

static struct box *queue_pop(struct box_queue *queue) {
    struct box *box = queue->head;
    if (box) {
        queue->head = box->next;
        if (!queue->head) {
            queue->tail = &queue->head;
        }
    }
    return box;
}

static void box_free(struct box *box) {
    rd_kafka_message_destroy(box->message);
    partition_unref(box->partition);
    free(box);
}

static void drop_all(struct box_queue *queue) {
    struct box *box;
    while ((box = queue_pop(queue))) {
        box_free(box);
    }
}

/* Drops the queued records: none of them goes to the loop any more. */
static void drop_ready(struct kafka_consumer *consumer) {
    struct box *box;
    while ((box = queue_pop(&consumer->ready))) {
        box_free(box);
        consumer->in_flight--;
    }
    pthread_cond_broadcast(&consumer->changed);
}

static void consumer_free(struct kafka_consumer *consumer) {
    if (consumer->topic) {
        rd_kafka_topic_destroy(consumer->topic);
    }
    if (consumer->kafka) {
        rd_kafka_destroy(consumer->kafka);
    }
    free((char *)consumer->options.bootstrap);
    free((char *)consumer->options.client_id);
    free((char *)consumer->options.group);
    free((char *)consumer->options.topic);
    pthread_cond_destroy(&consumer->changed);
    pthread_mutex_destroy(&consumer->lock);
    free(consumer);
}

/* Drops one reference. Call with the lock held; it is unlocked on return. The last one frees the consumer. */
static void unlock_and_unref(struct kafka_consumer *consumer) {
    bool last = --consumer->users == 0;
    pthread_mutex_unlock(&consumer->lock);
    if (last) {
        consumer_free(consumer);
    }
}

/* --- The loop's side --- */

/* The next record whose partition is still assigned; drops the others. */
static struct box *take_ready(struct kafka_consumer *consumer) {
    struct box *box;
    while ((box = queue_pop(&consumer->ready)) && box->partition->revoked) {
        box_free(box);
        consumer->in_flight--;
        pthread_cond_broadcast(&consumer->changed);
    }
    return box;
}

static void hand_records_over(struct loop_work *work) {
    struct kafka_consumer *consumer = (struct kafka_consumer *)work;
    struct box *box;
    pthread_mutex_lock(&consumer->lock);
    consumer->rung = false;
    while ((box = take_ready(consumer))) {
        pthread_mutex_unlock(&consumer->lock);
        consumer->options.on_record(consumer->options.user, &box->record);
        pthread_mutex_lock(&consumer->lock);
    }
    unlock_and_unref(consumer);
}

static void store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, consumer->options.topic, partition)->offset = next;
    /* Fails only for a partition that was revoked: its offset must not be stored. */
    (void)rd_kafka_offsets_store(consumer->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    consumer->uncommitted = true;
}

static void give_back(struct kafka_consumer *consumer, struct kafka_record *record, bool done) {
    struct box *box = (struct box *)record;
    struct partition *partition = box->partition;
    int64_t next = 0;
    pthread_mutex_lock(&consumer->lock);
    if (done && !partition->revoked && offset_tracker_done(&partition->tracker, record->offset, &next)) {
        store_offset(consumer, partition->number, next);
    }
    box_free(box);
    consumer->in_flight--;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
}

void kafka_record_done(struct kafka_consumer *consumer, struct kafka_record *record) {
    give_back(consumer, record, true);
}

void kafka_record_abandon(struct kafka_consumer *consumer, struct kafka_record *record) {
    give_back(consumer, record, false);
}

/* --- The thread's side --- */

static void retry_later(struct kafka_consumer *consumer) {
    const struct timespec until = herald_timespec_in_ms(RETRY_MS);
    (void)pthread_cond_timedwait(&consumer->changed, &consumer->lock, &until);
}

static void add_assigned(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list) {
    pthread_mutex_lock(&consumer->lock);
    for (int i = 0; i < list->cnt; i++) {
        while (!partition_add(consumer, list->elems[i].partition)) {
            retry_later(consumer);
        }
    }
    pthread_mutex_unlock(&consumer->lock);
}

static void remove_revoked(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list) {
    pthread_mutex_lock(&consumer->lock);
    for (int i = 0; i < list->cnt; i++) {
        partition_remove(consumer, list->elems[i].partition);
    }
    pthread_mutex_unlock(&consumer->lock);
}

/* Commits the stored offsets before another member starts from them; waits at most LAST_COMMIT_MS. */
static void commit_and_wait(rd_kafka_t *kafka) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    if (rd_kafka_commit_queue(kafka, NULL, queue, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LAST_COMMIT_MS);
        if (event) {
            rd_kafka_event_destroy(event);
        }
    }
    rd_kafka_queue_destroy(queue);
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list,
                         void *opaque) {
    struct kafka_consumer *consumer = opaque;
    rd_kafka_error_t *error;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        add_assigned(consumer, list);
        error = rd_kafka_incremental_assign(kafka, list);
        if (consumer->paused) {
            rd_kafka_pause_partitions(kafka, list);
        }
    } else {
        remove_revoked(consumer, list);
        if (!rd_kafka_assignment_lost(kafka)) {
            commit_and_wait(kafka);
        }
        error = rd_kafka_incremental_unassign(kafka, list);
    }
    if (error) {
        kafka_health_hint(consumer->health, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

static void on_commit(rd_kafka_t *kafka, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *offsets,
                      void *opaque) {
    struct kafka_consumer *consumer = opaque;
    (void)kafka;
    (void)offsets;
    if (err && err != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        pthread_mutex_lock(&consumer->lock);
        consumer->uncommitted = true;
        pthread_mutex_unlock(&consumer->lock);
    }
}

static void on_error(rd_kafka_t *kafka, int err, const char *text, void *opaque) {
    struct kafka_consumer *consumer = opaque;
    (void)kafka;
    (void)err;
    kafka_health_hint(consumer->health, text);
}

static void commit_if_due(struct kafka_consumer *consumer) {
    uint64_t now_us = clock_now_us();
    if (now_us < consumer->commit_at_us) {
        return;
    }
    consumer->commit_at_us = now_us + COMMIT_INTERVAL_MS * 1000u;
    pthread_mutex_lock(&consumer->lock);
    bool due = consumer->uncommitted;
    consumer->uncommitted = false;
    pthread_mutex_unlock(&consumer->lock);
    if (due) {
        (void)rd_kafka_commit(consumer->kafka, NULL, 1);
    }
}

static void pause_all(struct kafka_consumer *consumer, bool paused) {
    rd_kafka_topic_partition_list_t *list = NULL;
    consumer->paused = paused;
    if (rd_kafka_assignment(consumer->kafka, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    if (paused) {
        rd_kafka_pause_partitions(consumer->kafka, list);
    } else {
        rd_kafka_resume_partitions(consumer->kafka, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* Under the lock. Trackers are bounded: a record that never ends holds back the offsets of all records after it. */
static bool is_buffer_full(const struct kafka_consumer *consumer) {
    if (consumer->stopping || consumer->in_flight >= consumer->options.max_in_flight) {
        return true;
    }
    for (const struct partition *partition = consumer->partitions; partition; partition = partition->next) {
        if (offset_tracker_count(&partition->tracker) >= TRACKED_MOST) {
            return true;
        }
    }
    return false;
}

/* Under the lock. Queues a record for the loop, or drops it when it is not wanted any more. */
static void pass_on(struct kafka_consumer *consumer, struct box *box) {
    if (box->partition->revoked || consumer->stopping) {
        box_free(box);
        return;
    }
    queue_push(&consumer->ready, box);
    consumer->in_flight++;
    if (!consumer->rung) {
        consumer->rung = true;
        consumer->users++;
        loop_post(consumer->options.loop, &consumer->doorbell);
    }
}

/* Waits a moment for room, passes on held records, pauses or resumes. Returns whether records may come. */
static bool make_record_room(struct kafka_consumer *consumer) {
    struct box *box;
    pthread_mutex_lock(&consumer->lock);
    if (is_buffer_full(consumer) && !consumer->quit) {
        retry_later(consumer);
    }
    while (!is_buffer_full(consumer) && (box = queue_pop(&consumer->held))) {
        pass_on(consumer, box);
    }
    bool full = is_buffer_full(consumer);
    pthread_mutex_unlock(&consumer->lock);
    if (full != consumer->paused) {
        pause_all(consumer, full);
    }
    return !full;
}

static bool has_quit(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    bool quit = consumer->quit;
    pthread_mutex_unlock(&consumer->lock);
    return quit;
}

/* Under the lock. When offsets go backwards (the topic was recreated), a new tracker begins. */
static bool track(struct kafka_consumer *consumer, struct box *box) {
    int32_t number = box->message->partition;
    struct partition *partition = partition_find(consumer, number);
    if (!partition) {
        return false;
    }
    while (!offset_tracker_add(&partition->tracker, box->message->offset)) {
        if (partition_add(consumer, number)) {
            partition = partition_find(consumer, number);
        } else {
            retry_later(consumer);
        }
    }
    partition->users++;
    box->partition = partition;
    return true;
}

static void fill_record(struct kafka_consumer *consumer, struct box *box) {
    const rd_kafka_message_t *message = box->message;
    box->record = (struct kafka_record){
        .topic = consumer->options.topic,
        .partition = message->partition,
        .offset = message->offset,
        .key = message->key,
        .key_bytes = message->key_len,
        .value = message->payload,
        .value_bytes = message->len,
    };
    cloud_event_read_headers(message, &box->record);
}

static void take_message(struct kafka_consumer *consumer, rd_kafka_message_t *message) {
    struct box *box = NULL;
    pthread_mutex_lock(&consumer->lock);
    while (!(box = calloc(1, sizeof(*box)))) {
        retry_later(consumer); /* a record must not be skipped */
    }
    box->message = message;
    fill_record(consumer, box);
    if (!track(consumer, box)) {
        rd_kafka_message_destroy(message); /* its partition was revoked */
        free(box);
    } else if (is_buffer_full(consumer) || consumer->held.head) {
        queue_push(&consumer->held, box);
    } else {
        pass_on(consumer, box);
    }
    pthread_mutex_unlock(&consumer->lock);
}

static void *poll_records(void *arg) {
    struct kafka_consumer *consumer = arg;
    while (!has_quit(consumer)) {
        bool room = make_record_room(consumer);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, room ? POLL_MS : 0);
        if (message && !message->err) {
            take_message(consumer, message);
        } else if (message) {
            kafka_health_hint(consumer->health, rd_kafka_message_errstr(message));
            rd_kafka_message_destroy(message);
        }
        commit_if_due(consumer);
    }
    pthread_mutex_lock(&consumer->lock);
    drop_all(&consumer->held);
    pthread_mutex_unlock(&consumer->lock);
    /* Leaving the group revokes all partitions, and on_rebalance() commits the stored offsets. */
    rd_kafka_consumer_close(consumer->kafka);
    return NULL;
}

/* --- Life --- */

static rd_kafka_t *borrow_consumer_client(void *owner) {
    return ((struct kafka_consumer *)owner)->kafka;
}

static void give_consumer_client_back(void *owner, rd_kafka_t *kafka) {
    (void)owner;
    (void)kafka;
}

static enum herald_code make_client(struct kafka_consumer *consumer, struct herald_error *reterr) {
    const struct kafka_consumer_options *options = &consumer->options;
    const struct kafka_setting settings[] = {
        {"group.id", options->group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"},
        /* A rebalance does not disturb the partitions that stay, nor the work on their records. */
        {"partition.assignment.strategy", "cooperative-sticky"},
        /* The minimum that brokers allow by default: the work of a dead member resumes soon. */
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1000"},
        {"queued.max.messages.kbytes", "16384"},
    };
    rd_kafka_conf_t *conf = NULL;
    char text[256] = "";
    enum herald_code code = kafka_client_conf(options->bootstrap, options->client_id, settings,
                                              sizeof(settings) / sizeof(settings[0]), &conf, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_error_cb(conf, on_error);
    consumer->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!consumer->kafka) {
        rd_kafka_conf_destroy(conf);
        return herald_error_set(reterr, HERALD_REASON_KAFKA_CLIENT, "cannot make a Kafka consumer: %s", text);
    }
    consumer->topic = rd_kafka_topic_new(consumer->kafka, options->topic, NULL);
    rd_kafka_poll_set_consumer(consumer->kafka);
    return HERALD_OK;
}

static enum herald_code subscribe(struct kafka_consumer *consumer, struct herald_error *reterr) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->options.topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err) {
        return herald_error_set(reterr, HERALD_REASON_KAFKA_TOPIC, "cannot subscribe to topic '%s': %s",
                                consumer->options.topic, rd_kafka_err2str(err));
    }
    return HERALD_OK;
}

static enum herald_code start_consumer_threads(struct kafka_consumer *consumer, struct herald_error *reterr) {
    consumer->health = kafka_health_start(&(struct kafka_health_options){
        .borrow = borrow_consumer_client,
        .give_back = give_consumer_client_back,
        .owner = consumer,
        .bootstrap = consumer->options.bootstrap,
        .on_health = consumer->options.on_health,
        .user = consumer->options.user,
    });
    if (!consumer->health || pthread_create(&consumer->thread, NULL, poll_records, consumer) != 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_THREAD, "no thread for the Kafka consumer");
    }
    return HERALD_OK;
}

static struct kafka_consumer *consumer_new(const struct kafka_consumer_options *options) {
    struct kafka_consumer *consumer = calloc(1, sizeof(*consumer));
    if (!consumer) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&consumer->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&consumer->lock, NULL);
    consumer->doorbell.run = hand_records_over;
    consumer->users = 1;
    queue_init(&consumer->ready);
    queue_init(&consumer->held);
    consumer->options = *options;
    consumer->options.bootstrap = strdup(options->bootstrap);
    consumer->options.client_id = strdup(options->client_id);
    consumer->options.group = strdup(options->group);
    consumer->options.topic = strdup(options->topic);
    if (!consumer->options.bootstrap || !consumer->options.client_id || !consumer->options.group ||
        !consumer->options.topic) {
        consumer_free(consumer);
        return NULL;
    }
    return consumer;
}

enum herald_code kafka_consumer_open(const struct kafka_consumer_options *options, struct kafka_consumer **ret_consumer,
                                     struct herald_error *reterr) {
    struct kafka_consumer *consumer = consumer_new(options);
    if (!consumer) {
        return herald_error_no_memory(reterr, "a Kafka consumer");
    }
    enum herald_code code = make_client(consumer, reterr);
    if (code == HERALD_OK) {
        code = subscribe(consumer, reterr);
    }
    if (code == HERALD_OK) {
        code = start_consumer_threads(consumer, reterr);
    }
    if (code != HERALD_OK) {
        kafka_health_stop(consumer->health);
        consumer->health = NULL;
        consumer_free(consumer);
        return code;
    }
    *ret_consumer = consumer;
    return HERALD_OK;
}

void kafka_consumer_stop(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    consumer->stopping = true;
    drop_ready(consumer);
    pthread_mutex_unlock(&consumer->lock);
}

void kafka_consumer_close(struct kafka_consumer *consumer) {
    if (!consumer) {
        return;
    }
    pthread_mutex_lock(&consumer->lock);
    consumer->stopping = true;
    drop_ready(consumer);
    assert(consumer->in_flight == 0 || loop_current() != consumer->options.loop);
    while (consumer->in_flight > 0) {
        pthread_cond_wait(&consumer->changed, &consumer->lock);
    }
    consumer->quit = true;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
    pthread_join(consumer->thread, NULL);
    kafka_health_stop(consumer->health);
    consumer->health = NULL;
    pthread_mutex_lock(&consumer->lock);
    while (consumer->partitions) {
        partition_remove(consumer, consumer->partitions->number);
    }
    unlock_and_unref(consumer);
}
