/*
 * A queue of letters and the task that sends the first one until it is acknowledged. A letter whose partition was taken
 * away is dropped: the partition's new member finds the record too.
 */
#include "server/content/dead_letters.h"

#include "herald/job/v1/image_job.schema.h"
#include "herald/uuid.h"
#include "server/content/backoff.h"
#include "server/content/content_log.h"
#include "server/runtime/call.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST       256
#define MOST_BYTES (16u * 1024 * 1024)
#define LOOK_MS    200

struct letter {
    struct letter *next;
    struct kafka_consumer *consumer;
    struct kafka_record *record;
    char *why;
};

struct dead_letters {
    struct dead_letters_options options;
    struct call call;
    bool stopping;
    struct letter *first, **last;
    atomic_uint count;
    size_t bytes;             /* of the values */
    struct completion *empty; /* the task waits here for a letter; NULL: it works */
};

static void letter_pop(struct dead_letters *letters, bool done) {
    struct letter *letter = letters->first;
    letters->first = letter->next;
    if (letters->first == NULL) {
        letters->last = &letters->first;
    }
    letters->count--;
    letters->bytes -= letter->record->value_bytes;
    if (done) {
        kafka_record_done(letter->consumer, letter->record);
    } else {
        kafka_record_abandon(letter->consumer, letter->record);
    }
    free(letter->why);
    free(letter);
}

/* Makes the record to be sent: as it came, and the reason. */
static bool dead_letter_of(const struct dead_letters *letters, const struct letter *letter,
                           struct cloud_event *ret_event) {
    struct arena *arena = call_arena();
    const struct kafka_record *record = letter->record;
    char id[37];
    herald_uuid7(id);
    *ret_event = (struct cloud_event){
        .topic = letters->options.topic,
        .key = record->key != NULL ? arena_strndup(arena, record->key, record->key_bytes) : "",
        .id = arena_strdup(arena, record->ce_id[0] != '\0' ? record->ce_id : id),
        .type = record->ce_type[0] != '\0' ? record->ce_type : herald_job_v1_image_job_schema.full_name,
        .source = "/herald/content",
        .content_type = record->content_type[0] != '\0' ? record->content_type : "application/json",
        .time_us = clock_wall_us(),
        .value = record->value,
        .value_bytes = record->value_bytes,
        .reason = letter->why,
    };
    return ret_event->key != NULL && ret_event->id != NULL;
}

/* Sends the first letter. Returns: whether it is done with. */
TASK_FN static bool send_first(struct dead_letters *letters, struct herald_error *reterr) {
    struct cloud_event event;
    if (!dead_letter_of(letters, letters->first, &event)) {
        (void)herald_error_no_memory(reterr, "a dead letter");
        return false;
    }
    enum herald_code code = kafka_produce(letters->options.producer, &event, 0, reterr);
    if (code != HERALD_OK && code != HERALD_INVALID_ARGUMENT) {
        return false;
    }
    log_emit(&LOG_CONTENT_DEAD_LETTER, log_str("key", event.key), log_str("reason", event.reason),
             log_str("topic", code == HERALD_OK ? event.topic : "none: too big for the broker"), LOG_END);
    return true;
}

static void renew_arena(struct call *call) {
    arena_fini(&call->arena);
    arena_init(&call->arena, 0);
}

/* Sends what waits. Returns: whether the task may go on. */
TASK_FN static bool send_all(struct dead_letters *letters) {
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    while (letters->first != NULL && call_check(NULL) == HERALD_OK) {
        renew_arena(&letters->call);
        if (kafka_record_is_revoked(letters->first->consumer, letters->first->record)) {
            letter_pop(letters, false);
        } else if (send_first(letters, &error)) {
            letter_pop(letters, true);
            backoff = (struct herald_backoff)CONTENT_BACKOFF;
            content_health_report(letters->options.health, CONTENT_DEAD_LETTERS, NULL);
        } else if (call_check(NULL) == HERALD_OK) {
            log_emit(&LOG_CONTENT_DEAD_LETTER_LATE, log_u64("waiting", letters->count), log_error(&error), LOG_END);
            content_health_report(letters->options.health, CONTENT_DEAD_LETTERS, &error);
            (void)backoff_wait(&backoff, NULL);
        }
    }
    return call_check(NULL) == HERALD_OK;
}

TASK_FN static bool wait_for_letter(struct dead_letters *letters) {
    struct completion arrival;
    completion_init(&arrival);
    arrival.what = "a dead letter";
    letters->empty = &arrival;
    enum herald_code code = completion_wait(&arrival, NULL);
    letters->empty = NULL;
    return code == HERALD_OK;
}

static void send_letters(void *arg) {
    struct dead_letters *letters = arg;
    while (send_all(letters) && wait_for_letter(letters)) {
        continue;
    }
    while (letters->first != NULL) {
        letter_pop(letters, false);
    }
}

enum herald_code dead_letters_start(const struct dead_letters_options *options, struct dead_letters **ret_letters,
                                    struct herald_error *reterr) {
    struct dead_letters *letters = calloc(1, sizeof(*letters));
    if (letters == NULL) {
        return herald_error_no_memory(reterr, "the dead letters");
    }
    letters->options = *options;
    letters->options.most = options->most > 0 ? options->most : MOST;
    letters->last = &letters->first;
    call_init(&letters->call, "content/dead letters", NULL, 0, 0);
    enum herald_code code = task_spawn(options->loop, &letters->call, "dead letters", send_letters, letters, reterr);
    if (code != HERALD_OK) {
        call_fini(&letters->call);
        free(letters);
        return code;
    }
    *ret_letters = letters;
    return HERALD_OK;
}

static bool has_room(const struct dead_letters *letters, const struct kafka_record *record) {
    return letters->count == 0 ||
           (letters->count < letters->options.most && letters->bytes + record->value_bytes <= MOST_BYTES);
}

static struct letter *letter_new(struct kafka_consumer *consumer, struct kafka_record *record,
                                 const struct herald_error *why) {
    struct letter *letter = calloc(1, sizeof(*letter));
    if (letter == NULL || asprintf(&letter->why, "%s: %s (partition %d, offset %lld)", why->reason, why->message,
                                   (int)record->partition, (long long)record->offset) < 0) {
        free(letter);
        return NULL;
    }
    letter->consumer = consumer;
    letter->record = record;
    return letter;
}

TASK_FN enum herald_code dead_letters_put(struct dead_letters *letters, struct kafka_consumer *consumer,
                                          struct kafka_record *record, const struct herald_error *why,
                                          struct herald_error *reterr) {
    struct letter *letter = NULL;
    while (letters->stopping || !has_room(letters, record) || (letter = letter_new(consumer, record, why)) == NULL) {
        enum herald_code code = task_sleep(LOOK_MS, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    kafka_record_set_aside(consumer, record);
    *letters->last = letter;
    letters->last = &letter->next;
    letters->count++;
    letters->bytes += record->value_bytes;
    if (letters->empty != NULL) {
        completion_complete(letters->empty);
        letters->empty = NULL;
    }
    return HERALD_OK;
}

unsigned dead_letters_count(const struct dead_letters *letters) {
    return letters->count;
}

void dead_letters_stop(struct dead_letters *letters) {
    if (letters != NULL) {
        letters->stopping = true;
        task_cancel_call(letters->options.loop, &letters->call, HERALD_CANCELLED);
    }
}

void dead_letters_free(struct dead_letters *letters) {
    if (letters != NULL) {
        call_fini(&letters->call);
        free(letters);
    }
}
