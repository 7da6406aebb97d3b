#include "server/job/job_service.h"

LOG_EVENTS(JOB_LOG)

const struct herald_job_v1_job_service_handlers job_service_handlers = {
    .create_image_job = job_create_image_job,
    .get_job = job_get_job,
    .wait_job = job_wait_job,
    .update_job = job_update_job,
};
