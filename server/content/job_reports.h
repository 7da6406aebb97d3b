#ifndef HERALD_CONTENT_JOB_REPORTS_H
#define HERALD_CONTENT_JOB_REPORTS_H

/*
 * The worker's calls of the job service. When the service is unavailable, a call is repeated with growing pauses until
 * it is answered or the running call has to end.
 */

#include "herald/client.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/runtime/task.h"

#include <stdbool.h>

/**
 * Asks whether the job has ended already.
 *
 * Returns: HERALD_OK
 *          | HERALD_NOT_FOUND, HERALD_INVALID_ARGUMENT, HERALD_FAILED_PRECONDITION, HERALD_OUT_OF_RANGE: the service's
 *          final answer
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end
 */
TASK_FN enum herald_code job_has_ended(struct herald_channel *jobs, const char *job_id, bool *ret_ended,
                                       struct herald_error *reterr);
/**
 * Sends a report.
 *
 * Returns: HERALD_OK
 *          | HERALD_NOT_FOUND, HERALD_INVALID_ARGUMENT, HERALD_FAILED_PRECONDITION, HERALD_OUT_OF_RANGE: refused for
 *          good
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end
 */
TASK_FN enum herald_code job_report(struct herald_channel *jobs, const Herald__Job__V1__UpdateJobRequest *report,
                                    struct herald_error *reterr);

#endif
