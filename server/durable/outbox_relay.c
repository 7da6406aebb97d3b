/*
 * The outbox relay: a background task that sends due rows in rounds, and the inline path.
 *
 * A round leases a batch of due rows and sends them concurrently. Rows of the same kind, topic and key form a lane: it
 * is sent in order and stops at its first failure. A row that was not sent becomes due again when its lease expires. A
 * lane therefore sends nothing once half of the lease has passed. A row that Kafka refuses for good is no failure: it is
 * parked, and its lane goes on.
 *
 * The rounds share one call context, whose memory is released between them. The relay lives until the last of its tasks
 * has ended.
 *
 * Ids of sent rows are gathered in memory; the next round deletes them in the transaction that takes its batch. An id
 * that is lost, because the process dies, costs a second record with the same id.
 */
#include "server/durable/outbox_relay.h"

#include "client/base/backoff.h"
#include "server/durable/durable_failpoints.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_ROWS            64
#define GATHERED_ENOUGH       256   /* ids of sent rows: the next round begins */
#define GATHERED_MOST         16384 /* of ids kept while the database is away */
#define DELETED_AT_ONCE       1024
#define SOON_MOST             512 /* records of outbox_send_soon() on their way */
#define AWAY_WAIT_MS          500 /* Kafka is away: who tries it waits no longer */
#define ARENA_BYTES           (64 << 20)
#define BACKOFF_MOST_MS       5000
#define PRUNE_INTERVAL_S      60
#define LOOK_INTERVAL_S       60
#define PRUNE_AGE_S           86400
#define PRUNE_ROWS            1000 /* of one statement; fewer: no more are there */
#define PRUNE_STATEMENTS_MOST 100

struct outbox_relay {
    struct outbox_relay_options options;
    unsigned tasks; /* that use the relay */
    bool stopping;
    struct call call;
    struct completion wake;
    uint32_t failures; /* failed rounds in a row */
    uint64_t prune_at_us;
    uint64_t look_at_us; /* when the parked rows are counted; 0: at once */

    char (*ids)[OUTBOX_ID_BYTES];
    size_t id_count, id_capacity;
    atomic_size_t
        unsettled; /* records being sent inline without a waiter, and rows to be deleted. Any thread reads it */

    bool is_settling; /* the process ends: rows are deleted at once */
    struct loop_work settle_work;

    const struct outbox_rider *rider; /* NULL: none */

    struct call sender; /* of all tasks of outbox_send_soon() */
    unsigned soon_count;
};

/* A record of outbox_send_soon(). */
struct soon {
    struct outbox_relay *relay;
    struct outbox_row row;
    char id[OUTBOX_ID_BYTES];
    char bytes[]; /* key, then value */
};

/* One round's batch, shared by its lanes. */
struct batch {
    struct outbox_relay *relay;
    struct outbox_row *rows;
    size_t count;
    uint64_t send_until_us;
    bool unparked; /* a parked row was sent */
    bool failed;
    struct herald_error error; /* the first one, when failed */
};

struct lane {
    struct batch *batch;
    size_t first; /* index of its oldest row */
};

static TASK_FN enum herald_code send_row(const struct outbox_relay_options *options, const struct outbox_row *row,
                                         uint32_t wait_ms, struct herald_error *reterr) {
    switch (row->kind) {
    case OUTBOX_KAFKA:
        return kafka_produce(options->kafka,
                             &(struct cloud_event){
                                 .topic = row->topic,
                                 .key = row->key,
                                 .id = row->id,
                                 .type = row->ce_type,
                                 .source = row->ce_source,
                                 .content_type = row->content_type,
                                 .time_us = row->ce_time_us,
                                 .value = row->value,
                                 .value_bytes = row->value_bytes,
                             },
                             wait_ms, reterr);
    case OUTBOX_CACHE_DELETE:
        if (options->redis) {
            return redis_del(options->redis, row->key, reterr);
        }
        break;
    }
    return herald_error_set(reterr, HERALD_REASON_OUTBOX_KIND,
                            "outbox row %s of '%s' is of kind %d, which this server does not send", row->id,
                            options->owner, (int)row->kind);
}

