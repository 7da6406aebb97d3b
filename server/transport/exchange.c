#include "server/transport/exchange.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* Only the owning thread changes the state; unread.c reads it from another thread to find exchanges that send. */
void exchange_set_state(struct exchange *exchange, enum exchange_state state) {
    atomic_store_explicit(&exchange->state, state, memory_order_release);
}

enum exchange_state exchange_get_state(const struct exchange *exchange) {
    return (enum exchange_state)atomic_load_explicit(&exchange->state, memory_order_acquire);
}

/* ---- the reply ---- */

void exchange_drop_request(struct exchange *exchange) {
    exchange->pool->engine->drop(exchange);
    exchange->data = NULL;
    exchange->bytes = 0;
}

uint8_t *exchange_make_reply(struct exchange *exchange, size_t bytes) {
    exchange_drop_request(exchange);
    exchange->reply = exchange->pool->engine->make(exchange, bytes);
    exchange->reply_bytes = bytes;
    return exchange->reply;
}

void exchange_drop_reply(struct exchange *exchange) {
    exchange->reply = NULL;
    exchange->pool->engine->forget(exchange);
}

void exchange_end(struct exchange *exchange) {
    exchange->pool->ops->on_end(exchange->pool->user, exchange);
}

void exchange_note_sending(struct exchange *exchange, uint64_t now_us) {
    struct exchange_pool *pool = exchange->pool;
    size_t bytes = exchange->reply_bytes;
    atomic_store_explicit(&exchange->sending_since_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_to, exchange->pipe_id, memory_order_relaxed);
    size_t before = atomic_fetch_add_explicit(&pool->unsent_bytes, bytes, memory_order_relaxed);
    if (before + bytes > EXCHANGE_UNSENT_ENOUGH_BYTES) {
        pool->on_short(pool->owner);
    }
    exchange_set_state(exchange, EXCHANGE_SENDING);
}

void exchange_note_sent(struct exchange *exchange) {
    atomic_fetch_sub_explicit(&exchange->pool->unsent_bytes,
                              atomic_load_explicit(&exchange->sending_bytes, memory_order_relaxed),
                              memory_order_relaxed);
}

void exchange_reply(struct exchange *exchange) {
    assert(exchange_get_state(exchange) == EXCHANGE_HANDLING && !exchange->parked);
    exchange_drop_request(exchange);
    bool cancelling = exchange->joined && peers_leave(exchange->pool->peers, &exchange->call);
    exchange->joined = false;
    if (cancelling) {
        exchange->parked = true;
        return;
    }
    exchange->pool->engine->send(exchange);
}

/* ---- the call and its connection ---- */

static struct exchange *exchange_of(struct peer_call *call) {
    return (struct exchange *)(void *)((char *)call - offsetof(struct exchange, call));
}

void exchange_on_cancel(struct peer_call *call, enum herald_code code) {
    struct exchange *exchange = exchange_of(call);
    exchange->pool->ops->on_cancel(exchange, code);
}

bool exchange_cancel_arrived(struct exchange *exchange) {
    atomic_store(&exchange->call.cancel, CANCEL_HANDLED);
    if (!exchange->parked) {
        return true;
    }
    exchange->parked = false;
    exchange->pool->engine->send(exchange);
    return false;
}

enum peers_join exchange_join(struct exchange *exchange, uint64_t ticket, const struct peers_limits *limits) {
    enum peers_join joined = peers_join(exchange->pool->peers, &exchange->call, exchange->pipe_id, ticket, limits);
    exchange->joined = joined == PEERS_JOINED;
    return joined;
}

void exchange_touch(struct exchange *exchange) {
    peers_touch(exchange->pool->peers, exchange->pipe_id, exchange->received_us);
}

bool exchange_is_cancelled(const struct exchange *exchange) {
    return atomic_load(&exchange->call.cancel) != CANCEL_NONE;
}

unsigned exchange_in_flight(const struct exchange *exchange) {
    return peers_in_flight(exchange->pool->peers, &exchange->call);
}

bool exchange_cancel(struct exchange *exchange, uint64_t ticket, enum herald_code code) {
    return peers_cancel(exchange->pool->peers, exchange->pipe_id, ticket, code);
}

void exchange_relieve(struct exchange *exchange) {
    exchange->pool->on_short(exchange->pool->owner);
}

/* ---- the pool ---- */

void exchange_pool_init(struct exchange_pool *pool) {
    pthread_mutex_init(&pool->lock, NULL);
}

struct exchange *exchange_new(struct exchange_pool *pool) {
    struct exchange *exchange = calloc(1, sizeof(*exchange) + pool->ops->user_bytes);
    if (exchange) {
        exchange->pool = pool;
    }
    return exchange;
}

void exchange_enter(struct exchange_pool *pool, struct exchange *exchange) {
    pthread_mutex_lock(&pool->lock);
    exchange->next = pool->all;
    pool->all = exchange;
    pthread_mutex_unlock(&pool->lock);
}

/* A running callback may still add an exchange. Freeing the callback's own exchange waits for it, so the loop over
 * take_exchange() sees the new one. */
static struct exchange *take_exchange(struct exchange_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    struct exchange *exchange = pool->all;
    if (exchange) {
        pool->all = exchange->next;
    }
    pthread_mutex_unlock(&pool->lock);
    return exchange;
}

static void free_exchange(struct exchange *exchange) {
    exchange->pool->engine->free(exchange);
    if (exchange_get_state(exchange) == EXCHANGE_HANDLING) {
        exchange_end(exchange);
    }
    free(exchange);
}

void exchange_pool_fini(struct exchange_pool *pool) {
    struct exchange *exchange;
    while ((exchange = take_exchange(pool))) {
        free_exchange(exchange);
    }
    pthread_mutex_destroy(&pool->lock);
}
