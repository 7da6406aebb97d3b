/*
 * The writer: one task that stores changes in batches.
 *
 * A change is in the list until it is stored, and its round has a reference for it. While a statement is on its way the
 * next changes gather, so a busy loop shares commits without waiting.
 */
#include "server/distribution/writer.h"

#include "client/base/backoff.h"
#include "herald/utf8.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_settings.h"
#include "server/distribution/look.h"
#include "server/distribution/report.h"
#include "server/distribution/watch.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_CHANGES    256
#define BATCH_RECORDS    64
#define RETRY_MIN_MS     50
#define RETRY_MAX_MS     5000
#define STOP_RETRIES     3  /* while the server ends */
#define STOP_POLL_MS     20 /* while the server ends: until the last round is freed */
#define IDLE_MS          60000
#define WRITER_ARENA_CAP (16 << 20)

/* Takes the place of what a channel has said. */
static const char UNSTORABLE[] = "what the channel said is no text that can be stored";

struct writer {
    struct loop_work end; /* frees it after its task has ended */
    struct call call;
    struct engine *engine;
    struct completion wake;
    struct delivery *first, *last; /* pending, the oldest first */
    unsigned count, urgent;        /* urgent: a task waits for it */
    uint64_t oldest_us;            /* when the first was put */
    struct herald_backoff backoff;
    struct delivery *refused; /* changes that cannot be stored; their rounds are kept until the end */
    bool one_by_one;          /* the database has refused a batch: find the change that it refuses */
    bool stopping;
    /* of the batch that is being stored */
    struct delivery *batch[BATCH_CHANGES];
    struct delivery_change changes[BATCH_CHANGES];
    struct change_result results[BATCH_CHANGES];
    struct completed_record records[BATCH_RECORDS];
};

void writer_kick(struct writer *writer) {
    completion_complete(&writer->wake);
}

static void append(struct writer *writer, struct delivery *delivery) {
    delivery->next_pending = NULL;
    if (writer->last) {
        writer->last->next_pending = delivery;
    } else {
        writer->first = delivery;
        writer->oldest_us = clock_now_us();
    }
    writer->last = delivery;
    writer->count++;
    writer->urgent += delivery->stored ? 1 : 0;
    delivery->pending = true;
    atomic_fetch_add(&writer->engine->process->unstored, 1);
    delivery->round->pending++;
    delivery->round->refs++;
    writer_kick(writer);
}

void writer_put(struct writer *writer, struct delivery *delivery, uint64_t next_in_ms) {
    delivery->stays = false;
    delivery->stored = NULL;
    delivery->next_in_ms = next_in_ms;
    append(writer, delivery);
}

TASK_FN enum herald_code writer_put_and_wait(struct writer *writer, struct delivery *delivery,
                                             struct herald_error *reterr) {
    struct completion stored;
    completion_init(&stored);
    stored.what = "its change to be stored";
    delivery->stays = true;
    delivery->stored = &stored;
    append(writer, delivery);
    enum herald_code code = completion_wait(&stored, reterr);
    if (code != HERALD_OK) {
        delivery->stored = NULL; /* stored later by itself; the claim then names a process that does not go on */
        writer->urgent -= delivery->pending && !delivery->in_batch ? 1 : 0;
        return code;
    }
    return delivery->changed
               ? HERALD_OK
               : herald_error_set(reterr, HERALD_REASON_DELIVERY_MOVED,
                                  "another process has taken over the delivery to %s", delivery->channel->name);
}

/* ---- gathering ---- */

/* Whether every round of the pending changes has ended: nothing more of them is to come. */
static bool rounds_have_ended(const struct writer *writer) {
    for (const struct delivery *delivery = writer->first; delivery; delivery = delivery->next_pending) {
        if (delivery->round->driven > 0) {
            return false;
        }
    }
    return true;
}

/* How long to wait for more, ms; 0: store now. */
static uint32_t gather_left_ms(const struct writer *writer) {
    if (writer->urgent > 0 || writer->stopping || writer->count >= BATCH_CHANGES || rounds_have_ended(writer)) {
        return 0;
    }
    uint64_t until_us =
        writer->oldest_us + channels_settings(writer->engine->settings)->channels_gather_ms * UINT64_C(1000);
    uint64_t now_us = clock_now_us();
    return until_us > now_us ? (uint32_t)((until_us - now_us) / 1000 + 1) : 0;
}

/* Lets the rounds of changes go that cannot be stored: with the process's lease their deliveries are released. */
static void forget_refused(struct writer *writer) {
    while (writer->refused) {
        struct delivery *delivery = writer->refused;
        writer->refused = delivery->next_pending;
        round_unref(delivery->round);
    }
}

