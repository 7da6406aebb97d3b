#include "tests/unit/client/peer.h"

#include <arpa/inet.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int rv, const char *what) {
    if (rv == 0)
        return;
    fprintf(stderr, "peer: %s: %s\n", what, nng_strerror(rv));
    abort();
}

static void receive(struct peer_context *context) {
    context->sending = false;
    nng_ctx_recv(context->context, context->aio);
}

static void answer(struct peer_context *context, nng_msg *msg) {
    struct peer *peer = context->peer;
    nng_msg *reply;
    must(nng_msg_alloc(&reply, 0), "nng_msg_alloc");
    atomic_fetch_add(&peer->received, 1);
    Herald__Rpc__V1__Request *request = herald__rpc__v1__request__unpack(NULL, nng_msg_len(msg), nng_msg_body(msg));
    enum peer_action action = peer->answer(peer, request, reply);
    if (request)
        herald__rpc__v1__request__free_unpacked(request, NULL);
    nng_pipe pipe = nng_msg_get_pipe(msg);
    nng_msg_free(msg);
    if (action == PEER_REPLY) {
        context->sending = true;
        nng_aio_set_msg(context->aio, reply);
        nng_ctx_send(context->context, context->aio);
        return;
    }
    nng_msg_free(reply);
    if (action == PEER_HANG_UP)
        nng_pipe_close(pipe);
    receive(context);
}

static void on_aio(void *user) {
    struct peer_context *context = user;
    int rv = nng_aio_result(context->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
        if (context->sending)
            nng_msg_free(nng_aio_get_msg(context->aio));
        return;
    }
    if (context->sending) {
        if (rv != 0)
            nng_msg_free(nng_aio_get_msg(context->aio));
        atomic_fetch_add(&context->peer->replied, 1);
        receive(context);
        return;
    }
    nng_msg *msg = nng_aio_get_msg(context->aio);
    if (rv != 0)
        receive(context);
    else
        answer(context, msg);
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

void peer_open(struct peer *peer, const char *url, peer_answer_fn *answer_fn, void *user) {
    memset(peer, 0, sizeof(*peer));
    peer->answer = answer_fn;
    peer->user = user;
    must(nng_rep0_open(&peer->socket), "nng_rep0_open");
    must(nng_socket_set_size(peer->socket, NNG_OPT_RECVMAXSZ, 1024 * 1024), "RECVMAXSZ");
    nng_listener listener;
    must(nng_listen(peer->socket, url, &listener, 0), url);
    snprintf(peer->url, sizeof(peer->url), "%s", url);
    if (strncmp(url, "tcp:", 4) == 0) {
        nng_sockaddr address;
        must(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address), "nng_listener_get_addr");
        snprintf(peer->url, sizeof(peer->url), "tcp://127.0.0.1:%u", ntohs(address.s_in.sa_port));
    }
    start_contexts(peer);
}

void peer_close(struct peer *peer) {
    nng_close(peer->socket);
    for (int i = 0; i < PEER_CONTEXTS; i++)
        nng_aio_free(peer->contexts[i].aio);
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
    if (payload)
        free(whole.payload.data);
}

bool wait_for_count(atomic_int *counter, int wanted) {
    for (int i = 0; i < 20000; i++) {
        if (atomic_load(counter) >= wanted)
            return true;
        nng_msleep(1);
    }
    return false;
}
