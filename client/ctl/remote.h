#ifndef HERALD_CTL_REMOTE_H
#define HERALD_CTL_REMOTE_H

#include "client/ctl/ctl.h"
#include "herald/client.h"

/**
 * Opens a channel as all commands do: with the settings' limit, and with @options for the rest.
 *
 * @options  NULL: the defaults; its max_message_bytes, a zero connect_timeout_ms, credential and TLS are filled in
 * Returns:  as herald_channel_open()
 */
enum herald_code ctl_remote_open(const char *url, uint32_t max_message_bytes,
                                 const struct herald_channel_options *options, struct herald_channel **ret_channel,
                                 struct herald_error *reterr);

/**
 * Decides how all calls of this program prove who makes them and whom they trust: a bearer token (--token,
 * --token-file, HERALD_TOKEN), else the key of [auth]; the CA and certificate of [tls]. Call remote_forget() at the
 * end.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT
 */
enum herald_code remote_prepare(const struct ctl *ctl, struct herald_error *reterr);
void remote_forget(void);
/** Options of a channel that calls so; for another one, copy and change them. */
const struct herald_channel_options *remote_options(void);
/** The bearer token; NULL: there is none. */
const char *remote_token(void);

/**
 * Makes one call on a channel of its own.
 *
 * @options    may be NULL
 * @ret_reply  zeroed before; always set but for its url; clear it with herald_reply_clear()
 * Returns:    the call's code; a channel that cannot be opened, for its URL or its files, is INVALID_ARGUMENT, NOT_SENT
 */
enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply);

#endif
