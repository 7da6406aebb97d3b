#ifndef HERALD_TRANSPORT_SENDMSG_H
#define HERALD_TRANSPORT_SENDMSG_H

/*
 * A fix for nng before 1.6 (nng#1518). A peer that hangs up during negotiation makes nng's sendmsg() fail with EPIPE.
 * nng takes that for the end of its own listener, which then accepts no connection any more. This executable defines
 * sendmsg() itself and turns EPIPE into ECONNRESET.
 */
#include <stdbool.h>

/** True when no fix is needed, or once libnng has called this executable's sendmsg(). */
bool sendmsg_shim_active(void);
/** For tests: false lets EPIPE through, as without the fix. */
void sendmsg_shim_enable(bool enabled);
/** True when nng is older than 1.6 and needs the fix. */
bool sendmsg_shim_needed(void);

#endif
