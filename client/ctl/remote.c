#include "client/ctl/remote.h"

/* Below the shortest deadline, so that a server that is away is told as that and not as a spent deadline. */
enum { CONNECT_TIMEOUT_MS = 1500 };

enum herald_code ctl_remote_call(const char *url, uint32_t max_message_bytes, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, const struct herald_call_options *options,
                                 struct herald_reply *ret_reply) {
    struct herald_channel_options channel_options = {.max_message_bytes = max_message_bytes,
                                                     .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    struct herald_channel *channel = NULL;
    enum herald_code code = herald_channel_open(url, &channel_options, &channel, &ret_reply->error);
    if (code != HERALD_OK) {
        ret_reply->outcome = HERALD_NOT_SENT;
        return code;
    }
    code = herald_call(channel, method, request, options, ret_reply);
    herald_channel_close(channel);
    return code;
}
