#ifndef HERALD_RPC_INTERCEPTOR_H
#define HERALD_RPC_INTERCEPTOR_H

#include "herald/error.h"
#include "server/rpc/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What looks at every call of a server: authentication, access, metrics, logs, traces. Interceptors are added before
 * the server listens and called in the order in which they were added, on the thread that serves the call (a loop's, or
 * one of nng's for methods that never wait), so they must be quick, thread-safe, and never wait.
 */
struct rpc_call;

struct rpc_interceptor {
    const char *name; /* static */
    /** The head is known, its method found, the payload not yet decoded. An error ends the call with it. */
    enum herald_code (*on_head)(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                struct herald_error *reterr);
    /** The request is decoded and valid, and may be changed (call->request). An error ends the call with it. */
    enum herald_code (*on_request)(void *self, struct rpc_call *call, struct herald_error *reterr);
    /** The call has ended with call->code and call->error; in the opposite order. For calls that ended before their
     *  method was found call->method is NULL. */
    void (*on_end)(void *self, const struct rpc_call *call);
    void *self;
};

#define RPC_INTERCEPTORS_MAX 16u

/** Those of a server, in order. */
struct interceptors {
    struct rpc_interceptor list[RPC_INTERCEPTORS_MAX];
    size_t count;
};

/** Adds one, copied. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_INTERCEPTORS") */
enum herald_code interceptors_add(struct interceptors *interceptors, const struct rpc_interceptor *interceptor,
                                  struct herald_error *reterr);
/** Asks them in turn, until one refuses. Returns: HERALD_OK | its error */
enum herald_code interceptors_on_head(const struct interceptors *interceptors, struct rpc_call *call,
                                      const struct rpc_call_head *head, struct herald_error *reterr);
enum herald_code interceptors_on_request(const struct interceptors *interceptors, struct rpc_call *call,
                                         struct herald_error *reterr);
/** Tells all of them. */
void interceptors_on_end(const struct interceptors *interceptors, const struct rpc_call *call);

#endif
