#ifndef HERALD_JOB_RESENDER_H
#define HERALD_JOB_RESENDER_H

/*
 * Sends records of jobs again that Kafka has lost: its retention was too short, or the topic was made anew. A job whose
 * record was not lost, but which no worker has reached yet, gets a second record. A worker that meets it after the job
 * has ended leaves it alone.
 */

#include "server/job/job_service.h"

struct job_resender;

/** Starts a task that looks for such jobs. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK).
 *  Loop's thread. */
enum herald_code job_resender_start(struct job_service *service, struct job_resender **ret_resender,
                                    struct herald_error *reterr);
/** Cancels the task, which frees the resender. NULL is allowed. Loop's thread. */
void job_resender_stop(struct job_resender *resender);

#endif
