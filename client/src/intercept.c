#include "client/src/intercept.h"

#include "client/base/clock.h"
#include "herald/unpack.h"

#include <string.h>

static struct herald_call_info info_of(struct herald_call *call, const ProtobufCMessage *request) {
    return (struct herald_call_info){
        .method = call->method,
        .request = request,
        .url = call->endpoint ? call->endpoint->url : NULL,
        .call_id = call->call_id,
        .attempt = call->attempts - 1,
        .elapsed_us = herald_monotonic_us() - call->started_us,
    };
}

static enum herald_code run_before(struct herald_call *call, const ProtobufCMessage *request,
                                   struct herald_error *reterr) {
    const struct herald_channel *channel = call->channel;
    enum herald_code code = HERALD_OK;
    struct herald_call_info info = info_of(call, request);
    info.metadata = &call->metadata;
    while (call->interceptors_run < channel->interceptor_count && code == HERALD_OK) {
        const struct herald_interceptor *interceptor = &channel->interceptors[call->interceptors_run++];
        if (interceptor->before) {
            code = interceptor->before(interceptor->user, &info, reterr);
        }
    }
    if (code != HERALD_OK && reterr->code == HERALD_OK) {
        herald_error_set_code(reterr, code, herald_reason_name(HERALD_REASON_REFUSED), "%s: refused by an interceptor",
                              call->method->full_name);
    }
    return code;
}

enum herald_code herald_intercept_before(struct herald_call *call, const ProtobufCMessage *request,
                                         struct herald_error *reterr) {
    call->metadata.count = 0;
    call->interceptors_run = 0;
    if (call->channel->interceptor_count == 0 || call->pinned) {
        return HERALD_OK;
    }
    if (call->attempts == 1) {
        call->started_us = herald_monotonic_us();
    }
    if (request) {
        return run_before(call, request, reterr);
    }
    /* The caller's message may be gone when a retry begins; only the packed request is left. */
    ProtobufCMessage *unpacked = NULL;
    const struct herald_request *packed = &call->request;
    enum herald_code code = herald_unpack(call->method->request, NULL, packed->common.bytes + packed->payload_at,
                                          packed->payload_bytes, &unpacked, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = run_before(call, unpacked, reterr);
    protobuf_c_message_free_unpacked(unpacked, NULL);
    return code;
}

void herald_intercept_tell(const struct herald_call *call) {
    memcpy(call->reply->call_id, call->call_id, sizeof(call->reply->call_id));
    call->reply->attempts = call->attempts;
}

void herald_intercept_after(struct herald_call *call) {
    herald_intercept_tell(call);
    if (call->interceptors_run == 0) {
        return;
    }
    const struct herald_call_info info = info_of(call, NULL);
    while (call->interceptors_run > 0) {
        const struct herald_interceptor *interceptor = &call->channel->interceptors[--call->interceptors_run];
        if (interceptor->after) {
            interceptor->after(interceptor->user, &info, call->reply);
        }
    }
}

enum herald_code herald_call_info_add(struct herald_call_info *info, const char *key, const void *value,
                                      size_t value_bytes) {
    return info->metadata && herald_request_add_metadata(info->metadata, key, value, value_bytes)
               ? HERALD_OK
               : HERALD_RESOURCE_EXHAUSTED;
}
