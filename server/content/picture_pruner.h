#ifndef HERALD_CONTENT_PICTURE_PRUNER_H
#define HERALD_CONTENT_PICTURE_PRUNER_H

/* Deletes pictures that nobody has wanted for long (picture_store.h), in small batches, on threads of libuv's pool. */

#include "herald/error.h"
#include "server/runtime/loop.h"

#include <stdint.h>

struct picture_pruner;

struct picture_pruner_options {
    struct loop *loop;
    const char *dir;      /* outlives the pruner */
    uint32_t keep_days;   /* not 0 */
    uint32_t interval_ms; /* from the end of a round to the next; the first one begins at once */
};

/**
 * Starts the background task. What cannot be deleted is logged, and tried again in the next round. Loop's thread.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 */
enum herald_code picture_pruner_start(const struct picture_pruner_options *options, struct picture_pruner **ret_pruner,
                                      struct herald_error *reterr);
/** Cancels the task, which frees the pruner when it ends. NULL is allowed. Loop's thread. */
void picture_pruner_stop(struct picture_pruner *pruner);

#endif
