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
 *
 * librdkafka keeps a pause beyond the assignment: a partition that was paused when it was revoked comes back paused. So
 * each assignment says anew whether its partitions are paused.
 *
 * Offsets are committed by name, from `partition.done_to`. librdkafka's own stored offsets will not do: after an offset
 * out of range it commits none that is lower than the group's.
 *
 * The watch of kafka_health.h looks whether the consumer gets on. One that does not is opened anew by its thread: the
 * client is replaced, and all partitions count as revoked. The thread alone replaces `kafka`; the watch borrows it.
 *
 * librdkafka 2.0.2 aborts the process when it destroys a client that has an answer to JoinGroup and never got an
 * assignment (rd_kafka_sticky_assignor_state_destroy). Such a client is closed and buried, not destroyed.
 *
 * To destroy a client waits for its close. It may also wait for ever for a broker's thread, as seen after a topic was deleted
 * and made anew. So a thread of its own destroys it, for which nobody waits long.
 */
#include "client/base/clock.h"
#include "server/store/kafka/cloud_event.h"
#include "server/store/kafka/kafka.h"
#include "server/store/kafka/kafka_client.h"
#include "server/store/kafka/kafka_health.h"
#include "server/store/kafka/kafka_lag.h"
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
#define LEAVE_MS           3000
#define DESTROY_MS         2000
#define DESTROY_POLL_MS    5
#define TRACKED_MOST       10000
#define PLACES_MOST        64
#define GRAVES             16
#define LOOKS_A_STALL      4 /* looks in the time that a stall may last */
#define AFRESH_US          (60 * SECOND_US)
#define SECOND_US          UINT64_C(1000000)

struct partition {
    struct partition *next; /* in the consumer's list, while assigned */
    int32_t number;
    unsigned users; /* the list and each record */
    bool revoked;
    struct offset_tracker tracker;
    int64_t came_to;   /* offset after the last record that came; -1: none */
    int64_t done_to;   /* all before it are done: to be committed; -1: none */
    int64_t committed; /* acknowledged by the group; -1: none */
};

/* A record, its message and its partition. */
struct box {
    struct kafka_record record; /* first: a pointer to it is a pointer to the box */
    struct box *next;
    rd_kafka_message_t *message;
    struct partition *partition;
    bool aside;
};

struct box_queue {
    struct box *head, **tail;
};

/* What becomes of a client that was closed. */
enum fate { FATE_DESTROYED, FATE_DESTROYED_LATER, FATE_BURIED };

struct kafka_consumer {
    struct loop_work doorbell;             /* first: found from its address */
    struct kafka_consumer_options options; /* strings are owned */
    struct kafka_health *health;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    rd_kafka_t *kafka;       /* NULL while it is replaced */
    rd_kafka_topic_t *topic; /* makes the topic known to librdkafka: the health watch asks for it */
    bool borrowed;           /* the client, by the watch */
    struct partition *partitions;
    struct box_queue ready; /* for the loop */
    unsigned users;
    unsigned in_flight; /* in `ready` or handed out, and not set aside */
    unsigned aside;
    bool rung, stopping, quit;
    bool uncommitted; /* a partition may have offsets that are not committed */
    bool member;      /* has its place in the group */
    bool anew;        /* the client has to be replaced */
    bool topic_gone;  /* while partitions were assigned */
    bool topic_anew;  /* and nothing that is known of offsets holds */
    uint64_t moves;   /* see kafka_progress_see() */
    uint64_t rebalances;
    uint64_t reopened;
    int64_t lag; /* as last seen; -1: not known */

    /* used by the thread alone */
    struct box_queue held;
    bool paused;
    bool was_assigned;        /* the client has had an assignment */
    uint64_t afresh_until_us; /* until then partitions are read from their beginnings, whatever the group says */
    enum fate fate;           /* of the client, once it is closed */
    uint64_t commit_at_us;

    /* used by the watch alone */
    struct kafka_progress progress;
    uint64_t look_at_us;
};

/* --- Clients that cannot be destroyed --- */

static struct {
    pthread_mutex_t lock;
    rd_kafka_t *clients[GRAVES]; /* closed; their few threads idle on */
    size_t count;
} graveyard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool has_grave(void) {
    pthread_mutex_lock(&graveyard.lock);
    bool has = graveyard.count < GRAVES;
    pthread_mutex_unlock(&graveyard.lock);
    return has;
}

