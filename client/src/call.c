#include "client/src/channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct herald_call_options default_options;

static int64_t call_remaining_ms(const struct herald_call *call) {
    int64_t remaining = call->deadline_ms - herald_now_ms();
    return remaining > 0 ? remaining : 0;
}

/*
 * Posts the send. nng keeps the message until there is a connection with room for it; it is tried for as long as a
 * connection may take, then looked at again: see on_send_end().
 */
static void call_post_send_locked(struct herald_call *call) {
    int64_t remaining = call_remaining_ms(call);
    int64_t limit = call->channel->connect_timeout_ms;
    nng_aio_set_timeout(call->aio, (nng_duration)(remaining < limit ? remaining : limit));
    nng_ctx_send(call->context, call->aio);
}

static void call_post_receive_locked(struct herald_call *call) {
    call->phase = CALL_WAITING;
    nng_aio_set_timeout(call->aio, (nng_duration)call_remaining_ms(call));
    nng_ctx_recv(call->context, call->aio);
}

static void call_fail_cancelled(struct herald_call *call, enum herald_outcome outcome) {
    call->reply->outcome = outcome;
    herald_error_set(&call->reply->error, HERALD_CANCELLED, "CANCELLED", "%s: cancelled %s", call->method->full_name,
                     outcome == HERALD_NOT_SENT ? "before it was sent"
                                                : "after it was sent; it may have been executed");
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* A send that is over its time: no connection, or one that takes nothing more. */
static void call_fail_unsent(struct herald_call *call, bool connected) {
    struct herald_error *error = &call->reply->error;
    const char *url = call->channel->url;
    call->reply->outcome = HERALD_NOT_SENT;
    if (!connected)
        herald_error_set(error, HERALD_UNAVAILABLE, "NOT_CONNECTED",
                         "%s: no connection to %s within %" PRIu32 " ms: is the server running there?",
                         call->method->full_name, url, least(call->channel->connect_timeout_ms, call->timeout_ms));
    else
        herald_error_set(error, HERALD_DEADLINE_EXCEEDED, "NOT_SENT_IN_TIME",
                         "%s: not sent within its deadline of %" PRIu32 " ms: busy connection to %s",
                         call->method->full_name, call->timeout_ms, url);
}

/* The send has ended; true if the call has too. */
static bool call_on_sent_locked(struct herald_call *call, int result) {
    bool connected = atomic_load_explicit(&call->channel->pipe_count, memory_order_relaxed) > 0;
    if (result == 0 && !call->cancelled) {
        call_post_receive_locked(call);
        return false;
    }
    if (result == NNG_ETIMEDOUT && !call->cancelled && connected && call_remaining_ms(call) > 0) {
        call_post_send_locked(call); /* the aio has its message back */
        return false;
    }
    if (result != 0) {
        nng_msg_free(nng_aio_get_msg(call->aio));
        nng_aio_set_msg(call->aio, NULL);
    }
    if (call->cancelled || result == NNG_ECANCELED || result == NNG_ECLOSED)
        call_fail_cancelled(call, result == 0 ? HERALD_MAYBE_EXECUTED : HERALD_NOT_SENT);
    else if (result == NNG_ETIMEDOUT)
        call_fail_unsent(call, connected);
    else
        herald_error_set(&call->reply->error, HERALD_UNAVAILABLE, "SEND_FAILED", "%s: not sent to %s: %s",
                         call->method->full_name, call->channel->url, nng_strerror(result));
    return true;
}

/* The wait for the reply has ended, and with it the call. */
static void call_on_received(struct herald_call *call, int result) {
    struct herald_error *error = &call->reply->error;
    call->reply->outcome = HERALD_MAYBE_EXECUTED;
    if (result != 0)
        atomic_store_explicit(&call->channel->unanswered_ms, herald_now_ms(), memory_order_relaxed);
    /* A closing socket closes its connection first, which looks like the peer's doing. */
    if (result != 0 && atomic_load(&call->channel->closing))
        result = NNG_ECLOSED;
    switch (result) {
    case 0: {
        nng_msg *msg = nng_aio_get_msg(call->aio);
        nng_aio_set_msg(call->aio, NULL);
        herald_reply_read(call->reply, call->method, msg);
        break;
    }
    case NNG_ETIMEDOUT:
        herald_error_set(error, HERALD_DEADLINE_EXCEEDED, "NO_REPLY_IN_TIME",
                         "%s: no reply from %s within its deadline of %" PRIu32 " ms; it may have been executed",
                         call->method->full_name, call->channel->url, call->timeout_ms);
        break;
    case NNG_ECANCELED:
    case NNG_ECLOSED:
        call_fail_cancelled(call, HERALD_MAYBE_EXECUTED);
        break;
    default:
        herald_error_set(error, HERALD_UNAVAILABLE, "CONNECTION_LOST",
                         "%s: the connection to %s was lost before the reply came (%s); it may have been executed",
                         call->method->full_name, call->channel->url, nng_strerror(result));
        break;
    }
}

/* Takes a completion of the call's aio; true if the call has ended. */
static bool call_step(struct herald_call *call) {
    int result = nng_aio_result(call->aio);
    pthread_mutex_lock(&call->mutex);
    bool ended = call->phase == CALL_WAITING || call_on_sent_locked(call, result);
    bool received = ended && call->phase == CALL_WAITING;
    if (ended)
        call->phase = CALL_ENDED;
    pthread_mutex_unlock(&call->mutex);
    if (received)
        call_on_received(call, result);
    return ended;
}

/* Marks the callback as run; whoever comes second, this or the handle's release, gives the call back. */
static void call_returned(struct herald_call *call) {
    struct herald_channel *channel = call->channel;
    pthread_mutex_lock(&call->mutex);
    call->returned = true;
    bool held = call->held;
    pthread_mutex_unlock(&call->mutex);
    herald_channel_end_call(channel, held ? NULL : call);
}

void herald_call_on_aio(void *user) {
    struct herald_call *call = user;
    if (!call_step(call))
        return;
    call->done(call->user, call->reply);
    call_returned(call);
}

/* Takes a call and fills it; its message is packed into its aio. Nothing is taken on failure. */
static enum herald_code call_prepare(struct herald_channel *channel, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     struct herald_reply *reply, struct herald_call **ret_call,
                                     struct herald_error *reterr) {
    struct herald_call *call;
    enum herald_code code = herald_channel_take_call(channel, reply != NULL, &call, reterr);
    if (code != HERALD_OK)
        return code;
    call->method = method;
    call->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : method->deadline_ms;
    if (call->timeout_ms > INT32_MAX)
        call->timeout_ms = INT32_MAX; /* nng's longest */
    call->deadline_ms = herald_now_ms() + call->timeout_ms;
    call->reply = reply ? reply : &call->own_reply;
    call->phase = CALL_SENDING;
    call->cancelled = call->held = call->returned = false;
    herald_reply_init(call->reply);
    if (options->call_id)
        snprintf(call->reply->call_id, sizeof(call->reply->call_id), "%s", options->call_id);
    else
        herald_uuid7(call->reply->call_id);
    nng_msg *msg;
    code = herald_request_pack(channel, method, request, options, call->reply->call_id, call->timeout_ms, &msg, reterr);
    if (code != HERALD_OK) {
        herald_channel_end_call(channel, call);
        return code;
    }
    nng_aio_set_msg(call->aio, msg);
    *ret_call = call;
    return HERALD_OK;
}

enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr) {
    struct herald_call *call;
    enum herald_code code =
        call_prepare(channel, method, request, options ? options : &default_options, NULL, &call, reterr);
    if (code != HERALD_OK)
        return code;
    call->done = done;
    call->user = user;
    if (ret_call) {
        call->held = true;
        *ret_call = call;
    }
    pthread_mutex_lock(&call->mutex);
    call_post_send_locked(call);
    pthread_mutex_unlock(&call->mutex);
    return HERALD_OK;
}

enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply) {
    struct herald_call *call;
    struct herald_error *error = &ret_reply->error;
    herald_reply_init(ret_reply);
    enum herald_code code =
        call_prepare(channel, method, request, options ? options : &default_options, ret_reply, &call, error);
    if (code != HERALD_OK)
        return code;
    pthread_mutex_lock(&call->mutex);
    call_post_send_locked(call);
    pthread_mutex_unlock(&call->mutex);
    do {
        nng_aio_wait(call->aio);
    } while (!call_step(call));
    herald_channel_end_call(channel, call);
    return error->code;
}

void herald_call_cancel(struct herald_call *call) {
    pthread_mutex_lock(&call->mutex);
    if (call->phase != CALL_ENDED) {
        call->cancelled = true;
        nng_aio_cancel(call->aio);
    }
    pthread_mutex_unlock(&call->mutex);
}

void herald_call_release(struct herald_call *call) {
    if (!call)
        return;
    pthread_mutex_lock(&call->mutex);
    call->held = false;
    bool returned = call->returned;
    pthread_mutex_unlock(&call->mutex);
    if (returned)
        herald_channel_return_call(call->channel, call);
}
