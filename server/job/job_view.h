#ifndef HERALD_JOB_JOB_VIEW_H
#define HERALD_JOB_JOB_VIEW_H

/*
 * The fast view of jobs in Redis: job:{job_id} holds the Job as JSON for an hour after its last change, and each change
 * is published on the channel of the same name. Postgres is the truth: a job that is missing in Redis is read from
 * there.
 */

#include "herald/job/v1/job.pb-c.h"
#include "server/job/job_service.h"

/** Writes the view if it is newer than the stored one, and wakes all waiters. An unavailable Redis is only logged. */
TASK_FN void job_view_write(struct job_service *service, const Herald__Job__V1__Job *job);

/**
 * Reads a job from Redis. Postgres is read when the view is missing, unreadable, or may have missed a change: the job
 * is not completed and the view is older than a second.
 *
 * @ret_job  set only on HERALD_OK; in the running call's arena
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (JOB_NOT_FOUND) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as db_run()
 */
TASK_FN enum herald_code job_view_read(struct job_service *service, const char *job_id, Herald__Job__V1__Job **ret_job,
                                       struct herald_error *reterr);

#endif
