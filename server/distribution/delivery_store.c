/*
 * Distributions and deliveries. A change is one guarded statement. Changes of several deliveries travel as arrays, one
 * for each column.
 */
#include "server/distribution/delivery_store.h"

#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/store/postgres/array.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <string.h>

/* Enums whose names the database holds. */
#define CHANNELS (&herald__distribution__v1__channel__descriptor)
#define STATES   (&herald__distribution__v1__delivery_state__descriptor)

/* Adds a statement whose first parameter is the event. */
static void add_for_event(struct db_batch *batch, enum db_query query, const char *event_id) {
    db_add(batch, query);
    db_put_text(batch, event_id);
}

/* ---- opening ---- */

struct plan_arrays {
    struct db_array channels, states, next_in_ms, reasons, messages, step_ids;
};

static void fill_plan_arrays(struct plan_arrays *arrays, const struct delivery_plan *plans, size_t count) {
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&arrays->channels, db_name_of(CHANNELS, plans[i].channel));
        db_array_add_text(&arrays->states, db_name_of(STATES, plans[i].state));
        if (plans[i].claimed) {
            db_array_add_null(&arrays->next_in_ms);
        } else {
            db_array_add_bigint(&arrays->next_in_ms, (int64_t)plans[i].next_in_ms);
        }
        db_array_add_text(&arrays->reasons, plans[i].reason);
        db_array_add_text(&arrays->messages, plans[i].message);
        db_array_add_text(&arrays->step_ids, plans[i].step_id ? plans[i].step_id : "");
    }
}

static bool put_plans(struct db_batch *batch, const struct delivery_plan *plans, size_t count) {
    struct arena *arena = call_arena();
    struct plan_arrays arrays = {
        .channels = db_array_begin(arena),
        .states = db_array_begin(arena),
        .next_in_ms = db_array_begin(arena),
        .reasons = db_array_begin(arena),
        .messages = db_array_begin(arena),
        .step_ids = db_array_begin(arena),
    };
    fill_plan_arrays(&arrays, plans, count);
    bool complete = db_put_array(batch, &arrays.channels);
    complete &= db_put_array(batch, &arrays.states);
    complete &= db_put_array(batch, &arrays.next_in_ms);
    complete &= db_put_array(batch, &arrays.reasons);
    complete &= db_put_array(batch, &arrays.messages);
    complete &= db_put_array(batch, &arrays.step_ids);
    return complete;
}

TASK_FN enum herald_code delivery_store_open(struct db *db, const struct distribution_row *row,
                                             const struct delivery_plan *plans, size_t count, const char *holder,
                                             const struct riding_signature *signature, bool *ret_made, bool *ret_signed,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_OPEN, row->event_id);
    db_put_text(&batch, row->id);
    db_put_text(&batch, row->owner);
    db_put_bytes(&batch, row->content, row->content_bytes);
    db_put_time(&batch, row->scheduled_at_us);
    db_put_text(&batch, row->time_zone);
    db_put_time(&batch, row->expires_at_us);
    if (!put_plans(&batch, plans, count)) {
        return arena_full(reterr, "the deliveries");
    }
    db_put_text(&batch, holder);
    db_put_time(&batch, row->created_at_us);
    if (signature) {
        db_put_bytes(&batch, signature->id, signature->id_bytes);
        db_put_time(&batch, signature->memory_before_us);
    } else {
        db_put_null(&batch);
        db_put_null(&batch);
    }
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct db_row opened = db_row_of(&reply, 0, 0, NULL);
    bool is_made = db_get_int(&opened, DB_DISTRIBUTION_OPEN__MADE) != 0;
    bool is_signed = db_get_int(&opened, DB_DISTRIBUTION_OPEN__SIGNED) != 0;
    code = db_row_end(&opened, reterr);
    if (code == HERALD_OK) {
        *ret_made = is_made;
    }
    if (code == HERALD_OK && ret_signed) {
        *ret_signed = is_signed;
    }
    return code;
}

/* ---- reading ---- */

