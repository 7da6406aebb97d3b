#ifndef HERALD_JOB_JOB_SETTINGS_H
#define HERALD_JOB_JOB_SETTINGS_H

#include "server/settings/part.h"

#define JOB_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                               \
    STRING(job, url, "tcp://127.0.0.1:7102", "Where herald-job listens.")                                              \
    STRING(job, call_url, "", "Where others find it: one URL, or several with commas; empty: url.")
SETTINGS_PART(job, JOB_SETTINGS)
void job_settings_check(struct settings_reading *reading, const void *part);

#define JOBS_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                              \
    UINT(jobs, ttl_s, 3600, 1, 86400, "Life of job:{job_id} in Redis, s.")                                             \
    UINT(jobs, resend_after_s, 300, 1, 86400, "A job without a report for so long has its record sent again, s.")
SETTINGS_PART(jobs, JOBS_SETTINGS)

#endif
