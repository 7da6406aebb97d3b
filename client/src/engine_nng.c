/*
 * The engine of the client library: one REQ socket with one dialer for each endpoint. Contexts are kept for reuse; a
 * call borrows one for each attempt, and keeps its aios from use to use. The callbacks of connections run on nng's
 * threads and use atomics alone.
 */
#include "client/src/call_pool.h"
#include "client/src/close_socket.h"
#include "client/src/engine.h"
#include "client/src/stream_shim.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>

/* Backoff of reconnects: the first at once, then less and less often. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 1000
/* nng counts its own header, the request id, towards the size of a message. */
#define NNG_HEADER_BYTES 16u

/* Of an endpoint. */
struct line {
    nng_socket socket;
    /* Guarded by the channel's mutex: contexts without a call. */
    nng_ctx *idle;
    size_t idle_count, idle_capacity;
};

/* Of a call. */
struct operations {
    nng_ctx context;  /* borrowed from the call's endpoint */
    nng_msg *request; /* to be sent; NULL: none */
    /* Two, because nng 1.5's thread for time-outs can be late and then ends the aio's next operation. After a send that
     * nng took at the last moment, that would be the wait for the reply. */
    nng_aio *sender, *receiver;
    /* For pauses; made at the first one. It is an aio of its own, because after a sleep nng 1.5 reports the time-out of
     * the same aio's next operation as a success. */
    nng_aio *timer;
};

static struct line *nng_line_of(const struct herald_endpoint *endpoint) {
    return endpoint->line;
}

static struct operations *operations_of(const struct herald_call *call) {
    return call->operations;
}

static nng_aio *aio_of(const struct herald_call *call, enum herald_operation operation) {
    const struct operations *operations = operations_of(call);
    switch (operation) {
    case HERALD_SEND:
        return operations->sender;
    case HERALD_RECEIVE:
        return operations->receiver;
    default:
        return operations->timer;
    }
}

/* ---- endpoints ---- */

/* True when one of the ids is @from, which then becomes @to. */
static bool replace_rejected(struct herald_endpoint *endpoint, unsigned from, unsigned to) {
    for (unsigned i = 0; i < HERALD_REJECTED_PIPES; i++) {
        unsigned expected = from;
        if (atomic_compare_exchange_strong(&endpoint->rejected[i], &expected, to)) {
            return true;
        }
    }
    return false;
}

/* The keeper looks at the certificate, and nng connects again within milliseconds. */
static bool reject_pipe(struct herald_endpoint *endpoint, nng_pipe pipe) {
    if (atomic_load(&endpoint->names) == HERALD_NAMES_TAKEN ||
        !replace_rejected(endpoint, 0, (unsigned)nng_pipe_id(pipe))) {
        return false;
    }
    nng_pipe_close(pipe);
    return true;
}

static void on_endpoint_pipe(nng_pipe pipe, nng_pipe_ev event, void *user) {
    struct herald_endpoint *endpoint = user;
    bool added = event == NNG_PIPE_EV_ADD_PRE;
    bool rejected = added ? reject_pipe(endpoint, pipe) : replace_rejected(endpoint, (unsigned)nng_pipe_id(pipe), 0);
    if (added && endpoint->target->tls && (rejected || atomic_load(&endpoint->connections) > 0)) {
        atomic_store(&endpoint->look_wanted, true); /* not for the first one that is taken: it was just looked at */
    }
    if (rejected) {
        return;
    }
    if (added) {
        atomic_store(&endpoint->pipe, (unsigned)nng_pipe_id(pipe));
    }
    herald_endpoint_note_connection(endpoint, added);
}

void herald_endpoint_note_names(struct herald_endpoint *endpoint, bool has_names) {
    atomic_store(&endpoint->names, has_names ? HERALD_NAMES_TAKEN : HERALD_NAMES_MISSING);
    if (!has_names && herald_endpoint_connected(endpoint)) {
        nng_pipe_close((nng_pipe){.id = atomic_load(&endpoint->pipe)});
    }
}

