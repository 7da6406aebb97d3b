/*
 * The content worker: a Kafka consumer and its tasks, the "hands".
 *
 * The hands are made at the start, so taking a record cannot fail for want of memory. A record waits in the ring until
 * a hand is free; the consumer hands out no more records than the ring holds.
 *
 * A record leaves a hand in one of two ways: done (the job has ended, or the dead letter was acknowledged) or
 * abandoned, only when the worker stops.
 */
#include "server/content/worker.h"

#include "herald/job/v1/image_job.schema.h"
#include "herald/uuid.h"
#include "server/content/backoff.h"
#include "server/content/content_log.h"
#include "server/content/content_settings.h"
#include "server/content/image_job.h"
#include "server/content/make_pictures.h"
#include "server/runtime/call.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>
#include <string.h>

struct hand {
    struct worker *worker;
    struct call call;
    struct completion *idle; /* the hand waits here for a record; NULL while it works */
};

struct worker {
    struct worker_options options;
    struct make_pictures_options pictures;
    struct loop *loop;
    struct kafka_consumer *consumer;
    bool stopping;
    unsigned hand_count;
    struct hand *hands;
    struct kafka_record **ring; /* hand_count entries */
    unsigned ring_first, ring_count;
};

/* --- records ----------------------------------------------------------------------------------------------------- */

static void on_record(void *user, struct kafka_record *record) {
    struct worker *worker = user;
    worker->ring[(worker->ring_first + worker->ring_count++) % worker->hand_count] = record;
    for (unsigned i = 0; i < worker->hand_count; i++) {
        if (worker->hands[i].idle != NULL) {
            completion_complete(worker->hands[i].idle);
            worker->hands[i].idle = NULL;
            return;
        }
    }
}

static struct kafka_record *take_record(struct worker *worker) {
    if (worker->ring_count == 0) {
        return NULL;
    }
    struct kafka_record *record = worker->ring[worker->ring_first];
    worker->ring_first = (worker->ring_first + 1) % worker->hand_count;
    worker->ring_count--;
    return record;
}

static void on_kafka_health(void *user, const struct herald_error *error) {
    (void)user;
    if (error == NULL) {
        log_emit(&LOG_CONTENT_KAFKA, LOG_END);
    } else {
        log_emit(&LOG_CONTENT_KAFKA_AWAY, log_error(error), LOG_END);
    }
}

/* --- dead letters ------------------------------------------------------------------------------------------------ */

/* Makes the dead letter: the record unchanged, and the reason. */
static enum herald_code dead_letter_of(const struct worker *worker, const struct kafka_record *record,
                                       const struct herald_error *why, struct cloud_event *ret_event) {
    struct arena *arena = call_arena();
    char id[37];
    herald_uuid7(id);
    *ret_event = (struct cloud_event){
        .topic = kafka_settings(worker->options.settings)->kafka_dead_letter_topic,
        .key = record->key != NULL ? arena_strndup(arena, record->key, record->key_bytes) : "",
        .id = arena_strdup(arena, record->ce_id[0] != '\0' ? record->ce_id : id),
        .type = record->ce_type[0] != '\0' ? record->ce_type : herald_job_v1_image_job_schema.full_name,
        .source = "/herald/content",
        .content_type = record->content_type[0] != '\0' ? record->content_type : "application/json",
        .time_us = clock_wall_us(),
        .value = record->value,
        .value_bytes = record->value_bytes,
        .reason = arena_printf(arena, "%s: %s (partition %d, offset %lld)", why->reason, why->message,
                               (int)record->partition, (long long)record->offset),
    };
    return ret_event->key != NULL && ret_event->id != NULL && ret_event->reason != NULL ? HERALD_OK
                                                                                        : HERALD_RESOURCE_EXHAUSTED;
}

/* Sends a dead letter until it is acknowledged. Returns: HERALD_OK: the record is done | why the call has to end. */
TASK_FN static enum herald_code dead_letter(struct worker *worker, const struct kafka_record *record,
                                            const struct herald_error *why) {
    struct cloud_event event;
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    arena_fini(call_arena()); /* the job in the arena is given up and may have filled it */
    arena_init(call_arena(), 0);
    enum herald_code code = dead_letter_of(worker, record, why, &event);
    if (code != HERALD_OK) {
        return code;
    }
    for (;;) {
        code = kafka_produce(worker->options.dead_letters, &event, 0, &error);
        if (code == HERALD_OK || code == HERALD_INVALID_ARGUMENT) {
            log_emit(&LOG_CONTENT_DEAD_LETTER, log_str("key", event.key), log_str("reason", event.reason),
                     log_str("topic", code == HERALD_OK ? event.topic : "none: too big for the broker"), LOG_END);
            return HERALD_OK;
        }
        enum herald_code end = call_check(NULL);
        if (end != HERALD_OK) {
            return end;
        }
        log_emit(&LOG_CONTENT_DEAD_LETTER_LATE, log_str("key", event.key), log_error(&error), LOG_END);
        code = backoff_wait(&backoff, NULL);
        if (code != HERALD_OK) {
            return code;
        }
    }
}

/* --- hands ------------------------------------------------------------------------------------------------------- */

