/*
 * A request on the thread on which it arrived: one of nng's, or with the native engine that of a loop:
 *
 *   look       what it is, and which method it names                      arrival.c
 *   gates      those of the message, then those of the server and method  gates.c
 *   hand on    answered here (a method that never waits), or joined to its connection and handed to a loop, where
 *              serve.c continues: posted, or at once if this is the loop's thread
 */
#include "server/rpc/dispatch.h"

#include "server/rpc/arrival.h"
#include "server/rpc/gates.h"
#include "server/rpc/serve.h"
#include "server/rpc/server_parts.h"
#include "server/transport/listener.h"

/* ---- gates ---- */

static enum herald_code check_message(struct arrival *arrival, struct herald_error *reterr) {
    const struct rpc_limits *limits = &arrival->parts->limits;
    enum herald_code code = gate_connection(limits, listener_serves(arrival->exchange), reterr);
    if (code == HERALD_OK) {
        code = gate_message_size(limits, arrival->exchange->bytes, reterr);
    }
    return code == HERALD_OK ? gate_probes(limits, arrival->probe, reterr) : code;
}

/* Takes the places among the calls in flight. A call with a credential may be a server's: auth.h has not seen it yet. */
static enum herald_code enter_flight(struct arrival *arrival, struct herald_error *reterr) {
    struct server_parts *parts = arrival->parts;
    enum herald_code code = gate_in_flight(&parts->limits, &parts->in_flight, reterr);
    arrival->entered = code == HERALD_OK;
    if (code == HERALD_OK && arrival_counts_as_connection(arrival)) {
        code = arrival_enter_as_stranger(arrival, arrival->method, true, reterr);
    }
    if (code != HERALD_OK) {
        exchange_relieve(arrival->exchange);
    }
    return code;
}

static enum herald_code admit(struct arrival *arrival, struct herald_error *reterr) {
    struct server_parts *parts = arrival->parts;
    enum herald_code code = enter_flight(arrival, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = gate_draining(&parts->limits, &parts->in_flight, reterr);
    if (code == HERALD_OK && arrival->method) {
        code = arrival_enter_method(arrival, arrival->method, arrival->exchange->received_us, reterr);
    }
    return code;
}

/* ---- handing on ---- */

static bool is_answered_here(const struct arrival *arrival) {
    return arrival->method && arrival->method->schema->answer_inline && !arrival->view.two_methods;
}

static void answer_here(struct arrival *arrival) {
    exchange_touch(arrival->exchange);
    serve_inline(arrival);
}

static bool goes_on_without_client(const struct arrival *arrival) {
    return arrival->method && arrival->method->schema->effect == HERALD_EFFECT_ONCE;
}

static void hand_to_loop(struct arrival *arrival) {
    atomic_fetch_add(&arrival->loop->in_flight, 1);
    if (arrival->exchange->loop) {
        serve_begin(&arrival->work);
        return;
    }
    arrival->work.run = serve_begin;
    loop_post(arrival->loop->loop, &arrival->work);
}

static struct rpc_loop *choose_loop(const struct arrival *arrival) {
    struct rpc_loops *loops = &arrival->parts->loops;
    const struct loop *loop = arrival->exchange->loop;
    return loop ? rpc_loops_of(loops, loop) : rpc_loops_choose(loops);
}

/* The connection's limits of calls in flight, if they are checked on arrival. */
static struct peers_limits connection_limits(const struct arrival *arrival) {
    const struct rpc_limits *limits = &arrival->parts->limits;
    const struct rpc_method *method = arrival->method;
    if (!arrival_counts_as_connection(arrival) || (method && method->own)) {
        return (struct peers_limits){.calls = 0};
    }
    return (struct peers_limits){.calls = limits->max_in_flight_per_connection,
                                 .waiting = method && method->schema->waits ? limits->max_waiting_per_connection : 0};
}

/* The refusal of a call for which its connection has no place; HERALD_OK: it has ended. */
static enum herald_code check_joined(const struct rpc_limits *limits, enum peers_join joined,
                                     struct herald_error *reterr) {
    enum herald_code code = gate_connection_calls(limits, joined == PEERS_FULL, reterr);
    return code == HERALD_OK ? gate_connection_waits(limits, joined == PEERS_WAITING_FULL, reterr) : code;
}

/* Sets the loop first: once the call has joined its connection it may be cancelled, and on_cancel() needs the loop. */
static void join_and_hand_on(struct arrival *arrival) {
    struct herald_error error;
    arrival->loop = choose_loop(arrival);
    const struct peers_limits limits = connection_limits(arrival);
    enum peers_join joined = exchange_join(arrival->exchange, arrival->view.ticket, &limits);
    if (joined == PEERS_JOINED || (joined == PEERS_GONE && goes_on_without_client(arrival))) {
        hand_to_loop(arrival);
        return;
    }
    arrival->loop = NULL;
    if (check_joined(&arrival->parts->limits, joined, &error) != HERALD_OK) {
        serve_refuse(arrival, &error);
    } else {
        arrival_reply(arrival); /* none: the connection has ended */
    }
}

/* ---- the callbacks ---- */

static void on_arrival(void *user, struct exchange *exchange) {
    struct arrival *arrival = arrival_look(user, exchange);
    struct herald_error error;
    if (check_message(arrival, &error) != HERALD_OK) {
        serve_refuse(arrival, &error);
    } else if (is_answered_here(arrival)) {
        answer_here(arrival);
    } else if (admit(arrival, &error) != HERALD_OK) {
        serve_refuse(arrival, &error);
    } else {
        join_and_hand_on(arrival);
    }
}

static void on_cancel(struct exchange *exchange, enum herald_code code) {
    struct arrival *arrival = exchange_user(exchange);
    arrival->cancel_code = code;
    arrival->cancel_work.run = serve_on_cancel;
    loop_post(arrival->loop->loop, &arrival->cancel_work);
}

static void on_end(void *user, struct exchange *exchange) {
    (void)user;
    arrival_leave(exchange_user(exchange));
}

static bool is_server_full(void *user) {
    struct server_parts *parts = user;
    return atomic_load(&parts->in_flight.count) >= parts->limits.max_in_flight ||
           atomic_load(&parts->in_flight.strangers) >= parts->limits.max_strangers;
}

const struct exchange_ops dispatch_ops = {
    .user_bytes = sizeof(struct arrival),
    .on_arrival = on_arrival,
    .on_cancel = on_cancel,
    .on_end = on_end,
    .is_full = is_server_full,
};
