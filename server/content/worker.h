#ifndef HERALD_CONTENT_WORKER_H
#define HERALD_CONTENT_WORKER_H

#include "herald/client.h"
#include "server/runtime/loop.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"

/*
 * The content worker: a member of the consumer group on image-job-topic, and as many tasks as jobs may be worked on at
 * once. A record is given back as done only when its job has ended or the record is on the dead-letter topic.
 */
struct worker;
struct worker_options {
    const struct settings *settings;
    const char *content_url; /* base URL of the pictures */
    struct herald_channel *jobs;
    struct kafka_producer *dead_letters;
};

/** Starts on @loop. Loop's thread. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED | HERALD_INVALID_ARGUMENT. */
enum herald_code worker_start(const struct worker_options *options, struct loop *loop, struct worker **ret_worker,
                              struct herald_error *reterr);
/** Ends all work soon: what is unfinished is given back and comes again. Loop's thread. */
void worker_stop(struct worker *worker);
/** Leaves the group and frees it, once the loop has ended. Blocks. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
