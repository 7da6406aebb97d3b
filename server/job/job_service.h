#ifndef HERALD_JOB_JOB_SERVICE_H
#define HERALD_JOB_JOB_SERVICE_H

#include "herald/client.h"
#include "herald/job/v1/job.server.h"
#include "server/durable/outbox_relay.h"
#include "server/job/job_store.h"
#include "server/job/job_waiters.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"
#include "server/store/redis/redis.h"

/* State of JobService's handlers on one loop. */
struct job_service {
    const struct settings *settings;
    struct loop *loop;
    struct db *db;
    struct redis *redis;
    struct outbox_relay *outbox;
    struct job_waiters waiters;
};

/** The handlers, one file each, named after the RPC. */
extern const struct herald_job_v1_job_service_handlers job_service_handlers;

enum herald_code job_create_image_job(void *self, const Herald__Job__V1__CreateImageJobRequest *request,
                                      Herald__Job__V1__CreateImageJobResponse *response, struct herald_error *reterr);
enum herald_code job_get_job(void *self, const Herald__Job__V1__GetJobRequest *request,
                             Herald__Job__V1__GetJobResponse *response, struct herald_error *reterr);
enum herald_code job_wait_job(void *self, const Herald__Job__V1__WaitJobRequest *request,
                              Herald__Job__V1__WaitJobResponse *response, struct herald_error *reterr);
enum herald_code job_update_job(void *self, const Herald__Job__V1__UpdateJobRequest *request,
                                Herald__Job__V1__UpdateJobResponse *response, struct herald_error *reterr);

#define JOB_LOG(X)                                                                                                     \
    X(LOG_JOB_ACCEPTED, LOG_INFO, "job.accepted", "A job was accepted.")                                               \
    X(LOG_JOB_ENDED, LOG_INFO, "job.ended", "A job was completed or failed.")                                          \
    X(LOG_JOB_HANDED_LATE, LOG_WARNING, "job.handed_late", "A job's record is left to the outbox relay.")              \
    X(LOG_JOB_NOT_CACHED, LOG_WARNING, "job.not_cached",                                                               \
      "A job could not be written to Redis; reads come from Postgres.")
LOG_EVENTS_DECLARE(JOB_LOG)

#endif
