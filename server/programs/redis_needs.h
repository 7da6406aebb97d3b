#ifndef HERALD_PROGRAMS_REDIS_NEEDS_H
#define HERALD_PROGRAMS_REDIS_NEEDS_H

/* What each server needs of Redis: its health says what is refused, and heraldctl doctor asks for all of it. */
#include "server/store/redis/redis_probe.h"

/** GetPurpose reads and fills the cache; publications delete from it. */
static const struct redis_needs event_redis_needs = {.key_prefix = "purpose:",
                                                     .uses = REDIS_USES_GET | REDIS_USES_SET | REDIS_USES_DEL};
/** Jobs are copied by a script, which publishes; the channels of all jobs are subscribed to. */
static const struct redis_needs job_redis_needs = {.key_prefix = "job:", .uses = REDIS_USES_GET | REDIS_USES_SCRIPT};
#define JOB_REDIS_PATTERN "job:*"

#endif
