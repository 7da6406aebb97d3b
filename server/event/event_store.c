/*
 * Event drafts. A change is one guarded statement. If the caller needs the row, or the reason why nothing changed, a
 * second statement of the same transaction reads the row.
 */
#include "server/event/event_store.h"

#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

/* Enums whose names the database holds. */
#define EVENT_STATUSES  (&herald__event__v1__event_status__descriptor)
#define OBJECTIVES      (&herald__event__v1__objective__descriptor)
#define STYLES          (&herald__job__v1__style__descriptor)
#define CHANNELS        (&herald__distribution__v1__channel__descriptor)
#define DELIVERY_STATES (&herald__distribution__v1__delivery_state__descriptor)

static void read_texts(struct db_row *row, struct event_draft *draft) {
    draft->id = db_get_text(row, DB_EVENT_DRAFT__ID);
    draft->user_id = db_get_text(row, DB_EVENT_DRAFT__USER_ID);
    draft->title = db_get_text(row, DB_EVENT_DRAFT__TITLE);
    draft->prize = db_get_text(row, DB_EVENT_DRAFT__PRIZE);
    draft->brand_color = db_get_text(row, DB_EVENT_DRAFT__BRAND_COLOR);
    draft->logo_url = db_get_text(row, DB_EVENT_DRAFT__LOGO_URL);
    draft->store_name = db_get_text(row, DB_EVENT_DRAFT__STORE_NAME);
    draft->store_address = db_get_text(row, DB_EVENT_DRAFT__STORE_ADDRESS);
    draft->store_phone = db_get_text(row, DB_EVENT_DRAFT__STORE_PHONE);
    draft->recommendation_id = db_get_text(row, DB_EVENT_DRAFT__RECOMMENDATION_ID);
    draft->recommendation_title = db_get_text(row, DB_EVENT_DRAFT__RECOMMENDATION_TITLE);
    draft->recommendation_summary = db_get_text(row, DB_EVENT_DRAFT__RECOMMENDATION_SUMMARY);
    draft->image_job_id = db_get_text(row, DB_EVENT_DRAFT__IMAGE_JOB_ID);
    draft->content_job_id = db_get_text(row, DB_EVENT_DRAFT__CONTENT_JOB_ID);
    draft->content_png_url = db_get_text(row, DB_EVENT_DRAFT__CONTENT_PNG_URL);
    draft->content_jpeg_url = db_get_text(row, DB_EVENT_DRAFT__CONTENT_JPEG_URL);
    draft->time_zone = db_get_text(row, DB_EVENT_DRAFT__TIME_ZONE);
}

static void read_times(struct db_row *row, struct event_draft *draft) {
    draft->created_at_us = db_get_time(row, DB_EVENT_DRAFT__CREATED_AT);
    draft->updated_at_us = db_get_time(row, DB_EVENT_DRAFT__UPDATED_AT);
    draft->approved_at_us = db_get_time(row, DB_EVENT_DRAFT__APPROVED_AT);
    draft->published_at_us = db_get_time(row, DB_EVENT_DRAFT__PUBLISHED_AT);
    draft->ended_at_us = db_get_time(row, DB_EVENT_DRAFT__ENDED_AT);
    draft->starts_at_us = db_get_time(row, DB_EVENT_DRAFT__STARTS_AT);
    draft->ends_at_us = db_get_time(row, DB_EVENT_DRAFT__ENDS_AT);
    draft->scheduled_at_us = db_get_time(row, DB_EVENT_DRAFT__SCHEDULED_AT);
}

static void read_delivery_summaries(struct db_row *row, struct event_draft *draft) {
    size_t states;
    draft->delivery_channels = db_get_names(row, DB_EVENT_DRAFT__DELIVERY_CHANNELS, CHANNELS, &draft->delivery_count);
    draft->delivery_states = db_get_names(row, DB_EVENT_DRAFT__DELIVERY_STATES, DELIVERY_STATES, &states);
    draft->tried_channels = db_get_names(row, DB_EVENT_DRAFT__TRIED_CHANNELS, CHANNELS, &draft->tried_count);
    if (states != draft->delivery_count) { /* a newer process wrote a state that this one does not know */
        draft->delivery_count = 0;
    }
}