static enum herald_code read_distribution(struct db_row row, struct distribution_row *ret_row,
                                          struct herald_error *reterr) {
    struct distribution_row distribution = {
        .id = db_get_text(&row, DB_DISTRIBUTION_LOAD__ID),
        .event_id = db_get_text(&row, DB_DISTRIBUTION_LOAD__EVENT_ID),
        .owner = db_get_text(&row, DB_DISTRIBUTION_LOAD__OWNER),
        .unsettled = (uint32_t)db_get_int(&row, DB_DISTRIBUTION_LOAD__UNSETTLED),
        .version = (uint64_t)db_get_int(&row, DB_DISTRIBUTION_LOAD__VERSION),
        .created_at_us = db_get_time(&row, DB_DISTRIBUTION_LOAD__CREATED_AT),
        .completed_at_us = db_get_time(&row, DB_DISTRIBUTION_LOAD__COMPLETED_AT),
        .scheduled_at_us = db_get_time(&row, DB_DISTRIBUTION_LOAD__SCHEDULED_AT),
        .expires_at_us = db_get_time(&row, DB_DISTRIBUTION_LOAD__EXPIRES_AT),
        .time_zone = db_get_text(&row, DB_DISTRIBUTION_LOAD__TIME_ZONE),
    };
    distribution.channels = db_get_names(&row, DB_DISTRIBUTION_LOAD__CHANNELS, CHANNELS, &distribution.channel_count);
    distribution.content = db_get_bytes(&row, DB_DISTRIBUTION_LOAD__CONTENT, &distribution.content_bytes);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = distribution;
    }
    return code;
}

static enum herald_code read_delivery(struct db_row row, struct delivery_row *ret_row, struct herald_error *reterr) {
    struct delivery_row delivery = {
        .channel = db_get_name(&row, DB_DELIVERY_LIST__CHANNEL, CHANNELS),
        .state = db_get_name(&row, DB_DELIVERY_LIST__STATE, STATES),
        .settled = db_get_int(&row, DB_DELIVERY_LIST__SETTLED) != 0,
        .remote_id = db_get_text(&row, DB_DELIVERY_LIST__REMOTE_ID),
        .step_id = db_get_text(&row, DB_DELIVERY_LIST__STEP_ID),
        .post_url = db_get_text(&row, DB_DELIVERY_LIST__POST_URL),
        .reason = db_get_text(&row, DB_DELIVERY_LIST__REASON),
        .message = db_get_text(&row, DB_DELIVERY_LIST__MESSAGE),
        .attempts = (uint32_t)db_get_int(&row, DB_DELIVERY_LIST__ATTEMPTS),
        .failures = (uint32_t)db_get_int(&row, DB_DELIVERY_LIST__FAILURES),
        .next_at_us = db_get_time(&row, DB_DELIVERY_LIST__NEXT_AT),
        .expires_at_us = db_get_time(&row, DB_DELIVERY_LIST__EXPIRES_AT),
        .started_at_us = db_get_time(&row, DB_DELIVERY_LIST__STARTED_AT),
        .finished_at_us = db_get_time(&row, DB_DELIVERY_LIST__FINISHED_AT),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = delivery;
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

TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_row,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_LOAD, event_id);
    add_for_event(&batch, DB_QUERY_DELIVERY_LIST, event_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (db_row_count(&reply, 0) == 0) {
        return herald_error_set(reterr, HERALD_REASON_DISTRIBUTION_NOT_FOUND, DISTRIBUTION_NOT_FOUND_TEXT);
    }
    struct distribution_row row;
    code = read_distribution(db_row_of(&reply, 0, 0, call_arena()), &row, reterr);
    if (code == HERALD_OK) {
        code = read_deliveries(&reply, 1, ret_deliveries, ret_count, reterr);
    }
    if (code == HERALD_OK) {
        *ret_row = row;
    }
    return code;
}

/* ---- taking ---- */

static enum herald_code read_taken(struct db_row row, struct taken_delivery *ret_taken, struct herald_error *reterr) {
    struct taken_delivery taken = {
        .delivery =
            {
                .channel = db_get_name(&row, DB_DELIVERY_TAKE__CHANNEL, CHANNELS),
                .state = db_get_name(&row, DB_DELIVERY_TAKE__STATE, STATES),
                .remote_id = db_get_text(&row, DB_DELIVERY_TAKE__REMOTE_ID),
                .step_id = db_get_text(&row, DB_DELIVERY_TAKE__STEP_ID),
                .post_url = "",
                .reason = db_get_text(&row, DB_DELIVERY_TAKE__REASON),
                .message = db_get_text(&row, DB_DELIVERY_TAKE__MESSAGE),
                .attempts = (uint32_t)db_get_int(&row, DB_DELIVERY_TAKE__ATTEMPTS),
                .failures = (uint32_t)db_get_int(&row, DB_DELIVERY_TAKE__FAILURES),
                .expires_at_us = db_get_time(&row, DB_DELIVERY_TAKE__EXPIRES_AT),
                .started_at_us = db_get_time(&row, DB_DELIVERY_TAKE__STARTED_AT),
            },
        .expired = db_get_int(&row, DB_DELIVERY_TAKE__EXPIRED) != 0,
        .distribution_id = db_get_text(&row, DB_DELIVERY_TAKE__ID),
        .event_id = db_get_text(&row, DB_DELIVERY_TAKE__EVENT_ID),
        .owner = db_get_text(&row, DB_DELIVERY_TAKE__OWNER),
    };
    taken.content = db_get_bytes(&row, DB_DELIVERY_TAKE__CONTENT, &taken.content_bytes);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_taken = taken;
    }
    return code;
}

