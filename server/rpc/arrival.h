#ifndef HERALD_RPC_ARRIVAL_H
#define HERALD_RPC_ARRIVAL_H

#include "server/rpc/envelope_view.h"
#include "server/rpc/places.h"
#include "server/runtime/loop.h"
#include "server/transport/exchange.h"

/*
 * What a server knows of a request from its arrival to its reply, beside the exchange that brought it (exchange_user()).
 * It says what came, where it is served, and what it holds until its reply is sent.
 *
 * Threads: as its exchange, an arrival belongs to one thread at a time: to one of nng's, then, unless it is refused or
 * answered there, to its loop's. It is cancelled by a message to that loop (cancel_work).
 */
struct rpc_call;
struct rpc_loop;
struct server_parts;

struct arrival {
    struct loop_work work; /* first: how it is posted to a loop */
    struct loop_work cancel_work;
    struct exchange *exchange;
    struct server_parts *parts;
    struct rpc_loop *loop;     /* where it is served; NULL: on a thread of nng */
    struct rpc_method *method; /* that the envelope names; NULL: none that is served, or a probe */
    struct envelope_view view; /* of an envelope; empty for a probe */
    bool probe;
    bool entered; /* holds a place among the calls in flight, until its reply has been sent */
    struct places places;
    enum herald_code cancel_code; /* with which its waits shall end */
    struct rpc_call *call;        /* on the loop's thread, while it runs */
};

/** Looks at a request that has arrived. Returns what is known of it. */
struct arrival *arrival_look(struct server_parts *parts, struct exchange *exchange);
/** Whether it counts for its connection on arrival. A call with a credential is its caller's, who is known only when the
 *  head has been read; a probe may have one. */
bool arrival_counts_as_connection(const struct arrival *arrival);
/** Replies; places are given back first, and the arrival is not the caller's any more. As exchange_reply(). */
void arrival_reply(struct arrival *arrival, struct nng_msg *reply);

#endif
