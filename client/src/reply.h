#ifndef HERALD_CLIENT_REPLY_H
#define HERALD_CLIENT_REPLY_H

#include "herald/client.h"

#include <nng/nng.h>

/** Reads a response's envelope and payload into @reply, which takes @msg. Sets outcome, error and message. */
void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method, nng_msg *msg);
/** Prepares a reply for being filled, without touching the many bytes of its details. */
void herald_reply_init(struct herald_reply *reply);

#endif