static bool put_wants(struct db_batch *batch, const struct delivery_want *wants, size_t count) {
    struct db_array channels = db_array_begin(call_arena()), most = db_array_begin(call_arena()),
                    steps = db_array_begin(call_arena()), probes = db_array_begin(call_arena());
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&channels, db_name_of(CHANNELS, wants[i].channel));
        db_array_add_bigint(&most, wants[i].most);
        db_array_add_bool(&steps, wants[i].has_steps);
        db_array_add_bool(&probes, wants[i].is_probe);
    }
    bool complete = db_put_array(batch, &channels);
    complete &= db_put_array(batch, &most);
    complete &= db_put_array(batch, &steps);
    complete &= db_put_array(batch, &probes);
    return complete;
}

TASK_FN enum herald_code delivery_store_take(struct db *db, const char *holder, const struct delivery_want *wants,
                                             size_t want_count, struct taken_delivery **ret_taken, size_t *ret_count,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_TAKE);
    db_put_text(&batch, holder);
    if (!put_wants(&batch, wants, want_count)) {
        return arena_full(reterr, "the channels");
    }
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct arena *arena = call_arena();
    int count = db_row_count(&reply, 0);
    struct taken_delivery *taken = arena_calloc(arena, (size_t)count, sizeof(*taken));
    if (!taken) {
        return arena_full(reterr, "the deliveries");
    }
    for (int i = 0; i < count && code == HERALD_OK; i++) {
        code = read_taken(db_row_of(&reply, 0, i, arena), &taken[i], reterr);
    }
    if (code == HERALD_OK) {
        *ret_taken = taken;
        *ret_count = (size_t)count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_expire(struct db *db, uint32_t limit, uint32_t report_ms,
                                               struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_TAKE_EXPIRED);
    db_put_bigint(&batch, limit);
    db_put_bigint(&batch, report_ms);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

/* ---- finishing ---- */

/* The columns of delivery_finish.sql's changes, in its order. */
#define CHANGE_COLUMNS(X)                                                                                              \
    X(event_ids)                                                                                                       \
    X(channels)                                                                                                        \
    X(attempts)                                                                                                        \
    X(states)                                                                                                          \
    X(settled)                                                                                                         \
    X(stays)                                                                                                           \
    X(remote_ids) X(step_ids) X(post_urls) X(reasons) X(messages) X(failures) X(next_in_ms) X(started) X(finished)
#define CHANGE_COLUMN(name) struct db_array name;

struct change_arrays {
    CHANGE_COLUMNS(CHANGE_COLUMN)
};

static void add_change(struct change_arrays *arrays, const struct delivery_change *change) {
    const struct delivery_row *row = change->row;
    db_array_add_text(&arrays->event_ids, change->event_id);
    db_array_add_text(&arrays->channels, db_name_of(CHANNELS, row->channel));
    db_array_add_bigint(&arrays->attempts, row->attempts);
    db_array_add_text(&arrays->states, db_name_of(STATES, row->state));
    db_array_add_bool(&arrays->settled, row->settled);
    db_array_add_bool(&arrays->stays, change->stays);
    db_array_add_text(&arrays->remote_ids, row->remote_id);
    db_array_add_text(&arrays->step_ids, row->step_id);
    db_array_add_text(&arrays->post_urls, row->post_url);
    db_array_add_text(&arrays->reasons, row->reason);
    db_array_add_text(&arrays->messages, row->message);
    db_array_add_bigint(&arrays->failures, row->failures);
    if (change->stays || row->settled) {
        db_array_add_null(&arrays->next_in_ms);
    } else {
        db_array_add_bigint(&arrays->next_in_ms, (int64_t)change->next_in_ms);
    }
    db_array_add_bigint(&arrays->started, row->started_at_us);
    if (row->finished_at_us == 0) {
        db_array_add_null(&arrays->finished);
    } else {
        db_array_add_bigint(&arrays->finished, row->finished_at_us);
    }
}

#define BEGIN_COLUMN(name) arrays.name = db_array_begin(call_arena());
#define PUT_COLUMN(name)   complete &= db_put_array(batch, &arrays.name);

static bool put_changes(struct db_batch *batch, const struct delivery_change *changes, size_t count) {
    struct change_arrays arrays;
    bool complete = true;
    CHANGE_COLUMNS(BEGIN_COLUMN)
    for (size_t i = 0; i < count; i++) {
        add_change(&arrays, &changes[i]);
    }
    CHANGE_COLUMNS(PUT_COLUMN)
    return complete;
}

static bool put_records(struct db_batch *batch, const struct completed_record *records, size_t count) {
    static const struct outbox_row none = {.topic = "", .ce_type = "", .ce_source = "", .content_type = ""};
    const struct outbox_row *common = count > 0 ? &records[0].row : &none;
    struct db_array event_ids = db_array_begin(call_arena()), values = db_array_begin(call_arena());
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&event_ids, records[i].event_id);
        db_array_add_bytes(&values, records[i].row.value, records[i].row.value_bytes);
    }
    bool complete = db_put_array(batch, &event_ids);
    complete &= db_put_array(batch, &values);
    db_put_text(batch, common->topic);
    db_put_text(batch, common->ce_type);
    db_put_text(batch, common->ce_source);
    db_put_text(batch, common->content_type);
    db_put_time(batch, common->ce_time_us);
    db_put_bigint(batch, common->delay_ms);
    return complete;
}

