/*
 * Jobs and their pictures. A report first locks the job, then changes it by one guarded statement. So the reports of
 * one job are applied one after the other, and none is lost.
 */
#include "server/job/job_store.h"

#include "herald/job/v1/job.pb-c.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

/* Enums whose names the database holds. */
#define STATUSES (&herald__job__v1__job_status__descriptor)

static void read_picture(struct db_row *row, int style, enum db_column png_url, enum db_column jpeg_url,
                         struct job_picture *picture) {
    picture->style = db_get_null(row, png_url) ? 0 : style;
    picture->png_url = db_get_text(row, png_url);
    picture->jpeg_url = db_get_text(row, jpeg_url);
}

static void read_pictures(struct db_row *row, struct job_picture pictures[JOB_STYLES]) {
    read_picture(row, 1, DB_JOB__SIMPLE_PNG_URL, DB_JOB__SIMPLE_JPEG_URL, &pictures[0]);
    read_picture(row, 2, DB_JOB__FANCY_PNG_URL, DB_JOB__FANCY_JPEG_URL, &pictures[1]);
    read_picture(row, 3, DB_JOB__TRENDY_PNG_URL, DB_JOB__TRENDY_JPEG_URL, &pictures[2]);
}

static enum herald_code read_job(struct db_row row, struct job_row *ret_job, struct herald_error *reterr) {
    struct job_row job = {
        .id = db_get_text(&row, DB_JOB__ID),
        .event_draft_id = db_get_text(&row, DB_JOB__EVENT_DRAFT_ID),
        .user_id = db_get_text(&row, DB_JOB__USER_ID),
        .status = (enum job_status)db_get_name(&row, DB_JOB__STATUS, STATUSES),
        .progress_percent = (uint32_t)db_get_int(&row, DB_JOB__PROGRESS_PERCENT),
        .failure = db_get_text(&row, DB_JOB__FAILURE),
        .warnings = db_get_text(&row, DB_JOB__WARNINGS),
        .version = (uint64_t)db_get_int(&row, DB_JOB__VERSION),
        .attempts = (uint32_t)db_get_int(&row, DB_JOB__ATTEMPTS),
        .is_dead_letter = db_get_int(&row, DB_JOB__DEAD_LETTER) != 0,
        .created_at_us = db_get_time(&row, DB_JOB__CREATED_AT),
        .updated_at_us = db_get_time(&row, DB_JOB__UPDATED_AT),
    };
    read_pictures(&row, job.pictures);
    enum herald_code code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_job = job;
    }
    return code;
}

/* Reads the job that statement number @index has loaded. */
static enum herald_code read_loaded(const struct db_reply *reply, unsigned index, struct job_row *ret_job,
                                    struct herald_error *reterr) {
    if (db_row_count(reply, index) == 0) {
        return herald_error_set(reterr, HERALD_REASON_JOB_NOT_FOUND, "there is no such job");
    }
    return read_job(db_row_of(reply, index, 0, call_arena()), ret_job, reterr);
}

TASK_FN enum herald_code job_store_create(struct db *db, const struct job_row *job, const struct outbox_row *image_job,
                                          const struct idempotency_row *once, uint64_t resend_ms,
                                          int64_t *ret_created_at_us, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_JOB_INSERT);
    db_put_text(&batch, job->id);
    db_put_text(&batch, job->event_draft_id);
    db_put_text(&batch, job->user_id);
    db_put_time(&batch, job->created_at_us);
    db_put_bigint(&batch, (int64_t)resend_ms);
    outbox_store_put(&batch, image_job);
    idempotency_store_put(&batch, once);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK || !ret_created_at_us) {
        return code;
    }
    struct db_row row = db_row_of(&reply, 0, 0, NULL);
    int64_t created_at_us = db_get_time(&row, DB_JOB_INSERT__CREATED_AT);
    code = db_row_end(&row, reterr);
    if (code == HERALD_OK) {
        *ret_created_at_us = created_at_us;
    }
    return code;
}

