#ifndef HERALD_DISTRIBUTION_LOOK_H
#define HERALD_DISTRIBUTION_LOOK_H

/*
 * The background task of a loop's engine: takes deliveries that are due, as many of each channel as it has places for.
 * On the first loop it also reads what operators do to channels, ends deliveries whose time is over, adopts what
 * nobody holds, and stores reports.
 */
#include "server/distribution/engine.h"

/** Starts the task. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK). The loop's thread. */
enum herald_code look_start(struct engine *engine, struct look **ret_look, struct herald_error *reterr);
/** Ends the task, which frees its memory. NULL is allowed. The loop's thread. */
void look_stop(struct look *look);
/** Something is due in @ms. NULL is allowed. The loop's thread. */
void look_at(struct look *look, uint64_t ms);
/**
 * Dead processes were buried: what they held is due now. Claims that they committed after their burial are looked for a
 * moment later. NULL is allowed. The loop's thread.
 */
void look_after_burial(struct look *look);

#endif
