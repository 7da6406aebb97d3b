/*
 * The content worker: a Kafka consumer and its tasks, the "hands".
 *
 * The hands are made at the start, so taking a record cannot fail for want of memory. A record waits in the ring until
 * a hand is free; the consumer hands out no more records than the ring holds.
 *
 * A record leaves a hand in one of three ways: done (the job has ended), set aside (it goes to the dead-letter topic,
 * server/content/dead_letters.h), or abandoned, only when the worker stops.
 */
#include "server/content/worker.h"

#include "herald/uuid.h"
#include "server/content/content_log.h"
#include "server/content/content_settings.h"
#include "server/content/dead_letters.h"
#include "server/content/image_job.h"
#include "server/content/make_pictures.h"
#include "server/runtime/call.h"
#include "server/runtime/task.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>
#include <string.h>

#define GIVE_BACK_MS 1000
#define READ_TRIES                                                                                                     \
    3 /* without memory a record is read again; one that is too large for any would hold a hand for ever */
#define READ_PAUSE_MS 1000

struct hand {
    struct worker *worker;
    struct call call;
    struct completion *idle; /* the hand waits here for a record; NULL while it works */
    const char *job_id;      /* on which it works, of its call's arena; NULL: on none */
    bool steps_back;         /* it has a job, and does nothing for it yet: it waits to be alone */
    struct completion *turn; /* it waits here for another hand to end its work, or to step back; NULL: it does not */
    struct make_pictures_options pictures;
};

struct worker {
    struct worker_options options;
    struct loop *loop;
    struct kafka_consumer *consumer;
    struct dead_letters *letters;
    bool stopping;
    unsigned hand_count;
    struct hand *hands;
    struct hand *lone;          /* works alone, or will as soon as the others have ended their work; NULL: none */
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
    const struct worker *worker = user;
    if (error == NULL) {
        log_emit(&LOG_CONTENT_KAFKA, LOG_END);
    } else if (herald_error_is(error, HERALD_REASON_KAFKA_STALLED)) {
        log_emit(&LOG_CONTENT_STALLED, log_error(error), LOG_END);
    } else {
        log_emit(&LOG_CONTENT_KAFKA_AWAY, log_error(error), LOG_END);
    }
    content_health_report(worker->options.health, CONTENT_KAFKA, error);
}

/* --- hands ------------------------------------------------------------------------------------------------------- */

/* Gives each record an empty arena and a new call id. */
static void renew_call(struct call *call) {
    arena_fini(&call->arena);
    arena_init(&call->arena, 0);
    herald_uuid7(call->id);
}

/* How the work on a record has ended. */
enum end { END_DONE, END_ASIDE, END_ABANDONED };

TASK_FN static enum end set_aside(struct worker *worker, struct kafka_record *record, const struct herald_error *why) {
    return dead_letters_put(worker->letters, worker->consumer, record, why, NULL) == HERALD_OK ? END_ASIDE
                                                                                               : END_ABANDONED;
}

/* The call was ended by worker_stop(). For a moment it goes on, to say that the attempt is not to be counted. */
TASK_FN static void give_attempt_back(struct hand *hand, const struct open_attempt *open) {
    enum herald_code end_code = hand->call.end_code;
    hand->call.end_code = HERALD_OK;
    hand->call.deadline_us = clock_now_us() + GIVE_BACK_MS * UINT64_C(1000);
    make_pictures_give_back(&hand->pictures, open);
    hand->call.end_code = end_code;
}

TASK_FN static enum herald_code read_image_job(struct hand *hand, const struct kafka_record *record,
                                               const Herald__Job__V1__ImageJob **ret_job, struct herald_error *reterr) {
    enum herald_code code = image_job_read(record, ret_job, reterr);
    for (unsigned tries = 1; code == HERALD_RESOURCE_EXHAUSTED && tries < READ_TRIES; tries++) {
        if (task_sleep(READ_PAUSE_MS, NULL) != HERALD_OK) {
            return HERALD_CANCELLED;
        }
        renew_call(&hand->call);
        code = image_job_read(record, ret_job, reterr);
    }
    return code;
}

static bool is_in_work(const struct worker *worker, const char *job_id) {
    for (unsigned i = 0; i < worker->hand_count; i++) {
        if (worker->hands[i].job_id && strcmp(worker->hands[i].job_id, job_id) == 0) {
            return true;
        }
    }
    return false;
}

TASK_FN static enum herald_code wait_for_hands(struct hand *hand, const char *what, struct herald_error *reterr) {
    struct completion turn;
    completion_init(&turn);
    turn.what = what;
    hand->turn = &turn;
    enum herald_code code = completion_wait(&turn, reterr);
    hand->turn = NULL;
    return code;
}

static void call_waiting_hands(const struct worker *worker) {
    for (unsigned i = 0; i < worker->hand_count; i++) {
        if (worker->hands[i].turn) {
            completion_complete(worker->hands[i].turn);
        }
    }
}

/* A job's record may have come twice. The second copy waits for the end of the first one's work, which is most often that
 * of the job: so the two are not two attempts. */