TASK_FN enum herald_code job_store_load(struct db *db, const char *id, struct job_row *ret_job,
                                        struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_JOB_LOAD);
    db_put_text(&batch, id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    return code == HERALD_OK ? read_loaded(&reply, 0, ret_job, reterr) : code;
}

static void put_pictures(struct db_batch *batch, const struct job_picture *pictures, size_t count) {
    for (int style = 1; style <= JOB_STYLES; style++) {
        const struct job_picture *first = NULL;
        for (size_t i = 0; i < count && !first; i++) {
            first = pictures[i].style == style ? &pictures[i] : NULL;
        }
        db_put_text(batch, first ? first->png_url : NULL);
        db_put_text(batch, first && first->jpeg_url ? first->jpeg_url : "");
    }
}

/* Counts the attempt, or nothing. */
static void add_attempt(struct db_batch *batch, const char *id, const struct job_attempt *attempt) {
    if (attempt) {
        db_add(batch, DB_QUERY_JOB_ATTEMPT);
        db_put_text(batch, id);
        db_put_text(batch, attempt->id);
        db_put_int(batch, attempt->given_back);
    }
}

TASK_FN enum herald_code job_store_report(struct db *db, const char *id, const struct job_attempt *attempt,
                                          enum job_status status, uint32_t progress_percent,
                                          const struct job_picture *pictures, size_t picture_count, const char *failure,
                                          const char *warnings, struct job_row *ret_job, bool *ret_changed,
                                          struct herald_error *reterr) {
    const bool is_end = attempt && status == JOB_FAILED; /* of this attempt: none begins */
    const unsigned report = attempt && !is_end ? 2 : 1;  /* number of its statement */
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_JOB_LOCK);
    db_put_text(&batch, id);
    add_attempt(&batch, id, is_end ? NULL : attempt);
    db_add(&batch, DB_QUERY_JOB_REPORT);
    db_put_text(&batch, id);
    db_put_text(&batch, db_name_of(STATUSES, (int)status));
    db_put_int(&batch, progress_percent < 100 ? (int32_t)progress_percent : 100);
    db_put_text(&batch, failure ? failure : "");
    put_pictures(&batch, pictures, picture_count);
    db_put_text(&batch, warnings ? warnings : "");
    db_put_text(&batch, is_end ? attempt->id : NULL);
    db_add(&batch, DB_QUERY_JOB_LOAD);
    db_put_text(&batch, id);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct db_row verdict = db_row_of(&reply, report, 0, NULL);
    bool is_refused = db_get_int(&verdict, DB_JOB_REPORT__REFUSED) != 0;
    bool is_changed = db_get_int(&verdict, DB_JOB_REPORT__CHANGED) != 0;
    code = db_row_end(&verdict, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (is_refused) {
        return herald_error_set(reterr, HERALD_REASON_PICTURES_MISSING,
                                "a job is COMPLETED only with its three pictures");
    }
    code = read_loaded(&reply, report + 1, ret_job, reterr);
    if (code == HERALD_OK) {
        *ret_changed = is_changed;
    }
    return code;
}

TASK_FN enum herald_code job_store_resend(struct db *db, const char *topic, const char *type, const char *source,
                                          const char *const **ret_ids, size_t *ret_count, size_t *ret_seen,
                                          struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_JOB_RESEND);
    db_put_text(&batch, topic);
    db_put_text(&batch, type);
    db_put_text(&batch, source);
    db_put_bigint(&batch, JOB_RESEND_ROWS);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    int seen = db_row_count(&reply, 0);
    size_t count = 0;
    const char **ids = arena_calloc(call_arena(), (size_t)seen + 1, sizeof(*ids));
    if (!ids) {
        return arena_full(reterr, "the jobs");
    }
    for (int i = 0; code == HERALD_OK && i < seen; i++) {
        struct db_row row = db_row_of(&reply, 0, i, call_arena());
        const char *id = db_get_text(&row, DB_JOB_RESEND__ID);
        if (db_get_int(&row, DB_JOB_RESEND__SENT) != 0) {
            ids[count++] = id;
        }
        code = db_row_end(&row, reterr);
    }
    if (code == HERALD_OK) {
        *ret_ids = ids;
        *ret_count = count;
        *ret_seen = (size_t)seen;
    }
    return code;
}

