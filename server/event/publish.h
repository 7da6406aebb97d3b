#ifndef HERALD_EVENT_PUBLISH_H
#define HERALD_EVENT_PUBLISH_H

#include "server/durable/once.h"
#include "server/event/claim.h"
#include "server/event/event_service.h"

/** How long after a call a caller looks again, when nothing better is known, ms. */
#define PUBLISH_LOOK_AGAIN_MS 1000

/**
 * Finishes the publication of an APPROVED event: distribution, ACTIVE, cache deletion. The event is released when the
 * distribution fails or no channel accepts it.
 *
 * @event     status APPROVED, its channels not empty
 * @claim     of the event, held by the caller; this function ends it
 * @once      of the call that publishes; NULL for the reconciler
 * @reterr    not NULL
 * @response  filled on HERALD_OK: status ACTIVE, or APPROVED when no channel accepted the event; else untouched
 * Returns:   HERALD_OK
 *            | HERALD_UNAVAILABLE (BREAKER_OPEN, DISTRIBUTION_UNAVAILABLE, PUBLISH_UNFINISHED): retry_after_ms says when
 *            to look again
 *            | HERALD_DEADLINE_EXCEEDED (DISTRIBUTION_TIMEOUT) | HERALD_CANCELLED (DISTRIBUTION_CANCELLED)
 *            | HERALD_ABORTED (EVENT_MOVED): another call has changed the event; load it again
 *            | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): as once_store()
 * On error:  the event stays APPROVED unless another call or an unknown outcome has made it ACTIVE; the reconciler
 *            finishes it. No want of memory or of the database is told as such: the event is APPROVED, whatever happens
 * Context:   suspends the task for up to the setting publish.timeout_ms and the time of the stores
 * Source:    README.md flow A, steps 6 to 9; proto/herald/distribution/v1/distribution.proto Distribute
 */
TASK_FN enum herald_code publish_finish(struct event_service *service, const struct event_draft *event,
                                        struct event_claim *claim, struct once *once,
                                        Herald__Event__V1__PublishEventResponse *response, struct herald_error *reterr);

/** Says in a reply whether Herald goes on with its deliveries by itself, and when to look again. */
void publish_tell_progress(const struct event_service *service, Herald__Event__V1__PublishEventResponse *response);
/**
 * The word with which a caller is told why an event that is APPROVED was not finished.
 *
 * Returns: BREAKER_OPEN, DISTRIBUTION_UNAVAILABLE, DISTRIBUTION_TIMEOUT, DISTRIBUTION_CANCELLED or PUBLISH_UNFINISHED
 */
enum herald_reason publish_unfinished_reason(const struct herald_error *cause);

/**
 * Starts the loop's background task, which finishes APPROVED events that nobody holds, and ends published events whose
 * period is over.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 * Context: the loop's thread
 */
enum herald_code reconciler_start(struct event_service *service, struct reconciler **ret_reconciler,
                                  struct herald_error *reterr);
/** An event is due in @ms. NULL is allowed. Loop's thread. */
void reconciler_look_at(struct reconciler *reconciler, uint32_t ms);
/** Cancels its tasks; its memory is freed when they have ended. NULL is allowed. Loop's thread. */
void reconciler_stop(struct reconciler *reconciler);

#endif
