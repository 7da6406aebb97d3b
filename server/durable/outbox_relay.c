/*
 * The outbox relay: a background task that sends due rows in rounds, and the inline path.
 *
 * A round leases a batch of due rows and sends them concurrently. Rows of the same kind, topic and key form a lane: it
 * is sent in order and stops at its first failure. A row that was not sent becomes due again when its lease expires. A
 * lane therefore sends nothing once half of the lease has passed.
 *
 * The rounds share one call context, whose memory is released between them.
 */
#include "server/durable/outbox_relay.h"

#include "client/base/backoff.h"
#include "server/durable/durable_failpoints.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_ROWS            64
#define ARENA_BYTES           (64 << 20)
#define BACKOFF_MOST_MS       5000
#define PRUNE_INTERVAL_S      60
#define PRUNE_AGE_S           86400
#define PRUNE_ROWS            1000 /* of one statement; fewer: no more are there */
#define PRUNE_STATEMENTS_MOST 100

struct outbox_relay {
    struct outbox_relay_options options;
    struct call call;
    struct completion wake;
    uint32_t failures; /* failed rounds in a row */
    uint64_t prune_at_us;
};

/* One round's batch, shared by its lanes. */
struct batch {
    struct outbox_relay *relay;
    struct outbox_row *rows;
    size_t count;
    uint64_t send_until_us;
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

/* --- A round --- */

static void note_failure(struct batch *batch, const struct herald_error *error) {
    if (!batch->failed) {
        batch->failed = true;
        herald_error_copy(&batch->error, error);
    }
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
        if (code == HERALD_OK) {
            code = failpoint_hit(FAILPOINT_OUTBOX_AFTER_SEND, &error);
        }
        if (code == HERALD_OK) {
            code = outbox_store_mark_sent(relay->options.db, row->id, &error);
        }
        if (code != HERALD_OK) {
            note_failure(batch, &error);
            return;
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

/* Leases and sends one batch. @ret_more  the batch was full and sent: more rows may be due now */
static TASK_FN enum herald_code run_outbox_round(struct outbox_relay *relay, bool *ret_more,
                                                 struct herald_error *reterr) {
    const struct outbox_relay_options *options = &relay->options;
    struct batch batch = {.relay = relay, .send_until_us = clock_now_us() + options->lease_ms * UINT64_C(500)};
    enum herald_code code = outbox_store_take(options->db, options->owner, BATCH_ROWS, options->lease_ms, &batch.rows,
                                              &batch.count, reterr);
    if (code != HERALD_OK || batch.count == 0) {
        return code;
    }
    send_batch(&batch);
    if (batch.failed) {
        herald_error_copy(reterr, &batch.error);
        return batch.error.code;
    }
    *ret_more = batch.count == BATCH_ROWS;
    return HERALD_OK;
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
    relay->failures = code == HERALD_OK ? 0 : relay->failures + 1;
    if (code != HERALD_OK && !is_ending(relay) && relay->options.on_error) {
        relay->options.on_error(relay->options.user, &error);
    }
    return more && code == HERALD_OK;
}

static void empty_arena(struct outbox_relay *relay) {
    arena_fini(&relay->call.arena);
    arena_init(&relay->call.arena, ARENA_BYTES);
}

static void relay_body(void *arg) {
    struct outbox_relay *relay = arg;
    while (!is_ending(relay)) {
        completion_init(&relay->wake);
        relay->wake.what = "a wake-up, or the next time";
        bool more = work_once(relay);
        empty_arena(relay);
        if (!more && !is_ending(relay)) {
            (void)completion_wait_for(&relay->wake, pause_ms(relay), NULL);
        }
    }
    call_fini(&relay->call);
    free(relay);
}

/* --- Interface --- */

enum herald_code outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay,
                                    struct herald_error *reterr) {
    struct outbox_relay *relay = calloc(1, sizeof(*relay));
    if (!relay) {
        return herald_error_no_memory(reterr, "the outbox relay");
    }
    relay->options = *options;
    call_init(&relay->call, "outbox relay", NULL, 0, ARENA_BYTES);
    completion_init(&relay->wake);
    enum herald_code code = task_spawn(options->loop, &relay->call, "outbox-relay", relay_body, relay, reterr);
    if (code != HERALD_OK) {
        call_fini(&relay->call);
        free(relay);
        return code;
    }
    *ret_relay = relay;
    return HERALD_OK;
}

void outbox_relay_stop(struct outbox_relay *relay) {
    if (relay) {
        task_cancel_call(relay->options.loop, &relay->call, HERALD_CANCELLED);
    }
}

void outbox_relay_kick(struct outbox_relay *relay) {
    completion_complete(&relay->wake);
}

TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr) {
    /* The relay may be stopped and freed before the row is sent. */
    const struct outbox_relay_options options = relay->options;
    enum herald_code code = send_row(&options, row, wait_ms, reterr);
    if (code == HERALD_OK) {
        /* If marking fails, the relay sends the row once more, with the same id. */
        (void)outbox_store_mark_sent(options.db, row->id, NULL);
    }
    return code;
}
