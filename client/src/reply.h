#ifndef HERALD_CLIENT_REPLY_H
#define HERALD_CLIENT_REPLY_H

#include "herald/client.h"

#include <nng/nng.h>

/** Reads a response's envelope and payload into @reply, which owns @msg then. Sets outcome, error and message. */
void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method, nng_msg *msg);
/** Initialises a reply, but leaves the many bytes of its error's details untouched. */
void herald_reply_init(struct herald_reply *reply);

#endif