/* Finds the change that a returned row is about. */
static struct change_result *result_of_change(const struct delivery_change *changes, struct change_result *results,
                                              size_t count, const char *event_id, int channel) {
    for (size_t i = 0; i < count; i++) {
        if (changes[i].row->channel == channel && strcmp(changes[i].event_id, event_id) == 0) {
            return &results[i];
        }
    }
    return NULL;
}

static enum herald_code read_change_results(const struct db_reply *reply, const struct delivery_change *changes,
                                            size_t count, struct change_result *results, struct herald_error *reterr) {
    memset(results, 0, count * sizeof(*results));
    for (int i = 0; i < db_row_count(reply, 0); i++) {
        struct db_row row = db_row_of(reply, 0, i, call_arena());
        const char *event_id = db_get_text(&row, DB_DELIVERY_FINISH__EVENT_ID);
        int channel = db_get_name(&row, DB_DELIVERY_FINISH__CHANNEL, CHANNELS);
        struct change_result found = {
            .changed = true,
            .completed = db_get_int(&row, DB_DELIVERY_FINISH__COMPLETED) != 0,
            .unsettled = (uint32_t)db_get_int(&row, DB_DELIVERY_FINISH__UNSETTLED),
            .version = (uint64_t)db_get_int(&row, DB_DELIVERY_FINISH__VERSION),
        };
        enum herald_code code = db_row_end(&row, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        struct change_result *result = result_of_change(changes, results, count, event_id, channel);
        if (result) {
            *result = found;
        }
    }
    return HERALD_OK;
}

TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *holder, const struct delivery_change *changes,
                                               size_t count, const struct completed_record *records,
                                               size_t record_count, uint32_t report_ms,
                                               struct change_result *ret_results, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_FINISH);
    if (!put_changes(&batch, changes, count) || !put_records(&batch, records, record_count)) {
        return arena_full(reterr, "the changes");
    }
    db_put_bigint(&batch, report_ms);
    db_put_text(&batch, holder);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? read_change_results(&reply, changes, count, ret_results, reterr) : code;
}

/* ---- reports and versions ---- */

