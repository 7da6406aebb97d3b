#include "server/job/job_service.h"

LOG_EVENTS(JOB_LOG)

const struct herald_job_v1_job_service_handlers job_service_handlers = {
    .create_image_job = job_create_image_job,
    .get_job = job_get_job,
    .wait_job = job_wait_job,
    .update_job = job_update_job,
};

enum herald_code job_out_of_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_OUT_OF_MEMORY,
                            "the memory of the call (settings rpc.arena_bytes) does not suffice");
}