static bool same_lane(const struct outbox_row *a, const struct outbox_row *b) {
    return a->kind == b->kind && strcmp(a->topic, b->topic) == 0 && strcmp(a->key, b->key) == 0;
}

/* --- Kafka away --- */

/* Whether a record may go inline now. */
static bool may_send_inline(struct outbox_relay *relay, const struct outbox_row *row) {
    return row->kind != OUTBOX_KAFKA || kafka_producer_may_wait(relay->options.kafka);
}

static void tell_rider(const struct outbox_relay *relay, const struct outbox_row *row) {
    if (relay->rider) {
        relay->rider->sent(relay->rider->self, row);
    }
}

static void note_kafka(struct outbox_relay *relay, const struct outbox_row *row, enum herald_code code) {
    bool failed = (code == HERALD_UNAVAILABLE || code == HERALD_OUTCOME_UNKNOWN) && call_check(NULL) == HERALD_OK;
    if (row->kind == OUTBOX_KAFKA && (code == HERALD_OK || failed)) {
        kafka_producer_note(relay->options.kafka, code == HERALD_OK);
    }
}

/* --- Deleting what was sent --- */

static bool make_room_for_id(struct outbox_relay *relay) {
    if (relay->id_count < relay->id_capacity) {
        return true;
    }
    size_t capacity = relay->id_capacity ? 2 * relay->id_capacity : GATHERED_ENOUGH;
    char(*ids)[OUTBOX_ID_BYTES] =
        capacity <= GATHERED_MOST ? realloc(relay->ids, capacity * sizeof(*relay->ids)) : NULL;
    if (ids) {
        relay->ids = ids;
        relay->id_capacity = capacity;
    }
    return ids != NULL;
}

/* The row is deleted soon. Without room it is not: then it is sent once more. */
static void delete_later(struct outbox_relay *relay, const char *id) {
    if (!make_room_for_id(relay)) {
        return;
    }
    memcpy(relay->ids[relay->id_count], id, OUTBOX_ID_BYTES - 1);
    relay->ids[relay->id_count][OUTBOX_ID_BYTES - 1] = '\0';
    relay->id_count++;
    atomic_fetch_add(&relay->unsettled, 1);
    if (relay->is_settling || relay->id_count >= GATHERED_ENOUGH) {
        completion_complete(&relay->wake);
    }
}

/* Takes a batch, and deletes what was sent before. On failure the ids are kept for the next time. */
TASK_FN static enum herald_code take_batch(struct outbox_relay *relay, struct batch *batch,
                                           struct herald_error *reterr) {
    const struct outbox_relay_options *options = &relay->options;
    char(*ids)[OUTBOX_ID_BYTES] = relay->ids;
    size_t count = relay->id_count, now = count < DELETED_AT_ONCE ? count : DELETED_AT_ONCE;
    relay->ids = NULL; /* others gather meanwhile */
    relay->id_count = relay->id_capacity = 0;
    enum herald_code code =
        outbox_store_delete_and_take(options->db, (const char(*)[OUTBOX_ID_BYTES])ids, now, options->owner, BATCH_ROWS,
                                     options->lease_ms, &relay->rider, &batch->rows, &batch->count, reterr);
    size_t kept = code == HERALD_OK ? now : 0; /* the first one */
    for (size_t i = kept; i < count; i++) {
        if (make_room_for_id(relay)) {
            memcpy(relay->ids[relay->id_count++], ids[i], OUTBOX_ID_BYTES);
        } else {
            kept++; /* lost: that record is sent once more */
        }
    }
    atomic_fetch_sub(&relay->unsettled, kept);
    free(ids);
    return code;
}

/* --- A round --- */

static void note_failure(struct batch *batch, const struct herald_error *error) {
    if (!batch->failed) {
        batch->failed = true;
        herald_error_copy(&batch->error, error);
    }
}

