#ifndef HERALD_EVENT_PUBLISH_H
#define HERALD_EVENT_PUBLISH_H

#include "server/durable/once.h"
#include "server/event/event_service.h"

/**
 * Finishes the publication of an APPROVED event: distribution, ACTIVE, cache deletion. For the one who holds the
 * event's lease: the lease is kept while this works and given up when it fails.
 *
 * @event     status APPROVED, its channels not empty
 * @once      of the call that publishes; NULL for the reconciler
 * @response  filled on HERALD_OK: status ACTIVE, or APPROVED when no channel accepted the event
 * Returns:   HERALD_OK | HERALD_UNAVAILABLE (reason "BREAKER_OPEN", "DISTRIBUTION_UNAVAILABLE"; retry_after_ms says
 * when) | HERALD_DEADLINE_EXCEEDED | HERALD_CANCELLED | a store's error On error:  the event stays APPROVED and the
 * reconciler takes it up Context:   suspends the task for up to settings publish.timeout_ms Source:    design.md flow
 * A, steps 6 to 9; proto/herald/distribution/v1/distribution.proto Distribute
 */
TASK_FN enum herald_code publish_finish(struct event_service *service, const struct event_draft *event,
                                        struct once *once, Herald__Event__V1__PublishEventResponse *response,
                                        struct herald_error *reterr);

/** The loop's background task that finishes APPROVED events which nobody drives. Loop's thread. */
enum herald_code reconciler_start(struct event_service *service, struct reconciler **ret_reconciler,
                                  struct herald_error *reterr);
/** Cancels it; its memory goes when its tasks have ended. NULL is allowed. Loop's thread. */
void reconciler_stop(struct reconciler *reconciler);

#endif
