#include "tests/unit/client/peer.h"

#include "herald/rpc/v1/calls.pb-c.h"
#include "herald/rpc/v1/health.pb-c.h"

#include <arpa/inet.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int rv, const char *what) {
    if (rv == 0) {
        return;
    }
    fprintf(stderr, "peer: %s: %s\n", what, nng_strerror(rv));
    abort();
}

static void receive(struct peer_context *context) {
    context->sending = false;
    nng_ctx_recv(context->context, context->aio);
}

static bool is_of(const Herald__Rpc__V1__Request *request, const char *method) {
    return request && strcmp(request->method, method) == 0;
}

/* What calls of the client's own get; false if it is none. */
static bool answer_own(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    const Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    if (is_of(request, "herald.rpc.v1.Calls/Cancel")) {
        Herald__Rpc__V1__CancelResponse found = HERALD__RPC__V1__CANCEL_RESPONSE__INIT;
        Herald__Rpc__V1__CancelRequest *cancel =
            herald__rpc__v1__cancel_request__unpack(NULL, request->payload.len, request->payload.data);
        atomic_store(&peer->cancelled, cancel ? cancel->ticket : 0);
        atomic_store(&peer->late, cancel && cancel->deadline_exceeded);
        atomic_fetch_add(&peer->cancels, 1);
        if (cancel) {
            herald__rpc__v1__cancel_request__free_unpacked(cancel, NULL);
        }
        peer_append_response(reply, &response, &found.base);
        return true;
    }
    if (atomic_load(&peer->health) != 0 && is_of(request, "herald.rpc.v1.Health/Check")) {
        Herald__Rpc__V1__HealthCheckResponse health = HERALD__RPC__V1__HEALTH_CHECK_RESPONSE__INIT;
        health.status = (Herald__Rpc__V1__ServingStatus)atomic_load(&peer->health);
        peer_append_response(reply, &response, &health.base);
        atomic_fetch_add(&peer->checks, 1);
        return true;
    }
    return false;
}

static void answer(struct peer_context *context, nng_msg *msg) {
    struct peer *peer = context->peer;
    nng_msg *reply;
    must(nng_msg_alloc(&reply, 0), "nng_msg_alloc");
    Herald__Rpc__V1__Request *request = herald__rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    enum peer_action action = PEER_REPLY;
    context->own = answer_own(peer, request, reply);
    if (!context->own) {
        action = peer->answer(peer, request, reply);
        atomic_fetch_add(&peer->received, 1);
    }
    if (request) {
        herald__rpc__v1__request__free_unpacked(request, NULL);
    }
    nng_pipe pipe = nng_msg_get_pipe(msg);
    nng_msg_free(msg);
    if (action == PEER_REPLY) {
        context->sending = true;
        nng_aio_set_msg(context->aio, reply);
        nng_ctx_send(context->context, context->aio);
        return;
    }
    nng_msg_free(reply);
    if (action == PEER_HANG_UP) {
        nng_pipe_close(pipe);
    }
    receive(context);
}

static void on_aio(void *user) {
    struct peer_context *context = user;
    int rv = nng_aio_result(context->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
        if (context->sending) {
            nng_msg_free(nng_aio_get_msg(context->aio));
        }
        return;
    }
    if (context->sending) {
        if (rv != 0) {
            nng_msg_free(nng_aio_get_msg(context->aio));
        }
        if (!context->own) {
            atomic_fetch_add(&context->peer->replied, 1);
        }
        receive(context);
        return;
    }
    nng_msg *msg = nng_aio_get_msg(context->aio);
    if (rv != 0) {
        receive(context);
    } else {
        answer(context, msg);
    }
}

static void start_contexts(struct peer *peer) {
    for (int i = 0; i < PEER_CONTEXTS; i++) {
        struct peer_context *context = &peer->contexts[i];
        context->peer = peer;
        must(nng_ctx_open(&context->context, peer->socket), "nng_ctx_open");
        must(nng_aio_alloc(&context->aio, on_aio, context), "nng_aio_alloc");
        receive(context);
    }
}

static void listen_at(struct peer *peer, const char *url, nng_tls_config *config) {
    nng_listener listener;
    must(nng_rep0_open(&peer->socket), "nng_rep0_open");
    must(nng_socket_set_size(peer->socket, NNG_OPT_RECVMAXSZ, 1024 * 1024), "RECVMAXSZ");
    must(nng_listener_create(&listener, peer->socket, url), url);
    if (config) {
        must(nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config), "TLS_CONFIG");
    }
    must(nng_listener_start(listener, 0), url);
    snprintf(peer->url, sizeof(peer->url), "%s", url);
    if (strstr(url, "tcp:") && strstr(url, ":0")) {
        nng_sockaddr address;
        must(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address), "nng_listener_get_addr");
        snprintf(peer->url, sizeof(peer->url), "%s127.0.0.1:%u", config ? "tls+tcp://" : "tcp://",
                 ntohs(address.s_in.sa_port));
    }
    start_contexts(peer);
}

void peer_open(struct peer *peer, const char *url, peer_answer_fn *answer_fn, void *user) {
    memset(peer, 0, sizeof(*peer));
    peer->answer = answer_fn;
    peer->user = user;
    listen_at(peer, url, NULL);
}

void peer_open_tls(struct peer *peer, const char *url, const char *cert_file, const char *key_file,
                   const char *client_ca, peer_answer_fn *answer_fn, void *user) {
    nng_tls_config *config;
    char both[200];
    memset(peer, 0, sizeof(*peer));
    peer->answer = answer_fn;
    peer->user = user;
    must(nng_tls_config_alloc(&config, NNG_TLS_MODE_SERVER), "nng_tls_config_alloc");
    snprintf(both, sizeof(both), "cat %.80s %.80s > %.20s", cert_file, key_file, "server-both.pem");
    must(system(both) == 0 ? 0 : NNG_ESYSERR, both);
    must(nng_tls_config_cert_key_file(config, "server-both.pem", NULL), cert_file);
    must(nng_tls_config_auth_mode(config, client_ca ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE), "auth");
    if (client_ca) {
        must(nng_tls_config_ca_file(config, client_ca), client_ca);
    }
    listen_at(peer, url ? url : "tls+tcp://127.0.0.1:0", config);
    nng_tls_config_free(config);
}

void peer_close(struct peer *peer) {
    nng_close(peer->socket);
    for (int i = 0; i < PEER_CONTEXTS; i++) {
        nng_aio_free(peer->contexts[i].aio);
    }
}

void peer_append_response(nng_msg *msg, const Herald__Rpc__V1__Response *response, const ProtobufCMessage *payload) {
    Herald__Rpc__V1__Response whole = *response;
    if (payload) {
        whole.payload.len = protobuf_c_message_get_packed_size(payload);
        whole.payload.data = malloc(whole.payload.len + 1);
        protobuf_c_message_pack(payload, whole.payload.data);
    }
    size_t bytes = herald__rpc__v1__response__get_packed_size(&whole);
    uint8_t *packed = malloc(bytes + 1);
    herald__rpc__v1__response__pack(&whole, packed);
    must(nng_msg_append(msg, packed, bytes), "nng_msg_append");
    free(packed);
    if (payload) {
        free(whole.payload.data);
    }
}

bool wait_for_count(atomic_int *counter, int wanted) {
    for (int i = 0; i < 20000; i++) {
        if (atomic_load(counter) >= wanted) {
            return true;
        }
        nng_msleep(1);
    }
    return false;
}
