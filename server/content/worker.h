#ifndef HERALD_CONTENT_WORKER_H
#define HERALD_CONTENT_WORKER_H

/*
 * The content worker: a member of the consumer group on image-job-topic, with one task for each job that may be worked
 * on concurrently. A record is done only when its job has ended or the record is on the dead-letter topic. Records that
 * wait for that topic take no place of a job.
 */

#include "herald/client.h"
#include "server/content/content_health.h"
#include "server/runtime/loop.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"

#include <stdbool.h>

struct worker;
struct worker_options {
    const struct settings *settings;
    const char *content_url; /* base URL of the pictures */
    struct herald_channel *jobs;
    struct kafka_producer *dead_letters;
    const struct content_health *health; /* outlives the worker; NULL: nobody listens */
};

/**
 * Starts the worker on @loop. Loop's thread.
 *
 * @ret_worker  may be set on failure too: then call worker_stop() and, after the loop's end, worker_free()
 * Returns:     HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING, KAFKA_TOPIC)
 *              | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, KAFKA_CLIENT, NO_THREAD, NO_STACK)
 */
enum herald_code worker_start(const struct worker_options *options, struct loop *loop, struct worker **ret_worker,
                              struct herald_error *reterr);
/** How a worker stands. */
struct worker_view {
    struct kafka_consumer_view consumer;
    unsigned dead_letters; /* records that wait for the dead-letter topic */
};
/** Of a worker that was started. Any thread. */
void worker_look(const struct worker *worker, struct worker_view *ret_view);
/** Whether no job is in work. Loop's thread. */
bool worker_is_idle(const struct worker *worker);
/** Ends all work soon. Unfinished records are abandoned and will be consumed again. Loop's thread. */
void worker_stop(struct worker *worker);
/** Leaves the group and frees the worker, after the loop has ended. Blocks. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
