#ifndef HERALD_BASE_HTTP_STATUS_H
#define HERALD_BASE_HTTP_STATUS_H

#include "herald/code.h"
#include "herald/reason.h"

/**
 * HTTP status of an answer to a call that ended with an error: that of google.rpc.Code, but where a reason has one of
 * its own.
 *
 * @reason   HERALD_REASON_NONE: one that this program does not know
 * Returns:  400..599; 499 for a cancelled call; 200 for HERALD_OK
 * Context:  any thread
 */
unsigned herald_http_status(enum herald_code code, enum herald_reason reason);

#endif
