#ifndef HERALD_EVENT_CLAIM_H
#define HERALD_EVENT_CLAIM_H

/*
 * A call's claim of an APPROVED event. The database names the process as the holder (event_store.h), so that the claim
 * of a process that dies is released. The claim of a call that ends is released by the call itself. If it cannot, because
 * the database is away or its time is over, the claim is astray: the reconciler releases it. So is a claim whose statement
 * lost its answer: the server may still execute it after its connection was lost. It stays astray until that is over, even
 * if the event was held meanwhile: the database knows the process that holds an event, not the call.
 *
 * The struct is made before the claim, so that no want of memory can lose one.
 */
#include "server/event/event_service.h"

struct event_claim {
    struct event_claim *next; /* of the claims that are astray */
    char event_id[37];
    uint32_t due_in_ms;        /* of one that is astray: as for event_store_unclaim() */
    int64_t called_at_us;      /* when its call of the distribution service ended; 0: it has made none */
    enum herald_reason reason; /* why that failed; NONE: it succeeded */
    char *message;             /* NULL: none */
    uint64_t may_come_us;      /* until then its statement, whose answer was lost, may still take effect; 0: no more */
};

/**
 * Prepares a claim, which the caller then makes in the database. Waits for the process's lease.
 *
 * Returns: HERALD_OK | HERALD_UNAVAILABLE (NO_LEASE) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY) | as call_check()
 * Context: suspends the task for up to 2 s
 */
TASK_FN enum herald_code claim_new(struct event_service *service, const char *event_id, struct event_claim **ret_claim,
                                   struct herald_error *reterr);
/** Notes that the call of the distribution service has ended; the release keeps it. @error  NULL: it succeeded */
void claim_called(const struct event_service *service, struct event_claim *claim, enum herald_reason reason,
                  const struct herald_error *error);
/** Ends a claim that the event's new state has ended, or that was never made. */
void claim_free(struct event_claim *claim);
/** Releases the event, which is due @due_in_ms from now, and ends the claim. @due_in_ms as for event_store_unclaim(). */
TASK_FN void claim_release(struct event_service *service, struct event_claim *claim, uint32_t due_in_ms);
/** Ends the claim of a statement that has failed: one that may have taken effect is released. */
TASK_FN void claim_fail(struct event_service *service, struct event_claim *claim, enum herald_code code);
/** Releases the claims of the loop that are astray; what still cannot be released stays so. */
TASK_FN void claims_release_astray(struct event_service *service);
/** Forgets the loop's claims that are astray, those to come too: instance_release() releases them. Loop's thread. */
void claims_close(struct event_service *service);

#endif