/* Gives each record an empty arena and a new call id. */
static void renew_call(struct call *call) {
    arena_fini(&call->arena);
    arena_init(&call->arena, 0);
    herald_uuid7(call->id);
}

/* Works on one record. Returns: HERALD_OK: it is done | why it is not. */
TASK_FN static enum herald_code work_on(struct worker *worker, const struct kafka_record *record) {
    const Herald__Job__V1__ImageJob *job = NULL;
    struct herald_error error;
    enum herald_code code = image_job_read(record, &job, &error);
    if (code != HERALD_OK) {
        return dead_letter(worker, record, &error);
    }
    log_emit(&LOG_CONTENT_TAKEN, log_str("job_id", job->job_id), LOG_END);
    code = make_pictures(&worker->pictures, job, &error);
    return code == HERALD_ABORTED ? dead_letter(worker, record, &error) : code;
}

TASK_FN static struct kafka_record *next_record(struct hand *hand) {
    struct worker *worker = hand->worker;
    struct completion arrival;
    while (!worker->stopping) {
        struct kafka_record *record = take_record(worker);
        if (record != NULL) {
            return record;
        }
        completion_init(&arrival);
        arrival.what = "a record of image-job-topic";
        hand->idle = &arrival;
        enum herald_code code = completion_wait(&arrival, NULL);
        hand->idle = NULL;
        if (code != HERALD_OK) {
            return NULL;
        }
    }
    return NULL;
}

static void hand_body(void *arg) {
    struct hand *hand = arg;
    struct worker *worker = hand->worker;
    struct kafka_record *record;
    while ((record = next_record(hand)) != NULL) {
        renew_call(&hand->call);
        if (work_on(worker, record) == HERALD_OK) {
            kafka_record_done(worker->consumer, record);
        } else {
            log_emit(&LOG_CONTENT_ABANDONED, log_str("topic", record->topic), log_i64("offset", record->offset),
                     LOG_END);
            kafka_record_abandon(worker->consumer, record);
        }
    }
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static enum herald_code start_hands(struct worker *worker, struct herald_error *reterr) {
    for (unsigned i = 0; i < worker->hand_count; i++) {
        struct hand *hand = &worker->hands[i];
        hand->worker = worker;
        call_init(&hand->call, "content/ImageJob", NULL, 0, 0);
        enum herald_code code = task_spawn(worker->loop, &hand->call, "content worker", hand_body, hand, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    return HERALD_OK;
}

static enum herald_code start_consumer(struct worker *worker, struct herald_error *reterr) {
    const struct kafka_settings *settings = kafka_settings(worker->options.settings);
    struct kafka_consumer_options options = {
        .bootstrap = settings->kafka_bootstrap,
        .client_id = "herald-content",
        .group = settings->kafka_group,
        .topic = settings->kafka_image_job_topic,
        .max_in_flight = worker->hand_count,
        .loop = worker->loop,
        .on_record = on_record,
        .on_health = on_kafka_health,
        .user = worker,
    };
    return kafka_consumer_open(&options, &worker->consumer, reterr);
}

static struct worker *worker_new(const struct worker_options *options, struct loop *loop) {
    const struct content_settings *settings = content_settings(options->settings);
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return NULL;
    }
    worker->options = *options;
    worker->loop = loop;
    worker->hand_count = settings->content_workers;
    worker->pictures = (struct make_pictures_options){.jobs = options->jobs,
                                                      .dir = settings->content_dir,
                                                      .url = options->content_url,
                                                      .attempts = settings->content_attempts};
    worker->hands = calloc(worker->hand_count, sizeof(*worker->hands));
    worker->ring = calloc(worker->hand_count, sizeof(*worker->ring));
    if (worker->hands == NULL || worker->ring == NULL) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

/* See worker.h: after a failure the worker, if there is one, has running tasks. */
enum herald_code worker_start(const struct worker_options *options, struct loop *loop, struct worker **ret_worker,
                              struct herald_error *reterr) {
    struct worker *worker = worker_new(options, loop);
    if (worker == NULL) {
        return herald_error_no_memory(reterr, "the content worker");
    }
    *ret_worker = worker;
    enum herald_code code = start_consumer(worker, reterr);
    if (code == HERALD_OK) {
        code = start_hands(worker, reterr);
    }
    return code;
}

void worker_stop(struct worker *worker) {
    struct kafka_record *record;
    worker->stopping = true;
    if (worker->consumer != NULL) {
        kafka_consumer_stop(worker->consumer);
    }
    while ((record = take_record(worker)) != NULL) {
        kafka_record_abandon(worker->consumer, record);
    }
    for (unsigned i = 0; i < worker->hand_count; i++) {
        if (worker->hands[i].worker != NULL) {
            task_cancel_call(worker->loop, &worker->hands[i].call, HERALD_CANCELLED);
        }
    }
}

void worker_free(struct worker *worker) {
    if (worker == NULL) {
        return;
    }
    kafka_consumer_close(worker->consumer);
    for (unsigned i = 0; worker->hands != NULL && i < worker->hand_count; i++) {
        if (worker->hands[i].worker != NULL) {
            call_fini(&worker->hands[i].call);
        }
    }
    free(worker->hands);
    free(worker->ring);
    free(worker);
}
