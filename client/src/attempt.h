#ifndef HERALD_CLIENT_ATTEMPT_H
#define HERALD_CLIENT_ATTEMPT_H

#include "client/src/call_pool.h"

/*
 * One attempt at a call: from its interceptors to its result, which is in the call's reply when an event CALL_FINISH is
 * returned. When CALL_POSTED is returned the call may belong to another thread, and must not be touched.
 */

/**
 * Begins an attempt: counts it and runs the interceptors.
 *
 * Returns:  CALL_ATTEMPT | CALL_END: an interceptor refuses the attempt, which is not counted
 */
enum call_event herald_attempt_begin(struct herald_call *call);
/** Finds an endpoint, makes the message and posts it. Returns:  CALL_POSTED | CALL_FINISH */
enum call_event herald_attempt_go_on(struct herald_call *call);

/*
 * Completions of what an attempt posted, by its state. @result is nng's, @stop what the caller asked of the call.
 */

/** SEEKING. Returns:  CALL_GO_ON | CALL_FINISH: the call is cancelled */
enum call_event herald_attempt_on_sought(struct herald_call *call, int result, enum call_stop stop);
/** SENDING, of a send that failed, or of a cancelled call. Returns:  CALL_GO_ON: look again | CALL_FINISH */
enum call_event herald_attempt_on_unsent(struct herald_call *call, int result, enum call_stop stop);
/** WAITING. Returns:  CALL_FINISH */
enum call_event herald_attempt_on_received(struct herald_call *call, int result, enum call_stop stop);

/** Sets the end of a call, or of its attempt, that the caller or the channel's close has cancelled. */
void herald_attempt_fail_cancelled(struct herald_call *call, enum herald_outcome outcome);

#endif
