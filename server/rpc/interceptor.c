#include "server/rpc/interceptor.h"

#include "server/rpc/rpc_call.h"

#include <assert.h>

enum herald_code rpc_server_intercept(struct rpc_server *server, const struct rpc_interceptor *interceptor,
                                      struct herald_error *reterr) {
    assert(server->listener_count == 0);
    if (server->interceptor_count == RPC_INTERCEPTORS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_INTERCEPTORS,
                                "a server has at most %u interceptors; %s is beyond that", RPC_INTERCEPTORS_MAX,
                                interceptor->name);
    }
    server->interceptors[server->interceptor_count++] = *interceptor;
    return HERALD_OK;
}

enum herald_code rpc_interceptors_on_head(struct rpc_call *call, const struct rpc_call_head *head) {
    const struct rpc_server *server = call->server;
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < server->interceptor_count; i++) {
        const struct rpc_interceptor *one = &server->interceptors[i];
        if (one->on_head) {
            code = one->on_head(one->self, call, head, &call->error);
        }
    }
    return code;
}

enum herald_code rpc_interceptors_on_request(struct rpc_call *call) {
    const struct rpc_server *server = call->server;
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < server->interceptor_count; i++) {
        const struct rpc_interceptor *one = &server->interceptors[i];
        if (one->on_request) {
            code = one->on_request(one->self, call, &call->error);
        }
    }
    return code;
}

void rpc_interceptors_on_end(const struct rpc_call *call) {
    const struct rpc_server *server = call->server;
    for (size_t i = server->interceptor_count; i-- > 0;) {
        const struct rpc_interceptor *one = &server->interceptors[i];
        if (one->on_end) {
            one->on_end(one->self, call);
        }
    }
}
