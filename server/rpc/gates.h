#ifndef HERALD_RPC_GATES_H
#define HERALD_RPC_GATES_H

/*
 * The gates of a call, in the order in which it passes them. The first ones are passed on arrival, on a thread of nng
 * (dispatch.c); the others on the thread that serves the call (rpc_call.c, serve.c). Each gate is a function of plain
 * data. It lets the call pass, or refuses it with a reason, a sentence that names the setting, and retry_after_ms where
 * a retry may help. No gate blocks, and no gate releases a place that the call took before.
 *
 * Authentication comes between gate_time_left() and gate_caller(): it is an interceptor (auth.h).
 */
#include "server/auth/callers.h"
#include "server/rpc/in_flight.h"
#include "server/rpc/limits.h"
#include "server/rpc/places.h"

/** retry_after_ms of a full server: calls in flight usually end within milliseconds. */
#define GATE_RETRY_AFTER_MS 100u
/** retry_after_ms where calls of methods that wait have all their places: they end after seconds. */
#define GATE_WAITING_RETRY_AFTER_MS 1000u
/** retry_after_ms of a draining server: another one may replace it by then. */
#define GATE_DRAINING_RETRY_AFTER_MS 1000u
/** retry_after_ms of a full listener: connections end less often than calls. */
#define GATE_CONNECTIONS_RETRY_AFTER_MS 1000u

/* ---- on arrival ---- */

/**
 * Refuses requests of a connection beyond rpc.max_connections.
 *
 * @has_place  the connection is within the limit
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CONNECTIONS")
 */
enum herald_code gate_connection(const struct rpc_limits *limits, bool has_place, struct herald_error *reterr);
/** Refuses a message of more than rpc.max_message_bytes.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "MESSAGE_TOO_LARGE") */
enum herald_code gate_message_size(const struct rpc_limits *limits, size_t bytes, struct herald_error *reterr);
/** Refuses a probe when rpc.probes is off. Returns: HERALD_OK | HERALD_PERMISSION_DENIED (reason "PROBES_OFF") */
enum herald_code gate_probes(const struct rpc_limits *limits, bool probe, struct herald_error *reterr);
/** Takes a place among the server's calls in flight, of which there are rpc.max_in_flight.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS") */
enum herald_code gate_in_flight(const struct rpc_limits *limits, struct in_flight *in_flight,
                                struct herald_error *reterr);
/** Takes one of the places that strangers have: rpc.max_in_flight less rpc.reserved_for_servers.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS") */
enum herald_code gate_stranger(const struct rpc_limits *limits, struct in_flight *in_flight,
                               struct herald_error *reterr);
/** Takes one of the places that strangers' calls of methods that wait have: rpc.waiting_share of the strangers' places.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS") */
enum herald_code gate_waiting(const struct rpc_limits *limits, struct in_flight *in_flight,
                              struct herald_error *reterr);
/** Takes one of the places that calls without a credential have: rpc.anonymous_share of the strangers' places.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS") */
enum herald_code gate_anonymous(const struct rpc_limits *limits, struct in_flight *in_flight,
                                struct herald_error *reterr);
/** Of these, one of the places that methods that wait have: rpc.waiting_share of them.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS") */
enum herald_code gate_anonymous_waiting(const struct rpc_limits *limits, struct in_flight *in_flight,
                                        struct herald_error *reterr);
/** Refuses every call of a draining server; after gate_in_flight(), see in_flight.h.
 *  Returns: HERALD_OK | HERALD_UNAVAILABLE (reason "DRAINING") */
enum herald_code gate_draining(const struct rpc_limits *limits, const struct in_flight *in_flight,
                               struct herald_error *reterr);
/**
 * Takes the places of the call's method. Does nothing when they are taken already, or for a method of herald.rpc.v1.
 * Passed on arrival if the envelope's view names the method, otherwise once the head is read.
 *
 * @group   whose waiting calls this one counts with
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_METHOD": rpc.max_in_flight_per_method;
 *          "LIMIT_REACHED": rpc.adaptive_limit)
 */
