#ifndef HERALD_TRANSPORT_URL_H
#define HERALD_TRANSPORT_URL_H

#include "herald/error.h"

#include <stdbool.h>

/** Decides what a server may listen on beyond loopback. */
struct listen_url_policy {
    bool insecure;      /* the settings allow any address without TLS and credentials */
    bool authenticated; /* the server refuses calls without a credential */
};

/**
 * Checks that a server may listen on a URL: "tcp://host:port", "tls+tcp://host:port", "ipc:///path" or "inproc://name".
 * Beyond loopback it must be TLS and the server authenticated, unless the policy says insecure.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_URL") | HERALD_PERMISSION_DENIED (reason
 *           "INSECURE_LISTENER": the message lists all that is missing and the settings for it)
 * Context:  blocks while the host's name is looked up
 */
enum herald_code listen_url_check(const char *server_name, const char *url, const struct listen_url_policy *policy,
                                  struct herald_error *reterr);

#endif