/* Waits until there is something to store. Returns: false: the task is to end. */
TASK_FN static bool gather_changes(struct writer *writer) {
    for (;;) {
        if (writer->stopping) {
            forget_refused(writer);
        }
        uint32_t left_ms = writer->first ? gather_left_ms(writer) : UINT32_MAX;
        if (writer->first && left_ms == 0) {
            return true;
        }
        if (!writer->first && writer->stopping && !writer->engine->rounds) {
            return false;
        }
        completion_init(&writer->wake);
        writer->wake.what = "results of deliveries";
        uint32_t idle_ms = writer->stopping ? STOP_POLL_MS : IDLE_MS;
        (void)completion_wait_for(&writer->wake, left_ms == UINT32_MAX ? idle_ms : left_ms, NULL);
    }
}

/* ---- a batch ---- */

/* Whether the batch has a change of that delivery, by another round: one that lost its claim before it was stored. */
static bool batch_has(const struct writer *writer, unsigned count, const struct delivery *delivery) {
    for (unsigned i = 0; i < count; i++) {
        if (writer->batch[i]->channel == delivery->channel &&
            strcmp(writer->batch[i]->round->event_id, delivery->round->event_id) == 0) {
            return true;
        }
    }
    return false;
}

/* A statement takes one change of a delivery; the next one goes with the next batch. */
static unsigned take_changes(struct writer *writer) {
    unsigned most = writer->one_by_one ? 1 : BATCH_CHANGES, count = 0;
    while (writer->first && count < most && !batch_has(writer, count, writer->first)) {
        struct delivery *delivery = writer->first;
        writer->first = delivery->next_pending;
        writer->last = writer->first ? writer->last : NULL;
        writer->count--;
        writer->urgent -= delivery->stored ? 1 : 0;
        delivery->in_batch = true;
        writer->batch[count] = delivery;
        writer->changes[count] = (struct delivery_change){
            .event_id = delivery->round->event_id,
            .row = &delivery->row,
            .stays = delivery->stays,
            .next_in_ms = delivery->next_in_ms,
        };
        count++;
    }
    writer->oldest_us = clock_now_us();
    return count;
}

/* Puts a batch that was not stored before all others, in its order. */
static void put_back(struct writer *writer, unsigned count) {
    for (unsigned i = count; i-- > 0;) {
        struct delivery *delivery = writer->batch[i];
        delivery->in_batch = false;
        delivery->next_pending = writer->first;
        writer->first = delivery;
        writer->last = writer->last ? writer->last : delivery;
        writer->count++;
        writer->urgent += delivery->stored ? 1 : 0;
    }
}

/* Whether the batch settles the last deliveries of a distribution that this round knows whole. */
static bool completes(const struct round *round) {
    bool all = round->whole;
    for (size_t i = 0; all && i < round->count; i++) {
        const struct delivery *delivery = &round->deliveries[i];
        all = delivery->row.settled && (!delivery->pending || delivery->in_batch);
    }
    return all;
}

static bool has_record(const struct writer *writer, unsigned count, const char *event_id) {
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(writer->records[i].event_id, event_id) == 0) {
            return true;
        }
    }
    return false;
}

/* The records of the distributions that the batch completes. One without memory is left to the report. */
static unsigned make_records(struct writer *writer, unsigned change_count) {
    unsigned count = 0;
    for (unsigned i = 0; i < change_count && count < BATCH_RECORDS; i++) {
        const struct round *round = writer->batch[i]->round;
        if (!completes(round) || has_record(writer, count, round->event_id)) {
            continue;
        }
        struct completed_record *record = &writer->records[count];
        record->event_id = round->event_id;
        if (report_build_completed_of_round(round, &record->row, NULL) == HERALD_OK) {
            count++;
        }
    }
    return count;
}

/* A change is stored, or can never be. */
static void end_change(struct writer *writer, struct delivery *delivery, const struct change_result *result) {
    struct round *round = delivery->round;
    delivery->in_batch = delivery->pending = false;
    atomic_fetch_sub(&writer->engine->process->unstored, 1);
    delivery->changed = result->changed;
    if (result->changed && result->version > round->version) {
        round->version = result->version;
        watch_tell(&writer->engine->watch, round->event_id, result->version);
    }
    if (!delivery->stays && !delivery->row.settled) {
        look_at(writer->engine->look, delivery->next_in_ms);
    }
    if (delivery->stored) {
        completion_complete(delivery->stored);
        delivery->stored = NULL;
    }
    round_stored(round);
    round_unref(round);
}

static void end_batch(struct writer *writer, unsigned count, unsigned record_count) {
    for (unsigned i = 0; i < record_count; i++) {
        for (unsigned j = 0; j < count; j++) {
            if (writer->results[j].completed && strcmp(writer->changes[j].event_id, writer->records[i].event_id) == 0) {
                log_emit(&LOG_DISTRIBUTION_COMPLETED, log_str("event_id", writer->records[i].event_id), LOG_END);
                report_send(writer->engine, &writer->records[i].row);
                break;
            }
        }
    }
    for (unsigned i = 0; i < count; i++) {
        end_change(writer, writer->batch[i], &writer->results[i]);
    }
}

/* Whether the database refuses what the batch holds, and would do so again. SQLSTATE 21: rows that collide; 22: data; 23:
 * constraints. */
