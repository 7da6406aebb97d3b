#include "server/rpc/interceptor.h"

enum herald_code interceptors_add(struct interceptors *interceptors, const struct rpc_interceptor *interceptor,
                                  struct herald_error *reterr) {
    if (interceptors->count == RPC_INTERCEPTORS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_INTERCEPTORS,
                                "a server has at most %u interceptors; %s is beyond that", RPC_INTERCEPTORS_MAX,
                                interceptor->name);
    }
    interceptors->list[interceptors->count++] = *interceptor;
    return HERALD_OK;
}

enum herald_code interceptors_on_head(const struct interceptors *interceptors, struct rpc_call *call,
                                      const struct rpc_call_head *head, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < interceptors->count; i++) {
        const struct rpc_interceptor *one = &interceptors->list[i];
        if (one->on_head) {
            code = one->on_head(one->self, call, head, reterr);
        }
    }
    return code;
}

enum herald_code interceptors_on_request(const struct interceptors *interceptors, struct rpc_call *call,
                                         struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < interceptors->count; i++) {
        const struct rpc_interceptor *one = &interceptors->list[i];
        if (one->on_request) {
            code = one->on_request(one->self, call, reterr);
        }
    }
    return code;
}

void interceptors_on_end(const struct interceptors *interceptors, const struct rpc_call *call) {
    for (size_t i = interceptors->count; i-- > 0;) {
        const struct rpc_interceptor *one = &interceptors->list[i];
        if (one->on_end) {
            one->on_end(one->self, call);
        }
    }
}