static enum herald_code read_draft(struct db_row row, struct event_draft *ret_draft, struct herald_error *reterr) {
    struct event_draft draft = {0};
    read_texts(&row, &draft);
    draft.status = (enum event_status)db_get_name(&row, DB_EVENT_DRAFT__STATUS, EVENT_STATUSES);
    draft.objective = db_get_name(&row, DB_EVENT_DRAFT__OBJECTIVE, OBJECTIVES);
    draft.content_style = db_get_name(&row, DB_EVENT_DRAFT__CONTENT_STYLE, STYLES);
    draft.channels = db_get_names(&row, DB_EVENT_DRAFT__CHANNELS, CHANNELS, &draft.channel_count);
    read_times(&row, &draft);
    read_delivery_summaries(&row, &draft);
    draft.reconcile_attempts = (uint32_t)db_get_int(&row, DB_EVENT_DRAFT__RECONCILE_ATTEMPTS);
    draft.results = db_get_bytes(&row, DB_EVENT_DRAFT__RESULTS, &draft.results_bytes);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_draft = draft;
    }
    return code;
}

static enum herald_code read_drafts(const struct db_reply *reply, struct event_draft **ret_drafts, size_t *ret_count,
                                    struct herald_error *reterr) {
    struct arena *arena = call_arena();
    int count = db_row_count(reply, 0);
    struct event_draft *drafts = arena_calloc(arena, (size_t)count, sizeof(*drafts));
    if (!drafts) {
        return arena_full(reterr, "the events");
    }
    for (int i = 0; i < count; i++) {
        enum herald_code code = read_draft(db_row_of(reply, 0, i, arena), &drafts[i], reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    *ret_drafts = drafts;
    *ret_count = (size_t)count;
    return HERALD_OK;
}

enum herald_code event_store_not_found(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_EVENT_NOT_FOUND, "there is no such event");
}

static enum herald_code wrong_state(enum event_status status, const char *wanted, struct herald_error *reterr) {
    const char *name = db_name_of(EVENT_STATUSES, (int)status);
    return herald_error_set(reterr, HERALD_REASON_WRONG_STATE, "the event is %s, not %s",
                            name ? name : "in an unknown state", wanted);
}

/* Says why a change of a draft changed nothing, from the row that statement number @index has loaded. */
static enum herald_code refuse_no_draft(const struct db_reply *reply, unsigned index, struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return event_store_not_found(reterr);
    }
    struct db_row row = db_row_of(reply, index, 0, NULL);
    enum event_status status = (enum event_status)db_get_name(&row, DB_EVENT_DRAFT__STATUS, EVENT_STATUSES);
    enum herald_code code = db_row_end(&row, reterr);
    return code == HERALD_OK ? wrong_state(status, "DRAFT", reterr) : code;
}

void event_store_add_load(struct db_batch *batch, const char *id, const char *user_id) {
    db_add(batch, DB_QUERY_EVENT_LOAD);
    db_put_text(batch, id);
    db_put_text(batch, user_id);
}

/* ---- drafting ---- */

TASK_FN enum herald_code event_store_create(struct db *db, const struct event_draft *draft,
                                            const struct idempotency_row *once, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_INSERT);
    const char *base[] = {draft->id,         draft->user_id,       draft->title,
                          draft->prize,      draft->brand_color,   draft->logo_url,
                          draft->store_name, draft->store_address, draft->store_phone};
    for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
        db_put_text(&batch, base[i] ? base[i] : "");
    }
    db_put_text(&batch, db_name_of(OBJECTIVES, draft->objective));
    db_put_text_or_null(&batch, draft->recommendation_id);
    db_put_text(&batch, draft->recommendation_title ? draft->recommendation_title : "");
    db_put_text(&batch, draft->recommendation_summary ? draft->recommendation_summary : "");
    db_put_text_or_null(&batch, draft->image_job_id);
    db_put_text_or_null(&batch, draft->content_job_id);
    db_put_text(&batch, db_name_of(STYLES, draft->content_style));
    db_put_text(&batch, draft->content_png_url ? draft->content_png_url : "");
    db_put_text(&batch, draft->content_jpeg_url ? draft->content_jpeg_url : "");
    db_put_time(&batch, draft->created_at_us);
    db_put_time(&batch, draft->updated_at_us);
    db_put_time(&batch, draft->starts_at_us);
    db_put_time(&batch, draft->ends_at_us);
    if (once) {
        db_add(&batch, DB_QUERY_IDEMPOTENCY_INSERT);
        idempotency_store_put(&batch, once);
    }
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