/* Sets a row aside that Kafka refuses for good. */
TASK_FN static enum herald_code park(struct outbox_relay *relay, const struct outbox_row *row,
                                     struct herald_error *error) {
    const struct herald_error refusal = *error;
    enum herald_code code = outbox_store_park(relay->options.db, row->id, refusal.message, error);
    if (code == HERALD_OK && !row->parked) {
        relay->look_at_us = 0;
        if (relay->options.on_refused) {
            relay->options.on_refused(relay->options.user, row, &refusal);
        }
    }
    return code;
}

static void send_lane(void *arg) {
    const struct lane *lane = arg;
    struct batch *batch = lane->batch;
    struct outbox_relay *relay = batch->relay;
    const struct outbox_row *head = &batch->rows[lane->first];
    for (size_t i = lane->first; i < batch->count && clock_now_us() < batch->send_until_us; i++) {
        const struct outbox_row *row = &batch->rows[i];
        if (!same_lane(head, row)) {
            continue;
        }
        struct herald_error error = {0};
        enum herald_code code = send_row(&relay->options, row, 0, &error);
        note_kafka(relay, row, code);
        bool is_refused = herald_error_is(&error, HERALD_REASON_KAFKA_RECORD_REFUSED);
        if (is_refused) {
            code = park(relay, row, &error);
        } else if (code == HERALD_OK) {
            code = failpoint_hit(FAILPOINT_OUTBOX_AFTER_SEND, &error);
        }
        if (code != HERALD_OK) {
            note_failure(batch, &error);
            return;
        }
        if (!is_refused) {
            tell_rider(relay, row);
            delete_later(relay, row->id);
            batch->unparked |= row->parked;
        }
    }
}

static bool is_lane_head(const struct batch *batch, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (same_lane(&batch->rows[i], &batch->rows[index])) {
            return false;
        }
    }
    return true;
}

static TASK_FN void send_batch(struct batch *batch) {
    struct lane lanes[BATCH_ROWS];
    struct task_group group;
    task_group_init(&group);
    for (size_t i = 0; i < batch->count; i++) {
        if (!is_lane_head(batch, i)) {
            continue;
        }
        struct herald_error error = {0};
        lanes[i] = (struct lane){.batch = batch, .first = i};
        if (task_group_spawn(&group, "outbox-lane", send_lane, &lanes[i], &error) != HERALD_OK) {
            note_failure(batch, &error);
            break;
        }
    }
    task_group_join(&group);
}

/* Leases and sends one batch. @ret_more  rows were sent: there is something to delete, and more may be due */
static TASK_FN enum herald_code run_outbox_round(struct outbox_relay *relay, bool *ret_more,
                                                 struct herald_error *reterr) {
    const struct outbox_relay_options *options = &relay->options;
    struct batch batch = {.relay = relay, .send_until_us = clock_now_us() + options->lease_ms * UINT64_C(500)};
    enum herald_code code = take_batch(relay, &batch, reterr);
    if (code != HERALD_OK || batch.count == 0) {
        return code;
    }
    send_batch(&batch);
    if (batch.unparked) {
        relay->look_at_us = 0;
    }
    if (batch.failed) {
        herald_error_copy(reterr, &batch.error);
        return batch.error.code;
    }
    *ret_more = true; /* to delete what was sent */
    return HERALD_OK;
}

/* Counts the parked rows, when it is time. */
static TASK_FN enum herald_code look_at_parked(struct outbox_relay *relay, struct herald_error *reterr) {
    uint64_t now_us = clock_now_us();
    struct outbox_parked parked;
    if (!relay->options.on_parked || now_us < relay->look_at_us) {
        return HERALD_OK;
    }
    relay->look_at_us = now_us + LOOK_INTERVAL_S * UINT64_C(1000000);
    enum herald_code code = outbox_store_parked(relay->options.db, relay->options.owner, &parked, reterr);
    if (code == HERALD_OK) {
        relay->options.on_parked(relay->options.user, &parked);
    }
    return code;
}

