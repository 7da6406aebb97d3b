/* Calls of the job service by the worker, repeated with backoff until they have a final answer. */
#include "server/content/job_reports.h"

#include "herald/job/v1/job.task.h"
#include "server/content/backoff.h"
#include "server/content/content_log.h"
#include "server/runtime/call.h"
#include "server/runtime/proto_arena.h"

/* Whether the answer is final: the same request would get it again. */
static bool is_final(enum herald_code code) {
    switch (code) {
    case HERALD_OK:
    case HERALD_NOT_FOUND:
    case HERALD_INVALID_ARGUMENT:
    case HERALD_FAILED_PRECONDITION:
    case HERALD_OUT_OF_RANGE:
        return true;
    default:
        return false;
    }
}

/* Pauses before another try, unless the call has to end. */
TASK_FN static enum herald_code pause_after(struct herald_backoff *backoff, const char *job_id,
                                            const struct herald_error *failure, struct herald_error *reterr) {
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    log_emit(&LOG_CONTENT_JOB_AWAY, log_str("job_id", job_id), log_error(failure), LOG_END);
    return backoff_wait(backoff, reterr);
}

TASK_FN enum herald_code job_has_ended(struct herald_channel *jobs, const char *job_id, bool *ret_ended,
                                       struct herald_error *reterr) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    request.job_id = borrow_str(job_id);
    for (;;) {
        enum herald_code code = herald_job_v1_job_service_get_job_task(jobs, &request, NULL, NULL, &response, &error);
        if (code == HERALD_OK && response->job != NULL) {
            *ret_ended = response->job->status == HERALD__JOB__V1__JOB_STATUS__COMPLETED ||
                         response->job->status == HERALD__JOB__V1__JOB_STATUS__FAILED;
            return HERALD_OK;
        }
        if (code == HERALD_OK) {
            code = herald_error_set(&error, HERALD_REASON_NO_JOB, "the job service answered without a job");
        }
        if (is_final(code)) {
            herald_error_copy(reterr, &error);
            return code;
        }
        code = pause_after(&backoff, job_id, &error, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
}

TASK_FN enum herald_code job_report(struct herald_channel *jobs, const Herald__Job__V1__UpdateJobRequest *report,
                                    struct herald_error *reterr) {
    const Herald__Job__V1__UpdateJobResponse *response = NULL;
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    for (;;) {
        enum herald_code code = herald_job_v1_job_service_update_job_task(jobs, report, NULL, NULL, &response, &error);
        if (is_final(code)) {
            if (code != HERALD_OK) {
                herald_error_copy(reterr, &error);
            }
            return code;
        }
        code = pause_after(&backoff, report->job_id, &error, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
}