static bool is_refusal(enum herald_code code, const struct herald_error *error) {
    static const char *const classes[] = {"21", "22", "23"};
    bool refuses = false;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        refuses = refuses || strncmp(error->origin, classes[i], 2) == 0;
    }
    return code == HERALD_INTERNAL && refuses;
}

/* Removes what a channel has said and the database cannot hold. @all  or all that it has said. Returns: whether there was
 * such a text */
static bool make_storable(struct delivery_row *row, bool all) {
    const char **texts[] = {&row->remote_id, &row->step_id, &row->post_url, &row->message};
    bool replaced = false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (all ? (*texts[i])[0] != '\0' && *texts[i] != UNSTORABLE
                : !herald_utf8_valid(*texts[i], strlen(*texts[i]), NULL)) {
            *texts[i] = "";
            replaced = true;
        }
    }
    row->message = replaced && row->message[0] == '\0' ? UNSTORABLE : row->message;
    return replaced;
}

/*
 * The database refuses the batch for what it holds. It is stored without the texts that are to blame; if there are none,
 * each change is stored alone, in the end without any text. A change that is refused even so stays known to this
 * loop, or its claim would be taken for one that was never used, and its post sent again.
 */
static void refuse(struct writer *writer, unsigned count, const struct herald_error *error) {
    bool replaced = false;
    for (unsigned i = 0; i < count; i++) {
        replaced |= make_storable(&writer->batch[i]->row, false);
    }
    replaced = replaced || (count == 1 && make_storable(&writer->batch[0]->row, true));
    if (replaced || count > 1) {
        writer->one_by_one = !replaced || count == 1;
        put_back(writer, count);
        return;
    }
    struct delivery *delivery = writer->batch[0];
    log_emit(&LOG_DELIVERY_UNSTORABLE, log_str("event_id", delivery->round->event_id),
             log_str("channel", delivery->channel->name), log_error(error), LOG_END);
    delivery->round->refs++;
    writer->results[0] = (struct change_result){0};
    end_batch(writer, 1, 0);
    delivery->next_pending = writer->refused;
    writer->refused = delivery;
}

/* Stores a batch. Returns: how long to wait before the next one, ms. */
TASK_FN static uint32_t store_batch(struct writer *writer) {
    unsigned count = take_changes(writer);
    unsigned record_count = make_records(writer, count);
    struct herald_error error = {0};
    enum herald_code code = delivery_store_finish(
        writer->engine->db, instance_id(writer->engine->instance), writer->changes, count, writer->records,
        record_count, channels_settings(writer->engine->settings)->channels_report_ms, writer->results, &error);
    if (code == HERALD_OK) {
        herald_backoff_succeeded(&writer->backoff);
        end_batch(writer, count, record_count);
        writer->one_by_one = writer->one_by_one && writer->first;
        return 0;
    }
    if (is_refusal(code, &error)) {
        refuse(writer, count, &error);
        return 0;
    }
    put_back(writer, count);
    log_emit(&LOG_DELIVERIES_UNSTORED, log_u64("changes", count), log_error(&error), LOG_END);
    return herald_backoff_failed(&writer->backoff);
}

/* ---- the task ---- */

/* Drops what cannot be stored any more: the deliveries are found by their claims. */
static void drop_changes(struct writer *writer) {
    while (writer->first) {
        unsigned count = take_changes(writer);
        memset(writer->results, 0, sizeof(writer->results));
        end_batch(writer, count, 0);
    }
}

TASK_FN static void write_changes(void *arg) {
    struct writer *writer = arg;
    unsigned tries = 0;
    while (gather_changes(writer)) {
        uint32_t pause_ms = store_batch(writer);
        arena_fini(&writer->call.arena);
        arena_init(&writer->call.arena, WRITER_ARENA_CAP);
        tries = writer->stopping && pause_ms > 0 ? tries + 1 : 0;
        if (tries >= STOP_RETRIES) {
            drop_changes(writer);
        } else if (pause_ms > 0) {
            (void)task_sleep(pause_ms, NULL);
        }
    }
    loop_post(writer->engine->loop, &writer->end);
}

static void on_writer_end(struct loop_work *work) {
    struct writer *writer = (struct writer *)work;
    call_fini(&writer->call);
    free(writer);
}

enum herald_code writer_start(struct engine *engine, struct writer **ret_writer, struct herald_error *reterr) {
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer) {
        return herald_error_no_memory(reterr, "the writer of deliveries");
    }
    writer->end.run = on_writer_end;
    writer->engine = engine;
    writer->backoff = (struct herald_backoff){.min_ms = RETRY_MIN_MS, .max_ms = RETRY_MAX_MS};
    completion_init(&writer->wake);
    call_init(&writer->call, "write deliveries", NULL, 0, WRITER_ARENA_CAP);
    enum herald_code code = task_spawn(engine->loop, &writer->call, "writer", write_changes, writer, reterr);
    if (code != HERALD_OK) {
        call_fini(&writer->call);
        free(writer);
        return code;
    }
    *ret_writer = writer;
    return HERALD_OK;
}

void writer_stop(struct writer *writer) {
    if (writer) {
        writer->stopping = true;
        writer_kick(writer);
    }
}
