#ifndef HERALD_CONTENT_JOB_REPORTS_H
#define HERALD_CONTENT_JOB_REPORTS_H

#include "herald/client.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/runtime/task.h"

#include <stdbool.h>

/*
 * What the worker tells the job service. A service that is away is waited for: a report is repeated, with growing
 * pauses, until it is taken or the call has to end.
 */

/** Asks whether the job has ended before. Returns: HERALD_OK | HERALD_NOT_FOUND | HERALD_CANCELLED, … */
TASK_FN enum herald_code job_has_ended(struct herald_channel *jobs, const char *job_id, bool *ret_ended,
                                       struct herald_error *reterr);
/**
 * Reports.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND, INVALID_ARGUMENT, FAILED_PRECONDITION: it will never be taken
 *          | HERALD_CANCELLED, …: the call has to end
 */
TASK_FN enum herald_code job_report(struct herald_channel *jobs, const Herald__Job__V1__UpdateJobRequest *report,
                                    struct herald_error *reterr);

#endif
