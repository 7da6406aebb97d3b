#include "server/rpc/dispatch.h"

#include "server/rpc/arrival.h"
#include "server/rpc/limits.h"
#include "server/rpc/rpc_call.h"
#include "server/transport/listener.h"

#define DRAINING_RETRY_AFTER_MS 1000u
/* Connections end less often than calls do. */
#define CONNECTIONS_RETRY_AFTER_MS 1000u

static void refuse(struct arrival *arrival, const struct herald_error *error) {
    rpc_call_refuse(arrival, arrival->method, error);
}

static void refuse_connection(struct arrival *arrival) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_TOO_MANY_CONNECTIONS,
                     "%s has its limit of %u connections (rpc.max_connections) and closes this one; try again later",
                     arrival->server->name, arrival->server->limits.max_connections);
    error.retry_after_ms = CONNECTIONS_RETRY_AFTER_MS;
    refuse(arrival, &error);
}

static void refuse_oversized(struct arrival *arrival, size_t bytes) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_MESSAGE_TOO_LARGE,
                     "the message has %zu bytes, the limit is rpc.max_message_bytes = %u", bytes,
                     arrival->server->limits.max_message_bytes);
    refuse(arrival, &error);
}

static void refuse_probe(struct arrival *arrival) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_PROBES_OFF,
                     "plain-text probes are switched off here (rpc.probes = false); send a packed "
                     "herald.rpc.v1.Request");
    refuse(arrival, &error);
}

static void refuse_overload(struct arrival *arrival) {
    struct herald_error error;
    exchange_relieve(arrival->exchange);
    herald_error_set(&error, HERALD_REASON_TOO_MANY_CALLS,
                     "%s has its limit of %u calls in flight (rpc.max_in_flight); try again later",
                     arrival->server->name, arrival->server->limits.max_in_flight);
    error.retry_after_ms = LIMITS_RETRY_AFTER_MS;
    refuse(arrival, &error);
}

static void refuse_draining(struct arrival *arrival) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_DRAINING, "%s is about to end and takes no more calls",
                     arrival->server->name);
    error.retry_after_ms = DRAINING_RETRY_AFTER_MS;
    refuse(arrival, &error);
}

/* The loop with the fewest calls; among equals they take turns. */
static struct rpc_loop *choose_loop(struct rpc_server *server) {
    unsigned first = atomic_fetch_add_explicit(&server->next_loop, 1, memory_order_relaxed) % server->loop_count;
    struct rpc_loop *best = &server->loops[first];
    unsigned fewest = atomic_load_explicit(&best->in_flight, memory_order_relaxed);
    for (unsigned i = 1; i < server->loop_count && fewest > 0; i++) {
        struct rpc_loop *loop = &server->loops[(first + i) % server->loop_count];
        unsigned count = atomic_load_explicit(&loop->in_flight, memory_order_relaxed);
        if (count < fewest) {
            best = loop;
            fewest = count;
        }
    }
    return best;
}

static bool goes_on_without_client(const struct arrival *arrival) {
    return arrival->method && arrival->method->schema->effect == HERALD_EFFECT_ONCE;
}

static void post(struct arrival *arrival) {
    atomic_fetch_add(&arrival->loop->in_flight, 1);
    arrival->work.run = rpc_call_begin;
    loop_post(arrival->loop->loop, &arrival->work);
}

/* Under its connection the call can be cancelled. */
static void join_and_post(struct arrival *arrival) {
    struct herald_error error;
    arrival->loop = choose_loop(arrival->server);
    enum peers_join joined = exchange_join(arrival->exchange, arrival->view.ticket, limits_of_connection(arrival));
    if (joined == PEERS_JOINED || (joined == PEERS_GONE && goes_on_without_client(arrival))) {
        post(arrival);
        return;
    }
    arrival->loop = NULL;
    if (joined == PEERS_GONE) {
        arrival_reply(arrival, NULL); /* nobody is there to read one */
        return;
    }
    limits_refuse_caller(arrival->server, "the connection", &error);
    refuse(arrival, &error);
}

/* Enter first, look at the drain second: so a drain that sees nobody in flight is right. */
static void admit(struct arrival *arrival) {
    struct rpc_server *server = arrival->server;
    struct rpc_method *method = arrival->method;
    struct herald_error error;
    arrival->entered = rpc_server_enter(server);
    if (!arrival->entered) {
        refuse_overload(arrival);
    } else if (atomic_load(&server->draining)) {
        refuse_draining(arrival);
    } else if (method && limits_enter_method(arrival, method, &error) != HERALD_OK) {
        refuse(arrival, &error);
    } else {
        join_and_post(arrival);
    }
}

static void answer_inline(struct arrival *arrival) {
    exchange_touch(arrival->exchange);
    rpc_call_answer_inline(arrival);
}

/* ---- what the transport is given ---- */

static void on_arrival(void *user, struct exchange *exchange) {
    struct rpc_server *server = user;
    struct arrival *arrival = arrival_look(server, exchange);
    const struct rpc_method *method = arrival->method;
    if (!listener_serves(exchange)) {
        refuse_connection(arrival);
    } else if (exchange->bytes > server->limits.max_message_bytes) {
        refuse_oversized(arrival, exchange->bytes);
    } else if (arrival->probe && !server->limits.probes) {
        refuse_probe(arrival);
    } else if (method && method->schema->answer_inline && !arrival->view.two_methods) {
        answer_inline(arrival);
    } else {
        admit(arrival);
    }
}

static void on_cancel(struct exchange *exchange, enum herald_code code) {
    struct arrival *arrival = exchange_user(exchange);
    arrival->cancel_code = code;
    arrival->cancel_work.run = rpc_call_on_cancel;
    loop_post(arrival->loop->loop, &arrival->cancel_work);
}

static void on_end(void *user, struct exchange *exchange) {
    struct arrival *arrival = exchange_user(exchange);
    if (arrival->entered) {
        arrival->entered = false;
        rpc_server_leave(user);
    }
}

static bool is_full(void *user) {
    struct rpc_server *server = user;
    return atomic_load(&server->in_flight) >= server->limits.max_in_flight;
}

const struct exchange_ops dispatch_ops = {
    .user_bytes = sizeof(struct arrival),
    .on_arrival = on_arrival,
    .on_cancel = on_cancel,
    .on_end = on_end,
    .is_full = is_full,
};
