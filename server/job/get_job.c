/* GetJob: reads a job. */
#include "server/job/job_service.h"
#include "server/job/job_view.h"

TASK_FN enum herald_code job_get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                                     Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr) {
    return job_view_read(self, request->job_id, &response->job, reterr);
}
