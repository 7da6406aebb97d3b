#include "server/job/resender.h"

#include "client/base/minimum.h"
#include "herald/job/v1/image_job.schema.h"
#include "server/job/job_settings.h"
#include "server/store/kafka/kafka_settings.h"

#include <stdlib.h>

#define LOOKS_A_PERIOD 4
#define PAUSE_MOST_MS  10000

struct job_resender {
    struct job_service *service;
    struct call call;
};

/* Returns whether there may be more. */
TASK_FN static bool resend_batch(const struct job_resender *resender) {
    const struct job_service *service = resender->service;
    const char *const *ids = NULL;
    size_t count = 0, seen = 0;
    struct herald_error error = {0};
    enum herald_code code =
        job_store_resend(service->db, kafka_settings(service->settings)->kafka_image_job_topic,
                         herald_job_v1_image_job_schema.full_name, JOB_RECORD_SOURCE, &ids, &count, &seen, &error);
    if (code != HERALD_OK && resender->call.end_code == HERALD_OK) {
        log_emit(&LOG_JOB_RESEND_FAILED, log_error(&error), LOG_END);
    }
    for (size_t i = 0; i < count; i++) {
        log_emit(&LOG_JOB_RESENT, log_str("job_id", ids[i]), LOG_END);
    }
    return code == HERALD_OK && seen == JOB_RESEND_ROWS;
}

TASK_FN static void look_for_lost_records(void *arg) {
    struct job_resender *resender = arg;
    uint32_t after_s = jobs_settings(resender->service->settings)->jobs_resend_after_s;
    uint32_t pause_ms = herald_min_u32(after_s * 1000 / LOOKS_A_PERIOD, PAUSE_MOST_MS);
    while (task_sleep(pause_ms, NULL) == HERALD_OK) {
        while (resend_batch(resender)) {
            continue;
        }
        arena_fini(&resender->call.arena);
        arena_init(&resender->call.arena, 0);
    }
    call_fini(&resender->call);
    free(resender);
}

enum herald_code job_resender_start(struct job_service *service, struct job_resender **ret_resender,
                                    struct herald_error *reterr) {
    struct job_resender *resender = calloc(1, sizeof(*resender));
    if (!resender) {
        return herald_error_no_memory(reterr, "the resender of jobs");
    }
    resender->service = service;
    call_init(&resender->call, "job resender", NULL, 0, 0);
    enum herald_code code =
        task_spawn(service->loop, &resender->call, "job-resender", look_for_lost_records, resender, reterr);
    if (code != HERALD_OK) {
        call_fini(&resender->call);
        free(resender);
        return code;
    }
    *ret_resender = resender;
    return HERALD_OK;
}

void job_resender_stop(struct job_resender *resender) {
    if (resender) {
        task_cancel_call(resender->service->loop, &resender->call, HERALD_CANCELLED);
    }
}
