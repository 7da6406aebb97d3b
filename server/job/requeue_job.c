/*
 * RequeueJob: a FAILED job begins anew. One transaction makes it PENDING, puts its record into the outbox and stores the reply;
 * then Redis and Kafka hear of it, as of a new job.
 *
 * The reply is made from the job as it was read. The statement is guarded by that version, so what it leaves is what the
 * reply says.
 */
#include "herald/job/v1/image_job.schema.h"
#include "herald/uuid.h"
#include "server/durable/once.h"
#include "server/job/job_message.h"
#include "server/job/job_service.h"
#include "server/job/job_view.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

/* What the call reads first: the job, and the database's clock. */
struct requeue_read {
    struct job_row job;
    int64_t now_us;
};

static enum herald_code check_may_requeue(const struct job_row *job, struct herald_error *reterr) {
    if (job->status != JOB_FAILED) {
        return herald_error_set(reterr, HERALD_REASON_JOB_NOT_FAILED, "the job is %s: only a FAILED one begins anew",
                                herald_job_v1_job_status_name((Herald__Job__V1__JobStatus)job->status));
    }
    if (!job->is_dead_letter) {
        return herald_error_set(reterr, HERALD_REASON_JOB_RECORD_GONE,
                                "the job failed under an older version, which kept no record of it; let its owner call "
                                "RequestImageGeneration again");
    }
    return HERALD_OK;
}

/* The job as the statement leaves it. */
static struct job_row requeued_row(const struct job_row *job, int64_t now_us) {
    struct job_row row = *job;
    row.status = JOB_PENDING;
    row.progress_percent = 0;
    for (size_t i = 0; i < JOB_STYLES; i++) {
        row.pictures[i] = (struct job_picture){0};
    }
    row.failure = row.warnings = "";
    row.version++;
    row.attempts = 0;
    row.is_dead_letter = false;
    row.updated_at_us = now_us;
    return row;
}

/* The record's head; its value is in the job's row. */
static bool fill_record_head(const struct job_service *service, struct outbox_row *record) {
    char id[37];
    herald_uuid7(id);
    *record = (struct outbox_row){
        .id = arena_strdup(call_arena(), id),
        .kind = OUTBOX_KAFKA,
        .owner = "job",
        .topic = kafka_settings(service->settings)->kafka_image_job_topic,
        .ce_type = herald_job_v1_image_job_schema.full_name,
        .ce_source = JOB_RECORD_SOURCE,
    };
    return record->id != NULL;
}

TASK_FN static enum herald_code requeue(void *self, const ProtobufCMessage *message, ProtobufCMessage *reply,
                                        struct once *once, struct herald_error *reterr) {
    struct job_service *service = self;
    Herald__Job__V1__RequeueJobResponse *response = (Herald__Job__V1__RequeueJobResponse *)reply;
    const struct requeue_read *read = once->read;
    (void)message;
    enum herald_code code = check_may_requeue(&read->job, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct job_row row = requeued_row(&read->job, read->now_us);
    struct outbox_row record;
    response->job = job_message(&row);
    if (!response->job || !fill_record_head(service, &record)) {
        return arena_full(reterr, "the job");
    }
    const struct idempotency_row *stored = NULL;
    bool requeued = false;
    code = once_reply(once, reply, &stored, reterr);
    if (code == HERALD_OK) {
        code = job_store_requeue(service->db, &read->job, read->now_us, &record, stored, &requeued, reterr);
    }
    if (code == HERALD_OK && !requeued) {
        once_reply_unstored(once);
        code = herald_error_set(reterr, HERALD_REASON_JOB_NOT_FAILED,
                                "another call was faster: the job has begun anew already");
    }
    if (code != HERALD_OK) {
        return code;
    }
    log_emit(&LOG_JOB_REQUEUED, log_str("job_id", row.id), LOG_END);
    job_view_write(service, response->job);
    outbox_relay_wake(service->outbox); /* which sends the record */
    return HERALD_OK;
}

/* ---- the first read ---- */

static void add_job_read(struct db_batch *batch, const ProtobufCMessage *message) {
    const Herald__Job__V1__RequeueJobRequest *request = (const Herald__Job__V1__RequeueJobRequest *)message;
    job_store_add_load(batch, request->job_id);
    once_add_clock(batch);
}

static enum herald_code take_job_read(const struct db_reply *reply, unsigned index, void **ret_read,
                                      struct herald_error *reterr) {
    struct requeue_read *read = arena_alloc(call_arena(), sizeof(*read));
    if (!read) {
        return arena_full(reterr, "the job");
    }
    *ret_read = read;
    enum herald_code code = job_store_read_load(reply, index, &read->job, reterr);
    return code == HERALD_OK ? once_take_clock(reply, index + 1, &read->now_us, reterr) : code;
}

static const struct once_read job_read = {.add = add_job_read, .take = take_job_read};

TASK_FN enum herald_code job_requeue_job(void *self, const Herald__Job__V1__RequeueJobRequest *request,
                                         Herald__Job__V1__RequeueJobResponse *response, struct herald_error *reterr) {
    struct job_service *service = self;
    return once_run_reading(service->db, herald_job_v1_job_service_requeue_job_method, &job_read, requeue, self,
                            &request->base, &response->base, reterr);
}
