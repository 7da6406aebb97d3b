#include "server/transport/self_call.h"

#include "client/src/close_socket.h"
#include "server/transport/tls_engine.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <string.h>

/* Pause between attempts to connect. */
#define REDIAL_MS 500

/* RESENDTIME infinite and RECVMAXSZ before the dial, as for every REQ socket of this project. */
static int configure(nng_socket socket, const struct self_call *call) {
    int failure = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (failure == 0) {
        failure = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, call->max_reply_bytes);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, (nng_duration)call->timeout_ms);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, (nng_duration)call->timeout_ms);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, REDIAL_MS);
    }
    return failure;
}

static int set_tls(nng_dialer dialer, struct tls_identity *identity) {
    nng_tls_config *config = NULL;
    int failure = tls_engine_self_config(identity, &config);
    if (failure != 0) {
        return failure;
    }
    failure = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config);
    nng_tls_config_free(config);
    return failure;
}

/* Dials in the background: a dead listener's socket accepts connections and never negotiates. */
static int dial(nng_socket socket, const struct self_call *call) {
    nng_dialer dialer;
    int failure = nng_dialer_create(&dialer, socket, call->url);
    if (failure == 0 && call->tls) {
        failure = set_tls(dialer, call->tls);
    }
    return failure == 0 ? nng_dialer_start(dialer, NNG_FLAG_NONBLOCK) : failure;
}

static int send_request(nng_socket socket, const struct self_call *call) {
    nng_msg *request = NULL;
    int failure = nng_msg_alloc(&request, call->request_bytes);
    if (failure != 0) {
        return failure;
    }
    memcpy(nng_msg_body(request), call->request, call->request_bytes);
    failure = nng_sendmsg(socket, request, 0);
    if (failure != 0) {
        nng_msg_free(request);
    }
    return failure;
}

static int exchange_messages(nng_socket socket, const struct self_call *call) {
    nng_msg *reply = NULL;
    int failure = configure(socket, call);
    if (failure == 0) {
        failure = dial(socket, call);
    }
    if (failure == 0) {
        failure = send_request(socket, call);
    }
    if (failure == 0) {
        failure = nng_recvmsg(socket, &reply, 0);
    }
    nng_msg_free(reply);
    return failure;
}

const char *self_call(const struct self_call *call, bool *ret_hung) {
    nng_socket socket;
    int failure = nng_req0_open(&socket);
    if (failure != 0) {
        return nng_strerror(failure);
    }
    failure = exchange_messages(socket, call);
    if (!herald_close_socket(socket)) {
        *ret_hung = true;
    }
    return failure == 0 ? NULL : nng_strerror(failure);
}
