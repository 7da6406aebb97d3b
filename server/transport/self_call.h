#ifndef HERALD_TRANSPORT_SELF_CALL_H
#define HERALD_TRANSPORT_SELF_CALL_H

/* A server's call of itself, which shows whether its listener still accepts connections. */
#include "server/transport/tls_identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct self_call {
    const char *url;
    struct tls_identity *tls; /* of the listener; NULL: no TLS */
    const void *request;
    size_t request_bytes;
    size_t max_reply_bytes;
    uint32_t timeout_ms;
};

/**
 * Sends a request over a new connection of nng and waits for any reply.
 *
 * @ret_hung  set to true when nng hung while it closed the connection: the connection then stays open for good
 * Returns:  NULL: a reply came | a static text that says why none did
 * Context:  blocks: timeout_ms for the send and for the receive each, then as herald_close_socket(); none of nng's
 *           threads
 */
const char *self_call(const struct self_call *call, bool *ret_hung);

#endif