enum herald_code event_store_read_load(const struct db_reply *reply, unsigned index, struct event_draft *ret_draft,
                                       struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return event_store_not_found(reterr);
    }
    return read_draft(db_row_of(reply, index, 0, call_arena()), ret_draft, reterr);
}

TASK_FN enum herald_code event_store_load(struct db *db, const char *id, const char *user_id,
                                          struct event_draft *ret_draft, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    event_store_add_load(&batch, id, user_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    return event_store_read_load(&reply, 0, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_list(struct db *db, const char *user_id, int status, const char *query,
                                          int64_t before_us, const char *before_id, unsigned limit,
                                          struct event_draft **ret_drafts, size_t *ret_count,
                                          struct herald_error *reterr) {
    bool from_newest = !before_id || before_id[0] == '\0';
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, status ? DB_QUERY_EVENT_LIST_BY_STATUS : DB_QUERY_EVENT_LIST);
    db_put_text(&batch, user_id);
    db_put_time(&batch, from_newest ? 0 : before_us);
    db_put_text(&batch, from_newest ? NULL : before_id);
    db_put_bigint(&batch, limit);
    if (status) {
        db_put_text(&batch, db_name_of(EVENT_STATUSES, status));
    }
    db_put_text(&batch, query);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? read_drafts(&reply, ret_drafts, ret_count, reterr) : code;
}

/*
 * Adds a read of the row to a guarded change of one event, runs both, and reports the result.
 *
 * @wanted  state that the change needs, for the message
 * @done    state that counts as changed already; 0: none
 */
TASK_FN static enum herald_code run_change(struct db *db, struct db_batch *batch, const char *id, const char *user_id,
                                           const char *wanted, int done, struct event_draft *ret_draft,
                                           struct herald_error *reterr) {
    event_store_add_load(batch, id, user_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (db_row_count(&reply, 1) == 0) {
        return event_store_not_found(reterr);
    }
    struct event_draft draft;
    code = read_draft(db_row_of(&reply, 1, 0, call_arena()), &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (db_changed_count(&reply, 0) == 0 && (int)draft.status != done) {
        return wrong_state(draft.status, wanted, reterr);
    }
    *ret_draft = draft;
    return HERALD_OK;
}

/* Begins a batch with a statement whose first parameters are the event's id and its user, or its holder. */
static void begin_event_batch(struct db_batch *batch, enum db_query query, const char *id, const char *whose) {
    db_batch_init(batch);
    db_add(batch, query);
    db_put_text(batch, id);
    db_put_text(batch, whose);
}

TASK_FN enum herald_code event_store_set_objective(struct db *db, const char *id, const char *user_id, int objective,
                                                   struct event_draft *ret_draft, struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_SET_OBJECTIVE, id, user_id);
    db_put_text(&batch, db_name_of(OBJECTIVES, objective));
    return run_change(db, &batch, id, user_id, "DRAFT", 0, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_set_recommendation(struct db *db, const char *id, const char *user_id,
                                                        const char *recommendation_id, const char *title,
                                                        const char *summary, struct event_draft *ret_draft,
                                                        struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_SET_RECOMMENDATION, id, user_id);
    db_put_text(&batch, recommendation_id);
    db_put_text(&batch, title ? title : "");
    db_put_text(&batch, summary ? summary : "");
    return run_change(db, &batch, id, user_id, "DRAFT", 0, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_set_content(struct db *db, const char *id, const char *user_id, const char *job_id,
                                                 int style, const char *png_url, const char *jpeg_url,
                                                 struct event_draft *ret_draft, struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_SET_CONTENT, id, user_id);
    db_put_text(&batch, job_id);
    db_put_text(&batch, db_name_of(STYLES, style));
    db_put_text(&batch, png_url ? png_url : "");
    db_put_text(&batch, jpeg_url ? jpeg_url : "");
    return run_change(db, &batch, id, user_id, "DRAFT", 0, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_set_period(struct db *db, const char *id, const char *user_id,
                                                int64_t starts_at_us, int64_t ends_at_us, struct event_draft *ret_draft,
                                                struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_SET_PERIOD, id, user_id);
    db_put_time(&batch, starts_at_us);
    db_put_time(&batch, ends_at_us);
    return run_change(db, &batch, id, user_id, "DRAFT", 0, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_set_image_job(struct db *db, const char *id, const char *user_id,
                                                   const char *job_id, const struct idempotency_row *once,
                                                   struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_SET_IMAGE_JOB, id, user_id);
    db_put_text(&batch, job_id);
    idempotency_store_put(&batch, once);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t changed = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_EVENT_SET_IMAGE_JOB__CHANGED, &changed, reterr);
    }
    if (code != HERALD_OK || changed > 0) {
        return code;
    }
    struct event_draft draft;
    code = event_store_load(db, id, user_id, &draft, reterr);
    return code == HERALD_OK ? wrong_state(draft.status, "DRAFT", reterr) : code;
}

TASK_FN enum herald_code event_store_delete(struct db *db, const char *id, const char *user_id,
                                            struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_DELETE, id, user_id);
    event_store_add_load(&batch, id, user_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK || db_changed_count(&reply, 0) > 0) {
        return code;
    }
    return refuse_no_draft(&reply, 1, reterr);
}

/* ---- publishing ---- */

/* Says why an approval changed nothing. */
static enum herald_code refuse_approval(const struct event_approval *approval, bool is_found, bool is_zone_known,
                                        struct herald_error *reterr) {
    if (!is_found) {
        return event_store_not_found(reterr);
    }
    if (is_zone_known) {
        return herald_error_set(reterr, HERALD_REASON_EVENT_MOVED,
                                "the event is not a draft that can be published any more");
    }
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "there is no time zone '%s'", approval->time_zone);
    herald_error_add_detail(reterr, "timeZone", HERALD_REASON_UNKNOWN_VALUE,
                            "is no IANA name of a time zone, such as Asia/Seoul");
    return code;
}

TASK_FN enum herald_code event_store_approve(struct db *db, const struct event_approval *approval,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_APPROVE, approval->id, approval->user_id);
    if (!db_put_names(&batch, call_arena(), CHANNELS, approval->channels, approval->channel_count)) {
        return arena_full(reterr, "the channels");
    }
    db_put_time(&batch, approval->approved_at_us);
    db_put_text(&batch, approval->holder);
    db_put_time(&batch, approval->holder ? 0 : approval->scheduled_at_us);
    db_put_time(&batch, approval->scheduled_at_us);
    db_put_text(&batch, approval->time_zone);
    outbox_store_put(&batch, approval->event_created);
    idempotency_store_put_claim(&batch, approval->claim);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct db_row row = db_row_of(&reply, 0, 0, NULL);
    bool is_changed = db_get_int(&row, DB_EVENT_APPROVE__CHANGED) != 0;
    bool is_found = db_get_int(&row, DB_EVENT_APPROVE__FOUND) != 0;
    bool is_zone_known = db_get_int(&row, DB_EVENT_APPROVE__ZONE_KNOWN) != 0;
    code = db_row_end(&row, reterr);
    return code != HERALD_OK || is_changed ? code : refuse_approval(approval, is_found, is_zone_known, reterr);
}

TASK_FN enum herald_code event_store_activate(struct db *db, const char *id, const char *user_id,
                                              const uint8_t *results, size_t results_bytes,
                                              const struct event_call *call, const struct outbox_row *cache_delete,
                                              const struct idempotency_row *once, struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_ACTIVATE, id, user_id);
    db_put_bytes(&batch, results, results_bytes);
    outbox_store_put(&batch, cache_delete);
    idempotency_store_put(&batch, once);
    db_put_time(&batch, call->ended_at_us);
    db_put_text(&batch, call->by);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct db_row row = db_row_of(&reply, 0, 0, NULL);
    bool is_changed = db_get_int(&row, DB_EVENT_ACTIVATE__CHANGED) != 0;
    bool is_stored = db_get_int(&row, DB_EVENT_ACTIVATE__STORED) != 0;
    code = db_row_end(&row, reterr);
    if (code == HERALD_OK && !is_changed) {
        return herald_error_set(reterr, HERALD_REASON_EVENT_MOVED, "the event is not APPROVED any more");
    }
    if (code == HERALD_OK && once && !is_stored) {
        return herald_error_set(reterr, HERALD_REASON_IDEMPOTENCY_KEY_EXISTS,
                                "the event is ACTIVE, and the idempotency key is answered or another request's");
    }
    return code;
}

TASK_FN enum herald_code event_store_end(struct db *db, const char *id, const char *user_id,
                                         struct event_draft *ret_draft, struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_END, id, user_id);
    return run_change(db, &batch, id, user_id, "ACTIVE", EVENT_ENDED, ret_draft, reterr);
}

