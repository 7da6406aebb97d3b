#ifndef HERALD_RPC_URL_H
#define HERALD_RPC_URL_H

#include "herald/error.h"

#include <stdbool.h>

/**
 * Checks that a server may listen on a URL: "tcp://host:port", "ipc:///path" or "inproc://name"; with TCP only on
 * loopback addresses unless @insecure.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_URL") | HERALD_PERMISSION_DENIED (reason
 *           "INSECURE_LISTENER": says what to set)
 * Context:  blocks for a look-up of the host's name
 */
enum herald_code rpc_url_check(const char *server_name, const char *url, bool insecure, struct herald_error *reterr);

#endif
