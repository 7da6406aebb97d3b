#ifndef HERALD_OUTGOING_CHANNEL_OPTIONS_H
#define HERALD_OUTGOING_CHANNEL_OPTIONS_H

#include "herald/client.h"
#include "server/auth/auth_settings.h"
#include "server/outgoing/native_calls.h"

/* How a Herald program calls servers, from [tls] and [auth]: which certificates it trusts, and its credential. */
struct channel_options {
    struct herald_channel_options
        options; /* for herald_channel_open(); points into this struct and into the settings */
    struct herald_tls_options tls;
    const struct native_calls *calls; /* their engine; NULL: nng */
};

/**
 * Fills the options.
 *
 * @made    must not move; the channels keep what they need, so channel_options_clear() may follow once they are open
 * Returns: HERALD_OK
 *          | HERALD_INVALID_ARGUMENT (BAD_CREDENTIAL_SETTINGS: one of auth.key_id and auth.key_file is set alone)
 *          | as herald_credential_hmac_file()
 */
enum herald_code channel_options_init(struct channel_options *made, const struct auth_settings *settings,
                                      uint32_t max_message_bytes, struct herald_error *reterr);
/**
 * Opens a channel, on the native engine if there is one and it speaks all of the URLs; else on nng.
 *
 * Returns: as herald_channel_open()
 */
enum herald_code channel_options_open(const struct channel_options *made, const char *url,
                                      struct herald_channel **ret_channel, struct herald_error *reterr);
/** Releases what the options hold; a zeroed struct is allowed. */
void channel_options_clear(struct channel_options *made);

#endif
