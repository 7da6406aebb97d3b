/*
 * A loop's share of a native listener: connections, requests and replies.
 *
 * A request is handed up where it lies in the loop's memory. Its exchange is taken from the port's idle ones, and goes
 * back there when the kernel has taken the reply. Without an exchange the connection is not read until there is one. Nor
 * is a connection that has much to read itself.
 */
#include "server/transport/native_port.h"

#include "server/native/native_tls.h"
#include "server/runtime/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How long a peer may take to greet. */
#define GREETING_MS 10000u
/* Longest wait of a reply for a peer that reads nothing. */
#define SEND_TIMEOUT_US 10000000u
#define TICK_MS         500u
/* A connection with more unsent bytes is not read … until it has less. */
#define UNSENT_MANY_BYTES (256u * 1024u)
#define UNSENT_FEW_BYTES  (64u * 1024u)
/* The bits of a connection's id that tell its port. */
#define PORT_BITS 6u

static_assert(1u << PORT_BITS == NATIVE_PORTS_MAX, "an id tells the port");

struct native_peer {
    struct native_port *port;
    struct native_stream *stream; /* NULL: it has ended */
    uint32_t id;                  /* 0: it has not greeted, or was turned away */
    unsigned exchanges;           /* that it has */
    struct exchange *sending, *last_sending;
    uint64_t taken, taken_us;        /* what it has taken of its replies, and when it was seen to take more */
    bool is_full;                    /* not read, because it does not read */
    bool is_starved;                 /* not read for want of an exchange */
    struct native_peer *prev, *next; /* in starved */
    UT_hash_handle hh;
};

static struct native_listener *native_of(const struct native_port *port) {
    return port->listener->native;
}

/* ---- connections ---- */

static void uncount_connection(struct native_port *port) {
    atomic_fetch_sub(&port->connection_count, 1);
}

/* An id that no open connection has. */
static uint32_t new_id(struct native_port *port) {
    struct native_peer *other;
    uint32_t id;
    do {
        id = atomic_fetch_add(&native_of(port)->ids, 1) << PORT_BITS | port->index;
        HASH_FIND(hh, port->peers, &id, sizeof(id), other);
    } while (other != NULL || id >> PORT_BITS == 0);
    return id;
}

static void free_peer_when_left(struct native_peer *peer) {
    if (peer->stream == NULL && peer->exchanges == 0) {
        free(peer);
    }
}

static void on_peer_open(void *user) {
    struct native_peer *peer = user;
    struct native_port *port = peer->port;
    uint32_t id = new_id(port);
    if (!listener_admit(port->listener, id)) {
        peers_remove(&port->listener->peers, id);
        native_stream_close(peer->stream);
        return;
    }
    peer->id = id;
    HASH_ADD(hh, port->peers, id, sizeof(peer->id), peer);
    if (!HASH_HAS_ADDED(hh, peer)) {
        peers_remove(&port->listener->peers, id);
        peer->id = 0;
        native_stream_close(peer->stream);
    }
}

static void unstarve(struct native_peer *peer) {
    if (peer->is_starved) {
        peer->is_starved = false;
        DL_DELETE(peer->port->starved, peer);
        atomic_fetch_sub(&peer->port->starved_count, 1);
    }
}

static void end_exchange_here(struct exchange *exchange);

static void on_peer_stream_end(void *user, enum native_end why) {
    struct native_peer *peer = user;
    struct native_port *port = peer->port;
    (void)why;
    peer->stream = NULL;
    unstarve(peer);
    if (peer->id != 0) {
        HASH_DEL(port->peers, peer);
        peers_remove(&port->listener->peers, peer->id);
    }
    peer->exchanges++; /* keeps it */
    while (peer->sending != NULL) {
        struct exchange *exchange = peer->sending;
        peer->sending = exchange->of.native.after;
        exchange_note_sent(exchange);
        end_exchange_here(exchange);
    }
    peer->exchanges--;
    free_peer_when_left(peer);
    uncount_connection(port);
    native_port_note_closed(port);
}

/* ---- exchanges ---- */

static struct exchange *new_exchange(struct native_port *port) {
    struct exchange_pool *pool = &port->listener->exchanges;
    struct exchange *exchange = exchange_new(pool);
    if (exchange != NULL) {
        exchange->loop = port->loop;
        exchange_set_state(exchange, EXCHANGE_RECEIVING);
        exchange_enter(pool, exchange);
    }
    return exchange;
}