/* ---- lists ---- */

/* Adds the list that the fewest rows are read for, with its parameters after the common ones. */
static void add_list(struct db_batch *batch, const struct job_filter *filter, const struct job_place *before,
                     unsigned limit) {
    bool by_draft = filter->event_draft_id[0] != '\0', by_user = filter->user_id[0] != '\0';
    db_add(batch, by_draft         ? DB_QUERY_JOB_LIST_BY_DRAFT
                  : by_user        ? DB_QUERY_JOB_LIST_BY_USER
                  : filter->status ? DB_QUERY_JOB_LIST_BY_STATUS
                                   : DB_QUERY_JOB_LIST);
    db_put_time(batch, before->created_at_us);
    db_put_text_or_null(batch, before->id);
    db_put_bigint(batch, limit);
    db_put_text(batch, filter->only_dead_letters ? "t" : "f");
    if (by_draft) {
        db_put_text(batch, filter->event_draft_id);
    }
    if (by_draft || by_user) {
        db_put_text_or_null(batch, filter->user_id);
    }
    if (by_draft || by_user || filter->status) {
        db_put_text(batch, db_name_of(STATUSES, filter->status));
    }
}

TASK_FN enum herald_code job_store_list(struct db *db, const struct job_filter *filter, const struct job_place *before,
                                        unsigned limit, struct job_row **ret_jobs, size_t *ret_count,
                                        struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    add_list(&batch, filter, before, limit);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t count = (size_t)db_row_count(&reply, 0);
    struct job_row *jobs = arena_calloc(call_arena(), count, sizeof(*jobs));
    if (!jobs) {
        return arena_full(reterr, "the jobs");
    }
    for (size_t i = 0; i < count && code == HERALD_OK; i++) {
        code = read_job(db_row_of(&reply, 0, (int)i, call_arena()), &jobs[i], reterr);
    }
    if (code == HERALD_OK) {
        *ret_jobs = jobs;
        *ret_count = count;
    }
    return code;
}

/* ---- beginning anew ---- */

void job_store_add_load(struct db_batch *batch, const char *id) {
    db_add(batch, DB_QUERY_JOB_LOAD);
    db_put_text(batch, id);
}

enum herald_code job_store_read_load(const struct db_reply *reply, unsigned index, struct job_row *ret_job,
                                     struct herald_error *reterr) {
    return read_loaded(reply, index, ret_job, reterr);
}

TASK_FN enum herald_code job_store_requeue(struct db *db, const struct job_row *job, int64_t now_us,
                                           const struct outbox_row *record, const struct idempotency_row *once,
                                           bool *ret_requeued, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_JOB_REQUEUE);
    db_put_text(&batch, job->id);
    db_put_bigint(&batch, (int64_t)job->version);
    db_put_time(&batch, now_us);
    db_put_text(&batch, record->id);
    db_put_text(&batch, record->topic);
    db_put_text(&batch, record->ce_type);
    db_put_text(&batch, record->ce_source);
    db_put_bigint(&batch, record->delay_ms);
    idempotency_store_put(&batch, once);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(db, &batch, &reply, reterr);
    int64_t requeued = 0;
    if (code == HERALD_OK) {
        code = db_read_int(&reply, 0, DB_JOB_REQUEUE__REQUEUED, &requeued, reterr);
    }
    if (code == HERALD_OK) {
        *ret_requeued = requeued != 0;
    }
    return code;
}