static TASK_FN enum herald_code prune_if_due(struct outbox_relay *relay, struct herald_error *reterr) {
    uint64_t now_us = clock_now_us();
    if (now_us < relay->prune_at_us) {
        return HERALD_OK;
    }
    relay->prune_at_us = now_us + PRUNE_INTERVAL_S * UINT64_C(1000000);
    unsigned deleted = PRUNE_ROWS;
    enum herald_code code = HERALD_OK;
    for (int i = 0; code == HERALD_OK && deleted >= PRUNE_ROWS && i < PRUNE_STATEMENTS_MOST; i++) {
        code = outbox_store_prune(relay->options.db, PRUNE_AGE_S, &deleted, reterr);
    }
    return code;
}

/* --- The background task --- */

static uint32_t pause_ms(const struct outbox_relay *relay) {
    /* Without jitter, so never more often than configured. */
    uint32_t max_ms = relay->options.poll_ms > BACKOFF_MOST_MS ? relay->options.poll_ms : BACKOFF_MOST_MS;
    return herald_backoff_bound_ms(relay->options.poll_ms, max_ms, relay->failures);
}

static bool is_ending(const struct outbox_relay *relay) {
    return relay->call.end_code != HERALD_OK;
}

static TASK_FN bool work_once(struct outbox_relay *relay) {
    struct herald_error error = {0};
    bool more = false;
    enum herald_code code = run_outbox_round(relay, &more, &error);
    if (code == HERALD_OK) {
        code = prune_if_due(relay, &error);
    }
    if (code == HERALD_OK && !more) { /* what was sent is deleted by now */
        code = look_at_parked(relay, &error);
    }
    relay->failures = code == HERALD_OK ? 0 : relay->failures + 1;
    if (code != HERALD_OK && !is_ending(relay) && relay->options.on_error) {
        relay->options.on_error(relay->options.user, &error);
    }
    return more && code == HERALD_OK;
}

static void empty_arena(struct call *call) {
    arena_fini(&call->arena);
    arena_init(&call->arena, ARENA_BYTES);
}

void outbox_relay_ref(struct outbox_relay *relay) {
    if (relay) {
        relay->tasks++;
    }
}

void outbox_relay_unref(struct outbox_relay *relay) {
    if (relay && --relay->tasks == 0) {
        call_fini(&relay->sender);
        free(relay->ids);
        free(relay);
    }
}

TASK_FN static void relay_body(void *arg) {
    struct outbox_relay *relay = arg;
    while (!is_ending(relay)) {
        completion_init(&relay->wake);
        relay->wake.what = "a wake-up, or the next time";
        bool more = work_once(relay);
        empty_arena(&relay->call);
        if (!more && !is_ending(relay)) {
            (void)completion_wait_for(&relay->wake, pause_ms(relay), NULL);
        }
    }
    call_fini(&relay->call);
    outbox_relay_unref(relay);
}

/* Sends a row of which the caller holds the relay. @wait_ms  longest wait for the acknowledgement */
TASK_FN static enum herald_code send_held(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                          struct herald_error *reterr) {
    if (!may_send_inline(relay, row)) {
        return herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE,
                                "Kafka has not acknowledged the last record; this one is sent in the background");
    }
    bool is_away = row->kind == OUTBOX_KAFKA && kafka_producer_is_away(relay->options.kafka);
    if (is_away && wait_ms > AWAY_WAIT_MS) {
        wait_ms = AWAY_WAIT_MS;
    }
    enum herald_code code = send_row(&relay->options, row, wait_ms, reterr);
    note_kafka(relay, row, code);
    if (code == HERALD_OK) {
        tell_rider(relay, row);
        delete_later(relay, row->id);
    }
    return code;
}

/* --- Interface --- */

TASK_FN static void send_soon_body(void *arg) {
    struct soon *soon = arg;
    struct outbox_relay *relay = soon->relay;
    (void)send_held(relay, &soon->row, 0, NULL);
    relay->soon_count--;
    atomic_fetch_sub(&relay->unsettled, 1);
    free(soon);
    outbox_relay_unref(relay);
}

