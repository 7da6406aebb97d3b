/* Listeners of nng: a REP socket with one endpoint. */
#include "client/src/close_socket.h"
#include "client/src/stream_shim.h"
#include "server/transport/backlog.h"
#include "server/transport/listener_private.h"
#include "server/transport/sendmsg.h"
#include "server/transport/tls_engine.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REOPEN_ATTEMPTS 40
#define REOPEN_PAUSE_MS 50

/* nng calls this twice for each connection: before its first message, and after its last one. */
static void on_listener_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct listener *listener = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_REM_POST) {
        peers_remove(&listener->peers, id);
    } else if (!listener_admit(listener, id)) {
        nng_pipe_close(pipe);
    }
}

/* ---- life ---- */

static enum herald_code listen_error(const struct listener *listener, const char *url, int failure,
                                     struct herald_error *reterr) {
    if (failure == NNG_EADDRINUSE) {
        return listener_in_use(listener, url, reterr);
    }
    return failure == NNG_ENOMEM ? listener_no_memory(url, reterr)
                                 : listener_cannot_listen(listener, url, nng_strerror(failure), reterr);
}

/* Stores the URL, with the real port in place of port 0. */
static void note_bound_url(struct listener *listener, const char *url) {
    int port = 0;
    const char *colon = strrchr(url, ':');
    if (strstr(url, "tcp://") && colon &&
        nng_listener_get_int(listener->endpoint, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        snprintf(listener->url, sizeof(listener->url), "%.*s:%d", (int)(colon - url), url, port);
    } else {
        snprintf(listener->url, sizeof(listener->url), "%s", url);
    }
}

static int set_listener_tls(struct listener *listener) {
    nng_tls_config *config = NULL;
    int failure = tls_engine_listener_config(listener->tls, &config);
    if (failure != 0) {
        return failure;
    }
    failure = nng_listener_set_ptr(listener->endpoint, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config); /* the endpoint has a reference of its own */
    return failure;
}

static int start_endpoint(struct listener *listener, const char *url) {
    int failure = nng_listener_create(&listener->endpoint, listener->socket, url);
    if (failure != 0) {
        return failure;
    }
    if (listener->tls) {
        failure = set_listener_tls(listener);
    }
    if (failure == 0) {
        failure = nng_listener_start(listener->endpoint, 0);
    }
    if (failure != 0) {
        nng_listener_close(listener->endpoint);
    }
    return failure;
}

static int start_exchanges(struct listener *listener) {
    struct exchange_pool *pool = &listener->exchanges;
    int failure = 0;
    pool->socket_id = listener->socket.id;
    for (unsigned i = 0; failure == 0 && i < pool->spare; i++) {
        failure = nng_exchange_add(pool);
    }
    return failure;
}

/* Sets RECVMAXSZ before the endpoint is created, which copies it. */
static int start_socket(struct listener *listener, const char *url) {
    int failure = nng_rep0_open(&listener->socket);
    if (failure != 0) {
        return failure;
    }
    failure = nng_socket_set_size(listener->socket, NNG_OPT_RECVMAXSZ,
                                  (size_t)listener->max_message_bytes + OVERSIZE_ANSWERED_BYTES);
    if (failure == 0) {
        failure = nng_pipe_notify(listener->socket, NNG_PIPE_EV_ADD_PRE, on_listener_pipe, listener);
    }
    if (failure == 0) {
        failure = nng_pipe_notify(listener->socket, NNG_PIPE_EV_REM_POST, on_listener_pipe, listener);
    }
    if (failure == 0) {
        failure = start_exchanges(listener);
    }
    if (failure == 0) {
        failure = start_endpoint(listener, url);
    }
    return failure;
}

static void on_nng_sweep(void *arg) {
    struct listener *listener = arg;
    if (nng_aio_result(listener->sweeper) == 0) {
        listener_sweep(listener);
    }
}

static void sweep_nng_later(struct listener *listener) {
    nng_sleep_aio(LISTENER_SWEEP_MS, listener->sweeper);
}

static enum herald_code open_nng_listener(struct listener *listener, const char *url,
                                          const struct listener_options *options, struct herald_error *reterr) {
    (void)options;
    (void)sendmsg_shim_active(); /* links sendmsg.c into this executable: see there */
    (void)backlog_shim_active(); /* and backlog.c */
    herald_stream_shim_install();
    int failure = nng_aio_alloc(&listener->sweeper, on_nng_sweep, listener);
    if (failure == 0) {
        failure = start_socket(listener, url);
    }
    if (failure != 0) {
        return listen_error(listener, url, failure, reterr);
    }
    note_bound_url(listener, url);
    return HERALD_OK;
}

static bool close_nng_listener(struct listener *listener) {
    nng_exchange_add_no_more(&listener->exchanges);
    if (nng_socket_id(listener->socket) > 0 && !herald_close_socket(listener->socket)) {
        return false;
    }
    nng_aio_free(listener->sweeper); /* waits for listener_sweep(), which reads exchanges */
    return true;
}

static const char *call_nng_listener(struct listener *listener, const struct self_call *call, bool *ret_hung) {
    (void)listener;
    return self_call(call, ret_hung);
}

static enum herald_code reopen_nng_listener(struct listener *listener, struct herald_error *reterr) {
    const struct timespec pause = {.tv_nsec = REOPEN_PAUSE_MS * 1000000L};
    nng_listener_close(listener->endpoint);
    int failure = 0;
    /* nng closes the old descriptor a little later, on a thread of its own. */
    for (int i = 0; i < REOPEN_ATTEMPTS; i++) {
        failure = start_endpoint(listener, listener->url);
        if (failure != NNG_EADDRINUSE) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    return failure == 0 ? HERALD_OK : listen_error(listener, listener->url, failure, reterr);
}

const struct listener_engine listener_engine_nng = {
    .exchanges = &exchange_engine_nng,
    .open = open_nng_listener,
    .close = close_nng_listener,
    .sweep_later = sweep_nng_later,
    .call_self = call_nng_listener,
    .reopen = reopen_nng_listener,
};