TASK_FN enum herald_code delivery_store_take_reports(struct db *db, uint32_t limit, uint32_t lease_ms,
                                                     const char ***ret_event_ids, size_t *ret_count,
                                                     struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_REPORT_TAKE);
    db_put_bigint(&batch, limit);
    db_put_bigint(&batch, lease_ms);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    const char **event_ids = arena_calloc(call_arena(), count, sizeof(const char *));
    if (!event_ids) {
        return arena_full(reterr, "the reports");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        struct db_row row = db_row_of(&reply, 0, (int)i, call_arena());
        event_ids[i] = db_get_text(&row, DB_DISTRIBUTION_REPORT_TAKE__EVENT_ID);
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_event_ids = event_ids;
        *ret_count = count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_end_report(struct db *db, const char *event_id, uint64_t version,
                                                   bool completes, const struct outbox_row *record, bool *ret_stored,
                                                   struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_REPORT_END, event_id);
    db_put_bigint(&batch, (int64_t)version);
    db_put_text(&batch, completes ? "t" : "f");
    outbox_store_put(&batch, record);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t changed = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_DISTRIBUTION_REPORT_END__CHANGED, &changed, reterr);
    }
    if (code == HERALD_OK) {
        *ret_stored = changed != 0;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_versions(struct db *db, const char *const *event_ids, size_t count,
                                                 struct distribution_version **ret_versions, size_t *ret_count,
                                                 struct herald_error *reterr) {
    struct db_array ids = db_array_begin(call_arena());
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&ids, event_ids[i]);
    }
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_VERSIONS);
    if (!db_put_array(&batch, &ids)) {
        return arena_full(reterr, "the events");
    }
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t found = (size_t)db_row_count(&reply, 0);
    struct distribution_version *versions = arena_calloc(call_arena(), found, sizeof(*versions));
    if (!versions) {
        return arena_full(reterr, "the versions");
    }
    for (size_t i = 0; i < found && code == HERALD_OK; i++) {
        struct db_row row = db_row_of(&reply, 0, (int)i, call_arena());
        versions[i] = (struct distribution_version){
            .event_id = db_get_text(&row, DB_DISTRIBUTION_VERSIONS__EVENT_ID),
            .version = (uint64_t)db_get_int(&row, DB_DISTRIBUTION_VERSIONS__VERSION),
            .unsettled = (uint32_t)db_get_int(&row, DB_DISTRIBUTION_VERSIONS__UNSETTLED),
        };
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_versions = versions;
        *ret_count = found;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_held(struct db *db, const char *holder, struct held_delivery **ret_held,
                                             size_t *ret_count, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_HELD);
    db_put_text(&batch, holder);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    struct held_delivery *held = arena_calloc(call_arena(), count, sizeof(*held));
    if (!held) {
        return arena_full(reterr, "the claims");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        struct db_row row = db_row_of(&reply, 0, (int)i, call_arena());
        held[i] = (struct held_delivery){
            .event_id = db_get_text(&row, DB_DELIVERY_HELD__EVENT_ID),
            .channel = db_get_name(&row, DB_DELIVERY_HELD__CHANNEL, CHANNELS),
            .attempts = (uint32_t)db_get_int(&row, DB_DELIVERY_HELD__ATTEMPTS),
        };
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_held = held;
        *ret_count = count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_unclaim(struct db *db, const char *holder, const struct held_delivery *lost,
                                                size_t count, struct herald_error *reterr) {
    struct db_array events = db_array_begin(call_arena()), channels = db_array_begin(call_arena()),
                    attempts = db_array_begin(call_arena());
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&events, lost[i].event_id);
        db_array_add_text(&channels, db_name_of(CHANNELS, lost[i].channel));
        db_array_add_bigint(&attempts, lost[i].attempts);
    }
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_UNCLAIM);
    db_put_text(&batch, holder);
    bool complete = db_put_array(&batch, &events);
    complete &= db_put_array(&batch, &channels);
    complete &= db_put_array(&batch, &attempts);
    if (!complete) {
        return arena_full(reterr, "the claims");
    }
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

TASK_FN enum herald_code delivery_store_adopt(struct db *db, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DISTRIBUTION_ADOPT);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

/* ---- what a person does ---- */

/* Runs a batch of one statement that returns how many deliveries it has changed. */
TASK_FN static enum herald_code run_counted(struct db *db, const struct db_batch *batch, enum db_column column,
                                            uint32_t *ret_changed, struct herald_error *reterr) {
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, batch, &reply, reterr);
    int64_t changed = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, column, &changed, reterr);
    }
    if (code == HERALD_OK) {
        *ret_changed = (uint32_t)changed;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_retry(struct db *db, const char *event_id, int channel, uint64_t keep_trying_ms,
                                              uint32_t report_ms, uint32_t *ret_changed, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_RETRY, event_id);
    db_put_text(&batch, db_name_of(CHANNELS, channel));
    db_put_bigint(&batch, (int64_t)keep_trying_ms);
    db_put_bigint(&batch, report_ms);
    return run_counted(db, &batch, DB_DELIVERY_RETRY__CHANGED, ret_changed, reterr);
}

