#ifndef HERALD_JOB_JOB_STORE_H
#define HERALD_JOB_JOB_STORE_H

/* Jobs. The row is the truth; Redis holds a copy for fast reads. */

#include "server/durable/idempotency_store.h"
#include "server/durable/outbox_store.h"
#include "server/store/postgres/db.h"

struct db_batch;
struct db_reply;

enum job_status { JOB_PENDING = 1, JOB_RUNNING, JOB_COMPLETED, JOB_FAILED };
#define JOB_STYLES 3

struct job_picture {
    int style; /* 1..3; 0: there is no picture */
    const char *png_url, *jpeg_url;
};

struct job_row {
    const char *id, *event_draft_id, *user_id;
    enum job_status status;
    uint32_t progress_percent;
    struct job_picture pictures[JOB_STYLES]; /* by style - 1 */
    const char *failure;
    const char *warnings; /* lines; "": none */
    uint64_t version;
    uint32_t attempts;
    bool is_dead_letter; /* FAILED, and it has a record with which it can begin anew */
    int64_t created_at_us, updated_at_us;
};

/** An attempt at a job, as a worker reports it. */
struct job_attempt {
    const char *id; /* UUID */
    bool given_back;
};

/**
 * Inserts a PENDING job with version 1, its outbox row and, if @once is not NULL, the idempotency row, in one
 * transaction. The job keeps a copy of the record until it is COMPLETED.
 *
 * @job         created_at_us 0: the database's time
 * @image_job   ce_time_us 0: likewise, which is then the same
 * @resend_ms   time without a report after which the record is taken for lost
 * @ret_created_at_us  of the job; NULL is allowed
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): nothing was written | as db_run()
 */
TASK_FN enum herald_code job_store_create(struct db *db, const struct job_row *job, const struct outbox_row *image_job,
                                          const struct idempotency_row *once, uint64_t resend_ms,
                                          int64_t *ret_created_at_us, struct herald_error *reterr);
/** Reads a job with its pictures. Returns: HERALD_OK | HERALD_NOT_FOUND (JOB_NOT_FOUND) | as db_run() */
TASK_FN enum herald_code job_store_load(struct db *db, const char *id, struct job_row *ret_job,
                                        struct herald_error *reterr);
/**
 * Applies a report. Reports of one job wait for each other.
 *
 * - Status and progress only advance. A finished job does not change.
 * - Pictures are added by style; the first one of a style stays.
 * - COMPLETED means 100 %. Without all three pictures, reported before or now, it is refused.
 * - The version grows by one if anything changed.
 * - An attempt that begins is counted once, and one that is given back is not. The version grows by one for that too.
 *
 * @attempt      that begins or is given back; with JOB_FAILED that which failed: nothing changes if it is not the last
 *               one, because the job has begun anew; NULL: the report says nothing of one
 * @pictures     @picture_count of them
 * @warnings     lines that take the place of those reported before; NULL or "": those stay
 * @ret_job      the row after the report
 * @ret_changed  whether the row changed
 * Returns:      HERALD_OK | HERALD_NOT_FOUND (JOB_NOT_FOUND) | HERALD_FAILED_PRECONDITION (PICTURES_MISSING)
 *               | as db_run()
 */
TASK_FN enum herald_code job_store_report(struct db *db, const char *id, const struct job_attempt *attempt,
                                          enum job_status status, uint32_t progress_percent,
                                          const struct job_picture *pictures, size_t picture_count, const char *failure,
                                          const char *warnings, struct job_row *ret_job, bool *ret_changed,
                                          struct herald_error *reterr);

#define JOB_RESEND_ROWS 100
/**
 * Puts the records of jobs that were not reported for too long into the outbox again, at most JOB_RESEND_ROWS.
 *
 * @topic     of the records; @type, @source  their ce_type and ce_source
 * @ret_ids   of the jobs whose record was put there: one that still waits there is not; in the running call's arena
 * @ret_seen  how many jobs were looked at
 * Returns:   HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as db_run()
 */
TASK_FN enum herald_code job_store_resend(struct db *db, const char *topic, const char *type, const char *source,
                                          const char *const **ret_ids, size_t *ret_count, size_t *ret_seen,
                                          struct herald_error *reterr);

/** Which jobs to list. */
struct job_filter {
    int status;                 /* enum job_status; 0: any */
    const char *event_draft_id; /* empty: any */
    const char *user_id;        /* empty: any */
    bool only_dead_letters;
};
/** A place in the order of jobs: strictly before it, the newest first. Zeroed, with an empty id: before all. */
struct job_place {
    int64_t created_at_us;
    const char *id;
};
/**
 * Reads a page of jobs with their pictures, the newest first.
 *
 * @ret_jobs  @ret_count of them, at most @limit; in the running call's arena
 * Returns:   HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as db_run()
 */
TASK_FN enum herald_code job_store_list(struct db *db, const struct job_filter *filter, const struct job_place *before,
                                        unsigned limit, struct job_row **ret_jobs, size_t *ret_count,
                                        struct herald_error *reterr);

/** Adds the statement that reads a job to another batch. */
void job_store_add_load(struct db_batch *batch, const char *id);
/** Reads the job from statement number @index. Returns: HERALD_OK | HERALD_NOT_FOUND (JOB_NOT_FOUND) | as db_row_end() */
enum herald_code job_store_read_load(const struct db_reply *reply, unsigned index, struct job_row *ret_job,
                                     struct herald_error *reterr);
/**
 * Begins a FAILED job anew, in one transaction: PENDING as it was accepted, without pictures, its record in the outbox again,
 * and the idempotency row.
 *
 * @job           as it was read: it must still have this version
 * @now_us        its updated_at
 * @record        id, topic, ce_type, ce_source and delay_ms; the value is the one that the job has kept
 * @once          NULL: none
 * @ret_requeued  false: the job has moved on, or has no record; nothing was written
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): nothing was written | as db_run()
 */
TASK_FN enum herald_code job_store_requeue(struct db *db, const struct job_row *job, int64_t now_us,
                                           const struct outbox_row *record, const struct idempotency_row *once,
                                           bool *ret_requeued, struct herald_error *reterr);

#endif
