#include "server/job/job_failpoints.h"

FAILPOINTS_DEFINE(job_failpoints, JOB_FAILPOINTS)
