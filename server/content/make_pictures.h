#ifndef HERALD_CONTENT_MAKE_PICTURES_H
#define HERALD_CONTENT_MAKE_PICTURES_H

#include "herald/client.h"
#include "herald/job/v1/image_job.pb-c.h"
#include "server/runtime/task.h"

#include <stdint.h>

/* Where pictures are stored and reported. */
struct make_pictures_options {
    struct herald_channel *jobs;
    const char *dir; /* folder of the pictures */
    const char *url; /* base URL under which they are served */
    uint32_t attempts;
};

/**
 * Flow B, step 4: makes the three pictures of a job, stores them, and reports RUNNING, progress and COMPLETED. A job
 * that has ended already is left alone. A failed attempt is repeated up to the limit; then the job is reported as
 * FAILED.
 *
 * Returns: HERALD_OK: the job has been completed, or had ended before
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end; the job is unfinished and must be
 *          consumed again
 *          | HERALD_ABORTED (JOB_FAILED): given up; reported as FAILED if the job service knows the job
 * Context: suspends the task; draws on threads of libuv's pool
 */
TASK_FN enum herald_code make_pictures(const struct make_pictures_options *options,
                                       const Herald__Job__V1__ImageJob *job, struct herald_error *reterr);

#endif