enum herald_code gate_method(const struct rpc_limits *limits, struct places *places, struct rpc_method *method,
                             enum adaptive_group group, uint64_t received_us, struct herald_error *reterr);
/** After LIMIT_REACHED of gate_method(), for a call that names the key of a server or operator: takes a place that is kept
 *  for these. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "LIMIT_REACHED") */
enum herald_code gate_kept(const struct rpc_limits *limits, struct places *places, uint64_t received_us,
                           struct herald_error *reterr);
/**
 * Refuses a call without a credential of a connection that has rpc.max_in_flight_per_connection calls in flight.
 *
 * @full  the connection is at that limit
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_CALLER")
 */
enum herald_code gate_connection_calls(const struct rpc_limits *limits, bool full, struct herald_error *reterr);
/** The same for a call of a method that waits: of these a connection may have rpc.waiting_share of its calls.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_CALLER") */
enum herald_code gate_connection_waits(const struct rpc_limits *limits, bool full, struct herald_error *reterr);

/* ---- the head is known ---- */

/** Refuses a call whose deadline passed before it began.
 *  Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED (reason "DEADLINE_EXCEEDED") */
enum herald_code gate_deadline(const char *method, uint32_t timeout_ms, uint64_t received_us, uint64_t now_us,
                               struct herald_error *reterr);
/** Refuses a call that waited for its loop for longer than rpc.max_queue_ms; from a default deadline of 20 s on, for
 *  longer than 1/20 of it, where that is more.
 *  @deadline_ms  the method's default deadline
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "QUEUE_TIMEOUT") */
enum herald_code gate_queue(const struct rpc_limits *limits, const char *method, uint32_t deadline_ms,
                            uint64_t received_us, uint64_t now_us, struct herald_error *reterr);
/**
 * Refuses a call with less time left than its method's fastest recent success needed. A ONCE call passes: a repeat may
 * be answered from the store, however long the first call took.
 *
 * Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED (reason "CANNOT_FINISH_IN_TIME")
 */
enum herald_code gate_time_left(const struct rpc_method *method, uint64_t deadline_us, uint64_t now_us,
                                struct herald_error *reterr);
/**
 * Takes the place of the credential's caller, if its class has a limit: rpc.max_in_flight_per_server for a server, and
 * rpc.max_in_flight_per_caller for any other.
 *
 * @waits  the call is of a method that waits: a caller but a server may have rpc.waiting_share of its calls of these
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "TOO_MANY_CALLS_OF_CALLER", "OUT_OF_MEMORY")
 */
enum herald_code gate_caller(const struct rpc_limits *limits, struct places *places, struct caller_counts *counts,
                             const char *caller, enum caller_class class, bool waits, struct herald_error *reterr);

/* ---- the request is decoded ---- */

/**
 * Fills in the acting user, and checks the request against the rules of its schema.
 *
 * @user  of the credential; empty: none. Lives as long as the request
 * Returns: HERALD_OK | HERALD_PERMISSION_DENIED (reason "NOT_YOUR_USER") | HERALD_INVALID_ARGUMENT (reason
 *          "INVALID_FIELD")
 */
enum herald_code gate_request(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                              struct herald_error *reterr);
/**
 * Refuses a call that would begin after the drain's time.
 *
 * @cut  the drain's time is over: running calls are cancelled, and no other begins
 * Returns: HERALD_OK | HERALD_UNAVAILABLE (reason "DRAINING")
 */
enum herald_code gate_drain_cut(const struct rpc_limits *limits, bool cut, struct herald_error *reterr);
/**
 * Refuses a cancelled call before it begins. A ONCE call passes: it runs on without its client.
 *
 * Returns: HERALD_OK | HERALD_CANCELLED (reason "CANCELLED")
 */
enum herald_code gate_wanted(const struct herald_method_schema *method, bool cancelled, struct herald_error *reterr);

#endif
