#include "server/inspect/calls.h"

#include "herald/rpc/v1/calls.server.h"
#include "server/rpc/rpc_call.h"

enum herald_code calls_cancel(void *self, const Herald__Rpc__V1__CancelRequest *request,
                              Herald__Rpc__V1__CancelResponse *response, struct herald_error *reterr) {
    (void)self;
    (void)reterr;
    enum herald_code code = request->deadline_exceeded ? HERALD_DEADLINE_EXCEEDED : HERALD_CANCELLED;
    response->found = rpc_call_cancel(rpc_call_current(), request->ticket, code);
    return HERALD_OK;
}

static const struct herald_rpc_v1_calls_handlers HANDLERS = HERALD_RPC_V1_CALLS_HANDLERS;

enum herald_code calls_service_add(struct rpc_server *server, struct herald_error *reterr) {
    return rpc_server_add(server, &herald_rpc_v1_calls_binding, &HANDLERS, NULL, server, reterr);
}
