#include "server/transport/listener.h"

#include "client/src/close_socket.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/limits.h"
#include "server/rpc/rpc_log.h"
#include "server/runtime/call.h"
#include "server/transport/tls_engine.h"
#include "server/transport/unread.h"

#include <assert.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long a reply may wait for a peer that does not read. */
#define SEND_TIMEOUT_MS 10000
/* A message too long by at most this much is answered with an error; a longer one ends its connection. Every connection
 * can hold as much, whether or not its message ever ends. */
#define OVERSIZE_ANSWERED_BYTES (64u * 1024u)
#define REOPEN_ATTEMPTS         40
#define REOPEN_PAUSE_MS         50
/* How often connections that may have to be closed are looked at, while there are some, and how many extra ones are
 * closed then. */
#define SWEEP_EVERY_MS         20
#define SWEPT_AT_ONCE          256u
#define UNREAD_LOGGED_EVERY_US 1000000u

static void on_aio(void *arg);

/* What it does belongs to one thread at a time; others only look at exchanges that send. */
static void set_state(struct rpc_exchange *exchange, enum exchange_state state) {
    atomic_store_explicit(&exchange->state, state, memory_order_release);
}

static enum exchange_state get_state(const struct rpc_exchange *exchange) {
    return (enum exchange_state)atomic_load_explicit(&exchange->state, memory_order_acquire);
}

