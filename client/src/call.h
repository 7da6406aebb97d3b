#ifndef HERALD_CLIENT_CALL_H
#define HERALD_CLIENT_CALL_H

#include "client/src/call_pool.h"

/** Starts a channel's own call: the herald_call_own_fn of channels. Returns:  as that says */
enum herald_code herald_call_own(struct herald_endpoint *endpoint, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, uint32_t timeout_ms, herald_call_done_fn *done,
                                 void *user);
/** As herald_call_start(), but a reply's response is checked and left packed: its message is NULL, its payload is not. */
enum herald_code herald_call_start_packed(struct herald_channel *channel, const struct herald_method_schema *method,
                                          const ProtobufCMessage *request, const struct herald_call_options *options,
                                          herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                          struct herald_error *reterr);
/** As herald_call_cancel(). @late  because the deadline of the call's purpose is over; the cancel message says so */
void herald_call_give_up(struct herald_call *call, bool late);
/** Drives a started call on after the completion of its operation. @user  the call */
void herald_call_on_completion(void *user);

#endif
