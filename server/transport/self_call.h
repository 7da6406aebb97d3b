#ifndef HERALD_TRANSPORT_SELF_CALL_H
#define HERALD_TRANSPORT_SELF_CALL_H

#include "server/transport/tls_identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A server's call of itself, to see whether its listener still takes connections. */

struct self_call {
    const char *url;
    struct tls_identity *tls; /* of the listener; NULL: no TLS */
    const void *request;
    size_t request_bytes;
    size_t max_reply_bytes;
    uint32_t timeout_ms;
};

/**
 * Sends a request over a new connection and waits for a reply, whatever it says.
 *
 * @ret_hung  set to true when nng hung while the connection was closed and was given up: it stays open for good
 * Returns:  NULL: a reply came | why none did, static
 * Context:  blocks for some seconds at most; none of nng's threads
 */
const char *self_call(const struct self_call *call, bool *ret_hung);

#endif
