#ifndef HERALD_RPC_RPC_CALL_H
#define HERALD_RPC_RPC_CALL_H

/*
 * One call and its five steps. serve.h runs them. A call belongs to the thread that serves it: a loop's, or one of nng's
 * for a method that never waits.
 */
#include "herald/error.h"
#include "server/auth/callers.h"
#include "server/rpc/loops.h"
#include "server/rpc/reply_metadata.h"
#include "server/rpc/signature.h"
#include "server/runtime/call.h"

#include <protobuf-c/protobuf-c.h>

struct arrival;
struct rpc_method;
struct server_parts;

struct rpc_call {
    struct loop_call in_loop; /* first */
    struct call context;
    struct server_parts *parts;
    struct rpc_loop *loop; /* NULL: answered on a thread of nng */
    struct arrival *arrival;
    uint64_t received_us;           /* on clock_now_us() */
    struct rpc_method *method;      /* NULL until known */
    ProtobufCMessage *request;      /* in the arena */
    ProtobufCMessage *response;     /* in the arena */
    enum caller_class caller_class; /* of context.caller, as the credential proves */
    struct rpc_signature signature; /* of the credential */
    bool signature_left;            /* its handler is to take it */
    char *text;                     /* a probe's answer that needs no handler; malloc'd */
    bool probe;                     /* answered in JSON */
    char parent_span[17];           /* the client's span in hex, from traceparent; empty: none */
    bool want_timings;
    bool succeeded; /* the handler has; a failure after that does not undo what it did */
    struct reply_metadata reply_metadata;
    uint64_t begun_us; /* when the handler began, on clock_now_us(); 0: it did not */
    uint64_t ended_us; /* when it ended */
    enum herald_code code;
    struct herald_error error; /* last: most calls touch little of it */
};

/* ---- for handlers and interceptors ---- */

/** The call whose handler runs here; NULL outside one. In a loop's tasks and on threads of nng. */
struct rpc_call *rpc_call_current(void);
/** Arena of the call whose handler runs. Works on threads of nng too, where call_arena() does not. */
struct arena *rpc_call_arena(void);
/**
 * The signature that the handler takes together with its first effect (rpc_signature_taker.own_method). A handler that ends
 * without an effect need not. NULL: none is left to take; outside an RPC too.
 */
const struct rpc_signature *rpc_call_signature_left(void);
/**
 * Adds a copy of a metadata pair to the reply, whether it succeeds or fails. The replies of probes carry none.
 *
 * @key  lower-case token of at most 128 bytes  @bytes  at most 4096
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "METADATA": too long, or no token) | HERALD_RESOURCE_EXHAUSTED
 *           (reason "TOO_MUCH_METADATA": more than 32 pairs; reason "ARENA_FULL")
 * Context:  the thread that serves the call
 */
enum herald_code rpc_call_add_reply_metadata(struct rpc_call *call, const char *key, const void *value, size_t bytes,
                                             struct herald_error *reterr);
/** Time from the arrival of a call's message to the end of its handler; to now if none ran. */
uint64_t rpc_call_latency_us(const struct rpc_call *call);
/** Cancels the call with that ticket on the same connection; false when there is none. Context: the thread that serves
 *  @call */
bool rpc_call_cancel(struct rpc_call *call, uint64_t ticket, enum herald_code code);

/* ---- for server/rpc ---- */

/** Prepares a call of @arrival, on the thread that serves it. Does not touch in_loop. */
void rpc_call_init(struct rpc_call *call, struct arrival *arrival);
/**
 * Reads the message of a call: its head, by which it is accepted or refused, then its payload, which is checked.
 *
 * Returns:  HERALD_OK: call->request is set, or call->text for a probe that needs no handler | the code of the codec,
 *           of a gate (gates.h) or of an interceptor, with call->error
 */
enum herald_code rpc_call_read(struct rpc_call *call);
/** The call's wait for its loop is over: releases its place among those that wait. Context: the thread that serves the
 *  call */
void rpc_call_arrived(struct rpc_call *call);
/** Runs the handler; sets the call's code, error and times. Context: the call's task */
void rpc_call_run(struct rpc_call *call);
/** The same for a method that never waits. Context: the thread that serves the call; no task */
void rpc_call_run_here(struct rpc_call *call);
/** Makes the exchange's reply: the response, the text of a probe, or the error. Without memory there is none. */
void rpc_call_make_reply(struct rpc_call *call);

#endif