static struct exchange *take_idle_exchange(struct native_port *port) {
    struct exchange_pool *pool = &port->listener->exchanges;
    unsigned count = atomic_fetch_add(&pool->count, 1) + 1;
    struct exchange *exchange = NULL;
    if (count <= pool->limit) {
        exchange = port->idle != NULL ? port->idle : new_exchange(port);
    }
    if (exchange == NULL) {
        atomic_fetch_sub(&pool->count, 1);
    } else if (exchange == port->idle) {
        port->idle = exchange->of.native.after;
    }
    if (count + pool->spare > pool->limit) {
        pool->on_short(pool->owner);
    }
    return exchange;
}

static void resume_starved(struct native_port *port) {
    struct native_peer *peer;
    while ((peer = port->starved) != NULL) {
        unstarve(peer);
        if (!peer->is_full) {
            native_stream_resume(peer->stream);
        }
    }
}

static void on_port_wake(struct loop_work *work) {
    struct native_port *port = (struct native_port *)(void *)((char *)work - offsetof(struct native_port, wake));
    atomic_store(&port->woken, false);
    resume_starved(port);
    native_port_unshare(port);
}

/* An exchange is free again: connections that wait for one are read on. */
static void feed_starved(struct native_port *here) {
    const struct native_listener *native = native_of(here);
    for (unsigned i = 0; i < native->count; i++) {
        struct native_port *port = native->ports[i];
        if (atomic_load_explicit(&port->starved_count, memory_order_relaxed) == 0) {
            continue;
        }
        if (port == here) {
            resume_starved(port);
        } else if (!atomic_exchange(&port->woken, true)) {
            native_port_share(port);
            loop_post(port->loop, &port->wake);
        }
    }
}

/* The exchange has ended and may be used again. */
static void end_exchange_here(struct exchange *exchange) {
    struct native_peer *peer = exchange->of.native.peer;
    struct native_port *port = peer->port;
    exchange_set_state(exchange, EXCHANGE_RECEIVING);
    exchange_end(exchange);
    exchange->of.native.peer = NULL;
    exchange->of.native.after = port->idle;
    port->idle = exchange;
    atomic_fetch_sub(&exchange->pool->count, 1);
    peer->exchanges--;
    free_peer_when_left(peer);
    feed_starved(port);
}

/* ---- requests ---- */

/* Reads the words in front of a request; the last one has its highest bit set. Returns: their bytes | 0: they never end,
 * or are more than nng takes. */
static size_t request_words(const uint8_t *data, size_t bytes, bool *ret_malformed) {
    *ret_malformed = false;
    for (size_t at = 0; at < EXCHANGE_WORDS_BYTES; at += 4) {
        if (bytes < at + 4) {
            *ret_malformed = true;
            return 0;
        }
        if ((data[at] & 0x80u) != 0) {
            return at + 4;
        }
    }
    return 0;
}

static void starve(struct native_peer *peer) {
    struct native_port *port = peer->port;
    const struct exchange_pool *pool = &port->listener->exchanges;
    peer->is_starved = true;
    DL_APPEND(port->starved, peer);
    atomic_fetch_add(&port->starved_count, 1);
    if (atomic_load(&pool->count) < pool->limit) { /* one was given back just now, or there was no memory */
        resume_starved(port);
    }
}

static bool on_peer_message(void *user, uint8_t *data, size_t bytes) {
    struct native_peer *peer = user;
    struct exchange_pool *pool = &peer->port->listener->exchanges;
    bool malformed;
    size_t words = request_words(data, bytes, &malformed);
    if (malformed || peer->id == 0) {
        native_stream_close(peer->stream);
        return true;
    }
    if (words == 0) {
        return true; /* it has come a long way: nng drops it too */
    }
    struct exchange *exchange = take_idle_exchange(peer->port);
    if (exchange == NULL) {
        native_stream_pause(peer->stream);
        starve(peer);
        return false;
    }
    peer->exchanges++;
    exchange->of.native.peer = peer;
    exchange->of.native.words_bytes = (uint32_t)words;
    memcpy(exchange->of.native.words, data, words);
    exchange->data = data + words;
    exchange->bytes = bytes - words;
    exchange->pipe_id = peer->id;
    exchange->received_us = native_loop_read_us(peer->port->streams);
    exchange_set_state(exchange, EXCHANGE_HANDLING);
    pool->ops->on_arrival(pool->user, exchange);
    return true;
}

/* ---- replies ---- */

static void on_send_tick(uv_timer_t *tick);

