#ifndef HERALD_CLIENT_INTERCEPT_H
#define HERALD_CLIENT_INTERCEPT_H

#include "client/src/call_pool.h"

/**
 * Runs the interceptors' before() for an attempt that begins. They add metadata to call->metadata.
 *
 * @request  the caller's; NULL: it is unpacked from the packed request if there are interceptors
 * Returns:  HERALD_OK | the code of the first interceptor that refuses (REFUSED unless it sets an error)
 *           | as herald_unpack(), when @request is NULL
 * Context:  no lock is held
 */
enum herald_code herald_intercept_before(struct herald_call *call, const ProtobufCMessage *request,
                                         struct herald_error *reterr);
/** Runs after() of the interceptors whose before() ran, the last one first, with the result in call->reply. */
void herald_intercept_after(struct herald_call *call);
/** Copies into the call's reply under which id the call is logged, and how many attempts were begun. */
void herald_intercept_tell(const struct herald_call *call);

#endif
