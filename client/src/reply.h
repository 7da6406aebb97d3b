#ifndef HERALD_CLIENT_REPLY_H
#define HERALD_CLIENT_REPLY_H

#include "client/src/engine.h"
#include "herald/client.h"

/** Reads a response's envelope and payload into @reply, which then owns nng's message, or has a copy of the bytes. Sets
 *  outcome, error and message.
 *  @packed  the payload is only checked, and message stays NULL */
void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method,
                       const struct herald_received *received, bool packed);
/** The response of a reply without the rest, which is large. */
struct herald_response {
    const uint8_t *payload;
    size_t payload_bytes;
    void *memory; /* private */
};

/** Takes the response out of a reply, which loses what it holds. */
struct herald_response herald_reply_take_response(struct herald_reply *reply);
/** Frees what the response holds. Zeroed is allowed. */
void herald_response_clear(struct herald_response *response);
/** Initialises a reply, but leaves the many bytes behind the texts of its error untouched. */
void herald_reply_init(struct herald_reply *reply);

#endif
