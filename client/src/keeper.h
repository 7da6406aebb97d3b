#ifndef HERALD_CLIENT_KEEPER_H
#define HERALD_CLIENT_KEEPER_H

#include "client/src/call_pool.h"

/* The thread that keeps a channel's endpoints: names, health, TLS files. */

/** Starts the keeper. It holds a reference to the channel. Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED */
enum herald_code herald_keeper_start(struct herald_channel *channel, struct herald_error *reterr);
/**
 * Waits until the keeper of a closing channel has ended, or is in a look-up and uses nothing but its reference. The
 * channel's mutex is held.
 */
void herald_keeper_stop_locked(struct herald_channel *channel);

#endif