TASK_FN static enum herald_code begin_job(struct hand *hand, const char *job_id, struct herald_error *reterr) {
    const struct worker *worker = hand->worker;
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && (worker->lone || is_in_work(worker, job_id))) {
        code = wait_for_hands(hand,
                              worker->lone ? "the end of a job that is made alone"
                                           : "the end of the work on another copy of the job's record",
                              reterr);
    }
    if (code == HERALD_OK) {
        hand->job_id = job_id;
    }
    return code;
}

static void end_job(struct hand *hand) {
    struct worker *worker = hand->worker;
    hand->job_id = NULL;
    hand->steps_back = false;
    if (worker->lone == hand) {
        worker->lone = NULL;
    }
    call_waiting_hands(worker);
}

static bool works_alone(const struct hand *hand) {
    const struct worker *worker = hand->worker;
    for (unsigned i = 0; i < worker->hand_count; i++) {
        const struct hand *other = &worker->hands[i];
        if (other != hand && other->job_id && !other->steps_back) {
            return false;
        }
    }
    return true;
}

/* An earlier worker may have died on the hand's job, and this one may: no other job is to lose an attempt with it. The
 * hand steps back first, since another one may wait to be alone too. */
TASK_FN static enum herald_code stand_alone(void *user, struct herald_error *reterr) {
    struct hand *hand = user;
    struct worker *worker = hand->worker;
    enum herald_code code = HERALD_OK;
    hand->steps_back = true;
    call_waiting_hands(worker);
    while (code == HERALD_OK && worker->lone) {
        code = wait_for_hands(hand, "the end of another job that is made alone", reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    worker->lone = hand;
    while (code == HERALD_OK && !works_alone(hand)) {
        code = wait_for_hands(hand, "the end of the jobs beside one that is made alone", reterr);
    }
    hand->steps_back = false;
    return code;
}

TASK_FN static enum end work_on(struct hand *hand, struct kafka_record *record) {
    struct worker *worker = hand->worker;
    const Herald__Job__V1__ImageJob *job = NULL;
    struct open_attempt open;
    struct herald_error error;
    enum herald_code code = read_image_job(hand, record, &job, &error);
    if (code != HERALD_OK) {
        return code == HERALD_CANCELLED ? END_ABANDONED : set_aside(worker, record, &error);
    }
    code = begin_job(hand, job->job_id, &error);
    if (code != HERALD_OK) {
        return END_ABANDONED;
    }
    code = make_pictures(&hand->pictures, job, &open, &error);
    if (code != HERALD_OK && code != HERALD_ABORTED && open.id[0] != '\0') {
        give_attempt_back(hand, &open);
    }
    end_job(hand);
    if (code == HERALD_ABORTED) {
        return set_aside(worker, record, &error);
    }
    return code == HERALD_OK ? END_DONE : END_ABANDONED;
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
        enum end end = work_on(hand, record);
        if (end == END_DONE) {
            kafka_record_done(worker->consumer, record);
        } else if (end == END_ABANDONED) {
            log_emit(&LOG_CONTENT_ABANDONED, log_str("topic", record->topic), log_i64("offset", record->offset),
                     LOG_END);
            kafka_record_abandon(worker->consumer, record);
        }
    }
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static enum herald_code start_hands(struct worker *worker, struct herald_error *reterr) {
    const struct worker_options *options = &worker->options;
    const struct content_settings *settings = content_settings(options->settings);
    for (unsigned i = 0; i < worker->hand_count; i++) {
        struct hand *hand = &worker->hands[i];
        hand->worker = worker;
        hand->pictures = (struct make_pictures_options){.jobs = options->jobs,
                                                        .dir = settings->content_dir,
                                                        .url = options->content_url,
                                                        .attempts = settings->content_attempts,
                                                        .health = options->health,
                                                        .stand_alone = stand_alone,
                                                        .user = hand};
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
        .stall_ms = settings->kafka_stall_ms,
        .loop = worker->loop,
        .on_record = on_record,
        .on_health = on_kafka_health,
        .user = worker,
    };
    return kafka_consumer_open(&options, &worker->consumer, reterr);
}

static enum herald_code start_letters(struct worker *worker, struct herald_error *reterr) {
    const struct dead_letters_options options = {
        .loop = worker->loop,
        .producer = worker->options.dead_letters,
        .topic = kafka_settings(worker->options.settings)->kafka_dead_letter_topic,
        .health = worker->options.health,
    };
    return dead_letters_start(&options, &worker->letters, reterr);
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
    enum herald_code code = start_letters(worker, reterr);
    if (code == HERALD_OK) {
        code = start_consumer(worker, reterr);
    }
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
    dead_letters_stop(worker->letters);
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
    dead_letters_free(worker->letters);
    for (unsigned i = 0; worker->hands != NULL && i < worker->hand_count; i++) {
        if (worker->hands[i].worker != NULL) {
            call_fini(&worker->hands[i].call);
        }
    }
    free(worker->hands);
    free(worker->ring);
    free(worker);
}

void worker_look(const struct worker *worker, struct worker_view *ret_view) {
    kafka_consumer_look(worker->consumer, &ret_view->consumer);
    ret_view->dead_letters = dead_letters_count(worker->letters);
}

bool worker_is_idle(const struct worker *worker) {
    bool idle = worker->ring_count == 0;
    for (unsigned i = 0; idle && i < worker->hand_count; i++) {
        idle = worker->hands[i].idle != NULL;
    }
    return idle;
}
