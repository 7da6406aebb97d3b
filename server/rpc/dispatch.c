/*
 * A request on the thread of nng on which it arrived:
 *
 *   look       what it is, and which method it names                      arrival.c
 *   gates      those of the message, then those of the server and method  gates.c
 *   hand on    answered here (a method that never waits), or joined to its connection and posted to a loop, where
 *              serve.c continues
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

static enum herald_code admit(struct arrival *arrival, struct herald_error *reterr) {
    struct server_parts *parts = arrival->parts;
    enum herald_code code = gate_in_flight(&parts->limits, &parts->in_flight, reterr);
    if (code != HERALD_OK) {
        exchange_relieve(arrival->exchange);
        return code;
    }
    arrival->entered = true;
    code = gate_draining(&parts->limits, &parts->in_flight, reterr);
    if (code == HERALD_OK && arrival->method) {
        code = gate_method(&parts->limits, &arrival->places, arrival->method, arrival->exchange->received_us, reterr);
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

static void post_exchange(struct arrival *arrival) {
    atomic_fetch_add(&arrival->loop->in_flight, 1);
    arrival->work.run = serve_begin;
    loop_post(arrival->loop->loop, &arrival->work);
}

/* The connection's limit of calls in flight; 0: it is not checked on arrival. */
static unsigned connection_limit(const struct arrival *arrival) {
    bool own = arrival->method && arrival->method->own;
    return arrival_counts_as_connection(arrival) && !own ? arrival->parts->limits.max_in_flight_per_caller : 0;
}

/* Sets the loop first: once the call has joined its connection it may be cancelled, and on_cancel() needs the loop. */
static void join_and_post(struct arrival *arrival) {
    struct herald_error error;
    arrival->loop = rpc_loops_choose(&arrival->parts->loops);
    enum peers_join joined = exchange_join(arrival->exchange, arrival->view.ticket, connection_limit(arrival));
    if (joined == PEERS_JOINED || (joined == PEERS_GONE && goes_on_without_client(arrival))) {
        post_exchange(arrival);
        return;
    }
    arrival->loop = NULL;
    if (gate_connection_calls(&arrival->parts->limits, joined == PEERS_FULL, &error) != HERALD_OK) {
        serve_refuse(arrival, &error);
    } else {
        arrival_reply(arrival, NULL); /* the connection has ended */
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
        join_and_post(arrival);
    }
}

static void on_cancel(struct exchange *exchange, enum herald_code code) {
    struct arrival *arrival = exchange_user(exchange);
    arrival->cancel_code = code;
    arrival->cancel_work.run = serve_on_cancel;
    loop_post(arrival->loop->loop, &arrival->cancel_work);
}

static void on_end(void *user, struct exchange *exchange) {
    struct server_parts *parts = user;
    struct arrival *arrival = exchange_user(exchange);
    if (arrival->entered) {
        arrival->entered = false;
        in_flight_leave(&parts->in_flight);
    }
}

static bool is_server_full(void *user) {
    struct server_parts *parts = user;
    return atomic_load(&parts->in_flight.count) >= parts->limits.max_in_flight;
}

const struct exchange_ops dispatch_ops = {
    .user_bytes = sizeof(struct arrival),
    .on_arrival = on_arrival,
    .on_cancel = on_cancel,
    .on_end = on_end,
    .is_full = is_server_full,
};
