/* Endpoints: one socket and one dialer each. The callbacks of connections run on nng's threads and use atomics alone.
 * */
#include "client/src/endpoint.h"

#include "client/base/clock.h"
#include "client/src/close_socket.h"
#include "client/src/stream_shim.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Backoff of reconnects: the first at once, then less and less often. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 1000
/* nng counts its own header, the request id, towards the size of a message. */
#define NNG_HEADER_BYTES 16u

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
        atomic_fetch_add(&endpoint->connections, 1);
        atomic_store(&endpoint->draining, false);
    }
    atomic_fetch_add_explicit(&endpoint->pipe_count, added ? 1 : -1, memory_order_relaxed);
}

/* A message of an earlier connection says nothing about the current one: the server may have been restarted. */
void herald_endpoint_note_draining(struct herald_endpoint *endpoint, uint32_t connection) {
    atomic_store(&endpoint->draining, true);
    if (atomic_load(&endpoint->connections) != connection) {
        atomic_store(&endpoint->draining, false);
    }
}

void herald_endpoint_note_names(struct herald_endpoint *endpoint, bool has_names) {
    atomic_store(&endpoint->names, has_names ? HERALD_NAMES_TAKEN : HERALD_NAMES_MISSING);
    if (!has_names && herald_endpoint_connected(endpoint)) {
        nng_pipe_close((nng_pipe){.id = atomic_load(&endpoint->pipe)});
    }
}

/* All options are set before the dialer starts: contexts and connections copy them when they are made. */
static int configure_socket(struct herald_endpoint *endpoint, uint32_t max_bytes) {
    nng_socket socket = endpoint->socket;
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

static int start_dialer(struct herald_endpoint *endpoint, nng_tls_config *config) {
    nng_dialer dialer;
    int rv = nng_dialer_create(&dialer, endpoint->socket, endpoint->url);
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
    int rv = nng_req0_open(&endpoint->socket);
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
    nng_close(endpoint->socket);
    if (rv == NNG_ENOMEM) {
        return herald_error_no_memory(reterr, "%s", endpoint->url);
    }
    return herald_error_set(reterr, HERALD_REASON_INVALID_URL, "\"%s\" is no URL to call: %s", endpoint->url,
                            nng_strerror(rv));
}

/* NULL: no memory. */
static char *dialled_url(const struct herald_target *target, const char *address) {
    char url[128];
    if (!*address) {
        return strdup(target->url);
    }
    bool v6 = strchr(address, ':') != NULL;
    snprintf(url, sizeof(url), v6 ? "%s[%s]:%s" : "%s%s:%s", target->head, address, target->port);
    return strdup(url);
}

enum herald_code herald_endpoint_new(const struct herald_target *target, const char *address,
                                     const struct herald_tls *tls, uint32_t max_bytes,
                                     struct herald_endpoint **ret_endpoint, struct herald_error *reterr) {
    herald_stream_shim_install();
    struct herald_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    if (endpoint) {
        endpoint->url = dialled_url(target, address);
    }
    if (!endpoint || !endpoint->url) {
        free(endpoint);
        return herald_error_no_memory(reterr, "%s", target->url);
    }
    endpoint->target = target;
    endpoint->made_ms = (int64_t)(herald_monotonic_us() / 1000);
    atomic_init(&endpoint->names,
                tls && !atomic_load(&herald_tls_engine_checks_names) ? HERALD_NAMES_NOT_KNOWN : HERALD_NAMES_TAKEN);
    snprintf(endpoint->address, sizeof(endpoint->address), "%s", address);
    nng_tls_config *config = NULL;
    enum herald_code code = tls ? herald_tls_load(tls, target->host, &config, reterr) : HERALD_OK;
    if (code == HERALD_OK) {
        code = open_socket(endpoint, config, max_bytes, reterr);
    }
    if (config) {
        nng_tls_config_free(config); /* the dialer has its own reference */
    }
    if (code != HERALD_OK) {
        herald_endpoint_free(endpoint);
        return code;
    }
    endpoint->open = true;
    *ret_endpoint = endpoint;
    return HERALD_OK;
}

bool herald_endpoint_close(struct herald_endpoint *endpoint) {
    return herald_close_socket(endpoint->socket);
}

void herald_endpoint_free(struct herald_endpoint *endpoint) {
    if (!endpoint) {
        return;
    }
    free(endpoint->idle);
    free(endpoint->url);
    free(endpoint);
}