static void bury_client(rd_kafka_t *kafka) {
    pthread_mutex_lock(&graveyard.lock);
    if (graveyard.count < GRAVES) {
        graveyard.clients[graveyard.count++] = kafka;
    }
    pthread_mutex_unlock(&graveyard.lock);
}

static void *destroy_client(void *kafka) {
    rd_kafka_destroy_flags(kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

/* Returns false when the thread has not ended within DESTROY_MS. */
static bool join_in_time(pthread_t thread) {
    const struct timespec pause = {.tv_nsec = DESTROY_POLL_MS * 1000000L};
    uint64_t until_us = clock_now_us() + DESTROY_MS * UINT64_C(1000);
    bool ended;
    while (!(ended = pthread_tryjoin_np(thread, NULL) == 0) && clock_now_us() < until_us) {
        (void)nanosleep(&pause, NULL);
    }
    return ended;
}

static void dispose(rd_kafka_t *kafka, enum fate fate) {
    pthread_t thread;
    if (fate == FATE_BURIED || pthread_create(&thread, NULL, destroy_client, kafka) != 0) {
        bury_client(kafka);
    } else if (fate == FATE_DESTROYED_LATER || !join_in_time(thread)) {
        pthread_detach(thread);
    }
}

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
    partition->came_to = partition->done_to = partition->committed = -1;
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
        dispose(consumer->kafka, consumer->fate);
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

static void give_back(struct kafka_consumer *consumer, struct kafka_record *record, bool done) {
    struct box *box = (struct box *)record;
    struct partition *partition = box->partition;
    int64_t next = 0;
    pthread_mutex_lock(&consumer->lock);
    if (done && !partition->revoked && offset_tracker_done(&partition->tracker, record->offset, &next)) {
        partition->done_to = next;
        consumer->uncommitted = true;
    }
    if (box->aside) {
        consumer->aside--;
    } else {
        consumer->in_flight--;
    }
    box_free(box);
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
}

void kafka_record_done(struct kafka_consumer *consumer, struct kafka_record *record) {
    give_back(consumer, record, true);
}

void kafka_record_abandon(struct kafka_consumer *consumer, struct kafka_record *record) {
    give_back(consumer, record, false);
}

void kafka_record_set_aside(struct kafka_consumer *consumer, struct kafka_record *record) {
    struct box *box = (struct box *)record;
    pthread_mutex_lock(&consumer->lock);
    assert(!box->aside);
    box->aside = true;
    consumer->in_flight--;
    consumer->aside++;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
}

bool kafka_record_is_revoked(struct kafka_consumer *consumer, const struct kafka_record *record) {
    const struct box *box = (const struct box *)record;
    pthread_mutex_lock(&consumer->lock);
    bool revoked = box->partition->revoked;
    pthread_mutex_unlock(&consumer->lock);
    return revoked;
}

void kafka_consumer_look(struct kafka_consumer *consumer, struct kafka_consumer_view *ret_view) {
    pthread_mutex_lock(&consumer->lock);
    *ret_view = (struct kafka_consumer_view){.member = consumer->member,
                                             .in_flight = consumer->in_flight,
                                             .aside = consumer->aside,
                                             .lag = consumer->lag,
                                             .reopened = consumer->reopened};
    for (const struct partition *partition = consumer->partitions; partition; partition = partition->next) {
        ret_view->partitions++;
    }
    pthread_mutex_unlock(&consumer->lock);
}

/* --- The thread's side --- */

static void retry_later(struct kafka_consumer *consumer) {
    const struct timespec until = herald_timespec_in_ms(RETRY_MS);
    (void)pthread_cond_timedwait(&consumer->changed, &consumer->lock, &until);
}

static void add_assigned(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list) {
    pthread_mutex_lock(&consumer->lock);
    consumer->moves++;
    for (int i = 0; i < list->cnt; i++) {
        while (!partition_add(consumer, list->elems[i].partition)) {
            retry_later(consumer);
        }
    }
    pthread_mutex_unlock(&consumer->lock);
}

/* After a topic was made anew, members have committed offsets of the old one into it. */
static void begin_afresh(const struct kafka_consumer *consumer, rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt && clock_now_us() < consumer->afresh_until_us; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    }
}

/* Under the lock. Adds what is done in a partition and not committed. */
static void add_offset(const struct kafka_consumer *consumer, const struct partition *partition,
                       rd_kafka_topic_partition_list_t *offsets) {
    if (partition && partition->done_to >= 0 && partition->done_to != partition->committed) {
        rd_kafka_topic_partition_list_add(offsets, consumer->options.topic, partition->number)->offset =
            partition->done_to;
    }
}

/* Forgets partitions. Returns the offsets that are to be committed before. */
static rd_kafka_topic_partition_list_t *remove_revoked(struct kafka_consumer *consumer,
                                                       const rd_kafka_topic_partition_list_t *list) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(list->cnt);
    pthread_mutex_lock(&consumer->lock);
    consumer->moves++;
    for (int i = 0; i < list->cnt; i++) {
        add_offset(consumer, partition_find(consumer, list->elems[i].partition), offsets);
        partition_remove(consumer, list->elems[i].partition);
    }
    pthread_mutex_unlock(&consumer->lock);
    return offsets;
}

