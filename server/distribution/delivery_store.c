/*
 * Deliveries and rounds. A change is one guarded statement, or a few in one transaction. A last statement reads the row
 * after the change, or shows why nothing changed.
 */
#include "server/distribution/delivery_store.h"

#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

/* Enums whose names the database holds. */
#define CHANNELS (&herald__distribution__v1__channel__descriptor)
#define STATES   (&herald__distribution__v1__delivery_state__descriptor)

static enum herald_code read_delivery(struct db_row row, struct delivery_row *ret_row, struct herald_error *reterr) {
    struct delivery_row delivery = {
        .channel = db_get_name(&row, DB_DELIVERY__CHANNEL, CHANNELS),
        .state = db_get_name(&row, DB_DELIVERY__STATE, STATES),
        .remote_id = db_get_text(&row, DB_DELIVERY__REMOTE_ID),
        .reason = db_get_text(&row, DB_DELIVERY__REASON),
        .message = db_get_text(&row, DB_DELIVERY__MESSAGE),
        .attempts = (uint32_t)db_get_int(&row, DB_DELIVERY__ATTEMPTS),
        .started_at_us = db_get_time(&row, DB_DELIVERY__STARTED_AT),
        .finished_at_us = db_get_time(&row, DB_DELIVERY__FINISHED_AT),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = delivery;
    }
    return code;
}

static enum herald_code read_round(struct db_row row, struct distribution_row *ret_round, struct herald_error *reterr) {
    struct distribution_row round = {
        .id = db_get_text(&row, DB_DISTRIBUTION__ID),
        .event_id = db_get_text(&row, DB_DISTRIBUTION__EVENT_ID),
        .completed = db_get_int(&row, DB_DISTRIBUTION__COMPLETED) != 0,
    };
    round.channels = db_get_names(&row, DB_DISTRIBUTION__CHANNELS, CHANNELS, &round.channel_count);
    round.content = db_get_bytes(&row, DB_DISTRIBUTION__CONTENT, &round.content_bytes);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_round = round;
    }
    return code;
}

static enum herald_code read_deliveries(const struct db_reply *reply, unsigned index, struct delivery_row **ret_rows,
                                        size_t *ret_count, struct herald_error *reterr) {
    struct arena *arena = call_arena();
    int count = db_row_count(reply, index);
    struct delivery_row *rows = arena_calloc(arena, (size_t)count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the deliveries");
    }
    for (int i = 0; i < count; i++) {
        enum herald_code code = read_delivery(db_row_of(reply, index, i, arena), &rows[i], reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    *ret_rows = rows;
    *ret_count = (size_t)count;
    return HERALD_OK;
}

/* Reads distribution_last at @index and delivery_list after it. */
static enum herald_code read_round_and_deliveries(const struct db_reply *reply, unsigned index,
                                                  struct distribution_row *ret_round,
                                                  struct delivery_row **ret_deliveries, size_t *ret_count,
                                                  struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return herald_error_set(reterr, HERALD_REASON_DISTRIBUTION_NOT_FOUND, "the event was never distributed");
    }
    struct distribution_row round;
    enum herald_code code = read_round(db_row_of(reply, index, 0, call_arena()), &round, reterr);
    if (code == HERALD_OK) {
        code = read_deliveries(reply, index + 1, ret_deliveries, ret_count, reterr);
    }
    if (code == HERALD_OK) {
        *ret_round = round;
    }
    return code;
}

/* Adds a statement whose only parameter is the event. */
static void add_for_event(struct db_batch *batch, enum db_query query, const char *event_id) {
    db_add(batch, query);
    db_put_text(batch, event_id);
}

/* Keeps the deliveries of the round's channels, in the round's order. */
static void keep_channels_of(const struct distribution_row *round, struct delivery_row *deliveries, size_t *count) {
    size_t kept = 0;
    for (size_t c = 0; c < round->channel_count; c++) {
        for (size_t i = kept; i < *count; i++) {
            if (deliveries[i].channel == round->channels[c]) {
                struct delivery_row found = deliveries[i];
                deliveries[i] = deliveries[kept];
                deliveries[kept++] = found;
                break;
            }
        }
    }
    *count = kept;
}

TASK_FN enum herald_code delivery_store_open_round(struct db *db, const char *event_id, const char *new_id,
                                                   const int *channels, size_t channel_count, const uint8_t *content,
                                                   size_t content_bytes, struct distribution_row *ret_round,
                                                   struct delivery_row **ret_deliveries, size_t *ret_count,
                                                   struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_LOCK, event_id);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_LOCK_OPEN, event_id);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_OPEN, event_id);
    db_put_text(&batch, new_id);
    if (!db_put_names(&batch, call_arena(), CHANNELS, channels, channel_count)) {
        return arena_full(reterr, "the channels");
    }
    db_put_bytes(&batch, content, content_bytes);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_RETRY, event_id);
    db_put_text(&batch, new_id);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_FILL, event_id);
    unsigned last = batch.statement_count;
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_LAST, event_id);
    add_for_event(&batch, DB_QUERY_DELIVERY_LIST, event_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        code = read_round_and_deliveries(&reply, last, ret_round, ret_deliveries, ret_count, reterr);
    }
    if (code == HERALD_OK) {
        keep_channels_of(ret_round, *ret_deliveries, ret_count);
    }
    return code;
}

TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_round,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_LAST, event_id);
    add_for_event(&batch, DB_QUERY_DELIVERY_LIST, event_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? read_round_and_deliveries(&reply, 0, ret_round, ret_deliveries, ret_count, reterr)
                             : code;
}

/* Runs delivery_claim or delivery_reconcile, and reads the delivery after it. */
TASK_FN static enum herald_code run_delivery_lease(struct db *db, enum db_query query, const char *event_id,
                                                   int channel, uint32_t lease_ms, uint32_t *ret_attempt,
                                                   struct delivery_row *ret_now, struct herald_error *reterr) {
    const char *name = db_name_of(CHANNELS, channel);
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, query, event_id);
    db_put_text(&batch, name);
    db_put_bigint(&batch, lease_ms);
    add_for_event(&batch, DB_QUERY_DELIVERY_LOAD, event_id);
    db_put_text(&batch, name);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (db_row_count(&reply, 1) == 0) {
        return herald_error_set(reterr, HERALD_REASON_DELIVERY_NOT_FOUND, "the event has no delivery to %s",
                                name ? name : "an unknown channel");
    }
    struct delivery_row now;
    code = read_delivery(db_row_of(&reply, 1, 0, call_arena()), &now, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    *ret_now = now;
    if (db_changed_count(&reply, 0) == 0) {
        const char *state = db_name_of(STATES, now.state);
        return herald_error_set(reterr, HERALD_REASON_DELIVERY_MOVED, "the delivery to %s is %s and not free", name,
                                state ? state : "in an unknown state");
    }
    *ret_attempt = now.attempts;
    return HERALD_OK;
}

TASK_FN enum herald_code delivery_store_claim(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                              uint32_t *ret_attempt, struct delivery_row *ret_now,
                                              struct herald_error *reterr) {
    return run_delivery_lease(db, DB_QUERY_DELIVERY_CLAIM, event_id, channel, lease_ms, ret_attempt, ret_now, reterr);
}

TASK_FN enum herald_code delivery_store_reconcile(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                                  uint32_t *ret_attempt, struct delivery_row *ret_now,
                                                  struct herald_error *reterr) {
    return run_delivery_lease(db, DB_QUERY_DELIVERY_RECONCILE, event_id, channel, lease_ms, ret_attempt, ret_now,
                              reterr);
}

TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *event_id, uint32_t attempt,
                                               const struct delivery_row *row, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_FINISH, event_id);
    db_put_text(&batch, db_name_of(CHANNELS, row->channel));
    db_put_int(&batch, (int32_t)attempt);
    db_put_text(&batch, db_name_of(STATES, row->state));
    db_put_text(&batch, row->remote_id ? row->remote_id : "");
    db_put_text(&batch, row->reason ? row->reason : "");
    db_put_text(&batch, row->message ? row->message : "");
    db_put_time(&batch, row->started_at_us);
    db_put_time(&batch, row->finished_at_us);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t changed = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_DELIVERY_FINISH__CHANGED, &changed, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    return changed ? HERALD_OK
                   : herald_error_set(reterr, HERALD_REASON_DELIVERY_MOVED,
                                      "attempt %u is not the one under way any more", attempt);
}

TASK_FN enum herald_code delivery_store_complete_round(struct db *db, const char *round_id,
                                                       const struct outbox_row *distribution_completed,
                                                       struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_COMPLETE);
    db_put_text(&batch, round_id);
    outbox_store_put(&batch, distribution_completed);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t changed = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_DISTRIBUTION_COMPLETE__CHANGED, &changed, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    return changed ? HERALD_OK : herald_error_set(reterr, HERALD_REASON_ROUND_COMPLETED, "the round is completed");
}

TASK_FN enum herald_code delivery_store_take_open_rounds(struct db *db, uint32_t idle_ms, unsigned limit,
                                                         struct distribution_row **ret_rounds, size_t *ret_count,
                                                         struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_TAKE_OPEN);
    db_put_bigint(&batch, limit);
    db_put_bigint(&batch, idle_ms);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct arena *arena = call_arena();
    int count = db_row_count(&reply, 0);
    struct distribution_row *rounds = arena_calloc(arena, (size_t)count, sizeof(*rounds));
    if (!rounds) {
        return arena_full(reterr, "the rounds");
    }
    for (int i = 0; i < count && code == HERALD_OK; i++) {
        code = read_round(db_row_of(&reply, 0, i, arena), &rounds[i], reterr);
    }
    if (code == HERALD_OK) {
        *ret_rounds = rounds;
        *ret_count = (size_t)count;
    }
    return code;
}
