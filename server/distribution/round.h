#ifndef HERALD_DISTRIBUTION_ROUND_H
#define HERALD_DISTRIBUTION_ROUND_H

/*
 * A round of delivery, driven by a task of its own. So a caller that leaves, or whose deadline passes, does not keep
 * the result of a post from being stored.
 */

#include "server/distribution/distribution_service.h"

struct round;

/**
 * Starts the task of an event's round: it opens or resumes the round, delivers to all its channels concurrently, and
 * completes it with DistributionCompleted.
 *
 * @content    packed Content
 * @budget_ms  no attempt begins or waits beyond it
 * @ret_round  a reference for round_wait(); drop it with round_unref()
 * Returns:    HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, ARENA_FULL, NO_STACK)
 * Context:    the loop's thread
 */
enum herald_code round_start(struct distribution_service *service, const char *event_id, const int *channels,
                             size_t channel_count, const uint8_t *content, size_t content_bytes, uint32_t budget_ms,
                             struct round **ret_round, struct herald_error *reterr);
/**
 * Waits for the end of a round.
 *
 * Returns: HERALD_OK: every channel's result is stored, and the round is completed
 *          | HERALD_DEADLINE_EXCEEDED (TOO_LITTLE_TIME): too short for any attempt; none was made
 *          | HERALD_DATA_LOSS (STORED_CONTENT_UNREADABLE) | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND)
 *          | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL, NO_STACK) | as db_run(): the round stays open and is resumed later
 *          | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the running call had to end; the round goes on
 * Context: suspends the task; the round's loop
 */
TASK_FN enum herald_code round_wait(struct round *round, struct herald_error *reterr);
void round_unref(struct round *round);
/** Cancels the waits of all rounds of the service. Loop's thread. */
void rounds_cancel(struct distribution_service *service);

/**
 * Starts the loop's background task, which resumes open rounds that are idle.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 * Context: the loop's thread
 */
enum herald_code rescuer_start(struct distribution_service *service, struct rescuer **ret_rescuer,
                               struct herald_error *reterr);
/** Cancels the task; its memory is freed when it has ended. NULL is allowed. Loop's thread. */
void rescuer_stop(struct rescuer *rescuer);

#endif
