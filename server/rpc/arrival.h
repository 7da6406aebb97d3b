#ifndef HERALD_RPC_ARRIVAL_H
#define HERALD_RPC_ARRIVAL_H

/*
 * An arrival: the server's state of a request from its arrival to its reply, stored beside its exchange
 * (exchange_user()). It holds the request's view, the loop that serves it, and the places that it takes.
 *
 * Threads: like its exchange, an arrival belongs to one thread at a time: first to a thread of nng, then to its loop's,
 * unless it is refused or answered before. With the native engine it belongs to its loop's thread all the time. A cancel
 * is a message to that loop (cancel_work).
 */
#include "server/rpc/envelope_view.h"
#include "server/rpc/places.h"
#include "server/runtime/loop.h"
#include "server/transport/exchange.h"

struct rpc_call;
struct rpc_loop;
struct server_parts;

struct arrival {
    struct loop_work work; /* first: how it is posted to a loop */
    struct loop_work cancel_work;
    struct exchange *exchange;
    struct server_parts *parts;
    struct rpc_loop *loop;     /* where it is served; NULL: where it arrived */
    struct rpc_method *method; /* the envelope's; NULL: it is not served, or the request is a probe */
    struct envelope_view view; /* of an envelope; empty for a probe */
    bool probe;
    bool entered;           /* holds a place among the calls in flight, until its reply has been sent */
    bool stranger;          /* of these, one of the strangers' places, as long */
    bool anonymous;         /* and one of those that calls without a credential have, as long */
    bool waiting;           /* of these, one of the places of methods that wait, until its reply is sent */
    bool anonymous_waiting; /* and one of those that calls without a credential have, as long */
    struct places places;
    enum herald_code cancel_code; /* with which its waits end */
    struct rpc_call *call;        /* on the loop's thread, while it runs */
};

/** Reads the view of a request that has arrived, and returns its arrival. */
struct arrival *arrival_look(struct server_parts *parts, struct exchange *exchange);
/** True when the request counts towards its connection's limit on arrival. A call with a credential counts towards its
 *  caller's limit instead, once its head is read; so does a probe, which may have a credential. */
bool arrival_counts_as_connection(const struct arrival *arrival);
/**
 * Takes the places of the call's method: gate_method(), and gate_kept() for a call that names the key of a server or
 * operator.
 *
 * Returns: as these
 */
enum herald_code arrival_enter_method(struct arrival *arrival, struct rpc_method *method, uint64_t received_us,
                                      struct herald_error *reterr);
/**
 * Takes the places of a call of a stranger, those that it has not: gate_stranger(), and gate_waiting() for a method that
 * waits. A call without a credential takes them on arrival, any other once its caller is known. Who has no credential also
 * needs gate_anonymous() and gate_anonymous_waiting(). If one of them refuses, the call has none of these places. Does nothing
 * for a method of herald.rpc.v1.
 *
 * @method     NULL: not known yet
 * @anonymous  it has no caller
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS")
 */
enum herald_code arrival_enter_as_stranger(struct arrival *arrival, const struct rpc_method *method, bool anonymous,
                                           struct herald_error *reterr);
/** Releases the places among the calls in flight. Context: the reply has been sent or dropped */
void arrival_leave(struct arrival *arrival);
/** Releases the places, then sends the reply that was made. The caller no longer owns the arrival. As exchange_reply(). */
void arrival_reply(struct arrival *arrival);

#endif