/* A reply is sent as soon as it is made, with few exceptions: the port's one buffer serves all. */
static uint8_t *make_reply_buffer(struct exchange *exchange, size_t bytes) {
    struct herald_buffer *buffer = &exchange->of.native.reply;
    struct native_port *port = exchange->of.native.peer->port;
    if (buffer->capacity == 0 && loop_current() == port->loop) {
        *buffer = port->reply;
        port->reply = (struct herald_buffer){.bytes = NULL};
    }
    return herald_buffer_reserve(buffer, bytes > 0 ? bytes : 1) ? buffer->bytes : NULL;
}

static void forget_reply_buffer(struct exchange *exchange) {
    struct herald_buffer *buffer = &exchange->of.native.reply;
    struct native_port *port = exchange->of.native.peer->port;
    if (port->reply.capacity > 0 || buffer->capacity > NATIVE_REPLY_KEPT_BYTES || loop_current() != port->loop) {
        herald_buffer_reset(buffer, 0);
        return;
    }
    port->reply = *buffer;
    *buffer = (struct herald_buffer){.bytes = NULL};
}

static void queue_reply(struct native_peer *peer, struct exchange *exchange, uint64_t position) {
    struct native_port *port = peer->port;
    exchange->of.native.position = position;
    exchange->of.native.after = NULL;
    if (peer->sending == NULL) {
        peer->sending = exchange;
    } else {
        peer->last_sending->of.native.after = exchange;
    }
    peer->last_sending = exchange;
    if (native_stream_unsent(peer->stream) > UNSENT_MANY_BYTES && !peer->is_full) {
        peer->is_full = true;
        native_stream_pause(peer->stream);
    }
    if (!uv_is_active((uv_handle_t *)&port->tick) && !port->is_ending) {
        (void)uv_timer_start(&port->tick, on_send_tick, TICK_MS, TICK_MS);
    }
}

static void send_here(struct exchange *exchange) {
    struct native_peer *peer = exchange->of.native.peer;
    uint64_t position = 0;
    if (exchange->reply != NULL && peer->stream != NULL) {
        const struct native_part parts[] = {{exchange->of.native.words, exchange->of.native.words_bytes},
                                            {exchange->reply, exchange->reply_bytes}};
        position = native_stream_send(peer->stream, parts, 2);
    }
    exchange_drop_reply(exchange);
    if (position == 0) {
        end_exchange_here(exchange);
    } else {
        exchange_note_sending(exchange, uv_now(loop_uv(peer->port->loop)) * 1000);
        queue_reply(peer, exchange, position);
    }
}

static void on_posted_reply(struct loop_work *work) {
    send_here((struct exchange *)(void *)((char *)work - offsetof(struct exchange, of.native.work)));
}

static void send_by_stream(struct exchange *exchange) {
    if (loop_current() == exchange->loop) {
        send_here(exchange);
        return;
    }
    exchange->of.native.work.run = on_posted_reply;
    loop_post(exchange->loop, &exchange->of.native.work);
}

static void on_peer_sent(void *user, uint64_t position) {
    struct native_peer *peer = user;
    struct exchange *exchange;
    peer->exchanges++; /* keeps it */
    while ((exchange = peer->sending) != NULL && exchange->of.native.position <= position) {
        peer->sending = exchange->of.native.after;
        exchange_note_sent(exchange);
        end_exchange_here(exchange);
    }
    peer->exchanges--;
    if (peer->is_full && native_stream_unsent(peer->stream) < UNSENT_FEW_BYTES) {
        peer->is_full = false;
        if (!peer->is_starved) {
            native_stream_resume(peer->stream);
        }
    }
}

/* Whether a peer has read nothing for too long, although there was something to read. */
static bool is_deaf(struct native_peer *peer, uint64_t now_us) {
    uint64_t taken = native_stream_taken(peer->stream);
    if (taken != peer->taken) {
        peer->taken = taken;
        peer->taken_us = now_us;
    }
    return now_us >= atomic_load(&peer->sending->sending_since_us) + SEND_TIMEOUT_US &&
           now_us >= peer->taken_us + SEND_TIMEOUT_US;
}

/* Closes connections that have read nothing for too long. */
static void on_send_tick(uv_timer_t *tick) {
    struct native_port *port = tick->data;
    struct native_peer *peer, *next;
    uint64_t now_us = clock_now_us();
    bool sends = false;
    HASH_ITER (hh, port->peers, peer, next) {
        sends |= peer->sending != NULL;
        if (peer->sending != NULL && is_deaf(peer, now_us)) {
            native_stream_close(peer->stream);
        }
    }
    if (!sends) {
        (void)uv_timer_stop(tick);
    }
}

