#ifndef HERALD_CLIENT_KEEPER_H
#define HERALD_CLIENT_KEEPER_H

/* The thread that maintains a channel's endpoints: names, health, TLS files. */
#include "client/src/call_pool.h"

/**
 * Starts the keeper, which holds a reference to the channel.
 *
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (NO_THREAD)
 */
enum herald_code herald_keeper_start(struct herald_channel *channel, struct herald_error *reterr);
/**
 * Waits until the keeper of a closing channel has ended, or is in a look-up and uses nothing but its reference. Call
 * with the channel's mutex held.
 */
void herald_keeper_stop_locked(struct herald_channel *channel);

#endif
