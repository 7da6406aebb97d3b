#ifndef HERALD_CLIENT_ATTEMPT_H
#define HERALD_CLIENT_ATTEMPT_H

/*
 * One attempt at a call, from its interceptors to its result. After CALL_FINISH the result is in the call's reply.
 * After CALL_POSTED the call may belong to another thread and must not be touched.
 */
#include "client/src/call_pool.h"

/**
 * Begins an attempt: counts it and runs the interceptors.
 *
 * Returns:  CALL_ATTEMPT | CALL_END: an interceptor refuses the attempt, which is not counted
 */
enum call_event herald_attempt_begin(struct herald_call *call);
/** Finds an endpoint, makes the message and posts its send. Returns:  CALL_POSTED | CALL_FINISH */
enum call_event herald_attempt_go_on(struct herald_call *call);

/* Completions of an attempt's operations, by the call's state. @result: the engine's; @stop: whether the caller cancelled. */

/** SEEKING. Returns:  CALL_GO_ON | CALL_FINISH: the call is cancelled */
enum call_event herald_attempt_on_sought(struct herald_call *call, int result, enum call_stop stop);
/** SENDING: the send failed, or the call is cancelled. Returns:  CALL_GO_ON: look again | CALL_FINISH */
enum call_event herald_attempt_on_unsent(struct herald_call *call, int result, enum call_stop stop);
/** WAITING. Returns:  CALL_FINISH */
enum call_event herald_attempt_on_received(struct herald_call *call, int result, enum call_stop stop);

/** Sets the end of a call or attempt that the caller, or the channel's close, has cancelled. */
void herald_attempt_fail_cancelled(struct herald_call *call, enum herald_outcome outcome);

#endif
