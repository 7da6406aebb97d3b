#ifndef HERALD_JOB_JOB_MESSAGE_H
#define HERALD_JOB_JOB_MESSAGE_H

#include "herald/job/v1/job.pb-c.h"
#include "server/job/job_store.h"

/** Makes the message of a job. Its strings belong to the row, the rest to the running call's arena. NULL: no memory. */
Herald__Job__V1__Job *job_message(const struct job_row *job);

#endif
