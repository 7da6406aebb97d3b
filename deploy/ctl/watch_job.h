#ifndef HERALD_CTL_WATCH_JOB_H
#define HERALD_CTL_WATCH_JOB_H

#include "deploy/ctl/ctl.h"
#include "herald/job/v1/job.pb-c.h"

/** Watches a job until it has ended. Returns the exit status. */
int watch_job(struct ctl *ctl, const char *job_id);

/** One line: "RUNNING   66 %  2 of 3 pictures". */
void watch_job_line(const Herald__Job__V1__Job *job, char *ret_line, size_t bytes);

#endif
