#include "tests/unit/client/script.h"

#include "herald/job/v1/job.client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keep_auth(struct script_seen *seen, const Herald__Rpc__V1__Auth *auth) {
    seen->auth = '-';
    if (auth && auth->proof_case == HERALD__RPC__V1__AUTH__PROOF_BEARER) {
        seen->auth = 'b';
        snprintf(seen->bearer, sizeof(seen->bearer), "%s", auth->bearer);
    }
    if (!auth || auth->proof_case != HERALD__RPC__V1__AUTH__PROOF_SIGNATURE) {
        return;
    }
    const Herald__Rpc__V1__Signature *signature = auth->signature;
    seen->auth = 's';
    snprintf(seen->key_id, sizeof(seen->key_id), "%s", signature->key_id);
    snprintf(seen->user, sizeof(seen->user), "%s", signature->user);
    seen->time_ms = signature->time_ms;
    seen->nonce_bytes = signature->nonce.len;
    seen->mac_bytes = signature->mac.len;
    if (signature->nonce.len <= 32) {
        memcpy(seen->nonce, signature->nonce.data, signature->nonce.len);
    }
    if (signature->mac.len == 32) {
        memcpy(seen->mac, signature->mac.data, 32);
    }
}

static void keep(struct script_seen *seen, const Herald__Rpc__V1__Request *request) {
    memset(seen, 0, sizeof(*seen));
    seen->timeout_ms = request->timeout_ms;
    seen->number = request->attempt ? request->attempt->number : UINT32_MAX;
    seen->ticket = request->attempt ? request->attempt->ticket : 0;
    seen->want_timings = request->attempt && request->attempt->want_timings;
    snprintf(seen->call_id, sizeof(seen->call_id), "%s", request->call_id);
    snprintf(seen->key, sizeof(seen->key), "%s", request->idempotency_key);
    seen->metadata_count = request->n_metadata;
    for (size_t i = 0; i < request->n_metadata && i < 4; i++) {
        snprintf(seen->metadata[i], sizeof(seen->metadata[i]), "%.12s=%.*s", request->metadata[i]->key,
                 (int)request->metadata[i]->value.len, (const char *)request->metadata[i]->value.data);
    }
    seen->payload_bytes = request->payload.len;
    if (request->payload.len > 0 && request->payload.len <= sizeof(seen->payload)) {
        memcpy(seen->payload, request->payload.data, request->payload.len);
    }
    keep_auth(seen, request->auth);
}

/* Takes one of so many; -1 are always enough. */
static bool takes(atomic_int *counter) {
    int left = atomic_load(counter);
    while (left > 0 && !atomic_compare_exchange_weak(counter, &left, left - 1))
        ;
    return left != 0;
}

static enum peer_action answer_script(struct peer *peer, const Herald__Rpc__V1__Request *request, nng_msg *reply) {
    struct script *script = peer->user;
    Herald__Rpc__V1__Response response = HERALD__RPC__V1__RESPONSE__INIT;
    Herald__Rpc__V1__Timings timings = HERALD__RPC__V1__TIMINGS__INIT;
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
    Herald__Rpc__V1__Metadata *pairs[] = {&pair, &pair};
    pthread_mutex_lock(&script->mutex);
    if (script->seen_count < SCRIPT_SEEN_MOST) {
        keep(&script->seen[script->seen_count], request);
    }
    script->seen_count++;
    pthread_mutex_unlock(&script->mutex);
    pair.key = (char *)"served-by";
    pair.value = (ProtobufCBinaryData){3, (uint8_t *)"p\0q"};
    response.n_metadata = 2;
    response.metadata = pairs;
    timings.queue_us = 11, timings.handler_us = 222, timings.downstream_us = 33;
    if (request->attempt && request->attempt->want_timings) {
        response.timings = &timings;
    }
    enum peer_action action = PEER_REPLY;
    if (takes(&script->hang_ups)) {
        return PEER_HANG_UP;
    }
    if (takes(&script->fails)) {
        action = (enum peer_action)atomic_load(&script->action);
        response.code = (Herald__Rpc__V1__Code)script->code;
        response.reason = (char *)script->reason;
        response.retry_after_ms = script->retry_after_ms;
    }
    if (action == PEER_REPLY) {
        peer_append_response(reply, &response, NULL);
    }
    return action;
}

static struct script *script_new(void) {
    struct script *script = calloc(1, sizeof(*script));
    assert_non_null(script);
    pthread_mutex_init(&script->mutex, NULL);
    script->reason = "";
    return script;
}

struct script *script_open(const char *url) {
    struct script *script = script_new();
    peer_open(&script->peer, url ? url : "tcp://127.0.0.1:0", answer_script, script);
    atomic_store(&script->peer.health, 1);
    return script;
}

struct script *script_open_tls(const char *cert_file, const char *key_file, const char *client_ca) {
    return script_open_tls_at(NULL, cert_file, key_file, client_ca);
}

struct script *script_open_tls_at(const char *url, const char *cert_file, const char *key_file, const char *client_ca) {
    struct script *script = script_new();
    peer_open_tls(&script->peer, url, cert_file, key_file, client_ca, answer_script, script);
    atomic_store(&script->peer.health, 1);
    return script;
}

void script_close(struct script *script) {
    peer_close(&script->peer);
    pthread_mutex_destroy(&script->mutex);
    free(script);
}

struct script *script_serve(const struct herald_channel_options *options, struct herald_channel **ret_channel) {
    struct script *script = script_open(NULL);
    *ret_channel = channel_to(script->peer.url, options);
    return script;
}

void script_end(struct script *script, struct herald_channel *channel) {
    herald_channel_close(channel);
    script_close(script);
}

struct script_seen script_seen(struct script *script, int index) {
    assert_true(wait_for_count(&script->peer.received, index + 1));
    for (;;) { /* it counts before it answers */
        pthread_mutex_lock(&script->mutex);
        bool there = script->seen_count > index;
        struct script_seen seen = script->seen[index];
        pthread_mutex_unlock(&script->mutex);
        if (there) {
            return seen;
        }
    }
}

static enum herald_code end(enum herald_code code, struct herald_reply *reply, struct herald_reply *ret_reply) {
    assert_int_equal(code, reply->error.code);
    herald_reply_clear(reply);
    if (ret_reply) {
        memcpy(ret_reply, reply, sizeof(*reply));
    }
    return code;
}

enum herald_code call_read(struct herald_channel *channel, const struct herald_call_options *options,
                           struct herald_reply *ret_reply) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const Herald__Job__V1__GetJobResponse *response;
    struct herald_reply reply = {0};
    request.job_id = (char *)"job-1";
    return end(herald_job_v1_job_service_get_job(channel, &request, options, &reply, &response), &reply, ret_reply);
}

enum herald_code call_once(struct herald_channel *channel, const struct herald_call_options *options,
                           struct herald_reply *ret_reply) {
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    const Herald__Job__V1__CreateImageJobResponse *response;
    struct herald_reply reply = {0};
    request.user_id = (char *)"user-7";
    return end(herald_job_v1_job_service_create_image_job(channel, &request, options, &reply, &response), &reply,
               ret_reply);
}

struct herald_channel *channel_to(const char *url, const struct herald_channel_options *options) {
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (herald_channel_open(url, options, &channel, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return channel;
}
