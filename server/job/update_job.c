/* UpdateJob: stores a worker's report in Postgres, then updates the view in Redis and wakes the waiters. */
#include "client/base/minimum.h"
#include "server/job/job_message.h"
#include "server/job/job_service.h"
#include "server/job/job_view.h"

#include <string.h>

static enum herald_code check_report(const Herald__Job__V1__UpdateJobRequest *request, struct herald_error *reterr) {
    if (request->status == HERALD__JOB__V1__JOB_STATUS__PENDING) {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD,
                                                 "a report says RUNNING, COMPLETED or FAILED, not PENDING");
        herald_error_add_detail(reterr, "status", HERALD_REASON_NOT_ALLOWED, "PENDING cannot be reported");
        return code;
    }
    bool failed = request->status == HERALD__JOB__V1__JOB_STATUS__FAILED;
    if (failed != (request->failure[0] != '\0')) {
        enum herald_code code =
            herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "a failure text goes with FAILED, and only with it");
        herald_error_add_detail(reterr, "failure", failed ? HERALD_REASON_REQUIRED : HERALD_REASON_NOT_ALLOWED,
                                "status is %s", failed ? "FAILED" : "not FAILED");
        return code;
    }
    if (request->given_back && failed) {
        enum herald_code code =
            herald_error_set(reterr, HERALD_REASON_INVALID_FIELD, "an attempt that failed is not given back");
        herald_error_add_detail(reterr, "givenBack", HERALD_REASON_NOT_ALLOWED, "status is FAILED");
        return code;
    }
    if (request->given_back && request->attempt_id[0] == '\0') {
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_INVALID_FIELD,
                                                 "an attempt that is given back is named by attempt_id");
        herald_error_add_detail(reterr, "attemptId", HERALD_REASON_REQUIRED, "given_back is set");
        return code;
    }
    return HERALD_OK;
}

/* The warnings, one a line. NULL: no memory. */
static const char *warning_lines(const Herald__Job__V1__UpdateJobRequest *request) {
    size_t bytes = 1;
    for (size_t i = 0; i < request->n_warnings; i++) {
        bytes += strlen(request->warnings[i]) + 1;
    }
    char *lines = arena_calloc(call_arena(), bytes, 1), *at = lines;
    for (size_t i = 0; lines && i < request->n_warnings; i++) {
        char *begin = at;
        at = stpcpy(stpcpy(at, i > 0 ? "\n" : ""), request->warnings[i]);
        for (char *c = begin + (i > 0); c < at; c++) {
            *c = *c == '\n' ? ' ' : *c;
        }
    }
    return lines;
}

TASK_FN static enum herald_code store_report(struct job_service *service,
                                             const Herald__Job__V1__UpdateJobRequest *request, struct job_row *ret_job,
                                             bool *ret_changed, struct herald_error *reterr) {
    struct job_picture pictures[JOB_STYLES] = {0};
    size_t count = herald_min_size(request->n_pictures, JOB_STYLES);
    const char *warnings = warning_lines(request);
    if (!warnings) {
        return arena_full(reterr, "the warnings");
    }
    for (size_t i = 0; i < count; i++) {
        const Herald__Job__V1__Picture *picture = request->pictures[i];
        pictures[i] = (struct job_picture){(int)picture->style, picture->png_url, picture->jpeg_url};
    }
    const struct job_attempt attempt = {.id = request->attempt_id, .given_back = request->given_back};
    return job_store_report(service->db, request->job_id, request->attempt_id[0] != '\0' ? &attempt : NULL,
                            (enum job_status)request->status, request->progress_percent, pictures, count,
                            request->failure, warnings, ret_job, ret_changed, reterr);
}

TASK_FN enum herald_code job_update_job(void *self, const Herald__Job__V1__UpdateJobRequest *request,
                                        Herald__Job__V1__UpdateJobResponse *response, struct herald_error *reterr) {
    struct job_service *service = self;
    enum herald_code code = check_report(request, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct job_row job;
    bool changed = false;
    code = store_report(service, request, &job, &changed, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->job = job_message(&job);
    if (!response->job) {
        return arena_full(reterr, "the job");
    }
    job_view_write(service, response->job); /* also when unchanged: an earlier report may not have reached Redis */
    if (changed && (job.status == JOB_COMPLETED || job.status == JOB_FAILED)) {
        log_emit(&LOG_JOB_ENDED, log_str("job_id", job.id),
                 log_str("status", job.status == JOB_COMPLETED ? "COMPLETED" : "FAILED"),
                 log_str("failure", job.failure), LOG_END);
    }
    return HERALD_OK;
}
