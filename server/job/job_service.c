#include "server/job/job_service.h"

LOG_EVENTS(JOB_LOG)
