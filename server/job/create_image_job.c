/*
 * CreateImageJob: flow B, step 2. First the row with its outbox row and the reply, in one statement, then Redis, then Kafka. That
 * statement also finds a repeat.
 */
#include "herald/job/v1/image_job.pb-c.h"
#include "herald/job/v1/image_job.schema.h"
#include "server/durable/once.h"
#include "server/durable/outbox_record.h"
#include "server/job/job_failpoints.h"
#include "server/job/job_message.h"
#include "server/job/job_service.h"
#include "server/job/job_settings.h"
#include "server/job/job_view.h"
#include "server/runtime/proto_arena.h"
#include "server/store/kafka/kafka_settings.h"

static struct job_row new_job(const Herald__Job__V1__CreateImageJobRequest *request, const char *id) {
    return (struct job_row){
        .id = id,
        .event_draft_id = request->event_draft_id,
        .user_id = request->user_id,
        .status = JOB_PENDING,
        .failure = "",
        .warnings = "",
        .version = 1,
    };
}

static enum herald_code build_image_job(const struct job_service *service, const struct job_row *job,
                                        const Herald__Job__V1__CreateImageJobRequest *request,
                                        struct outbox_row *ret_row, struct herald_error *reterr) {
    char id[37];
    herald_uuid7(id);
    Herald__Job__V1__ImageJob message = HERALD__JOB__V1__IMAGE_JOB__INIT;
    message.job_id = borrow_str(job->id);
    message.event_draft_id = request->event_draft_id;
    message.title = request->title;
    message.prize = request->prize;
    message.brand_color = request->brand_color;
    message.logo_url = request->logo_url;
    message.store_info = request->store_info;
    struct outbox_record record = {
        .id = arena_strdup(call_arena(), id),
        .owner = "job",
        .topic = kafka_settings(service->settings)->kafka_image_job_topic,
        .key = job->id,
        .source = JOB_RECORD_SOURCE,
        .encoding = kafka_settings(service->settings)->kafka_encoding,
        .delay_ms = kafka_settings(service->settings)->kafka_delivery_timeout_ms + 1000,
    };
    return record.id ? outbox_record_build(&record, &herald_job_v1_image_job_schema, &message.base, ret_row, reterr)
                     : arena_full(reterr, "the job");
}

/* Writes to Redis and Kafka after the commit: a failure of either costs time, not the job. */
TASK_FN static enum herald_code hand_job_over(struct job_service *service, const struct job_row *job,
                                              const struct outbox_row *image_job, struct herald_error *reterr) {
    const Herald__Job__V1__Job *message = job_message(job);
    if (!message) {
        return arena_full(reterr, "the job");
    }
    log_emit(&LOG_JOB_ACCEPTED, log_str("job_id", job->id), LOG_END);
    job_view_write(service, message);
    struct herald_error late = {0};
    if (outbox_send_now(service->outbox, image_job, kafka_settings(service->settings)->kafka_delivery_timeout_ms,
                        &late) != HERALD_OK) {
        log_emit(&LOG_JOB_HANDED_LATE, log_str("job_id", job->id), log_error(&late), LOG_END);
    }
    return HERALD_OK;
}

TASK_FN static enum herald_code create_pending_job(void *self, const ProtobufCMessage *message, ProtobufCMessage *reply,
                                                   struct once *once, struct herald_error *reterr) {
    struct job_service *service = self;
    const Herald__Job__V1__CreateImageJobRequest *request = (const Herald__Job__V1__CreateImageJobRequest *)message;
    Herald__Job__V1__CreateImageJobResponse *response = (Herald__Job__V1__CreateImageJobResponse *)reply;
    char id[37];
    herald_uuid7(id);
    response->job_id = arena_strdup(call_arena(), id);
    response->status = HERALD__JOB__V1__JOB_STATUS__PENDING;
    if (!response->job_id) {
        return arena_full(reterr, "the job");
    }
    struct job_row job = new_job(request, response->job_id);
    struct outbox_row image_job;
    enum herald_code code = build_image_job(service, &job, request, &image_job, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const struct idempotency_row *row = NULL;
    code = once_reply(once, reply, &row, reterr);
    if (code == HERALD_OK) {
        const uint64_t resend_ms = jobs_settings(service->settings)->jobs_resend_after_s * UINT64_C(1000);
        code = job_store_create(service->db, &job, &image_job, row, resend_ms, &job.created_at_us, reterr);
    }
    if (code == HERALD_OK) {
        job.updated_at_us = image_job.ce_time_us = job.created_at_us;
        code = failpoint_hit(FAILPOINT_JOB_AFTER_CREATE, reterr);
    }
    return code == HERALD_OK ? hand_job_over(service, &job, &image_job, reterr) : code;
}

TASK_FN enum herald_code job_create_image_job(void *self, const Herald__Job__V1__CreateImageJobRequest *request,
                                              Herald__Job__V1__CreateImageJobResponse *response,
                                              struct herald_error *reterr) {
    struct job_service *service = self;
    return once_run_at_once(service->db, herald_job_v1_job_service_create_image_job_method, create_pending_job, self,
                            &request->base, &response->base, reterr);
}
