#ifndef HERALD_RPC_INTERCEPTOR_H
#define HERALD_RPC_INTERCEPTOR_H

/*
 * Interceptors see every call of a server: traces, authentication, recent calls, logs. They are added before the
 * server listens, and called in the order in which they were added. They run on the thread that serves the call: a
 * loop's, or one of nng's for methods that never wait. So they must be quick, thread-safe, and never wait.
 */
#include "herald/error.h"
#include "server/rpc/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_call;

struct rpc_interceptor {
    const char *name; /* static */
    /** The head is read and the method found; the payload is not decoded yet. May be NULL.
     *  Returns: HERALD_OK | any code, which ends the call with @reterr */
    enum herald_code (*on_head)(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                struct herald_error *reterr);
    /** The request is decoded and valid; the interceptor may change it (call->request). May be NULL.
     *  Returns: HERALD_OK | any code, which ends the call with @reterr */
    enum herald_code (*on_request)(void *self, struct rpc_call *call, struct herald_error *reterr);
    /** The call has ended with call->code and call->error. Interceptors are called in reverse order. call->method is
     *  NULL if the call ended before its method was found. May be NULL. */
    void (*on_end)(void *self, const struct rpc_call *call);
    void *self;
};

#define RPC_INTERCEPTORS_MAX 16u

/** The interceptors of a server, in order. */
struct interceptors {
    struct rpc_interceptor list[RPC_INTERCEPTORS_MAX];
    size_t count;
};

/** Adds one, copied. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_INTERCEPTORS") */
enum herald_code interceptors_add(struct interceptors *interceptors, const struct rpc_interceptor *interceptor,
                                  struct herald_error *reterr);
/** Calls on_head() of each until one refuses. Returns: HERALD_OK | the code of the one that refused */
enum herald_code interceptors_on_head(const struct interceptors *interceptors, struct rpc_call *call,
                                      const struct rpc_call_head *head, struct herald_error *reterr);
/** Calls on_request() of each until one refuses. Returns: HERALD_OK | the code of the one that refused */
enum herald_code interceptors_on_request(const struct interceptors *interceptors, struct rpc_call *call,
                                         struct herald_error *reterr);
/** Calls on_end() of each, in reverse order. */
void interceptors_on_end(const struct interceptors *interceptors, const struct rpc_call *call);

#endif