/* The offsets of all partitions that are to be committed. */
static rd_kafka_topic_partition_list_t *offsets_due(struct kafka_consumer *consumer) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    pthread_mutex_lock(&consumer->lock);
    consumer->uncommitted = false;
    for (const struct partition *partition = consumer->partitions; partition; partition = partition->next) {
        add_offset(consumer, partition, offsets);
    }
    pthread_mutex_unlock(&consumer->lock);
    return offsets;
}

/* Commits offsets before another member starts from them; waits at most LAST_COMMIT_MS. */
static void commit_and_wait(rd_kafka_t *kafka, const rd_kafka_topic_partition_list_t *offsets) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    if (offsets->cnt > 0 && rd_kafka_commit_queue(kafka, offsets, queue, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LAST_COMMIT_MS);
        if (event) {
            rd_kafka_event_destroy(event);
        }
    }
    rd_kafka_queue_destroy(queue);
}

static void pause_list(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list, bool paused) {
    if (paused) {
        rd_kafka_pause_partitions(kafka, list);
    } else {
        rd_kafka_resume_partitions(kafka, list);
    }
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list,
                         void *opaque) {
    struct kafka_consumer *consumer = opaque;
    rd_kafka_error_t *error;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        consumer->was_assigned = true;
        begin_afresh(consumer, list);
        add_assigned(consumer, list);
        error = rd_kafka_incremental_assign(kafka, list);
        pause_list(kafka, list, consumer->paused); /* also lifts the pause of an earlier assignment */
    } else {
        rd_kafka_topic_partition_list_t *offsets = remove_revoked(consumer, list);
        if (!rd_kafka_assignment_lost(kafka)) {
            commit_and_wait(kafka, offsets);
        }
        rd_kafka_topic_partition_list_destroy(offsets);
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
    pthread_mutex_lock(&consumer->lock);
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *offset = &offsets->elems[i];
        struct partition *partition = partition_find(consumer, offset->partition);
        if (err || offset->err) {
            consumer->uncommitted = true;
        } else if (partition) {
            partition->committed = offset->offset;
        }
    }
    pthread_mutex_unlock(&consumer->lock);
}

/* The number behind a name; 0: there is none. */
static uint64_t statistic(const char *json, const char *name) {
    const char *at = json ? strstr(json, name) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Once a second. The client's place in its group is in no other call of librdkafka. */
static int on_statistics(rd_kafka_t *kafka, char *json, size_t bytes, void *opaque) {
    struct kafka_consumer *consumer = opaque;
    (void)kafka;
    (void)bytes;
    const char *group = strstr(json, "\"cgrp\"");
    bool member = group && strstr(group, "\"state\": \"up\"") && strstr(group, "\"join_state\": \"steady\"");
    uint64_t rebalances = statistic(group, "\"rebalance_cnt\": ");
    pthread_mutex_lock(&consumer->lock);
    consumer->moves += rebalances != consumer->rebalances;
    consumer->rebalances = rebalances;
    consumer->member = member;
    pthread_mutex_unlock(&consumer->lock);
    return 0;
}

static void on_error(rd_kafka_t *kafka, int err, const char *text, void *opaque) {
    struct kafka_consumer *consumer = opaque;
    (void)kafka;
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        pthread_mutex_lock(&consumer->lock);
        consumer->anew = true;
        pthread_mutex_unlock(&consumer->lock);
    }
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
    pthread_mutex_unlock(&consumer->lock);
    if (due) {
        rd_kafka_topic_partition_list_t *offsets = offsets_due(consumer);
        if (offsets->cnt > 0) {
            (void)rd_kafka_commit(consumer->kafka, offsets, 1);
        }
        rd_kafka_topic_partition_list_destroy(offsets);
    }
}

