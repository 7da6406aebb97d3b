#ifndef HERALD_CLIENT_REPLY_H
#define HERALD_CLIENT_REPLY_H

#include "client/src/engine.h"
#include "herald/client.h"

/** Reads a response's envelope and payload into @reply, which then owns nng's message, or has a copy of the bytes. Sets
 *  outcome, error and message. */
void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method,
                       const struct herald_received *received);
/** Frees the memory of a reply, for those who kept that alone. NULL is allowed. */
void herald_reply_free_memory(void *memory);
/** Initialises a reply, but leaves the many bytes of its error's details untouched. */
void herald_reply_init(struct herald_reply *reply);

#endif
