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

struct job_resender;

/* The state of JobService's handlers on one loop. Each handler has a file, named after its RPC. */
struct job_service {
    const struct settings *settings;
    struct loop *loop;
    struct db *db;
    struct redis *redis;
    struct outbox_relay *outbox;
    struct job_waiters waiters;
    struct job_resender *resender; /* NULL on all loops but the first */
};

#define JOB_RECORD_SOURCE "/herald/job" /* ce_source */

#define JOB_LOG(X)                                                                                                     \
    X(LOG_JOB_ACCEPTED, LOG_INFO, "job.accepted", "A job was accepted.")                                               \
    X(LOG_JOB_ENDED, LOG_INFO, "job.ended", "A job was completed or failed.")                                          \
    X(LOG_JOB_HANDED_LATE, LOG_WARNING, "job.handed_late", "A job's record is left to the outbox relay.")              \
    X(LOG_JOB_REQUEUED, LOG_INFO, "job.requeued", "An operator let a failed job begin anew.")                          \
    X(LOG_JOB_RESENT, LOG_WARNING, "job.resent",                                                                       \
      "No worker has reported on a job for too long; its record is sent again.")                                       \
    X(LOG_JOB_RESEND_FAILED, LOG_WARNING, "job.resend_failed", "Lost records could not be looked for; later again.")   \
    X(LOG_JOB_NOT_CACHED, LOG_WARNING, "job.not_cached",                                                               \
      "A job could not be written to Redis; reads come from Postgres.")
LOG_EVENTS_DECLARE(JOB_LOG)

#endif