static void receive(struct rpc_exchange *exchange) {
    set_state(exchange, EXCHANGE_RECEIVING);
    atomic_fetch_add(&exchange->listener->receiving, 1);
    nng_aio_set_timeout(exchange->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(exchange->ctx, exchange->aio);
}

/* Opens one more exchange; NNG_EBUSY: the limit is reached. Without memory there are fewer: nothing breaks. */
static int add_exchange(struct rpc_listener *listener) {
    if (atomic_fetch_add(&listener->exchange_count, 1) >= listener->exchange_limit) {
        atomic_fetch_sub(&listener->exchange_count, 1);
        return NNG_EBUSY;
    }
    struct rpc_exchange *exchange = calloc(1, sizeof(*exchange));
    int failure = exchange ? nng_ctx_open(&exchange->ctx, listener->socket) : NNG_ENOMEM;
    if (failure == 0 && (failure = nng_aio_alloc(&exchange->aio, on_aio, exchange)) != 0) {
        nng_ctx_close(exchange->ctx);
    }
    if (failure != 0) {
        free(exchange);
        atomic_fetch_sub(&listener->exchange_count, 1);
        return failure;
    }
    exchange->listener = listener;
    pthread_mutex_lock(&listener->lock);
    exchange->next = listener->exchanges;
    listener->exchanges = exchange;
    pthread_mutex_unlock(&listener->lock);
    receive(exchange);
    return 0;
}

static void on_received(struct rpc_exchange *exchange) {
    struct rpc_listener *listener = exchange->listener;
    unsigned receiving = atomic_fetch_sub(&listener->receiving, 1) - 1;
    int failure = nng_aio_result(exchange->aio);
    if (failure == NNG_ECLOSED) {
        set_state(exchange, EXCHANGE_CLOSED);
        return;
    }
    if (failure != 0) { /* cancelled: see unread.h; it had sent its reply already */
        receive(exchange);
        return;
    }
    if (receiving < listener->server->limits.spare_contexts && add_exchange(listener) == NNG_EBUSY) {
        rpc_listener_relieve(listener);
    }
    set_state(exchange, EXCHANGE_HANDLING);
    exchange->received_us = clock_now_us();
    exchange->message = nng_aio_get_msg(exchange->aio);
    nng_aio_set_msg(exchange->aio, NULL);
    rpc_dispatch(exchange);
}

/* The call is over: its place is free, and the exchange receives again. */
static void on_sent(struct rpc_exchange *exchange) {
    int failure = nng_aio_result(exchange->aio);
    atomic_fetch_sub_explicit(&exchange->listener->unsent_bytes,
                              atomic_load_explicit(&exchange->sending_bytes, memory_order_relaxed),
                              memory_order_relaxed);
    if (failure != 0) {
        /* The peer does not read, or the socket closes: the message is still ours. */
        nng_msg_free(nng_aio_get_msg(exchange->aio));
        nng_aio_set_msg(exchange->aio, NULL);
    }
    if (exchange->entered) {
        exchange->entered = false;
        rpc_server_leave(exchange->listener->server);
    }
    if (failure == NNG_ECLOSED) {
        set_state(exchange, EXCHANGE_CLOSED);
    } else {
        receive(exchange);
    }
}

static void on_aio(void *arg) {
    struct rpc_exchange *exchange = arg;
    if (get_state(exchange) == EXCHANGE_RECEIVING) {
        on_received(exchange);
    } else {
        on_sent(exchange);
    }
}

static void note_sending(struct rpc_exchange *exchange, size_t bytes) {
    atomic_store_explicit(&exchange->sending_since_us, clock_now_us(), memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&exchange->sending_to, exchange->pipe_id, memory_order_relaxed);
    size_t before = atomic_fetch_add_explicit(&exchange->listener->unsent_bytes, bytes, memory_order_relaxed);
    if (before + bytes > UNREAD_ENOUGH_BYTES) {
        rpc_listener_relieve(exchange->listener);
    }
    set_state(exchange, EXCHANGE_SENDING);
}

void rpc_exchange_reply(struct rpc_exchange *exchange, nng_msg *reply) {
    assert(get_state(exchange) == EXCHANGE_HANDLING);
    limits_leave(exchange);
    nng_msg_free(exchange->message);
    exchange->message = NULL;
    exchange->loop = NULL;
    if (!reply) {
        if (exchange->entered) {
            exchange->entered = false;
            rpc_server_leave(exchange->listener->server);
        }
        receive(exchange);
        return;
    }
    note_sending(exchange, nng_msg_len(reply));
    nng_aio_set_msg(exchange->aio, reply);
    nng_aio_set_timeout(exchange->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(exchange->ctx, exchange->aio);
}

/* ---- connections ---- */

static void close_connection(uint32_t id) {
    nng_pipe_close((nng_pipe){.id = id});
}

/* One more that was closed, or let in to be refused. */
static void note_refusal(struct rpc_listener *listener) {
    unsigned long count = 0;
    if (peers_note_refusal(&listener->peers, clock_now_us(), &count)) {
        log_emit(&LOG_CONNECTIONS_REFUSED, log_str("url", listener->url), log_u64("refused", count),
                 log_u64("max_connections", listener->server->limits.max_connections), LOG_END);
    }
}

static void make_way(struct rpc_listener *listener, uint32_t id) {
    if (id == 0) {
        return;
    }
    close_connection(id);
    note_refusal(listener);
}

static void begin_sweep(struct rpc_listener *listener) {
    if (!atomic_exchange(&listener->sweeping, true)) {
        nng_sleep_aio(SWEEP_EVERY_MS, listener->sweeper);
    }
}

static void sweep_due(struct rpc_listener *listener, uint64_t now_us) {
    uint32_t due[SWEPT_AT_ONCE];
    size_t count = peers_take_due(&listener->peers, now_us, due, SWEPT_AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        close_connection(due[i]);
    }
}

static void sweep_unread(struct rpc_listener *listener, uint64_t now_us) {
    size_t count = unread_drop(listener, now_us);
    if (count == 0 || now_us - listener->unread_log_us < UNREAD_LOGGED_EVERY_US) {
        return;
    }
    listener->unread_log_us = now_us;
    log_emit(&LOG_CONNECTIONS_UNREAD, log_str("url", listener->url), log_u64("connections", count), LOG_END);
}

static bool has_to_sweep(struct rpc_listener *listener) {
    return unread_is_pressing(listener) || atomic_load(&listener->peers.extra_count) > 0;
}

/* One at a time: it sweeps until it says that it does not, and looks once more for who relied on it until then. */
static void on_sweep(void *arg) {
    struct rpc_listener *listener = arg;
    uint64_t now_us = clock_now_us();
    if (nng_aio_result(listener->sweeper) != 0) {
        return;
    }
    sweep_due(listener, now_us);
    if (unread_is_pressing(listener)) {
        sweep_unread(listener, now_us);
    }
    if (has_to_sweep(listener)) {
        nng_sleep_aio(SWEEP_EVERY_MS, listener->sweeper);
        return;
    }
    atomic_store(&listener->sweeping, false);
    if (has_to_sweep(listener)) {
        begin_sweep(listener);
    }
}

void rpc_listener_relieve(struct rpc_listener *listener) {
    if (unread_is_pressing(listener)) {
        begin_sweep(listener);
    }
}

enum peers_answer rpc_listener_ask(struct rpc_exchange *exchange) {
    struct rpc_listener *listener = exchange->listener;
    uint32_t made_way = 0;
    enum peers_answer answer = peers_ask(&listener->peers, exchange->pipe_id, listener->server->limits.max_connections,
                                         exchange->received_us, &made_way);
    make_way(listener, made_way);
    return answer;
}

/* Each connection is told about twice: before its first message, and after its last one. */
static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct rpc_listener *listener = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe), made_way = 0;
    if (event == NNG_PIPE_EV_REM_POST) {
        peers_remove(&listener->peers, id);
        return;
    }
    atomic_fetch_add(&listener->accepted_count, 1);
    enum peers_place place =
        peers_add(&listener->peers, id, listener->server->limits.max_connections, clock_now_us(), &made_way);
    make_way(listener, made_way);
    if (place == PEERS_TURNED_AWAY) {
        close_connection(id);
    }
    if (place == PEERS_EXTRA) {
        begin_sweep(listener);
    }
    if (place != PEERS_TAKEN) {
        note_refusal(listener);
    }
}

