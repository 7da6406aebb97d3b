/* The fast view of jobs in Redis: written after each change, trusted for a second unless the job is completed. */
#include "server/job/job_view.h"

#include "herald/job/v1/job.schema.h"
#include "herald/json.h"
#include "server/job/job_message.h"
#include "server/job/job_settings.h"
#include "server/runtime/proto_arena.h"

#include <stdlib.h>
#include <string.h>

#define TRUSTED_FOR_US 1000000

static char *view_key(const char *job_id) {
    return arena_printf(call_arena(), "job:%s", job_id);
}

TASK_FN static enum herald_code write_view(struct job_service *service, const Herald__Job__V1__Job *job,
                                           struct herald_error *reterr) {
    const char *key = view_key(job->job_id);
    if (!key) {
        return arena_full(reterr, "the job");
    }
    char *json = NULL;
    enum herald_code code = herald_json_write(&herald_job_v1_job_schema, &job->base, NULL, &json, reterr);
    if (code == HERALD_OK && json) {
        code = redis_set_versioned(service->redis, key, job->version, json, strlen(json),
                                   jobs_settings(service->settings)->jobs_ttl_s, reterr);
        free(json);
    }
    return code;
}

TASK_FN void job_view_write(struct job_service *service, const Herald__Job__V1__Job *job) {
    struct herald_error error = {0};
    if (write_view(service, job, &error) != HERALD_OK) {
        log_emit(&LOG_JOB_NOT_CACHED, log_str("job_id", job->job_id), log_error(&error), LOG_END);
    }
    job_waiters_wake(&service->waiters, job->job_id);
}

/* Whether nothing can change it any more: a failed job may begin anew. */
static bool is_final_job(const Herald__Job__V1__Job *job) {
    return job->status == HERALD__JOB__V1__JOB_STATUS__COMPLETED;
}

/* The view, if it exists, is readable and cannot have missed a change; else NULL. */
TASK_FN static Herald__Job__V1__Job *read_view(struct job_service *service, const char *job_id) {
    const char *key = view_key(job_id);
    char *json = NULL;
    size_t bytes = 0;
    if (!key || redis_get(service->redis, key, &json, &bytes, NULL) != HERALD_OK) {
        return NULL;
    }
    ProtobufCMessage *read = NULL;
    if (herald_json_read(&herald_job_v1_job_schema, json, bytes, NULL, &call_arena()->protobuf, &read, NULL) !=
        HERALD_OK) {
        return NULL;
    }
    Herald__Job__V1__Job *job = (Herald__Job__V1__Job *)read;
    bool trusted = is_final_job(job) || clock_wall_us() - timestamp_us(job->updated_at) < TRUSTED_FOR_US;
    return trusted ? job : NULL;
}

TASK_FN enum herald_code job_view_read(struct job_service *service, const char *job_id, Herald__Job__V1__Job **ret_job,
                                       struct herald_error *reterr) {
    Herald__Job__V1__Job *job = read_view(service, job_id);
    if (job) {
        *ret_job = job;
        return HERALD_OK;
    }
    struct job_row row;
    enum herald_code code = job_store_load(service->db, job_id, &row, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    job = job_message(&row);
    if (!job) {
        return arena_full(reterr, "the job");
    }
    *ret_job = job;
    return HERALD_OK;
}
