#ifndef HERALD_CONTENT_MAKE_PICTURES_H
#define HERALD_CONTENT_MAKE_PICTURES_H

#include "herald/client.h"
#include "herald/job/v1/image_job.pb-c.h"
#include "server/content/content_health.h"
#include "server/runtime/task.h"

#include <stdint.h>

/* Where pictures are stored and reported. */
struct make_pictures_options {
    struct herald_channel *jobs;
    const char *dir; /* folder of the pictures */
    const char *url; /* base URL under which they are served */
    uint32_t attempts;
    const struct content_health *health; /* NULL: nobody listens */
    /* Waits until no other job is in work beside this one, until its end. Returns as call_check(). NULL: none ever is */
    enum herald_code (*stand_alone)(void *user, struct herald_error *reterr);
    void *user;
};

/** An attempt that the job's row counts. */
struct open_attempt {
    char job_id[37], id[37]; /* id is empty: none is open */
};

/**
 * Flow B, step 4: makes the three pictures of a job, stores them, and reports RUNNING, progress and COMPLETED. A job
 * that has ended already is left alone.
 *
 * Each attempt is counted in the job's row before it begins, so that one that kills its worker is counted too. At the
 * limit the job is reported as FAILED. A picture store that takes nothing, or a job service that does not answer, is no
 * fault of the job: the attempt is given back and the job waits. A job that has an attempt without an end may kill this
 * worker too: it is made alone, so that no other job loses an attempt with it.
 *
 * @ret_open  the attempt that is still open when the call had to end: give it back with make_pictures_give_back()
 * Returns: HERALD_OK: the job has been completed, now or before
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end; the job is unfinished and must be
 *          consumed again
 *          | HERALD_ABORTED (JOB_FAILED): given up, now or before; reported as FAILED if the job service knows the job
 * Context: suspends the task; draws on threads of libuv's pool
 */
TASK_FN enum herald_code make_pictures(const struct make_pictures_options *options,
                                       const Herald__Job__V1__ImageJob *job, struct open_attempt *ret_open,
                                       struct herald_error *reterr);
/** Gives an open attempt back: it is not counted. Tries once, within the running call. */
TASK_FN void make_pictures_give_back(const struct make_pictures_options *options, const struct open_attempt *open);

#endif