/* ---- life ---- */

static enum herald_code listen_error(const struct rpc_server *server, const char *url, int failure,
                                     struct herald_error *reterr) {
    if (failure == NNG_EADDRINUSE) {
        return herald_error_set(reterr, HERALD_REASON_ADDRESS_IN_USE,
                                "%s cannot listen on %s: the address is in use, perhaps by another %s; stop that one "
                                "or choose another URL",
                                server->name, url, server->name);
    }
    return herald_error_set(reterr, failure == NNG_ENOMEM ? HERALD_REASON_OUT_OF_MEMORY : HERALD_REASON_CANNOT_LISTEN,
                            "%s cannot listen on %s: %s", server->name, url, nng_strerror(failure));
}

/* Port 0 became a real port: puts it into the URL. */
static void note_bound_url(struct rpc_listener *listener, const char *url) {
    int port = 0;
    const char *colon = strrchr(url, ':');
    if (strstr(url, "tcp://") && colon &&
        nng_listener_get_int(listener->endpoint, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        snprintf(listener->url, sizeof(listener->url), "%.*s:%d", (int)(colon - url), url, port);
    } else {
        snprintf(listener->url, sizeof(listener->url), "%s", url);
    }
}

static int set_tls(struct rpc_listener *listener) {
    nng_tls_config *config = NULL;
    int failure = tls_engine_listener_config(listener->tls, &config);
    if (failure != 0) {
        return failure;
    }
    failure = nng_listener_set_ptr(listener->endpoint, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config); /* the endpoint has a share of its own */
    return failure;
}

static int start_endpoint(struct rpc_listener *listener, const char *url) {
    int failure = nng_listener_create(&listener->endpoint, listener->socket, url);
    if (failure != 0) {
        return failure;
    }
    if (listener->tls) {
        failure = set_tls(listener);
    }
    if (failure == 0) {
        failure = nng_listener_start(listener->endpoint, 0);
    }
    if (failure != 0) {
        nng_listener_close(listener->endpoint);
    }
    return failure;
}

/* RECVMAXSZ first: endpoints copy it when they are made. */
static int start_socket(struct rpc_listener *listener, const char *url) {
    const struct rpc_limits *limits = &listener->server->limits;
    int failure = nng_rep0_open(&listener->socket);
    if (failure != 0) {
        return failure;
    }
    failure = nng_socket_set_size(listener->socket, NNG_OPT_RECVMAXSZ,
                                  (size_t)limits->max_message_bytes + OVERSIZE_ANSWERED_BYTES);
    if (failure == 0) {
        failure = nng_pipe_notify(listener->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, listener);
    }
    if (failure == 0) {
        failure = nng_pipe_notify(listener->socket, NNG_PIPE_EV_REM_POST, on_pipe, listener);
    }
    for (unsigned i = 0; failure == 0 && i < limits->spare_contexts; i++) {
        failure = add_exchange(listener);
    }
    if (failure == 0) {
        failure = start_endpoint(listener, url);
    }
    return failure;
}

enum herald_code rpc_listener_open(struct rpc_server *server, const char *url, struct rpc_listener **ret_listener,
                                   struct herald_error *reterr) {
    struct rpc_listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        return listen_error(server, url, NNG_ENOMEM, reterr);
    }
    listener->server = server;
    listener->socket = (nng_socket)NNG_SOCKET_INITIALIZER;
    listener->exchange_limit = server->limits.max_in_flight + server->limits.spare_contexts;
    pthread_mutex_init(&listener->lock, NULL);
    peers_init(&listener->peers);
    enum herald_code code = HERALD_OK;
    if (strncmp(url, "tls+", 4) == 0) {
        code = tls_identity_new(auth_settings(server->settings), &listener->tls, reterr);
    }
    int failure = code == HERALD_OK ? nng_aio_alloc(&listener->sweeper, on_sweep, listener) : 0;
    if (code == HERALD_OK && failure == 0) {
        failure = start_socket(listener, url);
    }
    if (failure != 0) {
        code = listen_error(server, url, failure, reterr);
    }
    if (code != HERALD_OK) {
        (void)rpc_listener_close(listener);
        return code;
    }
    note_bound_url(listener, url);
    *ret_listener = listener;
    return HERALD_OK;
}

