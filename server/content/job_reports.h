#ifndef HERALD_CONTENT_JOB_REPORTS_H
#define HERALD_CONTENT_JOB_REPORTS_H

/*
 * The worker's calls of the job service. When the service is unavailable, a call is repeated with growing pauses until
 * it is answered or the running call has to end.
 */

#include "herald/client.h"
#include "herald/job/v1/job.pb-c.h"
#include "server/content/content_health.h"
#include "server/runtime/task.h"

#include <stdbool.h>

/** The way to the job service. */
struct job_link {
    struct herald_channel *channel;
    const struct content_health *health; /* hears whether the service answers; NULL: nobody does */
};

/** What the worker wants to know of a job. */
struct job_state {
    bool ended;
    const char *failure; /* of a job that is FAILED: why; else NULL. Of the running call's arena */
    uint32_t attempts;   /* begun, and not given back */
};

/**
 * Asks how a job stands.
 *
 * Returns: HERALD_OK
 *          | HERALD_NOT_FOUND, HERALD_INVALID_ARGUMENT, HERALD_FAILED_PRECONDITION, HERALD_OUT_OF_RANGE: the service's
 *          final answer
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end
 */
TASK_FN enum herald_code job_ask(const struct job_link *link, const char *job_id, struct job_state *ret_state,
                                 struct herald_error *reterr);
/**
 * Sends a report.
 *
 * @ret_state  after the report
 * Returns:    HERALD_OK
 *             | HERALD_NOT_FOUND, HERALD_INVALID_ARGUMENT, HERALD_FAILED_PRECONDITION, HERALD_OUT_OF_RANGE: refused for
 *             good
 *             | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call has to end
 */
TASK_FN enum herald_code job_report(const struct job_link *link, const Herald__Job__V1__UpdateJobRequest *report,
                                    struct job_state *ret_state, struct herald_error *reterr);
/** Reports once that an attempt is not to be counted. Returns: false: the service did not answer, it stays counted. */
TASK_FN bool job_give_back(const struct job_link *link, const char *job_id, const char *attempt_id);

#endif
