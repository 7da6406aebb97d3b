/* Exchanges of nng: each is a context of a REP socket. It receives a request, waits for the reply, sends it, and receives
 * again. While fewer than `spare` are receiving, each arrival opens one more. */
#include "server/runtime/call.h"
#include "server/transport/exchange.h"

#include <nng/nng.h>
#include <stdlib.h>

/* Longest wait of a reply for a peer that does not read. */
#define SEND_TIMEOUT_MS 10000
/* The message of a request up to this size is kept, and takes the reply. */
#define KEPT_REQUEST_BYTES 1024u

static nng_ctx context_of(const struct exchange *exchange) {
    return (nng_ctx){.id = exchange->of.nng.context_id};
}

/* ---- receiving ---- */

static void on_aio(void *arg);

static void receive_next(struct exchange *exchange) {
    exchange_set_state(exchange, EXCHANGE_RECEIVING);
    atomic_fetch_add(&exchange->pool->receiving, 1);
    nng_aio_set_timeout(exchange->of.nng.aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(context_of(exchange), exchange->of.nng.aio);
}

static void take_request_message(struct exchange *exchange) {
    nng_msg *request = nng_aio_get_msg(exchange->of.nng.aio);
    nng_aio_set_msg(exchange->of.nng.aio, NULL);
    exchange->of.nng.message = request;
    exchange->data = nng_msg_body(request);
    exchange->bytes = nng_msg_len(request);
    exchange->pipe_id = (uint32_t)nng_pipe_id(nng_msg_get_pipe(request));
    exchange->received_us = clock_now_us();
}

static void on_received(struct exchange *exchange) {
    struct exchange_pool *pool = exchange->pool;
    unsigned receiving = atomic_fetch_sub(&pool->receiving, 1) - 1;
    int failure = nng_aio_result(exchange->of.nng.aio);
    if (failure == NNG_ECLOSED) {
        exchange_set_state(exchange, EXCHANGE_CLOSED);
        return;
    }
    if (failure != 0) { /* unread.c cancelled a send that had just succeeded, and hit this receive */
        receive_next(exchange);
        return;
    }
    if (receiving < pool->spare && nng_exchange_add(pool) == NNG_EBUSY) {
        pool->on_short(pool->owner);
    }
    exchange_set_state(exchange, EXCHANGE_HANDLING);
    take_request_message(exchange);
    pool->ops->on_arrival(pool->user, exchange);
}

static void forget_message(struct exchange *exchange) {
    nng_msg_free(exchange->of.nng.message);
    exchange->of.nng.message = NULL;
}

static void drop_request(struct exchange *exchange) {
    if (exchange->data && exchange->bytes > KEPT_REQUEST_BYTES) {
        forget_message(exchange);
    }
}

/* ---- the reply ---- */

static uint8_t *make_reply_message(struct exchange *exchange, size_t bytes) {
    nng_msg **message = &exchange->of.nng.message;
    if (*message ? nng_msg_realloc(*message, bytes) != 0 : nng_msg_alloc(message, bytes) != 0) {
        forget_message(exchange);
        return NULL;
    }
    return nng_msg_body(*message);
}

/* ---- sending ---- */

static void on_sent(struct exchange *exchange) {
    int failure = nng_aio_result(exchange->of.nng.aio);
    exchange_note_sent(exchange);
    if (failure != 0) {
        /* The peer does not read, or the socket closes: the message is still ours. */
        nng_msg_free(nng_aio_get_msg(exchange->of.nng.aio));
        nng_aio_set_msg(exchange->of.nng.aio, NULL);
    }
    exchange_end(exchange);
    if (failure == NNG_ECLOSED) {
        exchange_set_state(exchange, EXCHANGE_CLOSED);
    } else {
        receive_next(exchange);
    }
}

static void on_aio(void *arg) {
    struct exchange *exchange = arg;
    if (exchange_get_state(exchange) == EXCHANGE_RECEIVING) {
        on_received(exchange);
    } else {
        on_sent(exchange);
    }
}

static void send_by_context(struct exchange *exchange) {
    if (!exchange->reply) {
        forget_message(exchange);
        exchange_end(exchange);
        receive_next(exchange);
        return;
    }
    exchange_note_sending(exchange, clock_now_us());
    nng_aio_set_msg(exchange->of.nng.aio, exchange->of.nng.message);
    exchange->of.nng.message = NULL;
    exchange->reply = NULL;
    nng_aio_set_timeout(exchange->of.nng.aio, SEND_TIMEOUT_MS);
    nng_ctx_send(context_of(exchange), exchange->of.nng.aio);
}

/* If a reply went out just before, the cancel hits the exchange's next receive, which on_received() then starts
 * again. */
static void cancel_send(struct exchange *exchange) {
    nng_aio_cancel(exchange->of.nng.aio);
}

/* ---- the pool ---- */

static bool is_short(struct exchange_pool *pool) {
    return atomic_load(&pool->receiving) <= pool->spare / 2 && atomic_load(&pool->count) >= pool->limit;
}

static void close_pipe(struct exchange_pool *pool, uint32_t id, bool for_unread) {
    (void)pool;
    (void)for_unread; /* nng offers a reply to the kernel at once */
    nng_pipe_close((nng_pipe){.id = id});
}

/* nng_close() waits for ever for a context that is opened while it runs. So none is opened once it may begin. */
static int open_context(struct exchange_pool *pool, nng_ctx *ret_context) {
    pthread_mutex_lock(&pool->lock);
    int failure = pool->is_closing ? NNG_ECLOSED : nng_ctx_open(ret_context, (nng_socket){.id = pool->socket_id});
    pthread_mutex_unlock(&pool->lock);
    return failure;
}

void nng_exchange_add_no_more(struct exchange_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    pthread_mutex_unlock(&pool->lock);
}

static int open_exchange(struct exchange_pool *pool, struct exchange **ret_exchange) {
    nng_ctx context = NNG_CTX_INITIALIZER;
    struct exchange *exchange = exchange_new(pool);
    int failure = exchange ? open_context(pool, &context) : NNG_ENOMEM;
    if (failure == 0 && (failure = nng_aio_alloc(&exchange->of.nng.aio, on_aio, exchange)) != 0) {
        nng_ctx_close(context);
    }
    if (failure != 0) {
        free(exchange);
        return failure;
    }
    exchange->of.nng.context_id = context.id;
    *ret_exchange = exchange;
    return 0;
}

/* Without memory the pool stays smaller; nothing else fails. */
int nng_exchange_add(struct exchange_pool *pool) {
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
    exchange_enter(pool, exchange);
    receive_next(exchange);
    return 0;
}

static void free_context(struct exchange *exchange) {
    nng_aio_free(exchange->of.nng.aio); /* waits for a running callback */
    forget_message(exchange);
}

const struct exchange_engine exchange_engine_nng = {
    .drop = drop_request,
    .make = make_reply_message,
    .forget = forget_message,
    .send = send_by_context,
    .is_short = is_short,
    .close_peer = close_pipe,
    .cancel_send = cancel_send,
    .free = free_context,
};
