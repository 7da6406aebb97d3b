#ifndef HERALD_RPC_GATES_H
#define HERALD_RPC_GATES_H

#include "server/rpc/in_flight.h"
#include "server/rpc/limits.h"
#include "server/rpc/places.h"

/*
 * The gates of a call, in the order in which it passes them: the first ones on its arrival, on a thread of nng
 * (dispatch.c); the others on the thread that serves it (rpc_call.c). Each is a function of plain data, which lets the
 * call pass, or refuses it with a reason, a sentence that names the setting, and when to come back. None blocks; none
 * gives back a place that the call has taken before.
 *
 * Authentication comes between gate_time_left() and gate_caller(): it is an interceptor (auth.h).
 */

/** When to come back: calls in flight end, on the whole, within milliseconds. */
#define GATE_RETRY_AFTER_MS 100u
/** Another server may take over meanwhile. */
#define GATE_DRAINING_RETRY_AFTER_MS 1000u
/** Connections end less often than calls do. */
#define GATE_CONNECTIONS_RETRY_AFTER_MS 1000u

/* ---- on arrival ---- */

/** @has_place  the connection is none of those beyond rpc.max_connections. Refuses with "TOO_MANY_CONNECTIONS". */
enum herald_code gate_connection(const struct rpc_limits *limits, bool has_place, struct herald_error *reterr);
/** Refuses a message of more than rpc.max_message_bytes with "MESSAGE_TOO_LARGE". */
enum herald_code gate_message_size(const struct rpc_limits *limits, size_t bytes, struct herald_error *reterr);
/** Refuses a probe where rpc.probes is off, with "PROBES_OFF". */
enum herald_code gate_probes(const struct rpc_limits *limits, bool probe, struct herald_error *reterr);
/** Takes a place among the calls in flight of the server; refuses beyond rpc.max_in_flight with "TOO_MANY_CALLS". */
enum herald_code gate_in_flight(const struct rpc_limits *limits, struct in_flight *in_flight,
                                struct herald_error *reterr);
/** Refuses every call of a server that drains, with "DRAINING"; after gate_in_flight(): see in_flight.h. */
enum herald_code gate_draining(const struct rpc_limits *limits, const struct in_flight *in_flight,
                               struct herald_error *reterr);
/**
 * Takes the places of the call's method; again, and for methods of the server's own, it does nothing. On arrival where
 * the envelope names the method plainly, else as soon as it is known.
 *
 * Refuses with "TOO_MANY_CALLS_OF_METHOD" (rpc.max_in_flight_per_method), "LIMIT_REACHED" (rpc.adaptive_limit).
 */
enum herald_code gate_method(const struct rpc_limits *limits, struct places *places, struct rpc_method *method,
                             uint64_t received_us, struct herald_error *reterr);
/** @full  the connection has its limit of calls in flight. Refuses with "TOO_MANY_CALLS_OF_CALLER". */
enum herald_code gate_connection_calls(const struct rpc_limits *limits, bool full, struct herald_error *reterr);

/* ---- the head is known ---- */

/** Refuses a call whose time was spent before it began, with "DEADLINE_EXCEEDED". */
enum herald_code gate_deadline(const char *method, uint32_t timeout_ms, uint64_t received_us, uint64_t now_us,
                               struct herald_error *reterr);
/** Refuses a call that waited for its loop for longer than rpc.max_queue_ms, with "QUEUE_TIMEOUT". */
enum herald_code gate_queue(const struct rpc_limits *limits, const char *method, uint64_t received_us, uint64_t now_us,
                            struct herald_error *reterr);
/** Refuses a call with less time left than its method's fastest recent success needed, with "CANNOT_FINISH_IN_TIME". A
 *  ONCE call passes: its repeat may be answered from the store, however long the first one took. */
enum herald_code gate_time_left(const struct rpc_method *method, uint64_t deadline_us, uint64_t now_us,
                                struct herald_error *reterr);
/** Takes the place of the caller that the credential proves; refuses beyond rpc.max_in_flight_per_caller, which is set,
 *  with "TOO_MANY_CALLS_OF_CALLER". */
enum herald_code gate_caller(const struct rpc_limits *limits, struct places *places, struct caller_counts *counts,
                             const char *caller, struct herald_error *reterr);

/* ---- the request is decoded ---- */

/**
 * Fills in the acting user, and holds the request against the rules of its schema.
 *
 * @user  that the credential proves; empty: none. Lives as long as the request
 * Refuses with "NOT_YOUR_USER", "INVALID_FIELD".
 */
enum herald_code gate_request(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                              struct herald_error *reterr);
/** @cut  the drain's time is over: running calls are cancelled, no other may begin. Refuses with "DRAINING". */
enum herald_code gate_drain_cut(const struct rpc_limits *limits, bool cut, struct herald_error *reterr);
/** @cancelled  nobody waits for the reply. Refuses with "CANCELLED", but a ONCE call, which goes on without its client. */
enum herald_code gate_wanted(const struct herald_method_schema *method, bool cancelled, struct herald_error *reterr);

#endif