/* All options are set before the dialer starts: contexts and connections copy them when they are made. */
static int configure_socket(struct herald_endpoint *endpoint, uint32_t max_bytes) {
    nng_socket socket = nng_line_of(endpoint)->socket;
    int rv = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rv == 0) {
        rv = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, (size_t)max_bytes + NNG_HEADER_BYTES);
    }
    if (rv == 0) {
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    }
    if (rv == 0) {
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    }
    if (rv == 0) {
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, on_endpoint_pipe, endpoint);
    }
    if (rv == 0) {
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, on_endpoint_pipe, endpoint);
    }
    return rv;
}

static int start_dialer(const struct herald_endpoint *endpoint, nng_tls_config *config) {
    nng_dialer dialer;
    int rv = nng_dialer_create(&dialer, nng_line_of(endpoint)->socket, endpoint->url);
    if (rv == 0 && endpoint->target->host) {
        rv = nng_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
    }
    if (rv == 0 && config) {
        rv = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
    }
    if (rv == 0) {
        rv = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
    }
    return rv;
}

static enum herald_code open_socket(struct herald_endpoint *endpoint, nng_tls_config *config, uint32_t max_bytes,
                                    struct herald_error *reterr) {
    nng_socket *socket = &nng_line_of(endpoint)->socket;
    int rv = nng_req0_open(socket);
    if (rv != 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_SOCKET, "no socket for %s: %s", endpoint->url,
                                nng_strerror(rv));
    }
    rv = configure_socket(endpoint, max_bytes);
    if (rv == 0) {
        rv = start_dialer(endpoint, config);
    }
    if (rv == 0) {
        return HERALD_OK;
    }
    nng_close(*socket);
    if (rv == NNG_ENOMEM) {
        return herald_error_no_memory(reterr, "%s", endpoint->url);
    }
    return herald_error_set(reterr, HERALD_REASON_INVALID_URL, "\"%s\" is no URL to call: %s", endpoint->url,
                            nng_strerror(rv));
}

static enum herald_code open_nng_endpoint(const struct herald_engine *engine, struct herald_endpoint *endpoint,
                                          const struct herald_tls *tls, uint32_t max_bytes,
                                          struct herald_error *reterr) {
    (void)engine;
    herald_stream_shim_install();
    endpoint->line = calloc(1, sizeof(struct line));
    if (!endpoint->line) {
        return herald_error_no_memory(reterr, "%s", endpoint->url);
    }
    atomic_init(&endpoint->names,
                tls && !atomic_load(&herald_tls_engine_checks_names) ? HERALD_NAMES_NOT_KNOWN : HERALD_NAMES_TAKEN);
    nng_tls_config *config = NULL;
    enum herald_code code = tls ? herald_tls_load(tls, endpoint->target->host, &config, reterr) : HERALD_OK;
    if (code == HERALD_OK) {
        code = open_socket(endpoint, config, max_bytes, reterr);
    }
    if (config) {
        nng_tls_config_free(config); /* the dialer has its own reference */
    }
    return code;
}

static enum herald_code check_nng_tls(const struct herald_tls *tls, const char *host, struct herald_error *reterr) {
    nng_tls_config *config = NULL;
    enum herald_code code = herald_tls_load(tls, host, &config, reterr);
    if (code == HERALD_OK) {
        nng_tls_config_free(config);
    }
    return code;
}

static bool close_nng_endpoint(struct herald_endpoint *endpoint) {
    return herald_close_socket(nng_line_of(endpoint)->socket);
}

static void free_nng_endpoint(struct herald_endpoint *endpoint) {
    struct line *line = nng_line_of(endpoint);
    if (line) {
        free(line->idle);
        free(line);
    }
}

/* ---- calls ---- */

static bool make_aio(struct herald_call *call, nng_aio **aio) {
    return *aio || nng_aio_alloc(aio, call->kind == CALL_BLOCKING ? NULL : call->channel->on_completion, call) == 0;
}

/* Waits until the aios' callbacks have returned and nng's thread for time-outs has released them. */
static void unmake_aios(struct herald_call *call) {
    struct operations *operations = operations_of(call);
    if (operations) {
        nng_msg_free(operations->request);
        nng_aio_free(operations->sender);
        nng_aio_free(operations->receiver);
        nng_aio_free(operations->timer);
        free(operations);
        call->operations = NULL;
    }
}

