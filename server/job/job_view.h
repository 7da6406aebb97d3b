#ifndef HERALD_JOB_JOB_VIEW_H
#define HERALD_JOB_JOB_VIEW_H

#include "herald/job/v1/job.pb-c.h"
#include "server/job/job_service.h"

/*
 * The fast view of jobs in Redis: job:{job_id} holds the Job as JSON for an hour after its last change, and each change
 * is published on the channel of the same name. Postgres is the truth: what Redis lost or could not take is read from
 * there.
 */

/** Writes the view if it is newer than the one there, and tells everyone who waits. Redis being away is logged only. */
TASK_FN void job_view_write(struct job_service *service, const Herald__Job__V1__Job *job);

/**
 * Reads a job: from Redis, or from Postgres when it is not there, not readable, or may have missed a change (a job that
 * is not finished and whose view is older than a second).
 *
 * @ret_job  set only on success; the running call's arena's
 * Returns:  HERALD_OK | HERALD_NOT_FOUND | a store's error
 */
TASK_FN enum herald_code job_view_read(struct job_service *service, const char *job_id, Herald__Job__V1__Job **ret_job,
                                       struct herald_error *reterr);

#endif