TASK_FN enum herald_code event_store_purpose(struct db *db, const char *user_id, int *ret_objective,
                                             const char **ret_id, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_PURPOSE);
    db_put_text(&batch, user_id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int objective = 0;
    const char *id = "";
    if (db_row_count(&reply, 0) > 0) {
        struct db_row row = db_row_of(&reply, 0, 0, call_arena());
        id = db_get_text(&row, DB_EVENT_PURPOSE__ID);
        objective = db_get_name(&row, DB_EVENT_PURPOSE__OBJECTIVE, OBJECTIVES);
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_objective = objective;
        *ret_id = id;
    }
    return code;
}

TASK_FN enum herald_code event_store_end_due(struct db *db, unsigned *ret_count, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_END_DUE);
    db_put_bigint(&batch, EVENT_END_ROWS);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        *ret_count = (unsigned)db_changed_count(&reply, 0);
    }
    return code;
}

/* ---- claims ---- */

static enum herald_code event_is_held(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_EVENT_LEASED, "another call is publishing the event");
}

TASK_FN enum herald_code event_store_due(struct db *db, unsigned limit, const char *const **ret_ids, size_t *ret_count,
                                         struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_EVENT_DUE);
    db_put_bigint(&batch, limit);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int count = db_row_count(&reply, 0);
    const char **ids = arena_calloc(call_arena(), (size_t)count, sizeof(*ids));
    if (!ids) {
        return arena_full(reterr, "the events");
    }
    for (int i = 0; code == HERALD_OK && i < count; i++) {
        struct db_row row = db_row_of(&reply, 0, i, call_arena());
        ids[i] = db_get_text(&row, DB_EVENT_DUE__ID);
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_ids = ids;
        *ret_count = (size_t)count;
    }
    return code;
}