TASK_FN enum herald_code delivery_store_cancel(struct db *db, const char *event_id, int channel, uint32_t report_ms,
                                               uint32_t *ret_changed, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_CANCEL, event_id);
    db_put_text(&batch, db_name_of(CHANNELS, channel));
    db_put_bigint(&batch, report_ms);
    return run_counted(db, &batch, DB_DELIVERY_CANCEL__CHANGED, ret_changed, reterr);
}

TASK_FN enum herald_code delivery_store_schedule(struct db *db, const char *event_id, int64_t scheduled_at_us,
                                                 const char *time_zone, uint64_t keep_trying_ms, uint32_t *ret_changed,
                                                 struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DISTRIBUTION_SCHEDULE, event_id);
    db_put_time(&batch, scheduled_at_us);
    db_put_text(&batch, time_zone);
    db_put_bigint(&batch, (int64_t)keep_trying_ms);
    return run_counted(db, &batch, DB_DISTRIBUTION_SCHEDULE__CHANGED, ret_changed, reterr);
}

TASK_FN enum herald_code delivery_store_resolve(struct db *db, const char *event_id, const int *from, size_t from_count,
                                                const struct delivery_row *row, uint64_t keep_trying_ms,
                                                uint32_t report_ms, uint32_t *ret_changed,
                                                struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_RESOLVE, event_id);
    db_put_text(&batch, db_name_of(CHANNELS, row->channel));
    if (!db_put_names(&batch, call_arena(), STATES, from, from_count)) {
        return arena_full(reterr, "the states");
    }
    db_put_text(&batch, db_name_of(STATES, row->state));
    db_put_text(&batch, row->settled ? "t" : "f");
    db_put_text(&batch, row->remote_id);
    db_put_text(&batch, row->post_url);
    db_put_text(&batch, row->reason);
    db_put_text(&batch, row->message);
    db_put_bigint(&batch, (int64_t)keep_trying_ms);
    db_put_bigint(&batch, report_ms);
    return run_counted(db, &batch, DB_DELIVERY_RESOLVE__CHANGED, ret_changed, reterr);
}

/* ---- lists ---- */

