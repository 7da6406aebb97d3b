#ifndef HERALD_CTL_REMOTE_H
#define HERALD_CTL_REMOTE_H

#include "deploy/ctl/ctl.h"
#include "herald/client.h"

#include <stdbool.h>

/**
 * Opens a channel with the settings' credential, TLS and limit.
 *
 * @options  NULL: remote_options(). max_message_bytes, credential and TLS are replaced, a zero connect_timeout_ms too
 * Returns:  as herald_channel_open(); messages name the settings instead of the client library's options
 */
enum herald_code ctl_remote_open(const char *url, uint32_t max_message_bytes,
                                 const struct herald_channel_options *options, struct herald_channel **ret_channel,
                                 struct herald_error *reterr);

/**
 * Chooses the credential and TLS files of all calls of this program: a bearer token (--token, --token-file,
 * HERALD_TOKEN), else the key of [auth]; the CA and certificate of [tls]. Call remote_forget() at the end.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (UNREADABLE, NO_TOKEN, INVALID_TOKEN) | as channel_options_init()
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code remote_prepare(const struct ctl *ctl, struct herald_error *reterr);
void remote_forget(void);
/** The options that remote_prepare() chose; a command may copy and change them. */
const struct herald_channel_options *remote_options(void);
/** The bearer token; NULL: there is none. */
const char *remote_token(void);

/** Whether a call may have failed in TLS because it has no client certificate. */
bool remote_lacks_certificate(const char *url, const struct herald_reply *reply);
/** Adds a detail to a call's error if a missing setting may be the cause. */
void remote_explain(const char *url, struct herald_reply *reply);

/**
 * Makes one call on a channel of its own, and explains its error.
 *
 * @options    may be NULL
 * @ret_reply  zeroed before; always set except its url; clear it with herald_reply_clear()
 * Returns:    as herald_call() | as ctl_remote_open(), NOT_SENT: the channel could not be opened
 */
enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply);

#endif
