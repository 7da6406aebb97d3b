#ifndef HERALD_RPC_LIMITS_H
#define HERALD_RPC_LIMITS_H

#include "server/rpc/arrival.h"
#include "server/rpc/rpc_call.h"

/*
 * Limits of calls in flight, below that of all (rpc_server_enter()): of one method, of one caller, and the adaptive one
 * of the calls of a method that wait for a loop. What a call takes is noted in its arrival and given back, whatever
 * becomes of the call, before its reply is sent: a client that has seen its reply may call again at once.
 *
 * Health, Reflection, Introspection and Calls pass: they are what operators look with when a server is overloaded.
 */

/** When to come back: calls in flight end, on the whole, within milliseconds. */
#define LIMITS_RETRY_AFTER_MS 100u

void caller_counts_init(struct caller_counts *counts);
void caller_counts_fini(struct caller_counts *counts);

/**
 * Takes a call's places with its method; any thread, before the call is posted or when its method becomes known.
 * Does nothing a second time, nor for a method that passes.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_METHOD", "LIMIT_REACHED")
 */
enum herald_code limits_enter_method(struct arrival *arrival, struct rpc_method *method, struct herald_error *reterr);
/** The limit of calls of a connection that is checked on arrival; 0: none, or not known before the head is read. */
unsigned limits_of_connection(const struct arrival *arrival);
/** "TOO_MANY_CALLS_OF_CALLER" @who  as it is named in the message */
enum herald_code limits_refuse_caller(const struct rpc_server *server, const char *who, struct herald_error *reterr);
/**
 * Takes a call's place with its caller, once the head has been read and the caller is known; without a caller the
 * connection counts. On the loop's thread.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_CALLER", "NO_MEMORY")
 */
enum herald_code limits_enter_caller(struct rpc_call *call);
/** The call's handler begins. */
void limits_begin(struct arrival *arrival, uint64_t now_us);
/** Gives all back. Any thread; again does nothing. */
void limits_leave(struct arrival *arrival);

#endif
