#ifndef HERALD_JOB_JOB_FAILPOINTS_H
#define HERALD_JOB_JOB_FAILPOINTS_H

#include "server/runtime/failpoint.h"

#define JOB_FAILPOINTS(X)                                                                                              \
    X(JOB_AFTER_CREATE, "job.after_create", FAILPOINT_IN_TASK,                                                         \
      "the job's row is committed, neither Redis nor Kafka have heard of it")
FAILPOINTS_DECLARE(JOB_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const job_failpoints[];

#endif