static const struct native_stream_ops PEER_OPS = {
    .on_open = on_peer_open, .on_message = on_peer_message, .on_sent = on_peer_sent, .on_end = on_peer_stream_end};

/* ---- the engine ---- */

static void drop_view(struct exchange *exchange) {
    (void)exchange; /* the request is the loop's memory */
}

static bool has_few_exchanges(struct exchange_pool *pool) {
    return atomic_load(&pool->count) + pool->spare / 2 >= pool->limit;
}

static void close_here(struct native_port *port, uint32_t id) {
    struct native_peer *peer;
    HASH_FIND(hh, port->peers, &id, sizeof(id), peer);
    if (peer != NULL) {
        native_stream_close(peer->stream);
    }
}

struct close_work {
    struct loop_work work; /* first */
    struct native_port *port;
    uint32_t id;
    bool for_unread;
};

/* Whether the kernel has taken all replies of a connection, now that it was offered those of the present turn. */
static bool has_sent_all(struct native_port *port, uint32_t id) {
    struct native_peer *peer;
    if (port->is_ending || port->streams == NULL) {
        return true;
    }
    native_loop_end_turn(port->streams);
    HASH_FIND(hh, port->peers, &id, sizeof(id), peer);
    return peer == NULL || peer->sending == NULL;
}

/* A reply that only waited for the end of its loop's turn was not unread. */
static void on_close_posted(struct loop_work *work) {
    struct close_work *posted = (struct close_work *)work;
    if (!posted->for_unread || !has_sent_all(posted->port, posted->id)) {
        close_here(posted->port, posted->id);
    }
    native_port_unshare(posted->port);
    free(posted);
}

static void close_by_id(struct exchange_pool *pool, uint32_t id, bool for_unread) {
    const struct listener *listener = pool->owner;
    struct native_port *port = listener->native->ports[id & (NATIVE_PORTS_MAX - 1)];
    if (loop_current() == port->loop) {
        close_here(port, id);
        return;
    }
    struct close_work *posted = malloc(sizeof(*posted));
    if (posted != NULL) { /* else it is closed another time */
        *posted = (struct close_work){.work.run = on_close_posted, .port = port, .id = id, .for_unread = for_unread};
        native_port_share(port);
        loop_post(port->loop, &posted->work);
    }
}

/* A request that was never answered still has its connection, which has ended. */
static void leave_peer(struct exchange *exchange) {
    struct native_peer *peer = exchange->of.native.peer;
    herald_buffer_reset(&exchange->of.native.reply, 0);
    if (peer != NULL) {
        peer->exchanges--;
        free_peer_when_left(peer);
    }
}

const struct exchange_engine exchange_engine_native = {
    .drop = drop_view,
    .make = make_reply_buffer,
    .forget = forget_reply_buffer,
    .send = send_by_stream,
    .is_short = has_few_exchanges,
    .close_peer = close_by_id,
    .free = leave_peer,
};

/* ---- life ---- */

void native_port_share(struct native_port *port) {
    atomic_fetch_add(&port->shares, 1);
}

void native_port_unshare(struct native_port *port) {
    if (atomic_fetch_sub(&port->shares, 1) == 1) {
        herald_buffer_reset(&port->reply, 0);
        free(port);
    }
}

/* What a connection over TLS has of the listener's identity. */
struct tls_share {
    struct tls_identity *identity;
    struct tls_checked checked;
};

static bool is_still_trusted(void *user, SSL *ssl) {
    struct tls_share *share = user;
    return tls_identity_trusts(share->identity, ssl, &share->checked);
}

static void free_tls_share(void *user) {
    struct tls_share *share = user;
    tls_identity_unref(share->identity);
    free(share);
}

/* Begins TLS with the identity's current certificate. NULL: no memory */
static void *accept_tls(struct tls_identity *identity) {
    struct tls_share *share = calloc(1, sizeof(*share));
    if (share == NULL) {
        return NULL;
    }
    share->identity = tls_identity_ref(identity);
    SSL_CTX *context = tls_identity_context(identity);
    SSL *ssl = SSL_new(context); /* takes a reference of its own */
    SSL_CTX_free(context);
    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
    }
    return native_tls_new(ssl, &(struct native_tls_guard){is_still_trusted, free_tls_share, share});
}