static void pause_all(struct kafka_consumer *consumer, bool paused) {
    rd_kafka_topic_partition_list_t *list = NULL;
    consumer->paused = paused;
    if (rd_kafka_assignment(consumer->kafka, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    pause_list(consumer->kafka, list, paused);
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
    consumer->moves += full;
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
    partition->came_to = box->message->offset + 1;
    consumer->moves++;
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

/* Under the lock. */
static void note_topic_gone(struct kafka_consumer *consumer) {
    consumer->topic_gone = consumer->topic_gone || consumer->partitions;
}

static void note_poll_error(struct kafka_consumer *consumer, const rd_kafka_message_t *message) {
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        pthread_mutex_lock(&consumer->lock);
        note_topic_gone(consumer);
        pthread_mutex_unlock(&consumer->lock);
    }
    kafka_health_hint(consumer->health, rd_kafka_message_errstr(message));
}

static void poll_once(struct kafka_consumer *consumer) {
    bool room = make_record_room(consumer);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, room ? POLL_MS : 0);
    if (message && !message->err) {
        take_message(consumer, message);
    } else if (message) {
        note_poll_error(consumer, message);
        rd_kafka_message_destroy(message);
    }
    commit_if_due(consumer);
}

/* --- The client, made and replaced --- */

static enum herald_code make_client(struct kafka_consumer *consumer, rd_kafka_t **ret_kafka,
                                    struct herald_error *reterr) {
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
        {"statistics.interval.ms", "1000"},
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
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!kafka) {
        rd_kafka_conf_destroy(conf);
        return herald_error_set(reterr, HERALD_REASON_KAFKA_CLIENT, "cannot make a Kafka consumer: %s", text);
    }
    rd_kafka_poll_set_consumer(kafka);
    *ret_kafka = kafka;
    return HERALD_OK;
}

static enum herald_code subscribe(const struct kafka_consumer *consumer, rd_kafka_t *kafka,
                                  struct herald_error *reterr) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->options.topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err) {
        return herald_error_set(reterr, HERALD_REASON_KAFKA_TOPIC, "cannot subscribe to topic '%s': %s",
                                consumer->options.topic, rd_kafka_err2str(err));
    }
    return HERALD_OK;
}

/* Makes the client, which joins the group. */
static enum herald_code open_group_client(struct kafka_consumer *consumer, struct herald_error *reterr) {
    rd_kafka_t *kafka = NULL;
    enum herald_code code = make_client(consumer, &kafka, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = subscribe(consumer, kafka, reterr);
    if (code != HERALD_OK) {
        rd_kafka_destroy(kafka);
        return code;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, consumer->options.topic, NULL);
    pthread_mutex_lock(&consumer->lock);
    consumer->kafka = kafka;
    consumer->topic = topic;
    pthread_mutex_unlock(&consumer->lock);
    consumer->was_assigned = false;
    return HERALD_OK;
}

/* Serves the client that closes: the group has to hear that the partitions are given back. */
static void serve_closing(struct kafka_consumer *consumer, rd_kafka_t *kafka, rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, POLL_MS);
    if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
        on_rebalance(kafka, rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event), consumer);
    }
    if (event) {
        rd_kafka_event_destroy(event);
    }
}

/* Leaves the group, if its coordinator answers within LEAVE_MS. Afterwards the client's fate is known. */
static void leave_group(struct kafka_consumer *consumer, rd_kafka_t *kafka, bool buried) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(kafka, queue);
    uint64_t until_us = clock_now_us() + LEAVE_MS * UINT64_C(1000);
    while (!error && !rd_kafka_consumer_closed(kafka) && clock_now_us() < until_us) {
        serve_closing(consumer, kafka, queue);
    }
    bool late = !error && !rd_kafka_consumer_closed(kafka);
    consumer->fate = buried ? FATE_BURIED : late ? FATE_DESTROYED_LATER : FATE_DESTROYED;
    if (error) {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_queue_destroy(queue);
}

/* Whether the client, which is still open, must not be destroyed later. */
static bool must_be_buried(const struct kafka_consumer *consumer) {
    char *member = consumer->was_assigned ? NULL : rd_kafka_memberid(consumer->kafka);
    bool joins = member && *member;
    rd_kafka_mem_free(consumer->kafka, member);
    return joins;
}

