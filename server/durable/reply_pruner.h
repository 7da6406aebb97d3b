#ifndef HERALD_DURABLE_REPLY_PRUNER_H
#define HERALD_DURABLE_REPLY_PRUNER_H

#include "server/store/postgres/db.h"

/*
 * Deletes the stored replies of ONCE calls when their time is over, a batch at a time. Any number of servers may do it
 * at once: none waits for another.
 */
struct reply_pruner;

struct reply_pruner_options {
    struct loop *loop;
    struct db *db;
    uint32_t keep_s;
    uint32_t interval_ms;                                           /* from the end of a round to the next */
    void (*on_error)(void *user, const struct herald_error *error); /* a round failed; for the log */
    void *user;
};

/** Starts the background task. Loop's thread. */
enum herald_code reply_pruner_start(const struct reply_pruner_options *options, struct reply_pruner **ret_pruner,
                                    struct herald_error *reterr);
/** Ends it: cancels the task; memory goes when the task has ended. NULL is allowed. Loop's thread. */
void reply_pruner_stop(struct reply_pruner *pruner);

#endif
