#include "tests/unit/ctl/scripted_server.h"

#include "herald/json.h"
#include "herald/rpc/v1/envelope.pb-c.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTS_MAX 16

struct scripted_server {
    const struct scripted_answer *answers;
    size_t count;
    nng_socket socket;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    struct {
        char method[128];
        unsigned calls;
    } counts[COUNTS_MAX];
    char *last_request;
};

/* Counts a call; returns how many there were before it. */
static unsigned count_call(struct scripted_server *server, const char *method) {
    unsigned before = 0;
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < COUNTS_MAX; i++) {
        if (server->counts[i].method[0] == '\0') {
            snprintf(server->counts[i].method, sizeof(server->counts[i].method), "%s", method);
        }
        if (strcmp(server->counts[i].method, method) == 0) {
            before = server->counts[i].calls++;
            break;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return before;
}

static const struct scripted_answer *find_answer(const struct scripted_server *server, const char *method,
                                                 unsigned before) {
    const struct scripted_answer *answer = NULL;
    for (size_t i = 0; i < server->count; i++) {
        if (strcmp(server->answers[i].method->full_name, method) != 0) {
            continue;
        }
        answer = &server->answers[i];
        if (before-- == 0) {
            break;
        }
    }
    return answer;
}

static void keep_request(struct scripted_server *server, const struct herald_method_schema *method,
                         const Herald__Rpc__V1__Request *envelope) {
    char *json = NULL;
    ProtobufCMessage *request =
        protobuf_c_message_unpack(method->request->descriptor, NULL, envelope->payload.len, envelope->payload.data);
    if (request == NULL || herald_json_write(method->request, request, NULL, &json, NULL) != HERALD_OK) {
        json = NULL;
    }
    if (request != NULL) {
        protobuf_c_message_free_unpacked(request, NULL);
    }
    pthread_mutex_lock(&server->lock);
    free(server->last_request);
    server->last_request = json;
    pthread_mutex_unlock(&server->lock);
}

static nng_msg *pack_reply(Herald__Rpc__V1__Response *reply) {
    nng_msg *message = NULL;
    if (nng_msg_alloc(&message, herald__rpc__v1__response__get_packed_size(reply)) != 0) {
        abort();
    }
    herald__rpc__v1__response__pack(reply, nng_msg_body(message));
    return message;
}

static nng_msg *error_reply(const struct scripted_answer *answer) {
    Herald__Rpc__V1__Response reply = HERALD__RPC__V1__RESPONSE__INIT;
    Herald__Rpc__V1__ErrorDetail detail = HERALD__RPC__V1__ERROR_DETAIL__INIT;
    Herald__Rpc__V1__ErrorDetail *details[] = {&detail};
    reply.code = answer != NULL ? (Herald__Rpc__V1__Code)answer->code : HERALD__RPC__V1__CODE__UNIMPLEMENTED;
    if (answer != NULL) {
        reply.reason = (char *)answer->reason;
        reply.message = (char *)answer->message;
        detail.field = (char *)answer->field;
        detail.reason = (char *)"REQUIRED";
        detail.message = (char *)"is missing";
        reply.details = details;
        reply.n_details = answer->field != NULL ? 1 : 0;
    }
    return pack_reply(&reply);
}

static nng_msg *good_reply(const struct scripted_answer *answer, bool want_timings) {
    Herald__Rpc__V1__Response reply = HERALD__RPC__V1__RESPONSE__INIT;
    Herald__Rpc__V1__Timings timings = HERALD__RPC__V1__TIMINGS__INIT;
    timings.queue_us = 250;
    timings.handler_us = 1500;
    timings.downstream_us = 1250;
    reply.timings = want_timings ? &timings : NULL;
    ProtobufCMessage *response = NULL;
    struct herald_error error;
    if (herald_json_read(answer->method->response, answer->response, strlen(answer->response), NULL, NULL, &response,
                         &error) != HERALD_OK) {
        fprintf(stderr, "scripted answer of %s: %s\n", answer->method->full_name, error.message);
        abort();
    }
    reply.payload.len = protobuf_c_message_get_packed_size(response);
    reply.payload.data = malloc(reply.payload.len + 1);
    if (reply.payload.data == NULL) {
        abort();
    }
    protobuf_c_message_pack(response, reply.payload.data);
    nng_msg *message = pack_reply(&reply);
    free(reply.payload.data);
    protobuf_c_message_free_unpacked(response, NULL);
    return message;
}

static nng_msg *answer_call(struct scripted_server *server, nng_msg *call) {
    Herald__Rpc__V1__Request *envelope = herald__rpc__v1__request__unpack(NULL, nng_msg_len(call), nng_msg_body(call));
    if (envelope == NULL) {
        abort();
    }
    const struct scripted_answer *answer = find_answer(server, envelope->method, count_call(server, envelope->method));
    if (answer != NULL) {
        keep_request(server, answer->method, envelope);
    }
    bool want_timings = envelope->attempt != NULL && envelope->attempt->want_timings;
    herald__rpc__v1__request__free_unpacked(envelope, NULL);
    return answer != NULL && answer->response != NULL ? good_reply(answer, want_timings) : error_reply(answer);
}

static void *serve(void *user) {
    struct scripted_server *server = user;
    nng_msg *message = NULL;
    while (nng_recvmsg(server->socket, &message, 0) == 0) {
        nng_msg *reply = answer_call(server, message);
        nng_msg_free(message);
        if (nng_sendmsg(server->socket, reply, 0) != 0) {
            nng_msg_free(reply);
        }
    }
    return NULL;
}

struct scripted_server *scripted_server_start(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = calloc(1, sizeof(*server));
    nng_listener listener;
    nng_sockaddr address;
    if (server == NULL) {
        return NULL;
    }
    server->answers = answers;
    server->count = count;
    pthread_mutex_init(&server->lock, NULL);
    if (nng_rep0_open(&server->socket) != 0 || nng_listen(server->socket, "tcp://127.0.0.1:0", &listener, 0) != 0 ||
        nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address) != 0 ||
        pthread_create(&server->thread, NULL, serve, server) != 0) {
        nng_close(server->socket);
        free(server);
        return NULL;
    }
    const uint8_t *port = (const uint8_t *)&address.s_in.sa_port; /* in network order */
    snprintf(server->url, sizeof(server->url), "tcp://127.0.0.1:%u", (unsigned)port[0] << 8 | port[1]);
    return server;
}

const char *scripted_server_url(const struct scripted_server *server) {
    return server->url;
}

unsigned scripted_server_calls(const struct scripted_server *server, const struct herald_method_schema *method) {
    unsigned calls = 0;
    pthread_mutex_lock((pthread_mutex_t *)&server->lock);
    for (size_t i = 0; i < COUNTS_MAX; i++) {
        if (strcmp(server->counts[i].method, method->full_name) == 0) {
            calls = server->counts[i].calls;
        }
    }
    pthread_mutex_unlock((pthread_mutex_t *)&server->lock);
    return calls;
}

const char *scripted_server_last_request(const struct scripted_server *server) {
    return server->last_request;
}

void scripted_server_stop(struct scripted_server *server) {
    nng_close(server->socket);
    pthread_join(server->thread, NULL);
    pthread_mutex_destroy(&server->lock);
    free(server->last_request);
    free(server);
}