void native_port_adopt(struct native_port *port, int fd) {
    struct native_peer *peer = port->is_ending || port->streams == NULL ? NULL : calloc(1, sizeof(*peer));
    struct listener *listener = port->listener;
    void *tls = peer != NULL && listener->tls != NULL ? accept_tls(listener->tls) : NULL;
    if (peer == NULL || (listener->tls != NULL && tls == NULL)) {
        free(peer);
        (void)close(fd);
        uncount_connection(port);
        return;
    }
    const struct native_stream_options options = {
        .protocol = NATIVE_REP,
        .is_ipc = listener->native->is_ipc,
        .max_message_bytes = (uint64_t)listener->max_message_bytes + OVERSIZE_ANSWERED_BYTES,
        .greeting_ms = GREETING_MS,
        .ops = &PEER_OPS,
        .user = peer,
        .secure_ops = tls != NULL ? &native_tls_ops : NULL,
        .secure = tls,
    };
    peer->port = port;
    peer->stream = native_stream_adopt(port->streams, fd, &options);
    if (peer->stream == NULL) {
        free(peer);
        uncount_connection(port);
        return;
    }
    port->open++;
}

void native_port_note_closed(struct native_port *port) {
    if (--port->open > 0 || !port->is_ending) {
        return;
    }
    struct native_listener *native = native_of(port);
    pthread_mutex_lock(&native->lock);
    atomic_store(&port->has_ended, true);
    pthread_cond_broadcast(&native->changed);
    pthread_mutex_unlock(&native->lock);
}

static void on_port_timer_closed(uv_handle_t *handle) {
    native_port_note_closed(handle->data);
}

/* A reply that still waits for the end of the turn is not one that its client does not read. */
static void on_sweep_timer(uv_timer_t *sweep) {
    const struct native_port *port = sweep->data;
    native_loop_end_turn(port->streams);
    listener_sweep(port->listener);
}

static void start_sweep_timer(struct native_port *port) {
    if (port->streams != NULL && !port->is_ending) {
        (void)uv_timer_start(&port->sweep, on_sweep_timer, LISTENER_SWEEP_MS, 0);
    }
}

static void on_sweep_posted(struct loop_work *work) {
    struct native_port *port = (struct native_port *)(void *)((char *)work - offsetof(struct native_port, sweep_work));
    start_sweep_timer(port);
    native_port_unshare(port);
}

void native_port_sweep_later(struct native_port *port) {
    if (loop_current() == port->loop) {
        start_sweep_timer(port);
        return;
    }
    native_port_share(port);
    port->sweep_work.run = on_sweep_posted;
    loop_post(port->loop, &port->sweep_work);
}

static void on_loop_ending(struct loop_ending *ending) {
    struct native_port *port = (struct native_port *)ending; /* its first member */
    port->ending.run = NULL;
    native_port_end(port);
}

struct native_port *native_port_new(struct listener *listener, struct loop *loop, unsigned index) {
    struct native_port *port = calloc(1, sizeof(*port));
    if (port != NULL) {
        port->listener = listener;
        port->loop = loop;
        port->index = index;
        port->wake.run = on_port_wake;
        atomic_init(&port->shares, 1);
    }
    return port;
}

bool native_port_begin(struct native_port *port) {
    if (port->is_ending) {
        return false;
    }
    port->streams = native_loop_new(port->loop);
    if (port->streams == NULL) {
        return false;
    }
    (void)uv_timer_init(loop_uv(port->loop), &port->tick);
    (void)uv_timer_init(loop_uv(port->loop), &port->sweep);
    port->tick.data = port->sweep.data = port;
    port->open = 2;
    port->ending.run = on_loop_ending;
    loop_add_ending(port->loop, &port->ending);
    return true;
}

void native_port_hang_up(struct native_port *port) {
    struct native_peer *peer, *next;
    HASH_ITER (hh, port->peers, peer, next) {
        native_stream_close(peer->stream);
    }
}

void native_port_end(struct native_port *port) {
    if (port->is_ending) {
        return;
    }
    port->is_ending = true;
    if (port->ending.run != NULL) {
        loop_remove_ending(port->loop, &port->ending);
    }
    if (port->streams == NULL) { /* it never began */
        port->open = 1;
        native_port_note_closed(port);
        return;
    }
    native_accept_end(port);
    native_loop_close(port->streams);
    uv_close((uv_handle_t *)&port->tick, on_port_timer_closed);
    uv_close((uv_handle_t *)&port->sweep, on_port_timer_closed);
}
