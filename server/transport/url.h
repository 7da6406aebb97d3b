#ifndef HERALD_TRANSPORT_URL_H
#define HERALD_TRANSPORT_URL_H

#include "herald/error.h"

#include <stdbool.h>

/** What a server has to show beyond loopback. */
struct rpc_url_policy {
    bool insecure;      /* told to do without */
    bool authenticated; /* refuses calls without a credential */
};

/**
 * Checks that a server may listen on a URL: "tcp://host:port", "tls+tcp://host:port", "ipc:///path" or "inproc://name".
 * Beyond loopback addresses it must be TLS, and authenticated, unless the policy says insecure.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_URL") | HERALD_PERMISSION_DENIED (reason
 *           "INSECURE_LISTENER": says all that is missing and what to set)
 * Context:  blocks for a look-up of the host's name
 */
enum herald_code rpc_url_check(const char *server_name, const char *url, const struct rpc_url_policy *policy,
                               struct herald_error *reterr);

#endif
