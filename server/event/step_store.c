#include "server/event/step_store.h"

#include "herald/event/v1/event.pb-c.h"
#include "server/store/postgres/array.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#define EVENT_STATUSES (&herald__event__v1__event_status__descriptor)

static struct waiting_record read_waiting(struct db_row *row, enum db_column since, enum db_column tries,
                                          enum db_column next) {
    return (struct waiting_record){
        .since_us = db_get_time(row, since),
        .next_at_us = db_get_time(row, next),
        .tries = (uint32_t)db_get_int(row, tries),
    };
}

static enum herald_code read_progress(struct db_row row, struct event_progress *ret_progress,
                                      struct herald_error *reterr) {
    struct event_progress progress = {
        .status = (enum event_status)db_get_name(&row, DB_EVENT_STEP_LIST__STATUS, EVENT_STATUSES),
        .created_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__CREATED_AT),
        .approved_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__APPROVED_AT),
        .published_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__PUBLISHED_AT),
        .ended_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__ENDED_AT),
        .held_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__HELD_AT),
        .attend_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__ATTEND_AT),
        .holder = db_get_text(&row, DB_EVENT_STEP_LIST__HOLDER),
        .read_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__READ_AT),
        .created = read_waiting(&row, DB_EVENT_STEP_LIST__CREATED_RECORD_AT, DB_EVENT_STEP_LIST__CREATED_TRIES,
                                DB_EVENT_STEP_LIST__CREATED_NEXT_AT),
        .cache = read_waiting(&row, DB_EVENT_STEP_LIST__CACHE_RECORD_AT, DB_EVENT_STEP_LIST__CACHE_TRIES,
                              DB_EVENT_STEP_LIST__CACHE_NEXT_AT),
        .version = (uint64_t)db_get_int(&row, DB_EVENT_STEP_LIST__VERSION),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_progress = progress;
    }
    return code;
}

static enum herald_code read_event_step(struct db_row row, struct event_step *ret_step, struct herald_error *reterr) {
    struct event_step step = {
        .step = db_get_text(&row, DB_EVENT_STEP_LIST__STEP),
        .at_us = db_get_time(&row, DB_EVENT_STEP_LIST__AT),
        .ended_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__STEP_ENDED_AT),
        .next_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__NEXT_AT),
        .reason = db_get_text(&row, DB_EVENT_STEP_LIST__REASON),
        .message = db_get_text(&row, DB_EVENT_STEP_LIST__MESSAGE),
        .by = db_get_text(&row, DB_EVENT_STEP_LIST__TAKEN_BY),
    };
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_step = step;
    }
    return code;
}

/* The steps of a publish that goes well, as columns of the event: the approval, and the last call of the distribution service. */
struct event_columns {
    struct event_step approval, call; /* ended_at_us: 0: a row of event_steps has it, or there is none */
};

static enum herald_code read_columns(struct db_row row, const struct event_progress *progress,
                                     struct event_columns *ret_columns, struct herald_error *reterr) {
    struct event_columns columns = {
        .approval = {.step = EVENT_STEP_APPROVED,
                     .at_us = progress->approved_at_us,
                     .ended_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__APPROVE_ENDED_AT),
                     .by = db_get_text(&row, DB_EVENT_STEP_LIST__APPROVED_BY),
                     .reason = "",
                     .message = ""},
        .call = {.step = EVENT_STEP_DISTRIBUTE,
                 .ended_at_us = db_get_time(&row, DB_EVENT_STEP_LIST__DISTRIBUTED_AT),
                 .by = db_get_text(&row, DB_EVENT_STEP_LIST__DISTRIBUTED_BY),
                 .reason = "",
                 .message = ""},
    };
    columns.call.at_us = progress->held_at_us ? progress->held_at_us : columns.call.ended_at_us;
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_columns = columns;
    }
    return code;
}

static size_t add_step(struct event_step *steps, size_t count, const struct event_step *step) {
    if (step->ended_at_us != 0) {
        steps[count++] = *step;
    }
    return count;
}

