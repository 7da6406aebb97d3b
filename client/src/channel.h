#ifndef HERALD_CLIENT_CHANNEL_H
#define HERALD_CLIENT_CHANNEL_H

#include "client/src/engine.h"
#include "herald/client.h"

/**
 * As herald_channel_open(), with an engine of the caller's.
 *
 * @engine  outlives the channel, and the release of its calls' handles; its threads call what herald_call_start() is
 *          given
 */
enum herald_code herald_channel_open_on(const struct herald_engine *engine, const char *url,
                                        const struct herald_channel_options *options,
                                        struct herald_channel **ret_channel, struct herald_error *reterr);

#endif
