#include "server/rpc/dispatch.h"

#include "server/rpc/envelope.h"
#include "server/rpc/probe.h"
#include "server/rpc/rpc_call.h"

/* When to come back: calls in flight end, on the whole, within milliseconds. */
#define OVERLOAD_RETRY_AFTER_MS 100u
#define DRAINING_RETRY_AFTER_MS 1000u

static void refuse(struct rpc_exchange *exchange, bool probe, const struct herald_error *error) {
    rpc_exchange_reply(exchange, probe ? probe_failure(error) : envelope_failure(error));
}

static void refuse_oversized(struct rpc_exchange *exchange, bool probe, size_t bytes) {
    struct herald_error error;
    herald_error_set(&error, HERALD_RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE",
                     "the message has %zu bytes, the limit is rpc.max_message_bytes = %u", bytes,
                     exchange->listener->server->limits.max_message_bytes);
    refuse(exchange, probe, &error);
}

static void refuse_probe(struct rpc_exchange *exchange) {
    struct herald_error error;
    herald_error_set(&error, HERALD_PERMISSION_DENIED, "PROBES_OFF",
                     "plain-text probes are switched off here (rpc.probes = false); send a packed "
                     "herald.rpc.v1.Request");
    refuse(exchange, true, &error);
}

static void refuse_overload(struct rpc_exchange *exchange, bool probe) {
    struct herald_error error;
    herald_error_set(&error, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS",
                     "%s has its limit of %u calls in flight (rpc.max_in_flight); try again later",
                     exchange->listener->server->name, exchange->listener->server->limits.max_in_flight);
    error.retry_after_ms = OVERLOAD_RETRY_AFTER_MS;
    refuse(exchange, probe, &error);
}

static void refuse_draining(struct rpc_exchange *exchange, bool probe) {
    struct herald_error error;
    herald_error_set(&error, HERALD_UNAVAILABLE, "DRAINING", "%s is about to end and takes no more calls",
                     exchange->listener->server->name);
    error.retry_after_ms = DRAINING_RETRY_AFTER_MS;
    refuse(exchange, probe, &error);
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

static bool is_answered_inline(const struct rpc_server *server, const uint8_t *data, size_t bytes) {
    const char *name;
    size_t name_bytes;
    if (!envelope_peek_method(data, bytes, &name, &name_bytes))
        return false;
    const struct rpc_method *method = rpc_server_find(server, name, name_bytes);
    return method && method->schema->answer_inline;
}

static void post(struct rpc_exchange *exchange, struct rpc_loop *loop) {
    exchange->loop = loop;
    exchange->work.run = rpc_call_begin;
    atomic_fetch_add(&loop->in_flight, 1);
    loop_post(loop->loop, &exchange->work);
}

/* Enter first, look at the drain second: so a drain that sees nobody in flight is right. */
static void admit(struct rpc_exchange *exchange, bool probe) {
    struct rpc_server *server = exchange->listener->server;
    if (!rpc_server_enter(server)) {
        refuse_overload(exchange, probe);
        return;
    }
    if (atomic_load(&server->draining)) {
        rpc_server_leave(server);
        refuse_draining(exchange, probe);
        return;
    }
    exchange->entered = true;
    post(exchange, choose_loop(server));
}

void rpc_dispatch(struct rpc_exchange *exchange) {
    struct rpc_server *server = exchange->listener->server;
    const uint8_t *data = nng_msg_body(exchange->message);
    size_t bytes = nng_msg_len(exchange->message);
    bool probe = probe_is(data, bytes);
    if (bytes > server->limits.max_message_bytes)
        refuse_oversized(exchange, probe, bytes);
    else if (probe && !server->limits.probes)
        refuse_probe(exchange);
    else if (!probe && is_answered_inline(server, data, bytes))
        rpc_call_answer_inline(exchange);
    else
        admit(exchange, probe);
}