static void subscribe_again(const struct kafka_consumer *consumer) {
    rd_kafka_unsubscribe(consumer->kafka);
    (void)subscribe(consumer, consumer->kafka, NULL);
}

/* Takes the client away from the watch. All partitions count as revoked: their records come again. */
static rd_kafka_t *take_client(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    while (consumer->borrowed) {
        pthread_cond_wait(&consumer->changed, &consumer->lock);
    }
    rd_kafka_t *kafka = consumer->kafka;
    rd_kafka_topic_destroy(consumer->topic);
    consumer->kafka = NULL;
    consumer->topic = NULL;
    while (consumer->partitions) {
        partition_remove(consumer, consumer->partitions->number);
    }
    drop_all(&consumer->held);
    consumer->member = false;
    consumer->anew = false;
    consumer->afresh_until_us = consumer->topic_anew ? clock_now_us() + AFRESH_US : 0;
    consumer->topic_anew = false;
    consumer->lag = -1;
    consumer->reopened++;
    pthread_mutex_unlock(&consumer->lock);
    consumer->paused = false;
    return kafka;
}

static bool is_topic_anew(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    bool anew = consumer->topic_anew;
    pthread_mutex_unlock(&consumer->lock);
    return anew;
}

static void open_anew(struct kafka_consumer *consumer) {
    bool buried = must_be_buried(consumer);
    if (buried && !has_grave()) {
        subscribe_again(consumer);
        return;
    }
    if (!is_topic_anew(consumer)) { /* else they are offsets of another topic */
        rd_kafka_topic_partition_list_t *offsets = offsets_due(consumer);
        commit_and_wait(consumer->kafka, offsets);
        rd_kafka_topic_partition_list_destroy(offsets);
    }
    rd_kafka_t *kafka = take_client(consumer);
    leave_group(consumer, kafka, buried);
    dispose(kafka, consumer->fate);
    pthread_mutex_lock(&consumer->lock);
    while (!consumer->quit) {
        pthread_mutex_unlock(&consumer->lock);
        bool opened = open_group_client(consumer, NULL) == HERALD_OK; /* fails without memory or threads */
        pthread_mutex_lock(&consumer->lock);
        if (opened) {
            break;
        }
        retry_later(consumer);
    }
    pthread_mutex_unlock(&consumer->lock);
}

static bool takes_order(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    bool anew = consumer->anew && !consumer->stopping;
    consumer->anew = false;
    pthread_mutex_unlock(&consumer->lock);
    return anew;
}

static void *poll_records(void *arg) {
    struct kafka_consumer *consumer = arg;
    while (!has_quit(consumer)) {
        if (takes_order(consumer)) {
            open_anew(consumer);
        } else {
            poll_once(consumer);
        }
    }
    pthread_mutex_lock(&consumer->lock);
    drop_all(&consumer->held);
    pthread_mutex_unlock(&consumer->lock);
    /* Leaving the group revokes all partitions, and on_rebalance() commits the offsets of done records. */
    if (consumer->kafka) {
        leave_group(consumer, consumer->kafka, must_be_buried(consumer));
    }
    return NULL;
}

/* --- The watch --- */

static rd_kafka_t *borrow_consumer_client(void *owner) {
    struct kafka_consumer *consumer = owner;
    pthread_mutex_lock(&consumer->lock);
    rd_kafka_t *kafka = consumer->kafka;
    consumer->borrowed = kafka != NULL;
    pthread_mutex_unlock(&consumer->lock);
    return kafka;
}

static void give_consumer_client_back(void *owner, rd_kafka_t *kafka) {
    struct kafka_consumer *consumer = owner;
    (void)kafka;
    pthread_mutex_lock(&consumer->lock);
    consumer->borrowed = false;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
}

/* The partitions of this member. Returns whether it has its place in the group. */
static bool take_places(struct kafka_consumer *consumer, struct kafka_place *places, size_t *ret_count,
                        uint64_t *ret_moves) {
    size_t count = 0;
    pthread_mutex_lock(&consumer->lock);
    for (const struct partition *at = consumer->partitions; at && count < PLACES_MOST; at = at->next) {
        places[count++] = (struct kafka_place){at->number, at->came_to, at->committed};
    }
    bool member = consumer->member;
    *ret_moves = consumer->moves;
    pthread_mutex_unlock(&consumer->lock);
    *ret_count = count;
    return member;
}

static void set_lag(struct kafka_consumer *consumer, int64_t lag) {
    pthread_mutex_lock(&consumer->lock);
    consumer->lag = lag;
    pthread_mutex_unlock(&consumer->lock);
}