TASK_FN enum herald_code event_store_take(struct db *db, const char *id, const char *holder,
                                          struct event_draft *ret_draft, struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_TAKE, id, holder);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    return db_row_count(&reply, 0) == 0 ? event_is_held(reterr)
                                        : read_draft(db_row_of(&reply, 0, 0, call_arena()), ret_draft, reterr);
}

TASK_FN enum herald_code event_store_claim(struct db *db, const char *id, const char *holder,
                                           struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_CLAIM, id, holder);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK && db_changed_count(&reply, 0) == 0 ? event_is_held(reterr) : code;
}

TASK_FN enum herald_code event_store_make_due(struct db *db, const char *id, const char *user_id,
                                              struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_MAKE_DUE, id, user_id);
    DB_REPLY struct db_reply reply = {0};
    return db_run(db, &batch, &reply, reterr);
}

TASK_FN enum herald_code event_store_unclaim(struct db *db, const char *id, const char *holder, uint32_t due_in_ms,
                                             const struct event_call *call, bool *ret_held,
                                             struct herald_error *reterr) {
    struct db_batch batch;
    begin_event_batch(&batch, DB_QUERY_EVENT_UNCLAIM, id, holder);
    if (due_in_ms == EVENT_NEVER_DUE) {
        db_put_null(&batch);
    } else {
        db_put_bigint(&batch, due_in_ms);
    }
    db_put_time(&batch, call ? call->ended_at_us : 0);
    db_put_text(&batch, call ? call->reason : "");
    db_put_text(&batch, call ? call->message : "");
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t released = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_EVENT_UNCLAIM__RELEASED, &released, reterr);
    }
    if (code == HERALD_OK && ret_held) {
        *ret_held = released > 0;
    }
    return code;
}
