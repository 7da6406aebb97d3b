#ifndef HERALD_RPC_RPC_CALL_H
#define HERALD_RPC_RPC_CALL_H

#include "server/rpc/listener.h"
#include "server/runtime/call.h"

/*
 * One call, from its message to its reply.
 */
struct rpc_call {
    struct call context;
    struct rpc_server *server;
    struct rpc_loop *loop; /* NULL: answered on a thread of nng */
    struct rpc_exchange *exchange;
    struct rpc_method *method;  /* NULL until known */
    ProtobufCMessage *request;  /* in the arena */
    ProtobufCMessage *response; /* in the arena */
    char *text;                 /* a probe's answer that needs no method; malloc'd */
    bool probe;                 /* answered in JSON */
    enum herald_code code;
    struct rpc_call *prev, *next;
    struct herald_error error; /* last: most of it is never touched */
};

/** What comes beside the payload. Strings are terminated; NULL or empty: not said. */
struct rpc_call_head {
    const char *method;
    const char *call_id;
    const char *idempotency_key;
    const char *traceparent;
    uint32_t timeout_ms;
};

/**
 * Takes the head of a call: finds its method, sets deadline, ids and key.
 *
 * Returns:  HERALD_OK | HERALD_UNIMPLEMENTED (reason "UNKNOWN_METHOD", names near ones) | HERALD_DEADLINE_EXCEEDED (the
 *           time was spent before the call began)
 */
enum herald_code rpc_call_accept(struct rpc_call *call, const struct rpc_call_head *head);

/** Runs on a thread of nng: decodes, calls the handler of a method that never waits, and replies. */
void rpc_call_answer_inline(struct rpc_exchange *exchange);
/** Posted with an exchange: begins its call on the loop's thread. */
void rpc_call_begin(struct loop_work *work);
/** Ends the calls of a loop with UNAVAILABLE, present and future ones. Context: the loop's thread. */
void rpc_call_cancel_all(struct rpc_loop *loop);
/** Frees the ended calls that a loop keeps. The loop does not run. */
void rpc_call_free_idle(struct rpc_loop *loop);

/** Arena of the call whose handler runs: works on threads of nng too, where call_arena() does not. */
struct arena *rpc_call_arena(void);

#endif