static enum kafka_sight see(struct kafka_consumer *consumer, rd_kafka_t *kafka, uint64_t *ret_moves) {
    struct kafka_place places[PLACES_MOST];
    size_t count = 0;
    int64_t lag = -1;
    if (!take_places(consumer, places, &count, ret_moves)) {
        set_lag(consumer, -1);
        return KAFKA_SIGHT_OUTSIDE;
    }
    enum kafka_sight sight = kafka_lag_look(kafka, consumer->options.topic, places, count, &lag);
    set_lag(consumer, lag);
    return sight;
}

static void order_anew(struct kafka_consumer *consumer, bool topic_anew) {
    pthread_mutex_lock(&consumer->lock);
    consumer->anew = true;
    consumer->topic_anew = topic_anew;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->lock);
}

static enum herald_code stalled(const struct kafka_consumer *consumer, enum kafka_sight sight,
                                struct herald_error *reterr) {
    static const char *const WHAT[] = {
        [KAFKA_SIGHT_FINE] = "gets on again",
        [KAFKA_SIGHT_OUTSIDE] = "has no place in the group",
        [KAFKA_SIGHT_BEHIND] = "takes no records, though there are some",
        [KAFKA_SIGHT_DARK] = "gets no answer about its partitions",
        [KAFKA_SIGHT_ANEW] = "knows offsets of a topic that was made anew",
    };
    return herald_error_set(reterr, HERALD_REASON_KAFKA_STALLED,
                            "Kafka at %s serves, but the consumer of topic '%s' in group '%s' %s; it is opened anew",
                            consumer->options.bootstrap, consumer->options.topic, consumer->options.group, WHAT[sight]);
}

/* Whether the topic was away, and the offsets that are known are those of another one. */
static bool topic_is_back(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    bool back = consumer->topic_gone;
    consumer->topic_gone = false;
    pthread_mutex_unlock(&consumer->lock);
    return back;
}

/* After a question that Kafka has answered well. */
static enum herald_code look_at_progress(struct kafka_consumer *consumer, rd_kafka_t *kafka,
                                         struct herald_error *reterr) {
    uint64_t now_us = clock_now_us(), moves = 0;
    if (topic_is_back(consumer)) {
        order_anew(consumer, true);
        return HERALD_OK;
    }
    if (now_us < consumer->look_at_us) {
        return consumer->progress.stalled ? stalled(consumer, KAFKA_SIGHT_BEHIND, reterr) : HERALD_OK;
    }
    uint64_t pause_us = consumer->options.stall_ms * UINT64_C(1000) / LOOKS_A_STALL;
    consumer->look_at_us = now_us + (pause_us > SECOND_US ? pause_us : SECOND_US);
    enum kafka_sight sight = see(consumer, kafka, &moves);
    if (kafka_progress_see(&consumer->progress, now_us, consumer->options.stall_ms, moves, sight)) {
        order_anew(consumer, sight == KAFKA_SIGHT_ANEW);
    }
    return consumer->progress.stalled ? stalled(consumer, sight, reterr) : HERALD_OK;
}

static enum herald_code look_at_consumer(void *owner, rd_kafka_t *kafka, const struct herald_error *answer,
                                         struct herald_error *reterr) {
    struct kafka_consumer *consumer = owner;
    if (!answer) {
        return consumer->options.stall_ms > 0 ? look_at_progress(consumer, kafka, reterr) : HERALD_OK;
    }
    kafka_progress_pardon(&consumer->progress);
    if (herald_error_is(answer, HERALD_REASON_KAFKA_TOPIC_UNAVAILABLE)) {
        pthread_mutex_lock(&consumer->lock);
        note_topic_gone(consumer);
        pthread_mutex_unlock(&consumer->lock);
    }
    return HERALD_OK;
}

/* --- Life --- */

static enum herald_code start_consumer_threads(struct kafka_consumer *consumer, struct herald_error *reterr) {
    consumer->health = kafka_health_start(&(struct kafka_health_options){
        .borrow = borrow_consumer_client,
        .give_back = give_consumer_client_back,
        .look = look_at_consumer,
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
    consumer->lag = -1;
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
    enum herald_code code = open_group_client(consumer, reterr);
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
    assert(consumer->in_flight + consumer->aside == 0 || loop_current() != consumer->options.loop);
    while (consumer->in_flight + consumer->aside > 0) {
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
