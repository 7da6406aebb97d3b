#include "server/transport/exchange.h"

#include "server/runtime/call.h"

#include <assert.h>
#include <nng/nng.h>
#include <stddef.h>
#include <stdlib.h>

/* Longest wait of a reply for a peer that does not read. */
#define SEND_TIMEOUT_MS 10000

static void on_aio(void *arg);

static nng_ctx context_of(const struct exchange *exchange) {
    return (nng_ctx){.id = exchange->context_id};
}

/* Only the owning thread changes the state; unread.c reads it from another thread to find exchanges that send. */
static void set_state(struct exchange *exchange, enum exchange_state state) {
    atomic_store_explicit(&exchange->state, state, memory_order_release);
}

static enum exchange_state get_state(const struct exchange *exchange) {
    return (enum exchange_state)atomic_load_explicit(&exchange->state, memory_order_acquire);
}

/* ---- receiving ---- */

static void receive(struct exchange *exchange) {
    set_state(exchange, EXCHANGE_RECEIVING);
    atomic_fetch_add(&exchange->pool->receiving, 1);
    nng_aio_set_timeout(exchange->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(context_of(exchange), exchange->aio);
}

static void take_request_message(struct exchange *exchange) {
    nng_msg *request = nng_aio_get_msg(exchange->aio);
    nng_aio_set_msg(exchange->aio, NULL);
    exchange->request = request;
    exchange->data = nng_msg_body(request);
    exchange->bytes = nng_msg_len(request);
    exchange->pipe_id = (uint32_t)nng_pipe_id(nng_msg_get_pipe(request));
    exchange->received_us = clock_now_us();
}

static void on_received(struct exchange *exchange) {
    struct exchange_pool *pool = exchange->pool;
    unsigned receiving = atomic_fetch_sub(&pool->receiving, 1) - 1;
    int failure = nng_aio_result(exchange->aio);
    if (failure == NNG_ECLOSED) {
        set_state(exchange, EXCHANGE_CLOSED);
        return;
    }
    if (failure != 0) { /* unread.c cancelled a send that had just succeeded, and hit this receive */
        receive(exchange);
        return;
    }
    if (receiving < pool->spare && exchange_pool_add(pool) == NNG_EBUSY) {
        pool->on_short(pool->owner);
    }
    set_state(exchange, EXCHANGE_HANDLING);
    take_request_message(exchange);
    pool->ops->on_arrival(pool->user, exchange);
}

void exchange_drop_request(struct exchange *exchange) {
    nng_msg_free(exchange->request);
    exchange->request = NULL;
    exchange->data = NULL;
    exchange->bytes = 0;
}

/* ---- sending ---- */

static void end(struct exchange *exchange) {
    exchange->pool->ops->on_end(exchange->pool->user, exchange);
}

static void on_sent(struct exchange *exchange) {
    int failure = nng_aio_result(exchange->aio);
    atomic_fetch_sub_explicit(&exchange->pool->unsent_bytes,
                              atomic_load_explicit(&exchange->sending_bytes, memory_order_relaxed),
                              memory_order_relaxed);
    if (failure != 0) {
        /* The peer does not read, or the socket closes: the message is still ours. */
        nng_msg_free(nng_aio_get_msg(exchange->aio));
        nng_aio_set_msg(exchange->aio, NULL);
    }
    end(exchange);
    if (failure == NNG_ECLOSED) {
        set_state(exchange, EXCHANGE_CLOSED);
    } else {
        receive(exchange);
    }
}

static void on_aio(void *arg) {
    struct exchange *exchange = arg;
    if (get_state(exchange) == EXCHANGE_RECEIVING) {
        on_received(exchange);
    } else {
        on_sent(exchange);
    }
}

static void note_sending(struct exchange *exchange, size_t bytes) {
    struct exchange_pool *pool = exchange->pool;
    atomic_store_explicit(&exchange->sending_since_us, clock_now_us(), memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_to, exchange->pipe_id, memory_order_relaxed);
    size_t before = atomic_fetch_add_explicit(&pool->unsent_bytes, bytes, memory_order_relaxed);
    if (before + bytes > EXCHANGE_UNSENT_ENOUGH_BYTES) {
        pool->on_short(pool->owner);
    }
    set_state(exchange, EXCHANGE_SENDING);
}

static void send_reply(struct exchange *exchange, nng_msg *reply) {
    if (!reply) {
        end(exchange);
        receive(exchange);
        return;
    }
    note_sending(exchange, nng_msg_len(reply));
    nng_aio_set_msg(exchange->aio, reply);
    nng_aio_set_timeout(exchange->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(context_of(exchange), exchange->aio);
}

void exchange_reply(struct exchange *exchange, struct nng_msg *reply) {
    assert(get_state(exchange) == EXCHANGE_HANDLING && !exchange->parked);
    exchange_drop_request(exchange);
    bool cancelling = exchange->joined && peers_leave(exchange->pool->peers, &exchange->call);
    exchange->joined = false;
    if (cancelling) {
        exchange->parked = true;
        exchange->parked_reply = reply;
        return;
    }
    send_reply(exchange, reply);
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
    send_reply(exchange, exchange->parked_reply);
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

static int open_exchange(struct exchange_pool *pool, struct exchange **ret_exchange) {
    nng_ctx context = NNG_CTX_INITIALIZER;
    struct exchange *exchange = calloc(1, sizeof(*exchange) + pool->ops->user_bytes);
    int failure = exchange ? nng_ctx_open(&context, (nng_socket){.id = pool->socket_id}) : NNG_ENOMEM;
    if (failure == 0 && (failure = nng_aio_alloc(&exchange->aio, on_aio, exchange)) != 0) {
        nng_ctx_close(context);
    }
    if (failure != 0) {
        free(exchange);
        return failure;
    }
    exchange->context_id = context.id;
    exchange->pool = pool;
    *ret_exchange = exchange;
    return 0;
}

/* Without memory the pool stays smaller; nothing else fails. */
int exchange_pool_add(struct exchange_pool *pool) {
    struct exchange *exchange = NULL;
    if (atomic_fetch_add(&pool->count, 1) >= pool->limit) {
        atomic_fetch_sub(&pool->count, 1);
        return NNG_EBUSY;
    }
    int failure = open_exchange(pool, &exchange);
    if (failure != 0) {
        atomic_fetch_sub(&pool->count, 1);
        return failure;
    }
    pthread_mutex_lock(&pool->lock);
    exchange->next = pool->all;
    pool->all = exchange;
    pthread_mutex_unlock(&pool->lock);
    receive(exchange);
    return 0;
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
    nng_aio_free(exchange->aio); /* waits for a running callback */
    nng_msg_free(exchange->request);
    nng_msg_free(exchange->parked ? exchange->parked_reply : NULL);
    if (get_state(exchange) == EXCHANGE_HANDLING) {
        end(exchange);
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
