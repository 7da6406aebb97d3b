#ifndef HERALD_DISTRIBUTION_ROUND_H
#define HERALD_DISTRIBUTION_ROUND_H

#include "server/distribution/distribution_service.h"

/*
 * A round of delivery, driven by a task of its own: a caller that goes away or whose deadline comes does not leave a
 * post without its result stored.
 */
struct round;

/**
 * Starts to drive an event's round: opens or resumes it, delivers to all its channels at the same time, completes it
 * with DistributionCompleted.
 *
 * @content     packed Content
 * @budget_ms   no attempt begins or waits beyond it
 * @ret_round   a reference for round_wait(), given back with round_unref()
 * Context: the loop's thread
 */
enum herald_code round_start(struct distribution_service *service, const char *event_id, const int *channels,
                             size_t channel_count, const uint8_t *content, size_t content_bytes, uint32_t budget_ms,
                             struct round **ret_round, struct herald_error *reterr);
/**
 * Waits for its end.
 *
 * Returns:  HERALD_OK: every channel's result is stored, and the round is completed | a store's error: what could not
 * be stored is taken up again later | the early end of the running call
 */
TASK_FN enum herald_code round_wait(struct round *round, struct herald_error *reterr);
void round_unref(struct round *round);
/** Cancels the waits of all rounds of the service. Loop's thread. */
void rounds_cancel(struct distribution_service *service);

/** The loop's background task that takes up open rounds which nobody drives. Loop's thread. */
enum herald_code rescuer_start(struct distribution_service *service, struct rescuer **ret_rescuer,
                               struct herald_error *reterr);
/** Cancels it; its memory goes when its task has ended. NULL is allowed. Loop's thread. */
void rescuer_stop(struct rescuer *rescuer);

#endif
