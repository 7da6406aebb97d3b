#ifndef HERALD_JOB_JOB_MESSAGE_H
#define HERALD_JOB_JOB_MESSAGE_H

#include "herald/job/v1/job.pb-c.h"
#include "server/job/job_store.h"

/** Makes the message of a job; its strings stay the row's, the rest is the running call's arena's. NULL without memory.
 */
Herald__Job__V1__Job *job_message(const struct job_row *job);

#endif
