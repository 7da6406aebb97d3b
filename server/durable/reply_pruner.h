#ifndef HERALD_DURABLE_REPLY_PRUNER_H
#define HERALD_DURABLE_REPLY_PRUNER_H

/*
 * Deletes the stored replies of ONCE calls, a service's rows, and signatures, after their retention time, a batch at a
 * time. Any number of servers may do it concurrently: none waits for another.
 */

#include "server/store/postgres/db.h"
#include "server/store/postgres/db_query.h"

struct reply_pruner;

/** A service's rows that have a life. */
struct row_life {
    enum db_query query; /* deletes a batch: $1 age, s  $2 limit */
    uint32_t keep_days;  /* 0: for ever */
};

struct reply_pruner_options {
    struct loop *loop;
    struct db *db;
    uint32_t keep_s; /* 0: there are no replies */
    struct row_life rows;
    uint32_t interval_ms;                                           /* from the end of a round to the next */
    void (*on_error)(void *user, const struct herald_error *error); /* a round failed; for the log */
    void *user;
};

/**
 * Starts the background task. Loop's thread. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 */
enum herald_code reply_pruner_start(const struct reply_pruner_options *options, struct reply_pruner **ret_pruner,
                                    struct herald_error *reterr);
/** Cancels the task, which frees the pruner when it ends. NULL is allowed. Loop's thread. */
void reply_pruner_stop(struct reply_pruner *pruner);

#endif
