#ifndef HERALD_CLIENT_INTERCEPT_H
#define HERALD_CLIENT_INTERCEPT_H

#include "client/src/call_pool.h"

/**
 * Runs the interceptors' before() for an attempt that begins. What they add is in call->metadata then.
 *
 * @request  NULL: unpacked from the packed one, where an interceptor will see it
 * Returns:  HERALD_OK | what the first one that refuses returned
 * Context:  no lock is held
 */
enum herald_code herald_intercept_before(struct herald_call *call, const ProtobufCMessage *request,
                                         struct herald_error *reterr);
/** Runs after() of those whose before() was run, the last one first, with the attempt's result in call->reply. */
void herald_intercept_after(struct herald_call *call);

#endif
