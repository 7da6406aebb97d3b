#ifndef HERALD_CLIENT_CALL_H
#define HERALD_CLIENT_CALL_H

#include "client/src/call_pool.h"

/** Starts a call of a channel's own: see herald_call_own_fn. */
enum herald_code herald_call_own(struct herald_endpoint *endpoint, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, uint32_t timeout_ms, herald_call_done_fn *done,
                                 void *user);
/** As herald_call_cancel(). @late  because the time of what it is made for is spent, which the server is told. */
void herald_call_give_up(struct herald_call *call, bool late);
/** The callback of the aios of calls that do not block. @user  the call */
void herald_call_on_aio(void *user);

#endif