static enum herald_code read_steps(const struct db_reply *reply, unsigned index, struct event_progress *progress,
                                   struct herald_error *reterr) {
    size_t rows = (size_t)db_row_count(reply, index);
    struct event_columns columns;
    enum herald_code code = read_columns(db_row_of(reply, index, 0, call_arena()), progress, &columns, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct event_step *steps = arena_calloc(call_arena(), rows + 2, sizeof(*steps));
    if (!steps) {
        return arena_full(reterr, "the timeline");
    }
    size_t first = add_step(steps, 0, &columns.approval), count = first;
    for (size_t i = 0; i < rows; i++) {
        code = read_event_step(db_row_of(reply, index, (int)i, call_arena()), &steps[count], reterr);
        if (code != HERALD_OK) {
            return code;
        }
        count += steps[count].step[0] != '\0'; /* the only row of an event without steps has none */
    }
    progress->version += count - first;
    progress->steps = steps;
    progress->step_count = add_step(steps, count, &columns.call); /* after those that failed */
    return HERALD_OK;
}

void step_store_add_progress(struct db_batch *batch, const char *id, const char *user_id, const char *topic) {
    db_add(batch, DB_QUERY_EVENT_STEP_LIST);
    db_put_text(batch, id);
    db_put_text(batch, user_id);
    db_put_text(batch, topic);
}

enum herald_code step_store_read_progress(const struct db_reply *reply, unsigned index,
                                          struct event_progress *ret_progress, struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return event_store_not_found(reterr);
    }
    struct event_progress progress;
    enum herald_code code = read_progress(db_row_of(reply, index, 0, call_arena()), &progress, reterr);
    if (code == HERALD_OK) {
        code = read_steps(reply, index, &progress, reterr);
    }
    if (code == HERALD_OK) {
        *ret_progress = progress;
    }
    return code;
}

TASK_FN enum herald_code step_store_progress(struct db *db, const char *id, const char *user_id, const char *topic,
                                             struct event_progress *ret_progress, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    step_store_add_progress(&batch, id, user_id, topic);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? step_store_read_progress(&reply, 0, ret_progress, reterr) : code;
}

TASK_FN enum herald_code step_store_versions(struct db *db, const char *const *ids, size_t count,
                                             struct event_version **ret_versions, size_t *ret_count,
                                             struct herald_error *reterr) {
    struct db_array array = db_array_begin(call_arena());
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&array, ids[i]);
    }
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_VERSIONS);
    if (!db_put_array(&batch, &array)) {
        return arena_full(reterr, "the events");
    }
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t found = (size_t)db_row_count(&reply, 0);
    struct event_version *versions = arena_calloc(call_arena(), found, sizeof(*versions));
    if (!versions) {
        return arena_full(reterr, "the versions");
    }
    for (size_t i = 0; i < found && code == HERALD_OK; i++) {
        struct db_row row = db_row_of(&reply, 0, (int)i, call_arena());
        versions[i] = (struct event_version){
            .id = db_get_text(&row, DB_EVENT_VERSIONS__ID),
            .version = (uint64_t)db_get_int(&row, DB_EVENT_VERSIONS__VERSION),
            .is_approved = db_get_int(&row, DB_EVENT_VERSIONS__APPROVED) != 0,
        };
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_versions = versions;
        *ret_count = found;
    }
    return code;
}

bool step_store_add(struct db_batch *batch, const struct late_step *steps, size_t count, const char *by) {
    struct arena *arena = call_arena();
    struct db_array events = db_array_begin(arena), words = db_array_begin(arena), began = db_array_begin(arena),
                    ended = db_array_begin(arena), reasons = db_array_begin(arena), messages = db_array_begin(arena);
    for (size_t i = 0; i < count; i++) {
        db_array_add_text(&events, steps[i].event_id);
        db_array_add_text(&words, steps[i].step);
        db_array_add_bigint(&began, steps[i].at_us);
        db_array_add_bigint(&ended, steps[i].ended_at_us);
        db_array_add_text(&reasons, steps[i].reason);
        db_array_add_text(&messages, steps[i].message);
    }
    struct db_batch with = *batch;
    db_add(&with, DB_QUERY_EVENT_STEP_ADD);
    bool complete = db_put_array(&with, &events);
    complete &= db_put_array(&with, &words);
    complete &= db_put_array(&with, &began);
    complete &= db_put_array(&with, &ended);
    complete &= db_put_array(&with, &reasons);
    complete &= db_put_array(&with, &messages);
    if (complete) {
        db_put_text(&with, by);
        *batch = with;
    }
    return complete;
}