static struct soon *soon_new(struct outbox_relay *relay, const struct outbox_row *row) {
    size_t key_bytes = strlen(row->key) + 1;
    struct soon *soon = malloc(sizeof(*soon) + key_bytes + row->value_bytes);
    if (!soon) {
        return NULL;
    }
    soon->relay = relay;
    soon->row = *row;
    memcpy(soon->id, row->id, OUTBOX_ID_BYTES - 1);
    soon->id[OUTBOX_ID_BYTES - 1] = '\0';
    memcpy(soon->bytes, row->key, key_bytes);
    memcpy(soon->bytes + key_bytes, row->value, row->value_bytes);
    soon->row.id = soon->id;
    soon->row.key = soon->bytes;
    soon->row.value = (const uint8_t *)soon->bytes + key_bytes;
    return soon;
}

void outbox_send_soon(struct outbox_relay *relay, const struct outbox_row *row) {
    struct soon *soon = relay->soon_count < SOON_MOST && !relay->stopping ? soon_new(relay, row) : NULL;
    if (!soon) {
        return;
    }
    if (task_spawn(relay->options.loop, &relay->sender, "outbox-send", send_soon_body, soon, NULL) != HERALD_OK) {
        free(soon);
        return;
    }
    relay->tasks++;
    relay->soon_count++;
    atomic_fetch_add(&relay->unsettled, 1);
}

static void settle_on_loop(struct loop_work *work) {
    struct outbox_relay *relay =
        (struct outbox_relay *)(void *)((char *)work - offsetof(struct outbox_relay, settle_work));
    relay->is_settling = true;
    completion_complete(&relay->wake);
}

void outbox_relay_settle(struct outbox_relay *relay) {
    if (relay) {
        loop_post(relay->options.loop, &relay->settle_work);
    }
}

enum herald_code outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay,
                                    struct herald_error *reterr) {
    struct outbox_relay *relay = calloc(1, sizeof(*relay));
    if (!relay) {
        return herald_error_no_memory(reterr, "the outbox relay");
    }
    relay->options = *options;
    relay->tasks = 1; /* of rounds */
    call_init(&relay->call, "outbox relay", NULL, 0, ARENA_BYTES);
    call_init(&relay->sender, "outbox sender", NULL, 0, ARENA_BYTES);
    completion_init(&relay->wake);
    relay->settle_work.run = settle_on_loop;
    enum herald_code code = task_spawn(options->loop, &relay->call, "outbox-relay", relay_body, relay, reterr);
    if (code != HERALD_OK) {
        call_fini(&relay->call);
        outbox_relay_unref(relay);
        return code;
    }
    *ret_relay = relay;
    return HERALD_OK;
}

void outbox_relay_stop(struct outbox_relay *relay) {
    if (relay) {
        relay->stopping = true;
        task_cancel_call(relay->options.loop, &relay->call, HERALD_CANCELLED);
        task_cancel_call(relay->options.loop, &relay->sender, HERALD_CANCELLED);
    }
}

void outbox_relay_carry(struct outbox_relay *relay, const struct outbox_rider *rider) {
    relay->rider = rider;
}

void outbox_relay_expect(struct outbox_relay *relay, ptrdiff_t count) {
    if (relay) {
        atomic_fetch_add(&relay->unsettled, (size_t)count);
        if (relay->is_settling && count > 0) {
            completion_complete(&relay->wake);
        }
    }
}

void outbox_relay_wake(struct outbox_relay *relay) {
    if (relay) {
        completion_complete(&relay->wake);
    }
}

bool outbox_relay_is_settled(struct outbox_relay *relay) {
    return !relay || atomic_load(&relay->unsettled) == 0;
}

TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr) {
    outbox_relay_ref(relay); /* it may be stopped before the row is sent */
    enum herald_code code = send_held(relay, row, wait_ms, reterr);
    outbox_relay_unref(relay);
    return code;
}