/* A callback that still runs may add an exchange; freeing its own waits for it, so that the loop sees the new one. */
static struct rpc_exchange *take_exchange(struct rpc_listener *listener) {
    pthread_mutex_lock(&listener->lock);
    struct rpc_exchange *exchange = listener->exchanges;
    if (exchange) {
        listener->exchanges = exchange->next;
    }
    pthread_mutex_unlock(&listener->lock);
    return exchange;
}

static void free_exchange(struct rpc_exchange *exchange) {
    nng_aio_free(exchange->aio); /* waits for a callback that runs */
    nng_msg_free(exchange->message);
    nng_msg_free(exchange->parked ? exchange->parked_reply : NULL);
    if (exchange->entered) {
        rpc_server_leave(exchange->listener->server);
    }
    free(exchange);
}

bool rpc_listener_close(struct rpc_listener *listener) {
    if (!listener) {
        return true;
    }
    peers_close(&listener->peers);
    if (nng_socket_id(listener->socket) > 0 && !herald_close_socket(listener->socket)) {
        return false;
    }
    nng_aio_free(listener->sweeper); /* waits for its callback, which may look at exchanges */
    struct rpc_exchange *exchange;
    while ((exchange = take_exchange(listener))) {
        free_exchange(exchange);
    }
    tls_identity_unref(listener->tls);
    peers_fini(&listener->peers);
    pthread_mutex_destroy(&listener->lock);
    free(listener);
    return true;
}

enum herald_code rpc_listener_reopen(struct rpc_listener *listener, struct herald_error *reterr) {
    const struct timespec pause = {.tv_nsec = REOPEN_PAUSE_MS * 1000000L};
    nng_listener_close(listener->endpoint);
    int failure = 0;
    /* The library closes the old descriptor a little later, on a thread of its own. */
    for (int i = 0; i < REOPEN_ATTEMPTS; i++) {
        failure = start_endpoint(listener, listener->url);
        if (failure != NNG_EADDRINUSE) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    return failure == 0 ? HERALD_OK : listen_error(listener->server, listener->url, failure, reterr);
}