static enum herald_code read_attempt(struct db_row row, struct attempt_row *ret_row, struct herald_error *reterr) {
    struct attempt_row attempt = {
        .channel = db_get_name(&row, DB_DELIVERY_ATTEMPT_LIST__CHANNEL, CHANNELS),
        .state = db_get_name(&row, DB_DELIVERY_ATTEMPT_LIST__STATE, STATES),
        .attempt = (uint32_t)db_get_int(&row, DB_DELIVERY_ATTEMPT_LIST__ATTEMPT),
        .reason = db_get_text(&row, DB_DELIVERY_ATTEMPT_LIST__REASON),
        .message = db_get_text(&row, DB_DELIVERY_ATTEMPT_LIST__MESSAGE),
        .started_at_us = db_get_time(&row, DB_DELIVERY_ATTEMPT_LIST__STARTED_AT),
        .finished_at_us = db_get_time(&row, DB_DELIVERY_ATTEMPT_LIST__FINISHED_AT),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = attempt;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_attempts(struct db *db, const char *event_id, uint32_t limit,
                                                 struct attempt_row **ret_rows, size_t *ret_count,
                                                 struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_ATTEMPT_LIST, event_id);
    db_put_bigint(&batch, limit);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    struct attempt_row *rows = arena_calloc(call_arena(), count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the attempts");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        code = read_attempt(db_row_of(&reply, 0, (int)i, call_arena()), &rows[i], reterr);
    }
    if (code == HERALD_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    return code;
}

static enum herald_code read_step(struct db_row row, struct step_row *ret_row, struct herald_error *reterr) {
    struct step_row step = {
        .channel = db_get_name(&row, DB_DELIVERY_STEP_LIST__CHANNEL, CHANNELS),
        .state = db_get_name(&row, DB_DELIVERY_STEP_LIST__STATE, STATES),
        .attempt = (uint32_t)db_get_int(&row, DB_DELIVERY_STEP_LIST__ATTEMPT),
        .step = db_get_text(&row, DB_DELIVERY_STEP_LIST__STEP),
        .reason = db_get_text(&row, DB_DELIVERY_STEP_LIST__REASON),
        .message = db_get_text(&row, DB_DELIVERY_STEP_LIST__MESSAGE),
        .started_at_us = db_get_time(&row, DB_DELIVERY_STEP_LIST__STARTED_AT),
        .finished_at_us = db_get_time(&row, DB_DELIVERY_STEP_LIST__FINISHED_AT),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = step;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_steps(struct db *db, const char *event_id, const char *distribution_id,
                                              uint32_t limit, struct step_row **ret_rows, size_t *ret_count,
                                              bool *ret_record_waits, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_for_event(&batch, DB_QUERY_DELIVERY_STEP_LIST, event_id);
    db_put_bigint(&batch, limit);
    db_add(&batch, DB_QUERY_DISTRIBUTION_RECORD);
    db_put_text(&batch, distribution_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    struct step_row *rows = arena_calloc(call_arena(), count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the steps");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        code = read_step(db_row_of(&reply, 0, (int)i, call_arena()), &rows[i], reterr);
    }
    int64_t waiting = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 1, DB_DISTRIBUTION_RECORD__WAITING, &waiting, reterr);
    }
    if (code == HERALD_OK) {
        *ret_rows = rows;
        *ret_count = count;
        *ret_record_waits = waiting != 0;
    }
    return code;
}

static enum herald_code read_unknown(struct db_row row, struct unknown_row *ret_row, struct herald_error *reterr) {
    struct unknown_row unknown = {
        .event_id = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__EVENT_ID),
        .owner = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__OWNER),
        .updated_at_us = db_get_time(&row, DB_DELIVERY_UNKNOWN_LIST__UPDATED_AT),
        .delivery =
            {
                .channel = db_get_name(&row, DB_DELIVERY_UNKNOWN_LIST__CHANNEL, CHANNELS),
                .state = db_get_name(&row, DB_DELIVERY_UNKNOWN_LIST__STATE, STATES),
                .settled = db_get_int(&row, DB_DELIVERY_UNKNOWN_LIST__SETTLED) != 0,
                .remote_id = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__REMOTE_ID),
                .step_id = "",
                .post_url = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__POST_URL),
                .reason = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__REASON),
                .message = db_get_text(&row, DB_DELIVERY_UNKNOWN_LIST__MESSAGE),
                .attempts = (uint32_t)db_get_int(&row, DB_DELIVERY_UNKNOWN_LIST__ATTEMPTS),
                .started_at_us = db_get_time(&row, DB_DELIVERY_UNKNOWN_LIST__STARTED_AT),
                .finished_at_us = db_get_time(&row, DB_DELIVERY_UNKNOWN_LIST__FINISHED_AT),
            },
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_row = unknown;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_unknown(struct db *db, int channel, const struct unknown_place *after,
                                                uint32_t limit, struct unknown_row **ret_rows, size_t *ret_count,
                                                struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_DELIVERY_UNKNOWN_LIST);
    db_put_text(&batch, db_name_of(CHANNELS, channel));
    db_put_time(&batch, after->updated_at_us);
    db_put_text(&batch, after->event_id);
    db_put_text(&batch, db_name_of(CHANNELS, after->channel));
    db_put_bigint(&batch, limit);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    struct unknown_row *rows = arena_calloc(call_arena(), count, sizeof(*rows));
    if (!rows) {
        return arena_full(reterr, "the deliveries");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        code = read_unknown(db_row_of(&reply, 0, (int)i, call_arena()), &rows[i], reterr);
    }
    if (code == HERALD_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    return code;
}

TASK_FN enum herald_code delivery_store_local_time(struct db *db, const char *time_zone, const char *local,
                                                   struct local_time *ret_time, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_LOCAL_TIME);
    db_put_text(&batch, time_zone);
    db_put_text(&batch, local);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct db_row row = db_row_of(&reply, 0, 0, call_arena());
    struct local_time time = {
        .zone_known = db_get_int(&row, DB_LOCAL_TIME__KNOWN) != 0,
        .exists = db_get_int(&row, DB_LOCAL_TIME__EXISTS_THERE) != 0,
        .twice = db_get_int(&row, DB_LOCAL_TIME__TWICE) != 0,
        .at_us = db_get_time(&row, DB_LOCAL_TIME__AT),
    };
    code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_time = time;
    }
    return code;
}
