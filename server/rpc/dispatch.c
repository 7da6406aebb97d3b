#include "server/rpc/dispatch.h"

#include "server/rpc/limits.h"
#include "server/rpc/probe_text.h"
#include "server/rpc/rpc_call.h"

#define DRAINING_RETRY_AFTER_MS 1000u
/* Connections end less often than calls do. */
#define CONNECTIONS_RETRY_AFTER_MS 1000u

static void refuse(struct rpc_exchange *exchange, const struct herald_error *error) {
    rpc_call_refuse(exchange, exchange->method, error);
}

static void refuse_connection(struct rpc_exchange *exchange) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_TOO_MANY_CONNECTIONS,
                     "%s has its limit of %u connections (rpc.max_connections) and closes this one; try again later",
                     exchange->listener->server->name, exchange->listener->server->limits.max_connections);
    error.retry_after_ms = CONNECTIONS_RETRY_AFTER_MS;
    refuse(exchange, &error);
}

static void refuse_oversized(struct rpc_exchange *exchange, size_t bytes) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_MESSAGE_TOO_LARGE,
                     "the message has %zu bytes, the limit is rpc.max_message_bytes = %u", bytes,
                     exchange->listener->server->limits.max_message_bytes);
    refuse(exchange, &error);
}

static void refuse_probe(struct rpc_exchange *exchange) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_PROBES_OFF,
                     "plain-text probes are switched off here (rpc.probes = false); send a packed "
                     "herald.rpc.v1.Request");
    refuse(exchange, &error);
}

static void refuse_overload(struct rpc_exchange *exchange) {
    struct herald_error error;
    rpc_listener_relieve(exchange->listener);
    herald_error_set(&error, HERALD_REASON_TOO_MANY_CALLS,
                     "%s has its limit of %u calls in flight (rpc.max_in_flight); try again later",
                     exchange->listener->server->name, exchange->listener->server->limits.max_in_flight);
    error.retry_after_ms = LIMITS_RETRY_AFTER_MS;
    refuse(exchange, &error);
}

static void refuse_draining(struct rpc_exchange *exchange) {
    struct herald_error error;
    herald_error_set(&error, HERALD_REASON_DRAINING, "%s is about to end and takes no more calls",
                     exchange->listener->server->name);
    error.retry_after_ms = DRAINING_RETRY_AFTER_MS;
    refuse(exchange, &error);
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

static bool goes_on_without_client(const struct rpc_exchange *exchange) {
    return exchange->method && exchange->method->schema->effect == HERALD_EFFECT_ONCE;
}

static void post(struct rpc_exchange *exchange) {
    atomic_fetch_add(&exchange->loop->in_flight, 1);
    exchange->work.run = rpc_call_begin;
    loop_post(exchange->loop->loop, &exchange->work);
}

/* Under its connection the call can be told that nobody waits for it any more. */
static void join_and_post(struct rpc_exchange *exchange, bool probe) {
    struct rpc_listener *listener = exchange->listener;
    struct herald_error error;
    exchange->loop = choose_loop(listener->server);
    enum peers_join joined = peers_join(&listener->peers, exchange, limits_of_connection(exchange, probe));
    if (joined == PEERS_JOINED || (joined == PEERS_GONE && goes_on_without_client(exchange))) {
        if (joined == PEERS_GONE) {
            atomic_store(&exchange->told, EXCHANGE_TOLD);
        }
        post(exchange);
        return;
    }
    exchange->loop = NULL;
    if (joined == PEERS_GONE) {
        rpc_exchange_reply(exchange, NULL); /* nobody is there to read one */
        return;
    }
    limits_refuse_caller(listener->server, "the connection", &error);
    refuse(exchange, &error);
}

/* Enter first, look at the drain second: so a drain that sees nobody in flight is right. */
static void admit(struct rpc_exchange *exchange, bool probe) {
    struct rpc_server *server = exchange->listener->server;
    struct rpc_method *method = exchange->method;
    struct herald_error error;
    exchange->entered = rpc_server_enter(server);
    if (!exchange->entered) {
        refuse_overload(exchange);
    } else if (atomic_load(&server->draining)) {
        refuse_draining(exchange);
    } else if (method && limits_enter_method(exchange, method, &error) != HERALD_OK) {
        refuse(exchange, &error);
    } else {
        join_and_post(exchange, probe);
    }
}

static void answer_inline(struct rpc_exchange *exchange) {
    peers_touch(&exchange->listener->peers, exchange->pipe_id, exchange->received_us);
    rpc_call_answer_inline(exchange);
}

static void look(struct rpc_exchange *exchange, bool probe, const uint8_t *data, size_t bytes) {
    const struct envelope_view *view = &exchange->view;
    exchange->method = NULL;
    if (probe) {
        exchange->view = (struct envelope_view){.plain = false};
        return;
    }
    envelope_look(data, bytes, &exchange->view);
    if (view->method.data) {
        exchange->method =
            rpc_server_find(exchange->listener->server, (const char *)view->method.data, view->method.bytes);
    }
}

void rpc_dispatch(struct rpc_exchange *exchange) {
    struct rpc_server *server = exchange->listener->server;
    const uint8_t *data = nng_msg_body(exchange->message);
    size_t bytes = nng_msg_len(exchange->message);
    bool probe = probe_is(data, bytes);
    exchange->pipe_id = (uint32_t)nng_pipe_id(nng_msg_get_pipe(exchange->message));
    look(exchange, probe, data, bytes);
    if (rpc_listener_ask(exchange) == PEERS_REFUSE) {
        refuse_connection(exchange);
    } else if (bytes > server->limits.max_message_bytes) {
        refuse_oversized(exchange, bytes);
    } else if (probe && !server->limits.probes) {
        refuse_probe(exchange);
    } else if (exchange->method && exchange->method->schema->answer_inline && !exchange->view.two_methods) {
        answer_inline(exchange);
    } else {
        admit(exchange, probe);
    }
}
