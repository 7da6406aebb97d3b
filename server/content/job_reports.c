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
TASK_FN static enum herald_code pause_after(const struct job_link *link, struct herald_backoff *backoff,
                                            const char *job_id, const struct herald_error *failure,
                                            struct herald_error *reterr) {
    enum herald_code code = call_check(reterr);
    if (code != HERALD_OK) {
        return code;
    }
    log_emit(&LOG_CONTENT_JOB_AWAY, log_str("job_id", job_id), log_error(failure), LOG_END);
    content_health_report(link->health, CONTENT_JOBS, failure);
    return backoff_wait(backoff, reterr);
}

static struct job_state job_state_of(const Herald__Job__V1__Job *job) {
    bool failed = job->status == HERALD__JOB__V1__JOB_STATUS__FAILED;
    return (struct job_state){
        .ended = failed || job->status == HERALD__JOB__V1__JOB_STATUS__COMPLETED,
        .failure = failed ? job->failure : NULL,
        .attempts = job->attempts,
    };
}

/* Takes a final answer: the service serves. */
static enum herald_code settle_answer(const struct job_link *link, enum herald_code code,
                                      const Herald__Job__V1__Job *job, const struct herald_error *error,
                                      struct job_state *ret_state, struct herald_error *reterr) {
    content_health_report(link->health, CONTENT_JOBS, NULL);
    if (code == HERALD_OK) {
        *ret_state = job_state_of(job);
    } else {
        herald_error_copy(reterr, error);
    }
    return code;
}

/* An answer without a job is none. */
static enum herald_code check_answer(enum herald_code code, const Herald__Job__V1__Job *job,
                                     struct herald_error *error) {
    return code == HERALD_OK && job == NULL
               ? herald_error_set(error, HERALD_REASON_NO_JOB, "the job service answered without a job")
               : code;
}

TASK_FN enum herald_code job_ask(const struct job_link *link, const char *job_id, struct job_state *ret_state,
                                 struct herald_error *reterr) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    request.job_id = borrow_str(job_id);
    for (;;) {
        const Herald__Job__V1__GetJobResponse *response = NULL;
        enum herald_code code =
            herald_job_v1_job_service_get_job_task(link->channel, &request, NULL, NULL, &response, &error);
        const Herald__Job__V1__Job *job = code == HERALD_OK ? response->job : NULL;
        code = check_answer(code, job, &error);
        if (is_final(code)) {
            return settle_answer(link, code, job, &error, ret_state, reterr);
        }
        code = pause_after(link, &backoff, job_id, &error, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
}

TASK_FN enum herald_code job_report(const struct job_link *link, const Herald__Job__V1__UpdateJobRequest *report,
                                    struct job_state *ret_state, struct herald_error *reterr) {
    struct herald_backoff backoff = CONTENT_BACKOFF;
    struct herald_error error;
    for (;;) {
        const Herald__Job__V1__UpdateJobResponse *response = NULL;
        enum herald_code code =
            herald_job_v1_job_service_update_job_task(link->channel, report, NULL, NULL, &response, &error);
        const Herald__Job__V1__Job *job = code == HERALD_OK ? response->job : NULL;
        code = check_answer(code, job, &error);
        if (is_final(code)) {
            return settle_answer(link, code, job, &error, ret_state, reterr);
        }
        code = pause_after(link, &backoff, report->job_id, &error, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
}

TASK_FN bool job_give_back(const struct job_link *link, const char *job_id, const char *attempt_id) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    const Herald__Job__V1__UpdateJobResponse *response = NULL;
    struct herald_error error;
    request.job_id = borrow_str(job_id);
    request.status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    request.attempt_id = borrow_str(attempt_id);
    request.given_back = true;
    enum herald_code code =
        herald_job_v1_job_service_update_job_task(link->channel, &request, NULL, NULL, &response, &error);
    if (code != HERALD_OK) {
        log_emit(&LOG_CONTENT_ATTEMPT_KEPT, log_str("job_id", job_id), log_error(&error), LOG_END);
    }
    return code == HERALD_OK;
}
