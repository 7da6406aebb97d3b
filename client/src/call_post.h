#ifndef HERALD_CLIENT_CALL_POST_H
#define HERALD_CLIENT_CALL_POST_H

/*
 * The operations of the engine that a call waits for; one is posted at a time. With the call's mutex held, the call first
 * moves to the operation's state, then posts it. Its completion, on another thread, waits for the mutex.
 */
#include "client/src/call_pool.h"

/**
 * Posts a sleep, and moves the call on by @event.
 *
 * Returns:  true: the call may belong to another thread by now | false: nothing was posted, because the call is
 *           cancelled, its channel is being closed, or there is no memory
 */
bool herald_post_pause(struct herald_call *call, enum call_event event, uint32_t ms);
/**
 * Posts the send of an attempt's message, and moves the call on by CALL_SEND. The engine keeps the message until there is
 * a connection with room for it. If one has taken it already, posts the receive at once.
 *
 * @limit_ms  time after which the send ends with NNG_ETIMEDOUT
 * @now_ms    the time now
 * Returns:  true: the call may belong to another thread by now | false: nothing was posted: the call is cancelled
 */
bool herald_post_send(struct herald_call *call, int64_t limit_ms, int64_t now_ms);
/**
 * Takes the completion of the posted operation. When a send was taken, posts the receive at once.
 *
 * @ret_result  the engine's result of the operation
 * @ret_stop    whether the caller has cancelled the call
 * Returns:  false: the receive was posted, and the call may belong to another thread by now; nothing was set
 */
bool herald_post_complete(struct herald_call *call, int *ret_result, enum call_stop *ret_stop);
/** Waits until a blocking call's operation has completed. */
void herald_post_wait(const struct herald_call *call);
/** Cancels a call and its posted operation. Any thread that has the handle. */
void herald_post_stop(struct herald_call *call, enum call_stop stop);

#endif