static bool make_aios(struct herald_call *call) {
    struct operations *operations = calloc(1, sizeof(*operations));
    call->operations = operations;
    if (operations && make_aio(call, &operations->sender) && make_aio(call, &operations->receiver)) {
        return true;
    }
    unmake_aios(call);
    return false;
}

static bool enter_context_locked(struct herald_call *call) {
    struct line *line = nng_line_of(call->endpoint);
    if (line->idle_count == 0) {
        return false;
    }
    operations_of(call)->context = line->idle[--line->idle_count];
    return true;
}

static bool enter_context(struct herald_call *call) {
    return nng_ctx_open(&operations_of(call)->context, nng_line_of(call->endpoint)->socket) == 0;
}

static void leave_context_locked(struct herald_call *call) {
    struct line *line = nng_line_of(call->endpoint);
    nng_ctx context = operations_of(call)->context;
    if (line->idle_count == line->idle_capacity) {
        size_t capacity = line->idle_capacity * 2 + 16;
        nng_ctx *idle = realloc(line->idle, capacity * sizeof(*idle));
        if (!idle) {
            nng_ctx_close(context);
            return;
        }
        line->idle = idle;
        line->idle_capacity = capacity;
    }
    line->idle[line->idle_count++] = context;
}

/* ---- operations ---- */

static uint8_t *make_nng_request(struct herald_call *call, size_t bytes) {
    nng_msg **request = &operations_of(call)->request;
    return nng_msg_alloc(request, bytes) == 0 ? nng_msg_body(*request) : NULL;
}

static void drop_nng_request(struct herald_call *call) {
    struct operations *operations = operations_of(call);
    nng_msg_free(operations->request);
    operations->request = NULL;
    nng_msg_free(nng_aio_get_msg(operations->sender)); /* of a send that failed */
    nng_aio_set_msg(operations->sender, NULL);
}

static bool post_context_send(struct herald_call *call, int64_t limit_ms) {
    struct operations *operations = operations_of(call);
    nng_aio_set_msg(operations->sender, operations->request);
    operations->request = NULL;
    nng_aio_set_timeout(operations->sender, (nng_duration)limit_ms);
    nng_ctx_send(operations->context, operations->sender);
    return false;
}

static void post_context_receive(struct herald_call *call, int64_t limit_ms) {
    const struct operations *operations = operations_of(call);
    nng_aio_set_timeout(operations->receiver, (nng_duration)limit_ms);
    nng_ctx_recv(operations->context, operations->receiver);
}

static bool prepare_nng_pause(struct herald_call *call) {
    return make_aio(call, &operations_of(call)->timer);
}

static void post_nng_pause(struct herald_call *call, uint32_t ms) {
    nng_sleep_aio((nng_duration)ms, operations_of(call)->timer);
}

static int aio_result(struct herald_call *call, enum herald_operation operation) {
    return nng_aio_result(aio_of(call, operation));
}

static struct herald_received take_aio_reply(struct herald_call *call) {
    nng_aio *aio = operations_of(call)->receiver;
    nng_msg *msg = nng_aio_get_msg(aio);
    nng_aio_set_msg(aio, NULL);
    return (struct herald_received){.bytes = nng_msg_body(msg), .count = nng_msg_len(msg), .msg = msg};
}

static void wait_for_aio(const struct herald_call *call, enum herald_operation operation) {
    nng_aio_wait(aio_of(call, operation));
}

static void cancel_aio(struct herald_call *call, enum herald_operation operation) {
    if (call->operations) {
        nng_aio_cancel(aio_of(call, operation));
    }
}

const struct herald_engine herald_engine_nng = {
    .open = open_nng_endpoint,
    .check_tls = check_nng_tls,
    .close = close_nng_endpoint,
    .free = free_nng_endpoint,
    .make = make_aios,
    .unmake = unmake_aios,
    .enter_locked = enter_context_locked,
    .enter = enter_context,
    .leave_locked = leave_context_locked,
    .make_request = make_nng_request,
    .drop_request = drop_nng_request,
    .send = post_context_send,
    .receive = post_context_receive,
    .prepare_pause = prepare_nng_pause,
    .pause = post_nng_pause,
    .result = aio_result,
    .take = take_aio_reply,
    .wait = wait_for_aio,
    .cancel = cancel_aio,
    .is_late = true,
};
