#ifndef HERALD_EVENT_DISTRIBUTE_OUTCOME_H
#define HERALD_EVENT_DISTRIBUTE_OUTCOME_H

#include "herald/error.h"
#include "server/breaker/breaker.h"

/**
 * What the end of a call to the distribution server says about that server, for the breaker before it.
 *
 * Ignored are: calls that our caller no longer wants, time-outs of calls that had less than the full budget, and calls
 * that the server, or our channel to it, refused before they began: it lacks places or is about to end, and works.
 *
 * @reason        of the call's error; HERALD_REASON_NONE: none that is known
 * @wanted        our own call may go on: neither cancelled nor out of time
 * @whole_budget  the call had all the time that a publish may take
 * Context: any thread
 */
enum breaker_outcome distribute_outcome(enum herald_code code, enum herald_reason reason, bool wanted,
                                        bool whole_budget);

#endif
