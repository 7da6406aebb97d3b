#ifndef HERALD_CTL_REMOTE_H
#define HERALD_CTL_REMOTE_H

#include "deploy/ctl/ctl.h"
#include "herald/client.h"

#include <stdbool.h>

/**
 * Opens a channel as all commands do: with the settings' limit, and with @options for the rest.
 *
 * @options  NULL: the defaults; its max_message_bytes, a zero connect_timeout_ms, credential and TLS are filled in
 * Returns:  as herald_channel_open(), with messages that speak of the settings and not of the client library's options
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

/** Whether a call may not have got through TLS because it shows no client's certificate. */
bool remote_lacks_certificate(const char *url, const struct herald_reply *reply);
/** Adds to a call's error what the settings may have to do with it, as a detail. */
void remote_explain(const char *url, struct herald_reply *reply);

/**
 * Makes one call on a channel of its own, and explains its error.
 *
 * @options    may be NULL
 * @ret_reply  zeroed before; always set but for its url; clear it with herald_reply_clear()
 * Returns:    the call's code; a channel that cannot be opened, for its URL or its files, is INVALID_ARGUMENT, NOT_SENT
 */
enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply);

#endif
