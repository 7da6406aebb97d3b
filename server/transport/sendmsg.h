#ifndef HERALD_TRANSPORT_SENDMSG_H
#define HERALD_TRANSPORT_SENDMSG_H

#include <stdbool.h>

/*
 * A cure for nng before 1.6 (nng#1518): a peer that hangs up while a connection is negotiated makes the library's
 * sendmsg() fail with EPIPE, which it takes for its own listener's end: the listener accepts nobody any more. An
 * executable that defines sendmsg() itself, passing ECONNRESET instead, is not hit.
 */

/** True when no cure is needed, or once libnng has used this executable's sendmsg(). */
bool sendmsg_shim_active(void);
/** For tests: false lets EPIPE through, as without the cure. */
void sendmsg_shim_enable(bool enabled);
/** True when nng is older than 1.6 and needs the cure. */
bool sendmsg_shim_needed(void);

#endif
