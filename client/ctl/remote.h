#ifndef HERALD_CTL_REMOTE_H
#define HERALD_CTL_REMOTE_H

#include "herald/client.h"

/**
 * Makes one call on a channel of its own.
 *
 * @options    may be NULL
 * @ret_reply  zeroed before; always set; clear it with herald_reply_clear()
 * Returns:    the call's code; an URL that is none is INVALID_ARGUMENT, NOT_SENT
 */
enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply);

#endif
