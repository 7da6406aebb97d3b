/* SelectContent: chooses a picture of a finished job. */
#include "herald/job/v1/job.task.h"
#include "server/event/draft_message.h"
#include "server/event/event_service.h"

#include <strings.h>

static enum herald_code wrong_field(struct herald_error *reterr, const char *field, enum herald_reason reason,
                                    const char *message) {
    enum herald_code code = herald_error_set(reterr, reason, "%s", message);
    herald_error_add_detail(reterr, field, reason, "%s", message);
    return code;
}

/* The job's picture in a style, if the job is this draft's and finished. */
static enum herald_code find_picture(const Herald__Job__V1__Job *job,
                                     const Herald__Event__V1__SelectContentRequest *request,
                                     const Herald__Job__V1__Picture **ret_picture, struct herald_error *reterr) {
    if (strcasecmp(job->event_draft_id, request->event_draft_id) != 0) {
        return wrong_field(reterr, "jobId", HERALD_REASON_JOB_NOT_FOUND, "this draft has no such job");
    }
    if (job->status != HERALD__JOB__V1__JOB_STATUS__COMPLETED) {
        return wrong_field(reterr, "jobId", HERALD_REASON_JOB_NOT_COMPLETED,
                           "the job is not completed; wait for it with JobService/WaitJob");
    }
    for (size_t i = 0; i < job->n_pictures; i++) {
        if (job->pictures[i]->style == request->style) {
            *ret_picture = job->pictures[i];
            return HERALD_OK;
        }
    }
    return wrong_field(reterr, "style", HERALD_REASON_PICTURE_NOT_FOUND, "the job made no picture in this style");
}

TASK_FN static enum herald_code load_job(struct event_service *service, char *job_id,
                                         const Herald__Job__V1__Job **ret_job, struct herald_error *reterr) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    request.job_id = job_id;
    const Herald__Job__V1__GetJobResponse *response = NULL;
    enum herald_code code =
        herald_job_v1_job_service_get_job_task(service->jobs, &request, NULL, NULL, &response, reterr);
    if (code == HERALD_NOT_FOUND) {
        return wrong_field(reterr, "jobId", HERALD_REASON_JOB_NOT_FOUND, "this draft has no such job");
    }
    if (code == HERALD_OK && !response->job) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_REPLY, "JobService/GetJob answered without a job");
    }
    if (code == HERALD_OK) {
        *ret_job = response->job;
    }
    return code;
}

TASK_FN enum herald_code event_select_content(void *self, const Herald__Event__V1__SelectContentRequest *request,
                                              Herald__Event__V1__SelectContentResponse *response,
                                              struct herald_error *reterr) {
    struct event_service *service = self;
    struct event_draft draft;
    enum herald_code code = event_store_load(service->db, request->event_draft_id, request->user_id, &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Job__V1__Job *job = NULL;
    code = load_job(service, request->job_id, &job, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const Herald__Job__V1__Picture *picture = NULL;
    code = find_picture(job, request, &picture, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = event_store_set_content(service->db, draft.id, draft.user_id, job->job_id, (int)picture->style,
                                   picture->png_url, picture->jpeg_url, &draft, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    response->event = draft_message(&draft);
    return response->event ? HERALD_OK : arena_full(reterr, "the event");
}
