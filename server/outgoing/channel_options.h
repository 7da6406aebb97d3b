#ifndef HERALD_OUTGOING_CHANNEL_OPTIONS_H
#define HERALD_OUTGOING_CHANNEL_OPTIONS_H

#include "herald/client.h"
#include "server/auth/auth_settings.h"

/* How a program of ours calls servers: whom it trusts and how it proves who it is, from [tls] and [auth]. */
struct channel_options {
    struct herald_channel_options
        options; /* for herald_channel_open(); points into this struct and into the settings */
    struct herald_tls_options tls;
};

/**
 * Fills it.
 *
 * @made      clear it with channel_options_clear() when the channels are open: they keep what they need. It must not move
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_CREDENTIAL_SETTINGS": auth.key_id without auth.key_file
 * or the other way round; or the key file cannot be used) | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code channel_options_init(struct channel_options *made, const struct auth_settings *settings,
                                      uint32_t max_message_bytes, struct herald_error *reterr);
/** A zeroed one is allowed. */
void channel_options_clear(struct channel_options *made);

#endif
